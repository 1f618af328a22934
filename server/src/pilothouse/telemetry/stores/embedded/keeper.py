"""What the store's process holds: a shelf for each sort and environment, filled from the journals by one thread."""

import os
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import duckdb
import msgspec

from pilothouse.telemetry.model import NS_A_SECOND
from pilothouse.telemetry.stores.embedded.frames import Retain, Sort, UsageFigures
from pilothouse.telemetry.stores.embedded.journal import Frame, JournalReader, journal_files, size_of
from pilothouse.telemetry.stores.embedded.packed import unpack
from pilothouse.telemetry.stores.embedded.settings import MIB, EmbeddedSettings
from pilothouse.telemetry.stores.embedded.shelf import Shelf, folder_name
from pilothouse.telemetry.stores.embedded.sorts import BATCHES, TABLES, Label

_TICK_S = 1.0
_WAITING_BYTES_MAX = 128 * MIB
_FLUSH_ROOM_BYTES = 2 * MIB
"""What a flush may take beyond the octets of its rows: DuckDB's blocks."""
_RETRY_S = 1.0
_FLUSHED = "flushed"
_SPILL = "spill"


def open_database(settings: EmbeddedSettings) -> duckdb.DuckDBPyConnection:
    """Start DuckDB with its limits: no network, no extensions, little spilled to disk.

    Without any spilling, the checkpoint of a large part fails for want of memory and DuckDB gives the part up (ADR 0019).
    """
    spill = settings.folder / _SPILL
    shutil.rmtree(spill, ignore_errors=True)
    database = duckdb.connect(
        config={
            "memory_limit": f"{settings.memory_bytes // MIB}MiB",
            "threads": settings.threads,
            "temp_directory": str(spill),
            "max_temp_directory_size": f"{settings.spill_bytes_max // MIB}MiB",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "late_materialization_max_rows": 10_000,
        }
    )
    database.execute(f"SET operator_memory_limit='{settings.memory_bytes // MIB // 2}MiB'")
    return database


