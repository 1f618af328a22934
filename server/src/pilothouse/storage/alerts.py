"""Alerts: the open ones and the history of those that ended."""

import hashlib
from collections.abc import Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, func, insert, select, true, update

from pilothouse.access.places import Reach
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest, page_of
from pilothouse.reconcile.alerts import Alert, AlertSeverity, AlertState, Rule
from pilothouse.storage.alert_places import NAMES, Named, ids_of, joined, names_of, place_of
from pilothouse.storage.alert_tables import alerts
from pilothouse.storage.scope import within
from pilothouse.storage.statements import add_numbered
from pilothouse.storage.tables import runtimes
from pilothouse.storage.unit import NotUnique

_OPEN = (AlertState.PENDING.value, AlertState.FIRING.value)
_SUBJECT_MAX = 200
_AT_ONCE = 500
"""Runtimes that are asked for by one statement."""
_FIELDS = (
    "subject",
    "message",
    "value",
    "runtime_key",
    "since",
    "fired_at",
    "resolved_at",
    "told_at",
    "told_count",
    "measured_at",
)


class StoredAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as it is stored."""

    number: int
    id: str
    rule_id: str
    version: int
    alert: Alert


class AlertRow(msgspec.Struct, frozen=True, kw_only=True):
    """An alert with all that is shown of it."""

    number: int
    id: str
    rule_id: str
    rule_name: str
    severity: AlertSeverity
    alert: Alert
    names: Named
    runtime_id: str | None
    """The runtime's own id, where it is still known."""
    runtime_name: str | None = None


class AlertScope(msgspec.Struct, frozen=True, kw_only=True):
    """Which alerts a list is about; None: whatever."""

    states: tuple[AlertState, ...] = ()
    rule_id: str | None = None
    project_id: str | None = None
    integration_id: str | None = None
    environment_id: str | None = None
    since: Instant | None = None
    until: Instant | None = None


def list_open(connection: Connection) -> list[StoredAlert]:
    """List what has not ended, of all rules: one statement."""
    rows = connection.execute(select(alerts).where(alerts.c.state.in_(_OPEN)).order_by(alerts.c.number)).mappings()
    return [
        StoredAlert(
            number=row["number"], id=row["id"], rule_id=row["rule_id"], version=row["version"], alert=_alert(row)
        )
        for row in rows
    ]


def open_(connection: Connection, organization_id: str, rule: Rule, alert: Alert) -> StoredAlert | None:
    """Store a new alert; None when the same is open already: another process was quicker."""
    id_ = new_id()
    values = {
        "id": id_,
        "organization_id": organization_id,
        "rule_id": rule.id,
        "rule_name": rule.name,
        "severity": rule.severity.value,
        "open_key": _open_key(rule.id, alert.subject),
        "version": 1,
        **_values(alert),
    }
    try:
        with connection.begin_nested():
            number = add_numbered(connection, insert(alerts).values(values))
    except NotUnique:
        return None
    return StoredAlert(number=number, id=id_, rule_id=rule.id, version=1, alert=alert)


def change(connection: Connection, known: StoredAlert, alert: Alert) -> bool:
    """Store what became of an alert; False when somebody else changed it since it was read."""
    values = {**_values(alert), "version": known.version + 1}
    if alert.state is AlertState.RESOLVED:
        values["open_key"] = known.id
    c = alerts.c
    statement = update(alerts).where(c.number == known.number, c.version == known.version)
    return connection.execute(statement.values(values)).rowcount == 1


def forget(connection: Connection, known: StoredAlert) -> bool:
    """Delete an alert that was never more than pending; False when somebody else changed it since it was read."""
    c = alerts.c
    return connection.execute(delete(alerts).where(c.number == known.number, c.version == known.version)).rowcount == 1


def end_all_of(connection: Connection, rule_id: str, now: Instant) -> None:
    """End everything of a rule without a word."""
    c = alerts.c
    connection.execute(delete(alerts).where(c.rule_id == rule_id, c.state == AlertState.PENDING.value))
    connection.execute(
        update(alerts)
        .where(c.rule_id == rule_id, c.state == AlertState.FIRING.value)
        .values(state=AlertState.RESOLVED.value, resolved_at=now, open_key=c.id, version=c.version + 1)
    )


