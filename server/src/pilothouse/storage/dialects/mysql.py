"""MySQL and MariaDB, through PyMySQL: ADR 0020.

Text is compared by its octets and with its trailing blanks, as on every other database. What SQLAlchemy calls a large binary is a
BLOB of 64 KiB here, and a float has four octets: both are written down larger.
"""

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Engine, event
from sqlalchemy.dialects.mysql.base import MySQLDialect, MySQLTypeCompiler
from sqlalchemy.types import String

from pilothouse.base.errors import CannotStart
from pilothouse.base.place import Database
from pilothouse.storage.dialects.kind import CONNECT_S, Change, Changing, Trouble
from pilothouse.storage.dialects.mysql_changes import ENCODERS, changing
from pilothouse.storage.dialects.opening import open_pool, read_url, refuse_unknown, tls_of, unchecked_tls, unreached
from pilothouse.storage.dialects.refusals import Refusal
from pilothouse.storage.dialects.turns import take_row

MARGIN_S: Final = 5.0
"""Unit: seconds. So much longer than the server does, this side waits for an answer: else the network is cut."""
MIGRATION_WAIT_S: Final = 600
"""Unit: seconds. So long a migration waits for another process's."""
OLDEST_OF_MYSQL: Final = (8, 0, 17)
"""The first release that can compare text by its octets without regard to how it is padded."""
OLDEST_OF_MARIADB: Final = (10, 6)
_LIMIT_OF_MYSQL: Final = "SELECT @@max_execution_time / 1000"
_NEXT: Final = (
    "SELECT table_name, auto_increment FROM information_schema.tables "
    "WHERE table_schema = database() AND auto_increment IS NOT NULL"
)
_OTHERS: Final = "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
_NO_TLS: Final = 2026
_AGAIN: Final = {1213, 1205, 1020}
_GONE: Final = {1053, 1077, 1079, 1927, 2002, 2003, 2006, 2013, 2014, 2045, 2055, 4031}
_FULL: Final = {3, 1021, 1026, 1114, 1290, 1792, 1836}
_STATEMENT: Final = {1048, 1264, 1364, 1366, 1406}
_REFUSALS: Final = {
    **dict.fromkeys((1045, 1129, 1130, 1251, 1698, 1862, 2054, 2059, 4151), Refusal.SIGN_IN),
    **dict.fromkeys((1046, 1049), Refusal.NO_DATABASE),
    **dict.fromkeys((1044, 1142, 1143, 1227, 1370), Refusal.NO_RIGHT),
    **dict.fromkeys((1040, 1203, 1226), Refusal.CONNECTIONS),
    **dict.fromkeys((2026, 3159), Refusal.TLS),
}


class _Types(MySQLTypeCompiler):
    """Types of columns."""

    def visit_VARCHAR(self, type_: String, **kw: Any) -> str:  # noqa: N802 - SQLAlchemy's name. Any: its context
        """Write the type of a text of limited length."""
        return self._by_octets(super().visit_VARCHAR(type_, **kw))  # pyright: ignore[reportArgumentType] - a VARCHAR

    def visit_TEXT(self, type_: String, **kw: Any) -> str:  # noqa: N802, ARG002 - SQLAlchemy's name. Any: its context
        """Write the type of a text of any length."""
        return self._by_octets("LONGTEXT")

    def visit_FLOAT(self, type_: Any, **kw: Any) -> str:  # noqa: N802, ARG002 - SQLAlchemy's name. Any: its type and context
        """Write the type of a number."""
        return "DOUBLE"

    def visit_BLOB(self, type_: Any, **kw: Any) -> str:  # noqa: N802, ARG002 - SQLAlchemy's name. Any: its type and context
        """Write the type of octets."""
        return "LONGBLOB"

    def _by_octets(self, written: str) -> str:
        return f"{written} CHARACTER SET utf8mb4 COLLATE {_collation(self.dialect)}"


