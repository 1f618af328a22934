"""Sessions: opened, renewed by a refresh token that is used once, and ended.

Source: RFC 9700, section 4.14.2 (rotation of refresh tokens, and what a second use means).
"""

import hashlib
import secrets
from enum import StrEnum, unique
from typing import Final

import msgspec

from pilothouse.access.grants import EVERYWHERE, Holdings, Subject, Via, require
from pilothouse.access.permissions import Permission
from pilothouse.base.errors import Conflict, NotFound, NotPermitted, NotSignedIn
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.domain.audit import AuditRecord, Outcome
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.operations.audit import audit
from pilothouse.storage import audit as records
from pilothouse.storage import people, sessions
from pilothouse.storage.people import UserRow
from pilothouse.storage.sessions import SessionRow
from pilothouse.storage.unit import Connection, Store, Transaction

ACCESS_S: Final = 15 * 60.0
"""How long an access token opens anything."""
SESSION_S: Final = 12 * 3600.0
"""How long a session of a person lasts at most, used or not."""
IDLE_S: Final = 2 * 3600.0
"""How long it lasts when nobody renews it."""
DEVICE_S: Final = 90 * 86_400.0
DEVICE_IDLE_S: Final = 30 * 86_400.0
"""The same of a command line that was let in."""
RACE_S: Final = 10.0
"""Two uses of a refresh token within this time are two tabs, not a thief."""
OVERLAP_S: Final = 30.0
"""So long an access token that was replaced is still good, for the requests that are on their way."""
OPEN_MAX: Final = 50
"""Open sessions of one user; one more ends the oldest."""
SUPERSEDED_MAX: Final = 10_000
"""Replaced access tokens that are remembered; the oldest go first."""
TOKEN_LENGTH_MAX: Final = 128


@unique
class SessionKind(StrEnum):
    """How a session's tokens travel, and so how long it lasts."""

    CONSOLE = "console"
    """In cookies that scripts of a page cannot read."""
    SCRIPT = "script"
    """In the Authorization header."""
    DEVICE = "device"
    """The same, of a command line that a person let in."""


LASTS_S: Final = {SessionKind.CONSOLE: SESSION_S, SessionKind.SCRIPT: SESSION_S, SessionKind.DEVICE: DEVICE_S}
IDLES_S: Final = {SessionKind.CONSOLE: IDLE_S, SessionKind.SCRIPT: IDLE_S, SessionKind.DEVICE: DEVICE_IDLE_S}
IDLE_BY_NAME: Final = {kind.value: idle_s for kind, idle_s in IDLES_S.items()}
COOKIES: Final = frozenset({SessionKind.CONSOLE})
BEARERS: Final = frozenset({SessionKind.SCRIPT, SessionKind.DEVICE})


class SessionExpired(NotSignedIn):
    """The access token has ended; its session has not."""

    code = "SESSION_EXPIRED"


class RefreshRefused(NotSignedIn):
    """The refresh token opens nothing."""

    code = "REFRESH_REFUSED"


class RefreshRaced(Conflict):
    """The refresh token was used a moment ago."""

    code = "REFRESH_RACED"


class OpenedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session with its tokens, which go to who signed in and nowhere else."""

    session: SessionRow
    user: UserRow
    access_token: str
    refresh_token: str
    refresh_expires_at: Instant


class Superseded:
    """Access tokens that this process replaced a moment ago: requests that are on their way with them are still answered.

    Of each session the database knows the last one, too, for all processes.
    """

    def __init__(self) -> None:
        # By digest. Cap: SUPERSEDED_MAX; an entry leaves when its time is over and another comes, or as the oldest.
        self._known: dict[str, tuple[str, Instant]] = {}

    def remember(self, digest: str, session_id: str, now: Instant) -> None:
        """Remember a token that was replaced."""
        while self._known:
            oldest = next(iter(self._known))
            if self._known[oldest][1] > now and len(self._known) < SUPERSEDED_MAX:
                break
            del self._known[oldest]
        self._known[digest] = (session_id, now + OVERLAP_S)

    def find(self, digest: str, now: Instant) -> str | None:
        """Tell whose it was, while it is still good."""
        session_id, until = self._known.get(digest, ("", now))
        return session_id if until > now else None


def new_token(prefix: str) -> str:
    """Make a token: 256 random bits after a prefix by which people and scanners know it."""
    return prefix + secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """Make what is stored of a token."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def open_session(
    tx: Transaction,
    user: UserRow,
    *,
    kind: SessionKind,
    method: str,
    address: str | None,
    user_agent: str,
    now: Instant,
) -> OpenedSession:
    """Open a session; beyond what one user may have open, the oldest ends."""
    surplus = sessions.list_ids_oldest_first(tx.connection, user.id, IDLE_BY_NAME, now)[: 1 - OPEN_MAX]
    for session_id in surplus:
        sessions.end(tx.connection, session_id, f"more than {OPEN_MAX} were open", now)
    if surplus:
        _tell(tx, now)
    access, refresh = new_token("pha_"), new_token("phr_")
    session = SessionRow(
        id=new_id(),
        user_id=user.id,
        kind=kind.value,
        method=method,
        access_digest=digest_of(access),
        access_expires_at=now + ACCESS_S,
        created_at=now,
        expires_at=now + LASTS_S[kind],
        last_used_at=now,
        address=address,
        user_agent=user_agent[:200],
    )
    sessions.add(tx.connection, session)
    sessions.add_refresh(tx.connection, digest_of(refresh), session.id, now)
    people.note_sign_in(tx.connection, user.id, now)
    record(tx, user, "session.open", now, target=session.id, address=address, detail=f"{kind.value}, by {method}")
    return _opened(session, user, access, refresh)


async def refresh_session(
    store: Store,
    superseded: Superseded,
    token: str,
    kinds: frozenset[SessionKind],
    *,
    address: str | None,
    now: Instant,
) -> OpenedSession:
    """Renew a session's tokens.

    Raises: RefreshRaced when the token was used within RACE_S, RefreshRefused for every other token that is not good;
    one that was used before ends its session
    """
    digest = digest_of(token)
    # Asked before the one writer is: what nobody has costs heartbeats nothing.
    if await store.read(lambda connection: sessions.find_refresh(connection, digest)) is None:
        raise RefreshRefused(fix="Sign in again.")

    def renew(tx: Transaction) -> tuple[str, OpenedSession] | None:
        found = sessions.find_refresh(tx.connection, digest)
        session = None if found is None else sessions.find(tx.connection, found.session_id)
        user = None if session is None else people.find(tx.connection, session.user_id)
        if found is None or session is None or user is None or session.kind not in kinds:
            return None
        if user.disabled_at is not None or not is_open(session, now):
            if sessions.use_refresh(tx.connection, digest, now):  # audited once, however often it comes
                record(
                    tx,
                    user,
                    "session.refresh",
                    now,
                    target=session.id,
                    address=address,
                    detail="it has ended",
                    is_refused=True,
                )
            return None
        if not sessions.use_refresh(tx.connection, digest, now):
            if found.used_at is not None and now - found.used_at > RACE_S:
                _end_of_reuse(tx, session, user, address, now)
                return None
            raise RefreshRaced(fix="Use the tokens that the other answer gave.")
        return _renew(tx, session, user, address, now)

    renewed = await store.write(renew)
    if renewed is None:
        raise RefreshRefused(fix="Sign in again.")
    replaced, opened = renewed
    superseded.remember(replaced, opened.session.id, now)
    return opened


def is_open(session: SessionRow, now: Instant) -> bool:
    """Tell whether a session has neither been ended nor run out."""
    idle_s = IDLE_BY_NAME.get(session.kind, 0.0)
    return session.ended_at is None and now < session.expires_at and now < session.last_used_at + idle_s


