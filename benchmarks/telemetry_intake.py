"""Telemetry's way in: octets of OTLP until they are on disk, and what heartbeats notice of it.

    taskset -c 0 python benchmarks/telemetry_intake.py --lines 200000

The rate is per CPU-second of this process and the store's together, so that it says what one core carries whatever the
neighbours do; making the requests is not part of it. Beside it stands the ratio to a bare parse by protobuf's compiled
messages, which changes less from machine to machine. The delay is how late a timer of 5 ms comes while requests are read
in slices on the loop, as the intake does it, and in a thread beside it.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from pilothouse.telemetry.intake import Intake
from pilothouse.telemetry.model import LogBatch, Origin
from pilothouse.telemetry.otlp.logs import LogReader
from pilothouse.telemetry.senders import RuntimeSender, Sender
from pilothouse.telemetry.stores.embedded.client import EmbeddedStore
from pilothouse.telemetry.stores.embedded.settings import MIB, EmbeddedSettings
from telemetry_lines import START_NS, frames, origins

SENDER = RuntimeSender(key_id="k", project_id="p", integration_id="i", environment_id="production")
TICK_S = 0.005
SENDERS = 32
"""At the same time."""


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
    reader = LogReader(START_NS)
    for _ in reader.protobuf(raw):
        pass
    return reader


async def _slices(raw: bytes) -> LogReader:
    reader = LogReader(START_NS)
    for _ in reader.protobuf(raw):
        await asyncio.sleep(0)
    return reader


async def _thread(raw: bytes) -> LogReader:
    return await asyncio.to_thread(_read_whole, raw)


async def _delays_ms(read: Callable[[bytes], Awaitable[LogReader]], bodies: list[bytes]) -> list[float]:
    """Tell how late a timer comes while requests are read one behind the other."""
    late: list[float] = []
    done = asyncio.Event()

    async def tick() -> None:
        while not done.is_set():
            due = time.perf_counter() + TICK_S
            await asyncio.sleep(TICK_S)
            late.append((time.perf_counter() - due) * 1e3)

    ticking = asyncio.create_task(tick())
    for raw in bodies:
        await read(raw)
    done.set()
    await ticking
    return late


async def _store_all(bodies: list[bytes], lines: int, folder: Path) -> tuple[float, float, float]:
    store = await EmbeddedStore.open(EmbeddedSettings(folder=folder, budget_bytes=20_480 * MIB, memory_bytes=384 * MIB))
    intake = Intake(store, Known(), lambda: START_NS / 1e9)
    ours, theirs, begun = _cpu_s(), _cpu_s(store.process_id), time.perf_counter()

    async def take(raw: bytes) -> None:
        reader = await _slices(raw)
        await intake.take_logs(SENDER, reader.told)

    for first in range(0, len(bodies), SENDERS):
        await asyncio.gather(*map(take, bodies[first : first + SENDERS]))
    ours = _cpu_s() - ours
    wall = time.perf_counter() - begun
    for _ in range(100):
        if (await store.usage()).waiting_bytes <= 32 * MIB:  # no more than the journal's current file waits
            break
        await asyncio.sleep(0.2)
    theirs = _cpu_s(store.process_id) - theirs
    await store.close()
    assert intake.accepted == lines
    return ours, theirs, wall


async def _run(lines: int) -> None:
    made = list(frames(lines, a_frame=lines))
    lines = sum(len(batch.records) for batches in made for batch in batches)
    bodies = [_request([batch]) for batches in made for batch in batches]  # one a runtime, as runtimes send them
    del made
    begun = time.thread_time()
    for raw in bodies:
        ExportLogsServiceRequest.FromString(raw)
    bare_s = time.thread_time() - begun
    begun = time.thread_time()
    for raw in bodies:
        _read_whole(raw)
    read_s = time.thread_time() - begun
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs, wall = await _store_all(bodies, lines, Path(folder) / "telemetry")
    print(f"{'requests':<44}{len(bodies)} of {sum(map(len, bodies)) / lines:.0f} octets a line")
    print(f"{'bare parse, lines/CPU-s':<44}{lines / bare_s:,.0f}")
    print(f"{'read into records, lines/CPU-s':<44}{lines / read_s:,.0f} ({read_s / bare_s:.1f} x the bare parse)")
    print(f"{'intake until on disk, lines/CPU-s':<44}{lines / ours:,.0f}")
    print(f"{'with the store process, lines/CPU-s':<44}{lines / (ours + theirs):,.0f} (target 100,000)")
    print(f"{'wall':<44}{lines / wall:,.0f} lines/s")
    for name, read in (("in slices", _slices), ("in a thread", _thread)):
        late = sorted(await _delays_ms(read, bodies[:200]))
        p99 = late[int(len(late) * 0.99)]
        print(
            f"{'a timer comes late, ' + name:<44}p50 {statistics.median(late):.2f} ms, p99 {p99:.2f}, max {late[-1]:.2f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=200_000)
    asyncio.run(_run(parser.parse_args().lines))
