"""How writers take turns on a database server: by the lock of one row, which every database knows.

What was proved for SQLite, where one transaction writes at a time, stays true there: what an operation reads, nobody changes before
it has committed; events and audit records come in the order of their commits. The price is paid once a batch, not once
an operation. Source: ADR 0020.
"""

from sqlalchemy import Connection, update

from pilothouse.base.errors import StorageUnavailable
from pilothouse.storage.counter_tables import WRITES, counters

_TAKE = update(counters).where(counters.c.name == WRITES).values(number=counters.c.number + 1)


def take_row(connection: Connection) -> None:
    """Hold the row of the writers' turn until the transaction ends."""
    if connection.execute(_TAKE).rowcount != 1:
        raise StorageUnavailable(
            "The database has no row in `counters` by which writers take turns.",
            fix="Restore a backup of the database: that row is made with its schema and never deleted.",
        )
