"""Runtimes, their reports and their artifact sets."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    delete,
    false,
    func,
    insert,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from pilothouse.access.grants import Reach
from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest, page_of
from pilothouse.domain.liveness import Status
from pilothouse.domain.runtime import KnownRuntime, Report, ReportDocument, RuntimeRow
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.storage.columns import Rows
from pilothouse.storage.scope import within
from pilothouse.storage.tables import (
    artifact_sets,
    environments,
    integrations,
    projects,
    runtime_presence,
    runtime_reports,
    runtimes,
)

_read_document = msgspec.json.Decoder(ReportDocument).decode


class RuntimeScope(msgspec.Struct, frozen=True, kw_only=True):
    """Which runtimes a list or a subscription is about; None leaves a dimension open."""

    environment: str | None = None
    project: str | None = None
    integration: str | None = None
    secret_key_id: str | None = None


class Namesake(msgspec.Struct, frozen=True, kw_only=True):
    """A runtime with the same runtimeId under another integration or environment."""

    key: int
    runtime_id: str
    registered_at: Instant
    place: str


def find_known(connection: Connection, report: Report) -> KnownRuntime | None:
    """Find the runtime that reports: by its runtimeId under its own integration and environment, never elsewhere."""
    c = runtimes.c
    row = (
        connection.execute(
            select(
                c.key,
                c.id,
                c.name,
                c.version,
                c.key_id,
                c.runtime_hash,
                c.artifact_digest,
                c.retired_at,
                runtime_reports.c.document,
                runtime_presence.c.interval_s,
                runtime_presence.c.status,
            )
            .join(runtime_reports)
            .join(runtime_presence, runtime_presence.c.runtime_key == c.key)
            .where(
                c.runtime_id == report.runtime_id,
                c.integration_id == report.integration_id,
                c.environment_id == report.environment_id,
            )
        )
        .mappings()
        .first()
    )
    if row is None:
        return None
    values: dict[str, Any] = dict(row)  # Any: column values
    values |= {"status": Status(values["status"]), "retired": values.pop("retired_at") is not None}
    return KnownRuntime(**values)


def add(connection: Connection, report: Report, *, id: str, document: bytes, now: Instant) -> int:  # noqa: A002
    """Store a newcomer and return its key."""
    key = connection.execute(
        insert(runtimes)
        .values(
            id=id,
            runtime_id=report.runtime_id,
            integration_id=report.integration_id,
            environment_id=report.environment_id,
            name=report.name,
            runtime_type=report.runtime_type.value,
            version=report.version,
            key_id=report.key_id,
            runtime_hash=report.runtime_hash,
            artifact_digest=report.artifact_digest,
            registered_at=now,
        )
        .returning(runtimes.c.key)
    ).scalar_one()
    connection.execute(insert(runtime_reports).values(runtime_key=key, document=document))
    connection.execute(
        insert(runtime_presence).values(
            runtime_key=key,
            seen_at=now,
            interval_s=report.interval_s,
            address=report.address,
            running_since=now,
            status=Status.RUNNING.value,
        )
    )
    return key


def change(connection: Connection, known: KnownRuntime, report: Report, document: bytes) -> None:
    """Store what a runtime reports anew; one that was retired is live again."""
    connection.execute(
        update(runtimes)
        .where(runtimes.c.key == known.key)
        .values(
            name=report.name,
            version=report.version,
            key_id=report.key_id,
            runtime_hash=report.runtime_hash,
            artifact_digest=report.artifact_digest,
            retired_at=None,
        )
    )
    if document != known.document:
        connection.execute(
            update(runtime_reports).where(runtime_reports.c.runtime_key == known.key).values(document=document)
        )


def note_alive(connection: Connection, known: KnownRuntime, report: Report, now: Instant) -> None:
    """Store that a runtime was heard, and that it runs again if it did not."""
    values: dict[str, Any] = {"seen_at": now, "address": report.address}
    if report.interval_s is not None:
        values["interval_s"] = report.interval_s
    if known.status is not Status.RUNNING or known.retired:
        values |= {"status": Status.RUNNING.value, "running_since": now}
    connection.execute(update(runtime_presence).where(runtime_presence.c.runtime_key == known.key).values(values))


def keep_artifacts(
    connection: Connection, digest: str, document: bytes, *, services: int, listeners: int, now: Instant
) -> None:
    """Store an artifact set unless it is there already."""
    connection.execute(
        upsert(artifact_sets)
        .values(digest=digest, document=document, service_count=services, listener_count=listeners, stored_at=now)
        .on_conflict_do_nothing()
    )


def list_artifacts(connection: Connection, digests: Sequence[str]) -> dict[str, bytes]:
    """Find the documents of artifact sets."""
    c = artifact_sets.c
    rows = connection.execute(select(c.digest, c.document).where(c.digest.in_(digests)))
    return {row.digest: row.document for row in rows}


def list_bearing_name(connection: Connection, report: Report) -> list[int]:
    """List the keys of other runtimes that bear the same name in the same place and are not retired."""
    if report.name is None:
        return []
    c = runtimes.c
    return list(
        connection.execute(
            select(c.key).where(
                c.integration_id == report.integration_id,
                c.environment_id == report.environment_id,
                c.name == report.name,
                c.runtime_id != report.runtime_id,
                c.retired_at.is_(None),
            )
        ).scalars()
    )


def retire(connection: Connection, keys: Sequence[int], at: Instant) -> None:
    """Hide runtimes whose name a successor took over; they are kept a while for the audit."""
    connection.execute(update(runtimes).where(runtimes.c.key.in_(keys)).values(retired_at=at))


def list_rows(connection: Connection, reach: Reach, scope: RuntimeScope, request: PageRequest) -> Page[RuntimeRow]:
    """List runtimes by name, those without one last, then by id."""
    wanted = and_(within(reach), runtimes.c.retired_at.is_(None), _inside(scope))
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


def find_row(connection: Connection, reach: Reach, id: str) -> RuntimeRow | None:  # noqa: A002
    """Find a runtime by its id, a retired one too."""
    row = connection.execute(_rows().where(within(reach), runtimes.c.id == id)).mappings().first()
    return _row(row) if row else None


def list_by_keys(
    connection: Connection, reach: Reach, keys: Iterable[int], scope: RuntimeScope
) -> dict[int, RuntimeRow]:
    """Find runtimes by their keys, leaving out what is outside of the scope."""
    statement = _rows().where(within(reach), runtimes.c.key.in_(list(keys)), _inside(scope))
    return {row["key"]: _row(row) for row in connection.execute(statement).mappings()}


def list_namesakes(connection: Connection, rows: Sequence[RuntimeRow]) -> list[Namesake]:
    """List the runtimes that share a runtimeId with one of these but live elsewhere."""
    if not rows:
        return []
    c = runtimes.c
    place = projects.c.handle + " / " + integrations.c.handle + " in " + environments.c.handle
    statement = _joined(select(c.key, c.runtime_id, c.registered_at, place.label("place"))).where(
        c.runtime_id.in_({row.runtime_id for row in rows}), c.retired_at.is_(None)
    )
    return [Namesake(**row) for row in connection.execute(statement).mappings()]


def forget_retired(connection: Connection, before: Instant) -> int:
    """Delete the runtimes that were retired before a moment."""
    return connection.execute(delete(runtimes).where(runtimes.c.retired_at < before)).rowcount


def forget_unused_artifacts(connection: Connection, before: Instant) -> int:
    """Delete the artifact sets that nobody reports any more."""
    used = select(runtimes.c.artifact_digest).where(runtimes.c.artifact_digest == artifact_sets.c.digest).exists()
    return connection.execute(delete(artifact_sets).where(artifact_sets.c.stored_at < before, ~used)).rowcount


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
    )


def _row(row: RowMapping) -> RuntimeRow:
    values: dict[str, Any] = dict(row)  # Any: column values
    values["runtime_type"] = RuntimeType(values["runtime_type"])
    values["document"] = _read_document(values["document"])
    return RuntimeRow(**values)
