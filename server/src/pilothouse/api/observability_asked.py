"""What scripts of the original console's API ask for, and whom they mean.

Source: the original's `POST /icp/observability/logs` and `/metrics`
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from pilothouse.access.grants import reach
from pilothouse.access.permissions import Permission
from pilothouse.access.places import Reach
from pilothouse.api.context import Caller, Services
from pilothouse.base.errors import InvalidInput
from pilothouse.domain.tenancy import Environment
from pilothouse.storage import telemetry_names, tenancy
from pilothouse.storage.telemetry_names import NamedIntegration
from pilothouse.storage.unit import Connection
from pilothouse.telemetry.questions import Scope

NAMES_MAX = 1_000
"""Integrations or environments of one request."""
_YEAR_MIN, _YEAR_MAX = 1970, 2200
_NS_A_MS, _NS_A_US = 1_000_000, 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US_A_MS = 1_000
_Name = Annotated[str, msgspec.Meta(max_length=255)]
_Names = Annotated[list[_Name], msgspec.Meta(max_length=NAMES_MAX)]


class AskedPlaces(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Whom a request means: integrations and environments, by id, handle or display name."""

    component_id: _Name | None = None
    component_id_list: _Names | None = None
    environment_id: _Name | None = None
    environment_list: _Names | None = None
    region: str | None = None
    """Taken and not used."""

    @property
    def components(self) -> frozenset[str]:
        """Every integration that is named."""
        return frozenset(filter(None, [self.component_id, *(self.component_id_list or ())]))

    @property
    def environments(self) -> frozenset[str]:
        """Every environment that is named."""
        return frozenset(filter(None, [self.environment_id, *(self.environment_list or ())]))


async def find_scope(
    services: Services, caller: Caller, permission: Permission, asked: AskedPlaces, span: tuple[int | None, int | None]
) -> Scope | None:
    """Make the scope of a request within the caller's reach; None when it names only what is not there for them.

    Raises: InvalidInput when a name means more than one integration
    """
    reached = reach(caller.subject, permission)
    components, named_environments = asked.components, asked.environments

    def read(connection: Connection) -> tuple[list[NamedIntegration], list[Environment]]:
        found = telemetry_names.find_integrations(connection, reached, components) if components else []
        return found, tenancy.all_environments(connection) if named_environments else []

    found, environments = await services.store.read(read)
    integration_ids = {id_ for name in sorted(components) for id_ in _meant(name, found)}
    environment_ids = {one.id for one in environments if named_environments & {one.id, one.handle, one.display_name}}
    if (components and not integration_ids) or (named_environments and not environment_ids):
        return None
    return _scope(reached, integration_ids, environment_ids, span)


def _scope(
    reached: Reach, integration_ids: set[str], environment_ids: set[str], span: tuple[int | None, int | None]
) -> Scope:
    return Scope(
        places=reached.places,
        integration_ids=tuple(sorted(integration_ids)),
        environment_ids=tuple(sorted(environment_ids)),
        from_ns=span[0],
        to_ns=span[1],
    )


def _meant(name: str, found: Sequence[NamedIntegration]) -> list[str]:
    """Find what a name means: an id before a handle, a handle before a display name.

    Raises: InvalidInput
    """
    for matching in (
        [one for one in found if one.id == name],
        [one for one in found if f"{one.project_handle}/{one.handle}" == name],
        [one for one in found if one.handle == name],
        [one for one in found if one.display_name == name],
    ):
        if len(matching) > 1:
            homes = ", ".join(sorted(f"{one.project_handle}/{one.handle}" for one in matching)[:5])
            raise InvalidInput(
                f"'{name[:64]}' means more than one integration.", field="componentId", fix=f"Name one of {homes}."
            )
        if matching:
            return [matching[0].id]
    return []


def read_from(told: str | None, field: str) -> int | None:
    """Read where a time begins. Units: ns since the epoch. What names no zone is in UTC.

    Raises: InvalidInput
    """
    read = _read_instant(told, field)
    return None if read is None else _ns(read)


def read_to(told: str | None, field: str) -> int | None:
    """Read where a time ends, as a bound that does not belong to it: what is named does, with all of its millisecond.

    Raises: InvalidInput
    """
    read = _read_instant(told, field)
    if read is None:
        return None
    return _ns(read) + (_NS_A_US if read.microsecond % _US_A_MS else _NS_A_MS)


def _read_instant(told: str | None, field: str) -> datetime | None:
    if not told:
        return None
    try:
        read = datetime.fromisoformat(told)
        aware = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
        if _YEAR_MIN <= aware.year <= _YEAR_MAX:
            return aware
    except (ValueError, OverflowError):
        pass
    raise InvalidInput(
        f"'{told[:40]}' is not an instant between {_YEAR_MIN} and {_YEAR_MAX}.",
        field=field,
        fix='Write ISO 8601, such as "2030-01-31T12:00:00Z".',
    )


def _ns(read: datetime) -> int:
    since = read - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * _NS_A_US
