"""Secrets from the machine itself: the list of them, and another key to seal them under."""

import asyncio
import os
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial

import msgspec

from pilothouse.access.grants import EVERYTHING
from pilothouse.access.secrets import SecretReach
from pilothouse.app.database import bring_up_to_date, require_database
from pilothouse.app.lock import HomeInUse, lock_home
from pilothouse.app.people import local_subject
from pilothouse.base.clock import Clock, SystemClock
from pilothouse.base.pages import PAGE_MAX, page_request
from pilothouse.config import Settings
from pilothouse.domain.secrets import SecretRow
from pilothouse.domain.tenancy import DEFAULT_ORGANIZATION_HANDLE
from pilothouse.operations import sealed_material
from pilothouse.storage import secrets, tenancy
from pilothouse.storage.sealing import KEY_BYTES, Vault, begin_key_change, end_key_change, load_key
from pilothouse.storage.unit import Store


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


async def rotate_key(settings: Settings, clock: Clock | None = None) -> KeyRotation:
    """Seal every secret under a new key, and drop the old one.

    Whoever is killed in between has lost nothing: the key file holds both keys until everything is sealed under the new one,
    and the next run ends what this one began. A control plane that runs would go on sealing under the old key: it must be stopped.
    Raises: HomeInUse, NotFound, CannotStart, CannotUnseal, CannotChangeKey, StorageUnavailable
    """
    path = settings.secret_key_path
    with _alone_in(settings), _store_of(settings) as store:
        await asyncio.to_thread(bring_up_to_date, settings.database)
        before = load_key(path)
        vault = Vault(before)
        await store.read(partial(sealed_material.check, vault=vault))  # before anything is changed
        vault = Vault(begin_key_change(path))
        organization = await store.read(lambda c: tenancy.find_organization(c, DEFAULT_ORGANIZATION_HANDLE))
        subject = local_subject("" if organization is None else organization.id)
        now = (clock or SystemClock()).now()
        resealed = await store.write(partial(sealed_material.reseal, subject=subject, vault=vault, now=now))
        end_key_change(path)
    return KeyRotation(resealed=resealed, was_begun_before=len(before) > KEY_BYTES)


@contextmanager
def _alone_in(settings: Settings) -> Generator[None]:
    """Keep a control plane from starting meanwhile."""
    require_database(settings)
    try:
        descriptor = lock_home(settings.home)
    except HomeInUse as error:
        raise HomeInUse(
            f"{error.message} It holds the key that is to be changed.",
            fix="Stop the control plane, run this again, start it. Runtimes report again by themselves.",
        ) from None
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _store_of(settings: Settings) -> Generator[Store]:
    require_database(settings)
    store = Store(settings.database, lambda _: None)
    try:
        yield store
    finally:
        store.close()
