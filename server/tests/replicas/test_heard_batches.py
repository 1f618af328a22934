"""What a replica reads of the others' beats follows what changed, and who was away for long misses nothing."""

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from pilothouse.base.clock import FakeClock
from pilothouse.domain.presence import Heard
from pilothouse.storage import heard_batches, presence
from pilothouse.storage.heard_batches import HEARD_AT_ONCE, KEPT_S
from pilothouse.storage.replica_tables import heard_batches as table
from pilothouse.storage.unit import Transaction
from sqlalchemy import event, func, select

sys.path.insert(0, str(Path(__file__).parent))

from group import Group, group

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300), pytest.mark.xdist_group("replicas")]
EVERYWHERE = pytest.mark.parametrize(
    "kind",
    [
        pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql")),
        pytest.param("mariadb", marks=[pytest.mark.xdist_group("mariadb"), pytest.mark.slow]),
    ],
)


@pytest.fixture
async def pair(tmp_path: Path, clock: FakeClock, kind: str) -> AsyncIterator[Group]:
    async with group(tmp_path, clock, 2, kind) as made:
        yield made


def heard(key: int, seen_at: float) -> Heard:
    return Heard(
        runtime_key=key,
        seen_at=seen_at,
        interval_s=10.0,
        address="10.0.0.1",
        channel_at=None,
        departed_at=seen_at - 1,
        departed_how="goodbye",
    )


def statements_of(group: Group, number: int) -> tuple[list[str], Callable[[], None]]:
    found: list[str] = []
    engine = group.planes[number].store.reader_engine

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        found.append(" ".join(statement.split()))

    event.listen(engine, "before_cursor_execute", note)
    return found, lambda: event.remove(engine, "before_cursor_execute", note)


@EVERYWHERE
async def test_a_look_reads_what_others_heard_and_never_all_runtimes(pair: Group) -> None:
    here, there = pair.planes
    await pair.runtime(here).full()
    await pair.catch_up()
    pair.clock.advance(5)
    await pair.runtime(here).delta()
    await here.flush()
    found, end = statements_of(pair, 1)
    await there.replicas.look()
    end()
    (entry,) = there.board.list_all()
    assert entry.seen_at == pair.clock.now()
    presences = [one for one in found if "FROM runtime_presence" in one]
    assert presences, "what else changed is read by its index"
    assert all("change_number >" in one for one in presences)
    assert not any("seen_number" in one for one in found)


@EVERYWHERE
async def test_what_was_heard_comes_to_others_as_it_was_told_and_not_back(pair: Group) -> None:
    here, there = pair.planes
    told = [heard(key, 1_790_000_000.123 + key) for key in range(HEARD_AT_ONCE + 2)]

    def add(tx: object) -> int:
        connection = tx.connection
        number = presence.turn_of(connection)
        heard_batches.add(connection, number, told, here.replicas.id, pair.clock.now())
        return number

    number = await here.store.write(add)

    async def read(after: int, me: str) -> list[Heard] | None:
        return await there.store.read(lambda connection: heard_batches.list_after(connection, after, me))

    assert await read(number - 1, there.replicas.id) == told
    assert await read(number, there.replicas.id) == []
    assert await read(number - 1, here.replicas.id) == []


@EVERYWHERE
async def test_who_was_away_until_batches_were_deleted_looks_at_all_runtimes_once(pair: Group) -> None:
    here, there = pair.planes
    await pair.runtime(here).full()
    await pair.runtime(here, 2).full()
    await pair.catch_up()
    pair.clock.advance(5)
    await pair.runtime(here, 1).delta()
    only_then = pair.clock.now()
    for _ in range(4):  # `there` does not look for two minutes
        await here.flush()
        pair.clock.advance(KEPT_S / 2 + 1)
        await pair.runtime(here, 2).delta()
    await here.flush()
    oldest = await here.store.read(lambda c: c.execute(select(func.min(table.c.at))).scalar_one())
    assert oldest >= pair.clock.now() - KEPT_S * 2, "batches are not kept for ever"
    found, end = statements_of(pair, 1)
    await there.replicas.look()
    assert any("seen_number" in one for one in found)
    assert {entry.seen_at for entry in there.board.list_all()} == {only_then, pair.clock.now()}
    found.clear()
    pair.clock.advance(1)
    await pair.runtime(here, 2).delta()
    await here.flush()
    await there.replicas.look()
    end()
    assert not any("seen_number" in one for one in found)
    assert max(entry.seen_at for entry in there.board.list_all()) == pair.clock.now()


@EVERYWHERE
async def test_two_flushes_of_one_turn_are_both_told(pair: Group) -> None:
    """One that waits for its turn as its process ends is joined by the last one."""
    here, there = pair.planes
    now = pair.clock.now()

    def flush_twice(tx: Transaction) -> int:
        before = presence.turn_of(tx.connection)
        presence.save_shared(tx.connection, [heard(7, now)], here.replicas.id, now)
        presence.save_shared(tx.connection, [heard(8, now), heard(9, now)], here.replicas.id, now)
        return before

    turn = await here.store.write(flush_twice)
    told = await there.store.read(lambda connection: heard_batches.list_after(connection, turn - 1, there.replicas.id))
    assert told is not None
    assert [one.runtime_key for one in told] == [7, 8, 9]
