"""What somebody holds, and the one decision whether they may.

Deny first: what is not granted is refused, and a subject without grants may do nothing.
"""

from enum import StrEnum, unique

import msgspec

from pilothouse.access.permissions import Permission
from pilothouse.base.errors import NotPermitted


@unique
class Role(StrEnum):
    """A set of permissions under a name."""

    ADMINISTRATOR = "administrator"
    """Everything, everywhere."""


_PERMISSIONS: dict[Role, frozenset[Permission]] = {Role.ADMINISTRATOR: frozenset(Permission)}


class Reach(msgspec.Struct, frozen=True):
    """The part of the tree that a permission reaches; every listing is filtered by one."""

    everything: bool


NOTHING = Reach(everything=False)
EVERYTHING = Reach(everything=True)


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who acts: a user behind a session."""

    id: str
    username: str
    display_name: str
    roles: frozenset[Role]
    address: str | None = None
    """Where the request came from; for the audit record."""

    @property
    def permissions(self) -> frozenset[Permission]:
        """Everything that the roles grant together."""
        return frozenset(permission for role in self.roles for permission in _PERMISSIONS[role])


def reach(subject: Subject, permission: Permission) -> Reach:
    """Tell how far a permission reaches for somebody; NOTHING when they do not hold it."""
    return EVERYTHING if permission in subject.permissions else NOTHING


def require(subject: Subject, *permissions: Permission) -> None:
    """Refuse unless at least one of the permissions is held.

    Raises: NotPermitted
    """
    if not any(reach(subject, permission).everything for permission in permissions):
        names = " or ".join(permission.value for permission in permissions)
        raise NotPermitted(
            f"This needs the permission {names}, which {subject.username} does not hold.",
            fix="Ask an administrator for a role that grants it.",
        )
