"""Runtimes as people see them: lists, single ones, and what they report."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, false, func, or_, select, true

from pilothouse.access.grants import Reach
from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest, page_of
from pilothouse.domain.runtime import ReportDocument, RuntimeRow
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.storage.columns import Rows
from pilothouse.storage.scope import within
from pilothouse.storage.tables import (
    artifact_sets,
    environments,
    integrations,
    projects,
    runtime_reports,
    runtimes,
    secrets,
)

_read_document = msgspec.json.Decoder(ReportDocument).decode


class RuntimeScope(msgspec.Struct, frozen=True, kw_only=True):
    """Which runtimes a list or a subscription is about; None leaves a dimension open."""

    environment: str | None = None
    project: str | None = None
    integration: str | None = None
    secret_key_id: str | None = None


class Elsewhere(msgspec.Struct, frozen=True, kw_only=True):
    """A runtime with the same runtimeId under another integration or environment."""

    key: int
    runtime_id: str
    registered_at: Instant
    place: str


def list_rows(connection: Connection, reach: Reach, scope: RuntimeScope, request: PageRequest) -> Page[RuntimeRow]:
    """List runtimes by name, those without one last, then by id."""
    wanted = and_(_seen(reach), runtimes.c.retired_at.is_(None), _inside(scope))
    order = (func.coalesce(func.lower(runtimes.c.name), "\uffff"), runtimes.c.id)
    statement = _rows().where(wanted)
    if request.after is not None:
        name, id_ = request.after
        statement = statement.where(or_(order[0] > name, and_(order[0] == name, order[1] > id_)))
    rows = connection.execute(statement.order_by(*order).limit(request.first + 1)).mappings()
    total = connection.execute(
        select(func.count()).select_from(_joined(select(runtimes.c.key)).where(wanted).subquery())
    )
    return page_of(
        "runtimes",
        [_row(row) for row in rows],
        request,
        total.scalar_one(),
        lambda row: (row.name.lower() if row.name is not None else "\uffff", row.id),
    )


def list_all(connection: Connection, reach: Reach, scope: RuntimeScope, limit: int) -> list[RuntimeRow]:
    """List the runtimes of a scope that are not retired, at most so many."""
    wanted = and_(_seen(reach), runtimes.c.retired_at.is_(None), _inside(scope))
    rows = connection.execute(_rows().where(wanted).order_by(runtimes.c.key).limit(limit)).mappings()
    return [_row(row) for row in rows]


def find_row(connection: Connection, reach: Reach, id: str) -> RuntimeRow | None:  # noqa: A002
    """Find a runtime by its id, a retired one too."""
    row = connection.execute(_rows().where(_seen(reach), runtimes.c.id == id)).mappings().first()
    return _row(row) if row else None


def list_by_keys(
    connection: Connection, reach: Reach, keys: Iterable[int], scope: RuntimeScope
) -> dict[int, RuntimeRow]:
    """Find runtimes by their keys, leaving out what is outside of the scope."""
    statement = _rows().where(_seen(reach), runtimes.c.key.in_(list(keys)), _inside(scope))
    return {row["key"]: _row(row) for row in connection.execute(statement).mappings()}


def list_elsewhere(connection: Connection, rows: Sequence[RuntimeRow]) -> list[Elsewhere]:
    """List the runtimes that share a runtimeId with one of these but live elsewhere."""
    if not rows:
        return []
    c = runtimes.c
    place = projects.c.handle + " / " + integrations.c.handle + " in " + environments.c.handle
    statement = _joined(select(c.key, c.runtime_id, c.registered_at, place.label("place"))).where(
        c.runtime_id.in_({row.runtime_id for row in rows}), c.retired_at.is_(None)
    )
    return [Elsewhere(**row) for row in connection.execute(statement).mappings()]


def list_artifacts(connection: Connection, digests: Sequence[str]) -> dict[str, bytes]:
    """Find the documents of artifact sets."""
    c = artifact_sets.c
    rows = connection.execute(select(c.digest, c.document).where(c.digest.in_(digests)))
    return {row.digest: row.document for row in rows}


def _seen(reach: Reach) -> ColumnElement[bool]:
    return within(
        reach,
        project=integrations.c.project_id,
        integration=runtimes.c.integration_id,
        environment=runtimes.c.environment_id,
    )


def _joined(statement: Rows) -> Rows:
    return (
        statement.join(environments, environments.c.id == runtimes.c.environment_id)
        .join(integrations, integrations.c.id == runtimes.c.integration_id)
        .join(projects, projects.c.id == integrations.c.project_id)
    )


def _inside(scope: RuntimeScope) -> ColumnElement[bool]:
    if scope.integration is not None and scope.project is None:
        return false()
    pairs = (
        (environments.c.handle, scope.environment),
        (projects.c.handle, scope.project),
        (integrations.c.handle, scope.integration),
        (runtimes.c.key_id, scope.secret_key_id),
    )
    return and_(true(), *(column == value for column, value in pairs if value is not None))


def _rows() -> Rows:
    c = runtimes.c
    return (
        _joined(
            select(
                c.key,
                c.id,
                c.runtime_id,
                c.name,
                c.runtime_type,
                c.version,
                c.key_id,
                secrets.c.expires_at.label("secret_expires_at"),
                c.registered_at,
                c.retired_at,
                c.artifact_digest,
                runtime_reports.c.document,
                artifact_sets.c.service_count,
                artifact_sets.c.listener_count,
                c.environment_id,
                environments.c.handle.label("environment_handle"),
                environments.c.display_name.label("environment_display_name"),
                environments.c.critical.label("environment_critical"),
                integrations.c.project_id,
                projects.c.handle.label("project_handle"),
                projects.c.display_name.label("project_display_name"),
                c.integration_id,
                integrations.c.handle.label("integration_handle"),
                integrations.c.display_name.label("integration_display_name"),
            )
        )
        .join(runtime_reports, runtime_reports.c.runtime_key == c.key)
        .join(artifact_sets, artifact_sets.c.digest == c.artifact_digest)
        .outerjoin(secrets, secrets.c.key_id == c.key_id)
    )


def _row(row: RowMapping) -> RuntimeRow:
    values: dict[str, Any] = dict(row)  # Any: column values
    values["runtime_type"] = RuntimeType(values["runtime_type"])
    values["document"] = _read_document(values["document"])
    return RuntimeRow(**values)
