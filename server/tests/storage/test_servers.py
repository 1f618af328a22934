"""Database servers: writers of several processes take turns, a batch that met a lock is run again, a lost server is our trouble."""

import asyncio
import signal
import threading
from contextlib import closing

import pytest
from database_servers import Server
from pilothouse.base.errors import CannotStart, StorageUnavailable, Unavailable
from pilothouse.base.place import Database
from pilothouse.domain.events import Event, EventKind, NewEvent
from pilothouse.storage import audit
from pilothouse.storage.counter_tables import counters
from pilothouse.storage.engine import open_writer
from pilothouse.storage.tables import audit_records, organizations
from pilothouse.storage.unit import Store, Transaction
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import DBAPIError
from storage_records import record

pytestmark = pytest.mark.anyio
_MANY = ", ".join(f"information_schema.collations AS c{number}" for number in range(6))
SLOW = {
    "postgresql": "SELECT pg_sleep(20)",
    "mariadb": "SELECT sleep(20) + count(*) FROM organizations",
    "mysql": f"SELECT count(*) FROM {_MANY}",  # whose sleep, when it is ended, is no error
}
NAMES = select(organizations.c.handle).order_by(organizations.c.handle)


def adding(name: str, *, emit: bool = False):
    def operation(tx: Transaction) -> str:
        tx.connection.execute(insert(organizations).values(id=name, handle=name, display_name=name))
        if emit:
            tx.emit(NewEvent(kind=EventKind.PROJECT_CREATED, at=1.0, detail=name))
        return name

    return operation


async def names(store: Store) -> list[str]:
    return list(await store.read(lambda c: c.execute(NAMES).scalars().all()))


async def test_two_processes_write_at_once_and_neither_breaks_what_the_other_read(served: Database) -> None:
    """Each adds one to what it reads, and appends to the chain: no addition is lost, the chain has no gap and no fork."""
    published: list[Event] = []
    stores = [Store(served, published.extend) for _ in range(2)]

    def add_one(tx: Transaction) -> None:
        found = tx.connection.execute(
            select(organizations.c.display_name).where(organizations.c.id == "count")
        ).scalar_one()
        changed = update(organizations).where(organizations.c.id == "count").values(display_name=str(int(found) + 1))
        tx.connection.execute(changed)
        audit.append(tx.connection, record(found))
        tx.emit(NewEvent(kind=EventKind.PROJECT_CREATED, at=1.0, detail=found))

    await stores[0].write(
        lambda tx: tx.connection.execute(insert(organizations).values(id="count", handle="count", display_name="0"))
    )
    await asyncio.gather(*(stores[number % 2].write(add_one) for number in range(100)))
    count = select(organizations.c.display_name).where(organizations.c.id == "count")
    assert await stores[0].read(lambda c: c.execute(count).scalar_one()) == "100"
    numbers = select(audit_records.c.number).order_by(audit_records.c.number)
    assert await stores[1].read(lambda c: c.execute(numbers).scalars().all()) == list(range(1, 101))
    by_number = [event.detail for event in sorted(published, key=lambda event: event.sequence)]
    assert by_number == [str(number) for number in range(100)], "events are numbered in the order of their commits"
    for store in stores:
        store.close()


async def test_a_batch_that_ran_into_a_deadlock_is_run_again(server: Server, served: Database) -> None:
    """Somebody else's transaction, which takes no turn, locks two rows in the other order."""
    with closing(Store(served, lambda _: None)) as store:
        await store.write(adding("a"))
        await store.write(adding("b"))
        other = open_writer(served)
        holds, tried = threading.Event(), []

        def lock(connection: object, name: str) -> None:
            connection.execute(update(organizations).where(organizations.c.id == name).values(display_name="locked"))

        def cross(tx: Transaction) -> int:
            tried.append(1)
            lock(tx.connection, "b")
            if len(tried) == 1:
                holds.set()
                ready.wait(5)
            lock(tx.connection, "a")
            return len(tried)

        ready = threading.Event()

        def in_the_way() -> None:
            with other.connect() as connection, connection.begin():
                lock(connection, "a")
                holds.wait(10)
                ready.set()
                try:
                    lock(connection, "b")
                except DBAPIError:
                    connection.rollback()  # the database chose this one: then nothing had to be run again

        thread = threading.Thread(target=in_the_way)
        thread.start()
        assert await store.write(cross) == len(tried)
        thread.join()
        other.dispose()
        assert store.last_failure is None


async def test_a_server_that_was_started_again_is_written_to_and_read_from_without_a_failure(
    server: Server, served: Database
) -> None:
    with closing(Store(served, lambda _: None)) as store:
        await store.write(adding("a"))
        assert await names(store) == ["a"]
        server.stop(signal.SIGQUIT if server.kind == "postgresql" else signal.SIGKILL)
        server.start()
        assert await store.write(adding("b")) == "b"
        assert await names(store) == ["a", "b"]


