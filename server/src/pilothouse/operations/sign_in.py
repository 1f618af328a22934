"""Signing in and out, and the first administrator."""

import hashlib

import msgspec

from pilothouse.access.grants import Holdings, Subject, Via
from pilothouse.access.roles import BuiltInGroup
from pilothouse.base.errors import NotSignedIn
from pilothouse.base.ids import new_id, new_session_token
from pilothouse.base.instants import Instant
from pilothouse.domain.audit import AuditRecord, Outcome
from pilothouse.identity.passwords import Passwords
from pilothouse.identity.throttle import Throttle
from pilothouse.storage import audit as records
from pilothouse.storage import built_in, people, sessions
from pilothouse.storage.people import UserRow
from pilothouse.storage.sessions import SessionRow
from pilothouse.storage.unit import Connection, Store, Transaction

SESSION_S = 12 * 3600.0
"""How long a session lasts, used or not."""
FIRST_ADMINISTRATOR = "admin"


class SignInRefused(NotSignedIn):
    """The user name or the password is wrong."""

    code = "SIGN_IN_REFUSED"


class OpenedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session that was opened; its token goes into the cookie and nowhere else."""

    token: str
    user: UserRow


async def sign_in(
    store: Store,
    passwords: Passwords,
    throttle: Throttle,
    *,
    username: str,
    password: str,
    address: str | None,
    now: Instant,
) -> OpenedSession:
    """Open a session for who knows the password.

    Raises: SignInRefused (the same for unknown names), TooManyAttempts
    """
    throttle.check(username, address, now)
    throttle.failed(username, address, now)  # counted before the slow check, so that many at once do not slip through
    user = await store.read(lambda connection: people.find_by_name(connection, username))
    if not await passwords.matches(user.password_hash if user else None, password) or user is None:
        await store.write(lambda tx: _audit(tx, username, user, Outcome.REFUSED, address, now))
        raise SignInRefused(
            "The user name or the password is wrong.",
            fix="Check both; a new password is made with: pilothouse admin reset-password",
        )
    throttle.succeeded(username, address)
    token = new_session_token()

    def open_session(tx: Transaction) -> None:
        sessions.add(
            tx.connection,
            SessionRow(
                id=new_id(),
                user_id=user.id,
                kind="console",
                method="password",
                access_digest=_digest(token),
                access_expires_at=now + SESSION_S,
                created_at=now,
                expires_at=now + SESSION_S,
                last_used_at=now,
                address=address,
                user_agent="",
            ),
        )
        people.note_sign_in(tx.connection, user.id, now)
        _audit(tx, username, user, Outcome.DONE, address, now)

    await store.write(open_session)
    return OpenedSession(token=token, user=user)


def find_session(connection: Connection, token: str, now: Instant) -> tuple[SessionRow, UserRow] | None:
    """Find out whose session a token opens."""
    session = sessions.find_by_access(connection, _digest(token), now)
    user = None if session is None else people.find(connection, session.user_id)
    if session is None or user is None or user.disabled_at is not None:
        return None
    return session, user


def subject_of(session: SessionRow, user: UserRow, holdings: Holdings, address: str | None) -> Subject:
    """Make who acts."""
    return Subject(
        id=user.id,
        username=user.username,
        display_name=user.display_name,
        organization_id=user.organization_id,
        holdings=holdings,
        via=Via.SESSION,
        credential_id=session.id,
        address=address,
        must_change_password=user.must_change_password,
    )


def sign_out(tx: Transaction, session_id: str, now: Instant) -> None:
    """End a session."""
    sessions.end(tx.connection, session_id, "signed out", now)


def create_first_administrator(tx: Transaction, organization_id: str, password_hash: str, now: Instant) -> bool:
    """Create the first administrator unless there is a user already."""
    if people.count(tx.connection):
        return False
    user = UserRow(
        id=new_id(),
        organization_id=organization_id,
        username=FIRST_ADMINISTRATOR,
        display_name="Administrator",
        password_hash=password_hash,
        password_changed_at=now,
        created_at=now,
        created_by="pilothouse",
    )
    people.add(tx.connection, user)
    group_id = built_in.built_in_group(tx.connection, organization_id, BuiltInGroup.SUPER_ADMINS)
    built_in.add_member(tx.connection, group_id, user.id, now)
    _record(tx, "user.create", user, now)
    return True


def reset_password(tx: Transaction, username: str, password_hash: str, now: Instant) -> bool:
    """Give a user another password and end their sessions; False when there is no such user."""
    user = people.find_by_name(tx.connection, username)
    if user is None:
        return False
    people.set_password(tx.connection, user.id, password_hash, must_change=False, now=now)
    sessions.end_all(tx.connection, user.id, "password reset", now)
    _record(tx, "user.reset-password", user, now)
    return True


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _audit(
    tx: Transaction, username: str, user: UserRow | None, outcome: Outcome, address: str | None, now: Instant
) -> None:
    records.append(
        tx.connection,
        AuditRecord(
            at=now,
            organization_id="" if user is None else user.organization_id,
            actor=f"user:{username[:100]}",
            actor_id=None if user is None else user.id,
            action="session.open",
            target="",
            outcome=outcome,
            address=address,
        ),
    )


def _record(tx: Transaction, action: str, user: UserRow, now: Instant) -> None:
    records.append(
        tx.connection,
        AuditRecord(
            at=now,
            organization_id=user.organization_id,
            actor="console:local",
            via="local",
            action=action,
            target=user.username,
        ),
    )
