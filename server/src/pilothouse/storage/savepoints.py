"""What one operation of a batch did, taken back without the others.

SQLAlchemy's own savepoints cost as much as a statement of ours or more. Where the words are the same for all, they are said directly.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection

_KEPT_UNTIL_RELEASED: Final = frozenset({"sqlite", "postgresql"})
_REPLACED_BY_THE_NEXT: Final = frozenset({"mysql", "mariadb"})
"""A savepoint of the same name takes the place of the one before, so nobody has to release that."""


@contextmanager
def apart(connection: Connection) -> Generator[None]:
    """Take back what happens in the block, and nothing else, when it fails."""
    name = connection.dialect.name
    if name not in _KEPT_UNTIL_RELEASED and name not in _REPLACED_BY_THE_NEXT:
        with connection.begin_nested():
            yield
        return
    connection.exec_driver_sql("SAVEPOINT operation")
    try:
        yield
    except BaseException:
        if not connection.invalidated:  # else it is all gone, and so is the savepoint
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT operation")
        raise
    if name in _KEPT_UNTIL_RELEASED:
        connection.exec_driver_sql("RELEASE SAVEPOINT operation")
