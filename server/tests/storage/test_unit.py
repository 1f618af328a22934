"""Transactions: durable when acknowledged, together on the disk, apart in failure."""

import asyncio
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pilothouse.base.errors import Conflict, StorageFull, StorageUnavailable, Unavailable
from pilothouse.base.place import Database
from pilothouse.domain.events import Event, EventKind, NewEvent
from pilothouse.storage import events, unit
from pilothouse.storage.alone import writing
from pilothouse.storage.engine import open_readers, open_writer
from pilothouse.storage.migrate import upgrade
from pilothouse.storage.unit import NotUnique, Store, Transaction
from sqlalchemy import event, text

pytestmark = pytest.mark.anyio

NOW = 1_790_000_000.0
ADD = text("insert into organizations (id, handle, display_name) values (:n, :n, :n)")
NAMES = text("select handle from organizations where handle like 'n%' order by handle")


@pytest.fixture
async def store(database: Database):
    published: list[Event] = []
    opened = Store(database, published.extend)
    opened.published = published
    yield opened
    opened.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An embedded database."""
    path = tmp_path / "embedded.db"
    engine = open_writer(path)
    upgrade(engine)
    engine.dispose()
    return path


def adding(name: str, *, fail: Exception | None = None, emit: bool = False):
    def operation(tx: Transaction) -> str:
        tx.connection.execute(ADD, {"n": name})
        if emit:
            tx.emit(NewEvent(kind=EventKind.PROJECT_CREATED, at=1.0, detail=name))
        if fail:
            raise fail
        return name

    return operation


async def names(store: Store) -> list[str]:
    return list(await store.read(lambda c: c.execute(NAMES).scalars().all()))


async def test_a_write_is_there_for_everybody_when_it_is_acknowledged(store: Store, database: Database) -> None:
    assert await store.write(adding("n1")) == "n1"
    other = open_readers(database)
    with other.connect() as connection:
        assert connection.execute(NAMES).scalars().all() == ["n1"]
    other.dispose()


async def test_operations_that_wait_together_are_committed_together(store: Store) -> None:
    commits = 0

    @event.listens_for(store.writer_engine, "commit")
    def count(_connection: object) -> None:
        nonlocal commits
        commits += 1

    await asyncio.gather(*(store.write(adding(f"n{number:03}")) for number in range(100)))
    assert len(await names(store)) == 100
    assert commits < 50


async def test_what_comes_while_the_writer_waits_for_its_turn_is_committed_with_it(
    store: Store, database: Database
) -> None:
    commits = 0

    @event.listens_for(store.writer_engine, "commit")
    def count(_connection: object) -> None:
        nonlocal commits
        commits += 1

    with writing(database):  # as another process does
        writes = [asyncio.create_task(store.write(adding("n000")))]
        while store.writing_s < 0.2:
            await asyncio.sleep(0.02)
        writes += [asyncio.create_task(store.write(adding(f"n{number:03}"))) for number in range(1, 50)]
        await asyncio.sleep(0.1)
        assert not any(write.done() for write in writes)
    assert len(await asyncio.gather(*writes)) == 50
    assert len(await names(store)) == 50
    assert commits == 1


async def test_one_that_is_refused_takes_nothing_with_it_and_leaves_nothing(store: Store) -> None:
    answers = await asyncio.gather(
        store.write(adding("n1", emit=True)),
        store.write(adding("n2", emit=True, fail=Conflict("no"))),
        store.write(adding("n3", emit=True, fail=ValueError("a defect"))),
        store.write(adding("n4", emit=True)),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [str, Conflict, ValueError, str]
    assert await names(store) == ["n1", "n4"]
    assert [event.detail for event in store.published] == ["n1", "n4"]


def said_to(store: Store) -> list[str]:
    """What is said to the database from now on."""
    said: list[str] = []

    @event.listens_for(store.writer_engine, "before_cursor_execute")
    def note(*arguments: Any) -> None:
        said.append(arguments[2])

    return said


async def test_one_that_is_alone_needs_no_savepoint_and_leaves_nothing_when_it_is_refused(store: Store) -> None:
    said = said_to(store)
    assert await store.write(adding("n1", emit=True)) == "n1"
    for failure in (Conflict("no"), ValueError("a defect")):
        with pytest.raises(type(failure)):
            await store.write(adding("n2", emit=True, fail=failure))
    with pytest.raises(NotUnique):
        await store.write(adding("n1", emit=True))
    assert await store.write(adding("n3")) == "n3"
    assert await names(store) == ["n1", "n3"]
    assert [event.detail for event in store.published] == ["n1"]
    assert not [statement for statement in said if "SAVEPOINT" in statement]


async def test_what_a_refused_operation_set_apart_itself_goes_with_it(store: Store) -> None:
    """Operations may use savepoints of their own: those of the batch are others."""

    def nesting(name: str, *, fail: bool) -> Callable[[Transaction], None]:
        def operation(tx: Transaction) -> None:
            tx.connection.execute(ADD, {"n": name})
            with pytest.raises(NotUnique), tx.connection.begin_nested():
                tx.connection.execute(ADD, {"n": name})
            with tx.connection.begin_nested():
                tx.connection.execute(ADD, {"n": f"{name}-inner"})
            if fail:
                raise Conflict(name)

        return operation

    said = said_to(store)
    answers = await asyncio.gather(
        *(store.write(nesting(f"n{number}", fail=number % 3 == 2)) for number in range(9)), return_exceptions=True
    )
    assert [isinstance(answer, Conflict) for answer in answers] == [number % 3 == 2 for number in range(9)]
    kept = [f"n{number}" for number in range(9) if number % 3 != 2]
    assert await names(store) == sorted([*kept, *(f"{name}-inner" for name in kept)])
    assert "ROLLBACK TO SAVEPOINT operation" in said, "they were committed together"


async def test_events_leave_after_the_commit_in_one_growing_sequence(store: Store) -> None:
    await asyncio.gather(*(store.write(adding(f"n{number}", emit=True)) for number in range(5)))
    sequences = [event.sequence for event in store.published]
    assert sequences == sorted(sequences)
    assert len(set(sequences)) == 5


@pytest.mark.parametrize("tells_numbers", [True, False], ids=["told", "read back"])
async def test_very_many_events_of_one_operation_are_few_statements_and_numbered_in_their_order(
    store: Store, tells_numbers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that fails lets ten thousand runtimes fall silent at once: not each of these events is a trip to the server."""
    dialect = store.writer_engine.dialect
    if not tells_numbers:  # MySQL is like that
        monkeypatch.setattr(type(dialect), "insert_executemany_returning_sort_by_parameter_order", False)

    def happening(tx: Transaction) -> None:
        for number in range(2_500):
            at = NOW + number / 4
            tx.emit(
                NewEvent(
                    kind=EventKind.RUNTIME_OFFLINE,
                    at=at,
                    detail=f"e{number}",
                    key_id=f"k{number}" if number % 3 else None,
                )
            )

    await store.write(adding("n1", emit=True))
    said = said_to(store)
    await store.write(happening)
    assert 1 < len(said) < 20
    await store.write(adding("n2", emit=True))
    published = store.published
    assert [event.detail for event in published[1:-1]] == [f"e{n}" for n in range(2_500)]
    assert [event.sequence for event in published] == sorted({event.sequence for event in published})
    kinds = (EventKind.RUNTIME_OFFLINE, EventKind.PROJECT_CREATED)
    assert await store.read(lambda c: events.list_after(c, 0, kinds=kinds, limit=5_000)) == published


