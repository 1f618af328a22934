"""Reading audit records: pages for people, and parts of an export."""

from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, false, func, or_, select, true, type_coerce

from pilothouse.access.grants import Reach
from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest, page_of
from pilothouse.domain.audit import Outcome, StoredRecord
from pilothouse.storage.columns import InstantMs
from pilothouse.storage.scope import within
from pilothouse.storage.tables import audit_records, environments, integrations, projects

_c = audit_records.c
_COLUMNS = [_c[name] for name in StoredRecord.__struct_fields__]
_OF = "auditRecords"
_ESCAPE = "\\"
_MANY = 10_000
"""From so many matches on, walking along the numbers finds a page sooner than an index of ranges, whose rows must be sorted."""


class AuditScope(msgspec.Struct, frozen=True, kw_only=True):
    """Which records are wanted."""

    actor: str | None = None
    action: str | None = None
    """The whole of it, or with a dot at its end everything about a thing: `project.`"""
    outcome: Outcome | None = None
    search: str | None = None
    """Is in the target or in the detail, in whatever case."""
    project: str | None = None
    integration: str | None = None
    """Needs `project`."""
    environment: str | None = None
    since: Instant | None = None
    until: Instant | None = None
    """Excluded."""


def list_rows(connection: Connection, reach: Reach, scope: AuditScope, request: PageRequest) -> Page[StoredRecord]:
    """List records, newest first."""
    wanted = _wanted(connection, reach, scope)
    total = connection.execute(select(func.count()).select_from(audit_records).where(wanted)).scalar_one()
    statement = select(*_COLUMNS).where(_wanted(connection, reach, scope, dense=True) if total > _MANY else wanted)
    if request.after is not None:
        statement = statement.where(_c.number < request.after_number())
    rows = connection.execute(statement.order_by(_c.number.desc()).limit(request.first + 1)).mappings()
    return page_of(_OF, [_record(row) for row in rows], request, total, lambda record: (str(record.number),))


def list_after(
    connection: Connection, reach: Reach, scope: AuditScope, after: int, up_to: int, limit: int
) -> tuple[list[StoredRecord], int]:
    """Read the next part of an export, oldest first, and tell how far it went: after that there may be more.

    Looks at `limit` records at most, however few of them are wanted, so that no part takes long.
    """
    end = min(up_to, after + limit)
    statement = select(*_COLUMNS).where(_c.number > after, _c.number <= end, _wanted(connection, reach, scope))
    return [_record(row) for row in connection.execute(statement.order_by(_c.number)).mappings()], end


def bounds(connection: Connection) -> tuple[int, int]:
    """Tell the lowest and the highest number; (0, 0) when there are no records."""
    low = connection.execute(select(func.min(_c.number))).scalar_one()
    high = connection.execute(select(func.max(_c.number))).scalar_one()
    return low or 0, high or 0


def _wanted(connection: Connection, reach: Reach, scope: AuditScope, *, dense: bool = False) -> ColumnElement[bool]:
    # What is computed is in no index.
    at = type_coerce(_c.at + 0, InstantMs) if dense else _c.at
    action = _c.action + "" if dense else _c.action
    return and_(
        within(reach, project=_c.project_id, integration=_c.integration_id, environment=_c.environment_id),
        true() if scope.actor is None else _c.actor == scope.actor,
        _of_action(scope.action, action),
        true() if scope.outcome is None else _c.outcome == scope.outcome.value,
        true() if scope.since is None else at >= scope.since,
        true() if scope.until is None else at < scope.until,
        _matches(scope.search),
        _in_project(connection, scope),
        _in_environment(connection, scope.environment),
    )


def _of_action(action: str | None, column: ColumnElement[str] = _c.action) -> ColumnElement[bool]:
    if not action:
        return true()
    if action.endswith("."):  # a range, so that the index serves it
        return and_(column >= action, column < f"{action[:-1]}/")
    return column == action


def _matches(search: str | None) -> ColumnElement[bool]:
    if not search or not search.strip():
        return true()
    text = f"%{_escaped(search.strip().lower())}%"
    return or_(*(func.lower(column).like(text, escape=_ESCAPE) for column in (_c.target, _c.detail)))


def _in_project(connection: Connection, scope: AuditScope) -> ColumnElement[bool]:
    """Keep what happened in a project or an integration; of one that is gone, what names it."""
    if scope.project is None:
        return true()
    if scope.integration is None:
        id_ = connection.execute(select(projects.c.id).where(projects.c.handle == scope.project)).scalar_one_or_none()
        return or_(
            _c.project_id == id_ if id_ is not None else false(),
            and_(_of_action("project."), _c.target == scope.project),
            _c.target.like(f"{_escaped(scope.project)}/%", escape=_ESCAPE),
        )
    name = f"{scope.project}/{scope.integration}"
    found = select(integrations.c.id).join(projects)
    id_ = connection.execute(
        found.where(projects.c.handle == scope.project, integrations.c.handle == scope.integration)
    ).scalar_one_or_none()
    return or_(
        _c.integration_id == id_ if id_ is not None else false(),
        _c.target == name,
        _c.target.like(f"{_escaped(name)} %", escape=_ESCAPE),
    )


def _in_environment(connection: Connection, handle: str | None) -> ColumnElement[bool]:
    if handle is None:
        return true()
    id_ = connection.execute(select(environments.c.id).where(environments.c.handle == handle)).scalar_one_or_none()
    return or_(
        _c.environment_id == id_ if id_ is not None else false(),
        and_(_of_action("environment."), _c.target == handle),
    )


def _escaped(text: str) -> str:
    for special in (_ESCAPE, "%", "_"):
        text = text.replace(special, _ESCAPE + special)
    return text


def _record(row: RowMapping) -> StoredRecord:
    values: dict[str, Any] = {**row, "outcome": _outcome(row["outcome"])}  # Any: column values
    return StoredRecord(**values)


def _outcome(stored: str) -> Outcome:
    return Outcome.DONE if stored == Outcome.DONE.value else Outcome.REFUSED
