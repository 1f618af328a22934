"""One transaction outside of a running control plane: for what the command line does to a database by itself."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pilothouse.storage.engine import open_readers, open_writer, translate
from pilothouse.storage.unit import Transaction


@contextmanager
def reading(path: Path) -> Generator[Connection]:
    """See the database as it is at one moment, whoever writes meanwhile.

    Raises: Unavailable
    """
    engine = open_readers(path)
    try:
        with engine.connect() as connection, connection.begin():
            yield connection
    except (DBAPIError, PoolTimeout, sqlite3.Error) as error:
        raise translate(error) from error
    finally:
        engine.dispose()


@contextmanager
def writing(path: Path) -> Generator[Transaction]:
    """Write; committed at the end, or nothing of it.

    Raises: Unavailable
    """
    engine = open_writer(path)
    try:
        with engine.connect() as connection, connection.begin():
            transaction = Transaction(connection)
            yield transaction
            transaction.write_events()
    except (DBAPIError, PoolTimeout, sqlite3.Error) as error:
        raise translate(error) from error
    finally:
        engine.dispose()
