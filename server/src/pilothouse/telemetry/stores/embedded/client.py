"""The store as the control plane sees it: the journals are written here, questions go to the process."""

import asyncio
import contextlib
import fcntl
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import count
from typing import Any, TypeVar

import msgspec

from pilothouse.base.errors import CannotStart, InvalidInput, StorageFull, Unavailable
from pilothouse.telemetry import composed
from pilothouse.telemetry.errors import QuestionTimeout, StoreBusy, StoreDown
from pilothouse.telemetry.model import Level, LogBatch, LogLine, MetricBatch, Position, Span, SpanBatch
from pilothouse.telemetry.questions import (
    ArrivalQuestion,
    Arrivals,
    EnvironmentUsage,
    LogFilter,
    LogPage,
    LogQuestion,
    MetricQuestion,
    Scope,
    Series,
    TracePage,
    TraceQuestion,
    Usage,
)
from pilothouse.telemetry.store import TIMEOUT_S, Context, Retention
from pilothouse.telemetry.stores.embedded.frames import (
    LENGTH_OCTETS,
    Advanced,
    Answer,
    Arrived,
    Ask,
    AskUsage,
    Cancel,
    Count,
    Failure,
    Fault,
    Flushed,
    FromProcess,
    LevelCounts,
    Levels,
    Lines,
    Metrics,
    OneTrace,
    Question,
    Ready,
    Retain,
    Sort,
    Stop,
    Traces,
    UsageFigures,
    framed,
)
from pilothouse.telemetry.stores.embedded.journal import BUSY_WAIT_S, JournalWriter
from pilothouse.telemetry.stores.embedded.settings import EmbeddedSettings, write_settings

T = TypeVar("T")

_START_S = 60.0
_AGAIN_S_MIN, _AGAIN_S_MAX = 0.1, 10.0
_STOP_S = 30.0
_GRACE_S = 2.0
"""A question is stopped by the process itself; one that it has not answered so much later ends the process."""
_MODULE = "pilothouse.telemetry.stores.embedded.process"


