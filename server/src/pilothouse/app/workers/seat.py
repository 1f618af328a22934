"""One worker's seat: its process is started, watched, and started again when it ends; the seat and its number stay."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, final

import msgspec
import structlog

from pilothouse.app.workers.line import Line, LineEnded, error_of
from pilothouse.app.workers.words import (
    CannotServe,
    Enter,
    GiveState,
    Ready,
    Stop,
    Task,
    ToParent,
    WorkerState,
    written,
)
from pilothouse.base.errors import CannotStart, PilothouseError, Unavailable

_log = structlog.get_logger(__name__)

_MODULE: Final = "pilothouse.app.workers.worker"


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long what is waited for. Units: seconds."""

    again_min_s: float = 0.2
    again_max_s: float = 15.0
    """Between two starts of a worker that ends again and again."""
    settled_s: float = 60.0
    """A worker that served so long starts with the shortest wait again."""
    ask_every_s: float = 5.0
    silent_s: float = 30.0
    """A worker that serves and says nothing for so long is ended and started again."""
    stop_s: float = 20.0
    """So long a worker may take to finish what is under way."""


class Ended(msgspec.Struct, frozen=True):
    """How a worker's process ended before it served."""

    error: PilothouseError


@final
class Seat:
    """A worker by its number. `answer` is asked what the worker asks of the machine."""

    def __init__(
        self,
        number: int,
        task: Task,
        answer: Callable[["Seat", ToParent], Awaitable[bytes]],
        patience: Patience,
    ) -> None:
        self.number, self._task, self._answer_it, self._patience = number, task, answer, patience
        self._words: msgspec.msgpack.Decoder[ToParent] = msgspec.msgpack.Decoder(ToParent)
        self._process: asyncio.subprocess.Process | None = None
        self._line: Line | None = None
        self._stopping = False
        self._trouble: PilothouseError | None = None
        self.first: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        """What the first process said when it served; or why none ever did."""
        self.serves = False
        """Whether its process serves now."""
        self.restarts = 0
        """How often it was started again."""

    @property
    def process_id(self) -> int | None:
        """Its process, while there is one."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def keep(self) -> None:
        """Keep a process in it until `stop`."""
        loop, patience = asyncio.get_running_loop(), self._patience
        again_s = patience.again_min_s
        while not self._stopping:
            begun_s = loop.time()
            code = await self._run_process()
            if self._stopping:
                return
            if not self.first.done():
                self.first.set_exception(
                    self._trouble or CannotStart(f"Worker {self.number} ended: {how_it_ended(code)}.")
                )
                return
            if loop.time() - begun_s > patience.settled_s:
                again_s = patience.again_min_s
            self.restarts += 1
            _log.error(
                "worker.ended",
                worker=self.number,
                how=how_it_ended(code),
                cause=_cause_of(code) if self._trouble is None else self._trouble.message,
                next=f"It is started again in {again_s:g} s; the other workers serve meanwhile.",
                again_in_s=again_s,
                restarts=self.restarts,
            )
            await asyncio.sleep(again_s)
            again_s = min(again_s * 2, patience.again_max_s)

    async def ask(self, words: msgspec.Struct, within_s: float) -> bytes:
        """Ask its worker.

        Raises: Unavailable, and what the worker raised
        """
        if self._line is None:
            raise LineEnded
        return await self._line.ask(written(words), within_s)

    async def stop(self) -> bool:
        """Have its process end; tells whether it did so by itself."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return True
        try:
            async with asyncio.timeout(self._patience.stop_s):
                if self.serves:
                    with contextlib.suppress(PilothouseError):
                        await self.ask(Stop(), self._patience.stop_s)
                else:
                    self._signal(signal.SIGTERM)
                code = await process.wait()
        except TimeoutError:
            _log.error("worker.killed", worker=self.number, cause="It did not end in time.")
            self.kill()
            await process.wait()
            return False
        return code in (0, -signal.SIGTERM)

    def kill(self) -> None:
        """End its process at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _run_process(self) -> int:
        """Run one process from its start to its end; gives its status."""
        self._trouble = None
        ours, theirs = socket.socketpair()
        life, ends = os.pipe()
        try:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    _MODULE,
                    *(str(number) for number in (self.number, theirs.fileno(), life)),
                    pass_fds=[theirs.fileno(), life, *self._task.listening.values()],
                    stdin=asyncio.subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is for the parent; it stops its workers itself
                )
            finally:
                theirs.close()
                os.close(life)
            self._line = await Line.open(ours, self._answer)
            watching = asyncio.create_task(self._watch(self._line))
            try:
                await self._line.run()
            finally:
                watching.cancel()
                self.serves, self._line = False, None
            return await self._gone(self._process)
        finally:
            ours.close()
            os.close(ends)

    async def _gone(self, process: asyncio.subprocess.Process) -> int:
        """Wait for the end of a process that has hung up."""
        try:
            async with asyncio.timeout(self._patience.stop_s):
                return await process.wait()
        except TimeoutError:
            self.kill()
            return await process.wait()

    async def _watch(self, line: Line) -> None:
        """End a process that is there and does nothing any more."""
        loop, patience = asyncio.get_running_loop(), self._patience
        heard_s = asked_s = loop.time()
        while True:
            await asyncio.sleep(patience.ask_every_s)
            if loop.time() - asked_s > 2 * patience.ask_every_s + patience.silent_s:
                heard_s = loop.time()  # it was us who stood still
            asked_s = loop.time()
            try:
                await line.ask(written(GiveState()), patience.silent_s)
            except Unavailable:
                pass
            else:
                heard_s = loop.time()
            if self.serves and loop.time() - heard_s >= patience.silent_s:
                self._trouble = Unavailable(f"It said nothing for {patience.silent_s:g} s.")
                self.kill()
                return

    async def _answer(self, body: bytes) -> bytes:
        words = self._words.decode(body)
        match words:
            case Enter():
                return written(self._task)
            case Ready():
                self.serves = True
                if not self.first.done():
                    self.first.set_result(words)
                elif self.restarts:
                    _log.info("worker.serves_again", worker=self.number, process=self.process_id)
                return b""
            case CannotServe():
                self._trouble = error_of(words.trouble)
                return b""
            case _:
                return await self._answer_it(self, words)

    async def state(self, within_s: float) -> WorkerState:
        """Ask how it is.

        Raises: Unavailable
        """
        return msgspec.msgpack.decode(await self.ask(GiveState(), within_s), type=WorkerState)


def how_it_ended(code: int) -> str:
    """Say how a process ended, of the status that the system tells: negative for a signal."""
    if code >= 0:
        return f"status {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _cause_of(code: int) -> str:
    """Say what is known of the end of a worker that said nothing of it."""
    match -code:
        case signal.SIGKILL:
            return "Somebody ended it at once; the system does so when memory runs out (look for oom in its log)."
        case signal.SIGSEGV | signal.SIGBUS | signal.SIGILL | signal.SIGFPE | signal.SIGABRT:
            return "It crashed; what it said last is in its own lines above."
        case number if number > 0:
            return "Somebody sent it that signal; whoever wants it to stop signals its parent."
        case _:
            return "It ended by itself; what it said last is in its own lines above."


def listening_of(sockets: Mapping[str, socket.socket]) -> dict[str, int]:
    """Name the descriptors of open ports."""
    return {name: each.fileno() for name, each in sockets.items()}
