"""The groups that come with projects: named after them, and renamed with them, as the control plane does it."""

import itertools
from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from pilothouse.client.apply.model import Grant, Group, State
from pilothouse.client.apply.reading import Document

PROJECT_ADMIN: Final = "Project Admin"
_STEM_MAX: Final = 88


def admins_of(display_name: str, taken: Collection[str] = ()) -> str:
    """Name the group that comes with a project: with a number when the name is taken."""
    known = {name.casefold() for name in taken}
    stem = f"{display_name[:_STEM_MAX].rstrip()} Admins"
    names = itertools.chain([stem], (f"{stem} {number}" for number in itertools.count(2)))
    return next(name for name in names if name.casefold() not in known)


def _follows(name: str, display_name: str) -> bool:
    """Tell whether a group bears the name that comes with a project; one that somebody chose stays."""
    stem = admins_of(display_name)
    return name == stem or (name.startswith(f"{stem} ") and name.removeprefix(f"{stem} ").isdigit())


def rename_admins(groups: dict[str, Group], handle: str, was: str, display_name: str) -> dict[str, str]:
    """Rename the groups that follow a project's name, and give their old names by the new ones."""
    renamed: dict[str, str] = {}
    for old in [name for name, group in groups.items() if group.project == handle and _follows(name, was)]:
        group = groups.pop(old)
        new = admins_of(display_name, groups)
        groups[new] = group
        renamed[new] = old
    return renamed


class Foreseen(msgspec.Struct, kw_only=True):
    """The groups as they are when all projects are made and renamed."""

    groups: dict[str, Group]
    origin: dict[str, str]
    """The names of those that are there, as they will be, each with what it is now."""

    @property
    def renamed(self) -> dict[str, str]:
        """Names as they are now, each with what it will be."""
        return {now: later for later, now in self.origin.items() if later != now}


def foresee(documents: Sequence[Document], present: State) -> Foreseen:
    """Tell what the projects of the documents do to groups, in the order in which they are taken."""
    groups = dict(present.groups)
    origin = {name: name for name in groups}
    for document in documents:
        if document.kind != "Project":
            continue
        handle, display_name = document.values["handle"], document.values["displayName"]
        there = present.projects.get(handle)
        if there is None:
            groups[admins_of(display_name, groups)] = Group(
                members=frozenset({present.me} - {""}),
                mappings=frozenset({Grant(PROJECT_ADMIN, handle)}),
                project=handle,
            )
        elif there.display_name != display_name:
            renamed = rename_admins(groups, handle, there.display_name, display_name)
            origin |= {new: now for new, old in renamed.items() if (now := origin.pop(old, None)) is not None}
    return Foreseen(groups=groups, origin=origin)
