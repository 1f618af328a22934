"""The first administrator, and a new password for who lost theirs."""

import asyncio
from functools import partial

from pilothouse.access.grants import EVERYWHERE, Grant, Holdings, Subject, Via
from pilothouse.access.permissions import GRANTABLE
from pilothouse.app.control_plane import ControlPlane
from pilothouse.base.clock import SystemClock
from pilothouse.base.errors import CannotStart, InvalidInput, NotFound
from pilothouse.config import Settings
from pilothouse.identity.passwords import Passwords, check_password, generate_password
from pilothouse.operations.sign_in import create_first_administrator, reset_password
from pilothouse.storage import people
from pilothouse.storage.unit import Store

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
            generate_password() if password is None else check_password(password, field="PILOTHOUSE_ADMIN_PASSWORD")
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


async def give_new_password(settings: Settings, username: str) -> str:
    """Give a user a generated password; works beside a running control plane.

    Raises: NotFound, StorageUnavailable
    """
    if not settings.database_path.is_file():
        raise NotFound(
            f"There is no control plane in {settings.home}.",
            fix="Name its home directory with --home, or in PILOTHOUSE_HOME.",
        )
    chosen = generate_password()
    hashed = Passwords().hash(chosen)
    store = Store(settings.database_path, lambda _: None)
    try:
        found = await store.write(
            partial(reset_password, username=username, password_hash=hashed, now=SystemClock().now())
        )
    finally:
        store.close()
    if not found:
        raise NotFound(f"There is no user '{username[:100]}'.", fix="The first administrator is called 'admin'.")
    return chosen
