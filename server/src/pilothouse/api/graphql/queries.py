"""Resolvers that read."""

from functools import partial
from typing import Any, Final

from ariadne import ObjectType, QueryType

from pilothouse.access.grants import EVERYWHERE, Place
from pilothouse.access.permissions import Permission
from pilothouse.api.graphql import views
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.api.graphql.selecting import selects
from pilothouse.api.graphql.views import Row, RuntimeView
from pilothouse.base.errors import InvalidInput
from pilothouse.base.pages import Page, PageRequest, page_request, slice_of
from pilothouse.domain.handles import handle_from_name
from pilothouse.domain.liveness import Status
from pilothouse.domain.runtime import RuntimeRow
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.tenancy import Sort
from pilothouse.observe.refusals import RefusalEntry
from pilothouse.operations.tenancy import HandleKind, handle_availability
from pilothouse.presence import counting
from pilothouse.storage import events, runtime_rows, tenancy
from pilothouse.storage.runtime_rows import Elsewheres, Known, RuntimeListing, RuntimeScope, RuntimeSort
from pilothouse.storage.tenancy import Listing
from pilothouse.storage.unit import Connection

query = QueryType()
runtime = ObjectType("Runtime")

_VIEW = Permission.INTEGRATION_MGT_VIEW
_MANAGE_ENVIRONMENT = (Permission.ENVIRONMENT_MGT_MANAGE, Permission.ENVIRONMENT_MGT_MANAGE_NONPROD)
_SEARCH_LENGTH_MAX = 200
_DEFAULT_RUNTIME_PORT = 9445
_FEW: Final = 2_000
"""So many runtimes in the states that are asked for are named to the database; of more, a page is found by looking at the next ones."""


@query.field("organization")
async def organization(_: Any, info: Info) -> Row:  # Any: the root, unused, here and below
    """Show the top of the tree."""
    request = info.context
    services = request.services
    of_projects, of_integrations = request.reach(Permission.PROJECT_MGT_VIEW), request.reach(_VIEW)
    projects, integrations = await services.store.read(
        lambda connection: tenancy.count_all(connection, of_projects, of_integrations)
    )
    return {
        "handle": services.organization.handle,
        "display_name": services.organization.display_name,
        "project_count": projects,
        "integration_count": integrations,
        "runtimes": request.counts,
    }


@query.field("controlPlane")
def control_plane(_: Any, info: Info) -> Row:
    """Show this server."""
    services = info.context.services
    return {
        "version": services.version,
        "runtime_url": services.runtime_url(),
        "runtime_url_is_default": services.runtime_port() == _DEFAULT_RUNTIME_PORT and not services.hostname_is_given,
        "started_at": services.started_at,
    }


@query.field("environments")
async def environments(_: Any, info: Info, first: int | None = None, after: str | None = None) -> Row:
    """List environments."""
    request, page = info.context, page_request("environments", first, after)
    reach = request.reach(Permission.SIGNED_IN)
    found = await request.services.store.read(lambda connection: tenancy.list_environments(connection, reach, page))
    return views.connection(found.map(lambda row: views.environment(request, row)))


@query.field("environment")
async def environment(_: Any, info: Info, handle: str) -> Row | None:
    """Show one environment."""
    request = info.context
    reach = request.reach(Permission.SIGNED_IN)
    found = await request.services.store.read(lambda connection: tenancy.find_environment(connection, handle, reach))
    return None if found is None else views.environment(request, found)


