"""pg8000 with one trip to the server a statement, where its own way takes three: ADR 0020.

The driver asks the server to read a statement, waits, asks what it gives, waits, and then has it carried out. PostgreSQL answers these
questions in a row as well ("Extended Query", "Pipelining" in its documentation of the protocol), so they are sent together.
What gives no answer that anybody looks at (BEGIN, SAVEPOINT, RELEASE SAVEPOINT) waits for the next statement and goes before it: when
it fails, the statement behind it does. A statement's text is brought to the server's form once, not letter by letter each time.
One statement for many rows is read by the server once, and takes a trip for all of them, where the driver's own way takes three for each.
"""

# The driver tells no types of itself:
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

import contextlib
import functools
import ssl
import struct
from collections.abc import Generator, Iterator, Sequence
from typing import Any, Final

import pg8000.legacy
from pg8000.converters import make_params
from pg8000.core import IDLE, Context
from pg8000.dbapi import convert_paramstyle

TEXTS_MAX: Final = 2_000
"""Statements whose text is remembered in the server's form; what was asked longest ago goes first."""
_BEGIN: Final = "begin transaction"
_LATER: Final = ("SAVEPOINT ", "RELEASE SAVEPOINT ")
ROWS_MAX: Final = 1_000
"""Rows of a trip: the server answers each before all are sent, and what it says (30 octets a row) must find room on the way."""
OCTETS_MAX: Final = 4_194_304
"""So much is sent at once, and a row more: what is written there is held in memory meanwhile, here and in the server."""
_NO_TLS: Final = "Server refuses SSL"
"""What the driver says then."""
_RUN: Final = b"D\0\0\0\x06P\0" + b"E\0\0\0\x09\0\0\0\0\0" + b"S\0\0\0\x04"
"""Describe the unnamed portal, carry it out whole, and be ready for another."""
_CARRY_OUT: Final = b"E\0\0\0\x09\0\0\0\0\0"
_END: Final = b"S\0\0\0\x04"
_length: Final = struct.Struct("!i").pack
_count: Final = struct.Struct("!H").pack


