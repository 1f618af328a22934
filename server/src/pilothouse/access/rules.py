"""Rules about people, groups, roles and mappings that need no database: limits, names, and what nobody may give away."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from pilothouse.access.grants import Grant, Subject, missing_for_grant
from pilothouse.access.permissions import GRANTABLE, Permission
from pilothouse.access.places import EVERYWHERE, Place
from pilothouse.base.errors import Conflict, InvalidInput, NotPermitted

USERS_MAX: Final = 10_000
GROUPS_MAX: Final = 2_000
ROLES_MAX: Final = 500
MAPPINGS_MAX: Final = 5_000
SSO_MAPPINGS_MAX: Final = 2_000
GROUPS_PER_USER_MAX: Final = 100
MEMBERS_AT_ONCE_MAX: Final = 500
"""Users whom one change puts into a group, or takes out of it."""
NAME_LENGTH_MAX: Final = 100
DESCRIPTION_LENGTH_MAX: Final = 1_000
EMAIL_LENGTH_MAX: Final = 255
SEARCH_LENGTH_MAX: Final = 200

_USERNAME = re.compile(r"[a-z0-9._@-]{1,100}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_NAMED = 3
"""Permissions that a refusal names."""


class InUse(Conflict):
    """Something hangs on it."""

    code = "IN_USE"


class LimitReached(Conflict):
    """There are as many as there may be."""

    code = "LIMIT_REACHED"


class BuiltInStays(Conflict):
    """It came with the organization and stays as it is."""

    code = "BUILT_IN"


class LastSuperAdmin(Conflict):
    """At least one active Super Admin remains."""

    code = "LAST_SUPER_ADMIN"

    def __init__(self) -> None:
        super().__init__(
            "That would leave no active Super Admin: nobody could manage this organization any more.",
            fix="Put another person into the group Super Admins first. Service accounts do not count.",
        )


class Oneself(Conflict):
    """Nobody does this to themselves."""

    code = "ONESELF"


def refuse_beyond(count: int, limit: int, things: str, fix: str = "Delete those that nobody needs.") -> None:
    """Refuse one more when there are as many as there may be.

    Raises: LimitReached
    """
    if count >= limit:
        raise LimitReached(f"There are {count:,} {things} already; there may be {limit:,}.", fix=fix)


def check_name(value: str, *, field: str) -> str:
    """Return a name without the blanks around it, in one form of Unicode.

    Raises: InvalidInput when it is empty, too long, or holds what cannot be seen
    """
    name = unicodedata.normalize("NFC", value).strip()
    if not 1 <= len(name) <= NAME_LENGTH_MAX or not name.isprintable():
        raise InvalidInput(
            f"A name has 1 to {NAME_LENGTH_MAX} characters, all of which can be seen.",
            field=field,
            fix="Choose a short name, on one line.",
        )
    return name


def check_username(value: str) -> str:
    """Return a user name in lower case.

    Raises: InvalidInput
    """
    username = value.strip().lower()
    if not _USERNAME.fullmatch(username):
        raise InvalidInput(
            "A user name has 1 to 100 characters: letters from a to z, digits, dot, underscore, dash, and @.",
            field="username",
            fix="Use for example anna.berg or anna@example.com.",
        )
    return username


def check_email(value: str | None) -> str | None:
    """Return an e-mail address; None when there is none.

    Raises: InvalidInput
    """
    email = (value or "").strip()
    if not email:
        return None
    if len(email) > EMAIL_LENGTH_MAX or not email.isprintable() or not _EMAIL.fullmatch(email):
        raise InvalidInput(
            f"'{email[:60]}' is not an e-mail address.", field="email", fix="Write it like anna@example.com."
        )
    return email


def check_description(value: str | None) -> str:
    """Return a description; empty when there is none.

    Raises: InvalidInput
    """
    description = (value or "").strip()
    if len(description) > DESCRIPTION_LENGTH_MAX or not all(c.isprintable() or c == "\n" for c in description):
        raise InvalidInput(
            f"A description has at most {DESCRIPTION_LENGTH_MAX:,} characters, all of which can be seen.",
            field="description",
            fix="Shorten it.",
        )
    return description


def check_search(value: str | None) -> str | None:
    """Return what is searched for.

    Raises: InvalidInput
    """
    if value is not None and len(value) > SEARCH_LENGTH_MAX:
        raise InvalidInput(
            f"A search has at most {SEARCH_LENGTH_MAX} characters.", field="search", fix="Search for less."
        )
    return value


def check_permissions(permissions: Sequence[Permission]) -> frozenset[Permission]:
    """Return what a role shall grant.

    Raises: InvalidInput when it is nothing, or what nobody grants
    """
    wanted = frozenset(permissions)
    if not wanted or not wanted <= GRANTABLE:
        raise InvalidInput(
            "A role grants at least one permission, and SIGNED_IN is none that is granted.",
            field="permissions",
            fix="Choose from `permissions`.",
        )
    return wanted


def holds_everything(subject: Subject) -> bool:
    """Tell whether somebody holds every permission everywhere, as a Super Admin does."""
    return not missing_for_grant(subject, GRANTABLE, EVERYWHERE)


def require_super_admin(subject: Subject, what: str) -> None:
    """Refuse what only who holds everything may do.

    Raises: NotPermitted
    """
    missing = missing_for_grant(subject, GRANTABLE, EVERYWHERE)
    if missing:
        raise NotPermitted(
            f"{what} needs a Super Admin: {subject.username} does not hold {_list(missing)} everywhere.",
            fix="Ask a Super Admin.",
        )


def require_all(subject: Subject, permissions: Iterable[Permission], scope: Place, what: str) -> None:
    """Refuse to give (or take) what somebody does not hold in all of a scope.

    Raises: NotPermitted
    """
    missing = missing_for_grant(subject, permissions, scope)
    if missing:
        raise _gives_away(subject, missing, what)


def require_all_grants(subject: Subject, grants: Iterable[Grant], what: str) -> None:
    """Refuse the same for everything that a group or a person has.

    Raises: NotPermitted
    """
    missing = {p for grant in grants for p in missing_for_grant(subject, grant.permissions, grant.scope)}
    if missing:
        raise _gives_away(subject, sorted(missing), what)


def _gives_away(subject: Subject, missing: Sequence[Permission], what: str) -> NotPermitted:
    return NotPermitted(
        f"{what} grants {_list(missing)}, which {subject.username} does not hold in all of that place:"
        " nobody grants what they do not hold.",
        fix="Ask somebody who holds it, or an administrator.",
    )


def _list(permissions: Sequence[Permission]) -> str:
    named = ", ".join(permission.value for permission in permissions[:_NAMED])
    more = len(permissions) - _NAMED
    return f"{named} and {more} more" if more > 0 else named
