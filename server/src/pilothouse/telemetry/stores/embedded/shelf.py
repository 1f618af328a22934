"""All records of one sort of one environment: parts on disk and rows that wait in memory, seen as one."""

import hashlib
import re
import threading
import time
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, final

import duckdb
import msgspec

from pilothouse.telemetry.model import NS_A_SECOND
from pilothouse.telemetry.stores.embedded.columns import Batch, Table
from pilothouse.telemetry.stores.embedded.frames import Sort
from pilothouse.telemetry.stores.embedded.index import Entries, Index
from pilothouse.telemetry.stores.embedded.parts import Part
from pilothouse.telemetry.stores.embedded.settings import EmbeddedSettings
from pilothouse.telemetry.stores.embedded.sorts import TABLES, Columns, Label, Row
from pilothouse.telemetry.stores.embedded.words import Words

_ROW_BYTES = 150
"""What a waiting row costs beside its text, roughly."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
LABELS_MAX = 50_000
"""A part with so many labels is followed by another one, whose numbering of them begins anew."""


@final
class Waiting:
    """Some rows in memory, in the order of their arrival."""

    __slots__ = ("_batch", "_table", "columns", "hashes", "newest_ns", "oldest_ns")

    def __init__(self, table: Table, columns: Columns, index: Index | None, *, packed: bool) -> None:
        self._table = table
        self.oldest_ns: int = min(columns[1])
        self.newest_ns: int = max(columns[1])
        self.hashes: Sequence[AbstractSet[int]] = index.hashes if index else ()
        """Of the words and ids in them, as the index has them; nothing where there is no index."""
        self.columns: Sequence[Any] = ()  # Any: as `Shelf._columns`
        """What the batch is made of and the words in it, where it is packed."""
        if packed:
            self.columns = [*columns, *([index.words] if index else [])]
        self._batch: Batch | None = None if packed else table.batch_of(columns)

    @property
    def batch(self) -> Batch:
        """The rows for DuckDB; made of what is packed when somebody first looks, since most are written and never looked at."""
        if self._batch is None:
            self._batch = self._table.batch_of(self.columns[: len(self._table.columns)])
        return self._batch

    def may_have(self, hashes: AbstractSet[int]) -> bool:
        """Tell whether one of some hashes is in them."""
        return any(not known.isdisjoint(hashes) for known in self.hashes)


class View(msgspec.Struct, frozen=True):
    """A shelf at one moment. A record is in exactly one of its two halves, however long it is looked at."""

    parts: Sequence[Part]
    flushed: int
    """Of the parts, only records with lower numbers count: the others were in memory at that moment."""
    waiting: Sequence[Waiting]
    labels: Sequence[Label]
    """Of the rows in memory."""


def folder_name(environment_id: str | None) -> str:
    """Return the name of an environment's folder, which no id can lead elsewhere."""
    if environment_id is None:
        return "_unclaimed"
    if _PLAIN_NAME.match(environment_id):
        return environment_id
    return "_" + hashlib.sha256(environment_id.encode("utf-8", "replace")).hexdigest()[:32]


