"""Sessions: a short access token and a chain of refresh tokens; of each only the digest is stored."""

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, false, func, insert, or_, select, update

from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest, page_of
from pilothouse.storage import devices
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
    """When its tokens were made or renewed last."""
    address: str | None
    user_agent: str
    ended_at: Instant | None = None
    ended_because: str | None = None


class RefreshRow(msgspec.Struct, frozen=True, kw_only=True):
    """A refresh token, of which only the digest is known."""

    session_id: str
    used_at: Instant | None


_COLUMNS = [sessions.c[name] for name in SessionRow.__struct_fields__]


def add(connection: Connection, session: SessionRow) -> None:
    """Store a session."""
    connection.execute(insert(sessions).values({name: getattr(session, name) for name in SessionRow.__struct_fields__}))


def find_by_access(connection: Connection, access_digest: str) -> SessionRow | None:
    """Find the session that an access token belongs to, whether it has ended or not."""
    row = connection.execute(select(*_COLUMNS).where(sessions.c.access_digest == access_digest)).mappings().first()
    return None if row is None else SessionRow(**row)


def find_by_replaced(connection: Connection, access_digest: str, since: Instant) -> SessionRow | None:
    """Find the session whose access token was replaced by another one since a moment."""
    c = sessions.c
    statement = select(*_COLUMNS).where(c.replaced_digest == access_digest, c.replaced_at > since)
    row = connection.execute(statement).mappings().first()
    return None if row is None else SessionRow(**row)


def find(connection: Connection, session_id: str) -> SessionRow | None:
    """Find a session, whether it has ended or not."""
    row = connection.execute(select(*_COLUMNS).where(sessions.c.id == session_id)).mappings().first()
    return None if row is None else SessionRow(**row)


def renew(
    connection: Connection,
    session_id: str,
    *,
    access_digest: str,
    access_expires_at: Instant,
    address: str | None,
    now: Instant,
) -> None:
    """Give a session another access token; of the one before it is remembered that it was replaced just now."""
    c = sessions.c
    statement = update(sessions).where(c.id == session_id)
    connection.execute(
        statement.ordered_values(
            (c.replaced_digest, c.access_digest),  # first: MySQL sets one after the other
            (c.replaced_at, now),
            (c.access_digest, access_digest),
            (c.access_expires_at, access_expires_at),
            (c.address, address),
            (c.last_used_at, now),
        )
    )


def add_refresh(connection: Connection, digest: str, session_id: str, now: Instant) -> None:
    """Store a refresh token."""
    connection.execute(insert(refresh_tokens).values(digest=digest, session_id=session_id, issued_at=now))


def find_refresh(connection: Connection, digest: str) -> RefreshRow | None:
    """Find a refresh token, used or not."""
    c = refresh_tokens.c
    row = connection.execute(select(c.session_id, c.used_at).where(c.digest == digest)).mappings().first()
    return None if row is None else RefreshRow(**row)


def use_refresh(connection: Connection, digest: str, now: Instant) -> bool:
    """Mark a refresh token as used; False when somebody else did so already."""
    c = refresh_tokens.c
    statement = update(refresh_tokens).where(c.digest == digest, c.used_at.is_(None)).values(used_at=now)
    return connection.execute(statement).rowcount == 1


def list_open(
    connection: Connection, user_id: str, idle_s: Mapping[str, float], now: Instant, request: PageRequest
) -> Page[SessionRow]:
    """List a user's open sessions, the one used last first."""
    c = sessions.c
    wanted = and_(c.user_id == user_id, _open(idle_s, now))
    statement = select(*_COLUMNS).where(wanted)
    if request.after is not None:
        at, session_id = request.after_instant()
        statement = statement.where(or_(c.last_used_at < at, and_(c.last_used_at == at, c.id > session_id)))
    rows = connection.execute(statement.order_by(c.last_used_at.desc(), c.id).limit(request.first + 1)).mappings()
    return page_of(
        "sessions",
        [SessionRow(**row) for row in rows],
        request,
        connection.execute(select(func.count()).select_from(sessions).where(wanted)).scalar_one(),
        lambda row: (str(round(row.last_used_at * 1000)), row.id),
    )


def list_ids_oldest_first(
    connection: Connection, user_id: str, idle_s: Mapping[str, float], now: Instant
) -> Sequence[str]:
    """List the ids of a user's open sessions, the oldest first."""
    c = sessions.c
    statement = select(c.id).where(c.user_id == user_id, _open(idle_s, now)).order_by(c.created_at, c.id)
    return connection.execute(statement).scalars().all()


def end(connection: Connection, session_id: str, because: str, now: Instant) -> bool:
    """End a session; False when it had ended."""
    return (
        connection.execute(
            update(sessions)
            .where(sessions.c.id == session_id, sessions.c.ended_at.is_(None))
            .values(ended_at=now, ended_because=because)
        ).rowcount
        > 0
    )


def end_all(connection: Connection, user_id: str, because: str, now: Instant, *, except_id: str | None = None) -> int:
    """End every session of a user, but the one that is named; returns how many there were.

    A command line that they let in and that did not come for its session yet is not let in any more.
    """
    devices.withdraw(connection, user_id)
    c = sessions.c
    wanted = and_(c.user_id == user_id, c.ended_at.is_(None), c.expires_at > now)
    if except_id is not None:
        wanted = and_(wanted, c.id != except_id)
    return connection.execute(update(sessions).where(wanted).values(ended_at=now, ended_because=because)).rowcount


def forget_ended(connection: Connection, before: Instant) -> int:
    """Delete the sessions that ended before a moment, with their refresh tokens."""
    c = sessions.c
    old = select(c.id).where(or_(c.expires_at <= before, c.ended_at <= before))
    connection.execute(delete(refresh_tokens).where(refresh_tokens.c.session_id.in_(old)))
    return connection.execute(delete(sessions).where(or_(c.expires_at <= before, c.ended_at <= before))).rowcount


def forget_used_refresh(connection: Connection, session_id: str, before: Instant) -> None:
    """Delete a session's refresh tokens that were used before a moment: a chain of three months stays short."""
    c = refresh_tokens.c
    connection.execute(delete(refresh_tokens).where(c.session_id == session_id, c.used_at < before))


def _open(idle_s: Mapping[str, float], now: Instant) -> ColumnElement[bool]:
    """Make the condition that a session is open, by how long each kind may stand unused."""
    c = sessions.c
    in_use = or_(false(), *(and_(c.kind == kind, c.last_used_at > now - idle) for kind, idle in idle_s.items()))
    return and_(c.ended_at.is_(None), c.expires_at > now, in_use)