class Keeper:
    """Follows the journals, flushes, removes what is too old or too much."""

    def __init__(self, settings: EmbeddedSettings, flushed: Callable[[Sort, int], None]) -> None:
        """`flushed` is told, in the keeper's thread, up to which number a journal is not needed any more."""
        self.settings = settings
        self.database = open_database(settings)
        self._told = flushed
        self._wake = threading.Condition()
        self._durable = dict.fromkeys(Sort, 0)
        self._seen = dict.fromkeys(Sort, 0)
        self._retains: list[tuple[Retain, Callable[[int], None]]] = []
        self._stopping = False
        self._shelves: dict[tuple[Sort, str], Shelf] = {}
        self._environments: dict[tuple[Sort, str], str | None] = {}
        self._retry_at_s = 0.0
        self._forgettable: set[Sort] = set()
        """Journals of which a frame was flushed before all of it had been taken."""
        self.removed_early = 0
        self.flushed = dict.fromkeys(Sort, 0)
        self._readers: dict[Sort, JournalReader] = {}
        for sort in Sort:
            self._open(sort)
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._thread.start()

    def _open(self, sort: Sort) -> None:
        folder = self.settings.folder / sort.value
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.iterdir()):
            if path.is_dir() and path.name != "journal":
                shelf = self._shelves[sort, path.name] = Shelf(self.database, sort, path, self.settings)
                self._environments[sort, path.name] = _environment_of(shelf)
        mark = folder / _FLUSHED
        self.flushed[sort] = int(mark.read_text()) if mark.exists() else 0
        self._readers[sort] = JournalReader(folder / "journal", self.flushed[sort])
        self._seen[sort] = self.flushed[sort]

    def highest(self, sort: Sort) -> int:
        """Return the number that the next record of a sort must at least have."""
        applied = [shelf.flushed for (of, _), shelf in self._shelves.items() if of is sort]
        return max([self.flushed[sort], *applied])

    def advance(self, sort: Sort, number: int) -> None:
        """Tell it that a journal is on disk up to a number."""
        with self._wake:
            self._durable[sort] = max(self._durable[sort], number)
            self._wake.notify_all()

    def wait_for(self, durable: dict[Sort, int], until_s: float) -> bool:
        """Wait, until a monotonic time at the latest, for the records before these numbers to be seen; False if not."""
        with self._wake:
            while any(self._seen[sort] < number for sort, number in durable.items()):
                left = until_s - time.monotonic()
                if left <= 0 or not self._wake.wait(left):
                    return False
        return True

    def seen(self, sort: Sort) -> int:
        """Return the number before which all records of a sort can be looked at."""
        with self._wake:
            return self._seen[sort]

    def shelves(self, sort: Sort) -> list[Shelf]:
        """List a sort's shelves as they are now."""
        with self._wake:
            return [shelf for (of, _), shelf in self._shelves.items() if of is sort]

    def retain(self, retain: Retain, done: Callable[[int], None]) -> None:
        """Have what is too old or too much removed; `done` is told how many files went."""
        with self._wake:
            self._retains.append((retain, done))
            self._wake.notify_all()

    def stop(self) -> None:
        """Write what waits, and end."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException:  # noqa: BLE001 - without its keeper the process is of no use; the journals have everything
            traceback.print_exc()
            os._exit(os.EX_SOFTWARE)

    def _work(self) -> None:
        while True:
            with self._wake:
                idle = all(self._seen[sort] >= self._durable[sort] for sort in Sort)
                if idle and not self._retains and not self._stopping:
                    self._wake.wait(_TICK_S)
                stopping, retains, self._retains = self._stopping, self._retains, []
                durable = dict(self._durable)
            for sort in Sort:
                self._follow(sort, durable[sort])
            for retain, done in retains:
                done(self._retain(retain))
            self._flush_due(everything=stopping)
            if stopping:
                for shelf in self._shelves.values():
                    shelf.close()
                self.database.close()
                return

    def _follow(self, sort: Sort, durable: int) -> None:
        taken = 0
        for frame in self._readers[sort].frames(durable):
            self._take(sort, frame)
            taken += frame.count
            if taken >= self.settings.flush_rows // 8:
                taken = 0
                self._show(sort, frame.first_number + frame.count)
                self._flush_due(everything=False)
        if self._seen[sort] < durable:
            self._show(sort, durable)

    def _show(self, sort: Sort, number: int) -> None:
        for shelf in self.shelves(sort):
            shelf.show()
        with self._wake:
            self._seen[sort] = number
            self._wake.notify_all()

    def _take(self, sort: Sort, frame: Frame) -> None:
        number = frame.first_number
        share = len(frame.payload) // max(1, frame.count)
        columns_of = TABLES[sort].columns
        if columns_of is None:
            self._take_lines(frame, share)
            return
        for batch in msgspec.msgpack.decode(frame.payload, type=BATCHES[sort]):
            count = len(batch.records)
            shelf = self._shelf(sort, batch.origin.environment_id)
            skip = self._skip(sort, shelf, number, count)
            if skip < count:
                columns = columns_of(batch, number, shelf.label)
                if skip:
                    columns = [column[skip:] for column in columns]
                shelf.take(number + skip, count - skip, columns, share * count)
            number += count

    def _take_lines(self, frame: Frame, share: int) -> None:
        for run in unpack(frame.payload, frame.first_number):
            shelf = self._shelf(Sort.LOGS, run.origins[0][0].environment_id)
            skip = self._skip(Sort.LOGS, shelf, run.first, run.count)
            left = run.after(skip) if skip else run
            while 0 < (room := self.settings.flush_rows - shelf.waiting_rows) <= left.count:
                some = left.until(room)
                shelf.take(some.first, some.count, some.numbered(shelf.label), share * some.count)
                left = left.after(room)
                # A file holds so many rows as one piece. What comes beyond it with the same flush is written again and
                # again until the next piece is full: nearly twice the work, and as much room that stays empty.
                if time.monotonic() >= self._retry_at_s and self._flush(shelf):
                    self._forgettable.add(Sort.LOGS)
            if left.count:
                shelf.take(left.first, left.count, left.numbered(shelf.label), share * left.count)

    def _skip(self, sort: Sort, shelf: Shelf, number: int, count: int) -> int:
        """Tell how many of some records a shelf has already: after a restart the journal is read again."""
        return min(max(0, shelf.flushed - number, self.flushed[sort] - number), count)

    def _shelf(self, sort: Sort, environment_id: str | None) -> Shelf:
        key = (sort, folder_name(environment_id))
        shelf = self._shelves.get(key)
        if shelf is None:
            shelf = Shelf(self.database, sort, self.settings.folder / sort.value / key[1], self.settings)
            with self._wake:
                self._shelves[key] = shelf
            self._environments[key] = environment_id
        return shelf

    def _flush_due(self, *, everything: bool) -> None:
        now_s = time.monotonic()
        if now_s < self._retry_at_s and not everything:
            return
        for sort in Sort:
            self._flush_sort(sort, now_s, everything)

    def _flush_sort(self, sort: Sort, now_s: float, everything: bool) -> None:
        shelves = self.shelves(sort)
        hold_s = self.settings.flush_metrics_s if sort is Sort.METRICS else self.settings.flush_s
        crowded = everything or sum(one.waiting_bytes for one in shelves) > _WAITING_BYTES_MAX
        # What of the journal is still to be read is no reason: files that get few lines at a time cost twice the work and
        # half as much room again, and that in the moment when there is most to do.
        crowded = crowded or self._readers[sort].bytes_read() > self.settings.journal_bytes_max // 2
        due = [shelf for shelf in shelves if shelf.first_waiting is not None and (crowded or shelf.due(now_s, hold_s))]
        for shelf in due:
            if not self._flush(shelf):
                return
        if due or sort in self._forgettable:
            self._forgettable.discard(sort)
            self._forget(sort)

    def _flush(self, shelf: Shelf) -> bool:
        self._make_room(shelf.waiting_bytes + _FLUSH_ROOM_BYTES)
        try:
            shelf.flush(time.time_ns())
        except duckdb.Error as error:
            print(f"telemetry: a flush failed: {error}", file=sys.stderr, flush=True)  # noqa: T201 - the process's log
            if isinstance(error, duckdb.FatalException) or "invalidated" in str(error):
                os._exit(
                    os.EX_SOFTWARE
                )  # DuckDB gave this part up until it is opened again; the journal has everything
            self._retry_at_s = time.monotonic() + _RETRY_S
            self._make_room(self.settings.part_bytes // 8)
            return False
        return True

    def _forget(self, sort: Sort) -> None:
        waiting = [one.first_waiting for one in self.shelves(sort) if one.first_waiting is not None]
        number = min([self._readers[sort].number, *waiting])
        if number > self.flushed[sort]:
            mark = self.settings.folder / sort.value / _FLUSHED
            _write_mark(mark, number)
            self.flushed[sort] = number
            self._told(sort, number)

    def _journal_bytes(self, sort: Sort) -> int:
        return sum(size_of(path) for _, path in journal_files(self.settings.folder / sort.value / "journal"))

    def bytes_on_disk(self) -> int:
        """Return the octets of all files and journals."""
        return self._files_bytes() + sum(self._journal_bytes(sort) for sort in Sort)

    def _files_bytes(self) -> int:
        files = sum(shelf.bytes_on_disk for shelf in list(self._shelves.values()))
        return files + sum(size_of(path) for path in (self.settings.folder / _SPILL).glob("*"))

    def _make_room(self, bytes_: int) -> None:
        """Remove the oldest files until so many more octets would fit into the budget, and what the journals may grow to."""
        while self._files_bytes() + self.settings.journals_bytes + bytes_ > self.settings.budget_bytes:
            oldest = [
                (begun, shelf) for shelf in self._shelves.values() if (begun := shelf.oldest_part_ns()) is not None
            ]
            if not oldest:
                return
            min(oldest, key=lambda pair: pair[0])[1].remove_oldest()
            self.removed_early += 1

    def _retain(self, retain: Retain) -> int:
        self._flush_due(everything=True)  # so that no journal brings back what goes now
        gone = 0
        for key, shelf in self._shelves.items():
            kept = retain.retentions.of(key[0].value, self._environments[key])
            gone += shelf.expire(retain.now_ns - int(kept.age_s * NS_A_SECOND), kept.size_bytes)
            shelf.rest()
        self._make_room(0)
        return gone

    def usage(self) -> UsageFigures:
        """Tell how full it is."""
        rows: list[tuple[str, str | None, int, int, int | None, int | None]] = []
        for (sort, name), shelf in list(self._shelves.items()):
            view = shelf.view()
            oldest = [one.oldest_ns for one in view.parts if one.oldest_ns is not None]
            newest = [one.newest_ns for one in view.parts if one.newest_ns is not None]
            oldest += [one.oldest_ns for one in view.waiting]
            newest += [one.newest_ns for one in view.waiting]
            records = sum(one.records for one in view.parts) + shelf.waiting_rows
            environment = self._environments.get((sort, name))
            rows.append(
                (
                    sort.value,
                    environment,
                    shelf.bytes_on_disk,
                    records,
                    min(oldest, default=None),
                    max(newest, default=None),
                )
            )
        pages = int(Path("/proc/self/statm").read_text().split()[1]) if Path("/proc/self/statm").exists() else 0
        return self.bytes_on_disk(), pages * os.sysconf("SC_PAGE_SIZE"), self.removed_early, rows


def _environment_of(shelf: Shelf) -> str | None:
    waiting: tuple[Label, ...] = tuple(label for part in shelf.view().parts for label in part.labels)
    return waiting[0].origin.environment_id if waiting else shelf.folder.name.lstrip("_") or None


def _write_mark(path: Path, number: int) -> None:
    beside = path.with_suffix(".new")
    with beside.open("w") as file:
        file.write(str(number))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