def _collation(dialect: Dialect) -> str:
    """Name the order of letters; each of the two has its own name for the same."""
    return "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"


class MySql:
    """MySQL 8.0.17 and newer."""

    name = "mysql"
    remembers_numbers = False
    _is_mariadb = False

    def dialect(self) -> Dialect:
        """Make SQLAlchemy's idea of it."""
        return _with_types(MySQLDialect(is_mariadb=self._is_mariadb))

    def engine(self, database: Database, *, read_only: bool, size: int) -> Engine:
        """Open a pool; whoever reads sees one state of everything from the first statement to the last."""
        url, told = read_url(database, "mysql+pymysql")
        refuse_unknown(told, "sslmode", "sslrootcert", "unix_socket")
        tls = tls_of(told)
        unchecked = unchecked_tls()
        arguments: dict[str, Any] = {  # Any: the driver's arguments
            "charset": "utf8mb4",
            "connect_timeout": CONNECT_S,
            "read_timeout": database.timeout_s + MARGIN_S,
            "write_timeout": database.timeout_s + MARGIN_S,
            "ssl_disabled": tls is False,
        }
        if tls:
            arguments["ssl"] = tls
        if "unix_socket" in told:
            arguments["unix_socket"] = told["unix_socket"]
        isolation = "REPEATABLE READ" if read_only else "READ COMMITTED"
        engine = open_pool(self, url, arguments, size=size, isolation=isolation)
        _with_types(engine.dialect)

        if tls is None:

            @event.listens_for(engine, "do_connect")
            def connect(
                dialect: Any, _record: Any, given: Any, named: dict[str, Any]
            ) -> Any:  # Any: the driver's; unused
                """Use TLS if it is offered; left to itself the driver reads the authorities each time, by which nobody is checked."""
                try:
                    return dialect.dbapi.connect(*given, **named | {"ssl": unchecked})
                except dialect.dbapi.OperationalError as error:
                    if error.args[0] != _NO_TLS:
                        raise
                return dialect.dbapi.connect(*given, **named | {"ssl_disabled": True})

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _record: Any) -> None:  # Any: the driver's connection; the pool's record, unused
            connection.encoders = {**connection.encoders, **ENCODERS}
            with connection.cursor() as cursor:
                cursor.execute("SELECT VERSION()")
                for statement in _settings(cursor.fetchone()[0], database.timeout_s, read_only=read_only):
                    cursor.execute(statement)

        return engine

    def trouble(self, error: BaseException) -> Trouble:
        """Tell what an error means, by its number."""
        code = error.args[0] if error.args else None
        if not isinstance(code, int):
            return Trouble.STATEMENT
        for trouble, codes in ((Trouble.AGAIN, _AGAIN), (Trouble.GONE, _GONE), (Trouble.FULL, _FULL)):
            if code in codes:
                return trouble
        if code == 0 or (type(error).__name__ in {"OperationalError", "InternalError"} and code not in _STATEMENT):
            return Trouble.GONE if code == 0 else Trouble.OURS
        return Trouble.OURS if code in _REFUSALS else Trouble.STATEMENT

    def refusal(self, error: BaseException) -> Refusal | None:
        """Tell why, by the number, or by what the driver met before the server said anything."""
        code = error.args[0] if error.args else None
        return _REFUSALS.get(code or 0) or unreached(error, tls="[SSL", nobody=("Can't connect",))

    def oldest(self, dialect: Dialect) -> tuple[int, ...]:
        """Tell the oldest release, of whichever of the two it turned out to be."""
        return OLDEST_OF_MARIADB if getattr(dialect, "is_mariadb", False) else OLDEST_OF_MYSQL

    def change_many(self, change: Change) -> Changing | None:
        """Change them in one statement: the driver asks the server once for each of many."""
        return changing(change)

    def take_turn(self, connection: Connection) -> None:
        """Take the row."""
        take_row(connection)

    @contextmanager
    def migrating(self, connection: Connection) -> Generator[None]:
        """Hold a named lock: here, what changes a table commits by itself, and with it any lock of a row."""
        name = connection.exec_driver_sql("SELECT left(concat('pilothouse:', database()), 64)").scalar_one()
        taken = connection.exec_driver_sql("SELECT get_lock(%s, %s)", (name, _wait_s(connection))).scalar_one()
        if taken != 1:
            raise CannotStart(
                "Another process is migrating this database.", fix="Wait until it has ended, and run this again."
            )
        try:
            yield
            # The number of the last migration is not committed by itself: who has the lock next must see it.
            connection.exec_driver_sql("COMMIT")
        finally:
            connection.exec_driver_sql("SELECT release_lock(%s)", (name,))

    def numbers_given(self, connection: Connection, columns: Mapping[str, str]) -> dict[str, int]:
        """Ask for each table's next number."""
        if not getattr(connection.dialect, "is_mariadb", False):  # MySQL would tell what it was a day ago
            connection.exec_driver_sql("SET SESSION information_schema_stats_expiry = 0")
        found = connection.exec_driver_sql(_NEXT)
        return {str(name): int(number) - 1 for name, number in found if name in columns}

    def count_on(self, connection: Connection, columns: Mapping[str, str], numbers: Mapping[str, int]) -> None:  # noqa: ARG002
        """Set each table's next number: that commits by itself, before and after."""
        for name, number in numbers.items():
            connection.exec_driver_sql(f"ALTER TABLE {name} AUTO_INCREMENT = {number + 1:d}")

    def others(self, connection: Connection) -> int | None:
        """Count this user's connections, since every control plane is that one."""
        return int(connection.exec_driver_sql(_OTHERS).scalar_one())


