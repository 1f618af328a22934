"""Resolvers that change the users of a Micro Integrator."""

from typing import Any

from ariadne import MutationType

from pilothouse.api.graphql.commands import is_running, show_asked
from pilothouse.api.graphql.request import Info
from pilothouse.api.graphql.views import Row
from pilothouse.domain.mi_users import NewUser
from pilothouse.operations import mi_users

mutation = MutationType()
bindables = (mutation,)


@mutation.field("addMicroIntegratorUser")
async def add_user(_: Any, info: Info, input: Row) -> Row:  # Any: the root, unused, here and below
    """Add a user."""
    request = info.context
    new = NewUser(name=input["name"], password=input["password"], administrator=input["administrator"])
    made = await request.services.store.write(
        lambda tx: mi_users.add(
            tx,
            request.subject,
            input["runtime"],
            new,
            vault=request.services.vault,
            confirm=input.get("confirm"),
            is_running=is_running(request),
            now=request.now,
            rules=request.services.command_rules,
        )
    )
    return await show_asked(request, made)


@mutation.field("removeMicroIntegratorUser")
async def remove_user(_: Any, info: Info, input: Row) -> Row:
    """Remove a user."""
    request = info.context
    made = await request.services.store.write(
        lambda tx: mi_users.remove(
            tx,
            request.subject,
            input["runtime"],
            input["name"],
            confirm=input.get("confirm"),
            is_running=is_running(request),
            now=request.now,
            rules=request.services.command_rules,
        )
    )
    return await show_asked(request, made)
