"""Resolvers about secrets: their list, their life, and the runtimes that hang on them."""

from typing import Any

from ariadne import MutationType, ObjectType, QueryType

from pilothouse.access.secrets import secret_reach
from pilothouse.api.graphql import views
from pilothouse.api.graphql.queries import scope_of
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.api.graphql.secret_runtimes import runtimes_of
from pilothouse.api.graphql.views import Row
from pilothouse.base.instants import read_instant
from pilothouse.base.pages import page_request
from pilothouse.domain.secrets import SecretRow
from pilothouse.operations import secrets as operations
from pilothouse.operations.secrets import GeneratedSecret, RevokedSecret
from pilothouse.storage import secrets

query = QueryType()
mutation = MutationType()
secret = ObjectType("Secret")
bindables = (query, mutation, secret)


@query.field("secrets")
async def list_secrets(
    _: Any,  # Any: the root, unused, here and below
    info: Info,
    filter: Row | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    """List secrets."""
    request, page, wanted = info.context, page_request("secrets", first, after), scope_of(filter)
    reach = secret_reach(request.subject)
    found = await request.services.store.read(
        lambda connection: secrets.list_rows(
            connection,
            reach,
            environment=wanted.environment,
            project=wanted.project,
            integration=wanted.integration,
            now=request.now,
            request=page,
        )
    )
    return views.connection(found.map(lambda row: _view(request, row)))


@query.field("secret")
async def find_secret(_: Any, info: Info, key_id: str) -> Row | None:
    """Show one secret, a revoked one too."""
    request = info.context
    reach = secret_reach(request.subject)
    found = await request.services.store.read(lambda connection: secrets.find_row(connection, reach, key_id))
    return None if found is None else _view(request, found)


@secret.field("runtimes")
async def runtimes_of_secret(row: Row, info: Info, first: int | None = None, after: str | None = None) -> Row:
    """List the runtimes that used a secret last, running ones first."""
    return await runtimes_of(info.context, row["key_id"], page_request("secretRuntimes", first, after))


@mutation.field("generateSecret")
async def generate_secret(_: Any, info: Info, input: Row) -> GeneratedSecret:
    """Generate a secret."""
    request, expires_at = info.context, read_instant(input.get("expires_at"), "expiresAt")
    return await request.services.store.write(
        lambda tx: operations.generate(
            tx,
            request.subject,
            request.services.organization,
            request.services.vault,
            environment_handle=input["environment"],
            project_handle=input.get("project"),
            integration_handle=input.get("integration"),
            now=request.now,
            expires_at=expires_at,
        )
    )


@mutation.field("rotateSecret")
async def rotate_secret(_: Any, info: Info, key_id: str, overlap_seconds: int | None = None) -> Row:
    """Generate the secret that replaces another one."""
    request = info.context
    rotated = await request.services.store.write(
        lambda tx: operations.rotate(
            tx, request.subject, request.services.vault, key_id, overlap_s=overlap_seconds, now=request.now
        )
    )
    return {"generated": rotated.generated, "old": _view(request, rotated.old)}


@mutation.field("setSecretExpiry")
async def set_secret_expiry(_: Any, info: Info, key_id: str, expires_at: object = None) -> Row:
    """Set, move or remove a secret's end."""
    request, instant = info.context, read_instant(expires_at, "expiresAt")
    row = await request.services.store.write(
        lambda tx: operations.set_expiry(tx, request.subject, key_id, instant, now=request.now)
    )
    return _view(request, row)


@mutation.field("revokeSecret")
async def revoke_secret(_: Any, info: Info, key_id: str, grace_seconds: int | None = None) -> RevokedSecret:
    """Revoke a secret."""
    request = info.context
    return await request.services.store.write(
        lambda tx: operations.revoke(tx, request.subject, key_id, now=request.now, grace_s=grace_seconds)
    )


@mutation.field("restoreSecret")
async def restore_secret(_: Any, info: Info, key_id: str) -> Row:
    """Take back a revocation."""
    request = info.context
    row = await request.services.store.write(
        lambda tx: operations.restore(tx, request.subject, key_id, now=request.now)
    )
    return _view(request, row)


def _view(request: GraphQLRequest, row: SecretRow) -> Row:
    """Show a secret as it is at the request's moment, never its material."""
    return {**views.secret(row), "state": row.life.state_at(request.now)}
