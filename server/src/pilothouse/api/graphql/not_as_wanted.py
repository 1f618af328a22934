"""Resolvers about places that are not as somebody wants them."""

from typing import Any

from ariadne import QueryType

from pilothouse.access.permissions import Permission
from pilothouse.api.graphql import views
from pilothouse.api.graphql.request import Info
from pilothouse.api.graphql.runtime_parts import STALLED_AFTER_S
from pilothouse.api.graphql.selecting import selects
from pilothouse.api.graphql.views import Row
from pilothouse.base.pages import page_request
from pilothouse.storage import not_as_wanted
from pilothouse.storage.not_as_wanted import Listing, NotAsWanted

query = QueryType()
bindables = (query,)


@query.field("notAsWanted")
async def list_not_as_wanted(
    _: Any,  # Any: the root, unused
    info: Info,
    filter: Row | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    """List the places that are not as wanted, and count them by what is wrong."""
    request, asked = info.context, filter or {}
    listing = Listing(
        project=asked.get("project"),
        environment=asked.get("environment"),
        trouble=asked.get("trouble"),
    )
    page = page_request(listing.cursors_of, first, after)
    reach = request.reach(Permission.INTEGRATION_MGT_VIEW)
    names = selects(info, "nodes") or selects(info, "pageInfo")
    stalled_before = request.now - STALLED_AFTER_S
    found, tally = await request.services.store.read(
        lambda c: not_as_wanted.list_places(c, reach, listing, page, stalled_before=stalled_before, names=names)
    )
    return views.connection(
        found.map(_view), differing=tally.differing, failed=tally.failed, unreached=tally.unreached, places=tally.places
    )


def _view(place: NotAsWanted) -> Row:
    return {
        "project": {"handle": place.project_handle, "display_name": place.project_display_name},
        "integration": {"handle": place.integration_handle, "display_name": place.integration_display_name},
        "environment": {
            "handle": place.environment_handle,
            "display_name": place.environment_display_name,
            "critical": place.environment_critical,
        },
        "running": place.running,
        "forms": place.forms,
        "failed": place.failed,
        "unreached": place.unreached,
    }
