"""The command line against what really runs: a program that is seen, steered, restarted and removed from a terminal."""

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from stage import PASSWORD, ControlPlane, Program, serve, until
from steps import configure
from terminal import Terminal, signed_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

INTERRUPTED = 130
HERE = ("-p", "shop", "-i", "orders", "-e", "dev")
PROGRAM = """\
import logging
import os
import pathlib

import pilothouse_bridge.auto
import uvicorn
from apscheduler.schedulers.background import BackgroundScheduler
from fastapi import FastAPI

logging.getLogger("orders.http").setLevel(logging.WARNING)
app = FastAPI(title="Orders")


@app.get("/orders")
async def orders() -> list[str]:
    return []


def nightly() -> None:
    with pathlib.Path("nightly.txt").open("a") as file:
        file.write("ran\\n")


scheduler = BackgroundScheduler()
scheduler.add_job(nightly, "cron", year=2999, id="nightly")
scheduler.start()
uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]))
"""
SUPERVISED = 'while :; do "$0" program.py; test $? = 75 || exit; done'
"""As a supervisor does it: started again when it ends with the status of a restart, and only then."""


@dataclass
class Orders:
    """The program under its supervisor."""

    program: Program
    port: int
    folder: Path
    name: str

    @property
    def is_open(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def signal(self, number: int) -> None:
        """Send a signal to the program and to what starts it again."""
        os.killpg(self.program.process.pid, number)


@pytest.fixture(scope="module")
def plane(start: Callable[..., Program], tmp_path_factory: pytest.TempPathFactory) -> ControlPlane:
    """One that tries a command once: a failure is told at once."""
    home = tmp_path_factory.mktemp("command-line") / "home"
    return serve(
        start, home, PILOTHOUSE_OFFLINE_AFTER_S="8", PILOTHOUSE_COMMAND_ATTEMPTS="1", PILOTHOUSE_ADMIN_PASSWORD=PASSWORD
    )


@pytest.fixture(scope="module")
def terminal(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    return signed_in(plane, tmp_path_factory.mktemp("terminal"))


@pytest.fixture
def orders(
    terminal: Terminal, plane: ControlPlane, start: Callable[..., Program], free_port: Callable[[], int], tmp_path: Path
) -> Iterator[Orders]:
    """A program of its own for each story, with a secret from the command line, seen RUNNING with its listener."""
    port = free_port()
    name = f"orders-{port}"
    made = terminal("secrets", "generate", "-e", "dev", "-o", "json").json()
    configure(
        tmp_path, made["configToml"], plane.runtime_url,
        project="shop", integration="orders", unique_runtime_name=name,
    )  # fmt: skip
    with (tmp_path / "Config.toml").open("a") as config:
        config.write('restart = "exit"\n')
    (tmp_path / "program.py").write_text(PROGRAM)
    program = start(["sh", "-c", SUPERVISED, sys.executable], cwd=tmp_path, PORT=str(port))
    running = Orders(program, port, tmp_path, name)
    until(lambda: running.is_open, why=lambda: program.output)
    until(lambda: listener_of(terminal, running) == "ENABLED", 30, lambda: program.output)
    yield running
    with contextlib.suppress(ProcessLookupError):
        running.signal(signal.SIGKILL)
    program.process.wait(10)
    terminal("runtimes", "remove", name, "--yes")


def listener_of(terminal: Terminal, orders: Orders) -> str | None:
    told = terminal("artifacts", "list", "--runtime", orders.name, "--kind", "LISTENER", "-o", "json")
    found = json.loads(told.out) if told.status == 0 else []
    return next((each["state"] for each in found if each["name"] == f"http-{orders.port}"), None)


def process_of(terminal: Terminal, orders: Orders) -> str:
    return terminal("runtimes", "show", orders.name, "-o", "json").json()["node"]["processId"]


def level_of(terminal: Terminal, logger: str) -> list[str]:
    rows = terminal("log-level", "list", *HERE, "--search", logger, "-o", "json").json()
    return [value["value"] for row in rows for aspect in row["aspects"] for value in aspect["observed"]]


def changes(watching: Program) -> list[dict]:
    return [json.loads(line) for line in list(watching.lines) if line.startswith("{")]


def test_a_listener_is_stopped_started_and_a_start_that_fails_is_tried_again(
    terminal: Terminal, orders: Orders
) -> None:
    assert orders.name in terminal("runtimes", "list", *HERE, "--status", "running").out
    listener = f"http-{orders.port}"

    stopped = terminal("listeners", "stop", listener, *HERE)
    assert (stopped.status, stopped.out) == (0, "Confirmed by 1 of 1 runtime.\n"), stopped
    assert stopped.err.splitlines()[-1] == f"{orders.name}: confirmed: The runtime reports disabled."
    assert not orders.is_open
    assert orders.program.process.poll() is None

    # the port is taken: the start fails, for the reason that the runtime tells
    with socket.socket() as taken:
        # Connections that the program closed as it stopped hold the port for a minute from who does not say this.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", orders.port))
        taken.listen()
        failed = terminal("listeners", "start", listener, *HERE)
    assert failed.status == 1, failed
    assert f"{orders.name}: failed: Port {orders.port} is taken by another program. (PORT_IN_USE)" in failed.err
    lost = terminal("commands", "list", "--runtime", orders.name, "--state", "failed", "-q").out.split()
    assert len(lost) == 1
    retried = terminal("commands", "retry", lost[0])
    assert (retried.status, retried.out) == (0, "Confirmed by 1 of 1 runtime.\n"), retried
    assert orders.is_open

    assert terminal("listeners", "stop", "http-none", *HERE).status == 5


def test_a_level_is_set_and_seen_and_a_schedule_is_run_and_paused(terminal: Terminal, orders: Orders) -> None:
    assert level_of(terminal, "orders.http") == ["WARN"]
    (command,) = terminal("log-level", "set", "orders.http", "debug", *HERE, "-o", "json").json()
    assert (command["state"], command["runtime"]["name"]) == ("CONFIRMED", orders.name)
    assert level_of(terminal, "orders.http") == ["DEBUG"]
    assert terminal("log-level", "reset", "orders.http", *HERE).status == 0
    until(lambda: level_of(terminal, "orders.http") == ["WARN"])

    assert terminal("schedules", "stop", "nightly", *HERE).status == 0
    assert terminal("schedules", "start", "nightly", *HERE).status == 0
    assert not (orders.folder / "nightly.txt").exists()
    assert terminal("trigger", "nightly", "--runtime", orders.name).status == 0
    until((orders.folder / "nightly.txt").exists)


def test_a_program_is_restarted_and_removed_while_others_watch(
    terminal: Terminal, orders: Orders, start: Callable[..., Program]
) -> None:
    watching = terminal.begin(start, "watch", *HERE, "--output", "json")
    following = terminal.begin(start, "events", "list", "--follow", "-o", "json", "-p", "shop")
    before = process_of(terminal, orders)
    # both streams are open once they tell of a command and of what happened
    until(
        lambda: terminal("log-level", "set", "root", "info", *HERE).status == 0 and changes(watching), 30,
        lambda: watching.output,
    )  # fmt: skip

    restarted = terminal("runtimes", "restart", orders.name)

    assert (restarted.status, restarted.out) == (0, "Confirmed by 1 of 1 runtime.\n"), restarted
    assert process_of(terminal, orders) != before
    until(
        lambda: {"RESTART"} <= {each["command"]["action"] for each in changes(watching) if each["command"]}, 20,
        lambda: watching.output,
    )  # fmt: skip
    states = [
        each["command"]["state"] for each in changes(watching) if (each["command"] or {}).get("action") == "RESTART"
    ]
    assert states[-1] == "CONFIRMED"
    assert {each["runtime"]["name"] for each in changes(watching) if each["runtime"]} == {orders.name}

    orders.signal(signal.SIGKILL)
    until(lambda: "OFFLINE" in terminal("runtimes", "list", *HERE).out)
    removed = terminal("runtimes", "remove", orders.name, "--yes", "--revoke-secret", "-o", "json").json()
    assert (removed["deleted"], removed["secretRevoked"]) == (True, True)
    assert terminal("runtimes", "show", orders.name).status == 5
    until(lambda: "runtime.offline" in {each["kind"] for each in changes(following)}, 20, lambda: following.output)
    for stream in (watching, following):
        assert stream.stop(signal.SIGINT) == INTERRUPTED
        assert "Traceback" not in stream.output


def test_what_cannot_be_done_is_told_with_its_reason_and_never_called_done(
    terminal: Terminal, orders: Orders, start: Callable[..., Program]
) -> None:
    listener = f"http-{orders.port}"
    orders.signal(signal.SIGSTOP)  # it hangs: the command is on its way and nobody answers

    waiting = terminal.begin(start, "listeners", "stop", listener, *HERE)
    waiting.wait_for(f"{orders.name}: (queued|delivered)")
    assert waiting.stop(signal.SIGINT) == INTERRUPTED
    assert "Waiting was interrupted, 1 command of 1 not ended: that goes on without you." in waiting.output
    assert "Traceback" not in waiting.output

    # asked again it is still not done: the time is over, or its silence was noticed meanwhile, or before
    hung = terminal("listeners", "stop", listener, *HERE, "--timeout", "1")
    assert hung.status in {1, 8}, hung
    assert "went offline" in hung.err or "not ended within 1 s" in hung.err or "no runtime is running" in hung.err
    assert "Confirmed" not in hung.out

    # it is killed: the wish is kept, and nobody confirmed it
    orders.signal(signal.SIGKILL)
    until(lambda: "OFFLINE" in terminal("runtimes", "list", *HERE).out)
    killed = terminal("listeners", "stop", listener, *HERE)
    assert (killed.status, killed.out) == (1, ""), killed
    assert f"{orders.name}: expired: The runtime went offline before the outcome was known." in killed.err
    wished = terminal("log-level", "set", "orders.http", "error", *HERE)
    assert (wished.status, wished.out) == (8, ""), wished
    assert "Nobody confirmed it: no runtime is running now, 1 runtime will follow when back. (TIMED_OUT)" in wished.err
    assert terminal("runtimes", "restart", orders.name).status == 6
    assert terminal("log-level", "reset", "orders.http", *HERE).status in {
        0,
        8,
    }  # the next story's program is of this integration, too


def test_a_stream_that_cannot_be_opened_at_all_is_told_at_once(
    terminal: Terminal, start: Callable[..., Program]
) -> None:
    watching = terminal.begin(
        start, "watch", "--output", "json", PILOTHOUSE_URL="https://127.0.0.1:1", PILOTHOUSE_TOKEN="pht_x"
    )
    assert watching.process.wait(30) == 7
    watching.read_to_the_end()
    assert "(UNREACHABLE)" in watching.output


def test_a_stream_goes_on_where_it_was_when_the_control_plane_comes_back(
    start: Callable[..., Program], tmp_path: Path
) -> None:
    environment = {"PILOTHOUSE_ADMIN_PASSWORD": PASSWORD}
    first = serve(start, tmp_path / "home", **environment)
    (tmp_path / "terminal").mkdir()
    terminal = signed_in(first, tmp_path / "terminal")
    following = terminal.begin(start, "events", "list", "--follow", "--kind", "project.", "--output", "json")

    def made() -> list[str]:
        return [each["message"] for each in changes(following)]

    number = iter(range(100))
    until(lambda: terminal("projects", "create", f"Before {next(number)}").status == 0 and made(), 30)
    seen = len(made())
    assert first.program.stop() == 0
    following.wait_for("Trying again")
    port = first.console_url.rpartition(":")[2]
    again = start(
        [sys.executable, "-m", "pilothouse", "serve", "--runtime-port", "0", "--console-port", port],
        cwd=tmp_path, PILOTHOUSE_HOME=str(tmp_path / "home"), **environment,
    )  # fmt: skip
    again.wait_for("Pilothouse is ready")
    assert terminal("projects", "create", "After").status == 0  # told of, whether the stream is open again or not yet
    until(lambda: "The project after was created." in made()[seen:], 30, lambda: following.output)
    assert following.stop(signal.SIGINT) == INTERRUPTED
    assert again.stop() == 0
