"""Statements that every database writes differently, each under one name."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Float,
    ForeignKeyConstraint,
    Insert,
    Integer,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    case,
    func,
    insert,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import AddConstraint
from sqlalchemy.sql.compiler import DDLCompiler, SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from pilothouse.base.errors import StorageUnavailable
from pilothouse.storage.adding import add_all
from pilothouse.storage.dialects import KINDS

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
ROWS_AT_ONCE: Final = 5_000
"""Rows that one statement changes: a text of a hundred thousand is more than some servers take at once (16 MiB), and while it is
written, nothing else of this process goes on."""


def add_numbered(connection: Connection, statement: Insert, values: Mapping[str, Any] | None = None) -> int:
    """Add one row and tell the number that the database gave it. Any: column values."""
    given: Sequence[Any] | None = connection.execute(statement, values).inserted_primary_key
    if given is None:
        raise StorageUnavailable("The database told no number of the row that it added.", fix="Report this.")
    return int(given[0])


def add_many_numbered(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Add many rows, under the writers' turn, and tell the numbers that the database gave them, in their order.

    By few statements on every database. Any: column values.
    """
    (key,) = table.primary_key
    # Since others wait for their turn, what is behind the last one now is what is added here. Databases that tell the numbers of
    # many (PostgreSQL) want a text with a place for every value of every row, which costs more than to ask for the numbers.
    last = int(connection.execute(select(func.max(key))).scalar() or 0)
    add_all(connection, table, rows)
    given = list(connection.execute(select(key).where(key > last).order_by(key)).scalars())
    if len(given) != len(rows):
        raise StorageUnavailable("The database told other numbers than of the rows that it added.", fix="Report this.")
    return given


def insert_unless_there(table: Table) -> Insert:
    """Make the statement that adds a row, unless one has its primary key: of two that come at once, the turn decides.

    Its values are named `new_` and the column.
    """
    names = [column.name for column in table.columns]
    new = [bindparam(f"new_{column.name}", type_=column.type) for column in table.columns]
    keys = [column == bindparam(f"new_{column.name}", type_=column.type) for column in table.primary_key]
    known = select(literal_column("1", Integer)).select_from(table).where(*keys).exists()
    return insert(table).from_select(names, select(*new).where(~known))


class text_in(FunctionElement[str]):  # noqa: N801 - used like a function
    """The text at a path (`a.b`) in a document of JSON that is stored as octets; null where there is none."""

    type = String()
    inherit_cache = True
    name = "text_in"

    def __init__(self, document: ColumnElement[bytes], path: str) -> None:
        super().__init__(document, literal_column(f"'$.{path}'"), literal_column(f"'{{{path.replace('.', ',')}}}'"))


def _parts(element: text_in, compiler: SQLCompiler, kw: dict[str, Any]) -> list[str]:  # Any: the compiler's context
    return [compiler.process(clause, **kw) for clause in element.clauses]


@compiles(text_in, "sqlite")
def _in_sqlite(element: text_in, compiler: SQLCompiler, **kw: Any) -> str:  # pyright: ignore[reportUnusedFunction] - Any: context
    document, path, _ = _parts(element, compiler, kw)
    return f"json_extract(CAST({document} AS TEXT), {path})"


@compiles(text_in, "postgresql")
def _in_postgresql(element: text_in, compiler: SQLCompiler, **kw: Any) -> str:  # pyright: ignore[reportUnusedFunction] - Any: context
    document, _, path = _parts(element, compiler, kw)
    return f"(convert_from({document}, 'UTF8')::json #>> {path})"


@compiles(text_in, "mysql", "mariadb")
def _in_mysql(element: text_in, compiler: SQLCompiler, **kw: Any) -> str:  # pyright: ignore[reportUnusedFunction] - Any: context
    document, path, _ = _parts(element, compiler, kw)
    return f"json_value(CONVERT({document} USING utf8mb4), {path})"


@compiles(text_in, "mssql")
def _in_mssql(element: text_in, compiler: SQLCompiler, **kw: Any) -> str:  # pyright: ignore[reportUnusedFunction] - Any: context
    document, path, _ = _parts(element, compiler, kw)
    octets = f"CAST({document} AS VARCHAR(max)) COLLATE Latin1_General_100_BIN2_UTF8"
    return f"JSON_VALUE({octets}, {path})"


@compiles(text_in, "oracle")
def _in_oracle(element: text_in, compiler: SQLCompiler, **kw: Any) -> str:  # pyright: ignore[reportUnusedFunction] - Any: context
    document, path, _ = _parts(element, compiler, kw)
    return f"JSON_VALUE({document} FORMAT JSON ENCODING UTF8, {path})"


LEFT_TO_US = frozenset({("alert_silences", "rule_id")})
"""Foreign keys by table and column that do not cascade on SQL Server, which allows one way from a row to another:
whoever deletes what they point to deletes first what points to it."""


def is_left_to_us(constraint: ForeignKeyConstraint | None) -> bool:
    """Tell whether what points somewhere is deleted by a statement, and not by the database."""
    return constraint is not None and any(
        (constraint.table.name, name) in LEFT_TO_US for name in constraint.column_keys
    )


@compiles(ForeignKeyConstraint, "mssql")
def _of_mssql(constraint: ForeignKeyConstraint, compiler: DDLCompiler, **kw: Any) -> str:  # pyright: ignore[reportUnusedFunction] - Any: context
    written = compiler.visit_foreign_key_constraint(constraint, **kw)
    return written.replace(" ON DELETE CASCADE", "") if is_left_to_us(constraint) else written


