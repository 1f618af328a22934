"""Resolvers that change something."""

from typing import Any

from ariadne import MutationType

from pilothouse.api.graphql import views
from pilothouse.api.graphql.request import Info
from pilothouse.api.graphql.views import Row
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.tenancy import check_naming
from pilothouse.operations import tenancy

mutation = MutationType()


@mutation.field("createProject")
async def create_project(_: Any, info: Info, input: Row) -> Row:
    """Create a project."""
    request = info.context
    naming = check_naming(input["display_name"], input.get("handle"), input.get("description"))
    made = await request.services.store.write(
        lambda tx: tenancy.create_project(tx, request.subject, request.services.organization, naming, now=request.now)
    )
    await request.renew(request.now)  # the creator is one of its admins now, which the answer may be asked for
    return views.project(request, made)


@mutation.field("createIntegration")
async def create_integration(_: Any, info: Info, input: Row) -> Row:
    """Create an integration."""
    request = info.context
    naming = check_naming(input["display_name"], input.get("handle"), input.get("description"))
    made = await request.services.store.write(
        lambda tx: tenancy.create_integration(
            tx, request.subject, input["project"], naming, RuntimeType(input["runtime_type"]), now=request.now
        )
    )
    return views.integration(request, made)


@mutation.field("createEnvironment")
async def create_environment(_: Any, info: Info, input: Row) -> Row:
    """Create an environment."""
    request = info.context
    naming = check_naming(input["display_name"], input.get("handle"))
    made = await request.services.store.write(
        lambda tx: tenancy.create_environment(
            tx, request.subject, request.services.organization, naming, critical=input["critical"], now=request.now
        )
    )
    return views.environment(request, made)
