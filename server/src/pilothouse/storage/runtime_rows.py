"""Runtimes as people see them: lists, single ones, and what they report."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import StrEnum, unique
from typing import Any, Final

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    false,
    func,
    select,
    true,
)

from pilothouse.access.grants import Place, Reach
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

COUNTED_MAX: Final = 1_000
"""So many runtimes are counted with the rows; of a part of the tree that has more, what is in memory is told."""
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


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What no table knows: in which state each runtime is at this moment."""

    judge: Callable[[int], Status]
    """By its key."""
    count: Callable[[Reach, Place, RuntimeType | None, Collection[Status]], int]
    """Counts those in a part of the tree that lie within a reach, of one type or of all, in some states."""
    few: Callable[[Reach, Place, RuntimeType | None, Collection[Status]], Collection[int] | None]
    """Lists the keys of such; None where they are too many to be named to a database."""


class Elsewhere(msgspec.Struct, frozen=True, kw_only=True):
    """A runtime with the same runtimeId under another integration or environment."""

    key: int
    runtime_id: str
    registered_at: Instant
    place: str


Elsewheres = Mapping[str, Sequence[Elsewhere]]
"""By runtimeId."""


def list_rows(
    connection: Connection,
    reach: Reach,
    listing: RuntimeListing,
    known: Known,
    request: PageRequest,
    *,
    counts: bool = True,
) -> Page[RuntimeRow]:
    """List runtimes; by name those without one come last.

    counts: whether somebody asks how many there are
    Raises: InvalidInput when the cursor is none of this list
    """
    # Sorted are keys alone, by an index: with anything beside them, a sort of ten thousand moves tens of megabytes.
    keys, place = _narrowed(connection, reach, listing.scope)
    states = listing.statuses
    few = None if states is None or place is None else known.few(reach, place, listing.scope.type, states)
    if few is not None:
        keys = keys.where(is_one_of(runtimes.c.key, sorted(few)))
    page = _order(listing.sort).page(
        connection,
        keys,
        None,
        request,
        lambda row: int(row["key"]),
        of=listing.cursors_of,
        keeps=None if states is None else lambda row: known.judge(row["key"]) in states,
    )
    if counts:
        page = msgspec.structs.replace(
            page, total=_total(connection, keys, (reach, place), listing, known, request, page)
        )
    # Named twice, or a database may read every report for a page of five hundred.
    shown = and_(is_one_of(runtimes.c.key, page.nodes), is_one_of(runtime_reports.c.runtime_key, page.nodes))
    rows = {row["key"]: _row(row) for row in connection.execute(_rows().where(shown)).mappings()}
    return page.map(lambda key: rows[key])


def _total(
    connection: Connection,
    keys: Rows,
    within: tuple[Reach, Place | None],
    listing: RuntimeListing,
    known: Known,
    request: PageRequest,
    page: Page[int],
) -> int:
    """Count what a list has, in the database where that is quick or nobody else knows."""
    seen = len(page.nodes) + page.has_next
    if request.after is None and not page.has_next:
        return seen
    (reach, place), scope = within, listing.scope
    is_in_memory = scope.search is None and scope.secret_key_id is None
    if place is not None and is_in_memory and known.count(reach, place, scope.type, tuple(Status)) > COUNTED_MAX:
        states = tuple(Status) if listing.statuses is None else listing.statuses
        return max(seen, known.count(reach, place, scope.type, states))
    if listing.statuses is None:
        return connection.execute(keys.with_only_columns(func.count())).scalar_one()
    return sum(known.judge(key) in listing.statuses for key in connection.execute(keys).scalars())


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


def list_elsewhere(connection: Connection, reach: Reach, rows: Sequence[RuntimeRow]) -> Elsewheres:
    """List, by runtimeId, the runtimes that share one of these but live elsewhere, as far as somebody sees.

    Those that are asked about are among them. Hardly any runtimeId is shared, so that places are only looked up of those that are.
    """
    c = runtimes.c
    alive = select(c.runtime_id).where(c.runtime_id.in_({row.runtime_id for row in rows}), c.retired_at.is_(None))
    times = Counter(connection.execute(alive).scalars()) if rows else Counter[str]()
    shared = [runtime_id for runtime_id, count in times.items() if count > 1]
    if not shared:
        return {}
    place = projects.c.handle + " / " + integrations.c.handle + " in " + environments.c.handle
    statement = _joined(select(c.key, c.runtime_id, c.registered_at, place.label("place"))).where(
        c.runtime_id.in_(shared),
        c.retired_at.is_(None),
        within(reach, project=projects.c.id, integration=c.integration_id, environment=c.environment_id),
    )
    found: defaultdict[str, list[Elsewhere]] = defaultdict(list)
    for row in connection.execute(statement).mappings():
        found[row["runtime_id"]].append(Elsewhere(**row))
    return found


def list_artifacts(connection: Connection, digests: Sequence[str]) -> dict[str, bytes]:
    """Find the documents of artifact sets."""
    c = artifact_sets.c
    rows = connection.execute(select(c.digest, c.document).where(c.digest.in_(digests)))
    return {row.digest: row.document for row in rows}


def _narrowed(connection: Connection, reach: Reach, scope: RuntimeScope) -> tuple[Rows, Place | None]:
    """Select the keys of runtimes that are not retired, of their own table alone where that can be: its indexes know the order.

    Told beside it is the part of the tree that is asked about, where there is one such.
    """
    c, of_project = runtimes.c, integrations.c.project_id
    conditions, ids = [c.retired_at.is_(None), _seen(reach), _of_own_table(scope)], dict[str, Sequence[str]]()
    if scope.environment is not None:
        named = select(environments.c.id).where(environments.c.handle == scope.environment)
        ids["environment_id"] = connection.execute(named).scalars().all()
        conditions.append(c.environment_id.in_(ids["environment_id"]))
    if scope.project is not None:
        named = select(projects.c.id).where(projects.c.handle == scope.project)
        ids["project_id"] = connection.execute(named).scalars().all()
    in_project = select(integrations.c.id).where(of_project.in_(ids.get("project_id", ())))
    if scope.integration is not None:
        named = in_project.where(integrations.c.handle == scope.integration)
        ids["integration_id"] = connection.execute(named).scalars().all()
        conditions.append(c.integration_id.in_(ids["integration_id"]))
    elif scope.project is not None:
        conditions.append(c.integration_id.in_(in_project))
    keys = select(c.key).where(*conditions)
    if any(place.project_id is not None and place.integration_id is None for place in reach.places):
        keys = keys.join(integrations, integrations.c.id == c.integration_id)
    is_one = all(len(found) == 1 for found in ids.values())
    return keys, Place(**{dimension: found[0] for dimension, found in ids.items()}) if is_one else None


def _order(sort: RuntimeSort) -> Order:
    c = runtimes.c
    if sort is RuntimeSort.NAME:
        return Order(c.sort_name, c.id, index=(c.retired_at,))
    return Order(c.registered_at, c.id, descending=sort is RuntimeSort.NEWEST, index=(c.retired_at,))


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
    )
    return and_(_of_own_table(scope), *(column == value for column, value in pairs if value is not None))


def _of_own_table(scope: RuntimeScope) -> ColumnElement[bool]:
    """Make the conditions that a runtime's own row and its report answer."""
    pairs = (
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
