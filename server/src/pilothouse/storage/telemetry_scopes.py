"""What telemetry's questions name: handles and ids that become the ids stamped on records."""

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, String, literal, select, union_all

from pilothouse.storage.columns import Rows
from pilothouse.storage.tables import environments, integrations, projects, runtimes


class NamedIds(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of what was named."""

    project_id: str | None
    integration_ids: tuple[str, ...]
    environment_ids: tuple[str, ...]
    runtimes: tuple["NamedRuntime", ...]


class NamedRuntime(msgspec.Struct, frozen=True, order=True):
    """A runtime and where it lives."""

    runtime_id: str
    integration_id: str
    environment_id: str


def find_named(
    connection: Connection,
    *,
    project: str | None,
    integrations_of_it: Sequence[str],
    environment_handles: Sequence[str],
    runtime_ids: Sequence[str],
) -> NamedIds:
    """Find everything that a question names by one statement; whoever sees the answer, its reach decides what it holds.

    Units: `runtime_ids` are our ids of runtimes, not what they call themselves.
    """
    parts: list[Rows] = []
    if project is not None:
        parts.append(_part("project", projects.c.id).where(projects.c.handle == project))
    if integrations_of_it:
        joined = _part("integration", integrations.c.id).join(projects, projects.c.id == integrations.c.project_id)
        parts.append(joined.where(projects.c.handle == project, integrations.c.handle.in_(integrations_of_it)))
    if environment_handles:
        parts.append(_part("environment", environments.c.id).where(environments.c.handle.in_(environment_handles)))
    if runtime_ids:
        c = runtimes.c
        found = select(_text("runtime", "kind"), c.runtime_id, c.integration_id, c.environment_id)
        parts.append(found.where(c.id.in_(runtime_ids)))
    rows: Sequence[Row[str, str, str, str]] = connection.execute(union_all(*parts)).all() if parts else []
    return NamedIds(
        project_id=next((row[1] for row in rows if row[0] == "project"), None),
        integration_ids=tuple(sorted(row[1] for row in rows if row[0] == "integration")),
        environment_ids=tuple(sorted(row[1] for row in rows if row[0] == "environment")),
        runtimes=tuple(sorted(NamedRuntime(*row[1:]) for row in rows if row[0] == "runtime")),
    )


def keys_by_runtime_id(connection: Connection, runtime_ids: Collection[str]) -> dict[str, list[int]]:
    """List the keys of the runtimes that call themselves so and were not retired, wherever they live."""
    c = runtimes.c
    statement = select(c.runtime_id, c.key).where(c.runtime_id.in_(sorted(runtime_ids)), c.retired_at.is_(None))
    keys: dict[str, list[int]] = {}
    for runtime_id, key in connection.execute(statement.order_by(c.key)):
        keys.setdefault(runtime_id, []).append(key)
    return keys


def _part(kind: str, column: ColumnElement[str]) -> Rows:
    return select(_text(kind, "kind"), column, _text("", "integration_id"), _text("", "environment_id"))


def _text(value: str, name: str) -> ColumnElement[str]:
    return literal(value, String(36)).label(name)
