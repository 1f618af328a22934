"""What the embedded store stands on: journals that are written, and a process that is asked.

A control plane of one process has its own. Of several on one machine their parent has it, and they reach it through the parent.
"""

import asyncio
import fcntl
import os
from collections.abc import Mapping
from typing import Protocol, TypeVar, final

import msgspec

from pilothouse.base.errors import CannotStart
from pilothouse.telemetry.stores.embedded.frames import Question, Sort
from pilothouse.telemetry.stores.embedded.journal import JournalWriter
from pilothouse.telemetry.stores.embedded.link import Link
from pilothouse.telemetry.stores.embedded.settings import EmbeddedSettings

T = TypeVar("T")

_START_S = 60.0


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """How it goes before the store's files."""

    bytes_on_disk: int
    """What the journals have."""
    restarts: int
    """How often the process had to be started again."""


class Footing(Protocol):
    """Journals and process."""

    @property
    def process_id(self) -> int | None:
        """The process that answers, while it is known here."""
        ...

    async def append(self, sort: Sort, payload: bytes, records: int) -> None:
        """Write packed records to a journal; when it returns they are on disk.

        Raises: StoreBusy, StorageFull, StorageUnavailable, StoreDown
        """
        ...

    async def ask(self, question: Question, answer: "type[T]", timeout_s: float) -> T:
        """Ask the process; what was acknowledged before is in the answer.

        Raises: QuestionTimeout, StoreDown, StoreBusy, StorageFull, InvalidInput, Unavailable
        """
        ...

    async def waiting(self) -> Waiting:
        """Tell what waits."""
        ...

    async def close(self) -> None:
        """Let go of it; whose own it is has everything written first."""
        ...


@final
class OwnFooting:
    """Journals of this process, and a process that it started. Made by `open`."""

    def __init__(self, settings: EmbeddedSettings, lock: int) -> None:
        self._lock = lock
        self._closing = False
        self._journals = {
            sort: JournalWriter(
                settings.folder / sort.value / "journal",
                file_bytes=settings.journal_file_bytes,
                bytes_max=settings.journal_bytes_max,
                free_bytes_min=settings.free_bytes_min,
                advanced=lambda number, sort=sort: self._link.advanced(sort, number),
            )
            for sort in Sort
        }
        self._link = Link(
            settings, opened=self._opened, flushed=lambda sort, number: self._journals[sort].forget(number)
        )

    @classmethod
    async def open(cls, settings: EmbeddedSettings) -> "OwnFooting":
        """Open or make the files and start the process.

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
        made = cls(settings, lock)
        try:
            async with asyncio.timeout(_START_S):
                await made._link.ready.wait()
        except TimeoutError:
            await made.close()
            raise CannotStart(f"The telemetry store in {settings.folder} does not start.") from None
        return made

    @property
    def process_id(self) -> int | None:
        """The process that answers, while there is one."""
        return self._link.process_id

    async def append(self, sort: Sort, payload: bytes, records: int) -> None:
        """Write packed records."""
        await asyncio.wrap_future(self._journals[sort].append(payload, records))

    async def ask(self, question: Question, answer: "type[T]", timeout_s: float) -> T:
        """Ask the process."""
        return await self._link.ask(question, answer, self._durable(), timeout_s)

    async def waiting(self) -> Waiting:
        """Tell what waits."""
        return Waiting(bytes_on_disk=self.bytes_on_disk, restarts=self._link.restarts)

    @property
    def bytes_on_disk(self) -> int:
        """What the journals have."""
        return sum(journal.bytes_on_disk for journal in self._journals.values())

    async def close(self) -> None:
        """Write what waits, and let go of everything."""
        if self._closing:
            return
        self._closing = True
        for journal in self._journals.values():
            await asyncio.to_thread(journal.close)
        await self._link.close(self._durable())
        os.close(self._lock)

    def _durable(self) -> dict[Sort, int]:
        return {sort: journal.next_number for sort, journal in self._journals.items()}

    def _opened(self, flushed: Mapping[Sort, int]) -> dict[Sort, int]:
        for sort, number in flushed.items():
            self._journals[sort].begin_at(number)
        return self._durable()
