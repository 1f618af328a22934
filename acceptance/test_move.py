"""The move to a database server and back, walked as its page is written: its commands, and what it says they print."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stage import PASSWORD, TREE, ControlPlane, Program, ask, console_of, serve

sys.path.insert(0, str(TREE / "server" / "tests"))

from database_servers import PostgreSqlServer, end_all, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("postgresql")]

HOWTO = TREE / "docs" / "howto"
SERVICE_HOME = "/var/lib/pilothouse"
URL = r"postgresql://pilothouse:<password>@db\.example\.com/pilothouse\?sslmode=verify-full"
BEFORE = 'pilothouse() { "$PYTHON" -m pilothouse "$@"; }; systemctl() { echo "systemctl $*"; }; set -eu\n'
"""What the page takes for granted: that the command is found, and that the service is stopped, which the test did."""


def blocks(page: str, heading: str, language: str) -> list[str]:
    """Take the blocks of a part of a page."""
    part = (HOWTO / page).read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)


def plain(line: str) -> str:
    """Take out what is different each time: numbers with their plurals, moments, keys."""
    line = re.sub(r"\d{4}-\d\d-\d\dT[\d:+]+\d", "AT", line)
    line = re.sub(r"\b[0-9a-f]{8}\b", "KEY", line)
    return re.sub(
        r"\d+ (project|integration|environment|runtime|secret|user|event|record|audit record|row)s?\b", r"N \1", line
    )


def walk(block: str, home: Path, url: str, folder: Path) -> None:
    """Run the commands of a block in one shell, and see what the page says that they print, in its order."""
    lines = block.replace(SERVICE_HOME, str(home)).splitlines()
    commands = [re.sub(URL, lambda _: url, line.removeprefix("$ ")) for line in lines if line.startswith("$ ")]
    expected = [plain(line) for line in lines if not line.startswith("$ ")]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PILOTHOUSE_")}
    done = subprocess.run(
        ["bash", "-c", BEFORE + "\n".join(commands)],
        cwd=folder, env={**kept, "PYTHON": sys.executable, "PILOTHOUSE_HOME": str(home)},
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done
    told = iter(map(plain, done.stderr.splitlines()))
    for line in expected:
        start = line.partition("…")[0]
        assert any(each == line or ("…" in line and each.startswith(start)) for each in told), (line, done.stderr)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A database and a user, made as the page about them says."""
    server = running("postgresql")
    assert isinstance(server, PostgreSqlServer)
    (sql,) = blocks("use-your-own-database.md", "Make a database and a user", "sql")
    statements = sql.split("-- MariaDB")[0].replace("'…'", "'s3cr@t:/x'")
    server.run(*(line for line in statements.splitlines() if line and not line.startswith("--")))
    yield f"postgresql://pilothouse:s3cr%40t%3A%2Fx@127.0.0.1:{server.port}/pilothouse"
    end_all()


def test_everything_moves_to_a_server_and_back_by_the_commands_of_the_page(
    start: Callable[..., Program], tmp_path: Path, url: str
) -> None:
    home = tmp_path / "home"

    def names(plane: ControlPlane, more: str) -> list[str]:
        """See the projects, add one, and stop."""
        with console_of(plane) as console:
            found = ask(console, "{ projects { nodes { displayName } } auditCheck { intact } }")
            ask(console, "mutation ($n: String!) { createProject(input: {displayName: $n}) { handle } }", n=more)
        assert plane.program.stop() == 0
        assert found["auditCheck"]["intact"] is True
        return sorted(each["displayName"] for each in found["projects"]["nodes"])

    def began(**environment: str) -> ControlPlane:
        return serve(start, home, PILOTHOUSE_ADMIN_PASSWORD=PASSWORD, **environment)

    assert names(began(), "Made embedded") == []
    (move,) = blocks("move-to-postgresql.md", "Move", "console")
    walk(move, home, url, tmp_path)
    assert names(began(PILOTHOUSE_DATABASE_URL=url), "Made on the server") == ["Made embedded"]

    # who forgets the URL gets no backup of what was before, and serves no world that has gone on
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PILOTHOUSE_")}
    for words in (["backup", str(tmp_path / "stale")], ["serve"]):
        stale = subprocess.run(
            [sys.executable, "-m", "pilothouse", *words, "--home", str(home)],
            env=kept, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (stale.returncode, (tmp_path / "stale").exists()) == (6, False), stale
        assert "keeps everything in postgresql://pilothouse@127.0.0.1" in stale.stderr
        assert "s3cr" not in stale.stderr

    (back,) = blocks("move-to-postgresql.md", "Back", "console")
    walk(f"$ export PILOTHOUSE_DATABASE_URL='{url}'\n{back}", home, url, tmp_path)
    assert names(began(), "Made again") == ["Made embedded", "Made on the server"]
