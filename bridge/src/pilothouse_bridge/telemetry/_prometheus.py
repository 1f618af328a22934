"""The same figures in Prometheus' text exposition format, since the process began.

Source: Prometheus text format 0.0.4. Its buckets are powers of two, which are bounds of ours, so they are exact.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from pilothouse_bridge.telemetry._histogram import Histogram
from pilothouse_bridge.telemetry._meter import CLIENT_DURATION, SERVER_DURATION, Labels
from pilothouse_bridge.telemetry._process import CPU, GC_PAUSE, LOOP_LAG, MEMORY

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_POWERS: Final = range(-10, 7)  # 1 ms to 64 s
_NAMES: Final = {
    SERVER_DURATION: ("http_server_request_duration_seconds", "Requests served."),
    CLIENT_DURATION: ("http_client_request_duration_seconds", "Requests made."),
}
_GAUGES: Final = {
    CPU: ("process_cpu_utilization_ratio", "Share of the processors in use."),
    MEMORY: ("process_memory_usage_bytes", "Resident memory."),
    LOOP_LAG: ("pilothouse_event_loop_lag_seconds", "How late the event loop was at worst."),
    GC_PAUSE: ("pilothouse_gc_pause_seconds", "The longest pause for the garbage collector."),
}


def text(
    durations: Mapping[tuple[str, Labels], Histogram],
    gauges: Mapping[str, float],
    dropped: Mapping[tuple[str, str], int],
) -> str:
    """The whole exposition."""
    return "".join(f"{line}\n" for line in _lines(durations, gauges, dropped))


def _lines(
    durations: Mapping[tuple[str, Labels], Histogram],
    gauges: Mapping[str, float],
    dropped: Mapping[tuple[str, str], int],
) -> Iterator[str]:
    for metric, (name, meaning) in _NAMES.items():
        series = [(labels, one) for (its_metric, labels), one in durations.items() if its_metric == metric]
        if series:
            yield f"# HELP {name} {meaning}"
            yield f"# TYPE {name} histogram"
        for labels, histogram in series:
            yield from _histogram(name, [(key.replace(".", "_"), str(value)) for key, value in labels], histogram)
    for metric, (name, meaning) in _GAUGES.items():
        if metric in gauges:
            yield f"# HELP {name} {meaning}"
            yield f"# TYPE {name} gauge"
            yield f"{name} {gauges[metric]!r}"
    if dropped:
        name = "pilothouse_telemetry_dropped_total"
        yield f"# HELP {name} Records that were not sent."
        yield f"# TYPE {name} counter"
        for (signal, reason), count in sorted(dropped.items()):
            yield f"{name}{_written([('signal', signal), ('reason', reason)])} {count}"


def _histogram(name: str, labels: list[tuple[str, str]], histogram: Histogram) -> Iterator[str]:
    for power in _POWERS:
        below = _written([*labels, ("le", repr(2.0**power))])
        yield f"{name}_bucket{below} {histogram.not_above_power(power)}"
    yield f"{name}_bucket{_written([*labels, ('le', '+Inf')])} {histogram.count}"
    yield f"{name}_sum{_written(labels)} {histogram.sum!r}"
    yield f"{name}_count{_written(labels)} {histogram.count}"


def _written(labels: Iterable[tuple[str, str]]) -> str:
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{inner}}}" if inner else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
