"""Resolvers about trying out services: at which doors of a runtime, with which definitions, and where it is allowed."""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
from ariadne import MutationType

from pilothouse.access.grants import reach
from pilothouse.access.permissions import Permission
from pilothouse.api.graphql import views
from pilothouse.api.graphql.batch import Batch
from pilothouse.api.graphql.queries import runtime
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.api.graphql.tenancy import environment
from pilothouse.api.graphql.views import Row, RuntimeView
from pilothouse.base.errors import PilothouseError
from pilothouse.base.instants import Instant
from pilothouse.domain.liveness import Status
from pilothouse.domain.try_it import Said, doors_of, is_allowed
from pilothouse.operations import try_it
from pilothouse.operations.seeing import place_of

mutation = MutationType()
bindables = (mutation,)

DEFINITIONS_MAX = 200
"""OpenAPI documents of one runtime that are shown."""
_read_definitions = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_said: WeakKeyDictionary[GraphQLRequest, tuple[Instant, Batch[str, Said]]] = WeakKeyDictionary()
"""With the moment at which a request began to read: a subscription reads anew for every change."""


@runtime.field("tryIt")
async def try_it_of(view: RuntimeView, info: Info) -> Row:
    """Tell how a runtime's services can be tried out."""
    request, row = info.context, view.row
    artifacts = await request.artifacts(row.artifact_digest)
    refusal: PilothouseError | None = None
    if not reach(request.subject, Permission.INTEGRATION_MGT_TRY).covers(place_of(row)):
        refusal = try_it.not_permitted(request.subject)
    refusal = refusal or try_it.refuse_here(row, await _of(request).get(row.environment_id))
    if refusal is None and view.status is not Status.RUNNING:
        refusal = try_it.not_running(row)
    doors = doors_of(artifacts)
    if refusal is None and not doors:
        refusal = try_it.no_doors(row)
    return {
        "blocked": None if refusal is None else {"code": refusal.code, "message": refusal.message, "fix": refusal.fix},
        "host": row.document.try_it_host,
        "doors": [msgspec.structs.asdict(door) for door in doors],
        "definitions": _definitions(row.document.open_api_definitions),
    }


@environment.field("tryIt")
async def of_environment(row: Row, info: Info) -> bool:
    """Tell whether services may be tried out in an environment."""
    return is_allowed(await _of(info.context).get(row["id"]), critical=row["critical"])


@mutation.field("setTryIt")
async def set_try_it(_: Any, info: Info, environment: str, allowed: bool) -> Row:  # Any: the root
    """Say whether services may be tried out in an environment."""
    request = info.context
    found = await request.services.store.write(
        lambda tx: try_it.set_allowed(tx, request.subject, environment, allowed=allowed, now=request.now)
    )
    _said.pop(request, None)
    return views.environment(request, found)


def _of(request: GraphQLRequest) -> Batch[str, Said]:
    """Read what was said of all environments that are asked for at the same time by one statement."""

    async def read(ids: Sequence[str]) -> dict[str, Said]:
        return await request.services.store.read(lambda connection: try_it.said_of(connection, ids))

    at, batch = _said.get(request) or (None, None)
    if batch is None or at != request.now:
        batch = Batch(read)
        _said[request] = (request.now, batch)
    return batch


def _definitions(raw: msgspec.Raw) -> list[Row]:
    if not raw:
        return []
    documents = list(_read_definitions(raw).items())[:DEFINITIONS_MAX]
    return [{"file_name": name, "definition": bytes(document).decode()} for name, document in documents]
