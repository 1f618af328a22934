"""A control plane moves from the embedded database to a server, from there to another one, and back: nothing is lost."""

import io
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from database_servers import ONE_OF_SERVED, running
from pilothouse.app.backup import WrongKey, back_up, restore, write_archive
from pilothouse.app.control_plane import open_control_plane
from pilothouse.app.database import upgrade_now
from pilothouse.app.secrets import DatabaseInUse, rotate_key
from pilothouse.base.errors import CannotStart, Conflict
from pilothouse.base.place import Database, embedded
from pilothouse.config import Settings
from pilothouse.operations.auditing import verify
from pilothouse.storage import archive, audit
from pilothouse.storage.alone import reading, writing
from pilothouse.storage.migrate import newest
from pilothouse.storage.tables import audit_records, events, organizations
from pilothouse.storage.unit import Store
from sqlalchemy import delete, insert, select
from storage_records import record
from test_backup import archive_of

pytestmark = [pytest.mark.anyio, pytest.mark.embedded]

SHOWN = "{ runtimes { nodes { name runtimeId } } integrations { nodes { displayName } } }"
EVENT = {"at": 1.0, "kind": "k", "detail": "{}"}


def rows_in(file: Path) -> dict[str, list[str]]:
    """Everything in a backup but what a restore says of itself."""
    found: dict[str, list[str]] = {}
    for piece in archive._read(file):
        if isinstance(piece, archive.Piece):
            kept = [repr(row) for row in piece.rows if "backup.restore" not in row]
            found.setdefault(piece.table, []).extend(kept)
    return {table: sorted(rows) for table, rows in found.items()}


def home_with_the_key(tmp_path: Path, name: str, key_of: Path, url: str = "") -> Settings:
    """A home on another machine, to which somebody brought the key file."""
    home = tmp_path / name
    (home / "keys").mkdir(parents=True)
    shutil.copy2(key_of / "keys" / "secret.key", home / "keys" / "secret.key")
    return Settings(home=home, database_url=url)


async def test_all_of_it_moves_to_a_server_and_back_with_its_history(
    plane, admin, runtime, settings, tmp_path, server
) -> None:
    await runtime.full()
    await admin.ask('mutation { createProject(input: {displayName: "Büro 日本 😀"}) { handle } }')
    shown = await admin.ask(SHOWN)
    await plane.stop()
    with writing(settings.database_path) as tx:  # a number that was given, and is of nobody any more
        given = tx.connection.execute(insert(events).values(EVENT)).inserted_primary_key[0]
        tx.connection.execute(delete(events).where(events.c.sequence == given))
    first = tmp_path / "first"
    back_up(settings, first)

    there = home_with_the_key(tmp_path, "there", settings.home, server.fresh(name="moved").url)
    done = restore(there, first)
    assert done.chain.startswith("The audit is intact: All ")
    second = tmp_path / "second"
    back_up(there, second)
    assert rows_in(second) == rows_in(first)
    assert archive.check(first)[1].rows == done.rows

    again = await open_control_plane(there, plane.clock)
    try:
        runtime.plane = again
        status, answer = await runtime.delta()  # its secret opens, and it is known
        assert (status, answer["acknowledged"]) == (200, True)
        newer = await again.store.write(
            lambda tx: tx.connection.execute(insert(events).values(EVENT)).inserted_primary_key[0]
        )
        assert newer > given
    finally:
        await again.stop()

    third, back = tmp_path / "third", home_with_the_key(tmp_path, "back", settings.home)
    back_up(there, third)
    restore(back, third)
    home = await open_control_plane(back, plane.clock)
    try:
        runtime.plane = home
        assert (await runtime.delta())[1]["acknowledged"] is True
        with reading(back.database) as connection:
            assert verify(connection).intact
            numbers = (
                connection.execute(select(audit_records.c.number).order_by(audit_records.c.number)).scalars().all()
            )
            assert list(numbers) == list(range(1, len(numbers) + 1))
    finally:
        await home.stop()
    assert shown["runtimes"]["nodes"]


@pytest.mark.xdist_group("mariadb")
def test_from_one_kind_of_server_to_the_other_every_value_arrives(first_start, tmp_path) -> None:
    kinds = [running("postgresql"), running("mariadb")]
    file, key_of, told = tmp_path / "0", first_start, []
    write = io.BytesIO()
    write_archive(Settings(home=first_start), write)
    file.write_bytes(write.getvalue())
    for number, server in enumerate([*kinds, kinds[0]], start=1):
        there = home_with_the_key(tmp_path, f"home{number}", key_of, server.fresh(name=f"moved{number}").url)
        restore(there, file)
        file = tmp_path / f"{number}"
        back_up(there, file)
        told.append(rows_in(file))
    assert told[0] == told[1] == told[2]


def test_what_was_removed_from_the_end_of_the_audit_is_missed_after_a_move_too(first_start, tmp_path, server) -> None:
    settings = Settings(home=Path(shutil.copytree(first_start, tmp_path / "home")))
    with writing(settings.database) as tx:
        for name in "abc":
            audit.append(tx.connection, record(name))
    with writing(settings.database) as tx:
        newest_one = select(audit_records.c.number).order_by(audit_records.c.number.desc()).limit(1)
        last = tx.connection.execute(newest_one).scalar_one()
        tx.connection.execute(delete(audit_records).where(audit_records.c.number == last))
    back_up(settings, tmp_path / "backup")
    there = home_with_the_key(tmp_path, "there", settings.home, server.fresh(name="moved").url)
    assert "not intact" in restore(there, tmp_path / "backup").chain


