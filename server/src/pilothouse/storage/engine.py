"""Opening the database: SQLite in WAL mode, a write is durable before it is acknowledged.

Source: performance.md section 4 (FULL, WAL), sqlite.org/wal.html, SQLAlchemy's pysqlite page on transaction control.
"""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pilothouse.base.errors import StorageFull, StorageUnavailable, Unavailable

READERS = 4
"""Connections that read at the same time."""
BUSY_TIMEOUT_MS = 5_000
"""How long SQLite waits for another process's lock before it gives up."""
_FULL = ("database or disk is full", "readonly database", "disk i/o error", "attempt to write a readonly")
_FIX = "Look at the disk and the database file: free space, permissions, read-only mounts."


def open_writer(path: Path) -> Engine:
    """Open the one connection that writes."""
    return _open(path, read_only=False, size=1)


def open_readers(path: Path) -> Engine:
    """Open the connections that only read: they see the last commit and never wait for the writer."""
    return _open(path, read_only=True, size=READERS)


def translate(error: DBAPIError | PoolTimeout | sqlite3.Error) -> Unavailable:
    """Turn a driver's error into one of ours: everything that the database cannot do now is our own trouble."""
    text = str(_first_cause(error))
    if any(phrase in text.lower() for phrase in _FULL):
        return StorageFull(f"The database cannot take a write: {text}.", fix=_FIX)
    return StorageUnavailable(f"The database does not answer: {text}.", fix=_FIX)


def _first_cause(error: BaseException) -> BaseException:
    """Find what went wrong first: a full disk ends the transaction, and then the savepoint is missing."""
    first, current = error, error.__context__
    while current is not None:
        if isinstance(current, sqlite3.Error):
            first = current
        current = current.__context__
    return first


def _open(path: Path, *, read_only: bool, size: int) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        pool_size=size,
        max_overflow=0,
        pool_timeout=10,
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
