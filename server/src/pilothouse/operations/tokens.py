"""API tokens: made for oneself or for a service account, looked up by every request that carries one, revoked."""

from collections.abc import Callable
from enum import StrEnum, unique
from typing import Final

import msgspec

from pilothouse.access.grants import Holdings, Subject, Via, missing_for_grant
from pilothouse.access.permissions import GRANTABLE, Permission, expand
from pilothouse.base.errors import Conflict, InvalidInput, NotFound, NotPermitted, NotSignedIn
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant, to_rfc3339
from pilothouse.domain.events import Event, EventKind, NewEvent
from pilothouse.operations.audit import audit
from pilothouse.operations.sessions import (
    digest_of,
    find_user,
    is_own,
    may_manage_users,
    new_token,
    require_session,
)
from pilothouse.storage import access, api_tokens
from pilothouse.storage.api_tokens import ApiTokenRow, OwnedToken
from pilothouse.storage.people import UserRow
from pilothouse.storage.unit import Connection, Store, Transaction

PREFIX: Final = "pht_"
HINT_LENGTH: Final = 10
"""Characters by which people tell their tokens apart: the prefix and six of 43."""
NAME_LENGTH_MAX: Final = 100
PERSON_DAYS_MAX: Final = 366
"""So long a token of a person lives at most: a year, whichever."""
ACTIVE_MAX: Final = 100
"""Tokens of one user that are good for something."""
REMEMBERED_S: Final = 10.0
"""So long a token that was looked up is believed without asking again, unless an event says otherwise."""
REMEMBERED_MAX: Final = 10_000
USE_NOTED_EVERY_S: Final = 60.0
"""The last use of a token is written this often at most."""
_DAY_S: Final = 86_400.0
_KNOWN: Final = {permission.value: permission for permission in GRANTABLE}


@unique
class TokenState(StrEnum):
    """What a token is good for."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class CreatedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A new token: the only time that it is outside of who holds it."""

    token: str
    api_token: OwnedToken


def state_of(token: ApiTokenRow, now: Instant) -> TokenState:
    """Tell what a token is good for at a moment."""
    if token.revoked_at is not None:
        return TokenState.REVOKED
    return TokenState.EXPIRED if token.expires_at is not None and token.expires_at <= now else TokenState.ACTIVE


def permissions_of(token: ApiTokenRow) -> frozenset[Permission] | None:
    """Tell what a token carries at most; None: all that its owner holds. A name of another release carries nothing."""
    if token.permissions is None:
        return None
    names = msgspec.json.decode(token.permissions, type=list[str])
    return frozenset(_KNOWN[name] for name in names if name in _KNOWN)


