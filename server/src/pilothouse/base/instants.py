"""Moments in time, as values."""

from datetime import UTC, datetime
from typing import TypeAlias

from pilothouse.base.errors import InvalidInput

Instant: TypeAlias = float
"""A moment: seconds since the epoch, UTC. Names of instants end in `_at` or `_since`."""


def to_datetime(instant: Instant) -> datetime:
    """Turn an instant into an aware UTC datetime."""
    return datetime.fromtimestamp(instant, UTC)


def to_rfc3339(instant: Instant) -> str:
    """Turn an instant into RFC 3339, UTC, milliseconds."""
    return to_datetime(instant).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_instant(value: object, field: str) -> Instant | None:
    """Read RFC 3339 as it came from outside: only what can be written again in UTC, which `9999-12-31T23:59-12:00` cannot.

    Raises: InvalidInput
    """
    if value is None:
        return None
    try:
        read = datetime.fromisoformat(value) if isinstance(value, str) else None
        if read is not None and read.tzinfo is not None:
            instant = read.timestamp()
            to_datetime(instant)
            return instant
    except (ValueError, OverflowError):
        pass
    raise InvalidInput(
        f"'{str(value)[:40]}' is not an instant.",
        field=field,
        fix='Write RFC 3339 with an offset, such as "2030-01-31T12:00:00Z".',
    )
