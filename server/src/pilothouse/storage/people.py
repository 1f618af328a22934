"""Users."""

import msgspec
from sqlalchemy import Connection, Select, func, insert, select, update

from pilothouse.base.instants import Instant
from pilothouse.storage.tables import users


class UserRow(msgspec.Struct, frozen=True, kw_only=True):
    """A user with what only sign-in needs."""

    id: str
    organization_id: str
    username: str
    """Lower case."""
    display_name: str
    email: str | None = None
    kind: str = "person"
    """person · service"""
    password_hash: str | None = None
    """None: signs in elsewhere, or never."""
    password_changed_at: Instant | None = None
    must_change_password: bool = False
    issuer: str | None = None
    external_subject: str | None = None
    disabled_at: Instant | None = None
    created_at: Instant
    created_by: str
    last_sign_in_at: Instant | None = None


_COLUMNS = [users.c[name] for name in UserRow.__struct_fields__]


def add(connection: Connection, user: UserRow) -> None:
    """Store a user."""
    connection.execute(insert(users).values({name: getattr(user, name) for name in UserRow.__struct_fields__}))


def count(connection: Connection) -> int:
    """Count users; none means that the first administrator is still to be made."""
    return connection.execute(select(func.count()).select_from(users)).scalar_one()


def find_by_name(connection: Connection, username: str) -> UserRow | None:
    """Find a user by name, in whatever case it is typed."""
    return _first(connection, select(*_COLUMNS).where(users.c.username == username.lower()))


def find(connection: Connection, user_id: str) -> UserRow | None:
    """Find a user by id."""
    return _first(connection, select(*_COLUMNS).where(users.c.id == user_id))


def set_password(connection: Connection, user_id: str, password_hash: str, *, must_change: bool, now: Instant) -> None:
    """Change a user's password hash."""
    connection.execute(
        update(users)
        .where(users.c.id == user_id)
        .values(password_hash=password_hash, password_changed_at=now, must_change_password=must_change)
    )


def note_sign_in(connection: Connection, user_id: str, now: Instant) -> None:
    """Remember when somebody signed in last."""
    connection.execute(update(users).where(users.c.id == user_id).values(last_sign_in_at=now))


def _first(connection: Connection, statement: Select[*tuple[object, ...]]) -> UserRow | None:
    row = connection.execute(statement).mappings().first()
    return None if row is None else UserRow(**row)
