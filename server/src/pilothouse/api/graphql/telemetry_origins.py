"""Where records came from, as far as it is still there: read together for all records of a request."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec
from ariadne import ObjectType

from pilothouse.api.graphql.places import batch_of
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.api.graphql.views import Row, RuntimeView
from pilothouse.storage import telemetry_scopes, tenancy
from pilothouse.storage.unit import Connection
from pilothouse.telemetry.model import Attributes, Origin

origin_type = ObjectType("TelemetryOrigin")
bindables = (origin_type,)

_Named: TypeAlias = tuple[str, str]
"""What it is (a project, an integration, an environment) and its id."""


@origin_type.field("project")
async def project_of(origin: Origin, info: Info) -> Row | None:
    """Show its project."""
    return await reference(info.context, "project", origin.project_id)


@origin_type.field("integration")
async def integration_of(origin: Origin, info: Info) -> Row | None:
    """Show its integration."""
    return await reference(info.context, "integration", origin.integration_id)


@origin_type.field("environment")
async def environment_of(origin: Origin, info: Info) -> Row | None:
    """Show its environment."""
    return await reference(info.context, "environment", origin.environment_id)


@origin_type.field("runtime")
async def runtime_of(origin: Origin, info: Info) -> RuntimeView | None:
    """Show its runtime, unless it was retired or its key belongs to another one."""
    if origin.runtime_key is None:
        return None
    row = await info.context.runtimes.get(origin.runtime_key)
    if row is None or row.retired_at is not None or row.integration_id != origin.integration_id:
        return None
    return RuntimeView(info.context, row) if row.runtime_id == origin.runtime_id else None


async def reference(request: GraphQLRequest, what: str, id_: str | None) -> Row | None:
    """Find the names of a project, an integration or an environment; None when it is not there any more."""
    if id_ is None:
        return None

    async def load(wanted: Sequence[_Named]) -> dict[_Named, Row]:
        return await request.services.store.read(lambda connection: _names(connection, wanted))

    return await batch_of(request, "telemetry.names", load).get((what, id_))


async def runtime_named(request: GraphQLRequest, runtime_id: str | None) -> RuntimeView | None:
    """Find the one runtime that calls itself so; None where there is none, or more than one."""
    if runtime_id is None:
        return None

    async def load(runtime_ids: Sequence[str]) -> dict[str, list[int]]:
        return await request.services.store.read(lambda c: telemetry_scopes.keys_by_runtime_id(c, runtime_ids))

    keys = await batch_of(request, "telemetry.runtimes", load).get(runtime_id) or []
    rows = [row for key in keys if (row := await request.runtimes.get(key)) is not None]
    return RuntimeView(request, rows[0]) if len(rows) == 1 else None


def attributes(told: Attributes) -> list[Row]:
    """Show attributes in the order of their names."""
    return [
        {"key": key, "value": value if isinstance(value, str) else msgspec.json.encode(value).decode()}
        for key, value in sorted(told.items(), key=lambda item: item[0])
    ]


def _names(connection: Connection, wanted: Sequence[_Named]) -> dict[_Named, Row]:
    ids = {what: {id_ for kind, id_ in wanted if kind == what} for what in ("project", "integration", "environment")}
    projects, integrations = tenancy.list_names(connection, ids["project"], ids["integration"])
    environments = tenancy.all_environments(connection) if ids["environment"] else []
    found: dict[_Named, Row] = {("project", id_): _named(*names) for id_, names in projects.items()}
    found |= {("integration", id_): _named(*names) for id_, names in integrations.items()}
    found |= {
        ("environment", one.id): _named(one.handle, one.display_name, critical=one.critical) for one in environments
    }
    return found


def _named(handle: str, display_name: str, **more: Any) -> Row:  # Any: fields of the reference
    return {"handle": handle, "display_name": display_name, **more}
