"""Turning running totals into what was added: at intake, once, so that nothing behind it needs to know of resets."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import TypeAlias

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


Step: TypeAlias = tuple[Hashable, _Total | None, _Total]
"""A series, what was known of it before, and what is since."""


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

    def added(
        self,
        series: Hashable,
        start_ns: int,
        at_ns: int,
        values: Histogram,
        step: Callable[[Step], None] | None = None,
    ) -> Histogram | None:
        """Return what a total adds to the one before; None when that cannot be known, or it was seen before.

        `step` is told what `undo` takes back.
        """
        last = self._last.get(series)
        if last is not None and at_ns <= last.at_ns and start_ns <= last.start_ns:
            return None  # repeated or out of order: the later total had it already
        total = self._last[series] = _Total(start_ns, at_ns, values)
        if step is not None:
            step((series, last, total))
        self._last.move_to_end(series)
        if len(self._last) > self._series_max:
            self._last.popitem(last=False)
            self.forgotten += 1
        if last is None:
            return values if start_ns and at_ns - start_ns <= FRESH_S * NS_A_SECOND else None
        if start_ns > last.start_ns and start_ns >= last.at_ns:
            return values
        return values.since(last.values) or values

    def undo(self, steps: Sequence[Step]) -> None:
        """Take steps back whose differences were not stored; one that was followed by another one stays."""
        for series, before, since in reversed(steps):
            if self._last.get(series) is not since:
                continue
            if before is None:
                del self._last[series]
            else:
                self._last[series] = before