class MariaDb(MySql):
    """MariaDB 10.6 and newer."""

    name = "mariadb"
    _is_mariadb = True


def _wait_s(connection: Connection) -> float:
    """Wait for less than a statement may take: else the wait would be ended as one that hangs."""
    asked = "SELECT @@max_statement_time" if getattr(connection.dialect, "is_mariadb", False) else _LIMIT_OF_MYSQL
    limit_s = float(connection.exec_driver_sql(asked).scalar_one())
    return min(MIGRATION_WAIT_S, limit_s * 0.9) if limit_s else MIGRATION_WAIT_S


def _settings(version: str, timeout_s: float, *, read_only: bool) -> Generator[str]:
    """Bound in time what a connection may do, and have values refused that do not fit."""
    is_mariadb = "mariadb" in version.lower()
    if is_mariadb:
        yield "SET NAMES utf8mb4 COLLATE utf8mb4_nopad_bin"
    elif tuple(map(int, re.findall(r"\d+", version)[:3])) >= OLDEST_OF_MYSQL:
        yield "SET NAMES utf8mb4 COLLATE utf8mb4_0900_bin"
    else:  # it is told that it is too old, by whoever looks at its schema
        yield "SET NAMES utf8mb4"
    yield "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"
    yield f"SET SESSION net_write_timeout = {max(60, round(timeout_s))}"  # a backup through a slow pipe
    yield f"SET SESSION innodb_lock_wait_timeout = {max(1, round(timeout_s))}"
    if is_mariadb:
        yield f"SET SESSION max_statement_time = {timeout_s:.3f}"
        if re.match(r"\D*(10\.[3-9]|10\.1\d|1[1-9]\.)", version.removeprefix("5.5.5-")):
            yield f"SET SESSION idle_transaction_timeout = {max(1, round(timeout_s))}"
    else:
        yield f"SET SESSION max_execution_time = {round(timeout_s * 1000)}"
    if read_only:
        yield "SET SESSION TRANSACTION READ ONLY"


def _with_types(dialect: Dialect) -> Dialect:
    dialect.type_compiler_instance = dialect.type_compiler = _Types(dialect)
    return dialect
