"""Resolvers about users."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from ariadne import MutationType, ObjectType, QueryType

from pilothouse.access.rules import check_search
from pilothouse.api.graphql import views
from pilothouse.api.graphql.mappings import all_mappings_of
from pilothouse.api.graphql.places import batch_of, change, order_of
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.api.graphql.views import Row
from pilothouse.base.pages import page_request
from pilothouse.identity.passwords import check_password
from pilothouse.operations import users as operations
from pilothouse.operations.explaining import mapping_reach
from pilothouse.operations.users import NewUser, UserChange, check_kind, new_one_time_password
from pilothouse.storage import users
from pilothouse.storage.users import NamedRef, UserScope, UserSummary, cursor_list

query = QueryType()
mutation = MutationType()
user = ObjectType("User")
bindables = (query, mutation, user)

MAPPINGS_SHOWN_MAX = 500


@query.field("users")
async def list_users(
    _: Any,  # Any: the root, unused, here and below
    info: Info,
    filter: Row | None = None,
    sort: object = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    """List users."""
    order, scope = order_of(sort), _scope_of(filter or {})
    page = page_request(cursor_list("users", order), first, after)
    found = await info.context.services.store.read(lambda c: users.list_rows(c, scope, order, page))
    return views.connection(found.map(view))


@query.field("user")
async def find_user(_: Any, info: Info, id: str) -> Row | None:
    """Show one user."""
    found = await info.context.services.store.read(lambda c: users.find_summary(c, id))
    return None if found is None else view(found)


@user.field("groups")
async def groups_of(row: Row, info: Info) -> Sequence[NamedRef]:
    """List the groups that somebody is in; those of one page are read together."""
    return await _groups_of(info.context, row["id"])


@user.field("mappings")
async def mappings_of(row: Row, info: Info) -> list[Row]:
    """List every mapping that gives somebody something, as far as the caller's reach touches it."""
    found: list[Row] = []
    refs = await _groups_of(info.context, row["id"])
    for shown in await _gathered(info.context, [ref.id for ref in refs]):
        found += shown
    return found[:MAPPINGS_SHOWN_MAX]


@mutation.field("createUser")
async def create_user(_: Any, info: Info, input: Row) -> Row:
    """Make a person or a service account."""
    request = info.context
    kind, given = (input.get("kind") or "PERSON").lower(), input.get("password")
    check_kind(kind, given)
    generated, password_hash = None, None
    if kind == operations.PERSON:
        if given is None:
            generated = new_one_time_password()
        else:
            check_password(given, field="password", username=input["username"])
        password_hash = await request.services.passwords.make(generated or given or "")
    new = NewUser(
        username=input["username"],
        display_name=input["display_name"],
        email=input.get("email"),
        kind=kind,
        password_hash=password_hash,
        group_ids=input.get("groups") or (),
    )
    made = await change(request, lambda tx: operations.create_user(tx, request.subject, new, now=request.now))
    return {"user": view(made), "one_time_password": generated}


@mutation.field("updateUser")
async def update_user(_: Any, info: Info, id: str, input: Row) -> Row:
    """Change a user."""
    request, wanted = info.context, UserChange(**input)
    return view(
        await change(request, lambda tx: operations.update_user(tx, request.subject, id, wanted, now=request.now))
    )


@mutation.field("deleteUser")
async def delete_user(_: Any, info: Info, id: str) -> bool:
    """Delete a user."""
    request = info.context
    await change(request, lambda tx: operations.delete_user(tx, request.subject, id, now=request.now))
    return True


@mutation.field("resetPassword")
async def reset_password(_: Any, info: Info, user: str) -> Row:
    """Give somebody a password that is shown once."""
    request = info.context
    # Asked before the hash is made, which is dear, and again in the transaction.
    await request.services.store.read(lambda c: operations.check_reset(c, request.subject, user))
    password = new_one_time_password()
    password_hash = await request.services.passwords.make(password)
    await change(
        request, lambda tx: operations.reset_password(tx, request.subject, user, password_hash, now=request.now)
    )
    return {"password": password}


@mutation.field("unlockUser")
async def unlock_user(_: Any, info: Info, id: str) -> bool:
    """Forget somebody's failed attempts."""
    request = info.context
    found = await request.services.store.write(
        lambda tx: operations.unlock_user(tx, request.subject, id, now=request.now)
    )
    request.services.door.attempts.ask_again(found.username)
    return True


@mutation.field("setUserGroups")
async def set_groups(_: Any, info: Info, user: str, groups: list[str]) -> Row:
    """Put somebody into exactly these groups."""
    request = info.context
    return view(
        await change(request, lambda tx: operations.set_groups(tx, request.subject, user, groups, now=request.now))
    )


def view(row: UserSummary) -> Row:
    """Show a user, never what their password is checked with."""
    is_person = row.kind == operations.PERSON
    return {
        **msgspec.structs.asdict(row),
        "kind": row.kind.upper(),
        "state": _state(row),
        "issuer": (row.issuer or "password") if is_person else None,
    }


def _state(row: UserSummary) -> str:
    if row.disabled_at is not None:
        return "DISABLED"
    return "MUST_CHANGE_PASSWORD" if row.must_change_password else "ACTIVE"


def _scope_of(wanted: Row) -> UserScope:
    state, kind = wanted.get("state"), wanted.get("kind")
    return UserScope(
        search=check_search(wanted.get("search")),
        kind=None if kind is None else kind.lower(),
        disabled=None if state is None else state == "DISABLED",
        must_change_password=None if state in (None, "DISABLED") else state == "MUST_CHANGE_PASSWORD",
        group_id=wanted.get("group"),
    )


async def _groups_of(request: GraphQLRequest, user_id: str) -> Sequence[NamedRef]:
    async def load(ids: Sequence[str]) -> dict[str, list[NamedRef]]:
        reach = mapping_reach(request.subject)
        return await request.services.store.read(lambda c: users.list_groups_of(c, ids, reach))

    return await batch_of(request, "groups-of-users", load).get(user_id) or ()


async def _gathered(request: GraphQLRequest, group_ids: Sequence[str]) -> list[Sequence[Row]]:
    """Show the mappings of several groups; all of them are read together."""
    return list(await asyncio.gather(*(all_mappings_of(request, "group_id", id_) for id_ in group_ids)))
