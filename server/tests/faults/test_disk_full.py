"""The disk fills up in the midst of writes, for real: where the database keeps its data, or where the home lies."""

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from database_servers import SERVERS, Server, running
from left_behind import check_all
from pilothouse.base.place import embedded
from replica import ADMINISTRATOR, Replica, running_on, wait_until_ready
from storm import Storm, gather

ANSWERED_WITHIN_S = 35.0
FULL_WITHIN_S = 60.0
_MB = 1024 * 1024


@contextmanager
def small_disk(size_mb: int) -> Iterator[Path]:
    """Mount a file system of its own, in memory; skips by name where that is not permitted."""
    place = Path(tempfile.mkdtemp(prefix="pilothouse-disk-"))
    place.chmod(0o755)  # a database server runs as another user
    done = subprocess.run(  # noqa: S603
        ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=0755", "none", str(place)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        place.rmdir()
        pytest.skip(f"mounting a small disk is not permitted here: {done.stderr.strip()}")  # no package brings a right
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)  # noqa: S603, S607
        place.rmdir()


def fill(disk: Path) -> None:
    """Use every octet that is left."""
    with (disk / "filler").open("ab", buffering=0) as filler:
        for size in (_MB, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    filler.write(b"x" * size)


def make_room(disk: Path) -> None:
    (disk / "filler").unlink()


def is_refused_as_full(storm: Storm, replica: Replica, disk: Path) -> None:
    """Wait until a write found no room, keeping the disk full; nobody is blamed meanwhile."""
    end = time.monotonic() + FULL_WITHIN_S
    while "STORAGE_FULL" not in storm.person.notes.codes:
        with contextlib.suppress(OSError):
            fill(disk)
        storm.check()
        assert time.monotonic() < end, storm.notes()
        time.sleep(0.05)
    told = storm.notes()
    assert set(told.statuses) <= {200, 202, 503}, told
    assert set(told.codes) <= {"STORAGE_FULL", "STORAGE_UNAVAILABLE", "UNAVAILABLE"}, told
    while "database.write" not in (found := replica.not_ready()):  # some room may have come back for a moment
        with contextlib.suppress(OSError):
            fill(disk)
        assert time.monotonic() < end, storm.notes()
        time.sleep(0.05)
    assert "cannot take a write" in found["database.write"]["detail"]


def it_fills_up_and_gets_room(replica: Replica, disk: Path) -> Storm:
    storm = gather(ADMINISTRATOR, replica.runtimes, replica.console)
    with storm.raging(lambda: replica.runtimes, lambda: replica.console):
        storm.wait_for(20)
        storm.forget()
        fill(disk)
        is_refused_as_full(storm, replica, disk)
        make_room(disk)
        wait_until_ready(replica)
        storm.wait_for(20)
    assert storm.notes().slowest_s < ANSWERED_WITHIN_S
    return storm


@pytest.mark.slow
def test_a_full_disk_under_the_embedded_database_costs_nobody_anything() -> None:
    with small_disk(64) as disk:
        replica = Replica(disk / "home")
        with running_on(replica):
            storm = it_fills_up_and_gets_room(replica, disk)
        check_all(embedded(disk / "home" / "pilothouse.db"), storm)


@contextmanager
def server_on(disk: Path, kind: str) -> Iterator[Server]:
    """A database server of its own whose data lies on a disk."""
    made = SERVERS[kind]
    if made.missing() is not None:
        running(kind)  # skips by name, or fails
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(disk))
        server = made()
    try:
        yield server
    finally:
        server.close()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "size_mb"), [("postgresql", 160), ("mariadb", 320)])
def test_a_full_disk_under_a_database_server_costs_nobody_anything(kind: str, size_mb: int, tmp_path: Path) -> None:
    with small_disk(size_mb) as disk, server_on(disk, kind) as server:
        replica = Replica(tmp_path / "home", server.blank().url, PILOTHOUSE_DATABASE_TIMEOUT_S="6")
        with running_on(replica):
            storm = it_fills_up_and_gets_room(replica, disk)
        name = replica.environment["PILOTHOUSE_DATABASE_URL"].rpartition("/")[2]
        check_all(server.database(name), storm)


@pytest.mark.slow
def test_a_full_home_beside_a_database_server_keeps_nobody_from_working() -> None:
    """The home of a replica on a database server holds keys, certificates and telemetry: nothing that a beat needs."""
    server = running("postgresql")
    with small_disk(32) as disk:
        replica = Replica(disk / "home", server.blank().url, PILOTHOUSE_TELEMETRY_STORE="embedded")
        with running_on(replica):
            storm = gather(ADMINISTRATOR, replica.runtimes, replica.console)
            with storm.raging(lambda: replica.runtimes, lambda: replica.console):
                fill(disk)
                storm.forget()
                storm.wait_for(30)
                status, told = replica.get("/readyz")
                assert (status, told["parts"]["disk"]["state"]) == (200, "degraded")
            assert set(storm.notes().statuses) <= {200, 202}, storm.notes()
            make_room(disk)
        check_all(server.database(replica.environment["PILOTHOUSE_DATABASE_URL"].rpartition("/")[2]), storm)
