"""The embedded telemetry store against its targets: intake, size, questions, memory.

    taskset -c 0 python benchmarks/telemetry_store.py --lines 10000000

Intake is measured as CPU time of the two processes together, so that it says what one core carries whatever the neighbours do;
making the lines is not part of it. It begins with a part through OTLP (`telemetry_intake.py`). Questions are timed from asking
to the decoded answer, over the socket, best of five, with the CPU time of the store's process beside it: on a busy machine the
first says how long one waits for a core, and the second what the question costs.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import psutil
import uvloop
from pilothouse.access.places import EVERYTHING
from pilothouse.telemetry.histogram import Histogram, of_values
from pilothouse.telemetry.model import NS_A_SECOND, MetricBatch, MetricPoint, Position
from pilothouse.telemetry.questions import Dimension, LogFilter, LogQuestion, MetricQuestion, Scope
from pilothouse.telemetry.store import Retentions
from pilothouse.telemetry.stores.embedded.client import EmbeddedStore
from pilothouse.telemetry.stores.embedded.settings import MIB, EmbeddedSettings
from telemetry_intake import measure as intake
from telemetry_lines import HOURS, START_NS, frames, origins

HOUR_NS = 3600 * NS_A_SECOND
END_NS = START_NS + int(HOURS * HOUR_NS)
_NAME = "http.server.request.duration"
_DAY = Scope.within(EVERYTHING, from_ns=END_NS - 24 * HOUR_NS, to_ns=END_NS)
_TABLE = MetricQuestion(scope=_DAY, name=_NAME, by=(Dimension.INTEGRATION,))
_CHART = MetricQuestion(
    scope=Scope.within(EVERYTHING, from_ns=END_NS - 24 * HOUR_NS, to_ns=END_NS, integration_ids=("integration-3",)),
    name=_NAME,
    step_s=300,
)


class Line(msgspec.Struct, frozen=True):
    """A row of the table."""

    what: str
    measured: str
    target: str


def _cpu_s(pid: int | None = None) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


async def _best_ms(store: EmbeddedStore, ask: Callable[[], Awaitable[object]], times: int = 5) -> tuple[str, object]:
    """Ask some times; tell the shortest time, the median, and the CPU time of the store's process for one."""
    taken: list[float] = []
    answer: object = None
    cpu = _cpu_s(store.process_id)
    for _ in range(times):
        begun = time.perf_counter()
        answer = await ask()
        taken.append((time.perf_counter() - begun) * 1e3)
    cpu = (_cpu_s(store.process_id) - cpu) / times * 1e3
    return f"{min(taken):,.1f} (median {statistics.median(taken):,.1f}, CPU {cpu:,.0f})", answer


async def _take_in(store: EmbeddedStore, lines: int) -> tuple[list[Line], str, str]:
    ours = theirs = wall = 0.0
    begun_theirs = _cpu_s(store.process_id)
    token = trace = ""
    done = peak = 0
    for batch in frames(lines):
        count = sum(len(one.records) for one in batch)
        if not token and done > lines // 2:
            with_order = [
                one for origin in batch for one in origin.records if "accepted order" in one.message and one.trace_id
            ]
            token, trace = with_order[0].message.split()[2], with_order[0].trace_id
        before, begun = _cpu_s(), time.perf_counter()
        await store.append_logs([*batch])
        wall += time.perf_counter() - begun
        ours += _cpu_s() - before
        done += count
        if done % 1_000_000 < count:
            peak = max(peak, psutil.Process(store.process_id).memory_info().rss)
            print(f"  {done:,} lines", flush=True)
        while store.footing.bytes_on_disk > 128 * MIB:  # noqa: ASYNC110 - its backlog
            await asyncio.sleep(0.05)
    scope = Scope.within(EVERYTHING)
    while await store.count_logs(scope, LogFilter(), timeout_s=60) < lines:  # noqa: ASYNC110 - the store's doing
        await asyncio.sleep(0.2)
    await store.retain(END_NS, Retentions())  # which writes what waits
    theirs = _cpu_s(store.process_id) - begun_theirs
    rows = [
        Line("lines/s that one core takes in, both processes", f"{lines / (ours + theirs):,.0f}", ">= 100,000"),
        Line(
            "  of it: us a line in the control plane / in the store",
            f"{ours / lines * 1e6:.2f} / {theirs / lines * 1e6:.2f}",
            "",
        ),
        Line("  resident memory of the store while taking in, MiB", f"{peak / MIB:.0f}", "<= 1024"),
    ]
    return rows, token, trace


