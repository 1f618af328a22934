"""Resolvers that change and delete where things live, and tell what the caller may do there."""

from typing import Any
from weakref import WeakKeyDictionary

from ariadne import MutationType, ObjectType, QueryType

from pilothouse.access.grants import EVERYWHERE, Holdings, Place
from pilothouse.access.permissions import GRANTABLE, Permission
from pilothouse.api.graphql import views
from pilothouse.api.graphql.commands import is_running
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.api.graphql.views import Row, RuntimeView
from pilothouse.operations import deleting, tenancy
from pilothouse.operations.deleting import Deletion
from pilothouse.operations.tenancy import HandleKind

query = QueryType()
mutation = MutationType()
organization = ObjectType("Organization")
environment = ObjectType("Environment")
project = ObjectType("Project")
integration = ObjectType("Integration")
runtime = ObjectType("Runtime")
bindables = (query, mutation, organization, environment, project, integration, runtime)

_known: WeakKeyDictionary[GraphQLRequest, tuple[Holdings, dict[Place, list[Permission]]]] = WeakKeyDictionary()
"""What a request told already; a subscription's holdings may change while it runs."""


def permitted(request: GraphQLRequest, place: Place) -> list[Permission]:
    """List what the caller may do in all of a place, from what they hold: no statement is run."""
    holdings = request.subject.holdings
    of_holdings, told = _known.get(request) or (None, {})
    if of_holdings is not holdings:
        told = dict[Place, list[Permission]]()
        _known[request] = (holdings, told)
    if place not in told:
        # Ids that are empty are nobody's: what holds there holds in the whole of what is named.
        ids = (place.project_id or "", place.integration_id or "", place.environment_id or "")
        held = holdings.permissions & GRANTABLE
        told[place] = sorted(permission for permission in held if holdings.reach(permission).holds(*ids))
    return told[place]


@organization.field("permissions")
def of_organization(_row: Row, info: Info) -> list[Permission]:
    """Tell what the caller may do everywhere."""
    return permitted(info.context, EVERYWHERE)


@environment.field("permissions")
def of_environment(row: Row, info: Info) -> list[Permission]:
    """Tell what the caller may do in all of an environment."""
    return permitted(info.context, Place(environment_id=row["id"]))


@project.field("permissions")
def of_project(row: Row, info: Info) -> list[Permission]:
    """Tell what the caller may do in all of a project."""
    return permitted(info.context, Place(project_id=row["id"]))


@integration.field("permissions")
def of_integration(row: Row, info: Info) -> list[Permission]:
    """Tell what the caller may do with an integration in every environment."""
    return permitted(info.context, Place(project_id=row["project_id"], integration_id=row["id"]))


@runtime.field("permissions")
def of_runtime(view: RuntimeView, info: Info) -> list[Permission]:
    """Tell what the caller may do where a runtime lives."""
    row = view.row
    place = Place(project_id=row.project_id, integration_id=row.integration_id, environment_id=row.environment_id)
    return permitted(info.context, place)


@mutation.field("updateProject")
async def update_project(_: Any, info: Info, handle: str, input: Row) -> Row:  # Any: the root, unused, here and below
    """Change a project's names."""
    request = info.context
    changed = await request.services.store.write(
        lambda tx: tenancy.update_project(
            tx,
            request.subject,
            handle,
            display_name=input.get("display_name"),
            description=input.get("description"),
            now=request.now,
        )
    )
    return views.project(request, changed)


@mutation.field("updateIntegration")
async def update_integration(_: Any, info: Info, project: str, handle: str, input: Row) -> Row:
    """Change an integration's names."""
    request = info.context
    changed = await request.services.store.write(
        lambda tx: tenancy.update_integration(
            tx,
            request.subject,
            project,
            handle,
            display_name=input.get("display_name"),
            description=input.get("description"),
            now=request.now,
        )
    )
    return views.integration(request, changed)


@mutation.field("updateEnvironment")
async def update_environment(_: Any, info: Info, handle: str, input: Row) -> Row:
    """Change an environment."""
    request = info.context
    changed = await request.services.store.write(
        lambda tx: tenancy.update_environment(
            tx,
            request.subject,
            handle,
            display_name=input.get("display_name"),
            critical=input.get("critical"),
            now=request.now,
        )
    )
    return views.environment(request, changed)


@query.field("deletion")
async def find_deletion(
    _: Any, info: Info, kind: HandleKind, handle: str, project: str | None = None
) -> Deletion | None:
    """Tell what would be deleted with something."""
    request, running = info.context, is_running(info.context)
    return await request.services.store.read(
        lambda connection: deleting.preview(
            connection, request.subject, kind, handle, project, is_running=running, now=request.now
        )
    )


@mutation.field("deleteProject")
async def delete_project(
    _: Any, info: Info, handle: str, cascade: bool | None = None, confirm: str | None = None
) -> Deletion:
    """Delete a project."""
    return await _delete(info, HandleKind.PROJECT, handle, None, cascade, confirm)


@mutation.field("deleteIntegration")
async def delete_integration(
    _: Any, info: Info, project: str, handle: str, cascade: bool | None = None, confirm: str | None = None
) -> Deletion:
    """Delete an integration."""
    return await _delete(info, HandleKind.INTEGRATION, handle, project, cascade, confirm)


@mutation.field("deleteEnvironment")
async def delete_environment(
    _: Any, info: Info, handle: str, cascade: bool | None = None, confirm: str | None = None
) -> Deletion:
    """Delete an environment."""
    return await _delete(info, HandleKind.ENVIRONMENT, handle, None, cascade, confirm)


async def _delete(
    info: Info, kind: HandleKind, handle: str, project: str | None, cascade: bool | None, confirm: str | None
) -> Deletion:
    request, running = info.context, is_running(info.context)
    return await request.services.store.write(
        lambda tx: deleting.delete(
            tx,
            request.subject,
            kind,
            handle,
            project,
            cascade=bool(cascade),
            confirm=confirm,
            is_running=running,
            now=request.now,
        )
    )
