"""The machine's one embedded telemetry store: the parent has it, workers reach it over their lines."""

import asyncio
from typing import TypeVar, final

import msgspec

from pilothouse.app.embedded import embedded_settings
from pilothouse.app.workers.line import Line, LineEnded
from pilothouse.app.workers.words import Append, AskWaiting, PutQuestion, written
from pilothouse.base.errors import CannotStart
from pilothouse.config import Settings
from pilothouse.telemetry.errors import StoreDown
from pilothouse.telemetry.stores.embedded.footing import OwnFooting, Waiting
from pilothouse.telemetry.stores.embedded.frames import Question, Retain, Sort

T = TypeVar("T")

_APPEND_S = 60.0
"""A disk that takes longer is broken; senders have gone long before."""
_ANSWER_S = 5.0
"""An answer may come so much later than its own time-out."""
_NOTHING_WAITS = Waiting(bytes_on_disk=0, restarts=0)


@final
class TelemetryOfTheMachine:
    """The parent's side: opened by the first who needs it, and again by the next one when that failed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = embedded_settings(settings)
        self._opening: asyncio.Task[OwnFooting] | None = None
        self._footing: OwnFooting | None = None

    async def append(self, words: Append) -> bytes:
        """Write packed records; they are on disk when it returns."""
        await (await self._opened()).append(words.sort, words.payload, words.records)
        return b""

    async def ask(self, words: PutQuestion) -> bytes:
        """Ask the store's process, and give its answer as it wrote it."""
        if isinstance(words.question, Retain) and self._footing is None and not self._settings.folder.exists():
            return msgspec.msgpack.encode(0)  # nobody ever used it
        return bytes(await (await self._opened()).ask(words.question, msgspec.Raw, words.timeout_s))

    async def waiting(self) -> bytes:
        """Tell what waits."""
        return written(await self._footing.waiting() if self._footing is not None else _NOTHING_WAITS)

    async def close(self) -> None:
        """Write what waits, and end the process."""
        if self._opening is not None:
            await asyncio.wait([self._opening])
        if self._footing is not None:
            await self._footing.close()

    async def _opened(self) -> OwnFooting:
        """Give it, opened once for all who ask meanwhile; who leaves does not end that."""
        if self._footing is not None:
            return self._footing
        if self._opening is None:
            self._opening = asyncio.create_task(self._open(), name="telemetry-opening")
            self._opening.add_done_callback(self._tried)
        return await asyncio.shield(self._opening)

    async def _open(self) -> OwnFooting:
        try:
            self._footing = await OwnFooting.open(self._settings)
        except CannotStart as error:  # the control plane has started, and does all else meanwhile
            raise StoreDown(error.message, fix=error.fix) from None
        return self._footing

    def _tried(self, attempt: "asyncio.Task[OwnFooting]") -> None:
        """Let the next one try again, and look at a failure whose askers have all left."""
        self._opening = None
        if not attempt.cancelled():
            attempt.exception()


@final
class FootingOfTheMachine:
    """A worker's side: a `Footing` that is the parent's."""

    def __init__(self, line: Line) -> None:
        self._line = line

    @property
    def process_id(self) -> int | None:
        """Not known here."""
        return None

    async def append(self, sort: Sort, payload: bytes, records: int) -> None:
        """Hand records to the parent; when it returns they are on disk."""
        await self._ask(written(Append(sort=sort, records=records, payload=payload)), _APPEND_S)

    async def ask(self, question: Question, answer: "type[T]", timeout_s: float) -> T:
        """Have the parent ask the process."""
        words = written(PutQuestion(question=question, timeout_s=timeout_s))
        return msgspec.msgpack.decode(await self._ask(words, timeout_s + _ANSWER_S), type=answer)

    async def waiting(self) -> Waiting:
        """Tell what waits on this machine."""
        return msgspec.msgpack.decode(await self._ask(written(AskWaiting()), _ANSWER_S), type=Waiting)

    async def close(self) -> None:
        """Leave it: it is the machine's."""

    async def _ask(self, words: bytes, within_s: float) -> bytes:
        try:
            return await self._line.ask(words, within_s)
        except LineEnded:
            raise StoreDown from None