def refused(why: type[Exception], match: str, settings: Settings, file: Path, **words: Any) -> str:
    with pytest.raises(why, match=match) as failure:
        restore(settings, file, **words)
    return getattr(failure.value, "fix", "")


@pytest.fixture
def file(first_start: Path, tmp_path: Path) -> Path:
    with (tmp_path / "backup").open("wb") as written:
        write_archive(Settings(home=first_start), written)
    return tmp_path / "backup"


def test_only_an_empty_database_with_this_schema_is_filled(first_start, tmp_path, server, file) -> None:
    def at(database: Database, name: str) -> Settings:
        return home_with_the_key(tmp_path, name, first_start, database.url)

    blank, filled = server.blank(), server.fresh(name="filled")
    assert "pilothouse db upgrade" in refused(CannotStart, "no schema yet", at(blank, "blank"), file)
    upgrade_now(blank)
    other_key = at(blank, "other-key")
    (other_key.home / "keys" / "secret.key").write_bytes(os.urandom(32))
    refused(WrongKey, "holds the key", other_key, file)
    refused(Conflict, "not replaced", at(blank, "replaced"), file, replace=True)
    restore(at(blank, "taken"), file)
    assert "Make a new one" in refused(Conflict, "not empty: there are", at(blank, "again"), file)
    with writing(filled) as tx:
        tx.connection.execute(insert(organizations).values(id="o", handle="o", display_name="o"))
    refused(Conflict, "not empty: there are organizations", at(filled, "filled"), file)


def test_rows_that_do_not_fit_leave_nothing_behind(tmp_path, server) -> None:
    columns = (("id", "text"), ("handle", "text"), ("display_name", "text"))
    rows = [["o-1", "default", "x"], ["o-2", "y" * 500, "too long for a server"]]
    (tmp_path / "backup").write_bytes(archive_of(newest(), archive.Piece("organizations", columns, rows)))
    settings = Settings(home=tmp_path / "home", database_url=server.fresh(name="moved").url)
    fix = refused(archive.RowRefused, "a row of organizations", settings, tmp_path / "backup", without_key=True)
    assert "Nothing was put in" in fix
    with reading(settings.database) as connection:
        assert archive.first_filled(connection) is None


def test_a_backup_of_an_older_release_reaches_a_server_with_this_ones_schema(tmp_path, server) -> None:
    columns = (("id", "text"), ("handle", "text"), ("display_name", "text"))
    rows = [["o-1", "default", "Default organization"]]
    (tmp_path / "backup").write_bytes(archive_of("0001", archive.Piece("organizations", columns, rows)))
    settings = Settings(home=tmp_path / "home", database_url=server.fresh(name="moved").url)
    restore(settings, tmp_path / "backup", without_key=True)
    with reading(settings.database) as connection:
        assert connection.execute(select(organizations.c.handle)).all() == [("default",)]
    assert [path.name for path in settings.home.iterdir()] == ["pilothouse.lock"]


def test_a_backup_of_a_server_is_one_moment_however_much_is_written_meanwhile(first_start, tmp_path, server) -> None:
    settings = home_with_the_key(tmp_path, "home", first_start, server.fresh(name="moved").url)
    ended, written = threading.Event(), threading.Event()

    def write() -> None:
        number = 0
        while not ended.is_set():
            with writing(settings.database) as tx:  # always two at a time
                tx.connection.execute(insert(events), [EVENT | {"kind": f"pair-{number}"}] * 2)
            number += 1
            written.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert written.wait(30)
        for number in range(3):
            back_up(settings, tmp_path / f"{number}")
    finally:
        ended.set()
        writer.join()
    for number in range(3):
        found = rows_in(tmp_path / f"{number}")["events"]
        kinds = [row.split("'")[1] for row in found]
        assert kinds
        assert all(kinds.count(kind) == 2 for kind in set(kinds))


@pytest.fixture
def run(first_start: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    def start(home: Path, url: str, *words: str, told: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        environment = {name: text for name, text in os.environ.items() if not name.startswith("PILOTHOUSE_")}
        return subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "pilothouse", *words, "--home", str(home)],
            env=environment | {"PILOTHOUSE_DATABASE_URL": url}, input=told, capture_output=True, timeout=120, check=False,
        )  # fmt: skip

    return start


@pytest.mark.parametrize("kind", ONE_OF_SERVED)
def test_three_commands_move_it(first_start, tmp_path, kind, run) -> None:
    home = Path(shutil.copytree(first_start, tmp_path / "home"))
    old, new = embedded(home / "pilothouse.db").url, running(kind).blank().url
    exported = run(home, old, "db", "export")
    assert exported.returncode == 0, exported.stderr
    assert run(home, new, "db", "upgrade").returncode == 0
    imported = run(home, new, "db", "import", told=exported.stdout)
    assert imported.returncode == 0, imported.stderr
    assert b"The audit is intact" in imported.stderr
    assert b"Restored as of" in imported.stderr


async def test_the_key_is_not_changed_while_others_use_the_database(first_start, tmp_path, server, file) -> None:
    settings = home_with_the_key(tmp_path, "here", first_start, server.fresh(name="moved").url)
    restore(settings, file)
    elsewhere = Store(settings.database, lambda _: None)  # as a control plane on another machine
    try:
        await elsewhere.write(lambda _: None)
        with pytest.raises(DatabaseInUse, match="other connections") as refused_:
            await rotate_key(settings)
        assert "copy the key file" in refused_.value.fix
    finally:
        elsewhere.close()
    before = settings.secret_key_path.read_bytes()
    await rotate_key(settings)
    assert settings.secret_key_path.read_bytes() != before
