"""Command lines that ask a person to let them in (RFC 8628); of a device code only the digest is stored."""

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from pilothouse.base.instants import Instant
from pilothouse.storage.tables import device_grants


class DeviceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A command line that waits to be let in."""

    device_digest: str
    user_code: str
    client: str
    address: str | None
    created_at: Instant
    expires_at: Instant
    polled_at: Instant | None = None
    decided_at: Instant | None = None
    allowed: bool = False
    user_id: str | None = None


_COLUMNS = [device_grants.c[name] for name in DeviceRow.__struct_fields__]


def add(connection: Connection, device: DeviceRow) -> None:
    """Store a request."""
    connection.execute(
        insert(device_grants).values({name: getattr(device, name) for name in DeviceRow.__struct_fields__})
    )


def find_by_digest(connection: Connection, digest: str) -> DeviceRow | None:
    """Find a request by its device code."""
    row = connection.execute(select(*_COLUMNS).where(device_grants.c.device_digest == digest)).mappings().first()
    return None if row is None else DeviceRow(**row)


def find_by_user_code(connection: Connection, user_code: str, now: Instant) -> DeviceRow | None:
    """Find a request whose time is not over by what a person types."""
    c = device_grants.c
    statement = select(*_COLUMNS).where(c.user_code == user_code, c.expires_at > now)
    row = connection.execute(statement).mappings().first()
    return None if row is None else DeviceRow(**row)


def count(connection: Connection, now: Instant, address: str | None = None) -> int:
    """Count the requests whose time is not over: all of them, or those of an address."""
    statement = select(func.count()).select_from(device_grants).where(device_grants.c.expires_at > now)
    if address is not None:
        statement = statement.where(device_grants.c.address == address)
    return connection.execute(statement).scalar_one()


def note_poll(connection: Connection, digest: str, now: Instant) -> None:
    """Remember when a command line asked last."""
    connection.execute(update(device_grants).where(device_grants.c.device_digest == digest).values(polled_at=now))


def decide(connection: Connection, user_code: str, user_id: str, now: Instant, *, allowed: bool) -> bool:
    """Store what a person decided; False when somebody decided already."""
    c = device_grants.c
    statement = (
        update(device_grants)
        .where(c.user_code == user_code, c.expires_at > now, c.decided_at.is_(None))
        .values(decided_at=now, allowed=allowed, user_id=user_id)
    )
    return connection.execute(statement).rowcount == 1


def withdraw(connection: Connection, user_id: str) -> None:
    """Deny what somebody allowed, where no session was opened by it yet."""
    connection.execute(update(device_grants).where(device_grants.c.user_id == user_id).values(allowed=False))


def forget(connection: Connection, digest: str) -> bool:
    """Delete a request; False when it was gone."""
    return connection.execute(delete(device_grants).where(device_grants.c.device_digest == digest)).rowcount == 1


def forget_expired(connection: Connection, now: Instant) -> int:
    """Delete the requests whose time is over."""
    return connection.execute(delete(device_grants).where(device_grants.c.expires_at <= now)).rowcount
