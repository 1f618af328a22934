"""Whoever listens hears what every process commits: in order, once, whichever process it listens to."""

import asyncio
import random
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from pilothouse.app.control_plane import open_control_plane
from pilothouse.base.clock import FakeClock
from pilothouse.base.place import Database
from pilothouse.config import InvalidSetting, Settings, load
from pilothouse.domain.events import Event, EventKind, NewEvent
from pilothouse.operations import following
from pilothouse.operations.bus import Bus
from pilothouse.operations.following import Following
from pilothouse.storage import events
from pilothouse.storage.dialects import KINDS
from pilothouse.storage.tables import events as table
from pilothouse.storage.unit import Store, Transaction
from sqlalchemy import insert

pytestmark = pytest.mark.anyio

ANOTHER_PROCESS = """
import asyncio, sys
from pilothouse.base.place import Database
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.storage.unit import Store

async def main():
    store = Store(Database(url=sys.argv[1]), lambda happened: None)
    print("ready", flush=True)
    for number in range(int(sys.argv[2])):
        event = NewEvent(kind=EventKind.SECRET_CHANGED, at=1.0, key_id=f"{number:016}")
        await store.write(lambda tx: tx.emit(event))
    store.close()

asyncio.run(main())
"""


class Replica:
    """What one process has of the database that it shares: a store, a bus, a follower."""

    def __init__(self, place: Database, every_s: float = 0.02) -> None:
        self.bus = Bus(lambda: None)
        self.following = Following(self.bus, every_s)
        self.store = Store(place, self.following.committed)
        self.feed = self.bus.subscribe()
        self.cached: list[int] = []
        self.bus.follow(lambda event: self.cached.append(event.sequence))

    async def commit(self, *kinds: EventKind) -> None:
        def operation(tx: Transaction) -> None:
            for kind in kinds or (EventKind.RUNTIME_REPORTED,):
                tx.emit(NewEvent(kind=kind, at=1.0))

        await self.store.write(operation)

    async def hear(self, until: int, within_s: float = 20) -> list[int]:
        """Listen until an event with this number came; the numbers as they came."""
        heard: list[int] = []
        async with asyncio.timeout(within_s):
            while until not in heard:
                happened, missed = await self.feed.take(0)
                assert not missed
                heard += [event.sequence for event in happened]
        return heard

    def heard_so_far(self) -> list[int]:
        return [event.sequence for event in drained(self.feed._queue)]


def drained(queue: "asyncio.Queue[Event]") -> list[Event]:
    return [queue.get_nowait() for _ in range(queue.qsize())]


@pytest.fixture
def database(settings: Settings) -> Database:
    return settings.database


@asynccontextmanager
async def replicas(place: Database, count: int = 2, every_s: float = 0.02) -> AsyncIterator[list[Replica]]:
    started = [Replica(place, every_s) for _ in range(count)]
    for replica in started:
        await replica.following.begin(replica.store)
    works = [asyncio.create_task(replica.following.run(replica.store)) for replica in started]
    try:
        yield started
    finally:
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
        for replica in started:
            replica.store.close()


async def newest(store: Store) -> int:
    return (await store.read(events.bounds))[1]


async def insert_event(store: Store, sequence: int, kind: str = "runtime.reported") -> None:
    """Let an event appear under a number, as the commit of another process would."""
    values = {"sequence": sequence, "at": 1.0, "kind": kind, "detail": ""}

    def operation(tx: Transaction) -> None:
        tx.connection.execute(insert(table).values(values))
        if (
            tx.connection.dialect.name == "postgresql"
        ):  # counts on behind what it gave itself; the others look at the rows
            told = max(sequence, events.bounds(tx.connection)[1])
            KINDS["postgresql"].count_on(tx.connection, {"events": "sequence"}, {"events": told})

    await store.write(operation)


