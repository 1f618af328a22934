"""The database is gone for a while in mid-storm: nobody is blamed, nobody is called offline, nothing acknowledged is lost."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from pilothouse.app.control_plane import ControlPlane
from pilothouse.base.clock import FakeClock
from pilothouse.base.errors import PilothouseError
from pilothouse.storage.unit import Store
from sqlalchemy import event, text

pytestmark = [pytest.mark.slow, pytest.mark.anyio, pytest.mark.embedded]

OUTAGE_ROUNDS = 6
BEAT_S = 10
PLACE = {"project": "retail-core", "integration": "order-intake", "environment": "dev"}
CHANGE = "mutation ($input: ChangeArtifactInput!) { changeArtifact(input: $input) { commands { id } } }"


def shorten_waiting(store: Store) -> None:
    """Have the writer give up on a lock at once, so that a minute's outage fits into a test."""
    connection = store.writer_engine.raw_connection()
    connection.cursor().execute("pragma busy_timeout = 30")
    connection.close()


@contextmanager
def locked(plane: ControlPlane) -> Iterator[None]:
    """Another program holds the write lock: a backup, a shell that somebody left open."""
    shorten_waiting(plane.store)
    holder = sqlite3.connect(plane.settings.database_path, isolation_level=None)
    holder.execute("begin immediate")
    try:
        yield
    finally:
        holder.execute("rollback")
        holder.close()


