"""Opening the database, and telling what its errors mean."""

import sqlite3
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pilothouse.base.errors import StorageFull, StorageUnavailable, Unavailable
from pilothouse.base.place import Database, database_of
from pilothouse.storage.dialects import KINDS, Kind, Trouble, say

_FIX = "Look at the disk and the database file: free space, permissions, read-only mounts."
_FIX_SERVER = "Look at the database server: whether it runs, its free space, its permissions, its limit of connections."


def kind_of(place: Database | Path) -> Kind:
    """Tell what kind of database it is.

    Raises: CannotStart
    """
    return KINDS[database_of(place).kind]


def open_writer(place: Database | Path) -> Engine:
    """Open the one connection that writes.

    Raises: CannotStart
    """
    return kind_of(place).engine(database_of(place), read_only=False, size=1)


def open_readers(place: Database | Path) -> Engine:
    """Open the connections that only read: they see the last commit and never wait for the writer.

    Raises: CannotStart
    """
    database = database_of(place)
    return kind_of(place).engine(database, read_only=True, size=database.pool)


def trouble_of(error: BaseException, kind: Kind) -> Trouble:
    """Tell what an error means for the transaction that met it."""
    if isinstance(error, PoolTimeout):
        return Trouble.OURS
    if isinstance(error, DBAPIError) and error.orig is not None:
        return Trouble.GONE if error.connection_invalidated else kind.trouble(error.orig)
    return kind.trouble(error)


def translate(error: BaseException, kind: Kind = KINDS["sqlite"]) -> Unavailable:
    """Turn a driver's error into one of ours: everything that the database cannot do now is our own trouble."""
    first = first_cause(error)
    fix = _FIX if kind.name == "sqlite" else _FIX_SERVER
    text = told_by(first)
    if trouble_of(first, kind) is Trouble.FULL:
        return StorageFull(f"The database cannot take a write: {text}.", fix=fix)
    driver = first.orig if isinstance(first, DBAPIError) and first.orig is not None else first
    if (refusal := kind.refusal(driver)) is not None:
        return say(refusal, text)
    return StorageUnavailable(f"The database does not answer: {text}.", fix=fix)


def first_cause(error: BaseException) -> BaseException:
    """Find what went wrong first: a full disk or a deadlock ends the transaction, and then the savepoint is missing."""
    first, current = error, error.__context__
    while current is not None:
        if isinstance(current, DBAPIError | sqlite3.Error):
            first = current
        current = current.__context__
    return first


def told_by(error: BaseException) -> str:
    """Say what a driver said, in one sentence and without the values of a statement."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return told_by(error.orig)
    told = error.args[0] if error.args else ""
    if isinstance(told, dict):  # pg8000: the fields of PostgreSQL's error, M is the sentence
        told = told.get("M", "")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    elif isinstance(told, int) and len(error.args) > 1:  # PyMySQL: number and sentence
        told = error.args[1]
    elif isinstance(error.__cause__, OSError):  # pg8000: what it wanted to do, and below it what the system said
        wanted, cause = str(error).partition(" (timeout")[0], error.__cause__
        return f"{wanted}: {cause.strerror or cause}"
    else:
        told = error
    return str(told).rstrip(".")  # pyright: ignore[reportUnknownArgumentType]
