"""What cannot be run here is at least written down: every statement, for databases that no test has.

A statement is compiled as it is executed, once for each shape of it. Beyond what SQLAlchemy refuses by itself, a few things
are refused that those databases are known to refuse.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pilothouse.storage.dialects import KINDS
from sqlalchemy import (
    Boolean,
    Column,
    CompoundSelect,
    Connection,
    Delete,
    Engine,
    Exists,
    Insert,
    LargeBinary,
    Select,
    Text,
    Update,
    event,
)
from sqlalchemy.sql import ClauseElement, visitors
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, Grouping, Label
from sqlalchemy.sql.functions import Function
from sqlalchemy.sql.operators import eq, in_op, ne

DIALECTS = {name: KINDS[name].dialect() for name in ("mssql", "oracle", "mysql", "mariadb", "postgresql")}
"""MySQL, too: most tests do not run there, and MariaDB takes what it refuses."""
LIMITS = {"oracle": 128, "mssql": 128, "mysql": 64, "mariadb": 64, "postgresql": 63}
"""How long a name may be."""
NO_VALUE = "a condition is no value on SQL Server and Oracle"
_seen: set[Any] = set()
troubles: dict[str, set[str]] = {}
"""What cannot be written, by its reason."""
counted = [0]


def compile_everywhere(statement: ClauseElement, names: Sequence[str] = ()) -> None:
    """Write a statement for every database; what cannot be is collected in `troubles`.

    names: of the values that are given with it
    """
    key = statement._generate_cache_key() if hasattr(statement, "_generate_cache_key") else None
    shape = (_shown(statement, names) if key is None else key.key, tuple(names))
    if shape in _seen:
        return
    _seen.add(shape)
    if "pg_catalog" in _shown(statement, names):  # what SQLAlchemy asks PostgreSQL about itself
        return
    counted[0] += 1
    for name, dialect in DIALECTS.items():
        try:
            written = str(statement.compile(dialect=dialect, column_keys=list(names) or None))
        except Exception as error:  # noqa: BLE001 - whatever the compiler says is the finding
            troubles.setdefault(f"{name}: {type(error).__name__}: {str(error)[:200]}", set()).add(
                _shown(statement, names)[:400]
            )
            continue
        # What is to come back in the order of its rows is asked only where a database says that it can.
        is_asked = not getattr(statement, "_sort_by_parameter_order", False)
        if "RETURNING" in written and name == "mysql" and is_asked:
            troubles.setdefault("mysql: RETURNING", set()).add(written[:400])
    for reason in refused_elsewhere(statement):
        troubles.setdefault(reason, set()).add(_shown(statement, names)[:400])


def _shown(statement: ClauseElement, names: Sequence[str]) -> str:
    return str(statement.compile(dialect=DIALECTS["postgresql"], column_keys=list(names) or None))


def refused_elsewhere(statement: ClauseElement) -> Iterator[str]:
    """Tell what the compilers let pass though SQL Server, Oracle or MySQL refuse it."""
    if isinstance(statement, Update | Delete):
        yield from _of_change(statement)
    for part in visitors.iterate(statement):
        if isinstance(part, Select):
            yield from _of_select(part)
        elif isinstance(part, Function) and part.name == "coalesce":
            yield from (NO_VALUE for clause in part.clauses if _is_condition(clause))
        elif isinstance(part, BinaryExpression) and part.operator in {eq, ne, in_op}:
            sides = (part.left, part.right)
            yield from (NO_VALUE for side in sides if _is_condition(side))
            yield from (f"Oracle compares no long texts: {side}" for side in sides if _is_long(side))


def _of_change(change: Update | Delete) -> Iterator[str]:
    dialect = DIALECTS["mysql"]
    table = re.escape(dialect.identifier_preparer.format_table(change.table))
    # Written down, since only the compiler knows which tables a condition takes from the statement around it.
    read = re.findall(rf"(?:FROM|JOIN|,)\s+{table}(?![\w.`])", str(change.compile(dialect=dialect)))
    if len(read) > (1 if isinstance(change, Delete) else 0):
        yield f"MySQL changes no table that the same statement reads: {change.table}"


def _of_select(select: Select[Any]) -> Iterator[str]:
    for column in select._raw_columns:
        if _is_condition(column.element if isinstance(column, Label) else column):
            yield NO_VALUE
    if select._distinct and any(_is_long(column) for column in select.selected_columns):
        yield "DISTINCT over long texts or octets"
    if any(_is_long(clause) for clause in (*select._group_by_clauses, *select._order_by_clauses)):
        yield "GROUP BY or ORDER BY over long texts or octets"


def _is_condition(clause: Any) -> bool:
    if isinstance(clause, Grouping):
        return _is_condition(clause.element)
    return isinstance(clause, BinaryExpression | BooleanClauseList | Exists) and isinstance(clause.type, Boolean)


def _is_long(clause: Any) -> bool:
    return isinstance(clause, Column) and isinstance(clause.type, Text | LargeBinary)


@contextmanager
def compiling() -> Iterator[None]:
    """Compile every statement that is executed meanwhile."""

    def before(_connection: Connection, statement: Any, many: Any, one: Any, _options: Any) -> None:
        if isinstance(statement, Select | CompoundSelect | Insert | Update | Delete):
            compile_everywhere(statement, sorted(many[0] if many else one))

    event.listen(Engine, "before_execute", before)
    try:
        yield
    finally:
        event.remove(Engine, "before_execute", before)
