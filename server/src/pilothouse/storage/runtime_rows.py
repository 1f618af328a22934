"""Runtimes as people see them: lists, single ones, and what they report."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum, unique
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    false,
    func,
    not_,
    select,
    true,
)

from pilothouse.access.grants import Reach
from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest
from pilothouse.domain.liveness import Status
from pilothouse.domain.runtime import ReportDocument, RuntimeRow
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.tenancy import list_name
from pilothouse.storage.columns import Rows
from pilothouse.storage.ordering import Order, is_one_of, matches
from pilothouse.storage.scope import within
from pilothouse.storage.statements import text_in
from pilothouse.storage.tables import (
    artifact_sets,
    environments,
    integrations,
    projects,
    runtime_reports,
    runtimes,
    secrets,
)

_NAMELESS = "\uffff"
"""Runtimes without a name come last."""
_read_document = msgspec.json.Decoder(ReportDocument).decode


class RuntimeScope(msgspec.Struct, frozen=True, kw_only=True):
    """Which runtimes a list or a subscription is about; None leaves a dimension open."""

    environment: str | None = None
    project: str | None = None
    integration: str | None = None
    secret_key_id: str | None = None
    type: RuntimeType | None = None
    search: str | None = None
    """Is in the name, in the runtimeId or in the host's name, in whatever case."""


@unique
class RuntimeSort(StrEnum):
    """The order of a list of runtimes."""

    NAME = "NAME"
    NEWEST = "NEWEST"
    OLDEST = "OLDEST"


class RuntimeListing(msgspec.Struct, frozen=True, kw_only=True):
    """Which runtimes a list shows, and in which order."""

    scope: RuntimeScope = RuntimeScope()
    sort: RuntimeSort = RuntimeSort.NAME
    statuses: tuple[Status, ...] | None = None
    """In any of these states, sorted; None: in whatever state."""

    @property
    def cursors_of(self) -> str:
        """Name what the list's cursors belong to."""
        return list_name("runtimes", self)


class Elsewhere(msgspec.Struct, frozen=True, kw_only=True):
    """A runtime with the same runtimeId under another integration or environment."""

    key: int
    runtime_id: str
    registered_at: Instant
    place: str


def list_rows(
    connection: Connection,
    reach: Reach,
    listing: RuntimeListing,
    judge: Callable[[int], Status],
    request: PageRequest,
) -> Page[RuntimeRow]:
    """List runtimes; by name those without one come last.

    judge: says in which state a runtime is at this moment, by its key: no table knows that
    Raises: InvalidInput when the cursor is none of this list
    """
    wanted = and_(_seen(reach), runtimes.c.retired_at.is_(None), _inside(listing.scope))
    # Sorted are keys alone: with the reports beside them, a sort of ten thousand moves tens of megabytes.
    joined = select(runtimes.c.key) if _is_everything(reach, listing.scope) else _joined(select(runtimes.c.key))
    keys = joined.where(wanted)
    if listing.statuses is None:
        total = connection.execute(select(func.count()).select_from(keys.subquery())).scalar_one()
    else:
        found = connection.execute(keys).scalars().all()
        chosen = [key for key in found if judge(key) in listing.statuses]
        total, keys = len(chosen), keys.where(_among(chosen, found))
    page = _order(listing.sort).page(
        connection, keys, total, request, lambda row: int(row["key"]), of=listing.cursors_of
    )
    rows = connection.execute(_rows().where(is_one_of(runtimes.c.key, page.nodes))).mappings()
    shown = {row["key"]: _row(row) for row in rows}
    return page.map(lambda key: shown[key])


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


def list_elsewhere(connection: Connection, reach: Reach, rows: Sequence[RuntimeRow]) -> list[Elsewhere]:
    """List the runtimes that share a runtimeId with one of these but live elsewhere, as far as somebody sees."""
    if not rows:
        return []
    c = runtimes.c
    place = projects.c.handle + " / " + integrations.c.handle + " in " + environments.c.handle
    statement = _joined(select(c.key, c.runtime_id, c.registered_at, place.label("place"))).where(
        c.runtime_id.in_({row.runtime_id for row in rows}),
        c.retired_at.is_(None),
        within(reach, project=projects.c.id, integration=c.integration_id, environment=c.environment_id),
    )
    return [Elsewhere(**row) for row in connection.execute(statement).mappings()]


def list_artifacts(connection: Connection, digests: Sequence[str]) -> dict[str, bytes]:
    """Find the documents of artifact sets."""
    c = artifact_sets.c
    rows = connection.execute(select(c.digest, c.document).where(c.digest.in_(digests)))
    return {row.digest: row.document for row in rows}


def _is_everything(reach: Reach, scope: RuntimeScope) -> bool:
    """Tell whether nothing is asked of the tables that a runtime points to: each row has exactly one of each."""
    return reach.everything and scope.environment is None and scope.project is None and scope.integration is None


def _order(sort: RuntimeSort) -> Order:
    if sort is RuntimeSort.NAME:
        return Order(func.coalesce(func.lower(runtimes.c.name), _NAMELESS), runtimes.c.id)
    return Order(runtimes.c.registered_at, runtimes.c.id, descending=sort is RuntimeSort.NEWEST)


def _among(chosen: Sequence[int], found: Sequence[int]) -> ColumnElement[bool]:
    """Make the condition that a row found is one that was chosen: by these or by the others, whichever are fewer."""
    if len(chosen) * 2 <= len(found):
        return is_one_of(runtimes.c.key, chosen)
    kept = frozenset(chosen)
    return not_(is_one_of(runtimes.c.key, [key for key in found if key not in kept]))


def _found_by(search: str | None) -> ColumnElement[bool]:
    if not search:
        return true()
    report = runtime_reports.alias("report")  # the list may join the reports, too
    hostname = (
        select(text_in(report.c.document, "node.hostname"))
        .where(report.c.runtime_key == runtimes.c.key)
        .correlate(runtimes)
        .scalar_subquery()
    )
    return matches(search, runtimes.c.name, runtimes.c.runtime_id, hostname)


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
        (runtimes.c.runtime_type, None if scope.type is None else scope.type.value),
    )
    return and_(_found_by(scope.search), *(column == value for column, value in pairs if value is not None))


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


def _row(row: Mapping[Any, Any]) -> RuntimeRow:  # Any: column values
    values: dict[str, Any] = dict(row)
    values["runtime_type"] = RuntimeType(values["runtime_type"])
    values["document"] = _read_document(values["document"])
    return RuntimeRow(**values)