@query.field("projects")
async def projects(
    _: Any,
    info: Info,
    search: str | None = None,
    sort: str | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    """List projects."""
    request, listing = info.context, Listing(search=check_search(search), sort=Sort(sort or Sort.NAME))
    page = page_request(listing.cursors_of("projects"), first, after)
    reach = request.reach(Permission.PROJECT_MGT_VIEW)
    found = await request.services.store.read(
        lambda connection: tenancy.list_projects(connection, reach, listing, page)
    )
    return views.connection(found.map(lambda row: views.project(request, row)))


@query.field("project")
async def project(_: Any, info: Info, handle: str) -> Row | None:
    """Show one project."""
    request = info.context
    reach = request.reach(Permission.PROJECT_MGT_VIEW)
    found = await request.services.store.read(lambda connection: tenancy.find_project(connection, handle, reach))
    return None if found is None else views.project(request, found)


@query.field("integrations")
async def integrations(
    _: Any,
    info: Info,
    project: str | None = None,
    runtime_type: str | None = None,
    search: str | None = None,
    sort: str | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    """List integrations."""
    request = info.context
    listing = Listing(
        search=check_search(search),
        sort=Sort(sort or Sort.NAME),
        project=project,
        runtime_type=None if runtime_type is None else RuntimeType(runtime_type),
    )
    page = page_request(listing.cursors_of("integrations"), first, after)
    reach = request.reach(_VIEW)
    found = await request.services.store.read(
        lambda connection: tenancy.list_integrations(connection, reach, listing, page)
    )
    return views.connection(found.map(lambda row: views.integration(request, row)))


@query.field("integration")
async def integration(_: Any, info: Info, project: str, handle: str) -> Row | None:
    """Show one integration."""
    request = info.context
    reach = request.reach(_VIEW)
    found = await request.services.store.read(
        lambda connection: tenancy.find_integration(connection, project, handle, reach)
    )
    return None if found is None else views.integration(request, found)


@query.field("runtimes")
async def list_runtimes(
    _: Any,
    info: Info,
    filter: Row | None = None,
    sort: str | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    """List runtimes."""
    request, listing = info.context, _listing(filter or {}, sort)
    page = page_request(listing.cursors_of, first, after)
    reach, counts = request.reach(_VIEW), selects(info, "totalCount")
    if counts or listing.statuses is not None:
        await counting.bring_up_to(request.services.board, request.now)
    known = _known(request)

    def read(connection: Connection) -> tuple[Page[RuntimeRow], Elsewheres, int]:
        _, newest = events.bounds(connection)
        found = runtime_rows.list_rows(connection, reach, listing, known, page, counts=counts)
        return found, runtime_rows.list_elsewhere(connection, reach, found.nodes), newest

    found, elsewhere, newest = await request.services.store.read(read)
    return views.connection(found.map(lambda row: RuntimeView(request, row, elsewhere)), sequence=newest)


@query.field("runtime")
async def find_runtime(_: Any, info: Info, id: str) -> RuntimeView | None:
    """Show one runtime."""
    request = info.context
    reach = request.reach(_VIEW)

    def read(connection: Connection) -> tuple[RuntimeRow | None, Elsewheres]:
        found = runtime_rows.find_row(connection, reach, id)
        return found, {} if found is None else runtime_rows.list_elsewhere(connection, reach, [found])

    found, elsewhere = await request.services.store.read(read)
    return None if found is None else RuntimeView(request, found, elsewhere)


@query.field("refusals")
async def refusals(_: Any, info: Info, first: int | None = None) -> list[Row]:
    """List heartbeats that were refused lately, of the environments that the caller may manage."""
    request, page = info.context, page_request("refusals", first, None)
    known = await request.services.store.read(tenancy.all_environments)
    names = {handle_from_name(row.display_name): row for row in known} | {row.handle: row for row in known}
    every, noncritical = (request.reach(permission) for permission in _MANAGE_ENVIRONMENT)

    def is_managed(entry: RefusalEntry) -> bool:
        told = entry.sender.environment
        handle = None if told is None else handle_from_name(told)
        row = None if handle is None else names.get(handle)
        if row is None:
            return every.covers(EVERYWHERE)
        place = Place(environment_id=row.id)
        return every.covers(place) or (not row.critical and noncritical.covers(place))

    return [views.refusal(entry) for entry in request.services.refusals.newest(page.first, is_managed)]


@query.field("handleAvailability")
async def availability(
    _: Any, info: Info, kind: HandleKind, handle: str, project: str | None = None
) -> Any:  # Any: the operation's struct, read by attribute
    """Tell whether a handle is free."""
    request = info.context
    return await request.services.store.read(
        lambda connection: handle_availability(connection, request.subject, kind, handle, project)
    )


@runtime.field("services")
async def services_of(view: RuntimeView, info: Info, first: int | None = None, after: str | None = None) -> Row:
    """List a runtime's services, by base path."""
    page = page_request("services", first, after)
    rows = (await info.context.artifacts(view.row.artifact_digest)).services
    ordered = sorted(rows, key=lambda row: (row.base_path, *row.identity))
    found = slice_of("services", ordered, page, lambda row: (row.base_path, *row.identity))
    return views.connection(found.map(views.service))


@runtime.field("listeners")
async def listeners_of(view: RuntimeView, info: Info, first: int | None = None, after: str | None = None) -> Row:
    """List a runtime's listeners."""
    page = page_request("listeners", first, after)
    rows = (await info.context.artifacts(view.row.artifact_digest)).listeners
    return views.connection(slice_of("listeners", rows, page, lambda row: row.identity).map(views.listener))


@runtime.field("automation")
async def automation_of(view: RuntimeView, info: Info) -> Row | None:
    """Show a runtime's automation."""
    found = (await info.context.artifacts(view.row.artifact_digest)).automation
    if found is None:
        return None
    return {"organization": found.organization, "package": found.name, "version": found.version}


@runtime.field("logLevels")
def log_levels_of(view: RuntimeView, _info: Info, first: int | None = None, after: str | None = None) -> Row:
    """List a runtime's log levels."""
    page: PageRequest = page_request("logLevels", first, after)
    rows = views.log_levels(view.row.document.log_levels)
    return views.connection(slice_of("logLevels", rows, page, lambda row: (row["logger"],)))


def scope_of(wanted: Row | None) -> RuntimeScope:
    """Check a filter as it came from outside.

    Raises: InvalidInput
    """
    asked = dict(wanted or {})
    if asked.pop("statuses", None) is not None:
        raise InvalidInput(
            "A subscription tells of runtimes in every state: one that leaves the wanted states must be told of as well.",
            field="statuses",
            fix="Leave `statuses` out, and look at each runtime's `status`.",
        )
    runtime_type = asked.pop("type", None)
    scope = RuntimeScope(
        **(asked | {"search": check_search(asked.get("search"))}),
        type=None if runtime_type is None else RuntimeType(runtime_type),
    )
    if scope.integration is not None and scope.project is None:
        raise InvalidInput(
            "An integration's handle is unique within its project, which is not named.",
            field="project",
            fix="Name the project beside the integration.",
        )
    return scope


def _listing(wanted: Row, sort: str | None) -> RuntimeListing:
    statuses = wanted.get("statuses")
    return RuntimeListing(
        scope=scope_of({name: value for name, value in wanted.items() if name != "statuses"}),
        sort=RuntimeSort(sort or RuntimeSort.NAME),
        statuses=None if statuses is None else tuple(sorted({Status(status) for status in statuses})),
    )


def _known(request: GraphQLRequest) -> Known:
    board, now = request.services.board, request.now
    # Those that were retired are not listed: another replica may know what this one does not yet.
    stranger = Status.UNKNOWN if board.shared else Status.OFFLINE

    def judge(key: int) -> Status:
        entry = board.find_key(key)
        return stranger if entry is None else board.judge(entry, now).status

    return Known(judge=judge, count=board.tallies.count, few=partial(counting.few, board, at_most=_FEW))


def check_search(search: str | None) -> str | None:
    """Check a search as it came from outside; None when there is nothing to look for.

    Raises: InvalidInput
    """
    if search is not None and len(search) > _SEARCH_LENGTH_MAX:
        raise InvalidInput(
            f"A search has at most {_SEARCH_LENGTH_MAX} characters.", field="search", fix="Search for less."
        )
    return (search or "").strip() or None