async def test_while_the_server_is_gone_it_is_our_trouble_and_afterwards_it_goes_on(
    server: Server, served: Database
) -> None:
    with closing(Store(served, lambda _: None)) as store:
        await store.write(adding("a"))
        server.stop(signal.SIGQUIT if server.kind == "postgresql" else signal.SIGKILL)
        try:
            with pytest.raises(StorageUnavailable, match=r"does not answer|cannot be reached") as failure:
                await store.write(adding("b"))
            assert "p%3A" not in str(failure.value)
            assert store.last_failure
            with pytest.raises(StorageUnavailable):
                await names(store)
        finally:
            server.start()
        await store.write(adding("c"))
        assert await names(store) == ["a", "c"]
        assert store.last_failure is None


async def test_a_connection_lost_in_mid_transaction_takes_the_whole_batch_into_the_next_one(
    server: Server, served: Database
) -> None:
    """Not one operation is lost, and none is done twice."""
    with closing(Store(served, lambda _: None)) as store:
        killed: list[int] = []
        own = "pg_backend_pid()" if server.kind == "postgresql" else "connection_id()"
        end = "SELECT pg_terminate_backend({})" if server.kind == "postgresql" else "KILL {}"

        def end_own_connection(tx: Transaction) -> str:
            tx.connection.execute(insert(organizations).values(id="b", handle="b", display_name="b"))
            if not killed:
                killed.append(tx.connection.execute(text(f"SELECT {own}")).scalar_one())
                server.run(end.format(killed[0]))
            tx.connection.execute(insert(organizations).values(id="c", handle="c", display_name="c"))
            return "done"

        answers = await asyncio.gather(
            store.write(adding("a")), store.write(end_own_connection), store.write(adding("d"))
        )
        assert answers == ["a", "done", "d"]
        assert await names(store) == ["a", "b", "c", "d"]


async def test_a_connection_lost_in_the_commit_is_said_and_not_tried_again(server: Server, served: Database) -> None:
    """It may have been committed: running it once more could do it twice."""
    with closing(Store(served, lambda _: None)) as store:
        own = "pg_backend_pid()" if server.kind == "postgresql" else "connection_id()"
        end = "SELECT pg_terminate_backend({})" if server.kind == "postgresql" else "KILL {}"
        await store.write(adding("a"))
        ran = []
        connection_class = store.writer_engine.dialect
        commit = connection_class.do_commit

        def lost(raw: object) -> None:
            connection_class.do_commit = commit
            with closing(raw.cursor()) as cursor:
                cursor.execute(f"SELECT {own}")
                server.run(end.format(cursor.fetchone()[0]))
            commit(raw)

        def operation(tx: Transaction) -> None:
            ran.append(1)
            adding("b")(tx)

        connection_class.do_commit = lost
        with pytest.raises(StorageUnavailable):
            await store.write(operation)
        assert ran == [1]


async def test_a_statement_that_takes_too_long_is_ended(server: Server) -> None:
    served = server.fresh()
    slow = SLOW[server.kind]
    database = Database(url=served.url, timeout_s=1.0)
    with closing(Store(database, lambda _: None)) as store:
        started = asyncio.get_running_loop().time()
        with pytest.raises(StorageUnavailable):
            await store.read(lambda c: c.execute(text(slow)).scalar_one())
        assert asyncio.get_running_loop().time() - started < 15


async def test_a_turn_that_somebody_keeps_is_waited_for_and_then_given_up(server: Server) -> None:
    database = Database(url=server.fresh().url, timeout_s=1.0)
    holder = open_writer(Database(url=database.url))
    with closing(Store(database, lambda _: None)) as store:
        with holder.connect() as connection, connection.begin():
            connection.execute(update(counters).values(number=counters.c.number + 1))
            with pytest.raises(StorageUnavailable):
                await store.write(adding("a"))
        assert await store.write(adding("a")) == "a"
    holder.dispose()


async def test_a_value_that_does_not_fit_fails_alone(served: Database) -> None:
    with closing(Store(served, lambda _: None)) as store:
        answers = await asyncio.gather(
            store.write(adding("a")), store.write(adding("x" * 500)), store.write(adding("b")), return_exceptions=True
        )
        assert [type(answer) for answer in answers[::2]] == [str, str]
        assert isinstance(answers[1], DBAPIError)
        assert await names(store) == ["a", "b"]


async def test_a_wrong_password_is_said_without_telling_any(server: Server) -> None:
    served = server.fresh()
    wrong = Database(url=served.url.replace("p%3Al%40t", "an-other-word"))
    with closing(Store(wrong, lambda _: None)) as store:
        with pytest.raises(Unavailable) as failure:
            await names(store)
        assert "an-other-word" not in f"{failure.value} {failure.value.fix}"
    assert wrong.shown == f"{server.kind}://pilot@127.0.0.1:{server.port}/fresh"


def test_parameters_that_mean_nothing_are_refused(served: Database) -> None:
    with pytest.raises(CannotStart, match="sslmdoe"):
        open_writer(Database(url=served.url + "?sslmdoe=verify-full"))
    with pytest.raises(CannotStart, match="sslmode=maybe"):
        open_writer(Database(url=served.url + "?sslmode=maybe"))
