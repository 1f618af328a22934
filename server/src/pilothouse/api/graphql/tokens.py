"""Resolvers about API tokens, sessions, and command lines that ask to be let in."""

from typing import Any

import msgspec
from ariadne import EnumType, MutationType, QueryType

from pilothouse.api.graphql import views
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.api.graphql.views import Row
from pilothouse.base.instants import read_instant
from pilothouse.base.pages import page_request
from pilothouse.operations import devices, tokens
from pilothouse.operations import sessions as operations
from pilothouse.operations.tokens import TokenState
from pilothouse.storage import api_tokens, sessions
from pilothouse.storage.api_tokens import OwnedToken
from pilothouse.storage.devices import DeviceRow
from pilothouse.storage.sessions import SessionRow
from pilothouse.storage.unit import Connection

query = QueryType()
mutation = MutationType()
token_state = EnumType("TokenState", {state.name: state for state in TokenState})
bindables = (query, mutation, token_state)


@query.field("apiTokens")
async def list_tokens(
    _: Any,  # Any: the root, unused, here and below
    info: Info,
    user: str | None = None,
    include_ended: bool | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    """List API tokens."""
    request, page = info.context, page_request("apiTokens", first, after)

    def read(connection: Connection) -> Row:
        owner = operations.find_user(connection, request.subject, user, to_read=True)
        found = api_tokens.list_of(connection, owner.id, request.now, page, include_ended=bool(include_ended))
        return views.connection(found.map(lambda owned: _token(request, owned)))

    return await request.services.store.read(read)


@query.field("sessions")
async def list_sessions(
    _: Any, info: Info, user: str | None = None, first: int | None = None, after: str | None = None
) -> Row:
    """List open sessions."""
    request, page = info.context, page_request("sessions", first, after)

    def read(connection: Connection) -> Row:
        owner = operations.find_user(connection, request.subject, user, to_read=True)
        found = sessions.list_open(connection, owner.id, operations.IDLE_BY_NAME, request.now, page)
        return views.connection(found.map(lambda row: _session(request, row)))

    return await request.services.store.read(read)


@query.field("deviceRequest")
async def device_request(_: Any, info: Info, user_code: str) -> Row | None:
    """Show what command line asks with a code."""
    request = info.context
    services = request.services
    found = await devices.find(services.store, request.subject, services.throttle, user_code, request.now)
    return None if found is None else _device(found)


@mutation.field("createApiToken")
async def create_token(_: Any, info: Info, input: Row) -> Row:
    """Make an API token."""
    request = info.context
    wanted, expires_at = input.get("permissions"), read_instant(input.get("expires_at"), "expiresAt")
    created = await request.services.store.write(
        lambda tx: tokens.create(
            tx,
            request.subject,
            name=input["name"],
            user_id=input.get("user"),
            permissions=None if wanted is None else frozenset(wanted),
            expires_at=expires_at,
            now=request.now,
        )
    )
    return {"api_token": _token(request, created.api_token), "token": created.token}


@mutation.field("revokeApiToken")
async def revoke_token(_: Any, info: Info, id: str) -> Row:
    """Revoke an API token."""
    request = info.context
    revoked = await request.services.store.write(lambda tx: tokens.revoke(tx, request.subject, id, request.now))
    return _token(request, revoked)


@mutation.field("endSession")
async def end_session(_: Any, info: Info, id: str) -> bool:
    """End one session."""
    request = info.context
    return await request.services.store.write(lambda tx: operations.end_session(tx, request.subject, id, request.now))


@mutation.field("endAllSessions")
async def end_all_sessions(_: Any, info: Info, user: str | None = None) -> int:
    """Sign somebody out everywhere."""
    request = info.context
    return await request.services.store.write(
        lambda tx: operations.end_all_sessions(tx, request.subject, user, request.now)
    )


@mutation.field("decideDevice")
async def decide_device(_: Any, info: Info, user_code: str, allow: bool) -> Row:
    """Let a command line in, or not."""
    request = info.context
    services = request.services
    decided = await devices.decide(
        services.store, request.subject, services.throttle, user_code, request.now, allow=allow
    )
    return _device(decided)


def _token(request: GraphQLRequest, owned: OwnedToken) -> Row:
    """Show a token, never its text."""
    row = owned.token
    carried = tokens.permissions_of(row)
    return {
        **msgspec.structs.asdict(row),
        "owner": {
            "id": row.user_id,
            "username": owned.username,
            "display_name": owned.display_name,
            "kind": owned.kind.upper(),
        },
        "state": tokens.state_of(row, request.now),
        "permissions": None if carried is None else sorted(carried),
    }


def _session(request: GraphQLRequest, row: SessionRow) -> Row:
    return {**msgspec.structs.asdict(row), "current": row.id == request.subject.credential_id}


def _device(row: DeviceRow) -> Row:
    return {
        "user_code": devices.shown(row.user_code),
        "client": row.client,
        "address": row.address,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "allowed": None if row.decided_at is None else row.allowed,
    }
