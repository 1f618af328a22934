"""Sessions: a short access token and a chain of refresh tokens; of each only the digest is stored."""

import msgspec
from sqlalchemy import Connection, delete, insert, or_, select, update

from pilothouse.base.instants import Instant
from pilothouse.storage.tables import refresh_tokens, sessions


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A session."""

    id: str
    user_id: str
    kind: str
    """console · script · device"""
    method: str
    """password · oidc · ldap"""
    access_digest: str
    access_expires_at: Instant
    created_at: Instant
    expires_at: Instant
    """It ends then, used or not."""
    last_used_at: Instant
    address: str | None
    user_agent: str
    ended_at: Instant | None = None
    ended_because: str | None = None


_COLUMNS = [sessions.c[name] for name in SessionRow.__struct_fields__]


def add(connection: Connection, session: SessionRow) -> None:
    """Store a session."""
    connection.execute(insert(sessions).values({name: getattr(session, name) for name in SessionRow.__struct_fields__}))


def find_by_access(connection: Connection, access_digest: str, now: Instant) -> SessionRow | None:
    """Find the session that an access token opens, if neither has ended."""
    c = sessions.c
    statement = select(*_COLUMNS).where(
        c.access_digest == access_digest, c.access_expires_at > now, c.expires_at > now, c.ended_at.is_(None)
    )
    row = connection.execute(statement).mappings().first()
    return None if row is None else SessionRow(**row)


def find_open(connection: Connection, session_id: str, now: Instant) -> SessionRow | None:
    """Find a session that has not ended."""
    c = sessions.c
    statement = select(*_COLUMNS).where(c.id == session_id, c.expires_at > now, c.ended_at.is_(None))
    row = connection.execute(statement).mappings().first()
    return None if row is None else SessionRow(**row)


def end(connection: Connection, session_id: str, because: str, now: Instant) -> None:
    """End a session."""
    connection.execute(
        update(sessions)
        .where(sessions.c.id == session_id, sessions.c.ended_at.is_(None))
        .values(ended_at=now, ended_because=because)
    )


def end_all(connection: Connection, user_id: str, because: str, now: Instant) -> int:
    """End every session of a user; returns how many there were."""
    return connection.execute(
        update(sessions)
        .where(sessions.c.user_id == user_id, sessions.c.ended_at.is_(None), sessions.c.expires_at > now)
        .values(ended_at=now, ended_because=because)
    ).rowcount


def forget_ended(connection: Connection, before: Instant) -> int:
    """Delete the sessions that ended before a moment, with their refresh tokens."""
    c = sessions.c
    old = select(c.id).where(or_(c.expires_at <= before, c.ended_at <= before))
    connection.execute(delete(refresh_tokens).where(refresh_tokens.c.session_id.in_(old)))
    return connection.execute(delete(sessions).where(or_(c.expires_at <= before, c.ended_at <= before))).rowcount
