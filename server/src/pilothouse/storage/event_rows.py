"""Events as people read them: pages, what was missed, and what just happened, each as far as somebody sees."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, false, func, or_, select, true

from pilothouse.access.grants import Reach
from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest
from pilothouse.domain.events import Event, EventKind
from pilothouse.domain.tenancy import list_name
from pilothouse.storage.ordering import Order, is_one_of
from pilothouse.storage.scope import within
from pilothouse.storage.tables import environments, events, integrations, projects, runtimes

_c = events.c


class EventReach(msgspec.Struct, frozen=True, kw_only=True):
    """How far somebody sees."""

    integrations: Reach
    projects: Reach
    environments: Reach


class EventScope(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are wanted; None leaves a dimension open."""

    project: str | None = None
    integration: str | None = None
    """Needs `project`."""
    environment: str | None = None
    runtime: str | None = None
    """A runtime's id."""
    kinds: tuple[EventKind, ...] = tuple(EventKind)
    """A newer release may have written others, which this one cannot tell of."""
    since: Instant | None = None
    until: Instant | None = None
    """Excluded."""

    @property
    def cursors_of(self) -> str:
        """Name what the list's cursors belong to."""
        return list_name("events", self)


def list_rows(connection: Connection, reach: EventReach, scope: EventScope, request: PageRequest) -> Page[Event]:
    """List events, newest first.

    Raises: InvalidInput when the cursor is none of this list
    """
    wanted = and_(_seen(reach), _inside(scope))
    total = connection.execute(select(func.count()).select_from(events).where(wanted)).scalar_one()
    newest_first = Order(_c.sequence, _c.sequence, descending=True)
    return newest_first.page(connection, select(events).where(wanted), total, request, _event, of=scope.cursors_of)


def list_after(
    connection: Connection, reach: EventReach, scope: EventScope, sequence: int, *, limit: int
) -> list[Event]:
    """List what happened after a number, oldest first."""
    wanted = and_(_c.sequence > sequence, _seen(reach), _inside(scope))
    rows = connection.execute(select(events).where(wanted).order_by(_c.sequence).limit(limit)).mappings()
    return [_event(row) for row in rows]


def list_these(connection: Connection, reach: EventReach, scope: EventScope, sequences: Sequence[int]) -> list[Event]:
    """List of these events those that somebody sees and wants, oldest first."""
    wanted = and_(is_one_of(_c.sequence, sequences), _seen(reach), _inside(scope))
    return [_event(row) for row in connection.execute(select(events).where(wanted).order_by(_c.sequence)).mappings()]


def _seen(reach: EventReach) -> ColumnElement[bool]:
    """Keep what somebody may know of.

    What names no integration is seen by who sees its project or environment; what names no place at all concerns
    everything, and is seen by who sees that.
    """
    inner, outer = reach.integrations, reach.projects
    if inner.everything and outer.everything and reach.environments.everything:
        return true()
    has_integration, has_project = _c.integration_id.is_not(None), _c.project_id.is_not(None)
    has_environment, p, i, e = _c.environment_id.is_not(None), _c.project_id, _c.integration_id, _c.environment_id
    return or_(
        and_(has_integration, has_environment, within(inner, project=p, integration=i, environment=e)),
        and_(has_integration, ~has_environment, within(inner, project=p, integration=i)),
        and_(~has_integration, has_project, has_environment, within(outer, project=p, environment=e)),
        and_(~has_integration, has_project, ~has_environment, within(outer, project=p)),
        and_(~has_integration, ~has_project, has_environment, within(reach.environments, environment=e)),
        and_(~has_integration, ~has_project, ~has_environment, true() if inner.everything else false()),
    )


def _inside(scope: EventScope) -> ColumnElement[bool]:
    kinds = [kind.value for kind in scope.kinds]
    conditions: list[ColumnElement[bool]] = [_c.kind.in_(kinds)]
    if scope.environment is not None:
        found = select(environments.c.id).where(environments.c.handle == scope.environment)
        conditions.append(_c.environment_id.in_(found))
    if scope.project is not None:
        conditions.append(_c.project_id.in_(select(projects.c.id).where(projects.c.handle == scope.project)))
    if scope.integration is not None:
        found = select(integrations.c.id).join(projects)
        named = and_(projects.c.handle == scope.project, integrations.c.handle == scope.integration)
        conditions.append(_c.integration_id.in_(found.where(named)))
    if scope.runtime is not None:
        conditions.append(_c.runtime_key.in_(select(runtimes.c.key).where(runtimes.c.id == scope.runtime)))
    if scope.since is not None:
        conditions.append(_c.at >= scope.since)
    if scope.until is not None:
        conditions.append(_c.at < scope.until)
    return and_(*conditions)


def _event(row: Mapping[Any, Any]) -> Event:  # Any: column values
    values: dict[str, Any] = {**row, "kind": EventKind(row["kind"])}
    return Event(**values)