def find_access(
    connection: Connection, token: str, kinds: frozenset[SessionKind], superseded: Superseded, now: Instant
) -> tuple[SessionRow, UserRow]:
    """Find out whose session an access token opens.

    Raises: NotSignedIn (SessionExpired while the session can be renewed)
    """
    digest = digest_of(token)
    replaced = superseded.find(digest, now)
    session = sessions.find_by_access(connection, digest) if replaced is None else sessions.find(connection, replaced)
    if session is None:  # it may be that another process replaced it
        session = sessions.find_by_replaced(connection, digest, now - OVERLAP_S)
    user = None if session is None else people.find(connection, session.user_id)
    if session is None or user is None or session.kind not in kinds:
        raise NotSignedIn(fix="Sign in again.")
    if user.disabled_at is not None or not is_open(session, now):
        raise NotSignedIn(fix="Sign in again.")
    if session.access_expires_at <= now:
        raise SessionExpired(fix="Renew it: POST /auth/refresh.")
    return session, user


def find_open(connection: Connection, session_id: str, now: Instant) -> tuple[SessionRow, UserRow] | None:
    """Find a session that has not ended, whatever became of its access token."""
    session = sessions.find(connection, session_id)
    user = None if session is None else people.find(connection, session.user_id)
    if session is None or user is None or user.disabled_at is not None or not is_open(session, now):
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


def sign_out(tx: Transaction, subject: Subject, now: Instant, *, everywhere: bool = False) -> int:
    """End the session that somebody acts through, or all of theirs; returns how many ended."""
    if everywhere:
        count = sessions.end_all(tx.connection, subject.id, "signed out everywhere", now)
    else:
        count = int(sessions.end(tx.connection, subject.credential_id, "signed out", now))
    if count:
        _tell(tx, now)
        action = "session.end-all" if everywhere else "session.end"
        target = subject.username if everywhere else subject.credential_id
        audit(tx, subject, action, target, now, detail=f"{count} ended" if everywhere else "signed out")
    return count


def end_session(tx: Transaction, subject: Subject, session_id: str, now: Instant) -> bool:
    """End a session of one's own, or of somebody else; False when it had ended.

    Raises: NotFound, NotPermitted
    """
    session = sessions.find(tx.connection, session_id)
    owner = None if session is None else people.find(tx.connection, session.user_id)
    may = may_manage_users(subject)
    if owner is None or not (is_own(subject, owner.id) or may) or owner.organization_id != subject.organization_id:
        raise NotFound("There is no such session.", field="id", fix="Look at the list of sessions.")
    ended = sessions.end(tx.connection, session_id, _ended_by(subject, owner), now)
    if ended:
        _tell(tx, now)
        audit(tx, subject, "session.end", session_id, now, detail=f"of {owner.username}")
    return ended


def end_all_sessions(tx: Transaction, subject: Subject, user_id: str | None, now: Instant) -> int:
    """Sign somebody out everywhere, oneself unless another one is named; returns how many sessions ended.

    Raises: NotFound, NotPermitted
    """
    owner = find_user(tx.connection, subject, user_id)
    count = sessions.end_all(tx.connection, owner.id, _ended_by(subject, owner), now)
    if count:
        _tell(tx, now)
    audit(tx, subject, "session.end-all", owner.username, now, detail=f"{count} ended")
    return count


def end_others(tx: Transaction, subject: Subject, because: str, now: Instant) -> int:
    """End every session of somebody but the one that they act through; returns how many there were."""
    count = sessions.end_all(tx.connection, subject.id, because, now, except_id=subject.credential_id)
    if count:
        _tell(tx, now)
    return count


def is_own(subject: Subject, user_id: str) -> bool:
    """Tell whether somebody acts on themselves; who acts through an API token has no self, only what the token carries."""
    return subject.id == user_id and subject.via is Via.SESSION


