"""A command that asks a control plane does not load one."""

import subprocess
import sys

import pytest
from pilothouse.cli import admin
from pilothouse.operations.sign_in import FIRST_ADMINISTRATOR

HEAVY = (
    "aiohttp",
    "graphql",
    "httpx",
    "sqlalchemy",
    "starlette",
    "uvicorn",
    "uvloop",
    "pilothouse.app",
    "pilothouse.storage",
)
_TOLD = """\
import sys
from pilothouse.cli import main
try:
    main()
finally:
    print("loaded:", *sorted(sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("runtimes", "list", "--help"), 0),
        (("--help",), 0),
        (("runtimes", "list"), 3),
        (("runtimes", "list", "--url", "http://127.0.0.1:1"), 7),
        (("secrets", "list"), 3),
        (("audit", "list"), 3),
        (("watch",), 3),
        (("schema",), 0),
    ],
)
def test_what_asks_a_control_plane_loads_nothing_of_the_server(words: tuple[str, ...], status: int, tmp_path) -> None:
    environment = {"XDG_CONFIG_HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "NO_COLOR": "1"}
    if status == 7:
        environment["PILOTHOUSE_TOKEN"] = "pht_some"

    told = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-c", _TOLD, *words],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert told.returncode == status, told.stderr
    loaded = set(told.stderr.partition("loaded:")[2].split())
    assert "pilothouse.cli.runtimes" in loaded, "it tells what was loaded"
    assert loaded.isdisjoint(HEAVY), loaded.intersection(HEAVY)


def test_the_first_administrators_name_is_the_one_that_the_server_makes() -> None:
    assert admin.FIRST_ADMINISTRATOR == FIRST_ADMINISTRATOR
