"""Killed at any point, it comes back with all that it acknowledged, and with nothing by halves."""

import os
import random
import selectors
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from driver import Person, Sender
from left_behind import check_commands, check_runtimes, check_wishes, rows
from sqlalchemy import create_engine

PROGRAM = str(Path(__file__).with_name("serve_again_and_again.py"))
KILLS = 30
START_MAX_S = 30.0
"""For a machine that is busy with other things too; on an idle one a start takes a tenth of a second."""
MESSAGES_MAX = 30
"""Of one life, in the mean half of it: heartbeats, results, wishes and questions together."""
LIFE_MAX_S = 2.0
PASSWORD = "correct horse battery staple"


class Lives:
    """One control plane after another, on one home."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._stdout, selectors.EVENT_READ)
        self.starts_s: list[float] = []

    def hear(self) -> list[str]:
        assert self._selector.select(START_MAX_S), "nothing was heard of the process"
        return self._stdout.readline().decode().split()

    def begin(self) -> tuple[int, int, int]:
        """Start one; its process id, the runtimes' port and the console's."""
        began = time.monotonic()
        self._stdin.write(b"\n")
        self._stdin.flush()
        process_id, runtimes, console = map(int, self.hear())
        self.starts_s.append(time.monotonic() - began)
        return process_id, runtimes, console

    def end(self, process_id: int, number: signal.Signals = signal.SIGKILL) -> None:
        os.kill(process_id, number)
        assert self.hear() == ["ended"]


@contextmanager
def lives_on(home: Path) -> Iterator[Lives]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(  # noqa: S603 -- our own program
        [sys.executable, PROGRAM, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            yield Lives(process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # the session is its own: it and who still lives


def told(fleet: list[Sender], person: Person) -> int:
    """How many messages were acknowledged so far."""
    heard = sum(sender.heard + len(sender.results_taken) for sender in fleet)
    return heard + person.wish_acknowledged + len(person.asked)


def live(lives: Lives, chance: random.Random, fleet: list[Sender], person: Person, ids: list[str]) -> None:
    """One life: everybody sends without a pause, until it is killed somewhere among their messages."""
    process_id, runtimes, console = lives.begin()
    newcomer = Sender(f"new-{len(fleet)}", person.secret(console), integration=f"Integration {len(fleet)}")
    fleet.append(newcomer)
    senders = [*fleet[:3], newcomer]
    work = [threading.Thread(target=sender.beat_on, args=(runtimes,)) for sender in senders]
    work.append(threading.Thread(target=person.steer_on, args=(console, ids)))
    for each in work:
        each.start()
    enough, end = told(fleet, person) + chance.randrange(MESSAGES_MAX), time.monotonic() + LIFE_MAX_S
    while told(fleet, person) < enough and time.monotonic() < end:
        time.sleep(0.002)
    time.sleep(chance.uniform(0, 0.02))
    lives.end(process_id)
    for each in work:
        each.join()


def check(home: Path, fleet: list[Sender], person: Person) -> int:
    """Read what a killed process left; returns how many heartbeats were found that nobody was told of."""
    engine = create_engine(f"sqlite:///{home}/pilothouse.db")
    try:
        with engine.connect() as database:
            assert rows(database, "pragma integrity_check") == [{"integrity_check": "ok"}]
            assert rows(database, "pragma foreign_key_check") == []
            unheard = check_runtimes(database, fleet)
            check_commands(database, fleet, person)
            check_wishes(database, person)
            return unheard
    finally:
        engine.dispose()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_at_any_point_it_has_all_that_it_acknowledged_and_nothing_by_halves(
    tmp_path: Path, first_start: Path
) -> None:
    home = shutil.copytree(first_start, tmp_path / "home")
    seed = random.randrange(2**32)  # noqa: S311 - which run it is
    chance = random.Random(seed)  # noqa: S311
    person, unheard = Person(PASSWORD), 0
    with lives_on(home) as lives:
        process_id, runtimes, console = lives.begin()
        person.sign_in(console)
        secret = person.secret(console)
        fleet = [Sender(f"r{number}", secret) for number in range(3)]
        ids = settle(fleet, person, runtimes, console)
        lives.end(process_id)
        for life in range(KILLS):
            live(lives, chance, fleet, person, ids)
            try:
                unheard += check(home, fleet, person)
            except AssertionError as error:
                error.add_note(f"after kill {life + 1} of the seed {seed}")
                raise
        process_id, runtimes, console = lives.begin()
        all_wishes_are_met(fleet, person, runtimes, console)
        lives.end(process_id, signal.SIGTERM)
        check(home, fleet, person)
    heard = sum(sender.heard for sender in fleet)
    story = f"{heard} heartbeats acknowledged, {unheard} more found whole, {person.wished} wishes, "
    story += f"{len(person.asked)} questions, {sum(len(sender.results_taken) for sender in fleet)} results"
    starts = f"starts {min(lives.starts_s):.2f} to {max(lives.starts_s):.2f} s"
    print(f"{story}; {starts}; seed {seed}")  # noqa: T201
    # Just after a start it is not known yet who runs.
    assert set(person.refused) <= {"RUNTIME_NOT_RUNNING"}
    assert sorted(lives.starts_s)[len(lives.starts_s) // 2] < 2.0
    assert heard > KILLS
    assert any(sender.acknowledged for sender in fleet[3:])


def settle(fleet: list[Sender], person: Person, runtimes: int, console: int) -> list[str]:
    """Have everybody known; their ids for those who ask."""
    for sender in fleet:
        assert once(sender, runtimes) == 200
    found = on_console(person, console, "{ runtimes { nodes { id } } }")
    return [node["id"] for node in found["runtimes"]["nodes"]]


def once(sender: Sender, port: int) -> int:
    import http.client

    from driver import TIMEOUT_S, TLS

    line = http.client.HTTPSConnection("127.0.0.1", port, timeout=TIMEOUT_S, context=TLS)
    before = sender.acknowledged
    sender.beat(line)
    line.close()
    return 200 if sender.acknowledged > before else 0


def on_console(person: Person, port: int, query: str) -> dict[str, Any]:
    import http.client

    from driver import TIMEOUT_S

    line = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    answer = person.ask(line, query)
    line.close()
    return answer


def all_wishes_are_met(fleet: list[Sender], person: Person, runtimes: int, console: int) -> None:
    """After the last start everybody beats: what was delivered and lost is offered again, and the last wish is met."""
    query = '{ runtimes(filter: {project: "retail-core"}) { nodes { runtimeId changes { state } } } }'
    states: set[str] = set()
    for _ in range(40):
        for sender in fleet[:3]:
            assert once(sender, runtimes) == 200
        nodes = on_console(person, console, query)["runtimes"]["nodes"]
        mine = {sender.runtime_id for sender in fleet[:3]}
        states = {node["changes"]["state"] for node in nodes if node["runtimeId"] in mine}
        if states == {"IN_SYNC"}:
            return
        time.sleep(0.5)
    assert states == {"IN_SYNC"}