async def test_two_stores_that_commit_at_the_same_time_are_heard_in_order_and_once_on_both(database: Database) -> None:
    async with replicas(database) as (one, other):
        before = await newest(one.store)

        async def commit_many(replica: Replica, seed: int) -> None:
            chance = random.Random(seed)  # noqa: S311 - a test that can be repeated
            for _ in range(150):
                await replica.commit(*[EventKind.RUNTIME_REPORTED] * chance.randint(1, 3))
                await asyncio.sleep(chance.choice((0, 0, 0.001, 0.004)))

        committing = asyncio.gather(commit_many(one, 1), commit_many(other, 2), commit_many(one, 3))
        await committing
        last = await newest(one.store)
        for replica in (one, other):
            assert await replica.hear(last) == list(range(before + 1, last + 1))
            assert sorted(replica.cached) == list(range(before + 1, last + 1))


async def test_what_another_process_commits_is_heard_between_our_own(database: Database, tmp_path: Path) -> None:
    script = tmp_path / "another.py"
    script.write_text(ANOTHER_PROCESS)
    async with replicas(database, count=1) as (here,):
        before = await newest(here.store)
        process = await asyncio.to_thread(
            subprocess.Popen, [sys.executable, str(script), database.url, "120"], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert (await asyncio.to_thread(process.stdout.readline)) == b"ready\n"
        for _ in range(120):
            await here.commit()
        assert await asyncio.to_thread(process.wait, 60) == 0
        process.stdout.close()
        assert await here.hear(before + 240) == list(range(before + 1, before + 241))
        assert sorted(here.cached) == list(range(before + 1, before + 241))


async def test_the_caches_know_our_own_commit_when_the_commit_returns(database: Database) -> None:
    async with replicas(database, every_s=30) as (one, other):
        await other.commit()
        await one.commit()
        await asyncio.sleep(0)
        assert await newest(one.store) in one.cached


async def test_our_own_commit_waits_for_nothing_where_nothing_is_missing(database: Database) -> None:
    async with replicas(database, count=1, every_s=30) as (here,):
        for _ in range(5):
            await here.commit()
        await asyncio.sleep(0.01)
        last = await newest(here.store)
        assert here.heard_so_far() == list(range(last - 4, last + 1))


async def test_a_number_that_becomes_visible_late_is_waited_for(database: Database) -> None:
    async with replicas(database) as (one, other):
        first = await newest(one.store) + 1
        await insert_event(other.store, first + 1)
        await one.commit()
        await asyncio.sleep(0.2)
        assert one.heard_so_far() == []
        await insert_event(other.store, first)
        assert await one.hear(first + 2) == [first, first + 1, first + 2]


async def test_a_number_that_never_comes_holds_nobody_up_for_long(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "GAP_WAIT_S", 0.3)
    async with replicas(database) as (one, other):
        first = await newest(one.store) + 1
        await insert_event(other.store, first + 5)
        assert await one.hear(first + 5, within_s=20) == [first + 5]


async def test_a_number_that_comes_after_it_was_given_up_has_everybody_read_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "GAP_WAIT_S", 0.1)
    async with replicas(database) as (one, other):
        first = await newest(one.store) + 1
        await insert_event(other.store, first + 3)
        await one.hear(first + 3, within_s=20)
        await insert_event(other.store, first + 1)
        async with asyncio.timeout(20):
            happened, missed = await one.feed.take(0)
        assert (happened, missed) == ([], True)
        assert one.cached == [first + 3, first + 1]
        await one.commit()
        assert await one.hear(first + 4) == [first + 4]
        await insert_event(other.store, first)
        async with asyncio.timeout(20):
            assert (await one.feed.take(0))[1] is True
        assert sorted(one.cached) == [first, first + 1, first + 3, first + 4]


