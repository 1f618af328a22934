"""Time as a value that is handed in, so that the core never asks for it."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Says what time it is."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        return time.time()


class FakeClock:
    """A clock that moves only when it is told to; for tests, ours and our users'."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds


def to_instant(seconds: float) -> datetime:
    """Turn seconds since the epoch into an aware UTC datetime."""
    return datetime.fromtimestamp(seconds, UTC)


def to_rfc3339(seconds: float) -> str:
    """Turn seconds since the epoch into RFC 3339, UTC, milliseconds."""
    return to_instant(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")
