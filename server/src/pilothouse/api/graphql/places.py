"""Places, references and mappings as the schema shows them, and what one request reads of them together."""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from pilothouse.access.grants import Subject, missing_for_grant, reach
from pilothouse.access.permissions import Permission
from pilothouse.api.graphql import views
from pilothouse.api.graphql.batch import Batch
from pilothouse.api.graphql.request import GraphQLRequest
from pilothouse.api.graphql.views import Row
from pilothouse.base.pages import PageRequest, slice_of
from pilothouse.operations.explaining import NamedPlace, PlaceNames
from pilothouse.operations.mappings import keeps_super_admins
from pilothouse.storage.mappings import MappingRow
from pilothouse.storage.unit import Transaction
from pilothouse.storage.users import Order

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

_batches: WeakKeyDictionary[GraphQLRequest, dict[str, Batch[Any, Any]]] = WeakKeyDictionary()  # Any: of several kinds


def batch_of(
    request: GraphQLRequest, name: str, load: Callable[[Sequence[K]], Awaitable[Mapping[K, T]]]
) -> Batch[K, T]:
    """Give the batch of a name, which lives as long as its request, or until the request changes something."""
    return _batches.setdefault(request, {}).setdefault(name, Batch(load))


def forget(request: GraphQLRequest) -> None:
    """Let what a subscription read be read again for what comes next."""
    _batches.pop(request, None)


async def change(request: GraphQLRequest, operation: Callable[[Transaction], T]) -> T:
    """Carry out a change of who may do what; the rest of the request holds and sees what is true after it."""
    result = await request.services.store.write(operation)
    _batches.pop(request, None)
    await request.renew(request.now)
    return result


def order_of(sort: object) -> Order:
    """Read the order of a list; by name unless told."""
    return Order.NAME if sort is None else Order(str(getattr(sort, "name", sort)))


def names_of(place: Row | None) -> PlaceNames:
    """Read a place as it came from outside."""
    return PlaceNames(**(place or {}))


def place_view(where: NamedPlace) -> Row:
    """Show where something is to be done."""
    return {
        "project": _reference(where.project and where.project.handle, where.project and where.project.display_name),
        "integration": _reference(
            where.integration and where.integration.handle, where.integration and where.integration.display_name
        ),
        "environment": None
        if where.environment is None
        else {
            "handle": where.environment.handle,
            "display_name": where.environment.display_name,
            "critical": where.environment.critical,
        },
    }


def scope_view(row: MappingRow) -> Row:
    """Show the scope of a mapping."""
    return {
        "project": _reference(row.project_handle, row.project_display_name),
        "integration": _reference(row.integration_handle, row.integration_display_name),
        "environment": None
        if row.environment_handle is None
        else {
            "handle": row.environment_handle,
            "display_name": row.environment_display_name,
            "critical": row.environment_critical,
        },
    }


def mapping_view(subject: Subject, row: MappingRow, granted: frozenset[Permission]) -> Row:
    """Show a mapping of a role with these permissions."""
    removable = (
        not keeps_super_admins(row)
        and reach(subject, Permission.USER_MGT_UPDATE_GROUP_ROLES).covers(row.scope)
        and not missing_for_grant(subject, granted, row.scope)
    )
    return {
        "id": str(row.number),
        "group": {"id": row.group_id, "name": row.group_name},
        "role": {"id": row.role_id, "name": row.role_name},
        "scope": scope_view(row),
        "created_at": row.created_at,
        "created_by": row.created_by,
        "removable": removable,
    }


def mapping_page(rows: Sequence[Row], page: PageRequest) -> Row:
    """Show a part of mappings that were read, in the order in which they were made."""
    return views.connection(slice_of("mappings", rows, page, lambda row: (row["id"].zfill(20),)))


def _reference(handle: str | None, display_name: str | None) -> Row | None:
    return None if handle is None else {"handle": handle, "display_name": display_name}
