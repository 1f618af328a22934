"""What somebody holds, and the one decision whether they may.

Deny first: what is not granted is refused, and a subject without grants may do nothing. There are only grants, no denials:
what somebody may do is the union of what the roles of their groups grant, each within its scope.
"""

from collections.abc import Iterable
from enum import StrEnum, unique

import msgspec

from pilothouse.access.permissions import CONTAINED, GRANTABLE, Permission, expand
from pilothouse.access.places import EVERYTHING, EVERYWHERE, NOTHING, Place, Reach
from pilothouse.base.errors import NotPermitted

__all__ = [
    "EVERYTHING",
    "EVERYWHERE",
    "NOBODY",
    "NOTHING",
    "Decision",
    "Grant",
    "Holdings",
    "Place",
    "Reach",
    "Subject",
    "Via",
    "decide",
    "missing_for_grant",
    "reach",
    "require",
    "require_environment",
    "require_somewhere",
    "sees",
]


_LIMITED_MAX = 128
"""Kinds of API tokens of one owner whose holdings are remembered."""


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """One mapping through which somebody holds a role: user → group → role, within a scope."""

    mapping_id: int
    group_id: str
    group_name: str
    role_id: str
    role_name: str
    permissions: frozenset[Permission]
    """As the role names them; what they contain is held as well."""
    scope: Place

    def through(self, permission: Permission) -> Permission | None:
        """Tell by which of its own permissions it gives another one; the very same if it can."""
        if permission in self.permissions:
            return permission
        return min((own for own in self.permissions if permission in CONTAINED[own]), default=None)


class Holdings:
    """All that somebody holds, made once when it is read; a decision is a look-up.

    limited_to: what an API token carries at most; None: everything that its owner holds.
    """

    def __init__(self, grants: Iterable[Grant] = (), limited_to: frozenset[Permission] | None = None) -> None:
        self.grants = tuple(grants)
        self.limited_to = limited_to
        # By what they carry. Cap: _LIMITED_MAX; the oldest goes first.
        self._limited: dict[frozenset[Permission], Holdings] = {}
        by_role: dict[frozenset[Permission], set[Place]] = {}
        for grant in self.grants:
            by_role.setdefault(grant.permissions, set()).add(grant.scope)
        scopes = tuple(by_role.values())
        givers: dict[Permission, list[int]] = {}
        carried = GRANTABLE if limited_to is None else GRANTABLE & expand(limited_to)
        for number, permissions in enumerate(by_role):
            for permission in expand(permissions) & carried:
                givers.setdefault(permission, []).append(number)
        # A session is enough; what is listed with nothing but one (environments) lies where anything is granted.
        givers[Permission.SIGNED_IN] = sorted({number for numbers in givers.values() for number in numbers})
        # Permissions that the same roles give reach equally far: a thousand places are sorted once.
        made = {
            numbers: Reach(place for number in numbers for place in scopes[number])
            for numbers in {tuple(numbers) for numbers in givers.values()}
        }
        self._reaches: dict[Permission, Reach] = {
            permission: made[tuple(numbers)] for permission, numbers in givers.items()
        }

    def reach(self, permission: Permission) -> Reach:
        """Tell how far a permission reaches; NOTHING when it is not held."""
        return self._reaches.get(permission, NOTHING)

    @property
    def permissions(self) -> frozenset[Permission]:
        """Everything that is held somewhere."""
        return frozenset(self._reaches) - {Permission.SIGNED_IN}

    def limited(self, permissions: frozenset[Permission]) -> "Holdings":
        """Make what an API token carries: what its owner holds, and of that only these permissions."""
        known = self._limited.get(permissions)
        if known is None:
            known = self._limited[permissions] = Holdings(self.grants, permissions)
            while len(self._limited) > _LIMITED_MAX:
                del self._limited[next(iter(self._limited))]
        return known


NOBODY = Holdings()