class Shelf:
    """Takes rows, writes them to its newest part, and shows both. One thread writes; any may look."""

    def __init__(
        self, database: duckdb.DuckDBPyConnection, sort: Sort, folder: Path, settings: EmbeddedSettings
    ) -> None:
        self._database, self._sort, self.folder, self._settings = database, sort, folder, settings
        self._words = Words(database)
        self._flush_rows = settings.flush_metrics_rows if sort is Sort.METRICS else settings.flush_rows
        self._lock = threading.Lock()
        self._parts: list[Part] = []
        self._label_list: list[Label] = []
        self._labels: dict[Label, int] = {}
        self._columns = self._empty()
        self._entries = Entries()
        self._merging: list[Row] = []
        self._waiting: list[Waiting] = []
        self._since_s = 0.0
        self.waiting_rows = 0
        self.waiting_bytes = 0
        self.first_waiting: int | None = None
        """Number of the oldest record that is in no part yet."""
        self._next_number = 0
        self.flushed = 0
        self._open()

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        paths = sorted(self.folder.glob("*.duckdb"))
        for path in paths:
            part = Part(self._database, self._sort, path, int(path.stem))
            part.open(writable=path == paths[-1] or path.with_name(path.name + ".wal").exists())
            if path != paths[-1]:
                if part.writable:
                    part.finish()
                part.rest()
            self._parts.append(part)
            self.flushed = max(self.flushed, part.applied)
        if self._parts:
            self._learn(self._parts[-1].labels)

    def _empty(self) -> list[Any]:  # Any: lists of values, or packed columns
        tables = TABLES[self._sort]
        return tables.table.packed() if tables.columns is None else [[] for _ in tables.table.columns]

    def _learn(self, labels: Sequence[Label]) -> None:
        self._label_list = list(labels)
        self._labels = {label: id_ for id_, label in enumerate(labels)}

    def label(self, label: Label) -> int:
        """Return the number of a label in the newest part."""
        id_ = self._labels.get(label)
        if id_ is None:
            id_ = self._labels[label] = len(self._label_list)
            self._label_list.append(label)
        return id_

    def take(self, first: int, count: int, columns: Columns, bytes_: int) -> None:
        """Take the columns of one batch. They are seen after `show`."""
        if self.first_waiting is None:
            self.first_waiting, self._since_s = first, time.monotonic()
        for kept, added in zip(self._columns, columns, strict=True):
            kept.extend(added)
        self._next_number = first + count
        self.waiting_rows += count
        self.waiting_bytes += bytes_ + count * _ROW_BYTES

    def show(self) -> None:
        """Let questions see what was taken."""
        columns, self._columns = self._columns, self._empty()
        if not columns[0]:
            return
        tables = TABLES[self._sort]
        if tables.merge is not None:
            self._merging += zip(*columns, strict=True)
        index: Index | None = None
        if tables.index is not None:
            apart = self._words.told_apart(columns[0], columns[4]) if tables.worded else None
            index = tables.index(columns, apart)
            self._entries.extend(index.entries)
        waiting = Waiting(tables.table, columns, index, packed=tables.columns is None)
        with self._lock:
            self._waiting.append(waiting)

    def view(self) -> View:
        """Look at it as it is now."""
        with self._lock:
            return View(list(self._parts), self.flushed, list(self._waiting), self._label_list)

    def due(self, now_s: float, hold_s: float) -> bool:
        """Tell whether what waits should be written."""
        if self.first_waiting is None:
            return False
        return (
            self.waiting_rows >= self._flush_rows
            or self.waiting_bytes >= self._settings.flush_rows * 512
            or now_s - self._since_s >= hold_s
        )

    def flush(self, now_ns: int) -> None:
        """Write what waits to the newest part, or to a new one when that is full or of yesterday.

        Raises: duckdb.Error; then everything waits as before.
        """
        self.show()
        if self.first_waiting is None:
            return
        part = self._writable(now_ns)
        tables = TABLES[self._sort]
        batches = self._batches()
        oldest = min(one.oldest_ns for one in self._waiting)
        newest = max(one.newest_ns for one in self._waiting)
        rolled: Sequence[list[Row]] = ()
        if tables.merge is not None:
            fine, rolled = tables.merge(self._merging, self.label, self._label_list.__getitem__)
            batches = [tables.table.batch(fine)]
        part.write(batches, rolled, self._entries, self._label_list, self._next_number)
        with self._lock:
            part.oldest_ns = oldest if part.oldest_ns is None else min(part.oldest_ns, oldest)
            part.newest_ns = newest if part.newest_ns is None else max(part.newest_ns, newest)
            part.records += self.waiting_rows
            self.flushed = self._next_number
            self._waiting, self._merging, self._entries = [], [], Entries()
        self.waiting_rows = self.waiting_bytes = 0
        self.first_waiting = None

    def _batches(self) -> Sequence[Batch]:
        """Return what waits, lines as one batch.

        DuckDB gives each batch to whichever thread is free, and two that write make row groups of, say, 114,642 and 8,238
        rows: what follows an incomplete one is written again at the next checkpoint, and leaves blocks empty.
        """
        tables = TABLES[self._sort]
        if tables.columns is None:
            return [tables.filed.joined([one.columns for one in self._waiting])]
        return [one.batch for one in self._waiting]

    def _writable(self, now_ns: int) -> Part:
        newest = self._parts[-1] if self._parts else None
        if newest is not None and newest.writable:
            young = now_ns - newest.created_ns < self._settings.part_s * NS_A_SECOND
            small = newest.bytes_on_disk < self._settings.part_bytes
            if young and small and newest.current and len(newest.labels) < LABELS_MAX:
                return newest
            newest.finish()
        created_ns = max(now_ns, newest.created_ns + 1 if newest else 0)
        part = Part(self._database, self._sort, self.folder / f"{created_ns:020d}.duckdb", created_ns)
        part.open(writable=True)
        with self._lock:
            self._parts.append(part)
        return part

    def expire(self, before_ns: int, size_bytes: int | None) -> int:
        """Remove parts in which everything is older, and the oldest while all are too large; returns how many went."""
        gone = 0
        while self._parts:
            first = self._parts[0]
            old = first.newest_ns is not None and first.newest_ns < before_ns
            large = size_bytes is not None and self.bytes_on_disk > size_bytes
            if not old and not large:
                break
            self.remove_oldest()
            gone += 1
        return gone

    def remove_oldest(self) -> None:
        """Remove the oldest part."""
        with self._lock:
            part = self._parts.pop(0)
        part.remove()

    def oldest_part_ns(self) -> int | None:
        """When its oldest part was begun; None without parts."""
        return self._parts[0].created_ns if self._parts else None

    @property
    def bytes_on_disk(self) -> int:
        """Octets of its parts."""
        return sum(part.bytes_on_disk for part in list(self._parts))

    def rest(self) -> None:
        """Detach parts that nobody reads."""
        for part in list(self._parts):
            part.rest()

    def close(self) -> None:
        """Let go of its parts."""
        self._words.close()
        for part in self._parts:
            part.close()
