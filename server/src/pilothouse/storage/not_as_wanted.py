"""Places that are not as somebody wants them: replicas that differ, artifacts that failed, changes that were not carried out.

The database compares: of each set of artifacts it knows a sum of everything in which replicas should be alike.
"""

from enum import StrEnum, unique
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, case, distinct, func, or_, select, true

from pilothouse.access.grants import Reach
from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest
from pilothouse.domain.commands import OPEN, CommandState
from pilothouse.domain.liveness import Status
from pilothouse.domain.tenancy import list_name
from pilothouse.storage.columns import Rows
from pilothouse.storage.ordering import Order
from pilothouse.storage.scope import within
from pilothouse.storage.tables import (
    artifact_sets,
    commands,
    desired_states,
    environments,
    integrations,
    projects,
    runtime_presence,
    runtimes,
)

_r, _c = runtimes.c, commands.c


@unique
class Trouble(StrEnum):
    """In what a place may not be as wanted."""

    DIFFERING = "DIFFERING"
    FAILED = "FAILED"
    UNREACHED = "UNREACHED"


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """Which places are asked about; None leaves a dimension open."""

    project: str | None = None
    environment: str | None = None
    trouble: Trouble | None = None

    @property
    def cursors_of(self) -> str:
        """Name what the list's cursors belong to."""
        return list_name("notAsWanted", self)


class NotAsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """One integration in one environment, and what is wrong with it."""

    project_handle: str
    project_display_name: str
    integration_handle: str
    integration_display_name: str
    environment_handle: str
    environment_display_name: str
    environment_critical: bool
    running: int
    forms: int
    """In so many ways its running runtimes report what should be the same."""
    failed: int
    """Failed artifacts, counted on every running runtime that reports them."""
    unreached: int
    """Desired states that a running runtime was told of and does not report."""


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How many places are not as wanted, and in what; one place may be so in several ways."""

    places: int
    differing: int
    failed: int
    unreached: int


def list_places(
    connection: Connection, reach: Reach, listing: Listing, request: PageRequest, *, stalled_before: Instant
) -> tuple[Page[NotAsWanted], Tally]:
    """List places that are not as wanted, those in critical environments first, and count all of them by trouble.

    stalled_before: a command that was queued earlier and still has no outcome was not carried out
    Raises: InvalidInput when the cursor is none of this list
    """
    places, names = _places(reach, stalled_before), {"project": projects, "environment": environments}
    inside = and_(
        true(),
        *(
            names[dimension].c.handle == handle
            for dimension, handle in (("project", listing.project), ("environment", listing.environment))
            if handle is not None
        ),
    )
    troubles = _troubles(places)
    counted = [func.coalesce(func.sum(case((trouble, 1), else_=0)), 0) for trouble in troubles.values()]
    somewhere = or_(*troubles.values())
    numbers = connection.execute(_named(select(func.count(), *counted), places).where(somewhere, inside)).one()
    tally = Tally(places=numbers[0], differing=numbers[1], failed=numbers[2], unreached=numbers[3])
    total = tally.places if listing.trouble is None else numbers[1 + list(troubles).index(listing.trouble)]
    c = places.c
    shown = _named(
        select(
            projects.c.handle.label("project_handle"),
            projects.c.display_name.label("project_display_name"),
            integrations.c.handle.label("integration_handle"),
            integrations.c.display_name.label("integration_display_name"),
            environments.c.handle.label("environment_handle"),
            environments.c.display_name.label("environment_display_name"),
            environments.c.critical.label("environment_critical"),
            c.running,
            c.forms,
            c.failed,
            c.unreached,
        ),
        places,
    )
    wanted = somewhere if listing.trouble is None else troubles[listing.trouble]
    first = case((environments.c.critical == true(), "0 "), else_="1 ")
    order = Order(
        first + func.lower(projects.c.display_name) + " / " + func.lower(integrations.c.display_name),
        integrations.c.id + " " + environments.c.id,
    )
    page = order.page(
        connection,
        shown.where(wanted, inside),
        total,
        request,
        lambda row: NotAsWanted(**row),
        of=listing.cursors_of,
    )
    return page, tally


def _troubles(places: Any) -> dict[Trouble, ColumnElement[bool]]:  # Any: its columns are known by their names alone
    return {
        Trouble.DIFFERING: places.c.forms > 1,
        Trouble.FAILED: places.c.failed > 0,
        Trouble.UNREACHED: places.c.unreached > 0,
    }


def _named(statement: Rows, places: Any) -> Rows:  # Any: as above
    return (
        statement.select_from(places)
        .join(integrations, integrations.c.id == places.c.integration_id)
        .join(projects, projects.c.id == integrations.c.project_id)
        .join(environments, environments.c.id == places.c.environment_id)
    )


def _places(reach: Reach, stalled_before: Instant) -> Any:  # Any: as above
    """Compare the running runtimes of every place, and count what they were told and did not do."""
    compared = (
        select(
            _r.integration_id,
            _r.environment_id,
            func.count().label("running"),
            func.count(distinct(artifact_sets.c.likeness)).label("forms"),
            func.coalesce(func.sum(artifact_sets.c.failed_count), 0).label("failed"),
        )
        .select_from(runtimes)
        .join(artifact_sets, artifact_sets.c.digest == _r.artifact_digest)
        .join(runtime_presence, runtime_presence.c.runtime_key == _r.key)
        .join(integrations, integrations.c.id == _r.integration_id)
        .where(_running(reach))
        .group_by(_r.integration_id, _r.environment_id)
        .subquery("compared")
    )
    # Of what is desired now only, and of each wish what a runtime was told last.
    newest = (
        select(func.max(_c.number))
        .where(_c.wish_number.in_(select(desired_states.c.change_number)))
        .group_by(_c.runtime_key, _c.wish_number)
    )
    stalled = and_(_c.state.in_([state.value for state in OPEN]), _c.queued_at < stalled_before)
    told = (
        select(_r.integration_id, _r.environment_id, func.count(distinct(_c.wish_number)).label("unreached"))
        .select_from(commands)
        .join(runtimes, _r.key == _c.runtime_key)
        .join(runtime_presence, runtime_presence.c.runtime_key == _r.key)
        .join(integrations, integrations.c.id == _r.integration_id)
        .where(_running(reach), _c.number.in_(newest), or_(_c.state == CommandState.FAILED.value, stalled))
        .group_by(_r.integration_id, _r.environment_id)
        .subquery("told")
    )
    return (
        select(compared, func.coalesce(told.c.unreached, 0).label("unreached"))
        .outerjoin(
            told,
            and_(
                told.c.integration_id == compared.c.integration_id, told.c.environment_id == compared.c.environment_id
            ),
        )
        .subquery("places")
    )


def _running(reach: Reach) -> ColumnElement[bool]:
    return and_(
        _r.retired_at.is_(None),
        runtime_presence.c.status == Status.RUNNING.value,
        within(reach, project=integrations.c.project_id, integration=_r.integration_id, environment=_r.environment_id),
    )
