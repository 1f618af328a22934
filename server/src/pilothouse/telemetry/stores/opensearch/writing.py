"""Bulk writes: all of an append is kept, or none of it."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from pilothouse.base.errors import PilothouseError
from pilothouse.telemetry.errors import StoreDown
from pilothouse.telemetry.model import LogBatch, MetricBatch, SpanBatch
from pilothouse.telemetry.side_by_side import Lines
from pilothouse.telemetry.store import RecordSort
from pilothouse.telemetry.stores.opensearch.connection import Connection, failure
from pilothouse.telemetry.stores.opensearch.documents import origin_fields
from pilothouse.telemetry.stores.opensearch.line_documents import line_documents
from pilothouse.telemetry.stores.opensearch.numbers import COUNT_BITS, Numbers
from pilothouse.telemetry.stores.opensearch.templates import Json, stream_of

_BULK_BYTES = 1024 * 1024
"""Small enough to be written well within the time of a write by a cluster that has much to do."""
_AT_ONCE = 4
"""Pieces of one append that are under way: a node writes each of them on one core."""
_AGAIN_S = (0.1, 0.4, 1.0)
"""Before what a busy cluster turned away is sent again."""
_ANSWER = {"filter_path": "errors,items.*.status,items.*._index,items.*._id,items.*.error.type,items.*.error.reason"}
_PASSING = frozenset({429, 503})
_LOG = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
Batch = LogBatch | MetricBatch | SpanBatch


class _Fault(msgspec.Struct, kw_only=True):
    type: str = ""
    reason: str | None = ""


class _Done(msgspec.Struct, kw_only=True):
    status: int
    index: str = msgspec.field(name="_index", default="")
    id: str | None = msgspec.field(name="_id", default=None)
    error: _Fault | None = None


class _Item(msgspec.Struct, kw_only=True):
    create: _Done


class _Bulk(msgspec.Struct, kw_only=True):
    errors: bool
    items: list[_Item] = []


class Writer:
    """Sends records."""

    def __init__(self, connection: Connection, numbers: Numbers, prefix: str) -> None:
        self._connection, self._numbers, self._prefix = connection, numbers, prefix

    async def append(
        self,
        sort: RecordSort,
        batches: Sequence[LogBatch] | Sequence[MetricBatch] | Sequence[SpanBatch],
        write: Callable[[Any, int], Json],  # Any: the records of that sort
    ) -> None:
        """Keep records.

        Raises: StoreBusy, StoreDown, StorageFull, InvalidInput; then none of them is kept
        """
        with self._connection.operation():
            await self._append(sort, batches, write)

    async def _append(
        self,
        sort: RecordSort,
        batches: Sequence[LogBatch] | Sequence[MetricBatch] | Sequence[SpanBatch],
        write: Callable[[Any, int], Json],  # Any: the records of that sort
    ) -> None:
        await self._numbers.ready()
        taken: list[range] = []
        kept: list[_Done] = []
        sending: set[asyncio.Task[None]] = set()
        try:
            for lines in self._pieces(sort, batches, write, taken):
                sending.add(asyncio.create_task(self._send(lines, kept)))
                if len(sending) >= _AT_ONCE:
                    sending = await _one_done(sending)
            while sending:
                sending = await _one_done(sending)
        except BaseException:
            await asyncio.shield(self._give_up(sending, kept))
            raise
        finally:
            for numbers in taken:
                self._numbers.end(numbers)

    def _pieces(
        self,
        sort: RecordSort,
        batches: Sequence[LogBatch] | Sequence[MetricBatch] | Sequence[SpanBatch],
        write: Callable[[Any, int], Json],  # Any: the records of that sort
        taken: list[range],
    ) -> Iterator[list[bytes]]:
        """Write documents, action and source in one, in pieces of a size that the cluster likes."""
        piece: list[bytes] = []
        size = 0
        for batch in batches:
            stream = stream_of(self._prefix, sort, batch.origin.environment_id)
            action = _encode({"create": {"_index": stream}})
            # The origin is the same for all: its octets are put behind each document's own.
            origin = _encode(origin_fields(batch.origin))[1:]
            joint = b"," if len(origin) > 1 else b""
            for document in self._documents(batch, write, taken, action + b"\n", joint + origin + b"\n"):
                piece.append(document)
                size += len(document)
                if size >= _BULK_BYTES:
                    yield piece
                    piece, size = [], 0
        if piece:
            yield piece

    def _documents(
        self,
        batch: Batch,
        write: Callable[[Any, int], Json],  # Any: the records of that sort
        taken: list[range],
        head: bytes,
        tail: bytes,
    ) -> Iterator[bytes]:
        """Write each record of a batch between the same octets."""
        records = batch.records
        at_once = 1 << COUNT_BITS
        for begin in range(0, len(records), at_once):
            numbers = self._numbers.begin(min(at_once, len(records) - begin))
            taken.append(numbers)
            if isinstance(records, Lines):
                yield from line_documents(records, begin, numbers, head, tail)
            else:
                for record, number in zip(records[begin : begin + at_once], numbers, strict=True):
                    yield b"".join((head, _encode(write(record, number))[:-1], tail))

    async def _send(self, lines: list[bytes], kept: list[_Done]) -> None:
        for wait_s in (*_AGAIN_S, None):
            answer = await self._connection.ask(
                "POST",
                "/_bulk",
                _Bulk,
                b"".join(lines),
                parameters=_ANSWER,
            )
            done = [item.create for item in answer.items]
            kept += [one for one in done if one.error is None]
            if not answer.errors:
                return
            failed = [(line, one) for line, one in zip(lines, done, strict=True) if one.error is not None]
            lines = [line for line, _ in failed]
            lasting = [one for _, one in failed if one.status not in _PASSING]
            if lasting or wait_s is None:
                raise _why((lasting or [one for _, one in failed])[0])
            await asyncio.sleep(wait_s)

    async def _give_up(self, sending: set[asyncio.Task[None]], kept: list[_Done]) -> None:
        """Wait for what is under way, whose outcome would else be unknown, and remove what was written."""
        await asyncio.gather(*sending, return_exceptions=True)
        await self._take_back(kept)

    async def _take_back(self, kept: Sequence[_Done]) -> None:
        """Remove what was written of an append that failed: it will be sent again."""
        if not kept:
            return
        actions = b"".join(_encode({"delete": {"_index": one.index, "_id": one.id}}) + b"\n" for one in kept)
        try:
            await self._connection.ask("POST", "/_bulk", msgspec.Raw, actions, parameters={"filter_path": "errors"})
        except PilothouseError as error:
            _LOG.warning("%d records of an append that failed stay, and will be there twice: %s", len(kept), error)


async def _one_done(sending: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    """Wait for one piece at least; raises what it failed of, the others go on."""
    done, still = await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
    failures = [one.exception() for one in done]
    sending.difference_update(done)
    for error in failures:
        if error is not None:
            raise error
    return still


def _why(done: _Done) -> PilothouseError:
    fault = done.error or _Fault()
    if done.status == 404:  # noqa: PLR2004 - our template makes what is missing
        return StoreDown(f"OpenSearch makes no data stream {done.index}.", fix="Is `action.auto_create_index` off?")
    return failure(done.status, fault.type, fault.reason or "")
