"""Moments in time, as values."""

from datetime import UTC, datetime
from typing import TypeAlias

Instant: TypeAlias = float
"""A moment: seconds since the epoch, UTC. Names of instants end in `_at` or `_since`."""


def to_datetime(instant: Instant) -> datetime:
    """Turn an instant into an aware UTC datetime."""
    return datetime.fromtimestamp(instant, UTC)


def to_rfc3339(instant: Instant) -> str:
    """Turn an instant into RFC 3339, UTC, milliseconds."""
    return to_datetime(instant).isoformat(timespec="milliseconds").replace("+00:00", "Z")