class TokenBook:
    """Tokens that were looked up lately: most requests with one cost no statement."""

    def __init__(self, store: Store, follow: Callable[[Callable[[Event], None]], None]) -> None:
        self._store = store
        # By digest. Cap: REMEMBERED_MAX, the one read longest ago goes first.
        self._known: dict[str, tuple[OwnedToken, Instant]] = {}
        self._generation = 0
        # By token id: when its use was written last, and what is still to be written. Cap: as _known.
        self._noted: dict[str, Instant] = {}
        self._uses: dict[str, tuple[Instant, str | None]] = {}
        follow(self._hear)

    async def find(self, text: str, address: str | None, now: Instant) -> OwnedToken:
        """Find a token that is good now, and note its use.

        Raises: NotSignedIn, Unavailable
        """
        digest = digest_of(text)
        found, read_at = self._known.get(digest, (None, now))
        if found is None or not 0 <= now - read_at < REMEMBERED_S:
            found = await self._read(digest, now)
        if found is None or found.disabled_at is not None or state_of(found.token, now) is not TokenState.ACTIVE:
            raise NotSignedIn(
                "The API token is unknown, revoked or expired, or its owner is disabled.",
                fix="Make another one; the old one's state is in the list of API tokens.",
            )
        self._note_use(found.token.id, address, now)
        return found

    async def flush(self) -> None:
        """Write what is known of the last use of tokens; what cannot be written now is kept for the next time.

        Raises: Unavailable
        """
        if not self._uses:
            return
        uses, self._uses = self._uses, {}

        def keep(tx: Transaction) -> None:
            for token_id, (at, address) in uses.items():
                api_tokens.note_use(tx.connection, token_id, at, address)

        try:
            await self._store.write(keep)
        except Exception:
            self._uses = uses | self._uses
            raise

    async def _read(self, digest: str, now: Instant) -> OwnedToken | None:
        generation = self._generation
        found = await self._store.read(lambda connection: api_tokens.find_by_digest(connection, digest))
        # What nobody has is not remembered: guessing must not push out what people use.
        if found is not None and generation == self._generation:
            self._known.pop(digest, None)
            self._known[digest] = (found, now)
            while len(self._known) > REMEMBERED_MAX:
                del self._known[next(iter(self._known))]
        return found

    def _note_use(self, token_id: str, address: str | None, now: Instant) -> None:
        if now - self._noted.get(token_id, now - USE_NOTED_EVERY_S) < USE_NOTED_EVERY_S:
            return
        self._noted.pop(token_id, None)
        self._noted[token_id] = now
        self._uses[token_id] = (now, address)
        while len(self._noted) > REMEMBERED_MAX:
            del self._noted[next(iter(self._noted))]

    def _hear(self, event: Event) -> None:
        if event.kind in (EventKind.ACCESS_CHANGED, EventKind.SESSION_ENDED):
            self._generation += 1
            self._known.clear()


def find_active(connection: Connection, token_id: str, now: Instant) -> OwnedToken | None:
    """Find a token that is good now, by its id: for what stays open longer than a request."""
    found = api_tokens.find(connection, token_id)
    is_good = found is not None and found.disabled_at is None and state_of(found.token, now) is TokenState.ACTIVE
    return found if is_good else None


def subject_of(owned: OwnedToken, holdings: Holdings, address: str | None) -> Subject:
    """Make who acts: the owner, with no more than the token carries."""
    carried = permissions_of(owned.token)
    return Subject(
        id=owned.token.user_id,
        username=owned.username,
        display_name=owned.display_name,
        organization_id=owned.organization_id,
        holdings=holdings if carried is None else holdings.limited(carried),
        via=Via.API_TOKEN,
        credential_id=owned.token.id,
        address=address,
    )


def create(
    tx: Transaction,
    subject: Subject,
    *,
    name: str,
    user_id: str | None,
    permissions: frozenset[Permission] | None,
    expires_at: Instant | None,
    now: Instant,
) -> CreatedToken:
    """Make a token for oneself, or for a service account.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict when there are too many
    """
    require_session(subject, "create API tokens")
    owner = find_user(tx.connection, subject, user_id)
    _check_owner(subject, owner)
    name = _check_name(name)
    expires_at = _check_expiry(expires_at, is_person=owner.kind == "person", now=now)
    if permissions is not None:
        _check_held(Holdings(access.list_grants(tx.connection, owner.id)), owner, permissions)
    if not is_own(subject, owner.id):
        _check_givable(subject, Holdings(access.list_grants(tx.connection, owner.id)), permissions)
    if api_tokens.count_active(tx.connection, owner.id, now) >= ACTIVE_MAX:
        raise Conflict(f"{owner.username} has {ACTIVE_MAX} API tokens already.", fix="Revoke those that nobody uses.")
    text = new_token(PREFIX)
    row = ApiTokenRow(
        id=new_id(),
        user_id=owner.id,
        name=name,
        digest=digest_of(text),
        hint=text[:HINT_LENGTH],
        permissions=None if permissions is None else msgspec.json.encode(sorted(permissions)).decode(),
        created_at=now,
        created_by=subject.username,
        expires_at=expires_at,
    )
    api_tokens.add(tx.connection, row)
    after = {
        "owner": owner.username,
        "permissions": None if permissions is None else sorted(permissions),
        "expiresAt": None if expires_at is None else to_rfc3339(expires_at),
    }
    audit(tx, subject, "token.create", row.id, now, detail=f"{name} for {owner.username}", after=after)
    found = api_tokens.find(tx.connection, row.id)
    if found is None:
        raise NotFound("The API token was deleted while it was made.", fix="Make another one.")
    return CreatedToken(token=text, api_token=found)


