"""The database server has as many connections as it takes: others hold them all, and ours were ended."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from database_servers import ESCAPED, Server, running
from left_behind import check_all
from replica import ADMINISTRATOR, Replica, running_on, wait_until_ready
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from storm import PATIENCE_S, Storm, gather

KINDS = [pytest.param(kind, marks=pytest.mark.xdist_group(kind)) for kind in ("postgresql", "mariadb")]
FEWEST = 10
"""The lowest limit that MariaDB can be given."""
RECOVERED_WITHIN_S = 60.0


def ended(each: Connection, name: str, kind: str) -> int:
    """End the connections of our user to a database; how many there were."""
    if kind == "postgresql":
        asked = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = 'few'"
        return len(each.exec_driver_sql(asked, (name,)).all())
    asked = "SELECT id FROM information_schema.processlist WHERE db = %s AND user = 'few'"
    found = each.exec_driver_sql(asked, (name,)).scalars().all()
    for one in found:
        try:
            each.exec_driver_sql(f"KILL {int(one)}")
        except DBAPIError:  # it has ended by itself
            continue
    return len(found)


@contextmanager
def all_taken(server: Server, name: str) -> Iterator[None]:
    """Have every connection that our user may have taken by others."""
    engine = server.administrator()
    with ExitStack() as held:
        held.callback(engine.dispose)
        first = held.enter_context(engine.connect().execution_options(isolation_level="AUTOCOMMIT"))
        if server.kind == "postgresql":
            first.exec_driver_sql("ALTER ROLE few CONNECTION LIMIT 0")
            held.callback(first.exec_driver_sql, "ALTER ROLE few CONNECTION LIMIT -1")
        else:
            before = first.exec_driver_sql("SELECT @@GLOBAL.max_connections").scalar_one()
            first.exec_driver_sql(f"SET GLOBAL max_connections = {FEWEST}")
            held.callback(first.exec_driver_sql, f"SET GLOBAL max_connections = {before}")
        ends_at = time.monotonic() + PATIENCE_S
        while not is_full(server, held) or ended(
            first, name, server.kind
        ):  # ours come back while others are on their way
            assert time.monotonic() < ends_at
        yield


def is_full(server: Server, held: ExitStack) -> bool:
    """Take what is free; tells whether our user finds nothing more."""
    if server.kind == "postgresql":
        return True  # its limit has been reached
    for _ in range(FEWEST):
        engine = server.administrator()
        try:
            held.enter_context(engine.connect())
        except DBAPIError:
            return True
        finally:
            held.callback(engine.dispose)
    return False


def owned_by_few(server: Server) -> str:
    """Make a database of a user who is no administrator; its URL."""
    url = server.blank().url
    name = url.rpartition("/")[2]
    engine = server.administrator()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if server.kind == "postgresql":
            connection.exec_driver_sql(
                "DO $$ BEGIN CREATE ROLE few LOGIN PASSWORD 'few'; EXCEPTION WHEN duplicate_object THEN END $$"
            )
            connection.exec_driver_sql(f"ALTER DATABASE {name} OWNER TO few")
        else:
            connection.exec_driver_sql("CREATE USER IF NOT EXISTS few@'127.0.0.1' IDENTIFIED BY 'few'")
            connection.exec_driver_sql(f"GRANT ALL ON {name}.* TO few@'127.0.0.1'")
    engine.dispose()
    return url.replace(f"pilot:{ESCAPED}", "few:few")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_database_server_that_takes_no_more_connections_is_told_and_waited_for(kind: str, tmp_path: Path) -> None:
    server = running(kind)
    url = owned_by_few(server)
    name = url.rpartition("/")[2]
    replica = Replica(tmp_path / "home", url, PILOTHOUSE_DATABASE_TIMEOUT_S="4")
    with running_on(replica):
        storm = gather(ADMINISTRATOR, replica.runtimes, replica.console)
        with storm.raging(lambda: replica.runtimes, lambda: replica.console):
            storm.wait_for(20)
            with all_taken(server, name):
                storm.forget()
                is_told_to_people(replica)
                storm.wait_until(lambda: is_refused(storm))
                told = [part["detail"] for part in replica.not_ready().values()]
                assert any("takes no more connections" in each for each in told), told
            wait_until_ready(replica, RECOVERED_WITHIN_S)
            storm.wait_for(20, RECOVERED_WITHIN_S)
            told_at_all = storm.notes()
        assert set(told_at_all.statuses) <= {200, 202, 503}, told_at_all
        assert set(told_at_all.codes) <= {"STORAGE_UNAVAILABLE", "UNAVAILABLE"}, told_at_all
        check_all(server.database(name), storm)


def is_refused(storm: Storm) -> bool:
    return all(each.statuses[503] for each in [*(one.notes for one in storm.runtimes), storm.person.notes])


def is_told_to_people(replica: Replica) -> None:
    """Whoever signs in is told that it is our trouble, which, and what mends it."""
    line = http.client.HTTPConnection("127.0.0.1", replica.console, timeout=PATIENCE_S)
    try:
        given = json.dumps({"username": "admin", "password": ADMINISTRATOR})
        line.request("POST", "/auth/sign-in", given, {"Content-Type": "application/json"})
        answer = line.getresponse()
        told = json.loads(answer.read())
    finally:
        line.close()
    assert (answer.status, told["code"]) == (503, "STORAGE_UNAVAILABLE"), told
    assert "takes no more connections" in json.dumps(told), told
    assert "PILOTHOUSE_DATABASE_POOL" in json.dumps(told), told