async def _questions(store: EmbeddedStore, token: str, trace: str) -> list[Line]:
    everything = Scope.within(EVERYTHING)
    runtime = origins()[1].runtime_id or ""
    middle = START_NS + int(HOURS / 2 * HOUR_NS)
    hour = Scope.within(EVERYTHING, runtime_ids=(runtime,), from_ns=middle, to_ns=middle + HOUR_NS)
    of_runtime = Scope.within(EVERYTHING, runtime_ids=(runtime,))
    asked: list[tuple[str, str, Callable[[], Awaitable[object]]]] = [
        ("last 100 of a runtime in an hour", "< 10", lambda: store.logs(LogQuestion(scope=hour))),
        ("last 100 of a runtime", "", lambda: store.logs(LogQuestion(scope=of_runtime))),
        ("last 100 of all", "", lambda: store.logs(LogQuestion(scope=everything))),
        ("next 500 from the middle", "", lambda: store.logs(LogQuestion(scope=everything, after=Position(middle, 0), limit=500))),
        ("exact token anywhere", "< 20", lambda: store.logs(LogQuestion(scope=everything, filter=LogFilter(token=token)))),
        ("exact token that is nowhere", "< 20", lambda: store.logs(LogQuestion(scope=everything, filter=LogFilter(token="ord-nowhere-1")))),
        ("lines of a trace", "< 20", lambda: store.logs(LogQuestion(scope=everything, filter=LogFilter(trace_id=trace)))),
        ("rare substring over all", "< 1,000", lambda: store.logs(LogQuestion(scope=everything, filter=LogFilter(phrase=token[1:-1])))),
        ("the same, whatever its case", "", lambda: store.count_logs(everything, LogFilter(phrase=token[1:-1].upper(), ignore_case=True))),
        ("regular expression over all, count", "", lambda: store.count_logs(everything, LogFilter(regex=r"reset by p[ae]er$"))),
        ("common substring, newest 100", "", lambda: store.logs(LogQuestion(scope=everything, filter=LogFilter(phrase="reset by peer")))),
        ("level histogram of 24 h by 5 min", "< 100", lambda: store.levels(_DAY, LogFilter(), 300)),
    ]  # fmt: skip
    rows: list[Line] = []
    for name, target, ask in asked:
        measured, _ = await _best_ms(store, ask)
        rows.append(Line(f"{name}, ms", measured, target))
    return rows


async def ask_again(folder: Path, threads: int) -> list[Line]:
    """Ask the questions about lines of a store that was left by `--keep`: a moment's work when the machine is quiet."""
    store = await EmbeddedStore.open(EmbeddedSettings(folder=folder, threads=threads))
    try:
        middle = Scope.within(EVERYTHING, to_ns=START_NS + int(HOURS / 2 * HOUR_NS))
        found = await store.logs(LogQuestion(scope=middle, filter=LogFilter(phrase="accepted order"), limit=100))
        line = next(one for one in found.lines if one.record.trace_id)
        rows = await _questions(store, line.record.message.split()[2], line.record.trace_id)
        return [*rows, *await _percentiles(store)]
    finally:
        await store.close()


