"""Users as they are listed and changed, and the order of lists with names."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum, unique
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, case, delete, exists, false, func, or_, select, true, update

from pilothouse.access.grants import EVERYTHING, Reach
from pilothouse.access.roles import BuiltInGroup
from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest, page_of
from pilothouse.storage.columns import Rows
from pilothouse.storage.scope import within
from pilothouse.storage.tables import group_members, groups, users

_LIKE_ESCAPE = "\\"


@unique
class Order(StrEnum):
    """How a list of things with names is sorted."""

    NAME = "NAME"
    NAME_DESCENDING = "NAME_DESCENDING"
    NEWEST = "NEWEST"
    OLDEST = "OLDEST"

    @property
    def by_name(self) -> bool:
        """Whether names decide, and not the time."""
        return self in (Order.NAME, Order.NAME_DESCENDING)

    @property
    def falling(self) -> bool:
        """Whether the greatest comes first."""
        return self in (Order.NAME_DESCENDING, Order.NEWEST)


class UserSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A user as people see them, without what only sign-in needs."""

    id: str
    username: str
    display_name: str
    email: str | None
    kind: str
    """person · service"""
    issuer: str | None
    """None: signs in with a password, or never."""
    must_change_password: bool
    disabled_at: Instant | None
    created_at: Instant
    created_by: str
    last_sign_in_at: Instant | None
    is_super_admin: bool


class UserScope(msgspec.Struct, frozen=True, kw_only=True):
    """Which users are wanted; what is None does not matter."""

    search: str | None = None
    kind: str | None = None
    disabled: bool | None = None
    must_change_password: bool | None = None
    group_id: str | None = None


class NamedRef(msgspec.Struct, frozen=True, kw_only=True):
    """Something with a name, as others point to it."""

    id: str
    name: str


_administers = exists(
    select(group_members.c.user_id)
    .join(groups, groups.c.id == group_members.c.group_id)
    .where(group_members.c.user_id == users.c.id, groups.c.built_in == BuiltInGroup.SUPER_ADMINS.value)
)
# A condition is no value on every database.
_IS_SUPER_ADMIN = case((_administers, true()), else_=false()).label("is_super_admin")
_COLUMNS = [users.c[name] for name in UserSummary.__struct_fields__ if name != "is_super_admin"]


def _disabled(wanted: bool | None) -> ColumnElement[bool]:
    if wanted is None:
        return true()
    return users.c.disabled_at.is_not(None) if wanted else users.c.disabled_at.is_(None)


def list_rows(connection: Connection, scope: UserScope, order: Order, request: PageRequest) -> Page[UserSummary]:
    """List users, by user name unless told; two statements."""
    wanted = and_(
        matches(scope.search, users.c.username, users.c.display_name, users.c.email),
        true() if scope.kind is None else users.c.kind == scope.kind,
        _disabled(scope.disabled),
        true() if scope.must_change_password is None else users.c.must_change_password == scope.must_change_password,
        true() if scope.group_id is None else _is_in(scope.group_id),
    )
    found = page_in_order(
        connection,
        "users",
        _summaries().where(wanted),
        (users.c.username, users.c.created_at, users.c.id),
        order,
        request,
        count(connection, select(users.c.id).where(wanted)),
    )
    return found.map(_summary)


def find_summary(connection: Connection, user_id: str) -> UserSummary | None:
    """Find a user by id."""
    row = connection.execute(_summaries().where(users.c.id == user_id)).mappings().first()
    return None if row is None else _summary(row)


def list_summaries(connection: Connection, user_ids: Iterable[str]) -> dict[str, UserSummary]:
    """Find several users by id."""
    rows = connection.execute(_summaries().where(users.c.id.in_(list(user_ids)))).mappings()
    return {row["id"]: _summary(row) for row in rows}


def change(connection: Connection, user_id: str, **values: Any) -> None:  # Any: column values
    """Change columns of a user."""
    connection.execute(update(users).where(users.c.id == user_id).values(**values))


