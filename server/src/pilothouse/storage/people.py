"""Users, their sessions, and the audit of what they did."""

import msgspec
from sqlalchemy import Connection, delete, func, insert, select

from pilothouse.base.instants import Instant
from pilothouse.storage.tables import audit_records, sessions, users


class UserRow(msgspec.Struct, frozen=True, kw_only=True):
    """A user with what only sign-in needs."""

    id: str
    username: str
    display_name: str
    password_hash: str
    role: str


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a person or a secret did, or tried."""

    at: Instant
    actor: str
    """`user:<name>` or `secret:<key id>`."""
    action: str
    target: str
    outcome: str
    """done · refused"""
    address: str | None
    detail: str = ""


def add_user(connection: Connection, user: UserRow, created_at: Instant) -> None:
    """Store a user."""
    connection.execute(
        insert(users).values(
            id=user.id,
            username=user.username,
            display_name=user.display_name,
            password_hash=user.password_hash,
            role=user.role,
            created_at=created_at,
        )
    )


def count_users(connection: Connection) -> int:
    """Count users; none means that the first administrator is still to be made."""
    return connection.execute(select(func.count()).select_from(users)).scalar_one()


def find_user(connection: Connection, username: str) -> UserRow | None:
    """Find a user by name."""
    c = users.c
    row = (
        connection.execute(
            select(c.id, c.username, c.display_name, c.password_hash, c.role).where(c.username == username)
        )
        .mappings()
        .first()
    )
    return UserRow(**row) if row else None


def set_password_hash(connection: Connection, user_id: str, password_hash: str) -> None:
    """Change a user's password hash and end every session of theirs."""
    connection.execute(users.update().where(users.c.id == user_id).values(password_hash=password_hash))
    connection.execute(delete(sessions).where(sessions.c.user_id == user_id))


def open_session(
    connection: Connection, token_digest: str, user_id: str, *, created_at: Instant, expires_at: Instant
) -> None:
    """Store a session."""
    connection.execute(
        insert(sessions).values(
            token_digest=token_digest, user_id=user_id, created_at=created_at, expires_at=expires_at
        )
    )


def find_session(connection: Connection, token_digest: str, now: Instant) -> UserRow | None:
    """Find whose session this is, if it has not expired."""
    c = users.c
    row = (
        connection.execute(
            select(c.id, c.username, c.display_name, c.password_hash, c.role)
            .join(sessions, sessions.c.user_id == c.id)
            .where(sessions.c.token_digest == token_digest, sessions.c.expires_at > now)
        )
        .mappings()
        .first()
    )
    return UserRow(**row) if row else None


def close_session(connection: Connection, token_digest: str) -> None:
    """End a session."""
    connection.execute(delete(sessions).where(sessions.c.token_digest == token_digest))


def forget_expired_sessions(connection: Connection, now: Instant) -> int:
    """Delete the sessions that have expired."""
    return connection.execute(delete(sessions).where(sessions.c.expires_at <= now)).rowcount


def record(connection: Connection, entry: AuditRecord) -> None:
    """Write an audit record, in the transaction of what it tells of."""
    connection.execute(
        insert(audit_records).values({name: getattr(entry, name) for name in AuditRecord.__struct_fields__})
    )
