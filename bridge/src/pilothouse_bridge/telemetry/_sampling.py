"""Which traces are sent: what the caller decided, else the first few of each second and a share of the rest.

The share is decided by the trace's id, so that every part of a trace comes to the same end. A low share alone would hide
everything from people with few requests; the first few of each second keep their cost bounded all the same.
"""

import time
from collections.abc import Callable
from typing import Final, final

FIRST_OF_A_SECOND: Final = 5
_DIGITS: Final = 14  # W3C: the rightmost seven octets of a trace's id are the random ones
_SPAN: Final = 16**_DIGITS


@final
class Sampler:
    """Decides when a trace begins here; used from any thread without a lock: one more or less does no harm."""

    def __init__(self, share: float, clock: Callable[[], float] = time.monotonic) -> None:
        """``share`` is 0 to 1; at 0 nothing is taken but what callers ask for."""
        self._below = int(share * _SPAN)
        self._takes_first = share > 0
        self._clock = clock
        self._second = -1
        self._taken = 0

    def takes(self, trace_id: str) -> bool:
        """Whether to record this new trace."""
        if self._takes_first:
            second = int(self._clock())
            if second != self._second:
                self._second, self._taken = second, 0
            if self._taken < FIRST_OF_A_SECOND:
                self._taken += 1
                return True
        return int(trace_id[-_DIGITS:], 16) < self._below
