"""Groups and who is in them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, true, update

from pilothouse.access.grants import EVERYTHING, Reach
from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest, page_of
from pilothouse.storage.columns import Rows
from pilothouse.storage.scope import within
from pilothouse.storage.tables import group_members, groups, projects, users
from pilothouse.storage.users import Order, count, matches, page_in_order

MEMBERS = "members"
"""The list that cursors of members belong to."""


class GroupRow(msgspec.Struct, frozen=True, kw_only=True):
    """A group."""

    id: str
    name: str
    description: str
    built_in: str | None
    """Its code when it is one of the beginning."""
    project_id: str | None
    """The project whose Admins it is."""
    project_handle: str | None
    project_display_name: str | None
    created_at: Instant
    created_by: str
    member_count: int


class MemberRow(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in a group."""

    group_id: str
    user_id: str
    username: str
    display_name: str
    kind: str
    source: str
    """local · sso"""
    added_at: Instant


class MemberWish(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a group's members is wanted."""

    search: str | None = None
    first: int
    after: str | None = None
    """User name of the last one seen."""


def list_rows(
    connection: Connection, reach: Reach, search: str | None, order: Order, request: PageRequest
) -> Page[GroupRow]:
    """List groups, by name unless told; two statements."""
    wanted = and_(seen(reach), matches(search, groups.c.name, groups.c.description))
    found = page_in_order(
        connection,
        "groups",
        _groups().where(wanted),
        (groups.c.name, groups.c.created_at, groups.c.id),
        order,
        request,
        count(connection, select(groups.c.id).where(wanted)),
    )
    return found.map(_row)


def seen(reach: Reach) -> ColumnElement[bool]:
    """Make the condition that keeps the groups of the organization, and those of projects that the reach touches."""
    return or_(groups.c.project_id.is_(None), within(reach, project=groups.c.project_id))


def find_row(connection: Connection, group_id: str, reach: Reach = EVERYTHING) -> GroupRow | None:
    """Find a group by id."""
    return list_by_ids(connection, [group_id], reach).get(group_id)


def list_by_ids(connection: Connection, group_ids: Iterable[str], reach: Reach = EVERYTHING) -> dict[str, GroupRow]:
    """Find several groups by id."""
    rows = connection.execute(_groups().where(groups.c.id.in_(list(group_ids)), seen(reach))).mappings()
    return {row["id"]: _row(row) for row in rows}


def is_name_taken(connection: Connection, name: str, *, but: str | None = None) -> bool:
    """Tell whether another group has a name, in whatever case."""
    taken = select(groups.c.id).where(func.lower(groups.c.name) == func.lower(name))
    return any(id_ != but for id_ in connection.execute(taken).scalars())


def count_all(connection: Connection) -> int:
    """Count groups."""
    return count(connection, select(groups.c.id))


def add(
    connection: Connection,
    organization_id: str,
    *,
    id_: str,
    name: str,
    description: str,
    created_at: Instant,
    created_by: str,
) -> None:
    """Store a group."""
    connection.execute(
        insert(groups).values(
            id=id_,
            organization_id=organization_id,
            name=name,
            description=description,
            created_at=created_at,
            created_by=created_by,
        )
    )


def change(connection: Connection, group_id: str, *, name: str, description: str) -> None:
    """Change a group's words."""
    connection.execute(update(groups).where(groups.c.id == group_id).values(name=name, description=description))


def remove(connection: Connection, group_id: str) -> None:
    """Delete a group, with its members and mappings (by the tables' foreign keys)."""
    connection.execute(delete(groups).where(groups.c.id == group_id))


def list_member_ids(connection: Connection, group_id: str, user_ids: Iterable[str]) -> frozenset[str]:
    """Tell which of several users are in a group."""
    c = group_members.c
    statement = select(c.user_id).where(c.group_id == group_id, c.user_id.in_(list(user_ids)))
    return frozenset(connection.execute(statement).scalars())


def count_groups_of(connection: Connection, user_ids: Iterable[str]) -> dict[str, int]:
    """Count the groups of several users."""
    c = group_members.c
    statement = select(c.user_id, func.count()).where(c.user_id.in_(list(user_ids))).group_by(c.user_id)
    return {user_id: number for user_id, number in connection.execute(statement)}  # noqa: C416 - rows are no pairs


def add_members(connection: Connection, group_id: str, user_ids: Sequence[str], now: Instant) -> None:
    """Put users into a group, by a person's hand."""
    if user_ids:
        connection.execute(
            insert(group_members),
            [{"group_id": group_id, "user_id": id_, "source": "local", "added_at": now} for id_ in user_ids],
        )


def keep_members(connection: Connection, group_id: str, user_ids: Iterable[str]) -> None:
    """Let members stay by a person's hand, whom an identity provider put in."""
    c = group_members.c
    statement = update(group_members).where(c.group_id == group_id, c.user_id.in_(list(user_ids)), c.source != "local")
    connection.execute(statement.values(source="local"))


def remove_members(connection: Connection, group_id: str, user_ids: Iterable[str]) -> None:
    """Take users out of a group."""
    c = group_members.c
    connection.execute(delete(group_members).where(c.group_id == group_id, c.user_id.in_(list(user_ids))))


def list_members(connection: Connection, group_ids: Sequence[str], wish: MemberWish) -> dict[str, Page[MemberRow]]:
    """List the same part of the members of several groups, by user name; two statements."""
    c, u = group_members.c, users.c
    wanted = and_(c.group_id.in_(list(group_ids)), matches(wish.search, u.username, u.display_name))
    joined = group_members.join(users, u.id == c.user_id)
    totals = connection.execute(
        select(c.group_id, func.count()).select_from(joined).where(wanted).group_by(c.group_id)
    ).all()
    place = func.row_number().over(partition_by=c.group_id, order_by=u.username).label("place")
    numbered = (
        select(c.group_id, c.user_id, u.username, u.display_name, u.kind, c.source, c.added_at, place)
        .select_from(joined)
        .where(wanted, true() if wish.after is None else u.username > wish.after)
        .subquery()
    )
    statement = (
        select(*(numbered.c[name] for name in MemberRow.__struct_fields__))
        .where(numbered.c.place <= wish.first + 1)
        .order_by(numbered.c.group_id, numbered.c.place)
    )
    found: dict[str, list[MemberRow]] = defaultdict(list)
    for row in connection.execute(statement).mappings():
        found[row["group_id"]].append(MemberRow(**row))
    count_of: dict[str, int] = {group_id: number for group_id, number in totals}  # noqa: C416 - rows are no pairs
    request = PageRequest(first=wish.first)
    return {
        id_: page_of(MEMBERS, found[id_], request, count_of.get(id_, 0), lambda row: (row.username,))
        for id_ in group_ids
    }


def _groups() -> Rows:
    c = groups.c
    members = (
        select(func.count())
        .select_from(group_members)
        .where(group_members.c.group_id == c.id)
        .scalar_subquery()
        .label("member_count")
    )
    return select(
        c.id,
        c.name,
        c.description,
        c.built_in,
        c.project_id,
        projects.c.handle.label("project_handle"),
        projects.c.display_name.label("project_display_name"),
        c.created_at,
        c.created_by,
        members,
    ).outerjoin(projects, projects.c.id == c.project_id)


def _row(row: Any) -> GroupRow:  # Any: SQLAlchemy's row mapping
    return GroupRow(**{name: row[name] for name in GroupRow.__struct_fields__})
