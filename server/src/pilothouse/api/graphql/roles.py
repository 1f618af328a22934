"""Resolvers about roles and permissions."""

from collections.abc import Sequence
from typing import Any

from ariadne import MutationType, ObjectType, QueryType

from pilothouse.access.permissions import CONTAINED, MEANINGS, Permission
from pilothouse.access.rules import check_search
from pilothouse.api.graphql import views
from pilothouse.api.graphql.mappings import mappings_of
from pilothouse.api.graphql.places import change, order_of
from pilothouse.api.graphql.request import Info
from pilothouse.api.graphql.views import Row
from pilothouse.base.pages import page_request
from pilothouse.operations import roles as operations
from pilothouse.operations.explaining import mapping_reach
from pilothouse.storage import roles
from pilothouse.storage.roles import RoleRow
from pilothouse.storage.users import cursor_list

query = QueryType()
mutation = MutationType()
role = ObjectType("Role")
bindables = (query, mutation, role)


@query.field("permissions")
def list_permissions(_: Any, _info: Info) -> list[Row]:  # Any: the root, unused, here and below
    """List what can be granted."""
    return [
        {
            "permission": permission,
            "name": permission.value,
            "meaning": meaning,
            "contains": sorted(CONTAINED[permission] - {permission}),
        }
        for permission, meaning in MEANINGS.items()
    ]


@query.field("roles")
async def list_roles(
    _: Any,
    info: Info,
    search: str | None = None,
    sort: object = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    """List roles."""
    request, order, text = info.context, order_of(sort), check_search(search)
    page, reach = page_request(cursor_list("roles", order), first, after), mapping_reach(request.subject)
    found = await request.services.store.read(lambda c: roles.list_rows(c, reach, text, order, page))
    return views.connection(found.map(view))


@query.field("role")
async def find_role(_: Any, info: Info, id: str) -> Row | None:
    """Show one role."""
    reach = mapping_reach(info.context.subject)
    found = await info.context.services.store.read(lambda c: roles.find_row(c, id, reach))
    return None if found is None else view(found)


@role.field("mappings")
async def mappings_of_role(row: Row, info: Info, first: int | None = None, after: str | None = None) -> Row:
    """List the groups that have a role, as far as the caller's reach touches where."""
    return await mappings_of(info.context, "role_id", row["id"], first, after)


@mutation.field("createRole")
async def create_role(_: Any, info: Info, input: Row) -> Row:
    """Make a role."""
    request = info.context
    name, description, permissions = _read(input)
    return view(
        await change(
            request,
            lambda tx: operations.create_role(tx, request.subject, name, description, permissions, now=request.now),
        )
    )


@mutation.field("updateRole")
async def update_role(_: Any, info: Info, id: str, input: Row) -> Row:
    """Change a role."""
    request = info.context
    name, description, permissions = _read(input)
    return view(
        await change(
            request,
            lambda tx: operations.update_role(tx, request.subject, id, name, description, permissions, now=request.now),
        )
    )


@mutation.field("deleteRole")
async def delete_role(_: Any, info: Info, id: str) -> bool:
    """Delete a role."""
    request = info.context
    await change(request, lambda tx: operations.delete_role(tx, request.subject, id, now=request.now))
    return True


def view(row: RoleRow) -> Row:
    """Show a role."""
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "built_in": row.built_in is not None,
        "permissions": sorted(row.permissions),
        "created_at": row.created_at,
        "created_by": row.created_by,
        "group_count": row.group_count,
    }


def _read(input: Row) -> tuple[str, str | None, Sequence[Permission]]:
    return input["name"], input.get("description"), input["permissions"]
