"""Time as a value that is handed in, so that the core never asks for it."""

import time
from typing import Protocol

from pilothouse.base.instants import Instant


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