def remove(connection: Connection, user_id: str) -> None:
    """Delete a user, with their memberships, sessions and tokens (by the tables' foreign keys)."""
    connection.execute(delete(users).where(users.c.id == user_id))


def count_super_admins(connection: Connection) -> int:
    """Count who can manage everything: people (not service accounts) that are enabled, in the built-in group."""
    return count(
        connection,
        select(users.c.id).where(_administers, users.c.disabled_at.is_(None), users.c.kind == "person"),
    )


def list_groups_of(
    connection: Connection, user_ids: Sequence[str], reach: Reach = EVERYTHING
) -> dict[str, list[NamedRef]]:
    """List the groups of several users, by name: the organization's, and those of projects that the reach touches."""
    found: dict[str, list[NamedRef]] = defaultdict(list)
    statement = (
        select(group_members.c.user_id, groups.c.id, groups.c.name)
        .join(groups, groups.c.id == group_members.c.group_id)
        .where(
            group_members.c.user_id.in_(list(user_ids)),
            or_(groups.c.project_id.is_(None), within(reach, project=groups.c.project_id)),
        )
        .order_by(func.lower(groups.c.name), groups.c.id)
    )
    for user_id, group_id, name in connection.execute(statement):
        found[user_id].append(NamedRef(id=group_id, name=name))
    return found


def page_in_order(
    connection: Connection,
    of: str,
    statement: Rows,
    columns: tuple[ColumnElement[str], ColumnElement[Instant], ColumnElement[str]],
    order: Order,
    request: PageRequest,
    total: int,
) -> Page[Any]:  # Any: SQLAlchemy's row mappings
    """Read a page of a list with names; columns: name, creation, id. Cursors belong to one order."""
    name, created_at, id_ = columns
    # The database's own idea of lower case is in the cursor: it need not be Python's.
    by = func.lower(name) if order.by_name else created_at
    if request.after is not None:
        bound: Any  # text or instant
        bound, after_id = request.after_texts() if order.by_name else request.after_instant()
        beyond = (by < bound, id_ < after_id) if order.falling else (by > bound, id_ > after_id)
        statement = statement.where(or_(beyond[0], and_(by == bound, beyond[1])))
    ordering = (by.desc(), id_.desc()) if order.falling else (by, id_)
    rows = (
        connection.execute(statement.add_columns(by.label("sorted_by")).order_by(*ordering).limit(request.first + 1))
        .mappings()
        .all()
    )
    return page_of(
        cursor_list(of, order),
        rows,
        request,
        total,
        lambda row: (
            str(row["sorted_by"]) if order.by_name else str(round(row["sorted_by"] * 1000)),
            str(row["id"]),
        ),
    )


def cursor_list(of: str, order: Order) -> str:
    """Tell the name of a list in an order, for its cursors."""
    return f"{of}:{order.value}"


def matches(search: str | None, *columns: ColumnElement[Any]) -> ColumnElement[bool]:  # Any: text that may be null
    """Make the condition that a text occurs in one of several columns."""
    if not search or not search.strip():
        return true()
    text = search.strip().lower()
    for special in (_LIKE_ESCAPE, "%", "_"):
        text = text.replace(special, _LIKE_ESCAPE + special)
    return or_(*(func.lower(column).like(f"%{text}%", escape=_LIKE_ESCAPE) for column in columns))


def count(connection: Connection, statement: Rows) -> int:
    """Count the rows of a statement."""
    return connection.execute(select(func.count()).select_from(statement.subquery())).scalar_one()


def _summaries() -> Rows:
    return select(*_COLUMNS, _IS_SUPER_ADMIN)


def _summary(row: Any) -> UserSummary:  # Any: SQLAlchemy's row mapping
    values: dict[str, Any] = {name: row[name] for name in UserSummary.__struct_fields__}  # Any: column values
    values["is_super_admin"] = bool(values["is_super_admin"])
    return UserSummary(**values)


def _is_in(group_id: str) -> ColumnElement[bool]:
    return exists().where(group_members.c.user_id == users.c.id, group_members.c.group_id == group_id)
