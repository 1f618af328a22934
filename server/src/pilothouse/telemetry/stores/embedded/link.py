"""The control plane's end of the socket to the store's process: it is started, asked, and started again when it ends."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable, Mapping
from itertools import count
from typing import TypeVar

import msgspec

from pilothouse.base.errors import InvalidInput, StorageFull, Unavailable
from pilothouse.telemetry.errors import QuestionTimeout, StoreBusy, StoreDown
from pilothouse.telemetry.stores.embedded.frames import (
    LENGTH_OCTETS,
    Advanced,
    Answer,
    Ask,
    Cancel,
    Failure,
    Fault,
    Flushed,
    FromProcess,
    Question,
    Ready,
    Sort,
    Stop,
    framed,
)
from pilothouse.telemetry.stores.embedded.journal import BUSY_WAIT_S
from pilothouse.telemetry.stores.embedded.settings import EmbeddedSettings, write_settings

T = TypeVar("T")

STOP_S = 30.0
"""How long the process has to write what waits when it is stopped."""
_AGAIN_S_MIN, _AGAIN_S_MAX = 0.1, 10.0
_GRACE_S = 2.0
"""A question is stopped by the process itself; one that it has not answered so much later ends the process."""
_MODULE = "pilothouse.telemetry.stores.embedded.process"


class Link:
    """One process at a time, and the questions that it was asked."""

    def __init__(
        self,
        settings: EmbeddedSettings,
        *,
        opened: Callable[[Mapping[Sort, int]], Mapping[Sort, int]],
        flushed: Callable[[Sort, int], None],
    ) -> None:
        """`opened` is told what the files have and says what the journals have; `flushed` what journals may forget."""
        self._settings, self._opened, self._flushed = settings, opened, flushed
        self._loop = asyncio.get_running_loop()
        self._ids = count(1)
        self._asked: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._process: asyncio.subprocess.Process | None = None
        self.ready = asyncio.Event()
        """Set while the process answers."""
        self._closing = False
        self.restarts = 0
        """How often its process had to be started again."""
        self._supervisor = asyncio.create_task(self._supervise(), name="telemetry-process")

    @property
    def process_id(self) -> int | None:
        """The process that answers, while there is one."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    def advanced(self, sort: Sort, number: int) -> None:
        """Tell the process, from any thread, that there is more to read."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._send, Advanced(sort=sort, next_number=number))

    async def ask(self, question: Question, answer: "type[T]", durable: dict[Sort, int], timeout_s: float) -> T:
        """Ask, once more if the process ended meanwhile.

        Raises: QuestionTimeout, StoreDown, StoreBusy, StorageFull, InvalidInput, Unavailable
        """
        try:
            return await self._ask(question, answer, durable, timeout_s)
        except StoreDown:  # it died meanwhile, perhaps of another question
            return await self._ask(question, answer, durable, timeout_s)

    async def close(self, durable: Mapping[Sort, int]) -> None:
        """Have everything written and end the process."""
        self._closing = True
        process = self._process
        if process is not None and process.returncode is None:
            for sort, number in durable.items():
                self._send(Advanced(sort=sort, next_number=number))
            self._send(Stop())
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
        self._supervisor.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._supervisor

    def _send(self, message: Ask | Cancel | Advanced | Stop) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(framed(message))

    async def _ask(self, question: Question, answer: "type[T]", durable: dict[Sort, int], timeout_s: float) -> T:
        id_ = next(self._ids)
        try:
            async with asyncio.timeout(timeout_s + _GRACE_S):
                await self.ready.wait()
                future = self._asked[id_] = self._loop.create_future()
                self._send(Ask(id=id_, timeout_s=timeout_s, durable=durable, question=question))
                body = await future
        except TimeoutError:
            # It did not let itself be stopped: its process is ended, nothing that was acknowledged is lost.
            if self.ready.is_set() and self._process is not None:
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
            self.ready.clear()
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
            async with asyncio.timeout(STOP_S if self._closing else _GRACE_S):
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
                self._flushed(message.sort, message.number)
            case Ready():
                for sort, number in self._opened(message.flushed).items():
                    self._send(Advanced(sort=sort, next_number=number))
                self.ready.set()


class _Failed(Exception):
    """The process says why there is no answer."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def _error_of(failure: Failure, timeout_s: float) -> Exception:
    match failure.fault:
        case Fault.INVALID:
            return InvalidInput(failure.message, field=failure.field, fix=failure.fix)
        case Fault.TIMEOUT:
            return QuestionTimeout(timeout_s=timeout_s)
        case Fault.BUSY:
            return StoreBusy(wait_s=BUSY_WAIT_S)
        case Fault.FULL:
            return StorageFull(failure.message)
        case Fault.BROKEN:
            return Unavailable(failure.message)
