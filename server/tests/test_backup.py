"""A backup is all of the database at one moment, and a restore is all of a backup or nothing."""

import gzip
import hashlib
import io
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.app.backup import WrongKey, back_up, restore, write_archive
from pilothouse.app.control_plane import open_control_plane
from pilothouse.app.database import require_database
from pilothouse.app.lock import HomeInUse, lock_home, note_served
from pilothouse.app.restoring import RestoreCutOff, fresh_of, is_cut_off
from pilothouse.base.clock import FakeClock
from pilothouse.base.errors import CannotStart, Conflict, NotFound
from pilothouse.cli.audit import verify_chain
from pilothouse.cli.main import app
from pilothouse.config import Settings
from pilothouse.operations.auditing import verify
from pilothouse.storage import archive
from pilothouse.storage.alone import reading, writing
from pilothouse.storage.archive import ArchiveBroken
from pilothouse.storage.migrate import newest
from pilothouse.storage.tables import events, metadata, organizations
from sqlalchemy import delete, insert, select, text
from typer.testing import CliRunner

pytestmark = [pytest.mark.anyio, pytest.mark.embedded]

KEY = Path("keys") / "secret.key"


def all_rows(home: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Everything, as the database stores it, but who is signed in and what the restore says of itself."""
    with reading(home / "pilothouse.db") as connection:
        told = {
            one.name: [tuple(row) for row in connection.execute(text(f"SELECT * FROM {one.name}"))]
            for one in metadata.sorted_tables
            if one.name not in archive.LEFT_OUT
        }
        told["audit_records"] = [row for row in told["audit_records"] if "backup.restore" not in row]
    return {name: sorted(rows, key=repr) for name, rows in told.items()}


def another_home(tmp_path: Path, of: Path) -> Settings:
    """An empty home on another machine, to which somebody brought the key file."""
    home = tmp_path / "other"
    (home / "keys").mkdir(parents=True)
    shutil.copy2(of / KEY, home / KEY)
    return Settings(home=home)


async def test_all_is_there_after_a_restore_and_nobody_is_signed_in(
    plane, client, admin, runtime, settings, tmp_path
) -> None:
    await runtime.full()
    await admin.ask('mutation { createProject(input: {displayName: "Billing"}) { handle } }')
    file = tmp_path / "backup"
    made = back_up(settings, file)  # beside the control plane that runs
    assert made.rows["runtimes"] == made.rows["secrets"] == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = all_rows(settings.home)
    other = another_home(tmp_path, settings.home)
    done = restore(other, file)
    assert (done.rows, done.replaced) == (made.rows, None)
    assert all_rows(other.home) == before
    assert stat.S_IMODE(other.database_path.stat().st_mode) == 0o600
    assert sorted(path.name for path in other.home.iterdir()) == ["keys", "pilothouse.db", "pilothouse.lock"]
    with reading(other.database_path) as connection:
        assert verify(connection, None).intact

    again = await open_control_plane(other, plane.clock)
    try:
        transport = httpx.ASGITransport(app=await again.console_application(), client=("127.0.0.1", 40_000))
        async with httpx.AsyncClient(
            transport=transport, base_url="https://testserver", cookies=client.cookies
        ) as browser:
            person = type(admin)(browser)
            assert (await browser.post("/graphql", json={"query": "{ viewer { id } }"})).status_code == 401
            assert (await person.sign_in()).status_code == 200
            (shown,) = (await person.ask("{ runtimes { nodes { name } } }"))["runtimes"]["nodes"]
            assert shown["name"] == runtime.name
        runtime.plane = again
        status, answer = await runtime.delta()  # its secret opens, and it is known
        assert (status, answer["acknowledged"]) == (200, True)
    finally:
        await again.stop()


def test_a_backup_is_one_moment_however_much_is_written_meanwhile(settings, tmp_path) -> None:
    ended = threading.Event()
    row = {"at": 1.0, "kind": "k", "detail": "{}"}

    def write() -> None:
        number = 0
        while not ended.is_set():
            with writing(settings.database_path) as tx:  # always two at a time
                tx.connection.execute(insert(events), [row | {"kind": f"pair-{number}"}] * 2)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        backups = [io.BytesIO() for _ in range(5)]
        for one in backups:
            write_archive(settings, one)
    finally:
        ended.set()
        writer.join()
    for number, one in enumerate(backups):
        (tmp_path / f"{number}").write_bytes(one.getvalue())
        kinds = [
            values[names.index("kind")]
            for piece in archive._read(tmp_path / f"{number}")
            if isinstance(piece, archive.Piece) and piece.table == "events"
            for names in [[name for name, _ in piece.columns]]
            for values in piece.rows
        ]
        pairs = [kind for kind in kinds if kind.startswith("pair-")]
        assert all(pairs.count(kind) == 2 for kind in set(pairs))


def test_no_number_is_given_twice_also_of_what_is_gone(settings, tmp_path) -> None:
    row = {"at": 1.0, "kind": "k", "detail": "{}"}

    def write(home: Path) -> int:
        with writing(home / "pilothouse.db") as tx:
            return tx.connection.execute(insert(events).values(row)).inserted_primary_key[0]

    given = write(settings.home)
    with writing(settings.database_path) as tx:
        tx.connection.execute(delete(events))
    back_up(settings, tmp_path / "backup")
    other = another_home(tmp_path, settings.home)
    restore(other, tmp_path / "backup")
    assert write(other.home) == given + 1


@pytest.fixture(scope="module")
def whole(first_start: Path) -> bytes:
    written = io.BytesIO()
    write_archive(Settings(home=first_start), written)
    return written.getvalue()


@given(data=st.data())
def test_a_damaged_or_cut_backup_is_refused_and_nothing_is_written(whole, first_start, tmp_path_factory, data) -> None:
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    if data.draw(st.booleans()):
        damaged[place] ^= data.draw(st.integers(1, 255))
    else:
        del damaged[place:]
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "backup").write_bytes(damaged)
    other = another_home(folder, first_start)
    # Ten octets of gzip's head say nothing that matters (a time, a system): what is in it is whole all the same.
    if bytes(damaged[len(archive.MAGIC) + 10 :]) == whole[len(archive.MAGIC) + 10 :] and damaged.startswith(
        archive.MAGIC
    ):
        return
    with pytest.raises(ArchiveBroken):
        restore(other, folder / "backup")
    assert not other.database_path.exists()


def test_what_is_there_is_not_overwritten_unless_asked_and_then_kept(settings, tmp_path, whole) -> None:
    (tmp_path / "backup").write_bytes(whole)
    before = settings.database_path.read_bytes()
    with pytest.raises(Conflict) as refused:
        restore(settings, tmp_path / "backup")
    assert "--replace" in refused.value.fix
    assert settings.database_path.read_bytes() == before
    done = restore(settings, tmp_path / "backup", replace=True)
    assert done.replaced is not None
    assert done.replaced.read_bytes() == before


def test_beside_a_running_control_plane_nothing_is_restored(settings, tmp_path, whole) -> None:
    (tmp_path / "backup").write_bytes(whole)
    held = lock_home(settings.home)  # as a control plane does that serves
    with pytest.raises(HomeInUse):
        restore(settings, tmp_path / "backup", replace=True)
    os.close(held)


def test_the_file_that_was_left_behind_by_a_move_to_a_server_is_not_taken_for_the_living_one(
    settings, tmp_path, whole
) -> None:
    (tmp_path / "backup").write_bytes(whole)
    server = "postgresql://pilothouse@db.example.com/pilothouse"
    held = lock_home(settings.home)
    note_served(held, server)
    with pytest.raises(Conflict, match=server) as refused:
        back_up(settings, tmp_path / "stale")
    assert "PILOTHOUSE_DATABASE_URL" in refused.value.fix
    os.close(held)  # it is stopped
    os.close(lock_home(settings.home))  # another command holds the home: it is remembered
    with pytest.raises(Conflict):
        back_up(settings, tmp_path / "stale")
    assert not (tmp_path / "stale").exists()
    with pytest.raises(Conflict):
        verify_chain(home=settings.home)

    restore(settings, tmp_path / "backup", replace=True)  # the way back: from now on the file is the living one
    back_up(settings, tmp_path / "good")


async def test_the_key_is_asked_for_and_may_be_given_up_knowingly(plane, admin, settings, tmp_path) -> None:
    await admin.secret()
    file, other = tmp_path / "backup", another_home(tmp_path, settings.home)
    made = back_up(settings, file)
    assert (settings.home / KEY).read_bytes() not in gzip.decompress(file.read_bytes()[len(archive.MAGIC) :])
    (other.home / KEY).unlink()
    with pytest.raises(WrongKey, match="There is no key file"):
        restore(other, file)
    (other.home / KEY).write_bytes(os.urandom(32))
    (other.home / KEY).chmod(0o600)
    with pytest.raises(WrongKey, match=made.key_number):
        restore(other, file)
    assert not other.database_path.exists()
    restore(other, file, without_key=True)
    assert all_rows(other.home)["secrets"] == all_rows(settings.home)["secrets"]


def archive_of(revision: str, *pieces: archive.Piece) -> bytes:
    """An archive as another release would write it."""
    header = archive.Header(release="0.1", revision=revision, at_ms=1, dialect="sqlite", key_number="00")
    frames = b"".join(archive._framed(one) for one in (header, *pieces))
    trailer = archive.Trailer(
        rows={one.table: len(one.rows) for one in pieces}, sha256=hashlib.sha256(frames).hexdigest()
    )
    return archive.MAGIC + gzip.compress(frames + archive._framed(trailer))


def test_a_backup_of_an_older_release_is_brought_to_this_ones_schema(tmp_path) -> None:
    columns = (("id", "text"), ("handle", "text"), ("display_name", "text"))
    rows = [["o-1", "default", "Default organization"]]
    (tmp_path / "backup").write_bytes(archive_of("0001", archive.Piece("organizations", columns, rows)))
    settings = Settings(home=tmp_path / "home")
    restore(settings, tmp_path / "backup", without_key=True)
    with reading(settings.database_path) as connection:
        assert connection.execute(select(organizations.c.handle)).all() == [("default",)]
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == newest()


def test_a_backup_of_a_newer_release_is_refused_with_its_name(tmp_path) -> None:
    (tmp_path / "backup").write_bytes(archive_of("9999"))
    with pytest.raises(ArchiveBroken, match=r"made by 0\.1"):
        restore(Settings(home=tmp_path / "home"), tmp_path / "backup", without_key=True)


def test_rows_that_the_database_refuses_leave_nothing_behind(tmp_path) -> None:
    columns = (("id", "text"), ("organization_id", "text"), ("handle", "text"), ("display_name", "text"))
    broken = archive.Piece("projects", columns, [["p-1", "nobody", "x", "x"]])
    (tmp_path / "backup").write_bytes(archive_of("0001", broken))
    settings = Settings(home=tmp_path / "home")
    with pytest.raises(Exception, match=r"NOT NULL|FOREIGN KEY"):
        restore(settings, tmp_path / "backup", without_key=True)
    assert [path.name for path in settings.home.iterdir()] == ["pilothouse.lock"]


def test_a_place_that_cannot_be_written_and_a_file_that_is_not_there_are_named(settings, tmp_path) -> None:
    with pytest.raises(CannotStart, match="cannot be written"):
        back_up(settings, tmp_path / "nowhere" / "backup")
    with pytest.raises(NotFound, match="cannot be read"):
        restore(settings, tmp_path / "nothing")
    with pytest.raises(NotFound, match="no control plane"):
        back_up(Settings(home=tmp_path / "empty"), tmp_path / "backup", FakeClock())
    assert not (tmp_path / "backup").exists()


def test_a_pipe_moves_a_home(settings, tmp_path) -> None:
    other = another_home(tmp_path, settings.home)
    command = [sys.executable, "-m", "pilothouse"]
    with subprocess.Popen(  # noqa: S603 - our own command
        [*command, "backup", "-", "--home", str(settings.home)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as giving:
        taken = subprocess.run(  # noqa: S603 - our own command
            [*command, "restore", "-", "--home", str(other.home)],
            stdin=giving.stdout, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        said = giving.stderr.read().decode() if giving.stderr else ""
    assert (giving.returncode, taken.returncode) == (0, 0), (said, taken.stderr)
    assert f"Backed up sqlite:///{settings.database_path}: 0 projects, 0 integrations, 2 environments" in said
    assert "Start the control plane: runtimes report again by themselves." in taken.stderr
    assert all_rows(other.home) == all_rows(settings.home)


@pytest.mark.parametrize(("cut", "said"), [(0, "is no backup of Pilothouse"), (-20, "is damaged")])
def test_a_broken_backup_that_comes_through_a_pipe_is_named_for_what_it_is(settings, tmp_path, cut, said) -> None:
    home = tmp_path / "empty"
    back_up(settings, tmp_path / "backup")
    broken = (tmp_path / "backup").read_bytes()[:cut]
    told = CliRunner().invoke(app, ["restore", "-", "--home", str(home)], input=broken)
    assert isinstance(told.exception, ArchiveBroken)
    assert told.exception.message.startswith(f"The standard input {said}")
    assert str(home) not in told.exception.message
    assert list(home.iterdir()) == []


def test_who_restores_without_the_key_is_told_what_is_left_to_do(settings, tmp_path) -> None:
    back_up(settings, tmp_path / "backup")
    told = CliRunner().invoke(
        app, ["restore", str(tmp_path / "backup"), "--home", str(tmp_path / "other"), "--without-key"]
    )
    assert told.exit_code == 0
    assert "pilothouse secrets generate" in told.output
    assert "runtimes report again by themselves" not in told.output


@pytest.mark.slow
def test_a_restore_that_is_killed_anywhere_is_ended_or_undone_by_the_next_start_or_restore(
    settings, tmp_path, whole
) -> None:
    (tmp_path / "backup").write_bytes(whole)
    row = {"id": "e-9", "handle": "zz-only-here", "display_name": "Z", "critical": False, "created_at": 9}
    connection = sqlite3.connect(settings.database_path)
    organization = connection.execute("select id from organizations").fetchone()[0]
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    names = ", ".join(["organization_id", *row])
    connection.execute(f"insert into environments ({names}) values (?, ?, ?, ?, ?, ?)", [organization, *row.values()])
    connection.commit()
    # As a crash leaves it: what was committed last is in the file beside it.
    home = Path(shutil.copytree(settings.home, tmp_path / "crashed"))
    connection.close()
    assert (home / "pilothouse.db-wal").stat().st_size > 0
    (tmp_path / "scratch").mkdir()
    script = Path(__file__).parent / "restore_until_killed.py"
    told = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, str(script), str(home), str(tmp_path / "backup"), str(tmp_path / "scratch")],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    rounds = json.loads(told.stdout)
    old, new = ["dev", "prod", "zz-only-here"], ["dev", "prod"]
    assert [one["ended"] for one in rounds[-2:]] == [True, True]
    cut = [one for one in rounds if "pilothouse.restore-plan" in one["left"]]
    assert any("pilothouse.db" not in one["left"] for one in cut), "killed between the renames"
    assert any("pilothouse.db-wal" not in one["left"] and "pilothouse.db" in one["left"] for one in cut)
    for one in rounds:
        if one["way"] == "start":
            assert one["now"] in (old, new), one
            assert one["before"] == ([] if one["now"] == old else [old]), one
        else:
            assert one["now"] == new
            assert old in one["before"], one
            assert one["before"].count(old) == 1
        assert {name.partition(".before-")[0] for name in one["files"]} <= {
            "keys", "pilothouse", "pilothouse.db", "pilothouse.db-wal", "pilothouse.db-shm", "pilothouse.lock", "telemetry",
        }, one  # fmt: skip
    assert {tuple(one["now"]) for one in rounds if one["way"] == "start"} == {tuple(old), tuple(new)}


def test_a_command_beside_a_cut_off_restore_ends_it_first_unless_it_is_under_way(settings, tmp_path, whole) -> None:
    (tmp_path / "backup").write_bytes(whole)
    database = settings.database_path
    fresh_of(database).write_bytes(database.read_bytes())
    database.replace(database.with_name("pilothouse.before-7.db"))
    database.with_suffix(".restore-plan").write_text('{"aside":"pilothouse.before-7.db"}')
    held = lock_home(settings.home)
    with pytest.raises(HomeInUse):
        require_database(settings)
    os.close(held)
    back_up(settings, tmp_path / "again")
    assert not is_cut_off(database)
    database.with_suffix(".restore-plan").write_text("{")
    with pytest.raises(RestoreCutOff, match="is damaged"):
        require_database(settings)
