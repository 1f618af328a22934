"""The database server ends in the midst of writes, in every way that servers end, and is started again."""

import datetime as dt
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from database_servers import Server, running
from left_behind import check_all
from replica import ADMINISTRATOR, Replica, running_on, wait_until_ready
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
