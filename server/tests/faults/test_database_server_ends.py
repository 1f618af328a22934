"""The database server ends in the midst of writes, in every way that servers end, and is started again."""

import asyncio
import datetime as dt
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from database_servers import Server, running
from left_behind import check_all
from pilothouse.domain.events import Event
from pilothouse.storage.unit import Store, Transaction
from replica import ADMINISTRATOR, Replica, running_on, wait_until_ready
from sqlalchemy import text
from storm import Storm, gather

KINDS = [pytest.param(kind, marks=pytest.mark.xdist_group(kind)) for kind in ("postgresql", "mariadb")]
TIMEOUT_S = 4
ANSWERED_WITHIN_S = 30.0
"""Whoever asks while the database is gone is told so by then, on a machine that is busy with other things too."""
RECOVERED_WITHIN_S = 30.0


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A database server that is up again at the end, whatever the test did to it."""
    found = running(request.param)
    yield found
    if not found.is_up:
        found.start()


def quit_at_once(server: Server) -> None:
    """End every connection in mid-statement: PostgreSQL's `immediate`; MariaDB's shutdown ends them too."""
    server.stop(signal.SIGQUIT if server.kind == "postgresql" else signal.SIGTERM)


ENDS: dict[str, Callable[[Server], None]] = {"killed": Server.kill, "told to quit": quit_at_once}


def replica_on(server: Server, home: Path, **more: str) -> Replica:
    return Replica(home, server.blank().url, PILOTHOUSE_DATABASE_TIMEOUT_S=str(TIMEOUT_S), **more)


@pytest.mark.slow
@pytest.mark.parametrize("server", KINDS, indirect=True)
@pytest.mark.parametrize("end", ENDS)
def test_a_database_server_that_ends_in_mid_transaction_costs_nobody_anything(
    server: Server, end: str, tmp_path: Path
) -> None:
    replica = replica_on(server, tmp_path / "home")
    with running_on(replica):
        storm = gather(ADMINISTRATOR, replica.runtimes, replica.console)
        with storm.raging(lambda: replica.runtimes, lambda: replica.console):
            storm.wait_for(40)
            began = time.time()
            ENDS[end](server)
            storm.forget()
            is_told_as_our_own_trouble(storm)
            is_named_by_readyz(replica, since=began)
            server.start()
            wait_until_ready(replica, RECOVERED_WITHIN_S)
            storm.wait_for(20, RECOVERED_WITHIN_S)
        assert storm.notes().slowest_s < ANSWERED_WITHIN_S
        check_all(server.database(name_of(replica)), storm)


@pytest.mark.anyio
@pytest.mark.parametrize("server", KINDS, indirect=True)
async def test_a_transaction_that_the_server_ends_since_it_was_silent_is_run_again(server: Server) -> None:
    database = msgspec.structs.replace(server.fresh(name="silent"), timeout_s=1.0)
    published: list[Event] = []
    store, runs = Store(database, published.extend), []

    def slow_at_first(tx: Transaction) -> int:
        change_the_name(tx, "slow")
        runs.append(1)
        if len(runs) == 1:
            time.sleep(3.5)  # the writer's own thread, in the midst of its transaction
        return change_the_name(tx, "slow, and done")

    try:
        both = store.write(slow_at_first), store.write(lambda tx: change_the_name(tx, "quick"))
        assert await asyncio.gather(*both) == [0, 0]
        assert len(runs) == 2
        assert store.last_failure is None
    finally:
        await asyncio.to_thread(store.close)


def change_the_name(tx: Transaction, name: str) -> int:
    """Change a row that is not there: what counts is that the server carried it out."""
    change = text("update organizations set display_name = :n where id = 'nobody'")
    return tx.connection.execute(change, {"n": name}).rowcount


def name_of(replica: Replica) -> str:
    return replica.environment["PILOTHOUSE_DATABASE_URL"].rpartition("/")[2]


def is_told_as_our_own_trouble(storm: Storm) -> None:
    """Wait until everybody was refused, and look how: 503 and nothing else, while deltas are acknowledged from memory."""

    def is_known() -> bool:
        everybody = [*(each.notes for each in storm.runtimes), storm.person.notes]
        return all({"STORAGE_UNAVAILABLE", "UNAVAILABLE"} & set(each.codes) for each in everybody)

    storm.wait_until(is_known)
    told = storm.notes()
    assert set(told.statuses) <= {200, 202, 503}, told
    assert set(told.codes) <= {"STORAGE_UNAVAILABLE", "UNAVAILABLE"}, told


def is_named_by_readyz(replica: Replica, since: float) -> None:
    found = replica.not_ready()
    assert set(found) <= {"database.read", "database.write", "events"}
    assert {"database.read", "database.write"} & set(found)
    for part in found.values():
        assert part["detail"]
        assert since - 1 < dt.datetime.fromisoformat(part["since"]).timestamp() < time.time() + 1
