"""Places that are not as somebody wants them: replicas that differ, artifacts that failed, changes that were not carried out.

The database compares: of each set of artifacts it knows a sum of everything in which replicas should be alike.
First it says where anything may be wrong, out of an index that holds each set once for each place however many runtimes there are;
only those places are compared, runtime by runtime.
"""

from collections.abc import Mapping
from enum import StrEnum, unique
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, case, distinct, func, or_, select, true, union

from pilothouse.access.grants import Reach
from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest, page_of
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

_r, _c, _s = runtimes.c, commands.c, artifact_sets.c
_NAMED_MAX: Final = 500
"""Integrations that are named to the database, which then reads their runtimes alone; where more are suspect, it reads all."""


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
    connection: Connection,
    reach: Reach,
    listing: Listing,
    request: PageRequest,
    *,
    stalled_before: Instant,
    names: bool = True,
) -> tuple[Page[NotAsWanted], Tally]:
    """List places that are not as wanted, those in critical environments first, and count all of them by trouble.

    stalled_before: a command that was queued earlier and still has no outcome was not carried out
    names: False leaves the page empty, for who asks for counts alone; naming the places compares them once more
    Raises: InvalidInput when the cursor is none of this list
    """
    told = _told(reach, stalled_before)
    suspects = {row.integration_id for row in connection.execute(_suspects(told))}
    if not suspects:
        nothing = page_of(listing.cursors_of, list[NotAsWanted](), request, 0, lambda _: ())
        return nothing, Tally(places=0, differing=0, failed=0, unreached=0)
    places, tables = _places(reach, told, suspects), {"project": projects, "environment": environments}
    inside = and_(
        true(),
        *(
            tables[dimension].c.handle == handle
            for dimension, handle in (("project", listing.project), ("environment", listing.environment))
            if handle is not None
        ),
    )
    troubles = _troubles(places)
    counted = [func.coalesce(func.sum(case((trouble, 1), else_=0)), 0) for trouble in troubles.values()]
    somewhere = or_(*troubles.values())
    numbers = connection.execute(_named(select(func.count(), *counted), places).where(somewhere, inside)).one()
    somewhere_in, *by_trouble = (int(number) for number in numbers)  # MariaDB adds up to decimals
    tally = Tally(places=somewhere_in, differing=by_trouble[0], failed=by_trouble[1], unreached=by_trouble[2])
    total = tally.places if listing.trouble is None else by_trouble[list(troubles).index(listing.trouble)]
    if not names:
        return page_of(listing.cursors_of, list[NotAsWanted](), request, total, lambda _: ()), tally
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
        _place,
        of=listing.cursors_of,
    )
    return page, tally


def _place(row: Mapping[str, Any]) -> NotAsWanted:  # Any: column values
    values: dict[str, Any] = dict(row)
    values |= {name: int(values[name]) for name in ("running", "failed")}  # as above
    return NotAsWanted(**values)


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


def _suspects(told: Any) -> Any:  # Any: as above
    """Select where sets differ in what replicas share or hold what failed, whether their runtimes run or not, and where wishes stand.

    Shape: integration_id
    """
    # As they stand in their index, its first column too: then the databases read it in its order, and some leap from set to set.
    in_use = (
        select(_r.retired_at, _r.integration_id, _r.environment_id, _r.artifact_digest)
        .where(_r.retired_at.is_(None))
        .distinct()
        .subquery("in_use")
    )
    of = in_use.c
    suspect = (
        select(of.integration_id)
        .join(artifact_sets, _s.digest == of.artifact_digest)
        .group_by(of.integration_id, of.environment_id)
        .having(or_(func.count(distinct(_s.likeness)) > 1, func.max(_s.failed_count) > 0))
    )
    return union(suspect, select(told.c.integration_id))


def _told(reach: Reach, stalled_before: Instant) -> Any:  # Any: as above
    """Count what the running runtimes of every place were told and did not do."""
    # Of what is desired now only, and of each wish what a runtime was told last.
    newest = (
        select(func.max(_c.number))
        .where(_c.wish_number.in_(select(desired_states.c.change_number)))
        .group_by(_c.runtime_key, _c.wish_number)
    )
    stalled = and_(_c.state.in_([state.value for state in OPEN]), _c.queued_at < stalled_before)
    return (
        select(_r.integration_id, _r.environment_id, func.count(distinct(_c.wish_number)).label("unreached"))
        .select_from(commands)
        .join(runtimes, _r.key == _c.runtime_key)
        .join(runtime_presence, runtime_presence.c.runtime_key == _r.key)
        .join(integrations, integrations.c.id == _r.integration_id)
        .where(_running(reach), _c.number.in_(newest), or_(_c.state == CommandState.FAILED.value, stalled))
        .group_by(_r.integration_id, _r.environment_id)
        .subquery("told")
    )


def _places(reach: Reach, told: Any, suspects: set[str]) -> Any:  # Any: as above
    """Compare the running runtimes of every place that is suspect, and put beside it what they were told and did not do."""
    alike = (
        select(_r.integration_id, _r.environment_id, _r.artifact_digest, func.count().label("running"))
        .select_from(runtimes)
        .join(runtime_presence, runtime_presence.c.runtime_key == _r.key)
        .join(integrations, integrations.c.id == _r.integration_id)
        .where(_running(reach), _r.integration_id.in_(sorted(suspects)) if len(suspects) <= _NAMED_MAX else true())
        .group_by(_r.integration_id, _r.environment_id, _r.artifact_digest)
        .subquery("alike")
    )
    of = alike.c
    compared = (
        select(
            of.integration_id,
            of.environment_id,
            func.sum(of.running).label("running"),
            func.count(distinct(_s.likeness)).label("forms"),
            func.coalesce(func.sum(_s.failed_count * of.running), 0).label("failed"),
        )
        .join(artifact_sets, _s.digest == of.artifact_digest)
        .group_by(of.integration_id, of.environment_id)
        .subquery("compared")
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
