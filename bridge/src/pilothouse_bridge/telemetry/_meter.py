"""Durations of requests, by what they were; counted in place, taken as differences."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, final

from pilothouse_bridge import _native
from pilothouse_bridge.telemetry._histogram import Histogram

SERVER_DURATION: Final = "http.server.request.duration"
CLIENT_DURATION: Final = "http.client.request.duration"
SERIES_LIMIT: Final = 2_000
_MINUTE_NS: Final = 60_000_000_000
_MINUTES_KEPT: Final = 60
_JUST_BEFORE_NS: Final = 1_000_000
"""A minute's counts end so long before the next one begins: stores that know milliseconds put them into no other."""
_OVERFLOW: Final = (("otel.metric.overflow", True),)

#: Attributes as pairs in a fixed order: what a series is known by.
Labels = tuple[tuple[str, str | int | bool], ...]


@dataclass(frozen=True, slots=True)
class Durations:
    """What was counted between two moments; times are ns since the epoch."""

    since_ns: int
    until_ns: int
    series: dict[tuple[str, Labels], Histogram] = field(default_factory=dict[tuple[str, Labels], Histogram])


@final
class Meter:
    """Filled by the program's threads.

    What was counted before a minute of the clock ended is told apart from what came after: whoever asks for the requests
    of a minute has those of that minute, as with the lines that were logged in it.
    """

    def __init__(self, clock: Callable[[], int] = time.time_ns) -> None:
        """Nothing was counted yet; the clock tells ns since the epoch."""
        self._clock = clock
        self._lock = _native.rlock()  # re-entrant: see Drops
        self._fresh: dict[tuple[str, Labels], Histogram] = {}
        self._total: dict[tuple[str, Labels], Histogram] = {}
        self._ended: list[Durations] = []
        self._since_ns = 0
        self._turn_ns = 0
        self._begin(clock())

    def observe(self, metric: str, labels: Labels, duration_s: float) -> None:
        """Count one request."""
        key = (metric, labels)
        with self._lock:
            now_ns = self._clock()
            if now_ns >= self._turn_ns:
                self._turn(now_ns)
            histogram = self._fresh.get(key)
            if histogram is None:
                if len(self._fresh) >= SERIES_LIMIT:
                    key = (metric, _OVERFLOW)
                histogram = self._fresh.setdefault(key, Histogram())
            histogram.observe(duration_s)

    def take(self) -> list[Durations]:
        """What is new since the last time, a minute each, the last until now; that one may be empty."""
        with self._lock:
            now_ns = self._clock()
            if now_ns >= self._turn_ns:
                self._turn(now_ns)
            taken = [*self._ended, Durations(min(self._since_ns, now_ns), now_ns, self._fresh)]
            self._ended, self._fresh = [], {}
            self._begin(now_ns)
            for durations in taken:
                for key, histogram in durations.series.items():
                    into = key if key in self._total or len(self._total) < SERIES_LIMIT else (key[0], _OVERFLOW)
                    self._total.setdefault(into, Histogram()).add(histogram)
            return taken

    def totals(self) -> dict[tuple[str, Labels], Histogram]:
        """All since the process began, as a copy."""
        with self._lock:
            merged: dict[tuple[str, Labels], Histogram] = {}
            for source in (self._total, *(ended.series for ended in self._ended), self._fresh):
                for key, histogram in source.items():
                    merged.setdefault(key, Histogram()).add(histogram)
            return merged

    def _turn(self, now_ns: int) -> None:
        """A minute is over. What nobody takes for an hour goes on in one."""
        if self._fresh and len(self._ended) < _MINUTES_KEPT:
            self._ended.append(Durations(self._since_ns, self._turn_ns - _JUST_BEFORE_NS, self._fresh))
            self._fresh = {}
            self._since_ns = self._turn_ns
        self._turn_ns = _next_minute(now_ns)

    def _begin(self, now_ns: int) -> None:
        self._since_ns = now_ns
        self._turn_ns = _next_minute(now_ns)


def _next_minute(now_ns: int) -> int:
    return (now_ns // _MINUTE_NS + 1) * _MINUTE_NS
