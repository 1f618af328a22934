"""A real control plane for the suite to judge, in a process of its own, with what breaks, mends and restarts it."""

import contextlib
import os
import shlex
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PASSWORD = "correct horse battery staple"
SETTINGS = {
    "PILOTHOUSE_OFFLINE_AFTER_S": "3",
    "PILOTHOUSE_ADMIN_PASSWORD": PASSWORD,
    "PILOTHOUSE_RETRY_WAITS_S": "0,0,1,2,3,4",
    "PILOTHOUSE_WRITE_DEADLINE_S": "15",
}
START_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Server:
    """A control plane on fixed ports, so that it can come back to them."""

    folder: Path
    settings: dict[str, str] = field(default_factory=lambda: dict(SETTINGS))
    runtime_port: int = field(default_factory=free_port)
    console_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def url(self) -> str:
        return f"https://localhost:{self.runtime_port}"

    @property
    def console(self) -> str:
        return f"https://localhost:{self.console_port}"

    @property
    def certificate(self) -> Path:
        return self.home / "tls" / "certificate.pem"

    def start(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PILOTHOUSE_")}
        ports = ["--runtime-port", str(self.runtime_port), "--console-port", str(self.console_port)]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "pilothouse", "serve", "--home", str(self.home), *ports],
                cwd=self.folder,
                env={**kept, **self.settings},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until_s = time.monotonic() + START_S
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "server.log").read_text()
            assert time.monotonic() < until_s, "the control plane did not start in time"
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.console_port), 1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)


def command(*arguments: object) -> str:
    """This file as a command: `rename DATABASE FROM TO`, `ask SOCKET`."""
    return shlex.join([sys.executable, __file__, *map(str, arguments)])


@contextlib.contextmanager
def restartable(server: Server) -> Iterator[str]:
    """Restart a server whenever somebody comes to a socket; gives the command that does."""
    path = server.folder / "restart.socket"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    asking, _ = listening.accept()
                    with asking:
                        server.stop()
                        server.start()
                        asking.sendall(b"done")

        threading.Thread(target=serve, daemon=True).start()
        yield command("ask", path)


@contextlib.contextmanager
def without_tls(server: Server) -> Iterator[str]:
    """Listen without TLS and pass every byte on to the server's port for runtimes, as a TLS sidecar of a runtime does."""
    context = ssl.create_default_context(cafile=str(server.certificate))
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def carry(source: socket.socket, target: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(65_536):
                    target.sendall(data)
            for one in (source, target):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    plain, _ = listening.accept()
                    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    there = socket.create_connection(("127.0.0.1", server.runtime_port))
                    secured = context.wrap_socket(there, server_hostname="localhost")
                    for pair in ((plain, secured), (secured, plain)):
                        threading.Thread(target=carry, args=pair, daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def rename(database: str, old: str, new: str) -> None:
    """Rename a table under a running server, leaving all that refers to it as it is."""
    with contextlib.closing(sqlite3.connect(database, timeout=20, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("PRAGMA legacy_alter_table=ON")
        connection.execute(f"ALTER TABLE {old} RENAME TO {new}")


def ask(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(path)
        assert asking.recv(10) == b"done"


if __name__ == "__main__":
    {"rename": rename, "ask": ask}[sys.argv[1]](*sys.argv[2:])
