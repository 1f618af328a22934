"""People whom another store vouches for: found, admitted, and put into the groups that their groups there are mapped to."""

import base64
import binascii
from typing import Final

import msgspec

from pilothouse.access.roles import BuiltInGroup
from pilothouse.base.errors import InvalidInput, NotSignedIn
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.identity.external import ExternalIdentity
from pilothouse.identity.ldap import Directory
from pilothouse.identity.oidc import OidcProvider
from pilothouse.operations.sessions import digest_of, record
from pilothouse.storage import built_in, people, sign_in_attempts, users
from pilothouse.storage.people import UserRow
from pilothouse.storage.sealing import CannotUnseal, Vault
from pilothouse.storage.unit import Transaction

ROUND_TRIP_S: Final = 600.0
"""So long a sign-in at an identity provider may take."""
RETURN_TO_LENGTH_MAX: Final = 512
USERNAME_LENGTH_MAX: Final = 100
DISPLAY_NAME_LENGTH_MAX: Final = 100
EMAIL_LENGTH_MAX: Final = 255
GROUPS_CLAIM: Final = "groups"
"""The claim by which a mapping means the groups, whatever the provider calls theirs."""
_SEALED_AS: Final = "oidc-sign-in"


class NotAdmitted(NotSignedIn):
    """You are known there, but may not sign in here."""

    code = "NOT_ADMITTED"


class NameTaken(NotSignedIn):
    """Somebody else has this user name here."""

    code = "NAME_TAKEN"


class UserDisabled(NotSignedIn):
    """Your account here is disabled."""

    code = "USER_DISABLED"


class ExternalStores(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The user stores beside our own, as far as they were set up."""

    oidc: OidcProvider | None = None
    oidc_display_name: str = ""
    """What the button says."""
    oidc_allows_unknown: bool = False
    """Whether somebody may come in for the first time without a mapped group."""
    directory: Directory | None = None
    directory_allows_unknown: bool = False

    async def close(self) -> None:
        """Let connections go."""
        if self.oidc is not None:
            await self.oidc.close()


class RoundTrip(msgspec.Struct, frozen=True, kw_only=True):
    """What the browser keeps, sealed, while its person signs in elsewhere."""

    state: str
    nonce: str
    code_verifier: str
    return_to: str
    ends_at: Instant


class RoundTrips:
    """Seals round trips: who seals one need not be the process to which it comes back."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def seal(self, trip: RoundTrip) -> str:
        """Make the cookie's value."""
        sealed = self._vault.seal(msgspec.json.encode(trip).decode(), key_id=_SEALED_AS)
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, sealed: str, now: Instant) -> RoundTrip | None:
        """Open a cookie's value; None for what is none of ours, or too old."""
        try:
            raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
            trip = msgspec.json.decode(self._vault.open(raw, key_id=_SEALED_AS), type=RoundTrip)
        except (CannotUnseal, binascii.Error, ValueError, msgspec.MsgspecError):
            return None
        return None if trip.ends_at <= now else trip


def spend(tx: Transaction, trip: RoundTrip) -> bool:
    """Let a round trip come back once; False when it did before, to whichever process."""
    return sign_in_attempts.spend(tx.connection, digest_of(trip.state), trip.ends_at)


def check_return_to(path: str) -> str:
    """Return where to go after a sign-in: a path of this console, and of nobody else.

    Raises: InvalidInput
    """
    if (
        len(path) > RETURN_TO_LENGTH_MAX
        or not (path.isprintable() and path.isascii())
        or not path.startswith("/")
        or path.startswith("//")  # a host would follow
        or "\\" in path  # which browsers take for a slash
    ):
        raise InvalidInput(
            "After a sign-in, nobody is sent elsewhere.",
            field="returnTo",
            fix="Name a path of this console, such as /projects.",
        )
    return path


