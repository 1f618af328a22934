"""A control plane as its own process on a database server: the first hour, and what it says before and after."""

import http.client
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from database_servers import ESCAPED, PASSWORD, running
from driver import TIMEOUT_S, TLS, Person, Sender
from stage import Program, until

ADMINISTRATOR = "correct horse battery staple"
SEEN = """{ runtimes { nodes { name status runtimeId listeners { nodes { name state } } } } }"""


class Machine:
    """A machine with Pilothouse on it, whose settings name a database elsewhere."""

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        self.environment = {name: text for name, text in os.environ.items() if not name.startswith("PILOTHOUSE_")} | {
            "PILOTHOUSE_HOME": str(home),
            "PILOTHOUSE_DATABASE_URL": url,
            "PILOTHOUSE_ADMIN_PASSWORD": ADMINISTRATOR,
            "PILOTHOUSE_CONSOLE_TLS": "off",
            "PILOTHOUSE_TELEMETRY_STORE": "memory",
            "PILOTHOUSE_RUNTIME_PORT": "0",
            "PILOTHOUSE_CONSOLE_PORT": "0",
        }
        self.said = ""

    def run(self, *words: str) -> tuple[int, str]:
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "pilothouse", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        told = re.sub(r"\s+", " ", done.stdout + done.stderr)
        self.said += told
        return done.returncode, told

    @contextmanager
    def serving(self) -> Iterator[tuple[int, int]]:
        process = subprocess.Popen(
            [sys.executable, "-m", "pilothouse", "serve"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        program = Program(process)
        try:
            console = urlsplit(program.wait_for(r"Console +(http://\S+)", within_s=120)[1]).port
            runtimes = urlsplit(program.wait_for(r"Runtimes +(https://\S+)", within_s=120)[1]).port
            assert console
            assert runtimes
            yield runtimes, console
        finally:
            code = program.stop(within_s=60)
            self.said += program.output
            if process.stdout is not None:
                process.stdout.close()
        assert code == 0, program.output


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=pytest.mark.xdist_group(kind)) for kind in ("postgresql", "mariadb")],
)
@pytest.mark.slow
def test_the_first_hour_on_a_database_server(kind: str, tmp_path: Path) -> None:
    database = running(kind).blank()
    machine = Machine(tmp_path / "home", database.url)

    code, told = machine.run("serve")
    assert code != 0
    assert "The database has no schema yet" in told
    assert "pilothouse db upgrade" in told
    code, told = machine.run("db", "status")
    assert (code, "pending: 0001" in told) == (1, True)
    code, told = machine.run("db", "upgrade")
    assert code == 0, told
    assert "its schema is" in told
    code, told = machine.run("db", "upgrade")
    assert (code, "nothing to do" in told) == (0, True)
    assert machine.run("db", "status")[0] == 0

    person, sender = Person(ADMINISTRATOR), Sender("r-1", "")
    with machine.serving() as (runtimes, console):
        person.sign_in(console)
        sender.secret = person.secret(console)
        with closing(asking(console)) as desk, closing(line_to(runtimes)) as line:
            sender.beat(line)
            assert sender.acknowledged == 1
            assert seen(person, desk) == [("RUNNING", "ENABLED")]
            person.wish(desk, "DISABLED")
            assert person.wish_acknowledged == 1
            until(lambda: has_stopped(sender, line), 30)
            sender.beat(line)
            assert seen(person, desk) == [("RUNNING", "DISABLED")]
    assert len(sender.received) == 1
    assert sender.results_taken == sender.received

    with machine.serving() as (runtimes, console):  # another life knows what the last one did
        with closing(asking(console)) as desk, closing(line_to(runtimes)) as line:
            person.sign_in(console)
            sender.beat(line)
            assert seen(person, desk) == [("RUNNING", "DISABLED")]
        code, told = machine.run("audit", "verify")
        assert (code, "intact" in told) == (0, True)
    assert PASSWORD not in machine.said
    assert ESCAPED not in machine.said


def has_stopped(sender: Sender, line: http.client.HTTPConnection) -> bool:
    sender.beat(line)
    return sender.state == "disabled"


def seen(person: Person, desk: http.client.HTTPConnection) -> list[tuple[str, Any]]:
    nodes = person.ask(desk, SEEN)["runtimes"]["nodes"]
    return [(node["status"], node["listeners"]["nodes"][0]["state"]) for node in nodes]


def asking(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)


def line_to(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT_S, context=TLS)