async def _take_in_points(store: EmbeddedStore, runtimes: int) -> Line:
    """A day of requests: each runtime a point a minute for each of ten resources and, every tenth minute, of failures."""
    some = [[of_values(0.001 * (1 + (seed * place * 7919) % 900) for place in range(1, 20))] for seed in range(50)]
    kept: list[Histogram] = [one[0] for one in some]
    points = 0
    before = _cpu_s() + _cpu_s(store.process_id)
    for minute in range(24 * 60):
        at_ns = END_NS - 24 * HOUR_NS + (minute + 1) * 60 * NS_A_SECOND
        batches = [
            MetricBatch(
                origin,
                [
                    MetricPoint(
                        at_ns=at_ns,
                        name=_NAME,
                        values=kept[(minute + place) % 50],
                        service="/orders",
                        resource=f"GET /orders/{place}",
                        status="500" if failed else "200",
                        failed=failed,
                    )
                    for place in range(10)
                    for failed in ((False, True) if minute % 10 == 0 else (False,))
                ],
            )
            for origin in origins()[:runtimes]
        ]
        points += sum(len(batch.records) for batch in batches)
        await store.append_metrics(batches)
    await store.metrics(_TABLE, timeout_s=600)
    spent = _cpu_s() + _cpu_s(store.process_id) - before
    return Line("metric points/s on one core", f"{points / spent:,.0f} ({points:,})", "")


async def _percentiles(store: EmbeddedStore) -> list[Line]:
    of_table, answer = await _best_ms(store, lambda: store.metrics(_TABLE))
    series = answer if isinstance(answer, list) else []
    of_chart, _ = await _best_ms(store, lambda: store.metrics(_CHART))
    return [
        Line(f"p95 over 24 h for {len(series)} integrations, ms", of_table, "< 100"),
        Line("one integration, 24 h by 5 min, ms", of_chart, ""),
    ]


async def measure(lines: int, runtimes: int, threads: int, keep: Path | None) -> list[Line]:
    """Fill a store and ask it."""
    folder = keep or Path(tempfile.mkdtemp(prefix="telemetry-"))
    store = await EmbeddedStore.open(EmbeddedSettings(folder=folder, threads=threads))
    try:
        rows, token, trace = await _take_in(store, lines)
        rows += await _questions(store, token, trace)
        taken_in = await _take_in_points(store, runtimes)
        rows += [*await _percentiles(store), taken_in]
        usage = await store.usage()
        logs = sum(one.bytes_on_disk for one in usage.parts if one.sort == "logs")
        rows.insert(2, Line("octets a line on disk, token index included", f"{logs / lines:.1f}", "<= 50"))
        rows.append(Line("resident memory of the store at the end, MiB", f"{usage.memory_bytes / MIB:.0f}", "<= 1024"))
        rows.append(Line("times the store had to be started again", str(usage.restarts), "0"))
        return rows
    finally:
        await store.close()
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=2_000_000)
    parser.add_argument("--otlp-lines", type=int, default=200_000, help="of the intake through OTLP")
    parser.add_argument("--runtimes", type=int, default=100, help="of the metrics")
    parser.add_argument("--threads", type=int, default=2, help="cores that one question may use")
    parser.add_argument("--keep", type=Path, default=None, help="a folder to leave the store in")
    parser.add_argument(
        "--ask", type=Path, default=None, help="only ask the store in this folder, of an earlier --keep"
    )
    told = parser.parse_args()
    through_otlp: list[tuple[str, str, str]] = []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as a control plane has it
        if told.ask is not None:
            rows = runner.run(ask_again(told.ask, told.threads))
        else:
            through_otlp = runner.run(intake(told.otlp_lines))
            rows = runner.run(measure(told.lines, told.runtimes, told.threads, told.keep))
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"\n{told.lines:,} lines, {told.threads} threads a question, load {load} on {os.cpu_count()} cores\n")
    rows = [*(Line(*one) for one in through_otlp), *rows]
    for row in rows:
        print(f"{row.what:<64} {row.measured:>40}   {row.target}")


if __name__ == "__main__":
    main()
