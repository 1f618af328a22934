"""Places of rules, alerts and silences: with the names that people know them by, and kept within what somebody may see."""

from collections import defaultdict
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, FromClause, Join, RowMapping, Table, and_, false, or_, true

from pilothouse.access.places import Place, Reach
from pilothouse.storage.tables import environments, integrations, projects


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """The names of a place; None where it names nothing."""

    project_handle: str | None = None
    project_display_name: str | None = None
    integration_handle: str | None = None
    integration_display_name: str | None = None
    environment_handle: str | None = None
    environment_display_name: str | None = None
    environment_critical: bool | None = None


NAMES: list[ColumnElement[Any]] = [  # Any: texts and a truth
    projects.c.handle.label("project_handle"),
    projects.c.display_name.label("project_display_name"),
    integrations.c.handle.label("integration_handle"),
    integrations.c.display_name.label("integration_display_name"),
    environments.c.handle.label("environment_handle"),
    environments.c.display_name.label("environment_display_name"),
    environments.c.critical.label("environment_critical"),
]


def joined(table: Table, more: FromClause | None = None) -> Join:
    """Join a table that names a place with what its ids stand for."""
    c = table.c
    return (
        (table if more is None else more)
        .join(projects, projects.c.id == c.project_id, isouter=True)
        .join(integrations, integrations.c.id == c.integration_id, isouter=True)
        .join(environments, environments.c.id == c.environment_id, isouter=True)
    )


def names_of(row: RowMapping) -> Named:
    """Read the names of a place."""
    return Named(**{name: row[name] for name in Named.__struct_fields__})


def place_of(row: RowMapping) -> Place:
    """Read a place's ids."""
    return Place(
        project_id=row["project_id"], integration_id=row["integration_id"], environment_id=row["environment_id"]
    )


def ids_of(place: Place) -> dict[str, str | None]:
    """Give a place's ids by column."""
    return {
        "project_id": place.project_id,
        "integration_id": place.integration_id,
        "environment_id": place.environment_id,
    }


def touching(table: Table, reach: Reach) -> ColumnElement[bool]:
    """Make the condition that keeps the rows whose place has anything in common with a reach: `Reach.touches` in SQL."""
    if reach.everything:
        return true()
    c = table.c
    by_environment: dict[str | None, list[Place]] = defaultdict(list)
    for place in reach.places:
        by_environment[place.environment_id].append(place)
    conditions: list[ColumnElement[bool]] = []
    for environment_id, places in by_environment.items():
        within = (
            true() if environment_id is None else or_(c.environment_id.is_(None), c.environment_id == environment_id)
        )
        conditions.append(and_(within, _in_tree(table, places)))
    return or_(false(), *conditions)


def _in_tree(table: Table, places: list[Place]) -> ColumnElement[bool]:
    c = table.c
    if any(place.project_id is None for place in places):
        return true()
    whole = sorted({p.project_id for p in places if p.project_id and p.integration_id is None})
    above = sorted({p.project_id for p in places if p.project_id and p.integration_id is not None})
    single = sorted({p.integration_id for p in places if p.integration_id is not None})
    return or_(
        c.project_id.is_(None),
        c.project_id.in_(whole),
        and_(c.integration_id.is_(None), c.project_id.in_(above)),
        c.integration_id.in_(single),
    )
