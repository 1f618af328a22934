"""Resolvers about groups."""

from collections.abc import Sequence
from typing import Any

from ariadne import MutationType, ObjectType, QueryType

from pilothouse.access.rules import check_search
from pilothouse.api.graphql import views
from pilothouse.api.graphql.mappings import mappings_of
from pilothouse.api.graphql.places import batch_of, change, order_of
from pilothouse.api.graphql.request import Info
from pilothouse.api.graphql.views import Row
from pilothouse.base.pages import page_request
from pilothouse.operations import groups as operations
from pilothouse.operations.explaining import ABOUT_PEOPLE, mapping_reach
from pilothouse.storage import groups
from pilothouse.storage.groups import GroupRow, MemberRow, MemberWish
from pilothouse.storage.users import cursor_list

query = QueryType()
mutation = MutationType()
group = ObjectType("Group")
bindables = (query, mutation, group)


@query.field("groups")
async def list_groups(
    _: Any,  # Any: the root, unused, here and below
    info: Info,
    search: str | None = None,
    sort: object = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    """List groups."""
    order, text, reach = order_of(sort), check_search(search), mapping_reach(info.context.subject)
    page = page_request(cursor_list("groups", order), first, after)
    found = await info.context.services.store.read(lambda c: groups.list_rows(c, reach, text, order, page))
    return views.connection(found.map(view))


@query.field("group")
async def find_group(_: Any, info: Info, id: str) -> Row | None:
    """Show one group."""
    reach = mapping_reach(info.context.subject)
    found = await info.context.services.store.read(lambda c: groups.find_row(c, id, reach))
    return None if found is None else view(found)


@group.field("members")
async def members_of(
    row: Row, info: Info, search: str | None = None, first: int | None = None, after: str | None = None
) -> Row | None:
    """List who is in a group, to who holds a permission on users or groups; the groups of one page are read together."""
    request, page, text = info.context, page_request(groups.MEMBERS, first, after), check_search(search)
    if all(request.reach(permission).nothing for permission in ABOUT_PEOPLE):
        return None
    wish = MemberWish(search=text, first=page.first, after=page.after[0] if page.after else None)

    async def load(ids: Sequence[str]) -> Any:  # Any: pages by group
        return await request.services.store.read(lambda c: groups.list_members(c, ids, wish))

    found = await batch_of(request, f"members:{wish}", load).get(row["id"])
    return None if found is None else views.connection(found.map(_member))


@group.field("mappings")
async def mappings_of_group(row: Row, info: Info, first: int | None = None, after: str | None = None) -> Row:
    """List the roles that a group has, as far as the caller's reach touches them."""
    return await mappings_of(info.context, "group_id", row["id"], first, after)


@mutation.field("createGroup")
async def create_group(_: Any, info: Info, input: Row) -> Row:
    """Make a group."""
    request = info.context
    name, description = input["name"], input.get("description")
    made = await change(
        request, lambda tx: operations.create_group(tx, request.subject, name, description, now=request.now)
    )
    return view(made)


@mutation.field("updateGroup")
async def update_group(_: Any, info: Info, id: str, input: Row) -> Row:
    """Change a group's words."""
    request = info.context
    name, description = input["name"], input.get("description")
    return view(
        await change(
            request, lambda tx: operations.update_group(tx, request.subject, id, name, description, now=request.now)
        )
    )


@mutation.field("deleteGroup")
async def delete_group(_: Any, info: Info, id: str, cascade: bool | None = None) -> bool:
    """Delete a group."""
    request = info.context
    await change(
        request, lambda tx: operations.delete_group(tx, request.subject, id, cascade=cascade is True, now=request.now)
    )
    return True


@mutation.field("addGroupMembers")
async def add_members(_: Any, info: Info, group: str, users: list[str]) -> Row:
    """Put users into a group."""
    request = info.context
    return view(
        await change(request, lambda tx: operations.add_members(tx, request.subject, group, users, now=request.now))
    )


@mutation.field("removeGroupMembers")
async def remove_members(_: Any, info: Info, group: str, users: list[str]) -> Row:
    """Take users out of a group."""
    request = info.context
    return view(
        await change(request, lambda tx: operations.remove_members(tx, request.subject, group, users, now=request.now))
    )


def view(row: GroupRow) -> Row:
    """Show a group."""
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "built_in": row.built_in is not None,
        "project": None
        if row.project_handle is None
        else {"handle": row.project_handle, "display_name": row.project_display_name},
        "created_at": row.created_at,
        "created_by": row.created_by,
        "member_count": row.member_count,
    }


def _member(row: MemberRow) -> Row:
    return {
        "user": {
            "id": row.user_id,
            "username": row.username,
            "display_name": row.display_name,
            "kind": row.kind.upper(),
        },
        "added_at": row.added_at,
        "from_sso": row.source != "local",
    }
