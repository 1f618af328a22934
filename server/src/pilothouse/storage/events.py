"""The sequence of events."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, delete, func, insert, select

from pilothouse.base.instants import Instant
from pilothouse.domain.events import Event, EventKind, NewEvent
from pilothouse.storage.statements import add_numbered
from pilothouse.storage.tables import events

_MANY = 3
"""From so many on, one statement for all is quicker than one for each."""
_KINDS = frozenset(kind.value for kind in EventKind)
_APPEND = insert(events)
_APPEND_ALL = insert(events).returning(events.c.sequence, sort_by_parameter_order=True)


def append_all(connection: Connection, new: Sequence[NewEvent]) -> list[Event]:
    """Store events and give them the next numbers, in their order; by few statements where the database tells all their numbers."""
    if len(new) < _MANY or not _tells_numbers_in_order(connection.dialect):
        return [_append(connection, event) for event in new]
    sequences = connection.execute(_APPEND_ALL, [_values(event) for event in new]).scalars()
    return [_numbered(event, sequence) for event, sequence in zip(new, sequences, strict=True)]


def _append(connection: Connection, event: NewEvent) -> Event:
    return _numbered(event, add_numbered(connection, _APPEND, _values(event)))


def _tells_numbers_in_order(dialect: Dialect) -> bool:
    """Tell whether it is worth it: an embedded database is asked as quickly one by one."""
    is_one = dialect.name == "postgresql" or getattr(dialect, "is_mariadb", False)
    return is_one and dialect.insert_executemany_returning_sort_by_parameter_order


def _values(event: NewEvent) -> dict[str, Any]:  # Any: column values
    values = {name: getattr(event, name) for name in NewEvent.__struct_fields__}
    return {**values, "kind": event.kind.value}


def _numbered(event: NewEvent, sequence: int) -> Event:
    return Event(sequence=sequence, **{name: getattr(event, name) for name in NewEvent.__struct_fields__})


def list_after(connection: Connection, sequence: int, *, kinds: Sequence[EventKind], limit: int) -> list[Event]:
    """List what happened after a number, oldest first."""
    rows = connection.execute(
        select(events)
        .where(events.c.sequence > sequence, events.c.kind.in_([kind.value for kind in kinds]))
        .order_by(events.c.sequence)
        .limit(limit)
    ).mappings()
    return [_event({**row, "kind": EventKind(row["kind"])}) for row in rows]


def list_between(connection: Connection, low: int, high: int | None, *, limit: int) -> list[tuple[int, Event | None]]:
    """List everything with a number from `low` to `high` (None: to the newest) by its number.

    None stands for an event of a kind that this release does not know: a newer one wrote it.
    """
    asked = select(events).where(events.c.sequence >= low).order_by(events.c.sequence).limit(limit)
    if high is not None:
        asked = asked.where(events.c.sequence <= high)
    return [
        (row["sequence"], _event({**row, "kind": EventKind(row["kind"])}) if row["kind"] in _KINDS else None)
        for row in connection.execute(asked).mappings()
    ]


def _event(values: dict[str, Any]) -> Event:  # Any: column values
    return Event(**values)


def bounds(connection: Connection) -> tuple[int, int]:
    """Tell the oldest number that is still stored and the newest one; (1, 0) when nothing is stored."""
    oldest, newest = connection.execute(select(func.min(events.c.sequence), func.max(events.c.sequence))).one()
    return (oldest or 1, newest or 0)


def forget_before(connection: Connection, at: Instant) -> int:
    """Delete what happened before a moment."""
    return connection.execute(delete(events).where(events.c.at < at)).rowcount
