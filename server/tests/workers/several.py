"""Real workers: `pilothouse serve --workers` as its own process on a real PostgreSQL."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from database_servers import ends_with_us
from pilothouse.base.place import Database
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from stage import Program, until

ADMINISTRATOR = "correct horse battery staple"
PATIENCE_S = 120


@dataclass
class Machine:
    """A machine with several workers that serve."""

    program: Program
    runtimes: int
    """The port for runtimes."""
    console: int

    @property
    def parent(self) -> int:
        return self.program.process.pid

    @property
    def workers(self) -> dict[int, int]:
        """The processes of the workers by their numbers."""
        found: dict[int, int] = {}
        for process in psutil.Process(self.parent).children():
            with suppress(psutil.Error):
                if match := re.search(r"workers\.worker (\d+) ", " ".join(process.cmdline())):
                    found[int(match[1])] = process.pid
        return found

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Ask over a connection of its own."""
        line = http.client.HTTPConnection("127.0.0.1", self.console, timeout=20)
        try:
            line.request("GET", path, headers=headers)
            answer = line.getresponse()
            return answer.status, answer.read()
        finally:
            line.close()

    def figures(self) -> dict[str, Metric]:
        status, text = self.get("/metrics")
        assert status == 200
        return {family.name: family for family in text_string_to_metric_families(text.decode())}

    def part(self, name: str) -> dict[str, Any]:
        return json.loads(self.get("/readyz")[1])["parts"][name]

    def wait_until_all_serve(self) -> None:
        until(lambda: self.part("workers")["state"] == "ready", PATIENCE_S, lambda: str(self.part("workers")))

    def stop(self, number: int = signal.SIGTERM) -> int:
        return self.program.stop(number, within_s=60)


def environment_of(home: Path, database: Database, **more: str) -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith("PILOTHOUSE_")} | {
        "PILOTHOUSE_HOME": str(home),
        "PILOTHOUSE_DATABASE_URL": database.url,
        "PILOTHOUSE_ADMIN_PASSWORD": ADMINISTRATOR,
        "PILOTHOUSE_CONSOLE_TLS": "off",
        "PILOTHOUSE_RUNTIME_PORT": "0",
        "PILOTHOUSE_CONSOLE_PORT": "0",
        **more,
    }


def run(environment: dict[str, str], *words: str) -> tuple[int, str]:
    """Run a command to its end; gives its status and all that it said, in one line."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "pilothouse", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, re.sub(r"\s+", " ", done.stdout + done.stderr)


@contextmanager
def serving(
    environment: dict[str, str], *words: str, program: tuple[str, ...] = ("-m", "pilothouse")
) -> Iterator[Machine]:
    """Serve until the end of the block; then nothing of it runs any more."""
    process = subprocess.Popen(  # noqa: S603 - our own program
        [*ends_with_us(signal.SIGKILL), sys.executable, *program, *words],  # and its workers with it
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Program(process)
    try:
        console = urlsplit(running.wait_for(r"Console +(http://\S+)", within_s=PATIENCE_S)[1]).port
        runtimes = urlsplit(running.wait_for(r"Runtimes +(https://\S+)", within_s=PATIENCE_S)[1]).port
        assert console
        assert runtimes
        yield Machine(running, runtimes, console)
    finally:
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        running.stop(signal.SIGTERM, within_s=60)
        for child in children:
            with suppress(psutil.Error):
                child.kill()
        if process.stdout is not None:
            process.stdout.close()
