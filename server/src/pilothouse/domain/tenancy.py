"""Where things live: organization, environments, projects, integrations."""

from collections.abc import Collection
from enum import StrEnum, unique
from hashlib import blake2b
from itertools import count

import msgspec

from pilothouse.base.errors import InvalidInput
from pilothouse.base.instants import Instant
from pilothouse.domain.handles import check_handle, handle_from_name
from pilothouse.domain.runtime_type import RuntimeType

DISPLAY_NAME_LENGTH_MAX = 100
DESCRIPTION_LENGTH_MAX = 1000
DEFAULT_ORGANIZATION_HANDLE = "default"
_GROUP_STEM_LENGTH_MAX = 88
"""Leaves room in a group's name (100 characters) for ` Admins` and a number."""


@unique
class Sort(StrEnum):
    """The order of a list of things with names."""

    NAME = "NAME"
    NAME_DESCENDING = "NAME_DESCENDING"
    NEWEST = "NEWEST"
    OLDEST = "OLDEST"


class Organization(msgspec.Struct, frozen=True, kw_only=True):
    """The top of the tree."""

    id: str
    handle: str
    display_name: str


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment target."""

    id: str
    handle: str
    display_name: str
    critical: bool
    created_at: Instant


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """A group of integrations."""

    id: str
    handle: str
    display_name: str
    description: str
    created_at: Instant
    created_by: str
    integration_count: int = 0


class Integration(msgspec.Struct, frozen=True, kw_only=True):
    """A deployable unit in a project."""

    id: str
    handle: str
    display_name: str
    description: str
    runtime_type: RuntimeType
    project_id: str
    project_handle: str
    project_display_name: str
    created_at: Instant
    created_by: str


class Naming(msgspec.Struct, frozen=True, kw_only=True):
    """The names that a form gave, checked."""

    display_name: str
    handle: str
    description: str = ""


def check_naming(display_name: str, handle: str | None, description: str | None = None) -> Naming:
    """Check names as a form gives them; a handle that was left out is derived from the display name.

    Raises: InvalidInput
    """
    name = display_name.strip()
    if not name or len(name) > DISPLAY_NAME_LENGTH_MAX or not name.isprintable():
        raise InvalidInput(
            "A display name has 1 to 100 printable characters.",
            field="displayName",
            fix="Give a name that people recognise, for example 'Order service'.",
        )
    text = (description or "").strip()
    if len(text) > DESCRIPTION_LENGTH_MAX:
        raise InvalidInput(
            f"A description has at most {DESCRIPTION_LENGTH_MAX} characters, not {len(text)}.",
            field="description",
            fix="Shorten it; longer texts belong into the integration's own documentation.",
        )
    chosen = handle_from_name(name) if handle is None else handle
    if chosen is None:
        raise InvalidInput(
            f"No handle can be derived from '{name}'.",
            field="handle",
            fix="Give a handle of lower-case letters, digits and dashes, for example 'order-service'.",
        )
    return Naming(display_name=name, handle=check_handle(chosen), description=text)


def admins_name(display_name: str, taken: Collection[str]) -> str:
    """Name the group of a project's admins: `<display name> Admins`, with a number when that is taken.

    taken: names that exist, in whatever case: two groups that differ in case alone would be mistaken for each other
    """
    known = {name.casefold() for name in taken}
    stem = f"{display_name[:_GROUP_STEM_LENGTH_MAX].rstrip()} Admins"
    if stem.casefold() not in known:
        return stem
    return next(name for number in count(2) if (name := f"{stem} {number}").casefold() not in known)


def is_admins_name(name: str, display_name: str) -> bool:
    """Tell whether a group's name follows a project's; one that somebody chose does not."""
    stem = admins_name(display_name, ())
    return name == stem or (name.startswith(f"{stem} ") and name.removeprefix(f"{stem} ").isdigit())


def list_name(of: str, *asked: object) -> str:
    """Name a list together with its sort and filters: a cursor of one of them is refused by every other one."""
    return f"{of} {blake2b(msgspec.json.encode(asked), digest_size=8).hexdigest()}"
