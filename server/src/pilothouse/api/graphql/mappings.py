"""Resolvers about mappings: of groups to roles, and of an identity provider's groups to groups here."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from ariadne import MutationType, QueryType

from pilothouse.access.permissions import Permission
from pilothouse.api.graphql import views
from pilothouse.api.graphql.batch import Batch
from pilothouse.api.graphql.places import batch_of, change, mapping_page, mapping_view, names_of
from pilothouse.api.graphql.request import GraphQLRequest, Info
from pilothouse.api.graphql.views import Row
from pilothouse.base.errors import InvalidInput
from pilothouse.base.pages import page_request
from pilothouse.operations import mappings as operations
from pilothouse.operations.explaining import mapping_reach
from pilothouse.storage import access, mappings
from pilothouse.storage.mappings import MappingRow, SsoMappingRow
from pilothouse.storage.unit import Connection

query = QueryType()
mutation = MutationType()
bindables = (query, mutation)

By: TypeAlias = Literal["group_id", "role_id"]
"""Whose mappings."""
_Granted: TypeAlias = dict[str, frozenset[Permission]]
"""Permissions by role."""


@query.field("ssoGroupMappings")
async def list_sso_mappings(
    _: Any,  # Any: the root, unused, here and below
    info: Info,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    """List which group of an identity provider leads where."""
    page, reach = page_request("ssoGroupMappings", first, after), mapping_reach(info.context.subject)
    found = await info.context.services.store.read(lambda connection: mappings.list_sso(connection, reach, page))
    return views.connection(found.map(_sso_view))


@mutation.field("mapRole")
async def map_role(_: Any, info: Info, input: Row) -> Row:
    """Give a group a role."""
    request, names = info.context, names_of(input.get("scope"))
    row = await change(
        request,
        lambda tx: operations.map_role(tx, request.subject, input["group"], input["role"], names, now=request.now),
    )
    granted = await _granted(request).get(row.role_id)
    return mapping_view(request.subject, row, granted or frozenset())


@mutation.field("unmapRole")
async def unmap_role(_: Any, info: Info, id: str) -> bool:
    """Take a role from a group."""
    request = info.context
    await change(request, lambda tx: operations.unmap_role(tx, request.subject, id, now=request.now))
    return True


@mutation.field("createSsoGroupMapping")
async def create_sso_mapping(_: Any, info: Info, input: Row) -> Row:
    """Lead a group of an identity provider into a group here."""
    request = info.context
    issuer = _given(input, "issuer", _configured_issuer(request))
    claim = _given(input, "claim", "groups")  # however the provider calls it: its groups are under this name here
    row = await change(
        request,
        lambda tx: operations.create_sso_mapping(
            tx, request.subject, input["group"], issuer=issuer, claim=claim, value=input["value"], now=request.now
        ),
    )
    return _sso_view(row)


@mutation.field("deleteSsoGroupMapping")
async def delete_sso_mapping(_: Any, info: Info, id: str) -> bool:
    """Lead a group of an identity provider nowhere any more."""
    request = info.context
    await change(request, lambda tx: operations.delete_sso_mapping(tx, request.subject, id, now=request.now))
    return True


async def mappings_of(request: GraphQLRequest, by: By, id_: str, first: int | None, after: str | None) -> Row:
    """List the mappings of a group (`group_id`) or a role (`role_id`); those of one page are read together."""
    page = page_request("mappings", first, after)
    return mapping_page(await all_mappings_of(request, by, id_), page)


async def all_mappings_of(request: GraphQLRequest, by: By, id_: str) -> Sequence[Row]:
    """Show all the mappings of a group or a role that the caller may see."""

    async def load(ids: Sequence[str]) -> dict[str, list[Row]]:
        rows, granted = await request.services.store.read(lambda connection: _read(request, connection, by, ids))
        found: dict[str, list[Row]] = {}
        for row in rows:
            shown = mapping_view(request.subject, row, granted.get(row.role_id, frozenset()))
            found.setdefault(getattr(row, by), []).append(shown)
        return found

    return await batch_of(request, f"mappings:{by}", load).get(id_) or []


def _read(
    request: GraphQLRequest, connection: Connection, by: By, ids: Sequence[str]
) -> tuple[list[MappingRow], _Granted]:
    rows = mappings.list_of(connection, mapping_reach(request.subject), by, ids)
    return rows, access.permissions_of(connection, {row.role_id for row in rows})


def _granted(request: GraphQLRequest) -> Batch[str, frozenset[Permission]]:
    async def load(ids: Sequence[str]) -> _Granted:
        return await request.services.store.read(lambda connection: access.permissions_of(connection, ids))

    return batch_of(request, "granted", load)


def _configured_issuer(request: GraphQLRequest) -> str | None:
    """Tell the one issuer that is configured; None when there is none, or when two leave it open which is meant."""
    external = request.services.door.external
    issuers = [store.issuer for store in (external.oidc, external.directory) if store is not None]
    return issuers[0] if len(issuers) == 1 else None


def _given(input: Row, field: str, otherwise: str | None) -> str:
    """Take a part of an SSO group mapping.

    Raises: InvalidInput when it is neither given nor configured
    """
    value = input.get(field) or otherwise
    if not value:
        raise InvalidInput(
            f"The {field} is not given, and there is not exactly one identity provider configured to take it from.",
            field=field,
            fix=f"Name the {field}, as the identity provider's settings have it.",
        )
    return str(value)


def _sso_view(row: SsoMappingRow) -> Row:
    return {
        "id": row.id,
        "issuer": row.issuer,
        "claim": row.claim,
        "value": row.value,
        "group": {"id": row.group_id, "name": row.group_name},
        "created_at": row.created_at,
        "created_by": row.created_by,
    }