def admit(
    tx: Transaction, identity: ExternalIdentity, *, organization_id: str, allows_unknown: bool, now: Instant
) -> UserRow:
    """Find whom another store vouches for, or take them in, and let name, e-mail address and groups follow it.

    Raises: NotAdmitted, NameTaken, UserDisabled
    """
    mappings = people.list_mapped_groups(tx.connection, organization_id, identity.issuer)
    wanted = {group for claim, value, group in mappings if _has(identity, claim, value)}
    user = people.find_external(tx.connection, identity.issuer, identity.subject)
    display_name = (identity.display_name.strip() or identity.username)[:DISPLAY_NAME_LENGTH_MAX]
    email = identity.email if identity.email and len(identity.email) <= EMAIL_LENGTH_MAX else None
    if user is None:
        user = _take_in(
            tx,
            identity,
            organization_id=organization_id,
            display_name=display_name,
            email=email,
            is_mapped=bool(wanted),
            allows_unknown=allows_unknown,
            now=now,
        )
    elif user.disabled_at is not None:
        raise UserDisabled(fix="Ask an administrator.")
    elif (user.display_name, user.email) != (display_name, email):
        people.set_profile(tx.connection, user.id, display_name, email)
        user = msgspec.structs.replace(user, display_name=display_name, email=email)
    _follow_groups(tx, user, wanted, now)
    return user


def _take_in(
    tx: Transaction,
    identity: ExternalIdentity,
    *,
    organization_id: str,
    display_name: str,
    email: str | None,
    is_mapped: bool,
    allows_unknown: bool,
    now: Instant,
) -> UserRow:
    username = identity.username.strip().lower()
    if not (is_mapped or allows_unknown):
        raise NotAdmitted(
            f"{username[:USERNAME_LENGTH_MAX]} is in no group that may sign in here.",
            fix="Ask an administrator to map one of your groups.",
        )
    if not 1 <= len(username) <= USERNAME_LENGTH_MAX or not username.isprintable():
        raise NotAdmitted(
            f"A user name has 1 to {USERNAME_LENGTH_MAX} printable characters here.", fix="Ask an administrator."
        )
    if people.find_by_name(tx.connection, username) is not None:
        raise NameTaken(
            f"There is another user {username} here, who is not you to this control plane.",
            fix="Ask an administrator to rename one of the two, or to delete the user that is not needed.",
        )
    user = UserRow(
        id=new_id(),
        organization_id=organization_id,
        username=username,
        display_name=display_name,
        email=email,
        issuer=identity.issuer,
        external_subject=identity.subject,
        created_at=now,
        created_by="sso",
    )
    people.add(tx.connection, user)
    record(tx, user, "user.create", now, target=username, detail=f"at the first sign-in, by {identity.issuer}")
    return user


def _follow_groups(tx: Transaction, user: UserRow, wanted: set[str], now: Instant) -> None:
    """Put somebody into the mapped groups and out of those that the store no longer names; what people did stays."""
    memberships = people.list_memberships(tx.connection, user.id)
    joined = wanted - memberships.keys()
    left = {group for group, source in memberships.items() if source == "sso"} - wanted
    if not (joined or left):
        return
    for group in sorted(joined):
        built_in.add_member(tx.connection, group, user.id, now, source="sso")
    if left:
        before = users.count_super_admins(tx.connection)
        people.leave(tx.connection, user.id, left)
        if before and not users.count_super_admins(tx.connection):
            # Nobody could let anybody in any more: the last one stays, and the record says so.
            kept = built_in.built_in_group(tx.connection, user.organization_id, BuiltInGroup.SUPER_ADMINS)
            built_in.add_member(tx.connection, kept, user.id, now, source="sso")
            left = left - {kept}
            detail = f"kept as the last Super Admin, though {user.issuer} no longer names the group"
            record(tx, user, "user.follow-groups", now, target=user.username, detail=detail, is_refused=True)
    if not (joined or left):
        return
    tx.emit(NewEvent(kind=EventKind.ACCESS_CHANGED, at=now))
    detail = f"joined {len(joined)}, left {len(left)}, as {user.issuer} has it"
    record(tx, user, "user.follow-groups", now, target=user.username, detail=detail)


def _has(identity: ExternalIdentity, claim: str, value: str) -> bool:
    return value in identity.claims.get(claim, ()) or (claim == GROUPS_CLAIM and value in identity.groups)