async def test_our_own_commit_that_was_read_before_its_writer_told_of_it_is_told_once(database: Database) -> None:
    async with replicas(database, count=1, every_s=30) as (here,):
        told: list[Sequence[Event]] = []
        here.store._publish = told.append
        await here.commit(EventKind.RUNTIME_REGISTERED, EventKind.RUNTIME_RUNNING)
        await asyncio.sleep(0.01)
        await here.following.look(here.store)
        for happened in told:
            here.following.committed(happened)
        last = await newest(here.store)
        assert here.heard_so_far() == [last - 1, last]
        assert here.cached == [last - 1, last]


async def test_an_event_of_a_kind_that_a_newer_release_writes_is_passed_over(database: Database) -> None:
    async with replicas(database) as (one, other):
        first = await newest(one.store) + 1
        await insert_event(other.store, first, "moon.risen")
        await one.commit()
        assert await one.hear(first + 1) == [first + 1]


async def test_a_database_that_is_away_for_a_while_is_read_from_where_it_was_left(database: Database) -> None:
    async with replicas(database) as (one, other):
        before = await newest(one.store)
        ask, gone, missed = one.store._ask, threading.Event(), threading.Event()
        gone.set()

        def away(question: Callable) -> object:
            from pilothouse.base.errors import StorageUnavailable

            if gone.is_set():
                missed.set()
                raise StorageUnavailable
            return ask(question)

        one.store._ask = away  # type: ignore[method-assign]
        assert await asyncio.to_thread(missed.wait, 20), "what was being read when it went is behind us"
        for _ in range(3):
            await other.commit()
        await asyncio.sleep(0.1)
        assert one.heard_so_far() == []
        gone.clear()
        assert await one.hear(before + 3) == [before + 1, before + 2, before + 3]


async def test_a_process_that_writes_alone_hands_on_at_once_and_reads_nothing(database: Database) -> None:
    async with replicas(database, count=1, every_s=0) as (here,):
        assert here.following.position is None
        await here.commit()
        await asyncio.sleep(0.01)
        assert len(here.heard_so_far()) == 1


async def test_what_we_commit_while_the_following_begins_is_told_once(database: Database) -> None:
    here = Replica(database)
    try:
        first = await newest(here.store) + 1
        await asyncio.gather(here.following.begin(here.store), *(here.commit() for _ in range(30)))
        await here.following.look(here.store)
        await asyncio.sleep(0.01)
        assert here.heard_so_far() == list(range(first, first + 30))
    finally:
        here.store.close()


def test_the_pace_is_a_setting_that_is_off_where_nobody_else_writes() -> None:
    assert load({}).looks_for_events_every_s == 0
    assert load({"PILOTHOUSE_DATABASE_URL": "postgresql://somewhere/pilothouse"}).looks_for_events_every_s == 0.5
    assert load({"PILOTHOUSE_FOLLOW_EVENTS_S": "0.7"}).looks_for_events_every_s == 0.7
    for wrong in ("-1", "0.001", "61", "often"):
        with pytest.raises(InvalidSetting):
            load({"PILOTHOUSE_FOLLOW_EVENTS_S": wrong})


async def test_a_control_plane_hears_what_another_process_writes_into_its_database(settings: Settings) -> None:
    from pilothouse.identity.passwords import Passwords

    followed = Settings(home=settings.home, database_url=settings.database_url, follow_events_s=0.02)
    plane = await open_control_plane(followed, FakeClock(1_790_000_000.0), Passwords())
    elsewhere = Replica(settings.database, every_s=0)
    try:
        await plane.start()
        feed = plane.bus.subscribe()
        before = await newest(plane.store)
        for kind in (EventKind.SECRET_CHANGED, EventKind.RUNTIME_REPORTED):
            await elsewhere.store.write(partial(Transaction.emit, event=NewEvent(kind=kind, at=1.0)))
        heard: list[int] = []
        async with asyncio.timeout(20):
            while len(heard) < 2:
                heard += [event.sequence for event in (await feed.take(0))[0]]
        assert heard == [before + 1, before + 2]
    finally:
        elsewhere.store.close()
        await plane.stop()
