"""What the tests of the command line share: a control plane in a process of its own, and the commands called in this one."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from database_servers import ends_with_us
from pilothouse.base.errors import PilothouseError
from pilothouse.cli.main import app
from pilothouse.client.errors import status_of
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))
from served import PASSWORD, Run, Served


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A control plane over TLS on free ports."""
    home = tmp_path_factory.mktemp("served") / "home"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PILOTHOUSE_")}
    serve = [sys.executable, "-m", "pilothouse", "serve", "--runtime-port", "0", "--console-port", "0"]
    process = subprocess.Popen(  # noqa: S603 - our own program
        [*ends_with_us(signal.SIGKILL), *serve],
        env={
            **kept,
            "PILOTHOUSE_HOME": str(home),
            "PILOTHOUSE_ADMIN_PASSWORD": PASSWORD,
            "PILOTHOUSE_MI_INSECURE": "on",  # the fakes have certificates that are made while this runs
            "PYTHONUNBUFFERED": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout), daemon=True)
    reader.start()
    end = time.monotonic() + 60
    while not (found := re.search(r"Console +(https://\S+)[\s\S]*Runtimes +(https://\S+)", "".join(lines))):
        assert time.monotonic() < end, "".join(lines)
        assert process.poll() is None, "".join(lines)
        time.sleep(0.1)
    yield Served(found[1], found[2], home)
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
    reader.join(5)
    process.stdout.close()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command as a script would: with a configuration of its own, and nobody to ask. Errors become statuses."""
    for name in [name for name in os.environ if name.startswith("PILOTHOUSE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("NO_COLOR", "1")

    def invoke(*words: str, text: str = "") -> Result:
        result = CliRunner().invoke(app, words, input=text)
        if isinstance(result.exception, PilothouseError):
            result.exit_code = status_of(result.exception)
        elif result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke
