"""What a database server refuses, and what it is not: each is said with its reason and its fix, and without the password."""

import gc
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from database_servers import ESCAPED, ONE_OF_SERVED, PASSWORD, MariaDbServer, Server, free_port, running
from pilothouse.app.database import status_now, upgrade_now
from pilothouse.base.errors import CannotStart, PilothouseError, StorageRefused, StorageUnavailable
from pilothouse.base.place import Database
from pilothouse.storage.alone import reading
from pilothouse.storage.dialects import KINDS
from pilothouse.storage.dialects.mysql import _settings
from pilothouse.storage.engine import open_writer
from pilothouse.storage.tables import metadata, organizations
from pilothouse.storage.unit import Store
from sqlalchemy import insert, inspect, select

pytestmark = pytest.mark.anyio
WEAK = "weak"
"""A user, and its password."""


def refused(why: type[PilothouseError], match: str, url: str) -> PilothouseError:
    """Upgrade and ask for the status of a database: both are refused, in the same words."""
    told: list[PilothouseError] = []
    for command in (upgrade_now, status_now):
        with pytest.raises(why, match=match) as failure:
            command(Database(url=url))
        told.append(failure.value)
        for secret in (PASSWORD, ESCAPED, "an-other-word"):
            assert secret not in f"{failure.value.message} {failure.value.fix}"
    assert told[0].message == told[1].message
    assert ".." not in told[0].message
    return told[0]


def own(server: Server, *statements: str) -> None:
    """Run statements as who may make users."""
    if server.kind == "postgresql":
        server.run(*statements)
        return
    root = open_writer(Database(url=f"{server.kind}://root@localhost/mysql?unix_socket={server.folder}/socket"))
    with root.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    root.dispose()


@pytest.fixture
def weak(server: Server) -> Iterator[str]:
    """A user who may connect, and do nothing else."""
    if server.kind == "postgresql":
        own(server, f"CREATE ROLE {WEAK} LOGIN PASSWORD '{WEAK}'")
        yield WEAK
        own(server, f"DROP OWNED BY {WEAK}", f"DROP ROLE {WEAK}")
    else:
        own(server, f"CREATE USER {WEAK}@'127.0.0.1' IDENTIFIED BY '{WEAK}'")
        yield f"{WEAK}@'127.0.0.1'"
        own(server, f"DROP USER {WEAK}@'127.0.0.1'")


def as_weak(database: Database) -> str:
    return database.url.replace(f"pilot:{ESCAPED}", f"{WEAK}:{WEAK}")


def test_a_wrong_password_and_an_unknown_user_are_refused_as_what_they_are(server: Server) -> None:
    url = server.blank().url
    for wrong in (url.replace(ESCAPED, "an-other-word"), url.replace("pilot:", "nobody:")):
        told = refused(StorageRefused, "refuses the sign-in: .*(pilot|nobody)", wrong)
        assert told.code == "STORAGE_REFUSED"
        assert "user and password in PILOTHOUSE_DATABASE_URL" in told.fix


def test_a_database_that_is_not_there_is_named(server: Server) -> None:
    told = refused(StorageRefused, "no such database: .*nothere", server.url("nothere"))
    assert "Make the database" in told.fix


def test_a_server_that_is_not_there_is_told_by_its_host(server: Server) -> None:
    url = server.blank().url
    for wrong in (url.replace(f":{server.port}", f":{free_port()}"), url.replace("127.0.0.1", "db.invalid")):
        told = refused(StorageUnavailable, r"cannot be reached: .*(127\.0\.0\.1|db\.invalid).*: ?|Errno", wrong)
        assert not isinstance(told, StorageRefused)
        assert "Look whether it runs" in told.fix


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_socket_that_is_not_there_is_the_same(server: Server, tmp_path: Path) -> None:
    place = f"host={tmp_path}" if server.kind == "postgresql" else f"unix_socket={tmp_path}/nothing"
    # Both drivers leave this socket to the collector. It goes with the error, which is not kept: else a later test would be blamed.
    fix = refused(StorageUnavailable, "cannot be reached", f"{server.kind}://pilot@localhost/x?{place}").fix
    gc.collect()
    assert "Look whether it runs" in fix


