"""PostgreSQL is asked once a statement, and answers stay in step with questions whatever fails."""

import datetime as dt
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from database_servers import running
from pilothouse.base.place import Database
from pilothouse.serving import certificates
from pilothouse.storage.dialects import KINDS, Trouble, one_trip
from pilothouse.storage.dialects.one_trip import ROWS_MAX
from pilothouse.storage.engine import open_readers, open_writer, trouble_of
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

pytestmark = pytest.mark.xdist_group("postgresql")
ADD = text("insert into organizations (id, handle, display_name) values (:n, :n, :n)")
RENAME = text("update organizations set handle = :to where handle = :from")
NAMES = text("select handle from organizations where handle like :pattern order by handle")


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = open_writer(running("postgresql").fresh())
    yield made
    made.dispose()


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[None]:
    """The server offers TLS meanwhile, by a certificate that nobody trusts."""
    server = running("postgresql")
    made = certificates.ensure(certificates.CertificateSettings(directory=tmp_path), dt.datetime.now(dt.UTC))
    for source, name in ((made.certificate, "server.crt"), (made.key, "server.key")):
        place = shutil.copy(source, server.folder / "data" / name)
        Path(place).chmod(0o600)
        if server.user:
            shutil.chown(place, server.user, server.user)
    server.run("ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()")
    yield
    server.run("ALTER SYSTEM RESET ssl", "SELECT pg_reload_conf()")


def is_under_tls(query: str = "") -> bool:
    engine = open_writer(Database(url=running("postgresql").fresh().url + query))
    with engine.connect() as connection:
        asked = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        found = connection.exec_driver_sql(asked).scalar_one()
    engine.dispose()
    return bool(found)


@pytest.fixture
def trips(engine: Engine) -> list[int]:
    """How often the connection sent something."""
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
    counted: list[int] = []
    flush = raw._sock.flush

    class Counting:
        def __getattr__(self, name: str) -> object:
            return getattr(inner, name)

        def flush(self) -> None:
            counted.append(1)
            flush()

    inner, raw._sock = raw._sock, Counting()
    return counted


def names(connection: Connection) -> list[str]:
    return list(connection.execute(NAMES, {"pattern": "n%"}).scalars())


def test_tls_is_used_where_the_server_offers_it_and_nothing_is_asked_for(tls: None) -> None:
    assert [is_under_tls(query) for query in ("", "?sslmode=require", "?sslmode=disable")] == [True, True, False]


