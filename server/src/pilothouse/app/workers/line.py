"""A line between the parent and a worker: questions and answers both ways; each end hears of the other's end."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from enum import IntEnum
from itertools import count
from typing import Final, final

import msgspec
import structlog

from pilothouse.base.errors import (
    CannotStart,
    InvalidInput,
    NotFound,
    PilothouseError,
    StorageFull,
    StorageUnavailable,
    Unavailable,
)
from pilothouse.telemetry.errors import QuestionTimeout, StoreBusy, StoreDown

_log = structlog.get_logger(__name__)

_HEAD: Final = struct.Struct("<IBQ")
"""Octets of the body, kind, number of the question."""


class _Kind(IntEnum):
    ASK = 0
    ANSWER = 1
    TROUBLE = 2
    LEAVE = 3
    """Nobody waits for that answer any more."""


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no answer."""

    code: str
    message: str
    fix: str = ""
    field: str | None = None
    seconds: float = 0.0
    """What the error says of time, where it does."""


_PLAIN: Final[dict[str, type[PilothouseError]]] = {
    known.code: known
    for known in (CannotStart, InvalidInput, NotFound, StorageFull, StorageUnavailable, StoreDown, Unavailable)
}


class LineEnded(Unavailable):
    """The process at the other end has ended."""


@final
class Line:
    """One end. `answer` is asked what the other end asks; an error of ours that it raises is raised at the other end."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answer: Callable[[bytes], Awaitable[bytes]],
    ) -> None:
        self._reader, self._writer, self._answer = reader, writer, answer
        self._numbers = count(1)
        # As many entries as there are questions under way; each leaves with its answer.
        self._asked: dict[int, asyncio.Future[bytes]] = {}
        self._answering: dict[int, asyncio.Task[None]] = {}
        self._is_over = False

    @classmethod
    async def open(cls, end: socket.socket, answer: Callable[[bytes], Awaitable[bytes]]) -> "Line":
        """Take one end of a pair of sockets; `run` is to be called then."""
        return cls(*await asyncio.open_unix_connection(sock=end), answer)

    async def run(self) -> None:
        """Carry questions and answers until either end closes."""
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, OSError):
                while True:
                    size, kind, number = _HEAD.unpack(await self._reader.readexactly(_HEAD.size))
                    self._heard(_Kind(kind), number, await self._reader.readexactly(size))
        finally:
            self._is_over = True
            self._writer.close()
            for task in self._answering.values():
                task.cancel()
            for future in self._asked.values():
                if not future.done():
                    future.set_exception(LineEnded())

    async def ask(self, body: bytes, within_s: float) -> bytes:
        """Ask the other end.

        Raises: what the other end's `answer` raised; LineEnded; Unavailable when no answer came in time
        """
        if self._is_over:
            raise LineEnded
        number = next(self._numbers)
        future = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(within_s):
                self._say(_Kind.ASK, number, body)
                with contextlib.suppress(OSError):
                    await self._writer.drain()
                return await future
        except TimeoutError:
            self._say(_Kind.LEAVE, number, b"")
            raise Unavailable(f"Another process of this control plane gave no answer within {within_s:g} s.") from None
        except asyncio.CancelledError:
            self._say(_Kind.LEAVE, number, b"")
            raise
        finally:
            del self._asked[number]

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    def _say(self, kind: _Kind, number: int, body: bytes) -> None:
        if not self._writer.is_closing():
            self._writer.write(_HEAD.pack(len(body), kind, number))
            self._writer.write(body)

    def _heard(self, kind: _Kind, number: int, body: bytes) -> None:
        match kind:
            case _Kind.ASK:
                task = asyncio.get_running_loop().create_task(self._reply(number, body))
                self._answering[number] = task
                task.add_done_callback(lambda _: self._answering.pop(number, None))
            case _Kind.LEAVE:
                if number in self._answering:
                    self._answering[number].cancel()
            case _Kind.ANSWER | _Kind.TROUBLE:
                future = self._asked.get(number)
                if future is None or future.done():
                    return
                if kind is _Kind.ANSWER:
                    future.set_result(body)
                else:
                    future.set_exception(error_of(msgspec.msgpack.decode(body, type=Trouble)))

    async def _reply(self, number: int, body: bytes) -> None:
        try:
            self._say(_Kind.ANSWER, number, await self._answer(body))
        except PilothouseError as error:
            self._say(_Kind.TROUBLE, number, msgspec.msgpack.encode(trouble_of(error)))
        except Exception as error:  # noqa: BLE001 - an edge: whoever asked must hear of it
            _log.exception("line.answer_failed")
            trouble = Trouble(code=Unavailable.code, message=f"Another process failed: {type(error).__name__}.")
            self._say(_Kind.TROUBLE, number, msgspec.msgpack.encode(trouble))


def trouble_of(error: PilothouseError) -> Trouble:
    """Put an error into words that travel."""
    seconds = 0.0
    if isinstance(error, StoreBusy):
        seconds = error.wait_s
    elif isinstance(error, QuestionTimeout):
        seconds = error.timeout_s
    return Trouble(code=error.code, message=error.message, fix=error.fix, field=error.field, seconds=seconds)


def error_of(trouble: Trouble) -> PilothouseError:
    """Make the error again; one of a class that does not travel keeps its code and its words."""
    if trouble.code == StoreBusy.code:
        return StoreBusy(wait_s=trouble.seconds)
    if trouble.code == QuestionTimeout.code:
        return QuestionTimeout(timeout_s=trouble.seconds)
    made = _PLAIN.get(trouble.code, Unavailable)(trouble.message, fix=trouble.fix, field=trouble.field)
    made.code = trouble.code
    return made
