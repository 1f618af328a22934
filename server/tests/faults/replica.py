"""A replica: `pilothouse serve` as a process of its own on a database server, that can be killed and started again."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from database_servers import ends_with_us, free_port
from driver import TIMEOUT_S
from stage import Program

ADMINISTRATOR = "correct horse battery staple"
START_MAX_S = 120.0


class Replica:
    """A machine with Pilothouse on it. Its ports stay the same over its lives."""

    def __init__(
        self, home: Path, url: str = "", *, within: Sequence[str] = (), host: str = "127.0.0.1", **more: str
    ) -> None:
        self.home, self.host, self.within = home, host, tuple(within)
        self.runtimes, self.console = free_port(), free_port()
        self.environment = {name: text for name, text in os.environ.items() if not name.startswith("PILOTHOUSE_")} | {
            "PILOTHOUSE_HOME": str(home),
            "PILOTHOUSE_ADMIN_PASSWORD": ADMINISTRATOR,
            "PILOTHOUSE_CONSOLE_TLS": "off",
            "PILOTHOUSE_TELEMETRY_STORE": "memory",
            "PILOTHOUSE_RUNTIME_PORT": str(self.runtimes),
            "PILOTHOUSE_CONSOLE_PORT": str(self.console),
            **({"PILOTHOUSE_DATABASE_URL": url} if url else {}),
            **more,
        }
        self.program: Program | None = None
        self.program_words: tuple[str, ...] = ("-m", "pilothouse")
        """What Python is told to run."""
        self.said = ""

    def run(self, *words: str) -> tuple[int, str]:
        """Run a command on this machine; its exit code and all that it said."""
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "pilothouse", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, re.sub(r"\s+", " ", done.stdout + done.stderr)

    def start(self) -> None:
        """Start, and wait until it takes requests."""
        process = subprocess.Popen(  # noqa: S603 - our own program
            [*ends_with_us(signal.SIGKILL), *self.within, sys.executable, *self.program_words, "serve"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.program = Program(process)
        self.program.wait_for(r"Console +(http://\S+)", within_s=START_MAX_S)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end."""
        if self.program is None:
            return 0
        program, self.program = self.program, None
        code = program.stop(number, within_s=90)
        self.said += program.output
        if program.process.stdout is not None:
            program.process.stdout.close()
        return code

    def get(self, path: str, within_s: float = TIMEOUT_S) -> tuple[int, Any]:
        """Ask the console's port for what anybody may know."""
        line = http.client.HTTPConnection(self.host, self.console, timeout=within_s)
        try:
            line.request("GET", path)
            answer = line.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            line.close()

    def not_ready(self) -> dict[str, Any]:
        """Tell which parts are not ready, as `/readyz` has it."""
        status, told = self.get("/readyz")
        found = {name: part for name, part in told["parts"].items() if not part["ready"]}
        assert status == (503 if found else 200), told
        return found


@contextmanager
def running_on(*replicas: Replica) -> Iterator[None]:
    """Have replicas run on a database with nothing in it, and stop in good order at the end."""
    if "PILOTHOUSE_DATABASE_URL" in replicas[0].environment:  # the embedded one is migrated by the start
        code, told = replicas[0].run("db", "upgrade")
        assert code == 0, told
    try:
        for replica in replicas:
            replica.start()
        yield
    except BaseException as error:
        for replica in replicas:
            if replica.program is not None:
                error.add_note(f"{replica.home.name} said:\n{replica.program.output[-6000:]}")
        for replica in replicas:
            replica.end(signal.SIGKILL)
        raise
    codes = [replica.end() for replica in replicas]
    assert codes == [0] * len(replicas), "\n".join(replica.said[-3000:] for replica in replicas)
    for replica in replicas:
        assert "leaked" not in replica.said, "a stop in good order ends without a word of libraries"


def wait_until_ready(replica: Replica, within_s: float = 60.0) -> float:
    """Wait until every part is ready again; how long that took. Nobody helps."""
    began = time.monotonic()
    while replica.not_ready():
        assert time.monotonic() - began < within_s, replica.not_ready()
        time.sleep(0.1)
    return time.monotonic() - began
