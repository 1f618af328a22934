"""What the bridge's tests share: a control plane on loopback, certificates, programs that run apart, a clean slate."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pilothouse_bridge
import pytest
import trustme
from pilothouse_bridge.testing import FakePilothouse


@pytest.fixture(autouse=True)
def _clean_slate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration of the machine or of another test leaks in; files are made in a directory of its own."""
    for name in list(os.environ):
        if name.startswith(("PILOTHOUSE_BRIDGE_", "BAL_CONFIG_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[FakePilothouse]:
    with FakePilothouse() as fake:
        yield fake


@dataclass(frozen=True)
class Certificates:
    authority: Path
    server: Path

    def server_for(self, **more: object) -> FakePilothouse:
        return FakePilothouse(certificate=self.server, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    directory = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "ca.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(directory / "server.pem")
    return Certificates(directory / "ca.pem", directory / "server.pem")


Connect = Callable[..., pilothouse_bridge.Bridge]


@pytest.fixture
def connect(server: FakePilothouse) -> Iterator[Connect]:
    """Connect this process to the fake server; closed again after the test."""
    bridges: list[pilothouse_bridge.Bridge] = []

    def connect_to(fake: FakePilothouse = server, **fields: object) -> pilothouse_bridge.Bridge:
        defaults: dict[str, object] = {
            "environment": "dev",
            "project": "demo",
            "integration": "orders",
            "secret": fake.secret,
            "server_url": fake.url,
            "heartbeat_interval": 0.2,
        }
        bridge = pilothouse_bridge.connect(**(defaults | fields))  # type: ignore[arg-type]
        bridges.append(bridge)
        return bridge

    yield connect_to
    for bridge in bridges:
        bridge.close()


class Program:
    """A user's program: written to a file, run by a Python of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.running: list[subprocess.Popen[str]] = []

    def start(self, source: str, *, name: str = "program.py", **environ: str) -> subprocess.Popen[str]:
        path = self.directory / name
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        return self.run_command([sys.executable, str(path)], **environ)

    def run_command(self, command: list[str], **environ: str) -> subprocess.Popen[str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PILOTHOUSE_")}
        process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            cwd=self.directory,
            env=clean | environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # so that its children can be ended with it
        )
        self.running.append(process)
        return process

    def finish(self, process: subprocess.Popen[str], timeout_s: float = 20) -> tuple[int, str, str]:
        out, err = process.communicate(timeout=timeout_s)
        return process.returncode, out, err

    def end_all(self) -> None:
        for process in self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate(timeout=10)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    runner = Program(tmp_path)
    yield runner
    runner.end_all()
