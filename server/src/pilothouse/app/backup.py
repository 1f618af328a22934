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
from pilothouse.app.lock import lock_home
from pilothouse.app.people import local_subject
from pilothouse.app.restoring import fresh_of, is_cut_off, put_in_place, remove_fresh, settle
from pilothouse.base.clock import Clock, SystemClock
from pilothouse.base.errors import CannotStart, Conflict, NotFound
from pilothouse.config import Settings
from pilothouse.domain.tenancy import DEFAULT_ORGANIZATION_HANDLE
from pilothouse.operations import sealed_material
from pilothouse.operations.audit import audit
from pilothouse.storage import archive, migrate, tenancy
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
    with reading(settings.database_path) as connection:
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
            numbers=archive.numbers_given(connection),
        )
        written = archive.write(connection, to, header)
    return Backup(release=__version__, at=at, rows=written.rows, key_number=number)


def restore(
    settings: Settings, path: Path, *, replace: bool = False, without_key: bool = False, clock: Clock | None = None
) -> Backup:
    """Put a backup back, whole or not at all; no control plane may run here.

    Whoever was signed in is not any more. What was here before is kept beside, with `replace`. Who is killed has lost nothing: the
    next start, or the next restore, ends it or takes away what it left.
    Raises: NotFound, ArchiveBroken, HomeInUse, Conflict, WrongKey, CannotUnseal, StorageUnavailable
    """
    try:
        header, trailer = archive.check(path)
    except OSError as error:
        raise NotFound(f"The backup {path} cannot be read: {error.strerror}.", fix="Name the file.") from error
    if not migrate.is_known(header.revision):
        raise ArchiveBroken(
            f"The backup's schema ({header.revision}) is not known to this release; it was made by {header.release}.",
            fix="Restore it with that release or a newer one.",
        )
    now = (clock or SystemClock()).now()
    held = lock_home(settings.home)
    try:
        settle(settings.database_path)
        there = settings.database_path.is_file()
        if there and not replace:
            raise Conflict(
                f"There is a database in {settings.home} already.",
                fix="Name another home directory, or say --replace: it is kept beside, under another name.",
            )
        vault = None if without_key else _vault(settings, header)
        try:
            _fill(fresh_of(settings.database_path), path, header, vault, now)
            aside = put_in_place(settings.database_path, now)
        finally:
            if not is_cut_off(settings.database_path):  # else the next start ends it
                remove_fresh(settings.database_path)
    finally:
        os.close(held)
    return Backup(
        release=header.release,
        at=header.at_ms / 1000,
        rows=trailer.rows,
        key_number=header.key_number,
        replaced=aside if there else None,
    )


def spooled(source: BinaryIO, home: Path) -> Path:
    """Keep what comes through a pipe: it is read twice, first to check it. The caller removes it."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=home, prefix=".restore-", delete=False) as file:
        shutil.copyfileobj(source, file)
    return Path(file.name)


def _fill(fresh: Path, path: Path, header: archive.Header, vault: Vault | None, now: float) -> None:
    bring_up_to_date(fresh, header.revision)
    with writing(fresh) as tx:
        archive.load(tx.connection, path)
    bring_up_to_date(fresh)
    with writing(fresh) as tx:
        if vault is not None:
            sealed_material.check(tx.connection, vault)
        _tell(tx, header, now)


def _tell(tx: Transaction, header: archive.Header, now: float) -> None:
    organization = tenancy.find_organization(tx.connection, DEFAULT_ORGANIZATION_HANDLE)
    subject = local_subject("" if organization is None else organization.id)
    audit(tx, subject, "backup.restore", "", now, detail=f"of {header.at_ms // 1000}, written by {header.release}")


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
