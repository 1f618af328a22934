"""Several workers on one machine are one control plane; one of them may die at any moment."""

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from driver import TIMEOUT_S, TLS, Person, Sender
from pilothouse.app.workers.seat import how_it_ended
from pilothouse.base.place import Database
from several import ADMINISTRATOR, PATIENCE_S, Machine, environment_of, run, serving
from stage import until

pytestmark = [pytest.mark.xdist_group("postgresql"), pytest.mark.xdist_group("workers")]

SEEN = """{ runtimes { nodes { name status runtimeId listeners { nodes { name state } } } } }"""
TAIL = "subscription { logTailed { arrival lines { message } } }"
CHANGES = "subscription { eventHappened { sequence } }"


@contextmanager
def only(machine: Machine, number: int) -> Iterator[None]:
    """Let one worker alone accept: the others stand still meanwhile."""
    others = [process for worker, process in machine.workers.items() if worker != number]
    for process in others:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in others:
            os.kill(process, signal.SIGCONT)


def to_runtimes(machine: Machine, number: int) -> http.client.HTTPSConnection:
    """Connect to the runtimes' port of one worker."""
    line = http.client.HTTPSConnection("127.0.0.1", machine.runtimes, timeout=TIMEOUT_S, context=TLS)
    with only(machine, number):
        line.connect()
    return line


def to_console(machine: Machine, number: int) -> http.client.HTTPConnection:
    """Connect to the console's port of one worker; its answer to a first question tells that it has accepted."""
    line = http.client.HTTPConnection("127.0.0.1", machine.console, timeout=TIMEOUT_S)
    with only(machine, number):
        line.request("GET", "/healthz")
        line.getresponse().read()
    return line


def sample(machine: Machine, family: str, **labels: str) -> float | None:
    """Read one figure."""
    found = [one.value for one in machine.figures()[family].samples if labels.items() <= one.labels.items()]
    return found[0] if found else None


def send_logs(line: http.client.HTTPSConnection, sender: Sender, *messages: str) -> int:
    """Send lines by OpenTelemetry's protocol, as a runtime does; gives the status."""
    records = [{"timeUnixNano": str(time.time_ns()), "body": {"stringValue": message}} for message in messages]
    resource = {"attributes": [{"key": "service.instance.id", "value": {"stringValue": sender.runtime_id}}]}
    body = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]}
    key_id, _, material = sender.secret.partition(".")
    claims = {"iss": "icp-runtime-jwt-issuer", "aud": "icp-server", "scope": "runtime_agent"}
    token = jwt.encode(claims | {"exp": int(time.time()) + 3600}, material, "HS256", {"kid": key_id})
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    line.request("POST", "/v1/logs", json.dumps(body), headers)
    answer = line.getresponse()
    answer.read()
    return answer.status


def test_a_runtime_and_a_person_meet_through_any_worker(machine: Machine) -> None:
    person = Person(ADMINISTRATOR)
    person.sign_in(machine.console)
    with (
        closing(to_console(machine, 1)) as desk_1,
        closing(to_console(machine, 2)) as desk_2,
        closing(to_runtimes(machine, 1)) as line_1,
        closing(to_runtimes(machine, 2)) as line_2,
    ):
        made = person.ask(desk_1, 'mutation { generateSecret(input: {environment: "dev"}) { secret } }')
        sender = Sender("r-anywhere", made["generateSecret"]["secret"])
        for line in (line_2, line_1, line_2):
            sender.beat(line)
        assert sender.heard == 3

        def state_at(desk: http.client.HTTPConnection) -> Any:
            return [
                (node["status"], [one["state"] for one in node["listeners"]["nodes"]])
                for node in person.ask(desk, SEEN)["runtimes"]["nodes"]
                if node["runtimeId"] == "r-anywhere"
            ]

        for desk in (desk_1, desk_2):
            until(lambda desk=desk: state_at(desk) == [("RUNNING", ["ENABLED"])], 30, lambda: str(state_at(desk_1)))
        person.wish(desk_1, "DISABLED")
        assert person.wish_acknowledged == 1

        def has_stopped() -> bool:
            sender.beat(line_2)
            sender.beat(line_1)
            return sender.state == "disabled"

        until(has_stopped, 60)
        for desk in (desk_1, desk_2):
            until(lambda desk=desk: state_at(desk) == [("RUNNING", ["DISABLED"])], 30)
        assert len(sender.received) == 1, "the wish was carried out once"
        assert sender.results_taken == sender.received
        assert person.refused == []


