"""How often the same thing is worth a line in the log: a fleet in trouble must not fill the disk."""

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

LOUD = 3
"""So many times in a row, then at each power of two."""
SELDOM_S: Final = 60.0
A_MINUTE: Final = 60
"""Lines of a kind in a minute, whatever they are about."""
THINGS_MAX: Final = 1_000
"""Things that are told apart; what has not come lately is forgotten when there are more."""


def worth_a_line(times: int) -> bool:
    """Tell whether the n-th time is worth a line."""
    return times <= LOUD or times & (times - 1) == 0


class Allowance:
    """So many lines a second and no more; what had to be left out is told with the next one."""

    def __init__(self, per_s: int, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._clock_s = clock_s
        self._second = -1
        self._written = 0
        self._left_out = 0

    def take(self) -> int | None:
        """Ask for a line: None when there is none left, else how many were left out before it."""
        second = int(self._clock_s())
        if second != self._second:
            self._second, self._written = second, 0
        if self._written >= self._per_s:
            self._left_out += 1
            return None
        self._written += 1
        left_out, self._left_out = self._left_out, 0
        return left_out


class Bounded:
    """So many lines a minute over all that they are about; what is beyond is counted by what it was, and told once the minute is over."""

    def __init__(self, per_minute: int = A_MINUTE, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock_s = clock_s
        self._began_s = -math.inf
        self._written = 0
        # Cap: the codes that there are; emptied by `take_left_out`.
        self._left_out = Counter[str]()

    def take(self, what: str) -> bool:
        """Ask for a line; false when there is none left in this minute."""
        now_s = self._clock_s()
        if now_s - self._began_s >= SELDOM_S:
            self._began_s, self._written = now_s, 0
        if self._written >= self._per_minute:
            self._left_out[what] += 1
            return False
        self._written += 1
        return True

    def take_left_out(self, *, is_end: bool = False) -> Mapping[str, int]:
        """Tell how many lines were left out of what, when the minute is over; nothing before, unless this is the end."""
        if not self._left_out or (not is_end and self._clock_s() - self._began_s < SELDOM_S):
            return {}
        left_out, self._left_out = self._left_out, Counter[str]()
        return left_out


class Seldom:
    """One line a minute about each thing, with how often it came since the last one."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._told: dict[str, tuple[float, int]] = {}
        """When a line was last written of it, and how often it came since."""

    def take(self, what: str) -> int | None:
        """Ask for a line: None when it is not time for one yet, else how often it came, this time included."""
        now = self._clock_s()
        if what not in self._told and len(self._told) >= THINGS_MAX:
            self._forget(now)
        if what not in self._told and len(self._told) >= THINGS_MAX:
            what = ""  # all that are beyond share one line
        last, times = self._told.get(what, (-math.inf, 0))
        if now - last < SELDOM_S:
            self._told[what] = (last, times + 1)
            return None
        self._told[what] = (now, 0)
        return times + 1

    def _forget(self, now: float) -> None:
        """Make room: of what has not come for so long, only a count is lost."""
        for each in [each for each, (last, _) in self._told.items() if now - last >= 2 * SELDOM_S]:
            del self._told[each]
