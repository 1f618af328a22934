"""Resolvers that explain who may do what."""

from typing import Any

from ariadne import QueryType

from pilothouse.access.grants import Grant
from pilothouse.access.permissions import Permission
from pilothouse.api.graphql import views
from pilothouse.api.graphql.places import names_of, place_view, scope_view
from pilothouse.api.graphql.request import Info
from pilothouse.api.graphql.views import Row
from pilothouse.base.pages import page_request
from pilothouse.operations import explaining as operations
from pilothouse.operations.explaining import Explained

query = QueryType()
bindables = (query,)


@query.field("access")
async def explain(
    _: Any,  # Any: the root, unused, here and below
    info: Info,
    permission: Permission,
    place: Row | None = None,
    user: str | None = None,
) -> Row:
    """Tell whether somebody may do something, and why."""
    request, names = info.context, names_of(place)
    return _view(
        await request.services.store.read(
            lambda connection: operations.explain(connection, request.subject, permission, names, user)
        )
    )


@query.field("whoMay")
async def who_may(
    _: Any,
    info: Info,
    permission: Permission,
    place: Row | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    """List everybody who may do something in a place."""
    request, names, page = info.context, names_of(place), page_request("whoMay", first, after)
    found = await request.services.store.read(
        lambda connection: operations.who_may(connection, request.subject, permission, names, page)
    )
    return views.connection(found.map(_view))


def _view(explained: Explained) -> Row:
    user, decision = explained.user, explained.decision
    return {
        "user": {
            "id": user.id,
            "username": user.username,
            "display_name": user.display_name,
            "kind": user.kind.upper(),
        },
        "permission": decision.permission,
        "place": place_view(explained.where),
        "allowed": decision.allowed,
        "reason": decision.reason,
        "through": _grants(explained, decision.because),
        "elsewhere": _grants(explained, decision.elsewhere),
    }


def _grants(explained: Explained, grants: tuple[Grant, ...]) -> list[Row]:
    """Show the mappings that the caller may see."""
    return [
        {
            "mapping": str(grant.mapping_id),
            "group": {"id": grant.group_id, "name": grant.group_name},
            "role": {"id": grant.role_id, "name": grant.role_name},
            "by": grant.through(explained.decision.permission),
            "scope": scope_view(explained.mappings[grant.mapping_id]),
        }
        for grant in grants
        if grant.mapping_id in explained.mappings
    ]
