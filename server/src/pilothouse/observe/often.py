"""How often the same thing is worth a line in the log: a fleet in trouble must not fill the disk."""

import time
from collections.abc import Callable

LOUD = 3
"""So many times in a row, then at each power of two."""


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
