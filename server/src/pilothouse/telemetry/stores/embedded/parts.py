"""One file of one environment: tables of its records, their labels, the token index, and how far it has got."""

import contextlib
import threading
from collections.abc import Generator, Sequence
from itertools import count
from pathlib import Path

import duckdb
import msgspec

from pilothouse.telemetry.stores.embedded.columns import Column, Table
from pilothouse.telemetry.stores.embedded.frames import Sort
from pilothouse.telemetry.stores.embedded.index import (
    FRESH_MAX,
    LAYOUT,
    Entries,
    adding_sql,
    has_services,
    has_words,
    knows,
    sorting_in_sql,
    tables_sql,
)
from pilothouse.telemetry.stores.embedded.sorts import TABLES, Label, Row

_names = count()
_LABELS = Table("labels", (Column("id", "int32"), Column("label", "blob")))
_ENTRIES = Table("entries", (Column("hash", "uint32"), Column("block", "uint32")))
_META = "SELECT applied, created_ns, engine FROM {schema}.meta"


class Part:
    """A DuckDB file, attached while somebody uses it. Only the newest one of an environment is written to."""

    def __init__(self, database: duckdb.DuckDBPyConnection, sort: Sort, path: Path, created_ns: int) -> None:
        self._database, self.sort, self.path = database, sort, path
        self._lock = threading.Lock()
        self._users = 0
        self._attached = False
        self._gone = False
        self.schema = f"part{next(_names)}"
        self.applied = 0
        """Records with lower numbers are in it, or in an older part."""
        self.created_ns = created_ns
        self.layout = LAYOUT
        """Which tables it has, and how its token index was made."""
        self.writable = False
        self.records = 0
        self.oldest_ns: int | None = None
        self.newest_ns: int | None = None
        self.labels: list[Label] = []
        self._fresh = 0
        """Entries of its index that are not where they are found by looking at little."""

    @property
    def indexed(self) -> bool:
        """Whether its token index can be trusted."""
        return knows(self.layout)

    @property
    def current(self) -> bool:
        """Whether it has all tables that a part has now, so that records can be added to it."""
        return self.layout == LAYOUT

    @property
    def has_words(self) -> bool:
        """Whether a piece of a word can be looked for in words instead of messages."""
        return has_words(self.layout)

    @property
    def has_services(self) -> bool:
        """Whether metrics of services are in tables of their own."""
        return has_services(self.layout)

    def open(self, *, writable: bool) -> None:
        """Attach the file, make its tables if it is new, and read what is known of it.

        Raises: duckdb.Error
        """
        self.writable = writable
        cursor = self._database.cursor()
        self._attach(cursor)
        if writable:
            cursor.begin()
            cursor.execute(
                f"CREATE TABLE IF NOT EXISTS {self.schema}.meta (applied BIGINT, created_ns BIGINT, engine VARCHAR)"
            )
            if cursor.execute(_META.format(schema=self.schema)).fetchone() is None:
                self._make(cursor)
            cursor.commit()
        self.applied, self.created_ns, self.layout = cursor.execute(_META.format(schema=self.schema)).fetchone() or (
            0,
            0,
            "",
        )
        self._look(cursor)
        if writable and self.current and TABLES[self.sort].index:
            (self._fresh,) = cursor.execute(f"SELECT count(*) FROM {self.schema}.fresh").fetchone() or (0,)
        cursor.close()

    def _make(self, cursor: duckdb.DuckDBPyConnection) -> None:
        tables = TABLES[self.sort]
        for table in (tables.filed, _LABELS, *tables.rolled):
            cursor.execute(table.ddl(self.schema))
        for statement in tables_sql(self.schema) if tables.index else ():
            cursor.execute(statement)
        cursor.execute(f"INSERT INTO {self.schema}.meta VALUES (0, ?, ?)", [self.created_ns, LAYOUT])

    def _attach(self, cursor: duckdb.DuckDBPyConnection) -> None:
        mode = "" if self.writable else " (READ_ONLY)"
        path = str(self.path).replace("'", "''")
        cursor.execute(f"ATTACH '{path}' AS {self.schema}{mode}")
        self._attached = True

    def _look(self, cursor: duckdb.DuckDBPyConnection) -> None:
        table = TABLES[self.sort].table.name
        figures = cursor.execute(f"SELECT count(*), min(at_ns), max(at_ns) FROM {self.schema}.{table}").fetchone()
        if figures is not None:
            self.records, self.oldest_ns, self.newest_ns = figures
        self._read_labels(cursor)

    def _read_labels(self, cursor: duckdb.DuckDBPyConnection) -> None:
        found = cursor.execute(f"SELECT label FROM {self.schema}.labels ORDER BY id").fetchall()
        self.labels = [msgspec.msgpack.decode(packed, type=Label) for (packed,) in found]

    @contextlib.contextmanager
    def in_use(self) -> Generator[bool]:
        """Keep the file attached; False when it has been removed."""
        with self._lock:
            if not self._gone and not self._attached:
                cursor = self._database.cursor()
                self._attach(cursor)
                self._read_labels(cursor)
                cursor.close()
            there = not self._gone
            self._users += 1
        try:
            yield there
        finally:
            with self._lock:
                self._users -= 1
                if self._gone and not self._users:
                    self._detach()

    def rest(self) -> None:
        """Detach the file while nobody uses it."""
        with self._lock:
            if self._attached and not self._users and not self.writable:
                self._detach()
                self.labels = []

    def finish(self) -> None:
        """Write it out; nothing is written to it from now on."""
        with self._lock:
            if self._fresh:
                with self._transaction() as cursor:
                    self._sort_in(cursor)
                self._fresh = 0
            self._database.execute(f"CHECKPOINT {self.schema}")
            self.writable = False

    def remove(self) -> None:
        """Remove the file; questions that read it come to their end first."""
        with self._lock:
            self._gone = True
            if not self._users:
                self._detach()
        for path in self._paths():
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Write it out and let go of it."""
        with self._lock:
            if self.writable:
                self._database.execute(f"CHECKPOINT {self.schema}")
            self._detach()

    def _detach(self) -> None:
        if self._attached:
            self._attached = False
            self._database.execute(f"DETACH {self.schema}")

    def _paths(self) -> tuple[Path, Path]:
        return self.path, self.path.with_name(self.path.name + ".wal")

    @property
    def bytes_on_disk(self) -> int:
        """Octets of the file and of what DuckDB has written beside it."""
        total = 0
        for path in self._paths():
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
        return total

    def write(
        self,
        batches: Sequence[object],
        rolled: Sequence[Sequence[Row]],
        entries: Entries,
        labels: Sequence[Label],
        applied: int,
    ) -> None:
        """Add records, in one transaction with how far the file has got: all of it or nothing.

        Raises: duckdb.Error
        """
        tables = TABLES[self.sort]
        fresh = self._fresh + len(entries)
        with self._transaction() as cursor:
            cursor.register("waiting", tables.filed.source(batches))
            cursor.execute(f"INSERT INTO {self.schema}.{tables.table.name} SELECT * FROM waiting")
            if len(entries):
                cursor.register("entries", _ENTRIES.source([_ENTRIES.batch_of([entries.hashes, entries.blocks])]))
                cursor.execute(adding_sql(self.schema, "entries"))
            if fresh >= FRESH_MAX:
                self._sort_in(cursor)
                fresh = 0
            for table, rows in zip(tables.rolled, rolled, strict=True):
                cursor.register(table.name, table.source([table.batch(rows)]))
                cursor.execute(f"INSERT INTO {self.schema}.{table.name} SELECT * FROM {table.name}")
            new = list(enumerate(labels))[len(self.labels) :]
            if new:
                packed = [(id_, msgspec.msgpack.encode(label)) for id_, label in new]
                cursor.register("new_labels", _LABELS.source([_LABELS.batch(packed)]))
                cursor.execute(f"INSERT INTO {self.schema}.labels SELECT * FROM new_labels")
            cursor.execute(f"UPDATE {self.schema}.meta SET applied = ?", [applied])
        self.labels = list(labels)
        self.applied, self._fresh = applied, fresh

    def _sort_in(self, cursor: duckdb.DuckDBPyConnection) -> None:
        for statement in sorting_in_sql(self.schema):
            cursor.execute(statement)

    @contextlib.contextmanager
    def _transaction(self) -> Generator[duckdb.DuckDBPyConnection]:
        cursor = self._database.cursor()
        cursor.begin()
        try:
            yield cursor
            cursor.commit()
        except BaseException:
            with contextlib.suppress(duckdb.Error):
                cursor.rollback()
            raise
        finally:
            with contextlib.suppress(duckdb.Error):
                cursor.close()
