"""Many at once: what statements are asked with, and rows that databases number."""

from collections.abc import Generator, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Table, insert

from pilothouse.storage.statements import add_many_numbered, add_numbered

AT_ONCE: Final = 500
"""Values in one question: databases limit how many a statement may bring."""
_MANY: Final = 3
_MANY_EMBEDDED: Final = 20
"""From so many on, few statements for all are quicker than one for each; an embedded database answers each at once."""

T = TypeVar("T")


def in_batches(values: Sequence[T]) -> Generator[list[T]]:
    """Give values in parts that one question may ask for.

    The last value of a part is repeated until there are 1, 2, 4 … of them: a statement's text depends on how many it brings, and
    there should be few of them to be remembered.
    """
    for start in range(0, len(values), AT_ONCE):
        part = list(values[start : start + AT_ONCE])
        wanted = min(AT_ONCE, 1 << (len(part) - 1).bit_length())
        yield part + part[-1:] * (wanted - len(part))


def add_each_numbered(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> list[int]:  # Any: column values
    """Add rows, under the writers' turn, and tell the numbers that the database gave them, in their order."""
    if len(rows) < (_MANY_EMBEDDED if connection.dialect.name == "sqlite" else _MANY):
        return [add_numbered(connection, insert(table), row) for row in rows]
    return add_many_numbered(connection, table, rows)
