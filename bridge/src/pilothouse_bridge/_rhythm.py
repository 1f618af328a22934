"""When the next heartbeat is due: pure decisions, no clock.

Source: full jitter after "Exponential Backoff And Jitter" (AWS Architecture Blog); a fleet must not come back in step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

UNREACHABLE_CAP_S: Final = 30.0
REJECTED_CAP_S: Final = 60.0
RETRY_AFTER_CAP_S: Final = 300.0
SHORTEST_WISH_S: Final = 1.0
LONGEST_WISH_S: Final = 300.0
_SHORTEST_RETRY_S: Final = 0.1
_JITTER: Final = 0.05  # of the interval, to both sides
_DOUBLINGS: Final = 16  # beyond every cap; keeps the power small

#: Seconds after which a trouble that goes on is told again; the last one repeats.
_REMINDERS_S: Final = (60.0, 300.0, 1800.0, 3600.0)


@final
@dataclass
class Rhythm:
    """The cadence of one connection; ``random`` answers numbers in [0, 1)."""

    interval_s: float
    random: Callable[[], float]
    _failures: int = 0

    def after_success(self, hint_s: float | None) -> float:
        """The interval, or what the server wishes instead until it says otherwise: 1 to 300 s."""
        self._failures = 0
        wished = self.interval_s
        if hint_s is not None and hint_s > 0:
            wished = min(LONGEST_WISH_S, max(SHORTEST_WISH_S, hint_s))
        return wished * (1 - _JITTER + 2 * _JITTER * self.random())

    def after_unreachable(self, retry_after_s: float | None = None) -> float:
        """Exponential with full jitter; the server's own wish, if it has one, is the least."""
        self._failures += 1
        ceiling = min(UNREACHABLE_CAP_S, min(1.0, self.interval_s) * 2 ** min(self._failures, _DOUBLINGS))
        drawn = max(_SHORTEST_RETRY_S, ceiling * self.random())
        if retry_after_s is None or retry_after_s <= 0:
            return drawn
        # A little later than wished, each a different little: else all come at the same second.
        return max(drawn, min(RETRY_AFTER_CAP_S, retry_after_s) * (1 + 2 * _JITTER * self.random()))

    def after_rejection(self) -> float:
        """Slower: someone has to mend something. The first retry comes after an interval."""
        self._failures += 1
        ceiling = min(REJECTED_CAP_S, self.interval_s * 2 ** min(self._failures - 1, _DOUBLINGS))
        return ceiling * (0.8 + 0.2 * self.random())

    def after_not_yet(self) -> float:
        """The server waits for someone to create the environment: ask again each interval."""
        self._failures = 0
        return self.after_success(None)


@final
@dataclass
class Reminder:
    """Tells a lasting trouble at once, then at growing intervals, and anew when it changes."""

    _trouble: str | None = None
    _next_at_s: float = 0.0
    _told: int = 0

    @property
    def has_trouble(self) -> bool:
        """Whether there is something to recover from."""
        return self._trouble is not None

    def is_worth_telling(self, trouble: str, now_s: float) -> bool:
        """Whether to write a line about it now."""
        if trouble != self._trouble:
            self._trouble, self._told = trouble, 0
        elif now_s < self._next_at_s:
            return False
        self._next_at_s = now_s + _REMINDERS_S[min(self._told, len(_REMINDERS_S) - 1)]
        self._told += 1
        return True

    def recover(self) -> None:
        """The trouble is over."""
        self._trouble = None
