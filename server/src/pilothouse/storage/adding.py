"""Adding many rows of one table.

SQLAlchemy prepares each row anew, and SQLite's driver gives way to other threads with each that it carries out. So rows are added
there by statements of many rows, whose text is written once. PostgreSQL is given one row's text, read once, and then all values in
one trip: a text with a place for every value of every row costs it, and us, more. Other databases take many rows by themselves.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Dialect, Table, insert

_NOTHING: Final[Mapping[str, ColumnElement[Any]]] = MappingProxyType({})  # Any: of any type
AT_ONCE: Final = 256
"""Rows of one statement; what is left over goes by half as many, and so on, so that there are few texts to be remembered."""
_TEXTS_MAX: Final = 256
_PLACES: Final = {"sqlite": "?", "postgresql": "%s"}
"""How a place for a value is written, where the driver is asked directly."""


def add_all(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],  # Any: column values; each row has the same columns
    computed: Mapping[str, ColumnElement[Any]] = _NOTHING,  # Any: of any type
) -> None:
    """Add rows; computed: columns whose value the database finds itself, the same for all."""
    if not rows:
        return
    if connection.dialect.name not in _PLACES:
        connection.execute(insert(table).values(computed) if computed else insert(table), rows)
        return
    names, place = tuple(rows[0]), _PLACES[connection.dialect.name]
    stored = _stored(table, names, type(connection.dialect))
    written = tuple((name, _written(value, connection.dialect)) for name, value in computed.items())
    values = [tuple([row[name] if to is None else to(row[name]) for name, to in stored]) for row in rows]
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(_text(table.name, names, written, 1, place), values)
        return
    start, at_once = 0, AT_ONCE
    while start < len(values):
        while at_once > len(values) - start:
            at_once //= 2
        some = tuple(chain.from_iterable(values[start : start + at_once]))
        connection.exec_driver_sql(_text(table.name, names, written, at_once, place), some)
        start += at_once


@lru_cache(_TEXTS_MAX)
def _text(table: str, names: tuple[str, ...], computed: tuple[tuple[str, str], ...], rows: int, place: str) -> str:
    places = ", ".join([*([place] * len(names)), *(value for _, value in computed)])
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
