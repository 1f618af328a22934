"""One transaction outside of a running control plane: for what the command line does to a database by itself."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pilothouse.base.place import Database
from pilothouse.storage.engine import kind_of, open_readers, open_writer, translate
from pilothouse.storage.unit import Transaction


@contextmanager
def reading(place: Database | Path) -> Generator[Connection]:
    """See the database as it is at one moment, whoever writes meanwhile.

    Raises: Unavailable
    """
    engine = open_readers(place)
    try:
        with engine.connect() as connection, connection.begin():
            yield connection
    except (DBAPIError, PoolTimeout, sqlite3.Error) as error:
        raise translate(error, kind_of(place)) from error
    finally:
        engine.dispose()


@contextmanager
def writing(place: Database | Path) -> Generator[Transaction]:
    """Write, while nobody else does; committed at the end, or nothing of it.

    Raises: Unavailable
    """
    engine = open_writer(place)
    try:
        with engine.connect() as connection, connection.begin():
            kind_of(place).take_turn(connection)
            transaction = Transaction(connection)
            yield transaction
            transaction.write_events()
    except (DBAPIError, PoolTimeout, sqlite3.Error) as error:
        raise translate(error, kind_of(place)) from error
    finally:
        engine.dispose()