@pytest.mark.parametrize("mode", ["require", "verify-full"])
def test_tls_that_the_server_does_not_have_is_not_done_without(server: Server, mode: str) -> None:
    if mode == "require" and has_tls(server):
        assert_tls_is_used(f"{server.blank().url}?sslmode={mode}")
        return
    told = refused(StorageRefused, "by TLS", f"{server.blank().url}?sslmode={mode}")
    assert "sslmode" in told.fix


def has_tls(server: Server) -> bool:
    """Tell whether it made itself a certificate, as MySQL does, which nobody else trusts."""
    engine = server.administrator()
    asked = "SHOW ssl" if server.kind == "postgresql" else "SELECT @@have_ssl"
    with engine.connect() as connection:
        found = connection.exec_driver_sql(asked).scalar_one()
    engine.dispose()
    return str(found).lower() in {"on", "yes"}


def assert_tls_is_used(url: str) -> None:
    engine = open_writer(Database(url=url))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW STATUS LIKE 'Ssl_cipher'").one()[1]
    engine.dispose()


def test_a_password_that_was_not_escaped_is_not_told_to_anybody(server: Server) -> None:
    for password in (PASSWORD, "p@l@t", "p/l@t", "p?l@t", "p#l@t"):
        url = server.url("nothere").replace(ESCAPED, password)
        with pytest.raises(CannotStart, match="cannot be read") as failure:
            upgrade_now(Database(url=url))
        assert "%40" in failure.value.fix
        assert Database(url=url).shown == f"{server.kind}://pilot@127.0.0.1:{server.port}/nothere"


def test_a_user_who_may_make_no_tables_is_told_so_and_none_are_made(server: Server, weak: str) -> None:
    database = server.blank()
    name = database.url.rpartition("/")[2]
    if server.kind != "postgresql":
        assert (
            "own the database" in refused_upgrade(StorageRefused, as_weak(database)).fix
        )  # it hides even whether it is there
        own(server, f"GRANT SELECT ON {name}.* TO {weak}")
    told = refused_upgrade(StorageRefused, as_weak(database))
    assert "own the database" in told.fix
    assert "The database user may not do this" in told.message
    engine = open_writer(database)
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def refused_upgrade(why: type[PilothouseError], url: str) -> PilothouseError:
    with pytest.raises(why) as failure:
        upgrade_now(Database(url=url))
    return failure.value


async def test_a_right_that_is_taken_away_is_our_trouble_and_comes_back(server: Server, weak: str) -> None:
    """Nobody's request was wrong: it is answered 503, and the fix is with who runs the database."""
    served = server.fresh(name="rights")
    if server.kind == "postgresql":
        everything, table, run = "ALL TABLES IN SCHEMA public", "organizations", within(served)
    else:
        everything, table, run = "rights.*", "rights.organizations", partial(own, server)
    run(f"GRANT SELECT, UPDATE ON {everything} TO {weak}", f"GRANT INSERT ON {table} TO {weak}")

    def add(name: str):
        return lambda tx: tx.connection.execute(insert(organizations).values(id=name, handle=name, display_name=name))

    with closing(Store(Database(url=as_weak(served)), lambda _: None)) as store:
        await store.write(add("a"))
        run(f"REVOKE INSERT ON {table} FROM {weak}")
        with pytest.raises(StorageRefused, match="may not do this"):
            await store.write(add("b"))
        assert await store.read(lambda c: c.execute(select(organizations.c.id)).scalars().all()) == ["a"]
        run(f"GRANT INSERT ON {table} TO {weak}")
        await store.write(add("b"))
        assert store.last_failure is None
    with reading(served) as connection:
        assert len(connection.execute(select(organizations.c.id)).all()) == 2
    run(f"REVOKE SELECT, UPDATE ON {everything} FROM {weak}", f"REVOKE INSERT ON {table} FROM {weak}")


def within(database: Database) -> Callable[..., None]:
    """Run statements within a database, as who owns it."""

    def run(*statements: str) -> None:
        engine = open_writer(database)
        with engine.connect() as connection, connection.begin():
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()

    return run