@unique
class Via(StrEnum):
    """Through what somebody acts."""

    SESSION = "session"
    API_TOKEN = "token"  # noqa: S105 - a kind of credential
    LOCAL = "local"
    """The command line on the server's own machine."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who acts: a person or a service account, through a session or an API token."""

    id: str
    username: str
    display_name: str
    organization_id: str = ""
    holdings: Holdings = NOBODY
    via: Via = Via.SESSION
    credential_id: str = ""
    """Id of the session or of the API token; for the audit record, and to end it."""
    address: str | None = None
    """Where the request came from; for the audit record."""
    must_change_password: bool = False
    """Until then nothing but changing it is permitted."""

    @property
    def permissions(self) -> frozenset[Permission]:
        """Everything that is held somewhere."""
        return self.holdings.permissions


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Whether somebody may, and why."""

    allowed: bool
    permission: Permission
    place: Place
    because: tuple[Grant, ...]
    """The grants that allow it, all of them."""
    elsewhere: tuple[Grant, ...]
    """Grants that give the permission, but not in all of this place."""
    reason: str
    """One sentence."""


def reach(subject: Subject, permission: Permission) -> Reach:
    """Tell how far a permission reaches for somebody; NOTHING when they do not hold it."""
    return subject.holdings.reach(permission)


def decide(subject: Subject, permission: Permission, place: Place = EVERYWHERE) -> Decision:
    """Decide whether somebody may do something in all of a place, and say through which grants."""
    holdings = subject.holdings
    giving = [grant for grant in holdings.grants if grant.through(permission) is not None]
    carried = holdings.limited_to is None or any(permission in CONTAINED[own] for own in holdings.limited_to)
    because = tuple(grant for grant in giving if grant.scope.covers(place)) if carried else ()
    elsewhere = tuple(grant for grant in giving if grant not in because)
    if because:
        first = because[0]
        through = first.through(permission)
        by = "" if through == permission else f" by {through.value}, which contains it" if through else ""
        reason = f"The role {first.role_name} of the group {first.group_name} grants {permission.value}{by}."
    elif not carried:
        reason = f"The API token does not carry {permission.value}."
    elif elsewhere:
        reason = f"{subject.username} holds {permission.value}, but not in all of this place."
    else:
        reason = f"No role of {subject.username} grants {permission.value}."
    return Decision(
        allowed=bool(because), permission=permission, place=place, because=because, elsewhere=elsewhere, reason=reason
    )


def sees(subject: Subject, permission: Permission, place: Place) -> bool:
    """Tell whether somebody may know of what is in a place: to who may not, it is not there."""
    return reach(subject, permission).touches(place)


def require(subject: Subject, *permissions: Permission, at: Place) -> None:
    """Refuse unless at least one of the permissions is held in all of a place.

    Raises: NotPermitted
    """
    if not any(reach(subject, permission).covers(at) for permission in permissions):
        raise _refusal(subject, permissions, somewhere=any(not reach(subject, p).nothing for p in permissions))


def require_somewhere(subject: Subject, *permissions: Permission) -> None:
    """Refuse unless at least one of the permissions is held anywhere: the door of a listing, which is filtered then.

    Raises: NotPermitted
    """
    if Permission.SIGNED_IN in permissions:
        return
    if all(reach(subject, permission).nothing for permission in permissions):
        raise _refusal(subject, permissions, somewhere=False)


def require_environment(subject: Subject, environment_id: str | None, *, critical: bool) -> None:
    """Refuse unless somebody may manage an environment (None: one that is yet to be made); a critical one asks for more.

    Raises: NotPermitted
    """
    wider = () if critical else (Permission.ENVIRONMENT_MGT_MANAGE_NONPROD,)
    require(subject, Permission.ENVIRONMENT_MGT_MANAGE, *wider, at=Place(environment_id=environment_id))


def missing_for_grant(subject: Subject, permissions: Iterable[Permission], scope: Place) -> list[Permission]:
    """List what somebody would give away without holding it there: nobody grants what they do not hold."""
    return sorted(permission for permission in permissions if not reach(subject, permission).covers(scope))


def _refusal(subject: Subject, permissions: tuple[Permission, ...], *, somewhere: bool) -> NotPermitted:
    names = " or ".join(permission.value for permission in permissions)
    where = "does not hold here" if somewhere else "does not hold"
    carried = subject.holdings.limited_to
    if carried is not None and not any(p in CONTAINED[own] for p in permissions for own in carried):
        return NotPermitted(
            f"This needs the permission {names}, which this API token does not carry.",
            fix="Use a token that was made with it.",
        )
    return NotPermitted(
        f"This needs the permission {names}, which {subject.username} {where}.",
        fix="Ask an administrator for a role that grants it.",
    )
