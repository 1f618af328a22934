"""Several replicas on one database: one is killed, one is cut off, their clocks disagree; runtimes beat through any of them."""

import itertools
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from database_servers import running
from left_behind import check_all
from replica import ADMINISTRATOR, Replica, running_on, wait_until_ready
from storm import Storm, asking, gather
from wire_to_a_database import Wire

KINDS = [pytest.param(kind, marks=pytest.mark.xdist_group(kind)) for kind in ("postgresql", "mariadb")]
OFFLINE_AFTER_S = 12
"""The least that leaves a busy machine its pauses; a clock that is 60 s off is far beyond it."""
LONG_OFFLINE_AFTER_S = 45
"""Longer than whoever speaks to the replica that is cut waits for its answers; what only that one hears, the others cannot know."""
SETTINGS = {"PILOTHOUSE_OFFLINE_AFTER_S": str(OFFLINE_AFTER_S), "PILOTHOUSE_DATABASE_TIMEOUT_S": "6"}
OFF_BY_A_MINUTE = """
import runpy, sys, time
true = time.time
time.time = lambda: true() + OFF_S
runpy.run_module("pilothouse", run_name="__main__", alter_sys=True)
"""


def replicas_of(home: Path, *urls: str, off_s: tuple[float, ...] = ()) -> list[Replica]:
    """Make replicas with one key; the database's URL is one for each."""
    made = [Replica(home / f"replica-{number}", url, **SETTINGS) for number, url in enumerate(urls)]
    for replica, seconds in zip(made, off_s, strict=False):
        replica.program_words = ("-c", OFF_BY_A_MINUTE.replace("OFF_S", str(seconds)))
    return made


@contextmanager
def together(replicas: list[Replica]) -> Iterator[None]:
    """Have them run: the first one makes the key, the others get it."""
    with ExitStack() as stack:
        stack.enter_context(running_on(replicas[0]))
        for replica in replicas[1:]:
            shutil.copytree(replicas[0].home / "keys", replica.home / "keys")
        stack.enter_context(running_on(*replicas[1:]))
        yield


def in_turn(replicas: list[Replica], of: Callable[[Replica], int]) -> Callable[[], int]:
    """Give the port of the next replica that runs, as a balancer does."""
    turns = itertools.count()

    def port() -> int:
        running = [each for each in replicas if each.program is not None]
        return of(running[next(turns) % len(running)])

    return port


@contextmanager
def raging(replicas: list[Replica]) -> Iterator[Storm]:
    """Have a fleet beat through all of them in turn: each comes with a new connection after every few beats."""
    storm = gather(ADMINISTRATOR, replicas[0].runtimes, replicas[0].console)
    storm.acts_a_connection = 3
    storm.runtimes.append(storm.quiet)  # else its silence is a true one
    with storm.raging(in_turn(replicas, lambda each: each.runtimes), in_turn(replicas, lambda each: each.console)):
        yield storm


def name_of(replica: Replica) -> str:
    return replica.environment["PILOTHOUSE_DATABASE_URL"].rpartition("/")[2]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_replica_that_is_killed_takes_nothing_with_it_that_was_acknowledged(kind: str, tmp_path: Path) -> None:
    server = running(kind)
    url = server.blank().url
    replicas = replicas_of(tmp_path, url, url)
    with together(replicas):
        with raging(replicas) as storm:
            storm.wait_for(40)
            storm.forget()
            for killed in replicas:
                killed.end(signal.SIGKILL)
                storm.wait_for(30)
                killed.start()
                storm.wait_for(20)
            told = storm.notes()
        assert set(told.statuses) <= {200, 202, 409}, told
        stays_running(replicas, storm)
        check_all(server.database(name_of(replicas[0])), storm)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_replicas_whose_clocks_are_two_minutes_apart_agree_on_who_is_alive(kind: str, tmp_path: Path) -> None:
    server = running(kind)
    url = server.blank().url
    replicas = replicas_of(tmp_path, url, url, off_s=(60.0, -60.0))
    with together(replicas):
        with raging(replicas) as storm:
            began = time.monotonic()
            storm.wait_for(60)
            while time.monotonic() - began < 2 * OFFLINE_AFTER_S:
                storm.check()
                time.sleep(0.1)
            told = storm.notes()
        assert set(told.statuses) <= {200, 202}, told
        stays_running(replicas, storm)
        check_all(server.database(name_of(replicas[0])), storm)


@pytest.mark.slow
@pytest.mark.xdist_group("postgresql")
def test_a_replica_that_is_cut_from_the_database_gives_no_verdict_and_comes_back_in_step(tmp_path: Path) -> None:
    server = running("postgresql")
    url = server.blank().url
    with closing(Wire(server.port)) as wire:
        replicas = replicas_of(tmp_path, url, url.replace(f":{server.port}/", f":{wire.port}/"))
        for replica in replicas:
            replica.environment["PILOTHOUSE_OFFLINE_AFTER_S"] = str(LONG_OFFLINE_AFTER_S)
        with together(replicas):
            balanced = list(replicas)
            with raging(balanced) as storm:
                storm.acts_a_connection = 1
                storm.wait_for(20)
                wire.cut()
                cut, cut_at = replicas[1], time.monotonic()
                while not cut.not_ready():
                    assert time.monotonic() - cut_at < 60
                    time.sleep(0.5)
                balanced.remove(cut)  # as a balancer does that asks /readyz
                out_at = time.monotonic()
                while time.monotonic() - out_at < LONG_OFFLINE_AFTER_S + 5:
                    storm.check()
                    time.sleep(0.5)
                assert replicas[0].not_ready() == {}
                wire.mend()
                wait_until_ready(cut)
                balanced.append(cut)
                storm.wait_for(20)
            stays_running(replicas, storm)
            check_all(server.database(name_of(replicas[0])), storm)


def stays_running(replicas: list[Replica], storm: Storm) -> None:
    """Ask every replica who runs: whoever beat just now does, whichever replica heard it."""
    wanted = {each.runtime_id for each in storm.runtimes}
    for replica in replicas:
        end, found = time.monotonic() + 20, dict[str, str]()
        while {each for each, status in found.items() if status == "RUNNING"} & wanted != wanted:
            assert time.monotonic() < end, found
            found = statuses(replica, storm)
            assert "OFFLINE" not in {found.get(each) for each in wanted}, found
            time.sleep(0.2)


def statuses(replica: Replica, storm: Storm) -> dict[str, str]:
    with closing(asking(replica.console)) as desk:
        nodes = storm.person.ask(desk, "{ runtimes { nodes { runtimeId status } } }")["runtimes"]["nodes"]
    return {node["runtimeId"]: node["status"] for node in nodes}