def test_connections_go_to_every_worker(machine: Machine) -> None:
    lines = [http.client.HTTPConnection("127.0.0.1", machine.console, timeout=TIMEOUT_S) for _ in range(60)]
    try:
        for line in lines:
            line.request("GET", "/healthz")
        for line in lines:
            line.getresponse().read()
        taken = {
            number: sample(machine, "pilothouse_console_connections", worker=number) or 0.0 for number in ("1", "2")
        }
        assert min(taken.values()) > 0, taken
        assert sum(taken.values()) >= 60, taken
    finally:
        for line in lines:
            line.close()


def test_a_scrape_tells_the_figures_of_all_whichever_worker_it_reaches(machine: Machine) -> None:
    for number in (1, 2):
        with closing(to_console(machine, number)) as desk:
            desk.request("GET", "/metrics")
            text = desk.getresponse().read().decode()
        for worker in ("1", "2"):
            assert f'pilothouse_heartbeats_total{{kind="full",worker="{worker}"}}' in text
        for process in ("1", "2", "parent"):
            assert f'process_resident_memory_bytes{{worker="{process}"}}' in text
        assert 'pilothouse_workers{state="wanted",worker="parent"} 2.0' in text
        assert 'pilothouse_workers{state="serving",worker="parent"} 2.0' in text
        assert text.count("# TYPE pilothouse_heartbeats_total ") == 1


@pytest.mark.anyio
async def test_a_tail_shows_lines_and_a_subscription_changes_that_another_worker_took(machine: Machine) -> None:
    person = Person(ADMINISTRATOR)
    await asyncio.to_thread(person.sign_in, machine.console)
    secret = await asyncio.to_thread(person.secret, machine.console)
    sender = Sender("r-talks", secret, integration="talker")
    line = await asyncio.to_thread(to_runtimes, machine, 1)
    heard: list[dict[str, Any]] = []

    def came(id_: str, word: str) -> bool:
        return any(word in json.dumps(each) for each in heard if each.get("id") == id_ and each["type"] == "next")

    async with aiohttp.ClientSession() as session:
        with only(machine, 2):
            connection = await session.ws_connect(
                f"http://127.0.0.1:{machine.console}/graphql",
                protocols=("graphql-transport-ws",),
                headers={"Cookie": person.cookie},
            )
        async with connection:
            await connection.send_json({"type": "connection_init"})
            assert (await connection.receive_json(timeout=30))["type"] == "connection_ack"
            for id_, query in (("tail", TAIL), ("changes", CHANGES)):
                await connection.send_json({"type": "subscribe", "id": id_, "payload": {"query": query}})

            async def listen() -> None:
                while True:
                    heard.append(await connection.receive_json())

            listening = asyncio.create_task(listen())
            try:
                said = 0
                ends_at = time.monotonic() + PATIENCE_S
                while not (came("tail", "line ") and came("changes", "sequence")):
                    assert time.monotonic() < ends_at, heard
                    assert not [each for each in heard if each["type"] in ("error", "complete")], heard
                    said += 1
                    await asyncio.to_thread(sender.beat, line)
                    status = await asyncio.to_thread(send_logs, line, sender, f"line {said}")
                    assert status in (200, 503)
                    await asyncio.sleep(0.5)
            finally:
                listening.cancel()
    line.close()


def test_a_worker_that_is_killed_is_started_again_and_requests_go_on(empty_database: Database, tmp_path: Path) -> None:
    with serving(environment_of(tmp_path / "home", empty_database), "serve", "--workers", "2") as machine:
        machine.wait_until_all_serve()
        before = machine.workers
        person, sender = Person(ADMINISTRATOR), Sender("r-survives", "")
        person.sign_in(machine.console)
        sender.secret = person.secret(machine.console)
        with closing(to_runtimes(machine, 1)) as line:
            sender.beat(line)
            assert sender.heard == 1
            os.kill(before[2], signal.SIGKILL)
            until(lambda: machine.part("workers")["state"] == "degraded", 30)
            sender.beat(line)
            assert sender.heard == 2
            assert machine.get("/healthz")[0] == 200
            assert "1 of 2 workers serve" in machine.part("workers")["detail"]
            machine.wait_until_all_serve()
            after = machine.workers
            assert after[1] == before[1]
            assert after[2] != before[2]
            assert sample(machine, "pilothouse_worker_restarts", worker="parent") == 1
            (told,) = [each for each in machine.program.output.splitlines() if "worker.ended" in each]
            assert "killed by SIGKILL" in told
            assert "Somebody ended it at once" in told
            assert "It is started again in 0.2 s" in told
        with closing(to_runtimes(machine, 2)) as line:
            sender.beat(line)
        assert sender.heard == 3
        assert machine.stop() == 0


