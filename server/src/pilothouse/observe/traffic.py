"""Requests that were answered: how many, by route and status, and how long their answers took to begin."""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, final

from prometheus_client.core import HistogramMetricFamily, Metric

BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Unit: seconds. Upper bounds of the buckets of every duration."""
_LE: Final = (*(str(bound) for bound in BOUNDS_S), "+Inf")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@final
class Durations:
    """A histogram. Threads may add at the same time: a count that is lost by it is one of thousands."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * len(_LE)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Add one."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds


def histogram(name: str, meaning: str, labels: tuple[str, ...], of: Mapping[tuple[str, ...], Durations]) -> Metric:
    """Show histograms by their labels."""
    family = HistogramMetricFamily(name, meaning, labels=labels)
    for values, durations in list(of.items()):
        total, buckets = 0, list[tuple[str, float]]()
        for bound, count in zip(_LE, durations.counts, strict=True):
            total += count
            buckets.append((bound, total))
        family.add_metric(values, buckets, durations.sum_s)
    return family


@final
class Traffic:
    """What was answered on one port. As many entries as there are routes, methods and statuses: paths are never labels."""

    def __init__(self, port: str) -> None:
        self._port = port
        self._answered: Counter[tuple[str, str, int]] = Counter()
        self.durations: dict[tuple[str, ...], Durations] = {}
        """By port and route."""

    def count(self, route: str, method: str, status: int) -> None:
        """Count an answer that was given at once. Budget: on the path of every heartbeat."""
        self._answered[route, method if method in _METHODS else "OTHER", status] += 1

    def note(self, route: str, method: str, status: int, began_s: float) -> None:
        """Count an answer, and note how long it took until now. `began_s` is `time.perf_counter`'s."""
        self.count(route, method, status)
        durations = self.durations.get((self._port, route))
        if durations is None:
            durations = self.durations[self._port, route] = Durations()
        durations.add(time.perf_counter() - began_s)

    def answered(self) -> Iterable[tuple[list[str], int]]:
        """Give the counts by port, method, route and status."""
        for (route, method, status), count in list(self._answered.items()):
            yield [self._port, method, route, str(status)], count