def may_manage_users(subject: Subject) -> bool:
    """Tell whether somebody may act on everybody's sessions and tokens."""
    return subject.holdings.reach(Permission.USER_MGT_MANAGE_USERS).covers(EVERYWHERE)


def find_user(connection: Connection, subject: Subject, user_id: str | None, *, to_read: bool = False) -> UserRow:
    """Find whose sessions or tokens are meant: oneself, or with `user_mgt:manage_users` anybody of the organization.

    Raises: NotPermitted, NotFound
    """
    wanted = subject.id if user_id is None else user_id
    if not (is_own(subject, wanted) or (to_read and wanted == subject.id)):
        require(subject, Permission.USER_MGT_MANAGE_USERS, at=EVERYWHERE)
    user = people.find(connection, wanted)
    if user is None or user.organization_id != subject.organization_id:
        raise NotFound("There is no such user.", field="user", fix="Look at the list of users.")
    return user


def require_session(subject: Subject, what: str) -> None:
    """Refuse who acts through an API token: what needs a person is not for what lies in a file.

    Raises: NotPermitted
    """
    if subject.via is not Via.SESSION:
        raise NotPermitted(f"An API token cannot {what}.", fix="Sign in and do it yourself.")


def record(
    tx: Transaction,
    user: UserRow,
    action: str,
    now: Instant,
    *,
    target: str = "",
    address: str | None = None,
    detail: str = "",
    is_refused: bool = False,
) -> None:
    """Audit what is done before there is anybody who acts: signing in, renewing."""
    records.append(
        tx.connection,
        AuditRecord(
            at=now,
            organization_id=user.organization_id,
            actor=f"user:{user.username}",
            actor_id=user.id,
            via=Via.SESSION.value,
            action=action,
            target=target,
            outcome=Outcome.REFUSED if is_refused else Outcome.DONE,
            address=address,
            detail=detail,
        ),
    )


def _ended_by(subject: Subject, owner: UserRow) -> str:
    return "ended by its user" if subject.id == owner.id else "ended by an administrator"


def _renew(
    tx: Transaction, session: SessionRow, user: UserRow, address: str | None, now: Instant
) -> tuple[str, OpenedSession]:
    access, refresh = new_token("pha_"), new_token("phr_")
    access_expires_at = min(now + ACCESS_S, session.expires_at)
    sessions.renew(
        tx.connection,
        session.id,
        access_digest=digest_of(access),
        access_expires_at=access_expires_at,
        address=address,
        now=now,
    )
    sessions.add_refresh(tx.connection, digest_of(refresh), session.id, now)
    sessions.forget_used_refresh(tx.connection, session.id, now - DEVICE_IDLE_S)
    renewed = msgspec.structs.replace(session, access_expires_at=access_expires_at, last_used_at=now)
    return session.access_digest, _opened(renewed, user, access, refresh)


def _end_of_reuse(tx: Transaction, session: SessionRow, user: UserRow, address: str | None, now: Instant) -> None:
    """End a session one of whose refresh tokens came twice: one of the two who have it stole it."""
    sessions.end(tx.connection, session.id, "a refresh token was used twice", now)
    _tell(tx, now)
    detail = "REFRESH_REUSED: a refresh token was used twice; the session was ended"
    record(tx, user, "session.refresh", now, target=session.id, address=address, detail=detail, is_refused=True)


def _opened(session: SessionRow, user: UserRow, access: str, refresh: str) -> OpenedSession:
    idle_s = IDLES_S[SessionKind(session.kind)]
    return OpenedSession(
        session=session,
        user=user,
        access_token=access,
        refresh_token=refresh,
        refresh_expires_at=min(session.expires_at, session.last_used_at + idle_s),
    )


def _tell(tx: Transaction, now: Instant) -> None:
    """Have open streams look at their sessions."""
    tx.emit(NewEvent(kind=EventKind.SESSION_ENDED, at=now))