@pytest.mark.slow
def test_a_worker_that_hangs_is_ended_and_started_again(empty_database: Database, tmp_path: Path) -> None:
    environment = environment_of(tmp_path / "home", empty_database, PILOTHOUSE_WORKERS="2")
    with serving(environment, program=(str(Path(__file__).with_name("serve_impatiently.py")),)) as machine:
        machine.wait_until_all_serve()
        before = machine.workers
        os.kill(before[2], signal.SIGSTOP)
        until(lambda: machine.workers.get(2, before[2]) != before[2], PATIENCE_S)
        machine.wait_until_all_serve()
        assert machine.workers[1] == before[1]
        assert "It said nothing for 8 s." in machine.program.output


@pytest.mark.slow
def test_a_signal_ends_all_of_it(empty_database: Database, tmp_path: Path, is_gone: Callable[[int], bool]) -> None:
    with serving(environment_of(tmp_path / "home", empty_database), "serve", "--workers", "2") as machine:
        machine.wait_until_all_serve()
        processes = machine.workers.values()
        assert machine.stop(signal.SIGINT) == 0, machine.program.output
        assert all(is_gone(process) for process in processes)
        for port in (machine.console, machine.runtimes):
            with socket.socket() as asking:
                assert asking.connect_ex(("127.0.0.1", port)) != 0


SERVES_AND_WAITS = """
import sys
from pathlib import Path

sys.path[:0] = sys.argv[2:]
from pilothouse.app.workers.seat import how_it_ended
from pilothouse.base.place import Database
from several import environment_of, serving

with serving(environment_of(Path.cwd() / "home", Database(url=sys.argv[1])), "serve", "--workers", "2") as machine:
    machine.wait_until_all_serve()
    print(machine.parent, *machine.workers.values(), flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_that_a_test_serves_outlives_tests_that_are_ended(
    empty_database: Database, tmp_path: Path, is_gone: Callable[[int], bool], number: int
) -> None:
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", SERVES_AND_WAITS, empty_database.url, *sys.path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path,
    ) as tests:  # fmt: skip
        assert tests.stdout is not None
        processes = [int(word) for word in tests.stdout.readline().split()]
        assert len(processes) == 3
        tests.send_signal(number)
        tests.wait(PATIENCE_S)
    until(lambda: all(is_gone(process) for process in processes), 60)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (0, "status 0"),
        (3, "status 3"),
        (-9, "killed by SIGKILL"),
        (-11, "killed by SIGSEGV"),
        (-64, "killed by SIGRTMAX"),
    ],
)
def test_the_end_of_a_worker_is_told_by_its_status_or_its_signal(code: int, said: str) -> None:
    assert how_it_ended(code) == said


def test_a_signal_without_a_name_is_told_by_its_number() -> None:
    assert how_it_ended(-40) == "killed by signal 40"


@pytest.mark.slow
def test_no_worker_outlives_a_parent_that_was_killed(
    empty_database: Database, tmp_path: Path, is_gone: Callable[[int], bool]
) -> None:
    with serving(environment_of(tmp_path / "home", empty_database), "serve", "--workers", "2") as machine:
        machine.wait_until_all_serve()
        processes = list(machine.workers.values())
        os.kill(machine.parent, signal.SIGKILL)
        until(lambda: all(is_gone(process) for process in processes), 60)
    code, told = run(environment_of(tmp_path / "home", empty_database), "db", "status")
    assert code == 0, told


def test_two_homes_cannot_share_a_port(machine: Machine, empty_database: Database, tmp_path: Path) -> None:
    environment = environment_of(tmp_path / "other", empty_database, PILOTHOUSE_CONSOLE_PORT=str(machine.console))
    code, told = run(environment, "serve", "--workers", "2")
    assert code != 0
    assert "PORT_TAKEN" in told
    assert "PILOTHOUSE_CONSOLE_PORT" in told


def test_what_keeps_a_worker_from_starting_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    nobody = Database(url="postgresql://pilot:x@127.0.0.1:1/nothing")
    code, told = run(environment_of(tmp_path / "home", nobody, PILOTHOUSE_WORKERS="2"), "serve")
    assert code != 0
    assert "STORAGE_UNAVAILABLE" in told, told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"PILOTHOUSE_DATABASE_URL": ""}, "PILOTHOUSE_DATABASE_URL"),
        ({"PILOTHOUSE_TELEMETRY_STORE": "memory"}, "PILOTHOUSE_TELEMETRY_STORE"),
        ({"PILOTHOUSE_FOLLOW_EVENTS_S": "0"}, "PILOTHOUSE_FOLLOW_EVENTS_S"),
    ],
)
def test_what_several_cannot_share_is_refused_by_the_setting_that_mends_it(
    more: dict[str, str], named: str, tmp_path: Path
) -> None:
    nobody = Database(url="postgresql://pilot:x@127.0.0.1:1/nothing")
    code, told = run(environment_of(tmp_path / "home", nobody, **more), "serve", "--workers", "2")
    assert code != 0
    assert "ONE_PROCESS_ONLY" in told
    assert named in told
    assert not (tmp_path / "home").exists()
