"""The network between a replica and its database falls silent: no connection ends, nothing is refused, no answer comes."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from database_servers import Server, running
from left_behind import check_all
from namespaces import network
from replica import ADMINISTRATOR, Replica, running_on, wait_until_ready
from storm import Runtime, Storm, gather, line_to
from wire_to_a_database import Wire

TIMEOUT_S = 4
ANSWERED_WITHIN_S = 35.0
"""The 30 s of the runtimes' port, and a machine that is busy with other things."""
FROM_MEMORY_WITHIN_S = 8.0


@dataclass
class Cuttable:
    """A replica, and how it is cut from its database."""

    replica: Replica
    cut: Callable[[], None]
    mend: Callable[[], None]


@contextmanager
def by_a_silent_wire(server: Server, home: Path) -> Iterator[Cuttable]:
    with closing(Wire(server.port)) as wire:
        yield Cuttable(replica_on(server, home, f"127.0.0.1:{wire.port}"), wire.cut, wire.mend)


@contextmanager
def by_its_network(server: Server, home: Path) -> Iterator[Cuttable]:
    with network() as own, closing(Wire(server.port, own.database_at)) as wire:
        replica = replica_on(server, home, f"{own.database_at}:{wire.port}")
        replica.within = own.within
        yield Cuttable(replica, own.cut, own.mend)


def replica_on(server: Server, home: Path, at: str) -> Replica:
    url = server.blank().url.replace(f"127.0.0.1:{server.port}", at)
    return Replica(home, url, PILOTHOUSE_DATABASE_TIMEOUT_S=str(TIMEOUT_S))


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.xdist_group(kind)) for kind in ("postgresql", "mariadb")]
)
def test_a_replica_whose_database_falls_silent_answers_in_time_and_goes_on_by_itself(kind: str, tmp_path: Path) -> None:
    server = running(kind)
    with by_a_silent_wire(server, tmp_path / "home") as cuttable, running_on(cuttable.replica):
        it_is_cut_and_comes_back(server, cuttable, lambda: cuttable.replica.runtimes, lambda: cuttable.replica.console)


def it_is_cut_and_comes_back(
    server: Server, cuttable: Cuttable, runtimes: Callable[[], int], console: Callable[[], int]
) -> None:
    replica = cuttable.replica
    storm = gather(ADMINISTRATOR, runtimes(), console())
    with storm.raging(runtimes, console):
        storm.wait_for(20)
        began = time.monotonic()
        cuttable.cut()
        storm.forget()
        while not is_refused(storm):
            is_answered_from_memory(storm.quiet, runtimes())
            storm.check()
            assert time.monotonic() - began < 2 * ANSWERED_WITHIN_S, storm.notes()
            time.sleep(0.5)
        found = replica.not_ready()
        assert "database.read" in found or "database.write" in found
        cuttable.mend()
        wait_until_ready(replica)
        storm.wait_for(20)
        is_answered_from_memory(storm.quiet, runtimes())
    told = storm.notes()
    assert set(told.statuses) <= {200, 202, 503}, told
    assert set(told.codes) <= {"STORAGE_UNAVAILABLE", "UNAVAILABLE"}, told
    assert told.slowest_s < ANSWERED_WITHIN_S
    check_all(server.database(replica.environment["PILOTHOUSE_DATABASE_URL"].rpartition("/")[2]), storm)


def is_refused(storm: Storm) -> bool:
    everybody = [*(each.notes for each in storm.runtimes), storm.person.notes]
    return all(each.statuses[503] for each in everybody)


def is_answered_from_memory(quiet: Runtime, port: int) -> None:
    """Beat by delta on a connection of its own: that asks nothing of the database."""
    began = time.monotonic()
    with closing(line_to(port)) as line:
        assert quiet.delta(line) == 200
    assert time.monotonic() - began < FROM_MEMORY_WITHIN_S


@pytest.mark.slow
@pytest.mark.xdist_group("postgresql")
def test_a_replica_in_a_network_of_its_own_that_is_cut_from_the_database_goes_on_by_itself(tmp_path: Path) -> None:
    server = running("postgresql")
    with by_its_network(server, tmp_path / "home") as cuttable, running_on(cuttable.replica):
        replica = cuttable.replica
        namespace = replica.within[-1]
        with (
            closing(Wire(replica.runtimes, namespace=namespace)) as runtimes,
            closing(Wire(replica.console, namespace=namespace)) as console,
        ):
            replica.runtimes, replica.console = runtimes.port, console.port  # as they are reached from here
            it_is_cut_and_comes_back(server, cuttable, lambda: runtimes.port, lambda: console.port)
