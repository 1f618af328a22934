"""Adding many rows of one table.

SQLite's driver gives way to other threads with each row that it carries out, and SQLAlchemy prepares each anew. So rows are added
there by statements of many rows, whose text is written once. Other databases take many rows at once by themselves.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Dialect, Table, insert

_NOTHING: Final[Mapping[str, ColumnElement[Any]]] = MappingProxyType({})  # Any: of any type
AT_ONCE: Final = 256
"""Rows of one statement; what is left over goes by half as many, and so on, so that there are few texts to be remembered."""
_TEXTS_MAX: Final = 256


def add_all(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],  # Any: column values; each row has the same columns
    computed: Mapping[str, ColumnElement[Any]] = _NOTHING,  # Any: of any type
) -> None:
    """Add rows; computed: columns whose value the database finds itself, the same for all."""
    if not rows:
        return
    if connection.dialect.name != "sqlite":
        connection.execute(insert(table).values(computed) if computed else insert(table), rows)
        return
    names = tuple(rows[0])
    stored = _stored(table, names, type(connection.dialect))
    written = tuple((name, _written(value, connection.dialect)) for name, value in computed.items())
    left, at_once = iter(rows), AT_ONCE
    remaining = len(rows)
    while remaining:
        while at_once > remaining:
            at_once //= 2
        values: list[Any] = []  # Any: as the driver takes them
        for row in islice(left, at_once):
            values += [row[name] if to is None else to(row[name]) for name, to in stored]
        connection.exec_driver_sql(_text(table.name, names, written, at_once), tuple(values))
        remaining -= at_once


@lru_cache(_TEXTS_MAX)
def _text(table: str, names: tuple[str, ...], computed: tuple[tuple[str, str], ...], rows: int) -> str:
    places = ", ".join([*("?" * len(names)), *(value for _, value in computed)])
    columns = ", ".join(f'"{name}"' for name in (*names, *(name for name, _ in computed)))
    return f'INSERT INTO "{table}" ({columns}) VALUES {", ".join([f"({places})"] * rows)}'  # noqa: S608 - names of tables and columns are ours


@lru_cache(_TEXTS_MAX)
def _stored(
    table: Table, names: tuple[str, ...], kind: type[Dialect]
) -> tuple[tuple[str, Callable[[Any], Any] | None], ...]:  # Any: column values
    """Tell of columns how each value becomes what the driver takes; None: as it is."""
    dialect = kind()
    return tuple((name, table.c[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in names)


@lru_cache(_TEXTS_MAX)
def _written(value: ColumnElement[Any], dialect: Dialect) -> str:  # Any: of any type
    return str(value.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
