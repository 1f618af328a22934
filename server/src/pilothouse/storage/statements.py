"""Statements that every database writes differently, each under one name."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

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
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import AddConstraint
from sqlalchemy.sql.compiler import DDLCompiler, SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from pilothouse.base.errors import StorageUnavailable
from pilothouse.storage.adding import add_all
from pilothouse.storage.columns import InstantMs
from pilothouse.storage.dialects import KINDS
from pilothouse.storage.dialects.kind import Change

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
    columns: Mapping[str, Sequence[Any]],  # Any: column values
    *,
    same: Mapping[str, Any] = _NOTHING,  # Any: column values
    newest: Mapping[str, str] = _NOTHING,
    unless_older: str | None = None,
) -> None:
    """Change many rows by their number, so many in one statement as is quick. Who gives them in the order of their numbers waits less.

    columns: the table's key, and then what is changed, each with a value of every row
    same: what becomes the same in all rows
    newest: columns that change only where another one does not become smaller, and the name of that one: by whichever process
        and in whichever order such changes come, the newest stands at the end
    unless_older: a row is left alone where this column would become smaller
    """
    key, *others = columns
    change = Change(
        table=table.name,
        key=key,
        columns={name: type_of(table.c[name]) for name in others},
        same={name: type_of(table.c[name]) for name in same},
        newest=newest,
        unless_older=unless_older,
    )
    changing = KINDS[connection.dialect.name].change_many(change)
    alike = [_stored(connection, table.c[name], [value])[0] for name, value in same.items()]
    for start in range(0, len(columns[key]), ROWS_AT_ONCE):
        some = {name: values[start : start + ROWS_AT_ONCE] for name, values in columns.items()}
        if changing is None:
            _change_each(connection, table, some, same, change)
            continue
        stored = [_stored(connection, table.c[name], values) for name, values in some.items()]
        connection.exec_driver_sql(*changing(stored, alike))


def _change_each(
    connection: Connection,
    table: Table,
    columns: Mapping[str, Sequence[Any]],  # Any: column values
    same: Mapping[str, Any],  # Any: column values
    change: Change,
) -> None:
    """Do so with a statement for each row, as SQLAlchemy writes it for every database."""
    changes = {name: _changed(table, name, change.newest.get(name)) for name in (*change.columns, *same)}
    changed = update(table).where(table.c[change.key] == bindparam("of_key")).values(changes)
    if change.unless_older is not None:
        changed = changed.where(_is_newest(table, change.unless_older))
    given = ["of_key", *(f"to_{name}" for name in change.columns)]
    alike = {f"to_{name}": value for name, value in same.items()}
    rows = zip(*columns.values(), strict=True)
    connection.execute(changed, [{**dict(zip(given, row, strict=True)), **alike} for row in rows])


def _stored(connection: Connection, column: Column[Any], values: Sequence[Any]) -> Sequence[Any]:  # Any: column values
    """Tell a column's values as they are stored."""
    if isinstance(column.type, InstantMs):
        return InstantMs.all_to_ms(values)
    to = column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
    return values if to is None else [to(value) for value in values]


def _changed(table: Table, name: str, by: str | None) -> ColumnElement[Any]:  # Any: of the column's type
    new = bindparam(f"to_{name}", type_=table.c[name].type)
    if by is None:
        return new
    return case((_is_newest(table, by), new), else_=table.c[name])


def _is_newest(table: Table, by: str) -> ColumnElement[bool]:
    return (bindparam(f"to_{by}", type_=table.c[by].type) >= table.c[by]) | table.c[by].is_(None)


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
