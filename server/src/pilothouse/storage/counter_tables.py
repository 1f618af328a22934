"""The table of numbers that grow: by the lock of such a row, transactions take turns."""

from sqlalchemy import Column, String, Table, select

from pilothouse.storage.columns import Number
from pilothouse.storage.tables import metadata

WRITES = "writes"
"""The row that every transaction that writes takes first, where several processes may write. It counts them."""
AUDIT = "audit"
"""The row with the highest number of an audit record that was ever given."""
HEARD = "heard"
"""The row with the turn up to which batches of beats were deleted."""

counters = Table(
    "counters",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("number", Number, nullable=False),
)

TURN = select(counters.c.number).where(counters.c.name == WRITES).scalar_subquery()
"""Within a statement: the number of the writers' turn; 0 where one process writes."""
