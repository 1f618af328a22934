"""A command line that is let in by a person in the console.

Source: RFC 8628.
"""

import secrets
from typing import Final

import msgspec

from pilothouse.access.grants import Subject
from pilothouse.base.errors import Conflict, NotFound, NotPermitted, Refused, TooManyAttempts
from pilothouse.base.instants import Instant
from pilothouse.identity.throttle import NOBODY, Throttle
from pilothouse.operations.audit import audit
from pilothouse.operations.sessions import (
    OpenedSession,
    SessionKind,
    digest_of,
    new_token,
    open_session,
    require_session,
)
from pilothouse.storage import devices, people, sessions
from pilothouse.storage.devices import DeviceRow
from pilothouse.storage.unit import Connection, Store, Transaction

PREFIX: Final = "phd_"
WAITS_S: Final = 600.0
"""So long a command line may wait to be let in."""
POLL_EVERY_S: Final = 5.0
"""So often it may ask."""
_POLL_SLACK_S: Final = 0.5
"""Clocks and networks jitter: who waits 5 s is never told to slow down."""
CODE_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no words come of it; no Y, no digits, nothing that is read as something else."""
CODE_LENGTH: Final = 8
WAITING_MAX: Final = 1_000
WAITING_BY_ADDRESS_MAX: Final = 20
CLIENT_LENGTH_MAX: Final = 100


class AuthorizationPending(Refused):
    """Nobody has decided yet."""

    code = "AUTHORIZATION_PENDING"


class SlowDown(Refused):
    """You ask too often."""

    code = "SLOW_DOWN"


class DeviceDenied(Refused):
    """You were not let in."""

    code = "DEVICE_DENIED"


class DeviceExpired(Refused):
    """The device code is unknown, was used, or its time is over."""

    code = "DEVICE_EXPIRED"


class BegunDevice(msgspec.Struct, frozen=True, kw_only=True):
    """What a command line shows, and what it asks with."""

    device_code: str
    user_code: str


async def begin(store: Store, client: str, address: str | None, now: Instant) -> BegunDevice:
    """Let a command line ask to be let in.

    Raises: TooManyAttempts when too many wait already
    """
    # Asked before the one writer is: who asks again and again costs heartbeats nothing.
    await store.read(lambda connection: _refuse_more(connection, address, now))
    return await store.write(lambda tx: _begin(tx, client, address, now))


def _begin(tx: Transaction, client: str, address: str | None, now: Instant) -> BegunDevice:
    devices.forget_expired(tx.connection, now)
    _refuse_more(tx.connection, address, now)
    device_code, user_code = new_token(PREFIX), _new_code()
    while devices.find_by_user_code(tx.connection, user_code, now) is not None:  # 34 bits: rare, not impossible
        user_code = _new_code()
    name = "".join(character for character in client if character.isprintable()).strip()
    devices.add(
        tx.connection,
        DeviceRow(
            device_digest=digest_of(device_code),
            user_code=user_code,
            client=name[:CLIENT_LENGTH_MAX] or "a command line",
            address=address,
            created_at=now,
            expires_at=now + WAITS_S,
        ),
    )
    return BegunDevice(device_code=device_code, user_code=shown(user_code))


async def take(store: Store, device_code: str, *, address: str | None, now: Instant) -> OpenedSession:
    """Open the session of a command line that was let in; the code is used up by it.

    Raises: AuthorizationPending, SlowDown, DeviceDenied, DeviceExpired
    """
    digest = digest_of(device_code)
    # Asked before the one writer is: what nobody has costs heartbeats nothing.
    if await store.read(lambda connection: devices.find_by_digest(connection, digest)) is None:
        raise _expired()
    outcome = await store.write(lambda tx: _take(tx, digest, address, now))
    if isinstance(outcome, Refused):
        raise outcome
    return outcome


async def find(store: Store, subject: Subject, throttle: Throttle, user_code: str, now: Instant) -> DeviceRow | None:
    """Find the request that a code belongs to; who guesses codes has to wait.

    Raises: NotPermitted for an API token, TooManyAttempts
    """
    require_session(subject, "look at requests of command lines")
    guesser = f"{NOBODY}device {subject.id}"
    throttle.check(guesser, None, now)
    found = await store.read(lambda connection: devices.find_by_user_code(connection, plain(user_code), now))
    if found is None:
        throttle.failed(guesser, None, now)
    return found


async def decide(
    store: Store, subject: Subject, throttle: Throttle, user_code: str, now: Instant, *, allow: bool
) -> DeviceRow:
    """Let a command line in, or not: it acts as whoever lets it in.

    Raises: NotPermitted for an API token, NotFound, Conflict when somebody decided, TooManyAttempts
    """
    require_session(subject, "let a command line in")
    found = await find(store, subject, throttle, user_code, now)
    if found is None:
        raise NotFound(
            "No command line waits with this code.",
            field="userCode",
            fix="Compare it with what the command line shows; a code is good for ten minutes.",
        )

    def keep(tx: Transaction) -> None:
        session = sessions.find(tx.connection, subject.credential_id)
        if allow and (session is None or session.kind != "console"):
            # What it lets in lives for months: more than a session of hours, that was found, may make of itself.
            raise NotPermitted("A command line is let in from the console alone.", fix="Sign in to the console.")
        if not devices.decide(tx.connection, found.user_code, subject.id, now, allowed=allow):
            raise Conflict("It was decided already.", field="userCode", fix="Begin anew on the command line.")
        detail = f"at {found.address or 'an unknown address'}"
        audit(tx, subject, "device.allow" if allow else "device.deny", found.client, now, detail=detail)

    await store.write(keep)
    return msgspec.structs.replace(found, decided_at=now, allowed=allow, user_id=subject.id)


def shown(user_code: str) -> str:
    """Write a code as people read it."""
    half = CODE_LENGTH // 2
    return f"{user_code[:half]}-{user_code[half:]}"


def plain(user_code: str) -> str:
    """Read a code as people type it: in any case, with or without dash and blanks."""
    return "".join(letter for letter in user_code[:40].upper() if letter in CODE_LETTERS)


def _take(tx: Transaction, digest: str, address: str | None, now: Instant) -> OpenedSession | Refused:
    found = devices.find_by_digest(tx.connection, digest)
    if found is None or found.expires_at <= now:
        return _expired()
    if found.decided_at is None:
        devices.note_poll(tx.connection, digest, now)
        is_early = found.polled_at is not None and now - found.polled_at < POLL_EVERY_S - _POLL_SLACK_S
        if is_early:
            return SlowDown(fix=f"Ask every {POLL_EVERY_S:g} s.")
        return AuthorizationPending(fix=f"Ask again in {POLL_EVERY_S:g} s.")
    devices.forget(tx.connection, digest)
    user = None if found.user_id is None else people.find(tx.connection, found.user_id)
    if not found.allowed or user is None or user.disabled_at is not None:
        return DeviceDenied(fix="Begin anew, and have it allowed in the console.")
    issuer = user.issuer
    method = "password" if issuer is None else "ldap" if issuer.startswith("ldap:") else "oidc"
    return open_session(
        tx, user, kind=SessionKind.DEVICE, method=method, address=address, user_agent=found.client, now=now
    )


def _refuse_more(connection: Connection, address: str | None, now: Instant) -> None:
    is_full = devices.count(connection, now) >= WAITING_MAX
    if is_full or (address is not None and devices.count(connection, now, address) >= WAITING_BY_ADDRESS_MAX):
        raise TooManyAttempts(wait_s=60)


def _expired() -> DeviceExpired:
    return DeviceExpired(fix="Begin anew: POST /auth/device.")


def _new_code() -> str:
    return "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
