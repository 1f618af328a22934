"""The sequence of events."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, select

from pilothouse.base.instants import Instant
from pilothouse.domain.events import Event, EventKind, NewEvent
from pilothouse.storage.many import add_each_numbered
from pilothouse.storage.tables import events

_KINDS = frozenset(kind.value for kind in EventKind)


def append_all(connection: Connection, new: Sequence[NewEvent]) -> list[Event]:
    """Store events and give them the next numbers, in their order; many of them by few statements."""
    sequences = add_each_numbered(connection, events, [_values(event) for event in new])
    return [_numbered(event, sequence) for event, sequence in zip(new, sequences, strict=True)]


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