@contextmanager
def broken_reads_and_writes(plane: ControlPlane) -> Iterator[None]:
    """The disk does not answer: every statement fails, of whoever reads and of whoever writes."""

    def fail(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    engines = (plane.store.reader_engine, plane.store.writer_engine)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", fail)
    try:
        yield
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", fail)


@contextmanager
def broken_in_the_middle(plane: ControlPlane) -> Iterator[None]:
    """Every transaction begins well and fails at its last statements, as on a disk that fills up."""
    failed = 0

    def fail(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        nonlocal failed
        if statement.startswith(("INSERT INTO events", "UPDATE runtime_presence", "RELEASE")):
            failed += 1
            raise sqlite3.OperationalError("database or disk is full")

    event.listen(plane.store.writer_engine, "before_cursor_execute", fail)
    try:
        yield
    finally:
        event.remove(plane.store.writer_engine, "before_cursor_execute", fail)
        assert failed


OUTAGES = {
    "locked": (locked, 60),
    "dead": (broken_reads_and_writes, 200),
    "failing in mid-transaction": (broken_in_the_middle, 60),
}
"""What breaks, and for how many runtimes."""


def fleet_of(runtime: Any, size: int) -> list[Any]:
    return [
        replace(runtime, runtime_id=f"r{number:03}", name=f"node-{number:03}", extra={"version": "1"}, hash="h1")
        for number in range(size)
    ]


@asynccontextmanager
async def started(plane: ControlPlane, admin: Any, fleet: list[Any]) -> AsyncIterator[None]:
    """The fleet is known, one command of each runtime is on its way."""
    answers = await asyncio.gather(*(each.full() for each in fleet))
    assert {status for status, _ in answers} == {200}
    wish = {**PLACE, "kind": "LISTENER", "name": "listener_1", "aspect": "STATE", "value": "DISABLED"}
    await admin.ask(CHANGE, input=wish)
    yield


def disabled(artifacts: dict[str, Any]) -> dict[str, Any]:
    (listener,) = artifacts["listeners"]
    return {**artifacts, "listeners": [{**listener, "state": "disabled"}]}


async def one_round(fleet: list[Any], clock: FakeClock, number: int, statuses: Counter[int]) -> list[tuple[Any, Any]]:
    """Everybody beats once: a third by delta, a third in full with something new, a third with results too."""
    clock.advance(BEAT_S)
    acknowledged: list[tuple[Any, Any]] = []

    async def beat(index: int, each: Any) -> None:
        kind = (index + number) % 3
        if kind == 0:
            status, answer = await each.delta()
        else:
            later = replace(each, extra={"version": f"{number}.{index}"}, hash=f"h{number}")
            status, answer = await later.full()
            if status == 200 and answer["acknowledged"]:
                each.extra, each.hash = later.extra, later.hash
                acknowledged.append((each.runtime_id, each.extra["version"]))
        statuses[status] += 1
        for command in answer.get("commands") or ():
            told = {"runtimeId": each.runtime_id, "commandId": command["commandId"], "status": "COMPLETED", "body": {}}
            status, _ = await each.send("/icp/commandResult", told)
            statuses[status] += 1

    await asyncio.gather(*(beat(index, each) for index, each in enumerate(fleet)))
    return acknowledged


async def versions(plane: ControlPlane) -> dict[str, str]:
    query = text("select runtime_id, version from runtimes")
    return await plane.store.read(lambda c: {row[0]: row[1] for row in c.execute(query)})


@pytest.mark.parametrize("outage", OUTAGES)
async def test_a_minute_without_the_database_costs_nobody_anything(
    runtime, plane: ControlPlane, admin, clock: FakeClock, outage: str
) -> None:
    break_it, size = OUTAGES[outage]
    fleet = fleet_of(runtime, size)
    statuses: Counter[int] = Counter()
    last: dict[str, str] = {}
    async with started(plane, admin, fleet):
        last.update(await one_round(fleet, clock, 1, statuses))
        assert set(statuses) <= {200, 202}
        statuses.clear()
        with break_it(plane):
            for number in range(2, 2 + OUTAGE_ROUNDS):
                last.update(await one_round(fleet, clock, number, statuses))
                await plane.watch()
                await plane.steer()
                with pytest.raises(PilothouseError):
                    await plane.flush()
                assert {entry.status.value for entry in plane.board._by_key.values()} == {"RUNNING"}
        assert set(statuses) <= {200, 202, 503}
        assert statuses[503] > size  # it was gone for real
        assert statuses[200] > size  # and deltas were answered all the same
        statuses.clear()
        for number in range(20, 23):
            last.update(await one_round(fleet, clock, number, statuses))
        assert set(statuses) <= {200, 202}  # at once, without a restart
    await plane.flush()
    counted = (await admin.ask("{ organization { runtimes { running offline unknown } } }"))["organization"]["runtimes"]
    assert counted == {"running": size, "offline": 0, "unknown": 0}
    await nothing_acknowledged_is_lost(plane, last)
    await presence_has_caught_up(plane, clock)
    await no_command_is_lost(admin, fleet, clock)


async def nothing_acknowledged_is_lost(plane: ControlPlane, last: dict[str, str]) -> None:
    stored = await versions(plane)
    assert {runtime_id: stored[runtime_id] for runtime_id in last} == last


async def presence_has_caught_up(plane: ControlPlane, clock: FakeClock) -> None:
    query = text("select distinct status, seen_at from runtime_presence")
    rows = await plane.store.read(lambda c: [tuple(row) for row in c.execute(query)])
    assert rows == [("RUNNING", round(clock.now() * 1000))]
    assert not plane.board.dirty_count


async def no_command_is_lost(admin: Any, fleet: list[Any], clock: FakeClock) -> None:
    """Everybody carries out what it was asked, and every command ends as confirmed."""
    for each in fleet:
        each.artifacts, each.hash = disabled(each.artifacts), "disabled"
    clock.advance(BEAT_S)
    assert {status for status, _ in await asyncio.gather(*(each.full() for each in fleet))} == {200}
    found = await admin.ask("{ commands(first: 200) { totalCount nodes { state } } }")
    assert found["commands"]["totalCount"] == len(fleet)
    assert {node["state"] for node in found["commands"]["nodes"]} == {"CONFIRMED"}


async def test_a_secret_that_cannot_be_looked_up_is_503_for_every_kind_of_message_never_400_case_5(
    runtime, plane: ControlPlane, admin
) -> None:
    await runtime.full()
    plane.keyring._keys.clear()
    told = {"runtimeId": runtime.runtime_id, "commandId": "x", "status": "COMPLETED"}
    with broken_reads_and_writes(plane):
        for status, answer in (
            await runtime.full(),
            await runtime.delta(),
            await runtime.send("/icp/commandResult", told),
        ):
            assert (status, answer["code"], answer["acknowledged"]) == (503, "UNAVAILABLE", False)
            assert "disk" not in msgspec.json.encode(answer).decode()
    assert (await runtime.delta())[0] == 200
    assert (await admin.ask("{ runtimes { nodes { status } } }"))["runtimes"]["nodes"] == [{"status": "RUNNING"}]


async def test_a_runtime_that_is_new_while_the_database_is_gone_is_taken_in_by_its_next_heartbeat(
    runtime, plane: ControlPlane, admin, clock: FakeClock
) -> None:
    with broken_in_the_middle(plane):
        assert (await runtime.full())[0] == 503
    for table in ("projects", "integrations", "runtimes", "runtime_reports", "runtime_presence", "artifact_sets"):
        query = text(f"select count(*) from {table}")
        assert await plane.store.read(lambda c, query=query: c.execute(query).scalar_one()) == 0, table
    assert len(plane.board) == 0
    clock.advance(10)
    assert (await runtime.full())[1]["acknowledged"] is True
    assert (await admin.ask("{ runtimes { totalCount } }"))["runtimes"]["totalCount"] == 1


async def test_a_runtime_that_reports_in_full_all_the_while_is_not_called_offline_when_it_comes_back(
    runtime, plane: ControlPlane, admin, clock: FakeClock
) -> None:
    """Among many who beat by delta it is alone with its trouble: no hold on verdicts covers it."""
    fleet = fleet_of(runtime, 12)
    for each in fleet:
        await each.full()
    changing, others = fleet[0], fleet[1:]
    with broken_in_the_middle(plane):
        for number in range(30):  # more often than the watch takes for a stall of ours
            clock.advance(4)
            changing.hash = f"new-{number}"
            status, answer = await changing.full()
            assert (status, answer["code"], answer["acknowledged"]) == (503, "UNAVAILABLE", False)
            assert {(await each.delta())[0] for each in others} == {200}
            await plane.watch()
    await plane.watch()
    assert (await admin.ask("{ organization { runtimes { offline } } }"))["organization"]["runtimes"] == {"offline": 0}
    told = text("select count(*) from events where kind = 'runtime.offline'")
    assert await plane.store.read(lambda c: c.execute(told).scalar_one()) == 0
