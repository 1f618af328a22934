"""Oracle, through python-oracledb. Statements and schema are compiled for it by tests; it was not run: ADR 0020.

An empty text is null here, and many columns hold empty texts and no nulls: it is stored as one sign that no text of ours contains.
Lengths are counted in letters, not in octets.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Column, Connection, Dialect, Engine
from sqlalchemy.dialects.oracle.base import OracleDialect, OracleTypeCompiler
from sqlalchemy.types import String

from pilothouse.base.place import Database
from pilothouse.storage.dialects.kind import Trouble
from pilothouse.storage.dialects.opening import open_pool, read_url
from pilothouse.storage.dialects.turns import take_row

EMPTY: Final = "\x02"
"""Stands for the empty text."""
_AGAIN: Final = ("ORA-00060", "ORA-08177", "ORA-30006", "ORA-00054")
_FULL: Final = ("ORA-01652", "ORA-01653", "ORA-01654", "ORA-16000", "ORA-00257", "ORA-30036")
_GONE: Final = (
    "ORA-00028",
    "ORA-03113",
    "ORA-03114",
    "ORA-03135",
    "ORA-12541",
    "ORA-12537",
    "DPY-1001",
    "DPY-4011",
    "DPY-6005",
)
_OURS: Final = ("ORA-01012", "ORA-01017", "ORA-12514", "ORA-28000", "DPY-")


class EmptyText(String):
    """A text that is stored as `EMPTY` when it is empty."""

    cache_ok = True
    __visit_name__ = "string"

    def bind_processor(self, dialect: Dialect) -> Callable[..., Any]:  # noqa: ARG002 - SQLAlchemy's. Any: as stored
        """Write an empty text as its sign."""
        return _written

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[..., Any]:  # noqa: ARG002 - SQLAlchemy's. Any: as stored
        """Read the sign as an empty text."""
        return _read


def _written(value: str | None) -> str | None:
    return EMPTY if value == "" else value


def _read(value: Any) -> Any:  # Any: as stored
    return "" if value == EMPTY else value


class _Types(OracleTypeCompiler):
    """Types of columns."""

    def visit_VARCHAR2(self, type_: String, **kw: Any) -> str:  # noqa: N802, ARG002 - SQLAlchemy's name. Any: its context
        """Write the type of a text of limited length."""
        return f"VARCHAR2({type_.length or 4000} CHAR)"

    def visit_VARCHAR(self, type_: String, **kw: Any) -> str:  # noqa: N802 - SQLAlchemy's name. Any: its context
        """Write it so, whatever it is called."""
        return self.visit_VARCHAR2(type_, **kw)

    def visit_FLOAT(self, type_: Any, **kw: Any) -> str:  # noqa: N802, ARG002 - SQLAlchemy's name. Any: its type and context
        """Write the type of a number."""
        return "BINARY_DOUBLE" if isinstance(kw.get("type_expression"), Column) else "FLOAT"


class Oracle:
    """Oracle 19c and newer."""

    name = "oracle"
    remembers_numbers = False

    def dialect(self) -> Dialect:
        """Make SQLAlchemy's idea of it."""
        return _with_types(OracleDialect())

    def engine(self, database: Database, *, read_only: bool, size: int) -> Engine:  # noqa: ARG002 - roles decide that here
        """Open a pool."""
        url, told = read_url(database, "oracle+oracledb")
        engine = open_pool(self, url.set(query=told), {}, size=size, isolation="READ COMMITTED")
        _with_types(engine.dialect)
        return engine

    def trouble(self, error: BaseException) -> Trouble:
        """Tell what an error means, by its code."""
        told = str(error)
        for trouble, codes in (
            (Trouble.AGAIN, _AGAIN),
            (Trouble.FULL, _FULL),
            (Trouble.GONE, _GONE),
            (Trouble.OURS, _OURS),
        ):
            if any(code in told for code in codes):
                return trouble
        return Trouble.STATEMENT

    def change_many(self, table: str, key: str, columns: Mapping[str, str]) -> str | None:  # noqa: ARG002 - none
        """Change them one by one."""
        return None

    def take_turn(self, connection: Connection) -> None:
        """Take the row."""
        take_row(connection)

    @contextmanager
    def migrating(self, connection: Connection) -> Generator[None]:  # noqa: ARG002 - see below
        """Do nothing: what changes a table commits by itself here. The second of two migrations fails on a table that is there."""
        yield


def _with_types(dialect: Dialect) -> Dialect:
    dialect.type_compiler_instance = dialect.type_compiler = _Types(dialect)
    dialect.colspecs = {**dialect.colspecs, String: EmptyText}
    return dialect
