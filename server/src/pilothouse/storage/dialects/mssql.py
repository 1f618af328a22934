"""SQL Server, through mssql-python. Statements and schema are compiled for it by tests; it was not run: ADR 0020.

Text is Unicode (NVARCHAR) and compared by its code points. Two nulls are equal in a unique constraint here, so that a
constraint over columns that may be null becomes an index that leaves nulls out (`statements.py` writes it).
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Column, Connection, Dialect, Engine
from sqlalchemy.dialects.mssql.base import MSDialect, MSTypeCompiler
from sqlalchemy.types import String

from pilothouse.base.errors import CannotStart
from pilothouse.base.place import Database
from pilothouse.storage.dialects.kind import CONNECT_S, Change, Trouble
from pilothouse.storage.dialects.opening import open_pool, read_url
from pilothouse.storage.dialects.refusals import Refusal
from pilothouse.storage.dialects.turns import take_row

COLLATION: Final = "Latin1_General_100_BIN2"
_AGAIN: Final = ("40001", "1205", "1222", "3960")
_FULL: Final = ("1105", "9002", "3906")
_GONE: Final = ("08001", "08S01", "08003", "HYT00", "HYT01")
_LOCK: Final = (
    "DECLARE @r int; EXEC @r = sp_getapplock @Resource = 'pilothouse-migration', @LockMode = 'Exclusive', "
    "@LockOwner = 'Transaction', @LockTimeout = 600000; SELECT @r"
)
_LAST: Final = (
    "SELECT OBJECT_NAME(object_id), CAST(last_value AS bigint) FROM sys.identity_columns WHERE last_value IS NOT NULL"
)


class _Types(MSTypeCompiler):
    """Types of columns."""

    def visit_VARCHAR(self, type_: String, **kw: Any) -> str:  # noqa: N802  # pyright: ignore[reportIncompatibleMethodOverride] - SQLAlchemy's name. Any: its context
        """Write the type of a text of limited length."""
        return _by_code_points(f"NVARCHAR({type_.length or 'max'})", kw)

    def visit_text(self, type_: String, **kw: Any) -> str:  # noqa: ARG002  # pyright: ignore[reportIncompatibleMethodOverride] - Any: SQLAlchemy's context
        """Write the type of a text of any length."""
        return _by_code_points("NVARCHAR(max)", kw)


def _by_code_points(written: str, kw: dict[str, Any]) -> str:  # Any: SQLAlchemy's context
    return f"{written} COLLATE {COLLATION}" if isinstance(kw.get("type_expression"), Column) else written


class SqlServer:
    """SQL Server 2019 and newer."""

    name = "mssql"
    remembers_numbers = False

    def dialect(self) -> Dialect:
        """Make SQLAlchemy's idea of it."""
        dialect = MSDialect()
        dialect.type_compiler_instance = dialect.type_compiler = _Types(dialect)
        return dialect

    def engine(self, database: Database, *, read_only: bool, size: int) -> Engine:
        """Open a pool; readers see what was committed when their transaction began (the database allows snapshots)."""
        url, told = read_url(database, "mssql+mssqlpython")
        isolation = "SNAPSHOT" if read_only else "READ COMMITTED"
        arguments: dict[str, Any] = {"timeout": CONNECT_S}  # Any: the driver's arguments
        engine = open_pool(self, url.set(query=told), arguments, size=size, isolation=isolation)
        engine.dialect.type_compiler_instance = engine.dialect.type_compiler = _Types(engine.dialect)
        return engine

    def trouble(self, error: BaseException) -> Trouble:
        """Tell what an error means, by the SQLSTATE or number in its text."""
        told = " ".join(str(part) for part in error.args)
        for trouble, codes in ((Trouble.AGAIN, _AGAIN), (Trouble.FULL, _FULL), (Trouble.GONE, _GONE)):
            if any(f"{left}{code}{right}" in told for code in codes for left, right in (("[", "]"), ("(", ")"))):
                return trouble
        return Trouble.OURS if type(error).__name__ == "OperationalError" else Trouble.STATEMENT

    def refusal(self, error: BaseException) -> Refusal | None:  # noqa: ARG002 - all is said in its own words
        """Leave it to what it says itself."""
        return None

    def oldest(self, dialect: Dialect) -> tuple[int, ...]:  # noqa: ARG002 - one for all
        """Work with SQL Server 2019 and newer."""
        return (15,)

    def change_many(self, change: Change) -> None:  # noqa: ARG002 - none
        """Change them one by one."""
        return

    def take_turn(self, connection: Connection) -> None:
        """Take the row."""
        take_row(connection)

    @contextmanager
    def migrating(self, connection: Connection) -> Generator[None]:
        """Hold a lock that ends with the transaction: here, that is the whole migration."""
        if connection.exec_driver_sql(_LOCK).scalar_one() < 0:
            raise CannotStart(
                "Another process is migrating this database.", fix="Wait until it has ended, and run this again."
            )
        yield

    def numbers_given(self, connection: Connection, columns: Mapping[str, str]) -> dict[str, int]:
        """Ask for each table's last number."""
        found = connection.exec_driver_sql(_LAST)
        return {str(name): int(number) for name, number in found if name in columns}

    def count_on(self, connection: Connection, columns: Mapping[str, str], numbers: Mapping[str, int]) -> None:  # noqa: ARG002
        """Set each table's last number; of a table that never had a row, it is the next one."""
        for name, number in numbers.items():
            connection.exec_driver_sql(f"DBCC CHECKIDENT ('{name}', RESEED, {number + 1:d})")

    def others(self, connection: Connection) -> int | None:  # noqa: ARG002 - see below
        """Tell nothing: without a right that control planes need not have, only the own connections are seen."""
        return None
