"""Heartbeats come to any of several replicas, in any order: all know the same of every runtime, and call nobody OFFLINE who beats."""

import sys
from collections.abc import AsyncIterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from pilothouse.base.clock import AgreedClock, FakeClock
from pilothouse.base.errors import PilothouseError
from pilothouse.domain.liveness import Status
from pilothouse.operations.replicas import DEAD_S
from pilothouse.storage import presence
from pilothouse.storage.replicas import list_all

sys.path.insert(0, str(Path(__file__).parent))

from group import Group, group, kinds_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300), pytest.mark.xdist_group("replicas")]
EVERYWHERE = pytest.mark.parametrize(
    "kind",
    [
        pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql")),
        pytest.param("mariadb", marks=[pytest.mark.xdist_group("mariadb"), pytest.mark.slow]),
    ],
)
POSTGRESQL = pytest.mark.parametrize("kind", [pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql"))])


def is_known(answer: tuple[int, dict[str, Any]]) -> bool:
    return answer[0] == 200 and answer[1]["acknowledged"] and not answer[1].get("fullHeartbeatRequired")


@pytest.fixture
async def trio(tmp_path: Path, clock: FakeClock, kind: str) -> AsyncIterator[Group]:
    async with group(tmp_path, clock, 3, kind) as made:
        yield made


@EVERYWHERE
async def test_beats_that_come_to_each_replica_in_turn_ask_for_one_full_report_and_keep_it_running(trio: Group) -> None:
    assert (await trio.runtime(trio.planes[0]).full())[0] == 200
    told = []
    for plane, _ in zip(cycle(trio.planes), range(12), strict=False):
        told.append(is_known(await trio.runtime(plane).delta()))
        await trio.pass_time(10)
    assert told == [True] * 12
    assert trio.statuses() == {Status.RUNNING}
    assert await kinds_of(trio.planes[0].store) == ["registered"]
    (stored,) = await trio.planes[0].store.read(presence.list_all_shared)
    assert stored.via == trio.planes[2].replicas.id
    assert stored.seen_at == trio.clock.now() - 10


@EVERYWHERE
async def test_a_replica_that_has_not_looked_since_asks_the_database_instead_of_the_runtime(trio: Group) -> None:
    here, there, _ = trio.planes
    assert (await trio.runtime(here).full())[0] == 200
    assert is_known(await trio.runtime(there).delta()), "it was not known there yet"
    changed = trio.runtime(here, hash="hash-2")
    assert (await changed.full())[0] == 200
    trio.ticks += 1.1
    assert is_known(await trio.runtime(there, hash="hash-2").delta()), "its hash was not"
    assert there.figures.full_required == 0
    (status, told) = await trio.runtime(there, hash="hash-3").delta()
    assert (status, told.get("fullHeartbeatRequired")) == (200, True), "nobody knows this one"


@POSTGRESQL
async def test_who_came_to_another_replica_just_now_is_unknown_and_not_offline(trio: Group) -> None:
    here, there, _ = trio.planes
    await trio.catch_up()
    assert (await trio.runtime(here).full())[0] == 200
    asked = (
        "{ runtimes { nodes { status statusReason } } offline: runtimes(filter: {statuses: [OFFLINE]}) { totalCount } }"
    )
    async with trio.admin(there) as person:
        told = await person.ask(asked)
        assert told["runtimes"]["nodes"][0]["status"] == "UNKNOWN"
        assert "another replica" in told["runtimes"]["nodes"][0]["statusReason"]
        assert told["offline"]["totalCount"] == 0
        await trio.catch_up()
        told = await person.ask(asked)
        assert told["runtimes"]["nodes"][0]["status"] == "RUNNING"


@POSTGRESQL
async def test_a_full_report_that_another_replica_took_is_not_stored_again(trio: Group) -> None:
    runtime = trio.runtime(trio.planes[0])
    assert (await runtime.full())[0] == 200
    await trio.look()
    before = await trio.planes[0].store.read(presence.turn_of)
    for plane in trio.planes[1:]:
        assert (await trio.runtime(plane).full())[0] == 200
    assert await trio.planes[0].store.read(presence.turn_of) == before


@EVERYWHERE
async def test_beats_that_are_flushed_out_of_order_leave_the_newest(trio: Group) -> None:
    first, second, third = trio.planes
    await trio.runtime(first).full()
    await trio.look()
    trio.clock.advance(5)
    await trio.runtime(second, address="10.0.0.2").delta()
    trio.clock.advance(5)
    await trio.runtime(third, address="10.0.0.3").delta()
    seen_at = trio.clock.now()
    for plane in (third, first, second):  # the older ones come last
        await plane.flush()
    await trio.look()
    (stored,) = await first.store.read(presence.list_all_shared)
    assert (stored.seen_at, stored.address, stored.via) == (seen_at, "10.0.0.3", third.replicas.id)
    assert {plane.board.list_all()[0].seen_at for plane in trio.planes} == {seen_at}


@EVERYWHERE
async def test_a_runtime_that_falls_silent_is_announced_once_and_so_is_its_return(trio: Group) -> None:
    runtime = trio.runtime(trio.planes[0])
    await runtime.full()
    await trio.pass_time(20)
    await trio.runtime(trio.planes[1]).delta()
    await trio.pass_time(80)
    assert trio.statuses() == {Status.OFFLINE}
    assert await kinds_of(trio.planes[0].store) == ["registered", "offline"]
    for plane in trio.planes:  # before any of them hears of the others
        assert (await trio.runtime(plane).delta())[0] == 200
    await trio.pass_time(2.5)
    assert trio.statuses() == {Status.RUNNING}
    assert await kinds_of(trio.planes[0].store) == ["registered", "offline", "running"]


@POSTGRESQL
async def test_a_verdict_waits_for_what_a_slow_replica_has_heard(trio: Group) -> None:
    slow, one, other = trio.planes
    await trio.runtime(one).full()
    await trio.catch_up()
    for _ in range(10):
        trio.clock.advance(4)
        await trio.runtime(slow).delta()  # and does not flush
        for plane in (one, other):
            await plane.flush()
            await plane.watch()
    assert {trio.status(plane) for plane in (one, other)} == {Status.RUNNING}
    assert await kinds_of(one.store) == ["registered"]


@POSTGRESQL
async def test_replicas_that_stop_or_are_killed_make_nobody_offline_and_the_rest_carries_on(trio: Group) -> None:
    stopped, killed, left = trio.planes
    for plane, number in zip(trio.planes, (1, 2, 3), strict=True):
        await trio.runtime(plane, number).full()
    await trio.pass_time(10)
    await trio.runtime(stopped, 1).delta()
    await trio.stop(stopped)
    assert left.board.find_key(1) is not None
    for _ in range(5):
        trio.clock.advance(4)
        await trio.runtime(killed, 1).delta()  # it never came to be stored
        await trio.runtime(killed, 2).delta()
        await trio.runtime(left, 3).delta()
        await left.flush()
        await left.watch()
    await trio.kill(killed)
    alive = left.replicas.others
    assert [row.id for row in alive] == [killed.replicas.id]
    lost: list[str] = []
    left.replicas.follow_deaths(lost.append)
    for _ in range(10):
        trio.clock.advance(2.5)
        trio.ticks += 2
        await trio.runtime(left, 3).delta()
        await trio.catch_up()
    assert (left.replicas.others, lost, left.replicas.deaths) == ((), [killed.replicas.id], 1)
    assert {trio.status(left, number) for number in (1, 2)} <= {Status.RUNNING, Status.UNKNOWN}
    assert (await trio.runtime(left, 1).delta())[0] == 200
    for _ in range(24):
        trio.clock.advance(4)
        await trio.runtime(left, 1).delta()
        await trio.runtime(left, 3).delta()
        await trio.catch_up()
    assert [trio.status(left, number) for number in (1, 2, 3)] == [Status.RUNNING, Status.OFFLINE, Status.RUNNING]
    assert await kinds_of(left.store) == ["registered"] * 3 + ["offline"], "the one that never came back"
    rows = await left.store.read(list_all)
    assert {row.id: row.ended_at is None for row in rows} == {
        stopped.replicas.id: False,
        killed.replicas.id: False,
        left.replicas.id: True,
    }


@POSTGRESQL
async def test_one_that_starts_after_a_death_knows_that_beats_were_lost_with_it(trio: Group) -> None:
    here, killed, _ = trio.planes
    assert (await trio.runtime(here, 1).full())[0] == 200
    assert (await trio.runtime(here, 2).full())[0] == 200
    await trio.pass_time(10)
    for number in (1, 2):  # now their interval is known
        await trio.runtime(here, number).delta()
    await trio.catch_up()
    await trio.pass_time(24)
    await trio.runtime(here, 2).delta()
    await trio.flush()
    await trio.runtime(killed, 1).delta()  # it never came to be stored
    await trio.kill(killed)
    for _ in range(12):
        trio.clock.advance(1)
        trio.ticks += 2
        await trio.catch_up()
    assert here.replicas.deaths == 1
    assert trio.status(here, 1) is Status.UNKNOWN
    started = await trio.add()
    assert [trio.status(started, number) for number in (1, 2)] == [Status.UNKNOWN, Status.RUNNING]
    await trio.catch_up()
    assert trio.statuses(1) == {Status.UNKNOWN}
    assert (await trio.runtime(started, 1).delta())[0] == 200
    await trio.catch_up()
    assert trio.statuses(1) == {Status.RUNNING}
    assert await kinds_of(here.store) == ["registered"] * 2


@POSTGRESQL
async def test_a_replica_that_was_taken_for_dead_and_goes_on_is_counted_again(trio: Group) -> None:
    paused, one, other = trio.planes
    await trio.runtime(one).full()
    await trio.catch_up()
    for _ in range(round(DEAD_S) + 5):
        trio.clock.advance(1)
        trio.ticks += 1
        for plane in (one, other):
            await trio.runtime(plane).delta()
            await plane.flush()
            await plane.watch()
    assert not one.replicas.is_alive(paused.replicas.id)
    await trio.catch_up()
    assert one.replicas.is_alive(paused.replicas.id)
    assert trio.statuses() == {Status.RUNNING}


@POSTGRESQL
async def test_a_replica_cut_from_the_database_judges_nobody_and_answers_from_memory(
    trio: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut, one, other = trio.planes
    await trio.runtime(one).full()
    await trio.catch_up()
    assert is_known(await trio.runtime(cut).delta()), "it has the secret from now on"

    def nothing_answers(*_: object) -> object:
        raise OSError("No route to host")

    monkeypatch.setattr(cut.store.reader_engine, "connect", nothing_answers)
    monkeypatch.setattr(cut.store.writer_engine, "connect", nothing_answers)
    for _ in range(20):
        trio.clock.advance(4)
        trio.ticks += 1
        assert is_known(await trio.runtime(cut).delta())
        await trio.runtime(one).delta()
        for plane in (one, other):
            await plane.flush()
            await plane.watch()
        for work in (cut.flush, cut.watch):
            with pytest.raises(PilothouseError):
                await work()
    assert trio.status(cut) is Status.RUNNING, "it does not know what others heard"
    assert (await trio.runtime(cut, number=2).full())[0] == 503
    await trio.runtime(one).delta()
    monkeypatch.undo()
    await trio.catch_up()
    assert trio.statuses() == {Status.RUNNING}
    assert await kinds_of(one.store) == ["registered"]
    assert one.replicas.is_alive(cut.replicas.id)


@EVERYWHERE
async def test_a_namesake_that_has_just_come_to_another_replica_is_not_retired(trio: Group) -> None:
    await trio.runtime(trio.planes[0], 1, name="orders").full()
    await trio.runtime(trio.planes[1], 2, name="orders").full()
    await trio.catch_up()
    assert [len(plane.board) for plane in trio.planes] == [2, 2, 2]
    assert await kinds_of(trio.planes[0].store) == ["registered", "registered"]


@POSTGRESQL
async def test_a_runtime_that_one_replica_retires_leaves_all_of_them(trio: Group) -> None:
    await trio.runtime(trio.planes[0], 1, name="orders").full()
    await trio.pass_time(100)
    await trio.runtime(trio.planes[1], 2, name="orders").full()
    await trio.catch_up()
    assert [[entry.runtime_id[-1] for entry in plane.board.list_all()] for plane in trio.planes] == [["2"]] * 3
    assert (await trio.runtime(trio.planes[2], 1).delta())[1].get("fullHeartbeatRequired") is True


@POSTGRESQL
async def test_a_broken_channel_is_told_by_who_held_it_and_a_new_one_elsewhere_keeps_it_running(trio: Group) -> None:
    one, other, third = trio.planes
    await trio.runtime(one).full()
    await trio.catch_up()
    entries = [plane.board.list_all()[0] for plane in trio.planes]
    one.board.open_channel(entries[0], trio.clock.now())
    trio.clock.advance(1)
    other.board.open_channel(entries[1], trio.clock.now())
    await trio.catch_up()
    trio.clock.advance(0.5)
    one.board.end_channel(entries[0], trio.clock.now(), said_goodbye=False)  # noticed late: it is the older one
    await trio.pass_time(5)
    assert trio.statuses() == {Status.RUNNING}
    other.board.end_channel(entries[1], trio.clock.now(), said_goodbye=False)
    await trio.pass_time(2.5)
    assert trio.statuses() == {Status.OFFLINE}
    assert await kinds_of(one.store) == ["registered", "offline"]
    await trio.runtime(third).delta()
    await trio.pass_time(2.5)
    assert trio.statuses() == {Status.RUNNING}
    assert await kinds_of(one.store) == ["registered", "offline", "running"]


@POSTGRESQL
async def test_a_goodbye_at_any_replica_is_heard_at_all(trio: Group) -> None:
    await trio.runtime(trio.planes[0]).full()
    await trio.catch_up()
    trio.clock.advance(1)
    third = trio.planes[2]
    third.desk.say_goodbye(third.board.list_all()[0])
    await trio.look()
    await trio.look()
    assert trio.statuses() == {Status.OFFLINE}
    assert await kinds_of(third.store) == ["registered", "offline"]


@POSTGRESQL
async def test_when_many_fall_silent_at_once_no_replica_calls_them_offline(trio: Group) -> None:
    for number in range(1, 31):
        await trio.runtime(trio.planes[number % 3], number).full()
    for _ in range(24):
        await trio.pass_time(4)
        for number in range(1, 16):
            await trio.runtime(trio.planes[number % 3], number).delta()
    assert await kinds_of(trio.planes[0].store) == ["registered"] * 30
    assert all(plane.board.hold is not None for plane in trio.planes)
    assert trio.statuses(20) == {Status.UNKNOWN}


class Skewed:
    """A machine's clock that is wrong."""

    def __init__(self, right: FakeClock, by_s: float) -> None:
        self.right, self.by_s = right, by_s

    def now(self) -> float:
        return self.right.now() + self.by_s


@POSTGRESQL
@pytest.mark.parametrize("by_s", [-60.0, 60.0])
async def test_a_replica_whose_clock_is_wrong_agrees_with_the_others(
    tmp_path: Path, clock: FakeClock, kind: str, by_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pilothouse.storage import replicas as stored

    asked = stored.turn_and_clock
    monkeypatch.setattr(stored, "clock_of", lambda _: clock.now())
    monkeypatch.setattr(stored, "turn_and_clock", lambda connection: (asked(connection)[0], clock.now()))
    async with group(tmp_path, clock, 1, kind) as made:
        wrong = await made.add(AgreedClock(Skewed(clock, by_s)))
        assert wrong.clock.now() == clock.now()
        await made.runtime(made.planes[0]).full()
        for plane, _ in zip(cycle(made.planes), range(10), strict=False):
            await made.pass_time(10)
            await made.runtime(plane).delta()
            assert made.statuses() == {Status.RUNNING}
        await made.pass_time(60, step_s=4)
        assert made.statuses() == {Status.OFFLINE}
        assert await kinds_of(wrong.store) == ["registered", "offline"]


@EVERYWHERE
async def test_the_database_tells_the_time(trio: Group) -> None:
    import time

    from pilothouse.storage.replicas import clock_of

    before = time.time()
    told = await trio.planes[0].store.read(clock_of)
    assert before - 1 <= told <= time.time() + 1


@POSTGRESQL
async def test_a_wish_reaches_a_runtime_through_whichever_replica_it_comes_to(trio: Group) -> None:
    runtime = trio.runtime(trio.planes[0])
    await runtime.full()
    await trio.catch_up()
    change = "mutation ($input: ChangeArtifactInput!) { changeArtifact(input: $input) { waiting } }"
    place = {"project": "retail-core", "integration": "order-intake", "environment": "dev"}
    async with trio.admin(trio.planes[1]) as person:
        await person.ask(
            change,
            input=place
            | {
                "kind": "LISTENER",
                "package": "ballerina/http:2",
                "name": "listener_1",
                "aspect": "STATE",
                "value": "DISABLED",
            },
        )
    await trio.look()
    (status, told) = await trio.runtime(trio.planes[2]).delta()
    assert status == 200
    assert [command["action"] for command in told["commands"]] == ["STOP"]
    (_, again) = await trio.runtime(trio.planes[0]).delta()
    assert not again.get("commands"), "it was delivered"