async def test_a_rolled_back_operation_announces_nothing(store: Store) -> None:
    with pytest.raises(Conflict):
        await store.write(adding("n1", emit=True, fail=Conflict("no")))
    assert store.published == []


async def test_readers_cannot_write(store: Store) -> None:
    with pytest.raises(Unavailable):
        await store.read(lambda c: c.execute(ADD, {"n": "n1"}))


async def test_a_disk_that_is_full_is_our_trouble_and_nothing_is_half_written(path: Path) -> None:
    store = Store(path, lambda _: None)
    await store.write(adding("n1"))
    pages = await store.write(lambda tx: tx.connection.exec_driver_sql("pragma page_count").scalar_one())
    await store.write(lambda tx: tx.connection.exec_driver_sql(f"pragma max_page_count = {pages}").scalar_one())
    big = text("insert into organizations (id, handle, display_name) values ('big', 'n-big', :x)")
    with pytest.raises(StorageFull, match="full"):
        await store.write(lambda tx: tx.connection.execute(big, {"x": "x" * 1_000_000}))
    assert "full" in (store.last_failure or "")
    assert await names(store) == ["n1"]
    await store.write(lambda tx: tx.connection.exec_driver_sql("pragma max_page_count = 1000000").scalar_one())
    await store.write(adding("n2"))  # room again: it goes on without a restart
    assert store.last_failure is None
    store.close()


async def test_a_database_file_that_is_read_only_is_said_by_name(path: Path) -> None:
    store = Store(path, lambda _: None)

    @event.listens_for(store.writer_engine, "connect")
    def as_the_system_would(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("pragma query_only = on")  # root may write to read-only files: SQLite itself refuses here

    with pytest.raises(StorageFull, match="readonly"):
        await store.write(adding("n1"))
    store.close()


async def test_a_lost_database_file_is_our_trouble(tmp_path: Path) -> None:
    store = Store(tmp_path / "nowhere" / "pilothouse.db", lambda _: None)
    with pytest.raises(StorageUnavailable):
        await store.write(adding("n1"))
    with pytest.raises(StorageUnavailable):
        await store.read(lambda c: c.execute(NAMES).all())
    store.close()


async def test_more_waiting_writes_than_the_limit_are_refused_and_not_piled_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert unit.QUEUE_MAX == 10_000
    monkeypatch.setattr(unit, "QUEUE_MAX", 3)
    answers = await asyncio.gather(
        *(store.write(adding(f"n{number:03}")) for number in range(200)), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, Unavailable)]
    assert refused
    assert len(await names(store)) == 200 - len(refused)


async def test_closing_finishes_what_is_queued(store: Store) -> None:
    waiting = [asyncio.ensure_future(store.write(adding(f"n{number}"))) for number in range(20)]
    await asyncio.sleep(0)
    await asyncio.to_thread(store.close)
    assert await asyncio.gather(*waiting) == [f"n{number}" for number in range(20)]


def test_only_the_owner_may_read_the_database(settings) -> None:
    assert stat.S_IMODE(settings.database_path.stat().st_mode) == 0o600
