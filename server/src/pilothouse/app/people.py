"""The first administrator, and a new password for who lost theirs."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from pilothouse.access.grants import EVERYWHERE, Grant, Holdings, Subject, Via
from pilothouse.access.permissions import GRANTABLE
from pilothouse.app.control_plane import ControlPlane
from pilothouse.app.database import require_database
from pilothouse.base.clock import SystemClock
from pilothouse.base.errors import CannotStart, Conflict, InvalidInput, NotFound
from pilothouse.config import Settings
from pilothouse.identity.passwords import Passwords, check_password, generate_password
from pilothouse.operations.sign_in import (
    FIRST_ADMINISTRATOR,
    allow_password,
    create_first_administrator,
    reset_password,
)
from pilothouse.storage import people
from pilothouse.storage.unit import Store, Transaction

T = TypeVar("T")

_ALL = Grant(
    mapping_id=0,
    group_id="",
    group_name="This machine",
    role_id="",
    role_name="Super Admin",
    permissions=GRANTABLE,
    scope=EVERYWHERE,
)


def local_subject(organization_id: str) -> Subject:
    """Make who acts for the person that started the control plane here: whoever may read its files may do anything anyway."""
    return Subject(
        id="local",
        username="local",
        display_name="This machine",
        organization_id=organization_id,
        holdings=Holdings([_ALL]),
        via=Via.LOCAL,
    )


LOCAL = local_subject("")
"""The same before the organization is known: benchmarks and tools that work on a database of their own."""


async def ensure_administrator(plane: ControlPlane, password: str | None) -> str | None:
    """Create the first administrator if there is nobody yet; returns the password if it was generated.

    Raises: CannotStart when the given password is too short
    """
    if await plane.store.read(people.count):
        return None
    try:
        chosen = (
            generate_password()
            if password is None
            else check_password(password, field="PILOTHOUSE_ADMIN_PASSWORD", username=FIRST_ADMINISTRATOR)
        )
    except InvalidInput as error:
        raise CannotStart(f"PILOTHOUSE_ADMIN_PASSWORD is not acceptable: {error.message}", fix=error.fix) from None
    hashed = await asyncio.to_thread(plane.passwords.hash, chosen)
    organization = await plane.organization()
    create = partial(
        create_first_administrator, organization_id=organization.id, password_hash=hashed, now=plane.clock.now()
    )
    made = await plane.store.write(create)
    return chosen if made and password is None else None


async def give_new_password(settings: Settings, username: str, *, must_change: bool = False) -> str:
    """Give a user a generated password; works beside a running control plane.

    Raises: NotFound, Conflict when the user's password is not kept here, StorageUnavailable
    """
    chosen = generate_password()
    hashed = Passwords().hash(chosen)
    reset = partial(
        reset_password, username=username, password_hash=hashed, now=SystemClock().now(), must_change=must_change
    )
    found = await _write_beside(settings, reset)
    if found is None:
        raise NotFound(f"There is no user '{username[:100]}'.", fix="The first administrator is called 'admin'.")
    if found.password_hash != hashed:
        raise Conflict(
            f"{found.username} has no password here: "
            + ("a service account acts through API tokens." if found.issuer is None else f"{found.issuer} keeps it."),
            fix="Name a user whose password is kept here, such as the first administrator, 'admin'.",
        )
    return chosen


async def let_in_by_password(settings: Settings, username: str) -> None:
    """Let a Super Admin sign in by password for a while though PILOTHOUSE_PASSWORD_SIGN_IN is off.

    Raises: NotFound, StorageUnavailable
    """
    if not await _write_beside(settings, partial(allow_password, username=username, now=SystemClock().now())):
        raise NotFound(
            f"'{username[:100]}' is no active Super Admin with a password that is kept here.",
            fix="The first administrator is called 'admin'; give them a password: pilothouse admin reset-password",
        )


async def _write_beside(settings: Settings, operation: Callable[[Transaction], T]) -> T:
    """Change the database of a control plane that may be running."""
    await asyncio.to_thread(require_database, settings)
    store = Store(settings.database, lambda _: None)
    try:
        return await store.write(operation)
    finally:
        store.close()
