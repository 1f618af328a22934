"""SQLite in WAL mode: embedded, one process, a write is durable before it is acknowledged.

Source: performance.md section 4 (FULL, WAL), sqlite.org/wal.html, SQLAlchemy's pysqlite page on transaction control.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from pilothouse.base.place import Database
from pilothouse.storage.dialects.kind import CONNECT_S, Change, Changing, Trouble, as_lists
from pilothouse.storage.dialects.refusals import Refusal

BUSY_TIMEOUT_MS = 5_000
"""How long SQLite waits for another process's lock before it gives up."""
_CHANGES_BY_TABLE = (3, 33)
"""The first release with UPDATE … FROM."""
_FULL = ("database or disk is full", "readonly database", "disk i/o error", "attempt to write a readonly")


class Sqlite:
    """The embedded database."""

    name = "sqlite"
    remembers_numbers = True

    def dialect(self) -> Dialect:
        """Make SQLAlchemy's idea of it."""
        return SQLiteDialect_pysqlite()

    def engine(self, database: Database, *, read_only: bool, size: int) -> Engine:
        """Open the file."""
        engine = create_engine(
            URL.create("sqlite", database=str(database.path)),
            pool_size=size,
            max_overflow=0,
            pool_timeout=CONNECT_S,
            connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
        )

        @event.listens_for(engine, "connect")
        def prepare(connection: sqlite3.Connection, _record: Any) -> None:  # Any: the pool's record, unused
            connection.isolation_level = None  # SQLAlchemy says BEGIN below; sqlite3 must not
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            connection.execute("PRAGMA foreign_keys = ON")
            if read_only:
                connection.execute("PRAGMA query_only = ON")
                return
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

        return engine

    def trouble(self, error: BaseException) -> Trouble:
        """Tell what an error means."""
        if not isinstance(error, sqlite3.OperationalError):
            return Trouble.STATEMENT
        return Trouble.FULL if any(phrase in str(error).lower() for phrase in _FULL) else Trouble.OURS

    def refusal(self, error: BaseException) -> Refusal | None:  # noqa: ARG002 - all is said in its own words
        """Leave it to what it says itself."""
        return None

    def oldest(self, dialect: Dialect) -> tuple[int, ...]:  # noqa: ARG002 - one for all
        """Work with what Python brings."""
        return ()

    def change_many(self, change: Change) -> Changing | None:
        """Change them in one statement, by a list of JSON: others of this process go on meanwhile, row by row they would wait.

        Nobody else hears beats where this database is used, so that nothing must be compared.
        """
        if change.newest or change.same or change.unless_older or sqlite3.sqlite_version_info < _CHANGES_BY_TABLE:
            return None
        names = [change.key, *change.columns]
        wanted = ", ".join(f"json_extract(value, '$[{place}]') AS {name}" for place, name in enumerate(names))
        changes = ", ".join(f"{name} = v.{name}" for name in change.columns)
        statement = (
            f"UPDATE {change.table} AS t SET {changes} FROM (SELECT {wanted} FROM json_each(?)) AS v "  # noqa: S608 - our own tables
            f"WHERE t.{change.key} = v.{change.key}"
        )
        return lambda given, _same: (statement, (as_lists(given),))

    def take_turn(self, connection: Connection) -> None:
        """Do nothing: BEGIN IMMEDIATE took it."""

    def migrating(self, connection: Connection) -> AbstractContextManager[None]:  # noqa: ARG002 - BEGIN IMMEDIATE is the lock
        """Do nothing: the transaction that migrates holds the whole file."""
        return nullcontext()

    def numbers_given(self, connection: Connection, columns: Mapping[str, str]) -> dict[str, int]:  # noqa: ARG002 - it knows all
        """Read what SQLite remembers beside the tables."""
        found = connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence")
        return {str(name): int(number) for name, number in found}

    def count_on(self, connection: Connection, columns: Mapping[str, str], numbers: Mapping[str, int]) -> None:  # noqa: ARG002
        """Write what SQLite remembers."""
        for name, number in numbers.items():
            connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            connection.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, number))

    def others(self, connection: Connection) -> int | None:  # noqa: ARG002 - the lock of the home knows it
        """Tell of nobody: one process uses the file, and the lock of the home says so."""
        return 0
