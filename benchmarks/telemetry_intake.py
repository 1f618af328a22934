"""Telemetry's way in: octets of OTLP until they are on disk, and what heartbeats notice of it.

    taskset -c 0 python benchmarks/telemetry_intake.py --lines 200000

The rate is per CPU-second of this process and the store's together, so that it says what one core carries whatever the
neighbours do; making the requests is not part of it. Beside it stands the ratio to a bare parse by protobuf's compiled
messages, which changes less from machine to machine; so it does for spans and points, a tenth as many as lines. The delay
is how late a timer of 5 ms comes, as a heartbeat would, while 50,000 lines/s are read: in slices on the loop, as the intake
does it, and in a thread beside it; and without any.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil
import uvloop
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pilothouse.telemetry.intake import Intake
from pilothouse.telemetry.model import LogBatch, Origin
from pilothouse.telemetry.otlp import metrics_protobuf, spans_protobuf
from pilothouse.telemetry.otlp.logs import LogReader
from pilothouse.telemetry.otlp.metrics import MetricReader
from pilothouse.telemetry.otlp.spans import SpanReader
from pilothouse.telemetry.senders import RuntimeSender, Sender
from pilothouse.telemetry.store import Retentions
from pilothouse.telemetry.stores.embedded.client import EmbeddedStore
from pilothouse.telemetry.stores.embedded.settings import MIB, EmbeddedSettings
from pilothouse.telemetry.temporality import Differences
from telemetry_lines import HOURS, START_NS, frames, origins
from telemetry_records import point_requests, span_requests

SENDER = RuntimeSender(key_id="k", project_id="p", integration_id="i", environment_id="production")
END_NS = START_NS + int(HOURS * 3600e9)
TICK_S = 0.005
PACE = 50_000
SENDERS = 32
"""At the same time."""


READ_FIRST = 4
"""Requests that are read before the clock runs, if there are more: what comes again and again is known then."""


def a_second(count: int, spent_s: float) -> str:
    """Write how many a second; of few it cannot be told: processes count their time in hundredths of a second."""
    return f"{count / spent_s:,.0f}" if spent_s else "too few to tell"


class Reading(NamedTuple):
    """What reading records of one sort costs."""

    records: int
    read_s: float
    """CPU seconds."""
    bare_s: float
    """CPU seconds of a bare parse of the same octets by protobuf's compiled messages."""

    @property
    def row(self) -> str:
        """How many a CPU-second, and beside it the ratio."""
        return f"{a_second(self.records, self.read_s)} ({self.read_s / self.bare_s:.1f} x a bare parse)"


class Known:
    """Every runtime of the benchmark, by its id."""

    def __init__(self) -> None:
        self._origins = {origin.runtime_id: origin for origin in origins()}

    def of_runtime(self, key: Sender, runtime_id: str | None) -> Origin:
        """Find one."""
        del key
        return self._origins[runtime_id]


def _request(batches: list[LogBatch]) -> bytes:
    request = ExportLogsServiceRequest()
    for batch in batches:
        of_resource = request.resource_logs.add()
        of_resource.resource.attributes.add(key="icp.runtimeId").value.string_value = batch.origin.runtime_id or ""
        scopes = {}
        for record in batch.records:
            if record.logger not in scopes:
                scopes[record.logger] = of_resource.scope_logs.add()
                scopes[record.logger].scope.name = record.logger
            line = scopes[record.logger].log_records.add(
                time_unix_nano=record.at_ns,
                observed_time_unix_nano=record.at_ns,
                severity_number=record.severity,
                severity_text=record.level.name,
                trace_id=bytes.fromhex(record.trace_id),
                span_id=bytes.fromhex(record.span_id),
            )
            line.body.string_value = record.message
            for key, value in record.attributes.items():
                line.attributes.add(key=key).value.string_value = str(value)
    return request.SerializeToString()


def _cpu_s(pid: int | None = None) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def _read_whole(raw: bytes) -> LogReader:
    reader = LogReader(END_NS)
    for _ in reader.protobuf(raw):
        pass
    return reader


def _spans_of(raw: bytes) -> int:
    reader = SpanReader(START_NS)
    for _ in spans_protobuf.read_protobuf(reader, raw):
        pass
    return sum(len(told.records) for told in reader.told)


def _points_of(raw: bytes, differences: Differences) -> int:
    reader = MetricReader(START_NS, differences, SENDER)
    for _ in metrics_protobuf.read_protobuf(reader, raw):
        pass
    return sum(len(told.records) for told in reader.told)


def reading(bodies: Sequence[bytes], parse: Callable[[bytes], object], read: Callable[[bytes], int]) -> Reading:
    """Tell what it costs to read requests, and to parse them alone, in turn: both meet the same neighbours."""
    bare_s = read_s = 0.0
    records, first = 0, min(READ_FIRST, len(bodies) - 1)
    for number, raw in enumerate(bodies):
        begun = time.thread_time()
        parse(raw)
        parsed = time.thread_time()
        found = read(raw)
        if number >= first:
            bare_s, read_s, records = bare_s + parsed - begun, read_s + time.thread_time() - parsed, records + found
    return Reading(records, read_s, bare_s)