class OneTripConnection(pg8000.legacy.Connection):
    """A connection as SQLAlchemy takes it from the driver."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # Any: the driver's
        self._later: list[str] = []
        try:
            super().__init__(*arguments, **named)
        except (KeyError, struct.error) as error:  # the driver looks up whatever octets come
            self._let_go(self._sock, self._usock)
            raise pg8000.legacy.InterfaceError("what answers does not speak as PostgreSQL does") from error

    def close(self) -> None:
        """Take leave of the server; where it is gone the driver would leave the socket to the collector."""
        held = self._sock, self._usock
        try:
            super().close()
        finally:
            self._let_go(*held)

    @staticmethod
    def _let_go(*held: Any) -> None:  # Any: the driver's, or nothing
        for each in held:
            if each is not None:
                with contextlib.suppress(OSError, ValueError):
                    each.close()

    def cursor(self) -> "OneTripCursor":
        """Make what carries out statements."""
        return OneTripCursor(self)

    @property
    def _in_transaction(self) -> bool:
        return bool(self._later) or self._transaction_status != IDLE

    def begin_unless_begun(self) -> None:
        """Let a transaction begin with the next statement, as the driver does unless it commits by itself."""
        if not self.autocommit and not self._in_transaction:
            self._later.append(_BEGIN)

    def commit(self) -> None:
        """End the transaction; nothing is asked for one in which nothing was done."""
        if self._transaction_status == IDLE:
            self._later.clear()
        else:
            self.execute_simple("commit")

    def rollback(self) -> None:
        """Take the transaction back, with what was not even sent of it."""
        self._later.clear()
        if self._transaction_status != IDLE:
            self.execute_simple("rollback")

    def execute_simple(self, statement: str) -> Context:
        """Carry out what has no values; what nobody looks at is sent with the next statement."""
        context = Context(statement)
        if statement.startswith(_LATER):
            self._later.append(statement)
            return context
        return self._send(context, self._query(statement))

    def execute_unnamed(
        self,
        statement: str,
        vals: Sequence[Any] = (),  # Any: values of columns
        oids: Sequence[int] = (),
        stream: Any = None,  # Any: a file, for COPY, which nobody does
    ) -> Context:
        """Carry out a statement with values: everything that is to be said of it at once."""
        message = b"".join([*self._parse(statement, oids), *self._bind(vals), _RUN])
        return self._send(Context(statement, stream=stream), message)

    def execute_for_each(
        self,
        statement: str,
        rows: Sequence[Sequence[Any]],  # Any: values of columns
        oids: Sequence[int] = (),
    ) -> Context:
        """Carry out a statement for each of some rows; of what it gives, the number of rows that it changed is kept."""
        context, message, octets = Context(statement), [*self._parse(statement, oids)], 0
        for number, row in enumerate(rows, start=1):
            bind = self._bind(row)
            message += (*bind, _CARRY_OUT)
            octets += len(bind[-1])
            if octets >= OCTETS_MAX or number % ROWS_MAX == 0 or number == len(rows):
                self._send(context, b"".join([*message, _END]))
                message, octets = [], 0
        return context

    def _parse(self, statement: str, oids: Sequence[int]) -> tuple[bytes, ...]:
        types = [_count(len(oids)), *(_length(max(0, oid)) for oid in oids)]
        parse = b"".join([b"\0", self._octets(statement), b"\0", *types])
        return b"P", _length(len(parse) + 4), parse

    def _bind(self, row: Sequence[Any]) -> tuple[bytes, ...]:  # Any: values of columns
        values = make_params(self.py_types, row)
        bind = b"".join([b"\0\0\0\0", _count(len(values)), *self._with_lengths(values), b"\0\0"])
        return b"B", _length(len(bind) + 4), bind

    def _send(self, context: Context, message: bytes) -> Context:
        """Send what waited and this together, and read all the answers, before the first failure among them is told of."""
        asked = [*(Context(statement) for statement in self._later), context]
        message = b"".join([*map(self._query, self._later), message])
        self._later.clear()
        sock: Any = self._sock  # Any: the driver's file over a socket; None when it was closed
        if sock is None:
            raise pg8000.legacy.InterfaceError("connection is closed")
        try:
            sock.write(message)
            sock.flush()
        except (OSError, ValueError) as error:
            raise pg8000.legacy.InterfaceError("network error") from error
        failures: list[Exception] = []
        for one in asked:
            try:
                self.handle_messages(one)
            except (pg8000.legacy.DatabaseError, pg8000.legacy.InterfaceError) as error:
                told: Any = one.error  # Any: the driver sets it meanwhile
                if error is not told:  # the connection is lost: there are no more answers
                    raise
                failures.append(error)
            except OSError as error:  # the driver lets through what the network says to the first octet of an answer
                raise pg8000.legacy.InterfaceError("network error") from error
        if failures:
            raise failures[0]
        return context

    def _query(self, statement: str) -> bytes:
        octets = self._octets(statement)
        return b"Q" + _length(len(octets) + 5) + octets + b"\0"

    def _octets(self, text: str) -> bytes:
        return text.encode(str(self._client_encoding))

    def _with_lengths(self, values: Sequence[str | None]) -> Iterator[bytes]:
        for value in values:
            octets = None if value is None else self._octets(value)
            yield _length(-1 if octets is None else len(octets))
            yield octets or b""


def connect_as_offered(
    unchecked: ssl.SSLContext, *arguments: Any, **named: Any
) -> OneTripConnection:  # Any: the driver's
    """Connect under TLS if the server offers it, and without if not.

    Left to itself the driver reads the system's authorities for each such connection, by which nobody is checked: 50 ms of CPU.
    """
    try:
        return connect(*arguments, **named | {"ssl_context": unchecked})
    except pg8000.legacy.InterfaceError as error:
        if _NO_TLS not in str(error):
            raise
    return connect(*arguments, **named | {"ssl_context": False})


def connect(*arguments: Any, **named: Any) -> OneTripConnection:  # Any: the driver's
    """Connect; whatever the driver stumbles over in what is no PostgreSQL server becomes an error of its own.

    Raises: pg8000.legacy.Error, OSError
    """
    try:
        return OneTripConnection(*arguments, **named)
    except (pg8000.legacy.Error, OSError):
        raise
    except Exception:  # noqa: BLE001 - of the driver's reading: of attributes, of lengths, of text
        raise pg8000.legacy.InterfaceError("what answers there is no PostgreSQL server") from None


class OneTripCursor(pg8000.legacy.Cursor):
    """What carries out statements."""

    def execute(
        self, operation: str, args: Sequence[Any] = (), stream: Any = None
    ) -> "OneTripCursor":  # Any: values; a file
        """Carry out a statement, whose values are written as %s."""
        with self._carrying_out() as connection:
            if args or stream is not None:
                self._context = connection.execute_unnamed(in_servers_form(operation), args, self._input_oids, stream)
            else:
                self._context = connection.execute_simple(operation)
        self._row_iter = iter(self._context.rows or ())
        return self

    def executemany(self, operation: str, param_sets: Sequence[Sequence[Any]]) -> "OneTripCursor":  # Any: values
        """Carry out a statement with values for each row, in order; nothing of what it gives can be fetched."""
        with self._carrying_out() as connection:
            self._context = connection.execute_for_each(in_servers_form(operation), param_sets, self._input_oids)
        self._row_iter = iter(())
        return self

    @contextlib.contextmanager
    def _carrying_out(self) -> Generator[OneTripConnection]:
        connection: OneTripConnection | None = self._c
        if connection is None:
            raise pg8000.legacy.InterfaceError("Cursor closed")
        connection.begin_unless_begun()
        try:
            yield connection
        except pg8000.legacy.DatabaseError as error:
            raise _named(error) from error.__cause__
        finally:
            self._input_oids = ()


@functools.lru_cache(TEXTS_MAX)
def in_servers_form(statement: str) -> str:
    """Write a statement's places for values as PostgreSQL has them."""
    return str(convert_paramstyle("format", statement, ())[0])


def _named(error: Exception) -> Exception:
    """Give an error of the server the class that the driver's own cursor gives it."""
    told: dict[str, str] = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    kind = {"23505": pg8000.legacy.IntegrityError, "28000": pg8000.legacy.InterfaceError}
    return kind.get(told.get("C", ""), pg8000.legacy.ProgrammingError)(*error.args)