def revoke(tx: Transaction, subject: Subject, token_id: str, now: Instant) -> OwnedToken:
    """Revoke a token: one's own, the one that is acted through, or with `user_mgt:manage_users` anybody's.

    Raises: NotFound
    """
    found = api_tokens.find(tx.connection, token_id)
    is_itself = subject.via is Via.API_TOKEN and subject.credential_id == token_id
    if found is None or not (
        is_itself
        or is_own(subject, found.token.user_id)
        or (may_manage_users(subject) and found.organization_id == subject.organization_id)
    ):
        raise NotFound("There is no such API token.", field="id", fix="Look at the list of API tokens.")
    if api_tokens.revoke(tx.connection, token_id, subject.username, now):
        tx.emit(NewEvent(kind=EventKind.SESSION_ENDED, at=now))
        detail = f"{found.token.name} of {found.username}"
        audit(tx, subject, "token.revoke", token_id, now, detail=detail)
    return api_tokens.find(tx.connection, token_id) or found


def _check_owner(subject: Subject, owner: UserRow) -> None:
    if owner.disabled_at is not None:
        raise Conflict(f"{owner.username} is disabled.", field="user", fix="Enable the user first.")
    if owner.id != subject.id and owner.kind == "person":
        raise NotPermitted(
            f"Nobody makes API tokens for another person, and {owner.username} is one.",
            fix="Let them make their own, or make a service account.",
            field="user",
        )


def _check_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= NAME_LENGTH_MAX or not name.isprintable():
        raise InvalidInput(
            f"An API token's name has 1 to {NAME_LENGTH_MAX} printable characters.",
            field="name",
            fix="Say what uses it, for example `nightly build`.",
        )
    return name


def _check_expiry(expires_at: Instant | None, *, is_person: bool, now: Instant) -> Instant | None:
    if expires_at is not None and expires_at <= now:
        raise InvalidInput(
            f"An API token cannot expire in the past ({to_rfc3339(expires_at)}).",
            field="expiresAt",
            fix="Name an instant to come.",
        )
    if is_person and (expires_at is None or expires_at > now + PERSON_DAYS_MAX * _DAY_S):
        raise InvalidInput(
            "The API token of a person expires within a year.",
            field="expiresAt",
            fix="Name an instant within a year; one without an end is for a service account.",
        )
    return expires_at


def _check_held(holdings: Holdings, owner: UserRow, permissions: frozenset[Permission]) -> None:
    """Refuse what the owner holds nowhere: a token would promise what it cannot keep."""
    if not permissions:
        raise InvalidInput(
            "An API token without any permission is good for nothing.",
            field="permissions",
            fix="Name at least one, or leave them out for all that the owner holds.",
        )
    missing = sorted(permissions - holdings.permissions)
    if missing:
        raise NotPermitted(
            f"{owner.username} does not hold {', '.join(missing)}.",
            field="permissions",
            fix="Leave it out, or have it granted to the owner first.",
        )


def _check_givable(subject: Subject, holdings: Holdings, permissions: frozenset[Permission] | None) -> None:
    """Refuse to hand out, through a service account, what one does not hold oneself: nobody grants that."""
    carried = holdings.permissions if permissions is None else expand(permissions) & holdings.permissions
    for permission in sorted(carried):
        for place in holdings.reach(permission).places:
            if missing_for_grant(subject, [permission], place):
                raise NotPermitted(
                    f"The token would carry {permission.value}, which {subject.username} does not hold in all of its places.",
                    field="permissions",
                    fix="Leave the permission out, or ask who holds it to make the token.",
                )
