"""PostgreSQL, through pg8000: ADR 0020.

Text is compared by its octets (`COLLATE "C"`), as on every other database: what the locale of the server's machine thinks of the
order of letters does not decide where a page of a list ends.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Column, Connection, Dialect, Engine, event, text
from sqlalchemy.dialects.postgresql.base import PGDialect, PGTypeCompiler
from sqlalchemy.types import String

from pilothouse.base.place import Database
from pilothouse.storage.dialects.arrays import WithArrays, array_of_numbers, array_of_texts
from pilothouse.storage.dialects.kind import CONNECT_S, Change, Changing, Trouble, changed, is_not_older
from pilothouse.storage.dialects.opening import open_pool, read_url, refuse_unknown, tls_of, unchecked_tls, unreached
from pilothouse.storage.dialects.refusals import Refusal
from pilothouse.storage.dialects.turns import take_row

MIGRATION_LOCK: Final = 7_214_061
"""The number of the advisory lock that a migration holds."""
MARGIN_S: Final = 5.0
"""Unit: seconds. So much longer than the server does, this side waits for an answer: else the network is cut."""
_LAST: Final = text("SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence(:t, :c) AS regclass))")
_SET: Final = text("SELECT setval(CAST(pg_get_serial_sequence(:t, :c) AS regclass), CAST(:n AS bigint))")
_OTHERS: Final = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND application_name = 'pilothouse' AND pid <> pg_backend_pid()"
)
_AGAIN: Final = {"40001", "40P01", "55P03"}
_FULL: Final = {"53100", "53200", "25006"}
_GONE: Final = {"57P01", "57P02", "57P03", "57P05", "25P03", "25P04"}
"""The last two: the server ended a transaction in which nothing was heard of us for too long, and the connection with it."""
_OURS_CLASSES: Final = {"08", "28", "3D", "53", "54", "55", "57", "58", "XX"}
_REFUSALS: Final = {
    "28P01": Refusal.SIGN_IN,
    "28000": Refusal.SIGN_IN,
    "3D000": Refusal.NO_DATABASE,
    "42501": Refusal.NO_RIGHT,
    "3F000": Refusal.NO_RIGHT,  # no schema that it may make tables in
    "53300": Refusal.CONNECTIONS,
}


class _Text(String):
    """A text without NUL, which PostgreSQL stores nowhere: somebody may send one, and finds nothing by it."""

    cache_ok = True
    render_bind_cast = True
    __visit_name__ = "string"

    def bind_processor(self, dialect: Dialect) -> Callable[..., Any]:  # noqa: ARG002 - SQLAlchemy's. Any: as stored
        """Replace NUL, as the audit does before it takes its digest."""
        return _without_nul


def _without_nul(value: str | None) -> str | None:
    return value.replace("\0", "\ufffd") if value is not None and "\0" in value else value


class _Types(PGTypeCompiler):
    """Types of columns."""

    def visit_VARCHAR(self, type_: String, **kw: Any) -> str:  # noqa: N802 - SQLAlchemy's name. Any: its context
        """Write the type of a text of limited length."""
        return _by_octets(super().visit_VARCHAR(type_, **kw), kw)

    def visit_TEXT(self, type_: String, **kw: Any) -> str:  # noqa: N802 - SQLAlchemy's name. Any: its context
        """Write the type of a text of any length."""
        return _by_octets(super().visit_TEXT(type_, **kw), kw)  # pyright: ignore[reportArgumentType] - a Text


def _by_octets(written: str, kw: dict[str, Any]) -> str:  # Any: SQLAlchemy's context
    return f'{written} COLLATE "C"' if isinstance(kw.get("type_expression"), Column) else written


class PostgreSql:
    """PostgreSQL 13 and newer."""

    name = "postgresql"
    remembers_numbers = False

    def dialect(self) -> Dialect:
        """Make SQLAlchemy's idea of it."""
        return _with_types(PGDialect())

    def engine(self, database: Database, *, read_only: bool, size: int) -> Engine:
        """Open a pool; whoever reads sees one state of everything from the first statement to the last."""
        url, told = read_url(database, "postgresql+pg8000")
        refuse_unknown(told, "sslmode", "sslrootcert", "host")
        limit_ms = str(round(database.timeout_s * 1000))
        arguments: dict[str, Any] = {  # Any: the driver's arguments
            "timeout": CONNECT_S,
            "ssl_context": tls_of(told),
            "application_name": "pilothouse",
            "startup_params": {
                "statement_timeout": limit_ms,
                "lock_timeout": limit_ms,
                "idle_in_transaction_session_timeout": limit_ms,
                "default_transaction_read_only": "on" if read_only else "off",
            },
        }
        if told.get("host", "").startswith("/"):  # a folder with the server's socket, as libpq has it
            arguments |= {
                "unix_sock": f"{told['host']}/.s.PGSQL.{url.port or 5432}",
                "host": None,
                "ssl_context": False,
            }
        elif "host" in told:
            url = url.set(host=told["host"])
        isolation = "REPEATABLE READ" if read_only else "READ COMMITTED"
        engine = open_pool(self, url, arguments, size=size, isolation=isolation)

        @event.listens_for(engine, "connect")
        def be_patient(
            connection: Any, _record: Any
        ) -> None:  # Any: the driver's connection; the pool's record, unused
            # The driver knows one limit for making a connection and for waiting on it, and those are two things.
            connection._usock.settimeout(database.timeout_s + MARGIN_S)  # noqa: SLF001 - it has no other way

        _connect_in_one_trip(engine)
        _with_types(engine.dialect).use_insertmanyvalues_wo_returning = True  # else a statement for each row
        return engine

    def trouble(self, error: BaseException) -> Trouble:
        """Tell what an error means, by its SQLSTATE."""
        code = _code(error)
        if code is None:
            is_lost = isinstance(error, OSError) or type(error).__name__ == "InterfaceError"
            return Trouble.GONE if is_lost else Trouble.STATEMENT
        for trouble, codes in ((Trouble.AGAIN, _AGAIN), (Trouble.FULL, _FULL), (Trouble.GONE, _GONE)):
            if code in codes:
                return trouble
        return Trouble.OURS if code in _REFUSALS or code[:2] in _OURS_CLASSES else Trouble.STATEMENT

    def refusal(self, error: BaseException) -> Refusal | None:
        """Tell why, by the SQLSTATE, or by what the driver met before the server said anything."""
        if (code := _code(error)) is not None:
            return _REFUSALS.get(code)
        return unreached(error, tls="Server refuses SSL", nobody=("Can't create", "communication error"))

    def oldest(self, dialect: Dialect) -> tuple[int, ...]:  # noqa: ARG002 - one for all
        """Work with PostgreSQL 13 and newer."""
        return (13,)

    def change_many(self, change: Change) -> Changing | None:
        """Change them in one statement, by an array of each column.

        It also says between which keys all of them lie: without that the server reads the whole table for each statement.
        """
        same = {name: f"CAST(%s AS {type_})" for name, type_ in change.same.items()}
        changes = ", ".join(
            f"{name} = {changed(name, change.newest, same.get(name))}" for name in (*change.same, *change.columns)
        )
        wanted, key = {change.key: "BIGINT", **change.columns}, change.key
        arrays = ", ".join(f"CAST(%s AS {type_.partition('(')[0]}[])" for type_ in wanted.values())
        statement = (
            f"UPDATE {change.table} AS t SET {changes} FROM unnest({arrays}) AS v({', '.join(wanted)}) "  # noqa: S608 - our tables
            f"WHERE t.{key} = v.{key} AND t.{key} BETWEEN CAST(%s AS BIGINT) AND CAST(%s AS BIGINT){is_not_older(change)}"
        )
        ways = [array_of_texts if type_.startswith("VARCHAR") else array_of_numbers for type_ in wanted.values()]

        def write(columns: Sequence[Sequence[Any]], same: Sequence[Any]) -> tuple[str, Any]:  # Any: column values
            keys = columns[0]
            return statement, (
                *same,
                *(as_array(each) for as_array, each in zip(ways, columns, strict=True)),
                min(keys),
                max(keys),
            )

        return write

    def take_turn(self, connection: Connection) -> None:
        """Take the row."""
        take_row(connection)

    @contextmanager
    def migrating(self, connection: Connection) -> Generator[None]:
        """Hold a lock that ends with the transaction: here, that is the whole migration."""
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        yield

    def numbers_given(self, connection: Connection, columns: Mapping[str, str]) -> dict[str, int]:
        """Ask each column's sequence."""
        found = {name: connection.execute(_LAST, {"t": name, "c": columns[name]}).scalar_one() for name in columns}
        return {name: number for name, number in found.items() if number is not None}

    def count_on(self, connection: Connection, columns: Mapping[str, str], numbers: Mapping[str, int]) -> None:
        """Set each column's sequence; that cannot be taken back with the transaction, and leaves a gap at most."""
        for name, number in numbers.items():
            connection.execute(_SET, {"t": name, "c": columns[name], "n": number})

    def others(self, connection: Connection) -> int | None:
        """Count who calls itself by our name here."""
        return int(connection.execute(_OTHERS).scalar_one())


def _connect_in_one_trip(engine: Engine) -> None:
    """Open connections that ask the server once a statement."""
    unchecked = unchecked_tls()

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Dialect, _record: Any, places: list[Any], named: dict[str, Any]) -> Any:  # Any: the driver's
        from pilothouse.storage.dialects import one_trip

        if named.get("ssl_context") is None:
            return one_trip.connect_as_offered(unchecked, *places, **named)
        return one_trip.connect(*places, **named)


def _with_types(dialect: Dialect) -> Dialect:
    dialect.type_compiler_instance = dialect.type_compiler = _Types(dialect)
    dialect.colspecs = {**dialect.colspecs, String: _Text}
    dialect.statement_compiler = WithArrays
    return dialect


def _code(error: BaseException) -> str | None:
    told = error.args[0] if error.args else None
    return told.get("C") if isinstance(told, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - fields of PostgreSQL's error by letter
