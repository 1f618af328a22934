"""The control plane that a fleet talks to: started here or given, and what its API says."""

import asyncio
import contextlib
import http.client
import json
import os
import re
import secrets
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import psutil

START_WITHIN_S: Final = 60.0
_COUNTING = Path(__file__).parent.parent / "counting_server.py"


@dataclass
class Plane:
    """A control plane that runs."""

    runtime_url: str
    console_url: str
    password: str
    home: Path | None = None
    """None: it is not ours."""
    process: psutil.Process | None = None
    counts: Path | None = None

    def sql_statements(self) -> int:
        """Count the SQL statements so far."""
        return struct.unpack("=q", self.counts.read_bytes()[:8])[0] if self.counts else 0

    def cpu_s(self) -> float:
        """Tell the CPU time used so far."""
        return sum(self.process.cpu_times()[:2]) if self.process else 0.0

    def rss_mb(self) -> float:
        """Tell the resident memory."""
        return self.process.memory_info().rss / 2**20 if self.process else 0.0

    def database_mb(self) -> tuple[float, float]:
        """Tell the size of the database, and of its log of writes."""
        if self.home is None:
            return 0.0, 0.0
        sizes = [self.home / name for name in ("pilothouse.db", "pilothouse.db-wal")]
        first, second = (path.stat().st_size / 2**20 if path.exists() else 0.0 for path in sizes)
        return first, second


@contextlib.contextmanager
def own_plane(home: Path | None = None, *, core: int | None = None, log: Path | None = None) -> Iterator[Plane]:
    """Start a control plane on free ports, in a temporary home unless one is given; end it afterwards."""
    with contextlib.ExitStack() as stack:
        if home is None:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fleet-"))) / "home"
        home.parent.mkdir(parents=True, exist_ok=True)
        yield stack.enter_context(_started(home, core, log))


@contextlib.contextmanager
def _started(home: Path, core: int | None, log: Path | None) -> Iterator[Plane]:
    password_file = home.parent / f"{home.name}.password"
    if not password_file.exists():
        password_file.write_text(secrets.token_urlsafe(18))
    password, counts = password_file.read_text(), home.parent / f"{home.name}.counts"
    errors = (log or home.parent / f"{home.name}.log").open("ab")
    process = subprocess.Popen(
        [sys.executable, str(_COUNTING), str(counts), "serve", "--runtime-port", "0", "--console-port", "0", "--http-loopback"],
        stdout=subprocess.PIPE, stderr=errors, text=True, cwd=home.parent,
        env={**os.environ, "PILOTHOUSE_HOME": str(home), "PILOTHOUSE_ADMIN_PASSWORD": password,
             "PILOTHOUSE_HOST": "127.0.0.1", "PILOTHOUSE_LOG_LEVEL": "WARNING"},
    )  # fmt: skip
    if core is not None:
        os.sched_setaffinity(process.pid, {core})  # it has one thread yet; those to come inherit it
    try:
        said = _read_urls(process)
        yield Plane(said["Runtimes"], said["Console"], password, home, psutil.Process(process.pid), counts)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()
        errors.close()


def _read_urls(process: "subprocess.Popen[str]") -> dict[str, str]:
    """Wait until it says where it listens; read on, so that it never waits for us."""
    assert process.stdout
    urls: dict[str, str] = {}
    is_known = threading.Event()

    def read() -> None:
        for line in process.stdout or ():
            found = re.match(r"\s+(Console|Runtimes) +(https?://\S+)", line)
            if found:
                urls[found[1]] = found[2]
            if len(urls) == 2:
                is_known.set()
        is_known.set()

    threading.Thread(target=read, daemon=True).start()
    is_known.wait(START_WITHIN_S)
    if len(urls) != 2:
        raise RuntimeError("The control plane did not start; its log lies beside its home.")
    return urls


@dataclass
class Api:
    """The API as an administrator uses it; calls block, one at a time."""

    url: str
    username: str
    password: str
    _cookie: str = ""
    _connection: http.client.HTTPConnection | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    slowest_s: float = 0.0

    def sign_in(self) -> None:
        """Get a session."""
        response, _ = self._post("/auth/sign-in", {"username": self.username, "password": self.password})
        if response.status != 200:
            raise RuntimeError(f"Signing in was answered {response.status}.")
        self._cookie = (response.getheader("set-cookie") or "").partition(";")[0]

    def ask(self, query: str, **variables: object) -> dict[str, Any]:  # Any: JSON
        """Ask GraphQL.

        Raises: RuntimeError with what it says
        """
        with self._lock:
            began = time.perf_counter()
            response, body = self._post("/graphql", {"query": query, "variables": variables})
            if response.status == 401:  # its access token lives a quarter of an hour
                self.sign_in()
                response, body = self._post("/graphql", {"query": query, "variables": variables})
            self.slowest_s = max(self.slowest_s, time.perf_counter() - began)
        document = json.loads(body) if body else {}
        if response.status != 200 or document.get("errors"):
            raise RuntimeError(f"GraphQL answered {response.status}: {str(document)[:300]}")
        return document["data"]

    async def ask_soon(self, query: str, **variables: object) -> dict[str, Any]:  # Any: JSON
        """Ask without holding up the loop."""
        return await asyncio.to_thread(self.ask, query, **variables)

    def generate_secret(self, environment: str) -> str:
        """Make a secret that its first heartbeat binds."""
        made = self.ask(
            "mutation ($input: GenerateSecretInput!) { generateSecret(input: $input) { secret } }",
            input={"environment": environment},
        )
        return made["generateSecret"]["secret"]

    def _post(self, path: str, members: object) -> tuple[http.client.HTTPResponse, bytes]:
        body = json.dumps(members)
        for attempt in (1, 2):
            try:
                if self._connection is None:
                    self._connection = self._connect()
                headers = {"content-type": "application/json", "cookie": self._cookie}
                self._connection.request("POST", path, body, headers)
                response = self._connection.getresponse()
                return response, response.read()
            except (OSError, http.client.HTTPException):
                self._connection = None
                if attempt == 2:
                    raise
        raise AssertionError

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=60, context=context)
