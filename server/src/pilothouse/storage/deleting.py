"""What hangs on a project, an integration or an environment, and deleting all of it."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, and_, case, delete, false, func, not_, or_, select, true
from sqlalchemy.sql.elements import SQLCoreOperations

from pilothouse.access.places import Place
from pilothouse.base.instants import Instant
from pilothouse.storage.alert_tables import alert_rules, alert_silences
from pilothouse.storage.ingest_tables import ingest_tokens
from pilothouse.storage.tables import (
    desired_changes,
    desired_states,
    environments,
    groups,
    integrations,
    projects,
    role_mappings,
    roles,
    runtimes,
    secrets,
)

ROWS_AT_ONCE = 500
"""Rows that one statement deletes by their keys: databases limit how many values a statement may bring."""


class DoomedRuntime(msgspec.Struct, frozen=True, kw_only=True):
    """A runtime that goes with where it lives."""

    key: int
    id: str
    project_id: str
    integration_id: str
    environment_id: str
    key_id: str | None
    retired: bool


class DoomedSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A secret that goes with what it is for."""

    key_id: str
    project_id: str | None
    integration_id: str | None
    environment_id: str
    revoked: bool
    """For good: nobody sees it any more."""


class Hanging(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that hangs on a thing."""

    integrations: Sequence[tuple[str, str]]
    """Ids and handles."""
    runtimes: Sequence[DoomedRuntime]
    secrets: Sequence[DoomedSecret]
    ingest_tokens: int
    """Those that are not revoked."""
    desired_states: int
    role_mappings: int
    """Without those of its own groups within it: they come and go with it."""
    groups: Sequence[tuple[str, str]]
    """Ids and names of those that exist for it alone."""

    @property
    def runtimes_shown(self) -> int:
        """Those that are not retired."""
        return sum(not runtime.retired for runtime in self.runtimes)

    @property
    def secrets_shown(self) -> int:
        """Those that are not revoked."""
        return sum(not secret.revoked for secret in self.secrets)

    @property
    def is_anything(self) -> bool:
        """Whether anything hangs on it that people know of, its own groups aside."""
        return bool(
            self.integrations
            or self.runtimes_shown
            or self.secrets_shown
            or self.ingest_tokens
            or self.desired_states
            or self.role_mappings
        )


def hanging_on(connection: Connection, place: Place, now: Instant) -> Hanging:
    """Read what hangs on a project, an integration or an environment; a constant number of statements."""
    return Hanging(
        integrations=_integrations(connection, place),
        runtimes=_runtimes(connection, place),
        secrets=_secrets(connection, place, now),
        ingest_tokens=_count(connection, ingest_tokens, and_(_for(place), ingest_tokens.c.revoked_at.is_(None))),
        desired_states=_count(connection, desired_states, _inside(place, desired_states)),
        role_mappings=_count(connection, role_mappings, _mapped_by_others(place)),
        groups=_groups(connection, place),
    )


def list_mappings(connection: Connection, place: Place, limit: int) -> list[str]:
    """List the mappings that are counted as hanging on it, as `group: role`, in the order in which they were made."""
    holders = groups.alias()  # the condition asks about groups as well
    statement = (
        select(holders.c.name, roles.c.name)
        .select_from(role_mappings)
        .join(holders, holders.c.id == role_mappings.c.group_id)
        .join(roles, roles.c.id == role_mappings.c.role_id)
        .where(_mapped_by_others(place))
        .order_by(role_mappings.c.number)
        .limit(limit)
    )
    return [f"{group}: {role}" for group, role in connection.execute(statement)]


def count_environments(connection: Connection) -> int:
    """Count environments."""
    return connection.execute(select(func.count()).select_from(environments)).scalar_one()


def remove(connection: Connection, place: Place, hanging: Hanging) -> None:
    """Delete a project, an integration or an environment, with everything that hangs on it.

    Reports, presence and commands go with their runtimes, members and mappings with their groups, ingest tokens with the
    place that they are for: the database sees to it.
    """
    _delete_by_keys(connection, runtimes, runtimes.c.key, [runtime.key for runtime in hanging.runtimes])
    _delete_by_keys(connection, secrets, secrets.c.key_id, [secret.key_id for secret in hanging.secrets])
    for table in (desired_states, desired_changes):  # the states point to the changes
        connection.execute(delete(table).where(_inside(place, table)))
    connection.execute(delete(role_mappings).where(_in_scope(place)))
    ruled = select(alert_rules.c.id).where(_inside(place, alert_rules))
    connection.execute(delete(alert_silences).where(alert_silences.c.rule_id.in_(ruled)))  # statements.LEFT_TO_US
    _delete_by_keys(connection, groups, groups.c.id, [id_ for id_, _ in hanging.groups])
    if place.environment_id is not None:
        connection.execute(delete(environments).where(environments.c.id == place.environment_id))
        return
    if place.integration_id is not None:
        connection.execute(delete(integrations).where(integrations.c.id == place.integration_id))
        return
    connection.execute(delete(integrations).where(integrations.c.project_id == place.project_id))
    connection.execute(delete(projects).where(projects.c.id == place.project_id))


def _integrations(connection: Connection, place: Place) -> list[tuple[str, str]]:
    if place.integration_id is not None or place.environment_id is not None:
        return []
    c = integrations.c
    rows = connection.execute(select(c.id, c.handle).where(c.project_id == place.project_id).order_by(c.handle))
    return [(row.id, row.handle) for row in rows]


def _runtimes(connection: Connection, place: Place) -> list[DoomedRuntime]:
    c = runtimes.c
    statement = (
        select(
            c.key,
            c.id,
            integrations.c.project_id,
            c.integration_id,
            c.environment_id,
            c.key_id,
            case((c.retired_at.is_not(None), true()), else_=false()).label("retired"),
        )
        .join(integrations, integrations.c.id == c.integration_id)
        .where(_inside(place, runtimes))
        .order_by(c.key)
    )
    return [DoomedRuntime(**row) for row in connection.execute(statement).mappings()]


def _secrets(connection: Connection, place: Place, now: Instant) -> list[DoomedSecret]:
    c = secrets.c
    revoked = or_(c.revoked_at.is_not(None), and_(c.revoked_from.is_not(None), c.revoked_from <= now))
    statement = (
        select(
            c.key_id,
            integrations.c.project_id,
            c.integration_id,
            c.environment_id,
            case((revoked, true()), else_=false()).label("revoked"),
        )
        .outerjoin(integrations, integrations.c.id == c.integration_id)
        .where(_inside(place, secrets))
        .order_by(c.created_at, c.key_id)
    )
    return [DoomedSecret(**row) for row in connection.execute(statement).mappings()]


def _groups(connection: Connection, place: Place) -> list[tuple[str, str]]:
    if place.integration_id is not None or place.environment_id is not None:
        return []
    rows = connection.execute(select(groups.c.id, groups.c.name).where(groups.c.project_id == place.project_id))
    return [(row.id, row.name) for row in rows]


def _of_integrations(place: Place, column: SQLCoreOperations[str]) -> ColumnElement[bool]:
    if place.integration_id is not None:
        return column == place.integration_id
    return column.in_(select(integrations.c.id).where(integrations.c.project_id == place.project_id))


def _inside(place: Place, table: Table) -> ColumnElement[bool]:
    """Make the condition for rows of tables that name an integration and an environment."""
    if place.environment_id is not None:
        return table.c.environment_id == place.environment_id
    return _of_integrations(place, table.c.integration_id)


def _for(place: Place) -> ColumnElement[bool]:
    """Make the condition for ingest tokens that are for this place or one within it, not for more than it."""
    c = ingest_tokens.c
    if place.environment_id is not None:
        return c.environment_id == place.environment_id
    return (
        c.project_id == place.project_id if place.integration_id is None else c.integration_id == place.integration_id
    )


def _in_scope(place: Place) -> ColumnElement[bool]:
    c = role_mappings.c
    if place.environment_id is not None:
        return c.environment_id == place.environment_id
    if place.integration_id is not None:
        return c.integration_id == place.integration_id
    return or_(c.project_id == place.project_id, _of_integrations(place, c.integration_id))


def _mapped_by_others(place: Place) -> ColumnElement[bool]:
    if place.integration_id is not None or place.environment_id is not None:
        return _in_scope(place)
    # A value and not a condition, which could be unknown: where a mapping has no project, it is not inside.
    inside, c = case((_in_scope(place), 1), else_=0) == 1, role_mappings.c
    own = c.group_id.in_(select(groups.c.id).where(groups.c.project_id == place.project_id))
    return or_(and_(inside, not_(own)), and_(own, not_(inside)))


def _count(connection: Connection, table: Table, wanted: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(table).where(wanted)).scalar_one()


def _delete_by_keys(
    connection: Connection, table: Table, column: ColumnElement[Any], keys: Sequence[str | int]
) -> None:
    for start in range(0, len(keys), ROWS_AT_ONCE):
        connection.execute(delete(table).where(column.in_(keys[start : start + ROWS_AT_ONCE])))
