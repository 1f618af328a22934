"""Secrets from the machine itself: the list of them, and another key to seal them under."""

import asyncio
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial

import msgspec

from pilothouse.access.grants import EVERYTHING, Subject
from pilothouse.access.secrets import SecretReach
from pilothouse.app.database import bring_up_to_date, require_database
from pilothouse.app.lock import HomeInUse, lock_home
from pilothouse.app.people import local_subject
from pilothouse.base.clock import Clock, SystemClock
from pilothouse.base.errors import CannotStart
from pilothouse.base.instants import Instant
from pilothouse.base.pages import PAGE_MAX, page_request
from pilothouse.base.place import Database
from pilothouse.config import Settings
from pilothouse.domain.secrets import SecretRow
from pilothouse.domain.tenancy import DEFAULT_ORGANIZATION_HANDLE
from pilothouse.operations import sealed_material
from pilothouse.operations.audit import audit
from pilothouse.storage import sealing_key, secrets, tenancy
from pilothouse.storage.alone import reading
from pilothouse.storage.engine import kind_of
from pilothouse.storage.sealing import KEY_BYTES, Vault, begin_key_change, end_key_change, load_key, load_or_create_key
from pilothouse.storage.unit import Store, Transaction

_LEAVING_S = 2.0
"""Unit: seconds. So long a connection that was closed may still be seen."""


class DatabaseInUse(CannotStart):
    """Other control planes use the database."""

    code = "DATABASE_IN_USE"


class KeyRotation(msgspec.Struct, frozen=True, kw_only=True):
    """What a change of the key came to."""

    resealed: int
    """Secrets that were sealed anew."""
    was_begun_before: bool
    """True when an earlier change did not end, and this one ended it."""


async def list_secrets(settings: Settings, clock: Clock | None = None) -> list[SecretRow]:
    """List the secrets that are not revoked, newest first; works beside a running control plane.

    Raises: NotFound, StorageUnavailable
    """
    now = (clock or SystemClock()).now()
    found: list[SecretRow] = []
    with _store_of(settings) as store:
        after: str | None = None
        while True:
            page = await store.read(
                partial(
                    secrets.list_rows,
                    reach=SecretReach(all=EVERYTHING),
                    environment=None,
                    project=None,
                    integration=None,
                    now=now,
                    request=page_request("secrets", PAGE_MAX, after),
                )
            )
            found += page.nodes
            after = page.end_cursor
            if not page.has_next:
                return found


async def rotate_key(
    settings: Settings, clock: Clock | None = None, *, all_stopped: bool = False, old_is_lost: bool = False
) -> KeyRotation:
    """Seal every secret under a new key, and drop the old one.

    all_stopped: somebody says that no other control plane uses the database, where the database itself does not tell
    old_is_lost: what is sealed under the old key stays closed, and the key file here, made if there is none, seals from now on

    Whoever is killed in between has lost nothing: the key file holds both keys until everything is sealed under the new one,
    and the next run ends what this one began. A control plane that runs would go on sealing under the old key: it must be stopped.
    Raises: HomeInUse, DatabaseInUse, NotFound, CannotStart, CannotUnseal, CannotChangeKey, StorageUnavailable
    """
    path = settings.secret_key_path
    with _alone_in(settings, all_stopped=all_stopped), _store_of(settings) as store:
        await asyncio.to_thread(bring_up_to_date, settings.database)
        if old_is_lost:
            await store.write(partial(_begin_anew, keys=load_or_create_key(path), now=(clock or SystemClock()).now()))
            return KeyRotation(resealed=0, was_begun_before=False)
        before = load_key(path)
        vault = Vault(before)
        await store.read(partial(sealed_material.check, vault=vault))  # before anything is changed
        vault = Vault(begin_key_change(path))
        organization = await store.read(lambda c: tenancy.find_organization(c, DEFAULT_ORGANIZATION_HANDLE))
        subject = local_subject("" if organization is None else organization.id)
        now = (clock or SystemClock()).now()
        resealed = await store.write(partial(_reseal, keys=load_key(path), subject=subject, vault=vault, now=now))
        end_key_change(path)
    return KeyRotation(resealed=resealed, was_begun_before=len(before) > KEY_BYTES)


def _reseal(tx: Transaction, keys: bytes, subject: Subject, vault: Vault, now: Instant) -> int:
    sealing_key.replace(tx.connection, keys)
    return sealed_material.reseal(tx, subject, vault, now=now)


def _begin_anew(tx: Transaction, keys: bytes, now: Instant) -> None:
    organization = tenancy.find_organization(tx.connection, DEFAULT_ORGANIZATION_HANDLE)
    subject = local_subject("" if organization is None else organization.id)
    sealing_key.replace(tx.connection, keys)
    audit(tx, subject, "secret.rotate-key", "", now, detail="the old key is lost: what is sealed under it stays closed")


@contextmanager
def _alone_in(settings: Settings, *, all_stopped: bool) -> Generator[None]:
    """Keep a control plane from starting here meanwhile, and see that none on another machine uses the database."""
    require_database(settings)
    try:
        descriptor = lock_home(settings.home)
    except HomeInUse as error:
        raise HomeInUse(
            f"{error.message} It holds the key that is to be changed.",
            fix="Stop the control plane, run this again, start it. Runtimes report again by themselves.",
        ) from None
    try:
        _require_nobody_else(settings.database, all_stopped=all_stopped)
        yield
    finally:
        os.close(descriptor)


def _require_nobody_else(database: Database, *, all_stopped: bool) -> None:
    """Refuse while other processes are connected: they would go on sealing under their key, which is to be dropped.

    Raises: DatabaseInUse, StorageUnavailable
    """
    ends_at = time.monotonic() + _LEAVING_S
    while (others := _count_others(database)) and time.monotonic() < ends_at:
        time.sleep(_LEAVING_S / 10)  # connections of ours that were closed just now are still seen for a moment
    if others:
        raise DatabaseInUse(
            f"{others} other connections to {database.shown} are open: control planes that hold the key that is to be changed.",
            fix="Stop every control plane on this database, run this again, and copy the key file to each before it starts.",
        )
    if others is None and not all_stopped:
        raise DatabaseInUse(
            f"{database.shown} does not tell whether other control planes are connected.",
            fix="Stop all of them, run this with --all-stopped, and copy the key file to each before it starts.",
        )


def _count_others(database: Database) -> int | None:
    with reading(database) as connection:
        return kind_of(database).others(connection)


@contextmanager
def _store_of(settings: Settings) -> Generator[Store]:
    require_database(settings)
    store = Store(settings.database, lambda _: None)
    try:
        yield store
    finally:
        store.close()
