"""Resolvers about the tokens of collectors."""

from typing import Any

import msgspec
from ariadne import MutationType, QueryType

from pilothouse.access.secrets import secret_reach
from pilothouse.api.graphql import views
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.api.graphql.views import Row
from pilothouse.base.instants import read_instant
from pilothouse.base.pages import page_request
from pilothouse.operations import ingest_tokens as operations
from pilothouse.storage import ingest_tokens
from pilothouse.storage.ingest_tokens import PlacedIngestToken

query = QueryType()
mutation = MutationType()
bindables = (query, mutation)


@query.field("ingestTokens")
async def list_ingest_tokens(
    _: Any,  # Any: the root, unused, here and below
    info: Info,
    environment: str | None = None,
    include_ended: bool | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    """List ingest tokens."""
    request, page = info.context, page_request("ingestTokens", first, after)
    reach = secret_reach(request.subject)
    found = await request.services.store.read(
        lambda connection: ingest_tokens.list_rows(
            connection,
            reach,
            environment=environment,
            now=request.now,
            request=page,
            include_ended=bool(include_ended),
        )
    )
    return views.connection(found.map(lambda row: _view(request, row)))


@mutation.field("createIngestToken")
async def create_ingest_token(_: Any, info: Info, input: Row) -> Row:
    """Make an ingest token."""
    request, expires_at = info.context, read_instant(input.get("expires_at"), "expiresAt")
    created = await request.services.store.write(
        lambda tx: operations.create(
            tx,
            request.subject,
            request.services.organization,
            name=input["name"],
            environment_handle=input["environment"],
            project_handle=input.get("project"),
            integration_handle=input.get("integration"),
            expires_at=expires_at,
            now=request.now,
        )
    )
    return {"ingest_token": _view(request, created.ingest_token), "token": created.token}


@mutation.field("revokeIngestToken")
async def revoke_ingest_token(_: Any, info: Info, id: str) -> Row:
    """Revoke an ingest token."""
    request = info.context
    revoked = await request.services.store.write(lambda tx: operations.revoke(tx, request.subject, id, request.now))
    return _view(request, revoked)


def _view(request: GraphQLRequest, row: PlacedIngestToken) -> Row:
    """Show a token, never its text."""
    return {
        **msgspec.structs.asdict(row.token),
        "state": operations.state_of(row.token, request.now),
        "environment": {
            "handle": row.environment_handle,
            "display_name": row.environment_display_name,
            "critical": row.environment_critical,
        },
        "project": _reference(row.project_handle, row.project_display_name),
        "integration": _reference(row.integration_handle, row.integration_display_name),
    }


def _reference(handle: str | None, display_name: str | None) -> Row | None:
    return None if handle is None else {"handle": handle, "display_name": display_name}