def count_firing(connection: Connection, reach: Reach, rule_ids: Sequence[str]) -> dict[str, int]:
    """Count what fires of several rules within a reach."""
    c = alerts.c
    statement = (
        select(c.rule_id, func.count().label("firing"))
        .where(c.rule_id.in_(list(rule_ids)), c.state == AlertState.FIRING.value, _seen(reach))
        .group_by(c.rule_id)
    )
    return {row.rule_id: row.firing for row in connection.execute(statement)}


def list_page(connection: Connection, reach: Reach, scope: AlertScope, request: PageRequest) -> Page[AlertRow]:
    """List alerts within a reach, newest first."""
    c = alerts.c
    wanted = and_(_seen(reach), _in(scope))
    statement = _select().where(wanted)
    if request.after is not None:
        statement = statement.where(c.number < request.after_number())
    rows = connection.execute(statement.order_by(c.number.desc()).limit(request.first + 1)).mappings()
    return page_of(
        "alerts",
        [read_row(row) for row in rows],
        request,
        connection.execute(select(func.count()).select_from(alerts).where(wanted)).scalar_one(),
        lambda row: (str(row.number),),
    )


def forget_before(connection: Connection, at: Instant) -> int:
    """Delete what ended before a moment."""
    c = alerts.c
    ended = and_(c.state == AlertState.RESOLVED.value, c.resolved_at < at)
    return connection.execute(delete(alerts).where(ended)).rowcount


def _select():  # noqa: ANN202 - a statement over five tables
    known = alerts.join(runtimes, runtimes.c.key == alerts.c.runtime_key, isouter=True)
    return select(
        alerts, runtimes.c.runtime_id.label("own_runtime_id"), runtimes.c.name.label("runtime_name"), *NAMES
    ).select_from(joined(alerts, known))


def rows_told_by(connection: Connection, numbers: ColumnElement[bool], limit: int) -> list[AlertRow]:
    """List alerts by a condition, in the order in which they began."""
    rows = connection.execute(_select().where(numbers).order_by(alerts.c.number).limit(limit)).mappings()
    return [read_row(row) for row in rows]


def read_row(row: RowMapping) -> AlertRow:
    """Read an alert with all that is shown of it."""
    return AlertRow(
        number=row["number"],
        id=row["id"],
        rule_id=row["rule_id"],
        rule_name=row["rule_name"],
        severity=AlertSeverity(row["severity"]),
        alert=_alert(row),
        names=names_of(row),
        runtime_id=row["own_runtime_id"],
        runtime_name=row["runtime_name"],
    )


def _seen(reach: Reach) -> ColumnElement[bool]:
    c = alerts.c
    return within(reach, project=c.project_id, integration=c.integration_id, environment=c.environment_id)


def _in(scope: AlertScope) -> ColumnElement[bool]:
    c = alerts.c
    conditions: list[ColumnElement[bool]] = [
        c[name] == value
        for name in ("rule_id", "project_id", "integration_id", "environment_id")
        if (value := getattr(scope, name)) is not None
    ]
    if scope.states:
        conditions.append(c.state.in_([state.value for state in scope.states]))
    if scope.since is not None:  # what had not ended by then
        conditions.append(func.coalesce(c.resolved_at, c.measured_at) >= scope.since)
    if scope.until is not None:
        conditions.append(c.since < scope.until)
    return and_(true(), *conditions)


def _open_key(rule_id: str, subject: str) -> str:
    return hashlib.sha256(f"{rule_id}:{subject}".encode()).hexdigest()


def _values(alert: Alert) -> dict[str, object]:
    return {
        **{name: getattr(alert, name) for name in _FIELDS},
        "subject": alert.subject[:_SUBJECT_MAX],
        "state": alert.state.value,
        **ids_of(alert.place),
    }


def _alert(row: RowMapping) -> Alert:
    return Alert(**{name: row[name] for name in _FIELDS}, state=AlertState(row["state"]), place=place_of(row))


def runtime_names(connection: Connection, keys: Sequence[int]) -> dict[int, str]:
    """Tell what people call runtimes: their name, or the id that they give themselves."""
    c = runtimes.c
    found: dict[int, str] = {}
    for start in range(0, len(keys), _AT_ONCE):
        statement = select(c.key, c.name, c.runtime_id).where(c.key.in_(list(keys[start : start + _AT_ONCE])))
        found.update({row.key: row.name or row.runtime_id for row in connection.execute(statement)})
    return found
