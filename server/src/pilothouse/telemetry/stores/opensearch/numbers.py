"""Numbers of records: they grow with arrival, and no two writers give the same one.

A number is a time in ms, the writer's number, and a count within the ms. A writer's number is lent to it by a document in the
cluster; who did not write for a while loses it, and takes another one.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable

import msgspec

from pilothouse.telemetry.errors import StoreBusy
from pilothouse.telemetry.stores.opensearch.connection import Absent, Conflicted, Connection
from pilothouse.telemetry.stores.opensearch.templates import Json

WRITER_BITS, COUNT_BITS = 8, 13
_LENT_S, _RENEWED_S = 60.0, 15.0
TAIL_MARGIN_MS = 1_000
"""What another writer began to send so long ago has arrived."""


class _Lent(msgspec.Struct, kw_only=True):
    owner: str
    until_ms: int


class _Found(msgspec.Struct, kw_only=True):
    id: str = msgspec.field(name="_id")
    found: bool = False
    sequence: int = msgspec.field(name="_seq_no", default=0)
    term: int = msgspec.field(name="_primary_term", default=0)
    source: _Lent | None = msgspec.field(name="_source", default=None)


class _FoundAll(msgspec.Struct, kw_only=True):
    docs: list[_Found] = []


class _Written(msgspec.Struct, kw_only=True):
    sequence: int = msgspec.field(name="_seq_no", default=0)
    term: int = msgspec.field(name="_primary_term", default=0)


class Numbers:
    """Gives numbers to what is written."""

    def __init__(
        self, connection: Connection, index: str, *, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self._connection, self._index, self._now_ms = connection, index, now_ms
        self._owner = secrets.token_hex(12)
        self._writer = -1
        self._version = _Written()
        self._lent_until_ms = self._renew_at_ms = 0
        self._tick, self._count = 0, 0
        self._in_flight: dict[int, int] = {}
        self._borrowing = asyncio.Lock()
        self.others = False
        """Whether anybody else writes."""

    async def ready(self) -> None:
        """Have a writer's number, and keep it.

        Raises: StoreBusy, StoreDown
        """
        if self._now_ms() < self._renew_at_ms:
            return
        async with self._borrowing:
            now_ms = self._now_ms()
            if now_ms < self._renew_at_ms:
                return
            await self._borrow(now_ms)
            self._renew_at_ms = now_ms + int(_RENEWED_S * 1_000)

    async def _borrow(self, now_ms: int) -> None:
        path = f"/{self._index}/_mget"
        ids = {"ids": [str(writer) for writer in range(1 << WRITER_BITS)]}
        try:
            found = {int(one.id): one for one in (await self._connection.ask("POST", path, _FoundAll, ids)).docs}
        except Absent:
            found = {}
        living = {writer: one.source for writer, one in found.items() if one.source and one.source.until_ms > now_ms}
        self.others = any(one.owner != self._owner for one in living.values())
        if self._writer >= 0 and now_ms < self._lent_until_ms and await self._take(self._writer, self._version, now_ms):
            return
        for writer in (one for one in range(1 << WRITER_BITS) if one not in living):
            before = found.get(writer)
            version = _Written(sequence=before.sequence, term=before.term) if before and before.found else None
            if await self._take(writer, version, now_ms):
                return
        raise StoreBusy(wait_s=_LENT_S)

    async def _take(self, writer: int, before: _Written | None, now_ms: int) -> bool:
        until_ms = now_ms + int(_LENT_S * 1_000)
        condition = (
            {"op_type": "create"}
            if before is None
            else {"if_seq_no": str(before.sequence), "if_primary_term": str(before.term)}
        )
        document: Json = {"owner": self._owner, "until_ms": until_ms}
        path = f"/{self._index}/_doc/{writer}"
        try:
            self._version = await self._connection.ask("PUT", path, _Written, document, parameters=condition)
        except Conflicted:
            return False
        if writer != self._writer:
            # What others wrote before lies behind: a tail that begins now does not begin with the first line of all.
            self._tick, self._count = max((self._tick, self._count), (now_ms, 0))
        self._writer, self._lent_until_ms = writer, until_ms
        return True

    def begin(self, how_many: int) -> range:
        """Take consecutive numbers; `end` says when what bears them has been written or given up."""
        self._tick, self._count = max((self._tick, self._count), (self._now_ms(), 0))
        if self._count + how_many > 1 << COUNT_BITS:
            self._tick, self._count = self._tick + 1, 0
        first = self._number(self._tick, self._count)
        self._count += how_many
        self._in_flight[first] = self._in_flight.get(first, 0) + 1
        return range(first, first + how_many)

    def end(self, numbers: range) -> None:
        """Tell that nothing of these numbers is still to come."""
        self._in_flight.pop(numbers.start, None)

    def _number(self, tick_ms: int, count: int) -> int:
        return (tick_ms << (WRITER_BITS + COUNT_BITS)) | (self._writer << COUNT_BITS) | count

    def arrived_until(self) -> int:
        """Return a number up to which everything has arrived, whoever wrote it."""
        if self.others:
            until = ((self._now_ms() - TAIL_MARGIN_MS) << (WRITER_BITS + COUNT_BITS)) - 1
        else:
            until = self._number(self._tick, self._count) - 1
        return min([until, *(first - 1 for first in self._in_flight)])

    async def give_back(self) -> None:
        """Return the writer's number, so that another one may have it at once."""
        if self._writer >= 0:
            path = f"/{self._index}/_doc/{self._writer}"
            version = {"if_seq_no": str(self._version.sequence), "if_primary_term": str(self._version.term)}
            with contextlib.suppress(Conflicted, Absent):
                await self._connection.ask("DELETE", path, Json, parameters=version, timeout_s=5.0)
            self._writer, self._renew_at_ms = -1, 0