def spans_and_points(count: int) -> tuple[Reading, Reading]:
    """Read so many spans, and so many points."""
    differences = Differences()
    return (
        reading(span_requests(count), ExportTraceServiceRequest.FromString, _spans_of),
        reading(
            point_requests(count), ExportMetricsServiceRequest.FromString, lambda raw: _points_of(raw, differences)
        ),
    )


async def _slices(raw: bytes) -> LogReader:
    reader = LogReader(END_NS)
    for _ in reader.protobuf(raw):
        await asyncio.sleep(0)
    return reader


async def _thread(raw: bytes) -> LogReader:
    return await asyncio.to_thread(_read_whole, raw)


async def _nothing(raw: bytes) -> None:
    del raw


async def _delays_ms(read: Callable[[bytes], Awaitable[object]], bodies: list[bytes], lines: int) -> list[float]:
    """Tell how late a timer comes while requests are read at a pace of `PACE` lines/s, one behind the other."""
    late: list[float] = []
    done = asyncio.Event()

    async def tick() -> None:
        while not done.is_set():
            due = time.perf_counter() + TICK_S
            await asyncio.sleep(TICK_S)
            late.append((time.perf_counter() - due) * 1e3)

    ticking = asyncio.create_task(tick())
    begun, sent = time.perf_counter(), 0
    size = sum(map(len, bodies)) / lines
    for raw in bodies:
        # Also a request of few lines comes by itself: there is always a break before it.
        await asyncio.sleep(max(0.0, begun + sent / size / PACE - time.perf_counter()))
        await read(raw)
        sent += len(raw)
    done.set()
    await ticking
    return late


async def _store_all(bodies: list[bytes], lines: int, folder: Path) -> tuple[float, float, float]:
    store = await EmbeddedStore.open(EmbeddedSettings(folder=folder, budget_bytes=20_480 * MIB, memory_bytes=384 * MIB))
    intake = Intake(store, Known(), lambda: END_NS / 1e9)
    ours, theirs, begun = _cpu_s(), _cpu_s(store.process_id), time.perf_counter()

    async def take(raw: bytes) -> None:
        reader = await _slices(raw)
        await intake.take_logs(SENDER, reader.told)

    for first in range(0, len(bodies), SENDERS):
        await asyncio.gather(*map(take, bodies[first : first + SENDERS]))
    ours = _cpu_s() - ours
    wall = time.perf_counter() - begun
    await store.retain(END_NS, Retentions())  # which writes what waits
    theirs = _cpu_s(store.process_id) - theirs
    await store.close()
    assert intake.accepted == lines
    return ours, theirs, wall


async def measure(lines: int) -> list[tuple[str, str, str]]:
    """Measure; tell what, how much, and what is wanted."""
    made = list(frames(lines, a_frame=lines))
    lines = sum(len(batch.records) for batches in made for batch in batches)
    bodies = [_request([batch]) for batches in made for batch in batches]  # one a runtime, as runtimes send them
    del made
    of_lines = reading(
        bodies,
        ExportLogsServiceRequest.FromString,
        lambda raw: sum(len(told.records) for told in _read_whole(raw).told),
    )
    of_spans, of_points = spans_and_points(max(1, lines // 10))
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs, wall = await _store_all(bodies, lines, Path(folder) / "telemetry")
    rows = [
        (
            "lines/s that one core takes in through OTLP, until in files",
            a_second(lines, ours + theirs),
            ">= 100,000",
        ),
        ("  of it: requests read into records", of_lines.row, ""),
        ("  of it: the control plane's, until in the journal", a_second(lines, ours), ""),
        ("  of it: the store's process", a_second(lines, theirs), ""),
        ("  by the clock", a_second(lines, wall), ""),
        ("  requests, and octets of a line in them", f"{len(bodies)}, {sum(map(len, bodies)) / lines:.0f}", ""),
    ]
    rows += [
        ("spans/s that one core reads, requests into records", of_spans.row, ""),
        ("points/s that one core reads, requests into records", of_points.row, ""),
    ]
    for name, read in (("nothing is read", _nothing), ("read in slices", _slices), ("read in a thread", _thread)):
        late = sorted(await _delays_ms(read, bodies, lines))
        p99 = late[int(len(late) * 0.99)]
        measured = f"p50 {statistics.median(late):.2f}, p99 {p99:.2f}, max {late[-1]:.2f}"
        rows.append((f"a timer beside {PACE:,} lines/s comes late, {name}, ms", measured, ""))
    return rows


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=200_000)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as a control plane has it
        rows = runner.run(measure(parser.parse_args().lines))
    for what, measured, target in rows:
        print(f"{what:<64} {measured:>40}   {target}")


if __name__ == "__main__":
    main()
