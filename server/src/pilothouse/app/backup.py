"""Backups from the machine itself: taken beside a running control plane, put back while none runs."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

import msgspec

from pilothouse import __version__
from pilothouse.app.database import bring_up_to_date, require_database
from pilothouse.app.lock import lock_home, note_served
from pilothouse.app.people import local_subject
from pilothouse.app.restoring import fresh_of, is_cut_off, put_in_place, remove_fresh, settle
from pilothouse.base.clock import Clock, SystemClock
from pilothouse.base.errors import CannotStart, Conflict, NotFound
from pilothouse.base.place import Database, embedded
from pilothouse.config import Settings
from pilothouse.domain.tenancy import DEFAULT_ORGANIZATION_HANDLE
from pilothouse.operations import sealed_material
from pilothouse.operations.audit import audit
from pilothouse.operations.auditing import verify
from pilothouse.storage import archive, archive_numbers, migrate, tenancy
from pilothouse.storage.alone import reading, writing
from pilothouse.storage.archive import ArchiveBroken
from pilothouse.storage.sealing import Vault, key_number, load_key
from pilothouse.storage.unit import Transaction


class WrongKey(CannotStart):
    """The key file here is not the one that the backup's secrets are sealed under."""

    code = "WRONG_KEY"


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """What was written or put back."""

    release: str
    """That wrote it."""
    at: float
    rows: dict[str, int]
    key_number: str
    """Names the key that has to be kept beside it, in another place."""
    replaced: Path | None = None
    """Where the database lies that was here before."""
    chain: str = ""
    """What the check of the audit's chain came to, after a restore."""