def test_a_server_without_a_free_connection_is_told_from_one_that_is_gone(server: Server, weak: str) -> None:
    database = server.fresh(name="crowded")
    with ExitStack() as held:
        if server.kind == "postgresql":
            own(server, f"ALTER ROLE {weak} CONNECTION LIMIT 0")
        else:
            own(server, f"GRANT ALL ON crowded.* TO {weak}", f"ALTER USER {weak} WITH MAX_USER_CONNECTIONS 1")
            engine = open_writer(Database(url=as_weak(database)))
            held.callback(engine.dispose)
            held.enter_context(engine.connect())
        told = refused(StorageUnavailable, "takes no more connections", as_weak(database))
    assert "PILOTHOUSE_DATABASE_POOL" in told.fix
    assert not isinstance(told, StorageRefused)


def test_a_server_that_is_too_old_is_refused_before_anything_is_done(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = server.blank()
    for kind in KINDS.values():  # MariaDB is spoken to as MySQL
        monkeypatch.setattr(kind, "oldest", lambda _: (99, 1))
    told = refused(CannotStart, r"release \d+\..* too old", database.url)
    assert "99.1 or newer" in told.fix
    engine = open_writer(database)
    assert inspect(engine).get_table_names() == []
    engine.dispose()


class Pretending(MariaDbServer):
    """A MariaDB that says to be another release."""

    version = "10.5.29-MariaDB"

    def command(self) -> list[str]:
        return [*super().command(), f"--version={self.version}"]


@pytest.mark.slow
@pytest.mark.xdist_group("mariadb")
def test_what_a_server_says_of_its_release_is_read() -> None:
    running("mariadb")  # skips where there is none
    with closing(Pretending()) as server:
        url = server.blank().url
        assert "10.6 or newer" in refused(CannotStart, r"release 10\.5\.29, which is too old", url).fix


@pytest.mark.parametrize(
    ("version", "order"),
    [("8.0.16", ""), ("8.0.17-log", " COLLATE utf8mb4_0900_bin"), ("9.1.0", " COLLATE utf8mb4_0900_bin")],
)
def test_a_mysql_without_our_order_of_letters_is_not_asked_for_it_before_its_release_was_looked_at(
    version: str, order: str
) -> None:
    assert next(iter(_settings(version, 30.0, read_only=False))) == f"SET NAMES utf8mb4{order}"


@pytest.mark.xdist_group("mariadb")
def test_who_calls_mariadb_mysql_gets_the_same() -> None:
    """Both are spoken to in the same way: which of the two it is, the server says."""
    blank = running("mariadb").blank()
    upgrade_now(Database(url=blank.url.replace("mariadb://", "mysql://")))
    engine = open_writer(blank)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        made = connection.exec_driver_sql("SHOW CREATE TABLE organizations").one()[1]
        assert "utf8mb4_nopad_bin" in made
    engine.dispose()


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # pg8000 leaves this socket to the collector
@pytest.mark.xdist_group("mariadb")
def test_a_server_of_another_kind_is_no_database_of_this_one() -> None:
    url = running("mariadb").blank().url.replace("mariadb://", "postgresql://")
    # What each is told may be that the connection was reset, or what came before.
    for command in (upgrade_now, status_now):
        with pytest.raises(StorageUnavailable, match=r"does not answer|cannot be reached") as failure:
            command(Database(url=url))
        assert failure.value.fix
        del failure
    gc.collect()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.xdist_group("postgresql")
def test_what_no_postgresql_server_would_say_is_an_answer_that_is_told_of() -> None:
    said = iter([b"N", b"d\0\0\0\x05x"])  # no TLS, and then a piece of what is copied

    def serve() -> None:
        for answer in said:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1_024)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = threading.Thread(target=serve)
        serving.start()
        url = f"postgresql://pilot@127.0.0.1:{listening.getsockname()[1]}/pilothouse"
        with pytest.raises(StorageUnavailable, match="is no PostgreSQL server") as failure:
            status_now(Database(url=url))
        serving.join(10)
    assert failure.value.fix
    del failure
    gc.collect()


@pytest.mark.parametrize("kind", ONE_OF_SERVED)
def test_the_command_ends_with_the_status_of_an_unavailable_database(kind: str, tmp_path: Path) -> None:
    url = running(kind).blank().url.replace(ESCAPED, "an-other-word")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PILOTHOUSE_")}
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "pilothouse", "db", "upgrade", "--home", str(tmp_path)],
        env=environment | {"PILOTHOUSE_DATABASE_URL": url}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 7
    assert "(STORAGE_REFUSED)" in done.stderr
    assert "fix: Look at user and password" in done.stderr
    assert "an-other-word" not in done.stdout + done.stderr
