"""Killed at any point, it comes back with all that it acknowledged, and with nothing by halves."""

import os
import random
import selectors
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from driver import Person, Sender
from pilothouse.domain.artifacts import artifact_set
from pilothouse.domain.runtime import ReportDocument

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


def rows(database: sqlite3.Connection, query: str) -> list[dict[str, Any]]:
    return [dict(row) for row in database.execute(query)]


def check(home: Path, fleet: list[Sender], person: Person) -> int:
    """Read what a killed process left; returns how many heartbeats were found that nobody was told of."""
    with closing(sqlite3.connect(home / "pilothouse.db")) as database:
        database.row_factory = sqlite3.Row
        assert rows(database, "pragma integrity_check") == [{"integrity_check": "ok"}]
        assert rows(database, "pragma foreign_key_check") == []
        unheard = check_runtimes(database, fleet)
        check_commands(database, fleet, person)
        check_wishes(database, person)
        return unheard


STORED = """
select r.*, p.status, p.seen_at, e.document as report, a.document as artifacts, s.integration_id as bound_to,
  i.display_name as integration,
  (select count(*) from events v where v.runtime_key = r.key and v.kind = 'runtime.registered') as registered,
  (select count(*) from events v where v.key_id = r.key_id and v.kind = 'secret.bound') as bindings
from runtimes r
join runtime_presence p on p.runtime_key = r.key
join runtime_reports e on e.runtime_key = r.key
join artifact_sets a on a.digest = r.artifact_digest
join secrets s on s.key_id = r.key_id
join integrations i on i.id = r.integration_id
"""


def check_runtimes(database: sqlite3.Connection, fleet: list[Sender]) -> int:
    stored = {row["runtime_id"]: row for row in rows(database, STORED)}
    (whole,) = rows(database, "select count(*) as n from runtimes")
    assert whole["n"] == len(stored), "a runtime without its report, presence, artifacts, secret or integration"
    unheard = 0
    for sender in fleet:
        row = stored.pop(sender.runtime_id, None)
        if row is None:
            assert sender.acknowledged == 0
            assert unbound(database, sender), "bound by a heartbeat that left no runtime"
            continue
        number = int(row["version"])
        assert sender.acknowledged <= number <= sender.sent, sender.runtime_id
        unheard += number > sender.acknowledged
        assert halves(row, number, sender.runtime_id) == []
        assert (row["status"], row["registered"], row["bindings"]) == ("RUNNING", 1, 1)
        assert row["bound_to"] == row["integration_id"]
    assert stored == {}
    return unheard


def unbound(database: sqlite3.Connection, sender: Sender) -> bool:
    key_id = sender.secret.partition(".")[0]
    (secret,) = rows(database, f"select integration_id, bound_at from secrets where key_id = '{key_id}'")
    made = rows(database, f"select 1 from integrations where display_name = '{sender.integration}'")
    return secret == {"integration_id": None, "bound_at": None} and made == []


def halves(row: dict[str, Any], number: int, runtime_id: str) -> list[str]:
    """What of a stored runtime is of another heartbeat than its version."""
    report = msgspec.json.decode(row["report"], type=ReportDocument)
    artifacts = artifact_set.decode(row["artifacts"])
    told = {
        "hash": row["runtime_hash"] == f"h{number}",
        "report": report.log_levels == {"app": f"L{number}"},
        "artifacts": [(each.name, each.package) for each in artifacts.services] == [(f"s{number}", runtime_id)],
        "digest": row["artifact_digest"] == artifact_set.digest(artifact_set.encode(artifacts)),
    }
    return [name for name, is_of_it in told.items() if not is_of_it]


def check_commands(database: sqlite3.Connection, fleet: list[Sender], person: Person) -> None:
    stored = {row["id"]: row for row in rows(database, "select * from commands")}
    assert person.asked <= stored.keys()
    for sender in fleet:
        for each in sender.received:  # it counted as delivered before it left
            assert stored[each]["delivered_at"] is not None
            assert stored[each]["attempts"] > 0
            assert stored[each]["state"] != "queued"
        for each in sender.results_taken:
            command = stored[each]
            if command["wish_number"] is None:
                assert (command["state"], command["result"] is None) == ("confirmed", False)
    ends = "select 1 from events where kind = 'command.ended'"
    assert len(rows(database, ends)) == sum(row["ended_at"] is not None for row in stored.values())
    for row in stored.values():
        assert (row["ended_at"] is None) == (row["state"] in {"queued", "delivered"})
        assert (row["delivered_at"] is not None) or row["state"] not in {"delivered", "confirmed"}


def check_wishes(database: sqlite3.Connection, person: Person) -> None:
    versions = [row["version"] for row in rows(database, "select version from desired_changes order by number")]
    assert versions == list(range(1, len(versions) + 1))
    assert person.wish_acknowledged <= len(versions) <= person.wished
    current = rows(
        database, "select c.version from desired_states d join desired_changes c on c.number = d.change_number"
    )
    assert [row["version"] for row in current] == versions[-1:]
    (told,) = rows(database, "select count(*) as n from events where kind = 'desired.changed'")
    assert told["n"] == len(versions)


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
