"""What the database itself keeps of a row, whoever writes it: ADR 0023."""

from typing import Any, Final

from sqlalchemy import Computed, String, column, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import DDLCompiler, SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

NAME_LENGTH_MAX: Final = 100


def lowered_or_last(name: str) -> Computed:
    """Have a name kept as lists are sorted by it: in whatever case, and what has none behind all others."""
    return Computed(func.coalesce(func.lower(column(name, String(NAME_LENGTH_MAX))), last_sign()), persisted=True)


class last_sign(FunctionElement[str]):  # noqa: N801 - used like a function
    """The sign that stands behind every name (U+FFFF), written so that the definition of a table can hold it."""

    type = String()
    inherit_cache = True
    name = "last_sign"


@compiles(last_sign)
def _last_sign(_element: last_sign, _compiler: SQLCompiler, **_kw: Any) -> str:  # pyright: ignore[reportUnusedFunction] - Any: context
    return "'\uffff'"


@compiles(last_sign, "mysql", "mariadb")
def _last_sign_in_mysql(_element: last_sign, _compiler: SQLCompiler, **_kw: Any) -> str:  # pyright: ignore[reportUnusedFunction] - Any: context
    """Write its octets: MariaDB reads a definition's literals in the database's character set, which may be Latin-1."""
    return "convert(0xEFBFBF using utf8mb4)"


@compiles(last_sign, "mssql")
def _last_sign_in_mssql(_element: last_sign, _compiler: SQLCompiler, **_kw: Any) -> str:  # pyright: ignore[reportUnusedFunction] - Any: context
    """Write it as Unicode: another literal is of the database's code page."""
    return "N'\uffff'"


@compiles(Computed, "sqlite", "oracle")
def _computed(element: Computed, compiler: DDLCompiler, **_kw: Any) -> str:  # pyright: ignore[reportUnusedFunction] - Any: context
    """Write a column that is computed when it is read: SQLite adds no other one to a table, and Oracle has no other. Indexes hold it."""
    computing = compiler.sql_compiler.process(element.sqltext, include_table=False, literal_binds=True)
    return f"GENERATED ALWAYS AS ({computing}) VIRTUAL"
