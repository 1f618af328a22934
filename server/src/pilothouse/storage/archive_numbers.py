"""Numbers that databases give to rows: none is given twice, also after a restore, also of rows that are gone."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, func, select, update

from pilothouse.storage import alert_tables
from pilothouse.storage.counter_tables import AUDIT, WRITES, counters
from pilothouse.storage.dialects import KINDS
from pilothouse.storage.tables import audit_records, metadata

_DEFINED: Final = (alert_tables,)
"""Modules whose tables grow: imported so that `metadata` has them."""


def growing() -> dict[str, str]:
    """Name the tables whose rows the database numbers, and the column of the number."""
    return {
        str(one.name): str(one.autoincrement_column.name)
        for one in metadata.sorted_tables
        if one.autoincrement_column is not None
    }


def numbers_given(connection: Connection) -> dict[str, int]:
    """Read the highest number that each growing table has given, and how often somebody wrote (by the name of that counter)."""
    kind = KINDS[connection.dialect.name]
    columns = growing()
    given = kind.numbers_given(connection, columns)
    for name, column in columns.items():
        highest: int | None = connection.execute(select(func.max(metadata.tables[name].c[column]))).scalar_one()
        given[name] = max(given.get(name, 0), highest or 0)
    found = connection.execute(select(counters.c.name, counters.c.number))
    counted: dict[str, int] = {row.name: row.number for row in found}
    if (
        not kind.remembers_numbers
    ):  # there, the audit gives its numbers itself, and the end of its chain is known by them
        newest: int | None = connection.execute(select(func.max(audit_records.c.number))).scalar_one()
        given[str(audit_records.name)] = max(counted.get(AUDIT, 0), newest or 0)
    return given | {WRITES: counted.get(WRITES, 0)}


def count_on(connection: Connection, numbers: Mapping[str, int]) -> None:
    """Let tables count on behind numbers that were given elsewhere. MySQL commits what the connection did before."""
    columns = growing()
    known = {name: numbers[name] for name in columns if numbers.get(name, 0) > 0}
    KINDS[connection.dialect.name].count_on(connection, columns, known)


def set_counters(connection: Connection, numbers: Mapping[str, int]) -> None:
    """The same for our own counters, within the caller's transaction."""
    for name, number in ((WRITES, numbers.get(WRITES, 0)), (AUDIT, numbers.get(str(audit_records.name), 0))):
        raised = update(counters).where(counters.c.name == name, counters.c.number < number).values(number=number)
        connection.execute(raised)
