"""The outbox: what is to be said to which channel, once, by whichever process comes first."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    delete,
    exists,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)

from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.reconcile.alerts import (
    GATHER_S,
    Alert,
    ChannelKind,
    NoticeKind,
    NotificationState,
    gather_key,
)
from pilothouse.storage import alerts as alert_rows
from pilothouse.storage.alert_tables import alert_notices, alert_notifications, alerts
from pilothouse.storage.alerts import AlertRow, StoredAlert
from pilothouse.storage.statements import add_numbered

SHOWN_MAX = 50
"""Alerts that one message names, and messages that are shown of one alert."""
_WAITING = NotificationState.WAITING.value


class NotificationRow(msgspec.Struct, frozen=True, kw_only=True):
    """A message to a channel."""

    number: int
    id: str
    channel_id: str | None
    kind: NoticeKind
    state: NotificationState
    alert_count: int
    attempts: int
    reason: str | None
    created_at: Instant
    sent_at: Instant | None
    next_attempt_at: Instant | None


class ToSend(msgspec.Struct, frozen=True, kw_only=True):
    """A message with what it is about."""

    notification: NotificationRow
    alerts: Sequence[AlertRow]
    """The first of them; `alert_count` says how many there are."""


_FIELDS = NotificationRow.__struct_fields__
_COLUMNS = [alert_notifications.c[name] for name in _FIELDS]


def put(
    connection: Connection,
    known: StoredAlert,
    alert: Alert,
    kind: NoticeKind,
    channels: Mapping[str, ChannelKind],
    now: Instant,
) -> None:
    """Have every channel told of a transition, together with what else of its rule happens within a moment.

    Raises: NotUnique when one of them was told of this transition already
    """
    for channel_id, channel_kind in channels.items():
        key = gather_key(known.rule_id, kind, channel_kind, known.id)
        number = _join_waiting(connection, channel_id, key, now)
        if number is None:
            number = _add(connection, channel_id, kind, now, rule_id=known.rule_id, key=key)
        connection.execute(
            insert(alert_notices).values(
                alert_number=known.number,
                notification_number=number,
                channel_id=channel_id,
                transition=f"{kind.value}:{alert.told_count}",
            )
        )


def add_test(connection: Connection, channel_id: str, owner: str, now: Instant, lease_s: float) -> int:
    """Store a message that only says that it is a test, in the hands of who sends it."""
    values = {
        "id": new_id(),
        "channel_id": channel_id,
        "gather_key": "test",
        "kind": NoticeKind.TEST.value,
        "state": _WAITING,
        "alert_count": 0,
        "attempts": 1,
        "created_at": now,
        "next_attempt_at": now,
        "lease_owner": owner,
        "lease_until": now + lease_s,
    }
    return add_numbered(connection, insert(alert_notifications).values(values))


def claim(connection: Connection, owner: str, now: Instant, *, lease_s: float, limit: int) -> list[int]:
    """Take messages whose time has come; nobody else has them until the lease ends. Each counts as an attempt.

    One waits while an earlier one of the same rule to the same channel does: nobody hears of an end before the beginning.
    """
    n, earlier = alert_notifications, alert_notifications.alias("earlier")
    behind = exists().where(
        earlier.c.channel_id == n.c.channel_id,
        earlier.c.rule_id == n.c.rule_id,
        earlier.c.state == _WAITING,
        earlier.c.number < n.c.number,
    )
    due = _due(now)
    found = connection.execute(select(n.c.number).where(due, not_(behind)).order_by(n.c.number).limit(limit))
    claimed: list[int] = []
    for number in found.scalars().all():
        statement = (
            update(n)
            .where(n.c.number == number, due)
            .values(lease_owner=owner, lease_until=now + lease_s, attempts=n.c.attempts + 1)
        )
        if connection.execute(statement).rowcount == 1:
            claimed.append(number)
    return claimed


def is_any_due(connection: Connection, now: Instant) -> bool:
    """Tell whether there may be anything to claim: a look that writes nothing."""
    return connection.execute(select(alert_notifications.c.number).where(_due(now)).limit(1)).first() is not None


def find(connection: Connection, number: int) -> NotificationRow | None:
    """Find a message."""
    row = connection.execute(select(*_COLUMNS).where(alert_notifications.c.number == number)).mappings().first()
    return None if row is None else _read(row)


def read(connection: Connection, number: int) -> ToSend | None:
    """Read a message with what it is about."""
    notification = find(connection, number)
    if notification is None:
        return None
    told = alerts.c.number.in_(
        select(alert_notices.c.alert_number).where(alert_notices.c.notification_number == number)
    )
    return ToSend(notification=notification, alerts=alert_rows.rows_told_by(connection, told, SHOWN_MAX))


def settle(
    connection: Connection,
    number: int,
    owner: str,
    now: Instant,
    *,
    failure: str | None = None,
    next_attempt_at: Instant | None = None,
) -> bool:
    """Say how an attempt ended; False when the lease had passed to somebody else meanwhile."""
    n = alert_notifications
    values: dict[str, object] = {"lease_owner": None, "lease_until": None, "reason": failure}
    if failure is None:
        values |= {"state": NotificationState.SENT.value, "sent_at": now, "next_attempt_at": None}
    elif next_attempt_at is None:
        values |= {"state": NotificationState.FAILED.value, "next_attempt_at": None}
    else:
        values["next_attempt_at"] = next_attempt_at
    statement = update(n).where(n.c.number == number, n.c.lease_owner == owner, n.c.state == _WAITING)
    return connection.execute(statement.values(values)).rowcount == 1


def give_up_of_channel(connection: Connection, channel_id: str, reason: str) -> None:
    """Send nothing more to a channel."""
    _give_up(connection, alert_notifications.c.channel_id == channel_id, reason)


def give_up_of_rule(connection: Connection, rule_id: str, reason: str) -> None:
    """Send nothing more of a rule."""
    _give_up(connection, alert_notifications.c.rule_id == rule_id, reason)


def list_of_alerts(connection: Connection, numbers: Sequence[int]) -> dict[int, list[NotificationRow]]:
    """List the messages about several alerts, newest first, SHOWN_MAX of each at most."""
    rank = (
        func.row_number()
        .over(partition_by=alert_notices.c.alert_number, order_by=alert_notifications.c.number.desc())
        .label("rank")
    )
    ranked = (
        select(alert_notices.c.alert_number, rank, *_COLUMNS)
        .join(alert_notifications, alert_notifications.c.number == alert_notices.c.notification_number)
        .where(alert_notices.c.alert_number.in_(list(numbers)))
        .subquery()
    )
    statement = select(ranked).where(ranked.c.rank <= SHOWN_MAX).order_by(ranked.c.number.desc())
    found: dict[int, list[NotificationRow]] = defaultdict(list)
    for row in connection.execute(statement).mappings():
        found[row["alert_number"]].append(_read(row))
    return found


def forget_before(connection: Connection, at: Instant) -> int:
    """Delete the messages from before a moment that no alert is left of and that wait for nothing."""
    c = alert_notifications.c
    is_told = exists().where(alert_notices.c.notification_number == c.number)
    wanted = and_(c.created_at < at, c.state != _WAITING, not_(is_told))
    return connection.execute(delete(alert_notifications).where(wanted)).rowcount


def _due(now: Instant) -> ColumnElement[bool]:
    c = alert_notifications.c
    return and_(c.state == _WAITING, c.next_attempt_at <= now, or_(c.lease_until.is_(None), c.lease_until <= now))


def _join_waiting(connection: Connection, channel_id: str, key: str, now: Instant) -> int | None:
    """Join a message that is still being gathered; None when there is none."""
    c = alert_notifications.c
    gathering = and_(
        c.channel_id == channel_id,
        c.gather_key == key,
        c.state == _WAITING,
        c.attempts == 0,
        c.next_attempt_at > now,
    )
    number = connection.execute(select(c.number).where(gathering).order_by(c.number.desc()).limit(1)).scalar()
    if number is None:
        return None
    # Only while it still is: who claims it meanwhile waits for this row, or has it already.
    statement = update(alert_notifications).where(c.number == number, gathering)
    joined = connection.execute(statement.values(alert_count=c.alert_count + 1)).rowcount == 1
    return number if joined else None


def _add(connection: Connection, channel_id: str, kind: NoticeKind, now: Instant, *, rule_id: str, key: str) -> int:
    values = {
        "id": new_id(),
        "channel_id": channel_id,
        "gather_key": key,
        "rule_id": rule_id,
        "kind": kind.value,
        "state": _WAITING,
        "alert_count": 1,
        "attempts": 0,
        "created_at": now,
        "next_attempt_at": now + GATHER_S,
    }
    return add_numbered(connection, insert(alert_notifications).values(values))


def _give_up(connection: Connection, which: ColumnElement[bool], reason: str) -> None:
    statement = update(alert_notifications).where(which, alert_notifications.c.state == _WAITING)
    connection.execute(
        statement.values(state=NotificationState.FAILED.value, reason=reason, next_attempt_at=None, lease_owner=None)
    )


def _read(row: RowMapping) -> NotificationRow:
    values = {name: row[name] for name in _FIELDS if name not in {"kind", "state"}}
    return NotificationRow(**values, kind=NoticeKind(row["kind"]), state=NotificationState(row["state"]))
