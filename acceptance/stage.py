"""What the stories are told with: programs, control planes, waiting."""

import contextlib
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

T = TypeVar("T")
TREE = Path(__file__).parent.parent
PASSWORD = "correct horse battery staple"


@dataclass
class Program:
    """A process that a test started, with everything that it printed."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(line.rstrip("\n") for line in iter(self.process.stdout.readline, ""))

    def _read_all(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, pattern: str, within_s: float = 30) -> re.Match[str]:
        """Wait until something was printed."""
        found = until(
            lambda: re.search(pattern, self._read_all()) or self.process.poll() is not None,
            within_s,
            lambda: f"'{pattern}' was not printed:\n{self._read_all()}",
        )
        match = re.search(pattern, self._read_all())
        assert match, f"it ended with {self.process.returncode} before it printed '{pattern}':\n{self._read_all()}"
        assert found
        return match

    def stop(self, number: int = signal.SIGTERM, within_s: float = 20) -> int:
        """Send a signal and wait for the end."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(within_s)
        self._reader.join(5)
        return code

    def read_to_the_end(self) -> None:
        """Wait until everything that it printed has been read."""
        self._reader.join(5)

    @property
    def output(self) -> str:
        """Everything that it printed."""
        return self._read_all()


def until(question: Callable[[], T], within_s: float = 20, why: Callable[[], str] = lambda: "") -> T:
    """Ask until the answer is true."""
    end = time.monotonic() + within_s
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(why() or "it did not become true in time")
        time.sleep(0.05)


@dataclass
class ControlPlane:
    """A control plane that runs."""

    program: Program
    home: Path
    console_url: str
    runtime_url: str


def serve(start: Callable[..., Program], home: Path, **environment: str) -> ControlPlane:
    """Start a control plane on free ports."""
    program = start(
        [sys.executable, "-m", "pilothouse", "serve", "--runtime-port", "0", "--console-port", "0"],
        cwd=home.parent,
        PILOTHOUSE_HOME=str(home),
        **environment,
    )
    console_url = program.wait_for(r"Console +(https?://\S+)")[1]
    runtime_url = program.wait_for(r"Runtimes +(https://\S+)")[1]
    return ControlPlane(program, home, console_url, runtime_url)


def chromium() -> str | None:
    """Find the system's Chromium."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for path in map(shutil.which, names) if path), None)


def trusted(plane: ControlPlane) -> ssl.SSLContext:
    """Trust the certificate that the control plane made."""
    return ssl.create_default_context(cafile=str(plane.home / "tls" / "certificate.pem"))


def ask(console: httpx.Client, query: str, **variables: Any) -> dict[str, Any]:
    """Ask as somebody who is signed in; it must succeed."""
    answer = console.post("/graphql", json={"query": query, "variables": variables}).json()
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


@contextlib.contextmanager
def console_of(plane: ControlPlane) -> Iterator[httpx.Client]:
    """The administrator, signed in."""
    with httpx.Client(base_url=plane.console_url, verify=trusted(plane), trust_env=False, timeout=30) as console:
        assert console.post("/auth/sign-in", json={"username": "admin", "password": PASSWORD}).status_code == 200
        yield console