def test_a_connection_reads_none_of_the_authorities_that_nobody_is_checked_by(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[object] = []
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", read.append)
    assert not is_under_tls()
    assert read == []


def test_each_statement_is_one_trip_and_what_gives_no_answer_is_none(engine: Engine, trips: list[int]) -> None:
    with engine.connect() as connection, connection.begin():
        for name in ("n1", "n2"):
            with connection.begin_nested():
                connection.execute(ADD, {"n": name})
    assert len(trips) == 3, "two inserts and the commit; BEGIN, two savepoints and their releases went with them"
    with engine.connect() as connection:
        assert names(connection) == ["n1", "n2"]


def test_a_transaction_in_which_nothing_was_done_asks_nothing(engine: Engine, trips: list[int]) -> None:
    for ends in ("commit", "rollback"):
        with engine.connect() as connection:
            transaction = connection.begin()
            connection.begin_nested().commit()
            getattr(transaction, ends)()
    with engine.connect() as connection:
        connection.begin_nested()
    assert trips == []
    with engine.connect() as connection:
        assert names(connection) == []


def test_what_fails_takes_its_savepoint_with_it_and_nothing_else(engine: Engine) -> None:
    with engine.connect() as connection, connection.begin():
        with connection.begin_nested():
            connection.execute(ADD, {"n": "n1"})
        second = connection.begin_nested()
        connection.execute(ADD, {"n": "n2"})
        with pytest.raises(IntegrityError):
            connection.execute(ADD, {"n": "n1"})
        second.rollback()
        with pytest.raises(DBAPIError, match="no_such_table"), connection.begin_nested():
            connection.execute(text("select * from no_such_table where a = :a"), {"a": 1})
        with connection.begin_nested():
            connection.execute(ADD, {"n": "n3"})
        assert names(connection) == ["n1", "n3"]
    with engine.connect() as connection:
        assert names(connection) == ["n1", "n3"]


def test_a_failure_of_what_waited_is_told_by_the_statement_behind_it(engine: Engine) -> None:
    with engine.connect() as connection:
        with pytest.raises(DBAPIError):
            connection.exec_driver_sql("select 1/0")
        connection.exec_driver_sql("SAVEPOINT too_late")
        with pytest.raises(DBAPIError, match="aborted"):
            connection.execute(NAMES, {"pattern": "n%"})
        connection.rollback()
        assert names(connection) == [], "the answers are in step"


def test_a_commit_of_what_has_failed_is_no_commit(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(ADD, {"n": "n1"})
        with pytest.raises(DBAPIError):
            connection.execute(ADD, {"n": "n1"})
        with pytest.raises(DBAPIError, match="in failed transaction block"):
            connection.commit()
    with engine.connect() as connection:
        assert names(connection) == []


def test_values_come_back_as_they_went(engine: Engine) -> None:
    values = {
        "none": None,
        "empty": "",
        "long": "ä€😀%s %% $1 ' \"" * 5_000,
        "octets": bytes(range(256)) * 40,
        "number": -(2**62),
    }
    types = {"none": "text", "empty": "text", "long": "text", "octets": "bytea", "number": "bigint"}
    asked = ", ".join(f"cast(:{name} as {type_}) as {name}" for name, type_ in types.items())
    with engine.connect() as connection:
        row = connection.execute(text(f"select {asked}, '%' as sign, 7 %% 4 as rest"), values).mappings().one()
        assert {name: row[name] for name in values} == values
        assert (row["sign"], row["rest"]) == ("%", 3)
        rows = connection.execute(text("select * from generate_series(1, :n)"), {"n": 20_000}).scalars().all()
        assert rows == list(range(1, 20_001))
        none = connection.execute(text("select 1 where 1 = :n"), {"n": 2})
        assert none.all() == []


def test_readers_see_one_state_from_the_first_statement_to_the_last(engine: Engine) -> None:
    reading = open_readers(running("postgresql").database("fresh"))
    with reading.connect() as reader:
        assert names(reader) == []
        with engine.begin() as writer:
            writer.execute(ADD, {"n": "n1"})
        assert names(reader) == []
        reader.rollback()
        assert names(reader) == ["n1"]
        with pytest.raises(DBAPIError, match="read-only"):
            reader.execute(ADD, {"n": "n2"})
    reading.dispose()


def test_a_connection_that_the_server_ended_is_gone_and_the_next_is_another(engine: Engine) -> None:
    with engine.connect() as connection:
        number = connection.exec_driver_sql("select pg_backend_pid()").scalar_one()
    ending = running("postgresql").administrator()
    with ending.connect() as connection:
        connection.exec_driver_sql(f"select pg_terminate_backend({number}, 10000)")
    ending.dispose()
    with engine.connect() as connection:
        connection.begin_nested()
        with pytest.raises(DBAPIError) as failed:
            connection.execute(ADD, {"n": "n1"})
    assert trouble_of(failed.value, KINDS["postgresql"]) is Trouble.GONE
    with engine.connect() as connection:
        assert names(connection) == []


def test_a_statement_for_many_rows_is_one_trip_and_the_rows_that_it_changed_are_counted(
    engine: Engine, trips: list[int]
) -> None:
    rows = [{"n": f"n{number:05}"} for number in range(ROWS_MAX + 1)]
    with engine.connect() as connection, connection.begin():
        added = connection.execute(ADD, rows)
        assert len(trips) == 2, "as many rows as a trip carries, and the one that is left"
        assert added.rowcount == len(rows)
        renamed = connection.execute(RENAME, [{"from": "n00001", "to": "m1"}, {"from": "nobody", "to": "m2"}])
        assert renamed.rowcount == 1
        assert len(trips) == 3
    with engine.connect() as connection:
        assert names(connection) == [row["n"] for row in rows if row["n"] != "n00001"]


def test_of_many_rows_with_one_that_fails_nothing_is_kept_and_the_connection_goes_on(engine: Engine) -> None:
    with engine.connect() as connection, connection.begin():
        with pytest.raises(IntegrityError), connection.begin_nested():
            connection.execute(ADD, [{"n": "n1"}, {"n": "n2"}, {"n": "n1"}, {"n": "n3"}])
        assert names(connection) == []
        connection.execute(ADD, [{"n": "n4"}, {"n": "n5"}])
    with engine.connect() as connection:
        assert names(connection) == ["n4", "n5"]


def test_what_a_trip_carries_is_limited(engine: Engine, trips: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_trip, "OCTETS_MAX", 50)
    long = "x" * 30
    with engine.connect() as connection, connection.begin():
        added = connection.execute(ADD, [{"n": f"n{number}{long}"} for number in range(3)])
        assert (added.rowcount, len(trips)) == (3, 3), "each row is more than a trip takes, and goes alone"
        assert len(names(connection)) == 3
