"""Turning running totals into what was added: at intake, once, so that nothing behind it needs to know of resets."""

from collections import OrderedDict
from collections.abc import Hashable

import msgspec

from pilothouse.telemetry.histogram import Histogram
from pilothouse.telemetry.model import NS_A_SECOND

SERIES_MAX = 200_000
"""Series whose last total is remembered. Beyond it the one unheard of for longest is forgotten, and counted."""

FRESH_S = 120.0
"""A total that began at most this long before its first sight is taken whole: its runtime has just started."""


class _Total(msgspec.Struct, frozen=True, gc=False):
    start_ns: int
    at_ns: int
    values: Histogram


class Differences:
    """Remembers the last total of each series and says what each new one adds.

    A total that is smaller than the last one, or that began after it, tells of a restart: then it counts whole.
    The first sight of an old total is only remembered: when its counts were made is unknown, and unknown is not now.
    """

    def __init__(self, series_max: int = SERIES_MAX) -> None:
        self._series_max = series_max
        self._last: OrderedDict[Hashable, _Total] = OrderedDict()
        self.forgotten = 0
        """Series that were forgotten for want of room."""

    def __len__(self) -> int:
        return len(self._last)

    def added(self, series: Hashable, start_ns: int, at_ns: int, values: Histogram) -> Histogram | None:
        """Return what a total adds to the one before; None when that cannot be known, or it was seen before."""
        last = self._last.get(series)
        if last is not None and at_ns <= last.at_ns and start_ns <= last.start_ns:
            return None  # repeated or out of order: the later total had it already
        self._last[series] = _Total(start_ns, at_ns, values)
        self._last.move_to_end(series)
        if len(self._last) > self._series_max:
            self._last.popitem(last=False)
            self.forgotten += 1
        if last is None:
            return values if start_ns and at_ns - start_ns <= FRESH_S * NS_A_SECOND else None
        if start_ns > last.start_ns and start_ns >= last.at_ns:
            return values
        return values.since(last.values) or values
