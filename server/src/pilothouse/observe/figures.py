"""What the control plane counts about itself; every metric name stands here, with its unit.

The hot path adds to plain integers; Prometheus' own library turns them into text when somebody asks.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pilothouse.observe.together import Family, families_of
from pilothouse.observe.traffic import Durations, Traffic, histogram


def _filled(
    family: CounterMetricFamily | GaugeMetricFamily, values: Mapping[tuple[str, ...], float]
) -> CounterMetricFamily | GaugeMetricFamily:
    for labels, value in list(values.items()):
        family.add_metric(labels, value)
    return family


class Figures(Collector):
    """Counters and gauges of one process."""

    def __init__(self) -> None:
        self.delta_heartbeats = 0
        """Delta heartbeats acknowledged."""
        self.full_heartbeats = 0
        """Full heartbeats acknowledged."""
        self.full_required = 0
        """Delta heartbeats that had to be answered with a demand for a full one."""
        self.refused: Counter[str] = Counter()
        """Heartbeats refused, by code."""
        self.unavailable = 0
        """Heartbeats answered 503: our own trouble."""
        self.events_lost = 0
        """Changes that a slow subscriber was not told one by one (it was told to read again)."""
        self.flush_failures = 0
        """Flushes of last-seen that failed; they are tried again."""
        self._families: dict[str, Callable[[], Metric]] = {}
        self.refresh: Callable[[], Awaitable[None]] | None = None
        """Brings up to date what cannot be read at once."""
        self.together: Callable[[], Awaitable[bytes]] | None = None
        """Writes the figures of all processes on this machine, where there are several."""
        self.problems: Counter[str] = Counter()
        """Errors that people were told, by code."""
        self.runtimes = Traffic("runtimes")
        self.people = Traffic("console")
        self._registry = CollectorRegistry()
        self._registry.register(self)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)

    def count_refusal(self, code: str) -> None:
        """Count a request that was refused before it was read."""
        self.refused[code] += 1

    def counter(self, name: str, meaning: str, label: str, read: Callable[[], Mapping[str, int]]) -> None:
        """Show counts that are read when somebody asks, each by the value of a label; there are few values."""
        self.counters(name, meaning, (label,), lambda: {(value,): count for value, count in read().items()})

    def counters(
        self, name: str, meaning: str, labels: tuple[str, ...], read: Callable[[], Mapping[tuple[str, ...], int]]
    ) -> None:
        """Show counts by the values of several labels."""
        self.family(name, lambda: _filled(CounterMetricFamily(name, meaning, labels=labels), read()))

    def labelled(
        self, name: str, meaning: str, labels: tuple[str, ...], read: Callable[[], Mapping[tuple[str, ...], float]]
    ) -> None:
        """Show values that are read when somebody asks, by the values of labels."""
        self.family(name, lambda: _filled(GaugeMetricFamily(name, meaning, labels=labels), read()))

    def family(self, name: str, read: Callable[[], Metric]) -> None:
        """Show whatever family is made when somebody asks; one a name, the last that was given."""
        self._families[name] = read

    def gauge(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Show a value that is read when somebody asks."""
        self.family(name, lambda: GaugeMetricFamily(name, meaning, value=read()))

    async def tell(self) -> bytes:
        """Write everything as Prometheus text, up to date, of all processes on this machine."""
        if self.together is not None:
            return await self.together()
        if self.refresh is not None:
            await self.refresh()
        return self.render()

    def render(self) -> bytes:
        """Write everything of this process as Prometheus text, as far as it is known now."""
        return generate_latest(self._registry)

    async def families(self) -> list[Family]:
        """Give everything of this process, up to date."""
        if self.refresh is not None:
            await self.refresh()
        return families_of(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Give Prometheus' library what there is now."""
        heartbeats = CounterMetricFamily("pilothouse_heartbeats", "Heartbeats acknowledged.", labels=["kind"])
        heartbeats.add_metric(["delta"], self.delta_heartbeats)
        heartbeats.add_metric(["full"], self.full_heartbeats)
        yield heartbeats
        refused = CounterMetricFamily("pilothouse_heartbeats_refused", "Heartbeats refused.", labels=["code"])
        for code, count in self.refused.items():
            refused.add_metric([code], count)
        yield refused
        for name, meaning, count in (
            (
                "pilothouse_full_heartbeats_demanded",
                "Delta heartbeats answered with a demand for a full one.",
                self.full_required,
            ),
            ("pilothouse_heartbeats_unavailable", "Heartbeats answered 503.", self.unavailable),
            (
                "pilothouse_subscription_changes_lost",
                "Changes that slow subscribers had to read again.",
                self.events_lost,
            ),
            ("pilothouse_presence_flush_failures", "Flushes of last-seen that failed.", self.flush_failures),
        ):
            yield CounterMetricFamily(name, meaning, value=count)
        yield from self._traffic()
        problems = {(code,): count for code, count in self.problems.items()}
        yield _filled(CounterMetricFamily("pilothouse_problems", "Errors told to people.", labels=["code"]), problems)
        for read in list(self._families.values()):
            yield read()

    def _traffic(self) -> Iterable[Metric]:
        answered = CounterMetricFamily(
            "pilothouse_http_requests", "Requests answered.", labels=["port", "method", "route", "status"]
        )
        durations: dict[tuple[str, ...], Durations] = {}
        for traffic in (self.runtimes, self.people):
            for labels, count in traffic.answered():
                answered.add_metric(labels, count)
            durations |= traffic.durations
        yield answered
        yield histogram(
            "pilothouse_http_request_seconds",
            "Seconds until an answer began that was not given at once.",
            ("port", "route"),
            durations,
        )
