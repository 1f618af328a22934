"""Roles and what they grant."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from pilothouse.access.grants import EVERYTHING, Reach
from pilothouse.access.permissions import Permission
from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest
from pilothouse.storage.access import permissions_of
from pilothouse.storage.columns import Rows
from pilothouse.storage.mappings import touching
from pilothouse.storage.tables import role_mappings, role_permissions, roles
from pilothouse.storage.users import Order, count, matches, page_in_order


class RoleRow(msgspec.Struct, frozen=True, kw_only=True):
    """A role."""

    id: str
    name: str
    description: str
    built_in: str | None
    """Its code when it came with the organization."""
    created_at: Instant
    created_by: str
    group_count: int
    """Groups that have it somewhere within the caller's reach."""
    permissions: frozenset[Permission] = frozenset()
    """As the role names them."""


def list_rows(
    connection: Connection, reach: Reach, search: str | None, order: Order, request: PageRequest
) -> Page[RoleRow]:
    """List roles, by name unless told; three statements."""
    wanted = matches(search, roles.c.name, roles.c.description)
    found = page_in_order(
        connection,
        "roles",
        _roles(reach).where(wanted),
        (roles.c.name, roles.c.created_at, roles.c.id),
        order,
        request,
        count(connection, select(roles.c.id).where(wanted)),
    )
    named = permissions_of(connection, [row["id"] for row in found.nodes])
    return found.map(lambda row: _row(row, named))


def find_row(connection: Connection, role_id: str, reach: Reach = EVERYTHING) -> RoleRow | None:
    """Find a role by id."""
    row = connection.execute(_roles(reach).where(roles.c.id == role_id)).mappings().first()
    return None if row is None else _row(row, permissions_of(connection, [role_id]))


def is_name_taken(connection: Connection, name: str, *, but: str | None = None) -> bool:
    """Tell whether another role has a name, in whatever case."""
    taken = select(roles.c.id).where(func.lower(roles.c.name) == func.lower(name))
    return any(id_ != but for id_ in connection.execute(taken).scalars())


def count_all(connection: Connection) -> int:
    """Count roles."""
    return count(connection, select(roles.c.id))


def add(
    connection: Connection,
    organization_id: str,
    *,
    id_: str,
    name: str,
    description: str,
    permissions: Iterable[Permission],
    created_at: Instant,
    created_by: str,
) -> None:
    """Store a role."""
    connection.execute(
        insert(roles).values(
            id=id_,
            organization_id=organization_id,
            name=name,
            description=description,
            created_at=created_at,
            created_by=created_by,
        )
    )
    _set_permissions(connection, id_, permissions)


def change(
    connection: Connection, role_id: str, *, name: str, description: str, permissions: Iterable[Permission]
) -> None:
    """Change a role."""
    connection.execute(update(roles).where(roles.c.id == role_id).values(name=name, description=description))
    connection.execute(delete(role_permissions).where(role_permissions.c.role_id == role_id))
    _set_permissions(connection, role_id, permissions)


def remove(connection: Connection, role_id: str) -> None:
    """Delete a role that is not mapped."""
    connection.execute(delete(roles).where(roles.c.id == role_id))


def _set_permissions(connection: Connection, role_id: str, permissions: Iterable[Permission]) -> None:
    values = [{"role_id": role_id, "permission": permission.value} for permission in sorted(permissions)]
    connection.execute(insert(role_permissions), values)


def _roles(reach: Reach) -> Rows:
    c = roles.c
    groups_with_it = (
        select(func.count(role_mappings.c.group_id.distinct()))
        .where(role_mappings.c.role_id == c.id, touching(reach))
        .scalar_subquery()
        .label("group_count")
    )
    return select(c.id, c.name, c.description, c.built_in, c.created_at, c.created_by, groups_with_it)


def _row(row: Any, named: dict[str, frozenset[Permission]]) -> RoleRow:  # Any: SQLAlchemy's row mapping
    values = {name: row[name] for name in RoleRow.__struct_fields__ if name != "permissions"}
    return RoleRow(**values, permissions=named.get(row["id"], frozenset()))
