"""Users of a Micro Integrator's own user store: what may be asked about them, and what its refusals mean. Pure.

Source: reference/runtime-protocol.md section 6.6; Micro Integrator's management API.
"""

import json
import re
from enum import StrEnum, unique
from http import HTTPStatus
from typing import Final

import msgspec

from pilothouse.base.errors import InvalidInput

NAME_CHARS_MAX: Final = 64
PASSWORD_CHARS_MIN: Final = 8
PASSWORD_CHARS_MAX: Final = 128
OPEN_CHANGES_MAX: Final = 10
"""Changes of users that may be under way to one runtime."""
OWN_ACCOUNTS: Final = frozenset({"icp-artifact-fetcher", "icp-service"})
"""Whom a management API takes the control plane for."""

_NAME: Final = re.compile(r"[A-Za-z0-9_@-][A-Za-z0-9_.@-]*", re.ASCII)
"""What stands in a path as it is, so that every release of Micro Integrator reads the same name in it."""
_DOMAIN: Final = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)


class NewUser(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is to be added."""

    name: str
    password: str
    administrator: bool = False

    def __repr__(self) -> str:
        return f"NewUser(name={self.name!r}, …)"


@unique
class UserRefusal(StrEnum):
    """Why a Micro Integrator changes no user; the values are stable codes."""

    EXISTS = "MI_USER_EXISTS"
    NOT_FOUND = "MI_USER_NOT_FOUND"
    PROTECTED = "MI_USER_PROTECTED"
    STORE_FIXED = "MI_USERS_FIXED"


SENTENCES: Final[dict[UserRefusal, str]] = {
    UserRefusal.EXISTS: "Its user store has a user of that name already.",
    UserRefusal.NOT_FOUND: "Its user store has no user of that name.",
    UserRefusal.PROTECTED: "It does not let the control plane remove this user: an administrator, or the one who asks.",
    UserRefusal.STORE_FIXED: "Its user store is a file or read-only: its users are not managed through it.",
}
FIXES: Final[dict[UserRefusal, str]] = {
    UserRefusal.EXISTS: "Take another name, or remove that user before.",
    UserRefusal.NOT_FOUND: "List its users again.",
    UserRefusal.PROTECTED: "Remove it in the user store itself, or as its super administrator.",
    UserRefusal.STORE_FIXED: "Give it a user store in a database or LDAP that it may write to, or change its deployment.toml.",
}


def refusal_of(status: int, words: str) -> UserRefusal | None:
    """Read from an answer why it changes no user; None where it is another failure.

    words: the sentence in the answer; Micro Integrator has statuses of its own for few of these
    """
    said = words.lower()
    if "file-based user store" in said or "read only" in said or "read-only" in said:
        return UserRefusal.STORE_FIXED
    if "already exists" in said:
        return UserRefusal.EXISTS
    if "super admin" in said or "logged in user" in said:
        return UserRefusal.PROTECTED
    if status == HTTPStatus.NOT_FOUND or "cannot be found" in said:
        return UserRefusal.NOT_FOUND
    return None


def check_new(new: NewUser) -> None:
    """Refuse a name or a password that cannot be a user's.

    Raises: InvalidInput
    """
    _check_name(new.name)
    _check_password(new.password, new.name)


def split_name(name: str) -> tuple[str, str | None]:
    """Read a user's name as a Micro Integrator lists it: `ada`, or `DOMAIN/ada` of a secondary user store.

    Raises: InvalidInput
    """
    domain, slash, alone = name.rpartition("/")
    _check_name(alone)
    if not slash:
        return alone, None
    if len(domain) > NAME_CHARS_MAX or not _DOMAIN.fullmatch(domain):
        raise InvalidInput("That is not the name of a user store.", field="name", fix="Take a user as it is listed.")
    return alone, domain


def hide(text: bytes, secret: str | None) -> bytes:
    """Take a secret out of what somebody answered, as it is and as JSON writes it."""
    if not secret:
        return text
    quoted = (json.dumps(secret), json.dumps(secret, ensure_ascii=False))
    for form in sorted({secret, *(each[1:-1] for each in quoted)}, key=len, reverse=True):
        text = text.replace(form.encode(), b"(hidden)")
    return text


def _check_name(name: str) -> None:
    if not 0 < len(name) <= NAME_CHARS_MAX or not _NAME.fullmatch(name):
        raise InvalidInput(
            f"A user's name has 1 to {NAME_CHARS_MAX} of the characters A-Z, a-z, 0-9, `_`, `-`, `.`, `@`, no point first.",
            field="name",
            fix="Take such a name; others are managed in the user store itself.",
        )
    if name in OWN_ACCOUNTS:
        raise InvalidInput(
            f"`{name}` is the account that the control plane itself uses.",
            field="name",
            fix="Leave it as it is: without it nothing could be asked of the runtime.",
        )


def _check_password(password: str, name: str) -> None:
    if not PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX:
        raise InvalidInput(
            f"A password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters.",
            field="password",
            fix="Take a longer one." if len(password) < PASSWORD_CHARS_MIN else "Take a shorter one.",
        )
    if not password.isprintable() or any(character.isspace() for character in password):
        raise InvalidInput(
            "A password has no spaces and no characters that cannot be seen.",
            field="password",
            fix="Micro Integrator takes none; leave them out.",
        )
    if password.lower() == name.lower():
        raise InvalidInput("The password is the name.", field="password", fix="Take another one.")