class EmbeddedStore:
    """`TelemetryStore` on this machine, in files of its own. Made by `open`."""

    def __init__(self, settings: EmbeddedSettings, lock: int) -> None:
        self._settings, self._lock = settings, lock
        self._loop = asyncio.get_running_loop()
        self._ids = count(1)
        self._asked: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._ready = asyncio.Event()
        self._closing = False
        self.restarts = 0
        """How often its process had to be started again."""
        self._journals = {
            sort: JournalWriter(
                settings.folder / sort.value / "journal",
                file_bytes=settings.journal_file_bytes,
                bytes_max=settings.journal_bytes_max,
                free_bytes_min=settings.free_bytes_min,
                advanced=lambda number, sort=sort: self._advanced(sort, number),
            )
            for sort in Sort
        }
        self._supervisor = asyncio.create_task(self._supervise(), name="telemetry-process")

    @classmethod
    async def open(cls, settings: EmbeddedSettings) -> "EmbeddedStore":
        """Open or make the store and start its process.

        Raises: CannotStart
        """
        settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(settings.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise CannotStart(
                f"Another control plane uses the telemetry store in {settings.folder}.",
                fix="Stop it, or give this one a folder of its own.",
            ) from None
        store = cls(settings, lock)
        try:
            async with asyncio.timeout(_START_S):
                await store._ready.wait()
        except TimeoutError:
            await store.close()
            raise CannotStart(f"The telemetry store in {settings.folder} does not start.") from None
        return store

    @property
    def process_id(self) -> int | None:
        """The process that answers, while there is one."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def append_logs(self, batches: Sequence[LogBatch]) -> None:
        """Keep lines."""
        await self._append(Sort.LOGS, batches)

    async def append_metrics(self, batches: Sequence[MetricBatch]) -> None:
        """Keep points."""
        await self._append(Sort.METRICS, batches)

    async def append_spans(self, batches: Sequence[SpanBatch]) -> None:
        """Keep spans."""
        await self._append(Sort.SPANS, batches)

    async def logs(self, question: LogQuestion, *, timeout_s: float = TIMEOUT_S) -> LogPage:
        """List lines by time."""
        return await self._ask(Lines(**msgspec.structs.asdict(question)), LogPage, timeout_s)

    async def arrivals(self, question: ArrivalQuestion, *, timeout_s: float = TIMEOUT_S) -> Arrivals:
        """List lines by arrival."""
        return await self._ask(Arrived(**msgspec.structs.asdict(question)), Arrivals, timeout_s)

    async def count_logs(self, scope: Scope, filter_: LogFilter, *, timeout_s: float = TIMEOUT_S) -> int:
        """Count lines."""
        return await self._ask(Count(scope=scope, filter=filter_), int, timeout_s)

    async def levels(
        self, scope: Scope, filter_: LogFilter, step_s: int, *, timeout_s: float = TIMEOUT_S
    ) -> Mapping[int, Mapping[Level, int]]:
        """Count lines by step and level."""
        rows = await self._ask(Levels(scope=scope, filter=filter_, step_s=step_s), _LEVEL_COUNTS, timeout_s)
        steps: dict[int, dict[Level, int]] = {}
        for begin_s, level, number in rows:
            steps.setdefault(begin_s, {})[level] = number
        return steps

    async def context(
        self, scope: Scope, at: Position, *, before: int, after: int, timeout_s: float = TIMEOUT_S
    ) -> Context:
        """Show what the same runtime said around a line."""
        return await composed.context(self, scope, at, before=before, after=after, timeout_s=timeout_s)

    def export_logs(self, question: LogQuestion, *, timeout_s: float = TIMEOUT_S) -> AsyncIterator[Sequence[LogLine]]:
        """Give all lines that match, in pieces."""
        return composed.export_logs(self, question, timeout_s=timeout_s)

    async def metrics(self, question: MetricQuestion, *, timeout_s: float = TIMEOUT_S) -> Sequence[Series]:
        """Tell what a metric did."""
        return await self._ask(Metrics(**msgspec.structs.asdict(question)), list[Series], timeout_s)

    async def traces(self, question: TraceQuestion, *, timeout_s: float = TIMEOUT_S) -> TracePage:
        """List traces."""
        return await self._ask(Traces(**msgspec.structs.asdict(question)), TracePage, timeout_s)

    async def trace(self, scope: Scope, trace_id: str, *, timeout_s: float = TIMEOUT_S) -> Sequence[Span]:
        """Give the spans of a trace."""
        return await self._ask(OneTrace(scope=scope, trace_id=trace_id), list[Span], timeout_s)

    async def retain(self, now_ns: int, default: Retention, by_environment: Mapping[str, Retention]) -> int:
        """Remove what is too old or too much."""
        retain = Retain(now_ns=now_ns, default=default, by_environment=dict(by_environment))
        return await self._ask(retain, int, _STOP_S)

    async def usage(self) -> Usage:
        """Tell how full it is."""
        on_disk, memory, removed, rows = await self._ask(AskUsage(), _USAGE, TIMEOUT_S)
        parts = [
            EnvironmentUsage(
                sort=sort, environment_id=id_, bytes_on_disk=size, records=records, oldest_ns=oldest, newest_ns=newest
            )
            for sort, id_, size, records, oldest, newest in rows
        ]
        return Usage(
            bytes_on_disk=on_disk,
            budget_bytes=self._settings.budget_bytes,
            memory_bytes=memory,
            waiting_bytes=sum(journal.bytes_on_disk for journal in self._journals.values()),
            removed_early=removed,
            restarts=self.restarts,
            parts=parts,
        )

    async def close(self) -> None:
        """Write what waits, and let go of everything."""
        if self._closing:
            return
        self._closing = True
        for journal in self._journals.values():
            await asyncio.to_thread(journal.close)
        process = self._process
        if process is not None and process.returncode is None:
            if self._writer is not None:
                for sort, journal in self._journals.items():
                    self._send(Advanced(sort=sort, next_number=journal.next_number))
                self._send(Stop())
            try:
                async with asyncio.timeout(_STOP_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
        self._supervisor.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._supervisor
        os.close(self._lock)

    async def _append(self, sort: Sort, batches: Sequence[LogBatch | MetricBatch | SpanBatch]) -> None:
        number = sum(len(batch.records) for batch in batches)
        if number:
            await asyncio.wrap_future(self._journals[sort].append(msgspec.msgpack.encode(batches), number))

    def _advanced(self, sort: Sort, number: int) -> None:
        """Tell the process, from a journal's thread, that there is more to read."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._send, Advanced(sort=sort, next_number=number))

    def _send(self, message: Ask | Cancel | Advanced | Stop) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(framed(message))

    async def _ask(self, question: Question, answer: "type[T]", timeout_s: float) -> T:
        try:
            return await self._ask_once(question, answer, timeout_s)
        except StoreDown:  # it died meanwhile, perhaps of another question
            return await self._ask_once(question, answer, timeout_s)

    async def _ask_once(self, question: Question, answer: "type[T]", timeout_s: float) -> T:
        id_ = next(self._ids)
        durable = {sort: journal.next_number for sort, journal in self._journals.items()}
        try:
            async with asyncio.timeout(timeout_s + _GRACE_S):
                await self._ready.wait()
                future = self._asked[id_] = self._loop.create_future()
                self._send(Ask(id=id_, timeout_s=timeout_s, durable=durable, question=question))
                body = await future
        except TimeoutError:
            # It did not let itself be stopped: its process is ended, nothing that was acknowledged is lost.
            if self._ready.is_set() and self._process is not None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
            raise QuestionTimeout(timeout_s=timeout_s) from None
        except asyncio.CancelledError:
            self._send(Cancel(id=id_))
            raise
        except _Failed as failed:
            raise _error_of(failed.failure, timeout_s) from None
        finally:
            self._asked.pop(id_, None)
        return msgspec.msgpack.decode(body, type=answer)

    async def _supervise(self) -> None:
        again_s = _AGAIN_S_MIN
        while not self._closing:
            begun_s = self._loop.time()
            await self._run_process()
            self._ready.clear()
            self._writer = None
            for future in list(self._asked.values()):
                if not future.done():
                    future.set_exception(StoreDown())
            if self._closing:
                return
            self.restarts += 1
            again_s = _AGAIN_S_MIN if self._loop.time() - begun_s > _AGAIN_S_MAX else min(again_s * 2, _AGAIN_S_MAX)
            await asyncio.sleep(again_s)

    async def _run_process(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    _MODULE,
                    str(theirs.fileno()),
                    write_settings(self._settings),
                    pass_fds=[theirs.fileno()],
                    stdin=asyncio.subprocess.DEVNULL,
                )
            reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        except BaseException:
            ours.close()
            raise
        try:
            await self._listen(reader)
        finally:
            self._writer.close()
            await self._gone(self._process)

    async def _gone(self, process: asyncio.subprocess.Process) -> None:
        """Wait until the process has ended, and see to it that it does."""
        try:
            async with asyncio.timeout(_STOP_S if self._closing else _GRACE_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        decoder: msgspec.msgpack.Decoder[FromProcess] = msgspec.msgpack.Decoder(FromProcess)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = int.from_bytes(await reader.readexactly(LENGTH_OCTETS), "big")
                self._heard(decoder.decode(await reader.readexactly(length)))

    def _heard(self, message: FromProcess) -> None:
        match message:
            case Answer():
                future = self._asked.get(message.id)
                if future is not None and not future.done():
                    future.set_result(message.body)
            case Failure():
                future = self._asked.get(message.id)
                if future is not None and not future.done():
                    future.set_exception(_Failed(message))
            case Flushed():
                self._journals[message.sort].forget(message.number)
            case Ready():
                for sort, journal in self._journals.items():
                    journal.begin_at(message.flushed[sort])
                    self._send(Advanced(sort=sort, next_number=journal.next_number))
                self._ready.set()


class _Failed(Exception):
    """The process says why there is no answer."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def _error_of(failure: Failure, timeout_s: float) -> Exception:
    match failure.fault:
        case Fault.INVALID:
            return InvalidInput(failure.message)
        case Fault.TIMEOUT:
            return QuestionTimeout(timeout_s=timeout_s)
        case Fault.BUSY:
            return StoreBusy(wait_s=BUSY_WAIT_S)
        case Fault.FULL:
            return StorageFull(failure.message)
        case Fault.BROKEN:
            return Unavailable(failure.message)


_LEVEL_COUNTS: Any = LevelCounts  # Any: a generic alias is no class to the type checker
_USAGE: Any = UsageFigures
