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


STEP_S = 0.25
"""Unit: seconds. Clocks that differ by less, or by less than the asking took, are not corrected."""


class AgreedClock:
    """The clock that all processes on one database agree on: this machine's, corrected by what the database's said."""

    def __init__(self, machine: Clock) -> None:
        self.machine = machine
        self.offset_s = 0.0
        """How far this machine's clock is behind."""

    def now(self) -> Instant:
        """Tell the present moment."""
        return self.machine.now() + self.offset_s

    def correct(self, theirs: Instant, before: Instant, after: Instant) -> bool:
        """Set it by what the database said between two moments of this machine; True when it was wrong."""
        offset_s = theirs - (before + after) / 2
        if abs(offset_s - self.offset_s) <= max(STEP_S, after - before):
            return False
        self.offset_s = offset_s
        return True