class _Given(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that was looked at, and is whole."""

    path: Path
    header: archive.Header
    trailer: archive.Trailer


def back_up(settings: Settings, to: Path, clock: Clock | None = None) -> Backup:
    """Write everything that the database holds at one moment; works beside a running control plane.

    The file appears when it is whole, and only its owner may read it.
    Raises: NotFound, CannotStart, StorageUnavailable
    """
    require_database(settings)
    beside = to.with_name(f".{to.name}.{os.getpid()}")
    try:
        with _private(beside) as file:
            made = write_archive(settings, file, clock)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(to)
    except OSError as error:
        raise CannotStart(f"The backup {to} cannot be written: {error.strerror}.", fix="Name another place.") from error
    finally:
        beside.unlink(missing_ok=True)
    return made


def write_archive(settings: Settings, to: BinaryIO, clock: Clock | None = None) -> Backup:
    """Write a backup to a stream.

    Raises: NotFound, CannotStart, StorageUnavailable, OSError
    """
    require_database(settings)
    at = (clock or SystemClock()).now()
    number = key_number(load_key(settings.secret_key_path))
    with reading(settings.database.patient) as connection:
        revision = migrate.revision_of(connection) or ""
        if revision != migrate.newest():
            raise CannotStart(
                f"The database's schema ({revision}) is not this release's ({migrate.newest()}).",
                fix="Start this release once, or take the backup with the release that runs.",
            )
        header = archive.Header(
            release=__version__,
            revision=revision,
            at_ms=round(at * 1000),
            dialect=connection.dialect.name,
            key_number=number,
            numbers=archive_numbers.numbers_given(connection),
        )
        written = archive.write(connection, to, header)
    return Backup(release=__version__, at=at, rows=written.rows, key_number=number)


def restore(
    settings: Settings,
    path: Path,
    *,
    replace: bool = False,
    without_key: bool = False,
    clock: Clock | None = None,
    called: str = "",
) -> Backup:
    """Put a backup back, whole or not at all; no control plane may run here. It may have been taken of any kind of database.

    Whoever was signed in is not any more. What was here before is kept beside, with `replace`. On a database server, what is put
    back goes into an empty database with this release's schema. Who is killed has lost nothing: the next start, or the next
    restore, ends it or takes away what it left.
    called: what begins a sentence about the file, if not its path
    Raises: NotFound, ArchiveBroken, RowRefused, HomeInUse, Conflict, WrongKey, CannotStart, CannotUnseal, StorageUnavailable
    """
    try:
        header, trailer = archive.check(path, called)
    except OSError as error:
        raise NotFound(f"The backup {path} cannot be read: {error.strerror}.", fix="Name the file.") from error
    if not migrate.is_known(header.revision):
        raise ArchiveBroken(
            f"The backup's schema ({header.revision}) is not known to this release; it was made by {header.release}.",
            fix="Restore it with that release or a newer one.",
        )
    given = _Given(path=path, header=header, trailer=trailer)
    now = (clock or SystemClock()).now()
    replaced: Path | None = None
    held = lock_home(settings.home)
    try:
        if settings.database.is_embedded:
            replaced, chain = _restore_file(settings, given, replace=replace, without_key=without_key, now=now)
            note_served(held, "")
        else:
            chain = _restore_served(settings, given, replace=replace, without_key=without_key, now=now)
    finally:
        os.close(held)
    return Backup(
        release=header.release,
        at=header.at_ms / 1000,
        rows=trailer.rows,
        key_number=header.key_number,
        replaced=replaced,
        chain=chain,
    )


def _restore_file(
    settings: Settings, given: _Given, *, replace: bool, without_key: bool, now: float
) -> tuple[Path | None, str]:
    settle(settings.database_path)
    there = settings.database_path.is_file()
    if there and not replace:
        raise Conflict(
            f"There is a database in {settings.home} already.",
            fix="Name another home directory, or say --replace: it is kept beside, under another name.",
        )
    vault = None if without_key else _vault(settings, given.header)
    with _filled_beside(settings.database_path, given, vault, now) as (_, chain):
        aside = put_in_place(settings.database_path, now)
    return aside if there else None, chain


def _restore_served(settings: Settings, given: _Given, *, replace: bool, without_key: bool, now: float) -> str:
    if replace:
        raise Conflict(
            "A database on a server is not replaced from here.",
            fix="Make an empty one beside it, name that in PILOTHOUSE_DATABASE_URL, and run: pilothouse db upgrade",
        )
    database = settings.database.patient
    bring_up_to_date(database)  # refuses any other schema
    vault = None if without_key else _vault(settings, given.header)
    with _of_this_release(settings, given) as current:
        with writing(database) as tx:
            _require_empty(tx, database)
            archive_numbers.count_on(tx.connection, current.header.numbers)  # commits what came before it, on some
        with writing(database) as tx:
            _require_empty(tx, database)
            archive.load(tx.connection, current.path)
            archive.compare(tx.connection, current.trailer)
            return _end(tx, current.header, vault, now)


@contextlib.contextmanager
def _filled_beside(place: Path, given: _Given, vault: Vault | None, now: float | None) -> Generator[tuple[Path, str]]:
    """Fill an embedded database that nobody uses yet; it is gone afterwards unless it was moved. now: None tells the audit nothing."""
    fresh = fresh_of(place)
    try:
        remove_fresh(place)
        bring_up_to_date(embedded(fresh), given.header.revision)
        with writing(fresh) as tx:
            archive.load(tx.connection, given.path)
            archive.compare(tx.connection, given.trailer)
        bring_up_to_date(embedded(fresh))
        with writing(fresh) as tx:
            archive_numbers.count_on(tx.connection, given.header.numbers)
            chain = "" if now is None else _end(tx, given.header, vault, now)
        yield fresh, chain
    finally:
        if not is_cut_off(place):  # else the next start ends it
            remove_fresh(place)


@contextlib.contextmanager
def _of_this_release(settings: Settings, given: _Given) -> Generator[_Given]:
    """Bring a backup to this release's schema, by way of an embedded database: servers are filled at once or not at all."""
    if given.header.revision == migrate.newest():
        yield given
        return
    with _filled_beside(settings.home / "backup-of-another-release.db", given, None, None) as (fresh, _):
        newer = fresh.with_suffix(".upgraded")
        newer.unlink(missing_ok=True)
        try:
            with _private(newer) as file, reading(fresh) as connection:
                numbers = given.header.numbers | archive_numbers.numbers_given(connection)
                header = msgspec.structs.replace(given.header, revision=migrate.newest(), numbers=numbers)
                trailer = archive.write(connection, file, header)
            yield _Given(path=newer, header=header, trailer=trailer)
        finally:
            newer.unlink(missing_ok=True)


def _require_empty(tx: Transaction, database: Database) -> None:
    filled = archive.first_filled(tx.connection)
    if filled is not None:
        raise Conflict(
            f"The database {database.shown} is not empty: there are {filled} in it.",
            fix="Make a new one, name it in PILOTHOUSE_DATABASE_URL, and run pilothouse db upgrade, but no control plane yet.",
        )


def _end(tx: Transaction, header: archive.Header, vault: Vault | None, now: float) -> str:
    """Look at what was put in, before it is committed: at the sealed material and at the audit's chain."""
    if vault is not None:
        sealed_material.check(tx.connection, vault)
    archive_numbers.set_counters(tx.connection, header.numbers)
    verdict = verify(tx.connection)
    organization = tenancy.find_organization(tx.connection, DEFAULT_ORGANIZATION_HANDLE)
    subject = local_subject("" if organization is None else organization.id)
    audit(tx, subject, "backup.restore", "", now, detail=f"of {header.at_ms // 1000}, written by {header.release}")
    return f"The audit is {'intact' if verdict.intact else 'not intact'}: {verdict.message}"


def spooled(source: BinaryIO, home: Path) -> Path:
    """Keep what comes through a pipe: it is read twice, first to check it. The caller removes it."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=home, prefix=".restore-", delete=False) as file:
        shutil.copyfileobj(source, file)
    return Path(file.name)


def _vault(settings: Settings, header: archive.Header) -> Vault:
    fix = "Put the key file that belongs to the backup there, or say --without-key: every secret then has to be made anew."
    if not settings.secret_key_path.is_file():
        raise WrongKey(f"There is no key file at {settings.secret_key_path}.", fix=fix)
    keys = load_key(settings.secret_key_path)
    if key_number(keys) != header.key_number:
        raise WrongKey(
            f"The key file {settings.secret_key_path} holds the key {key_number(keys)}, the backup needs {header.key_number}.",
            fix=fix,
        )
    return Vault(keys)


@contextlib.contextmanager
def _private(path: Path) -> Generator[BinaryIO]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        yield file
