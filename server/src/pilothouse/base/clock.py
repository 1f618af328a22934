"""Time as a value that is handed in, so that the core never asks for it."""

import time
from datetime import UTC, datetime
from typing import Protocol, TypeAlias

Instant: TypeAlias = float
"""A moment: seconds since the epoch, UTC. Names of instants end in `_at` or `_since`."""


class Clock(Protocol):
    """Says what time it is."""

    def now(self) -> Instant:
        """Tell the present moment."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> Instant:
        """Tell the present moment."""
        return time.time()


class FakeClock:
    """A clock that moves only when it is told to; for tests, ours and our users'."""

    def __init__(self, now: Instant = 1_790_000_000.0) -> None:
        self._now = now

    def now(self) -> Instant:
        """Tell the present moment."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds


def to_datetime(instant: Instant) -> datetime:
    """Turn an instant into an aware UTC datetime."""
    return datetime.fromtimestamp(instant, UTC)


def to_rfc3339(instant: Instant) -> str:
    """Turn an instant into RFC 3339, UTC, milliseconds."""
    return to_datetime(instant).isoformat(timespec="milliseconds").replace("+00:00", "Z")
