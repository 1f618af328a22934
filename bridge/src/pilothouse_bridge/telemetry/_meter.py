"""Durations of requests, by what they were; counted in place, taken as differences."""

import time
from dataclasses import dataclass, field
from typing import Final, final

from pilothouse_bridge import _native
from pilothouse_bridge.telemetry._histogram import Histogram

SERVER_DURATION: Final = "http.server.request.duration"
CLIENT_DURATION: Final = "http.client.request.duration"
SERIES_LIMIT: Final = 2_000
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
    """Filled by the program's threads."""

    def __init__(self) -> None:
        """Nothing was counted yet."""
        self._lock = _native.rlock()  # re-entrant: see Drops
        self._since_ns = time.time_ns()
        self._fresh: dict[tuple[str, Labels], Histogram] = {}
        self._total: dict[tuple[str, Labels], Histogram] = {}

    def observe(self, metric: str, labels: Labels, duration_s: float) -> None:
        """Count one request."""
        key = (metric, labels)
        with self._lock:
            histogram = self._fresh.get(key)
            if histogram is None:
                if len(self._fresh) >= SERIES_LIMIT:
                    key = (metric, _OVERFLOW)
                histogram = self._fresh.setdefault(key, Histogram())
            histogram.observe(duration_s)

    def take(self) -> Durations:
        """What is new since the last time."""
        with self._lock:
            fresh, self._fresh = self._fresh, {}
            since_ns, self._since_ns = self._since_ns, time.time_ns()
            for key, histogram in fresh.items():
                into = key if key in self._total or len(self._total) < SERIES_LIMIT else (key[0], _OVERFLOW)
                self._total.setdefault(into, Histogram()).add(histogram)
            return Durations(since_ns, self._since_ns, fresh)

    def totals(self) -> dict[tuple[str, Labels], Histogram]:
        """All since the process began, as a copy."""
        with self._lock:
            merged: dict[tuple[str, Labels], Histogram] = {}
            for source in (self._total, self._fresh):
                for key, histogram in source.items():
                    merged.setdefault(key, Histogram()).add(histogram)
            return merged