@compiles(UniqueConstraint, "mssql")
def _unique_in_mssql(constraint: UniqueConstraint, compiler: DDLCompiler, **kw: Any) -> str:  # pyright: ignore[reportUnusedFunction] - Any: context
    """Write a unique constraint; over columns that may be null, as an index of a table that leaves nulls out."""
    if not any(column.nullable for column in constraint.columns):
        return compiler.visit_unique_constraint(constraint, **kw)
    return f"INDEX {compiler.preparer.format_constraint(constraint)} UNIQUE {_where_known(constraint, compiler)}"


@compiles(AddConstraint, "mssql")
def _added_in_mssql(adding: AddConstraint, compiler: DDLCompiler, **kw: Any) -> str:  # pyright: ignore[reportUnusedFunction] - Any: context
    """The same for a table that is there: an index is no part of ALTER TABLE."""
    constraint = adding.element
    if not isinstance(constraint, UniqueConstraint) or not any(column.nullable for column in constraint.columns):
        return compiler.visit_add_constraint(adding, **kw)
    name, table = compiler.preparer.format_constraint(constraint), compiler.preparer.format_table(constraint.table)
    return f"CREATE UNIQUE INDEX {name} ON {table} {_where_known(constraint, compiler)}"


def _where_known(constraint: UniqueConstraint, compiler: DDLCompiler) -> str:
    names = [compiler.preparer.format_column(column) for column in constraint.columns]
    return f"({', '.join(names)}) WHERE {' AND '.join(f'{name} IS NOT NULL' for name in names)}"


def change_many(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],  # Any: column values; each row has all of them
    newest: Mapping[str, str] = _NOTHING,
) -> None:
    """Change many rows by their number, so many in one statement as is quick.

    newest: columns that change only where another one does not become smaller, and the name of that one: by whichever process
        and in whichever order such changes come, the newest stands at the end
    """
    if not rows:
        return
    (key,) = table.primary_key
    names = [name for name in rows[0] if name != key.name]
    types = {name: type_of(table.c[name]) for name in names}
    written = KINDS[connection.dialect.name].change_many(table.name, key.name, types, newest)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[start : start + ROWS_AT_ONCE]
        if written is not None:
            connection.execute(text(written), {"rows": _as_json(connection, table, some)})
            continue
        values = {name: _changed(table, name, newest.get(name)) for name in names}
        changed = update(table).where(key == bindparam("of_key")).values(values)
        connection.execute(
            changed, [{"of_key": row[key.name], **{f"to_{name}": row[name] for name in names}} for row in some]
        )


def _as_json(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> str:  # Any: column values
    """Write rows as a list of JSON objects, with each value as it is stored."""
    stored = {
        name: table.c[name].type.dialect_impl(connection.dialect).bind_processor(connection.dialect) for name in rows[0]
    }
    told = [{name: row[name] if to is None else to(row[name]) for name, to in stored.items()} for row in rows]
    return msgspec.json.encode(told).decode()


def _changed(table: Table, name: str, by: str | None) -> ColumnElement[Any]:  # Any: of the column's type
    new = bindparam(f"to_{name}", type_=table.c[name].type)
    if by is None:
        return new
    is_newest = (bindparam(f"to_{by}", type_=table.c[by].type) >= table.c[by]) | table.c[by].is_(None)
    return case((is_newest, new), else_=table.c[name])


def type_of(column: Column[Any]) -> str:  # Any: of any type
    """Name a column's type for a value that comes out of JSON."""
    if isinstance(column.type, Float):
        return "DOUBLE PRECISION"
    if isinstance(column.type, String):
        return f"VARCHAR({column.type.length})"
    return "BIGINT"


class now_ms(FunctionElement[int]):  # noqa: N801 - used like a function
    """What the database's own clock says: milliseconds since the epoch."""

    type = Integer()
    inherit_cache = True
    name = "now_ms"


@compiles(now_ms, "sqlite")
def _now_in_sqlite(_element: now_ms, _compiler: SQLCompiler, **_kw: Any) -> str:  # pyright: ignore[reportUnusedFunction] - Any: context
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"


@compiles(now_ms, "postgresql")
def _now_in_postgresql(_element: now_ms, _compiler: SQLCompiler, **_kw: Any) -> str:  # pyright: ignore[reportUnusedFunction] - Any: context
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"


@compiles(now_ms, "mysql", "mariadb")
def _now_in_mysql(_element: now_ms, _compiler: SQLCompiler, **_kw: Any) -> str:  # pyright: ignore[reportUnusedFunction] - Any: context
    return "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000 AS SIGNED)"


@compiles(now_ms, "mssql")
def _now_in_mssql(_element: now_ms, _compiler: SQLCompiler, **_kw: Any) -> str:  # pyright: ignore[reportUnusedFunction] - Any: context
    return "DATEDIFF_BIG(millisecond, '1970-01-01', SYSUTCDATETIME())"


@compiles(now_ms, "oracle")
def _now_in_oracle(_element: now_ms, _compiler: SQLCompiler, **_kw: Any) -> str:  # pyright: ignore[reportUnusedFunction] - Any: context
    return "ROUND((CAST(SYS_EXTRACT_UTC(SYSTIMESTAMP) AS DATE) - DATE '1970-01-01') * 86400) * 1000"
