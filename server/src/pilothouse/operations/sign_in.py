"""Signing in and out, and the first administrator."""

import hashlib

import msgspec

from pilothouse.access.grants import Role, Subject
from pilothouse.base.errors import NotSignedIn
from pilothouse.base.ids import new_id, new_session_token
from pilothouse.base.instants import Instant
from pilothouse.identity.passwords import Passwords
from pilothouse.identity.throttle import Throttle
from pilothouse.storage import people
from pilothouse.storage.people import AuditRecord, UserRow
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
    subject: Subject


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
    user = await store.read(lambda connection: people.find_user(connection, username))
    if not await passwords.matches(user.password_hash if user else None, password) or user is None:
        await store.write(lambda tx: _audit(tx, username, "refused", address, now))
        raise SignInRefused(
            "The user name or the password is wrong.",
            fix="Check both; a new password is made with: pilothouse admin reset-password",
        )
    throttle.succeeded(username, address)
    token = new_session_token()

    def open_session(tx: Transaction) -> None:
        people.open_session(tx.connection, _digest(token), user.id, created_at=now, expires_at=now + SESSION_S)
        _audit(tx, username, "done", address, now)

    await store.write(open_session)
    return OpenedSession(token=token, subject=_subject(user, address))


def subject_of(connection: Connection, token: str, address: str | None, now: Instant) -> Subject | None:
    """Find out whose session a token opens."""
    user = people.find_session(connection, _digest(token), now)
    return None if user is None else _subject(user, address)


def sign_out(tx: Transaction, token: str) -> None:
    """End a session."""
    people.close_session(tx.connection, _digest(token))


def create_first_administrator(tx: Transaction, password_hash: str, now: Instant) -> bool:
    """Create the first administrator unless there is a user already."""
    if people.count_users(tx.connection):
        return False
    user = UserRow(
        id=new_id(),
        username=FIRST_ADMINISTRATOR,
        display_name="Administrator",
        password_hash=password_hash,
        role=Role.ADMINISTRATOR.value,
    )
    people.add_user(tx.connection, user, now)
    _record(tx, "user.create", user.username, now)
    return True


def reset_password(tx: Transaction, username: str, password_hash: str, now: Instant) -> bool:
    """Give a user another password and end their sessions; False when there is no such user."""
    user = people.find_user(tx.connection, username)
    if user is None:
        return False
    people.set_password_hash(tx.connection, user.id, password_hash)
    _record(tx, "user.reset-password", username, now)
    return True


def _subject(user: UserRow, address: str | None) -> Subject:
    return Subject(
        id=user.id,
        username=user.username,
        display_name=user.display_name,
        roles=frozenset({Role(user.role)}),
        address=address,
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _audit(tx: Transaction, username: str, outcome: str, address: str | None, now: Instant) -> None:
    people.record(
        tx.connection,
        AuditRecord(
            at=now, actor=f"user:{username[:100]}", action="session.open", target="", outcome=outcome, address=address
        ),
    )


def _record(tx: Transaction, action: str, username: str, now: Instant) -> None:
    people.record(
        tx.connection,
        AuditRecord(at=now, actor="console:local", action=action, target=username, outcome="done", address=None),
    )
