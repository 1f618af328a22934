"""The whole database in one stream that no dialect owns: what a backup is, and how one moves to another database.

Layout: the line `MAGIC`, then gzip over frames, each four octets of length (big-endian) and one MessagePack value.
The first frame is the `Header`, then `Piece`s of the tables in the order in which they refer to each other, then the `Trailer`,
which holds the SHA-256 of everything before it. Who reads checks all of it before the first row is written.
"""

import gzip
import hashlib
import struct
import zlib
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    func,
    insert,
    select,
    type_coerce,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from pilothouse.base.errors import InvalidInput
from pilothouse.storage import (
    alert_tables,
    claim_tables,
    counter_tables,
    ingest_tables,
    kept_tables,
    replica_tables,
    telemetry_origin_tables,
    try_it_tables,
)
from pilothouse.storage.archive_numbers import growing
from pilothouse.storage.columns import InstantMs
from pilothouse.storage.dialects import KINDS, Trouble
from pilothouse.storage.engine import told_by, trouble_of
from pilothouse.storage.tables import metadata

MAGIC: Final = b"pilothouse backup 1\n"
_OF_PROCESSES: Final = (
    counter_tables.counters,
    replica_tables.replicas,
    replica_tables.heard_batches,
    replica_tables.tellings,
    claim_tables.chores,
    claim_tables.sign_in_attempts,
    claim_tables.round_trips,
)
"""Rows that tell nothing of what people keep: a database with no others is empty."""
LEFT_OUT: Final = frozenset({"sessions", "refresh_tokens", "device_grants", *(str(one.name) for one in _OF_PROCESSES)})
"""Who is signed in: nobody is after a restore, or what was ended since would live again. Counters are in the header."""
ROWS_A_PIECE: Final = 500
FRAME_BYTES_MAX: Final = 256 * 1024 * 1024
_LEVEL: Final = 5
_TYPES: Final[dict[str, TypeEngine[Any]]] = {  # Any: columns of any type
    "int": BigInteger(),
    "bool": Boolean(),
    "float": Float(),
    "text": Text(),
    "bytes": LargeBinary(),
}
_DEFINED: Final = (alert_tables, ingest_tables, kept_tables, telemetry_origin_tables, try_it_tables)
"""Modules whose tables are part of the whole: imported so that `metadata` has them."""


class ArchiveBroken(InvalidInput):
    """The file is no backup, or not all of one."""

    code = "ARCHIVE_BROKEN"


class RowRefused(InvalidInput):
    """The database does not take a row of the backup."""

    code = "ROW_REFUSED"


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive says of itself."""

    release: str
    revision: str
    """The schema that the rows are of."""
    at_ms: int
    dialect: str
    key_number: str
    """Names the key that secrets are sealed under, in hexadecimal; the key itself is never in it."""
    numbers: dict[str, int] = {}
    """The highest number that each growing table has ever given: none is given twice, also of rows that are gone."""


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """Some rows of one table."""

    table: str
    columns: tuple[tuple[str, str], ...]
    """Names, and what they hold: a key of `_TYPES`. Instants are milliseconds."""
    rows: list[list[Any]]


class Trailer(msgspec.Struct, frozen=True, kw_only=True):
    """The end, without which nothing is believed."""

    rows: dict[str, int]
    sha256: str


def write(connection: Connection, to: BinaryIO, header: Header) -> Trailer:
    """Write everything that one transaction sees. Memory: a piece of a table at a time.

    Raises: DBAPIError, OSError
    """
    to.write(MAGIC)
    digest, counts = hashlib.sha256(), dict[str, int]()
    with gzip.GzipFile(fileobj=to, mode="wb", compresslevel=_LEVEL, mtime=0) as packed:

        def put(value: object) -> None:
            frame = _framed(value)
            digest.update(frame)
            packed.write(frame)

        put(header)
        for one in archived_tables():
            counts[str(one.name)] = 0
            for piece in _pieces(connection, one):
                counts[str(one.name)] += len(piece.rows)
                put(piece)
        trailer = Trailer(rows=counts, sha256=digest.hexdigest())
        packed.write(_framed(trailer))
    return trailer


def check(path: Path, called: str = "") -> tuple[Header, Trailer]:
    """Read all of an archive and say what it is.

    called: what begins a sentence about it, if not its path
    Raises: ArchiveBroken, OSError
    """
    header: Header | None = None
    for value in _read(path, called):
        if isinstance(value, Header):
            header = value
        elif isinstance(value, Trailer) and header is not None:
            return header, value
    raise ArchiveBroken(f"{called or path} has no beginning.", fix="Take another backup.")


def load(connection: Connection, path: Path) -> dict[str, int]:
    """Put the rows of a checked archive into empty tables, within the caller's transaction; returns how many of each.

    Raises: ArchiveBroken, RowRefused, DBAPIError, OSError
    """
    counts: dict[str, int] = {}
    numbered = growing()
    for value in _read(path):
        if not isinstance(value, Piece):
            continue
        names = [name for name, _ in value.columns]
        rows = [dict(zip(names, row, strict=True)) for row in value.rows]
        try:
            connection.execute(insert(_table_of(value, numbered.get(value.table))), rows)
        except DBAPIError as error:
            if trouble_of(error, KINDS[connection.dialect.name]) is not Trouble.STATEMENT:
                raise
            raise RowRefused(
                f"The database does not take a row of {value.table}: {told_by(error)}.",
                fix="Nothing was put in. Change what does not fit where the backup was taken, and take another one.",
            ) from error
        counts[value.table] = counts.get(value.table, 0) + len(rows)
    return counts


def compare(connection: Connection, told: Trailer) -> None:
    """Count the rows that are there now.

    Raises: ArchiveBroken when they are not as many as the archive says
    """
    for name, expected in told.rows.items():
        there: int = connection.execute(select(func.count()).select_from(Table(name, MetaData()))).scalar_one()
        if there != expected:
            raise ArchiveBroken(
                f"{there} rows of {name} are in the database, and {expected} in the backup.",
                fix="Nothing was put in. Report this.",
            )


def first_filled(connection: Connection) -> str | None:
    """Name a table that has a row; None when the database is empty but for what processes keep there."""
    for one in metadata.sorted_tables:
        if one not in _OF_PROCESSES and connection.execute(select(*one.primary_key).limit(1)).first():
            return str(one.name)
    return None


def _table_of(piece: Piece, number: str | None) -> Table:
    """Make the table as it was when the archive was written; SQL Server wants to know which column it numbers itself."""
    columns = [
        Column(name, _type(kind), primary_key=name == number, autoincrement=name == number)
        for name, kind in piece.columns
    ]
    return Table(piece.table, MetaData(), *columns)


def archived_tables() -> Sequence[Table]:
    """The tables of an archive, those that are pointed to before those that point."""
    return [one for one in metadata.sorted_tables if one.name not in LEFT_OUT]


def _pieces(connection: Connection, of: Table) -> Generator[Piece]:
    given = [one for one in of.columns if one.computed is None]  # the others are computed where they are put in
    columns = tuple((str(one.name), _kind(one)) for one in given)
    # An instant as it is stored: through seconds it would lose what a float cannot hold.
    wanted = [type_coerce(one, BigInteger) if isinstance(one.type, InstantMs) else one for one in given]
    question = select(*wanted).order_by(*of.primary_key.columns).execution_options(yield_per=ROWS_A_PIECE)
    for rows in connection.execute(question).partitions():
        yield Piece(str(of.name), columns, [list(row) for row in rows])


def _kind(of: Column[Any]) -> str:
    kinds: Sequence[tuple[type[TypeEngine[Any]], str]] = (
        (Boolean, "bool"),
        (Integer, "int"),
        (Float, "float"),
        (LargeBinary, "bytes"),
    )
    if isinstance(of.type, InstantMs):
        return "int"
    return next((kind for type_, kind in kinds if isinstance(of.type, type_)), "text")


def _type(kind: str) -> TypeEngine[Any]:
    if kind not in _TYPES:
        raise ArchiveBroken(f"The backup holds a kind of value that this release does not know: {kind}.", fix=_NEWER)
    return _TYPES[kind]


_NEWER: Final = "It was made by a newer Pilothouse: restore it with that release."


def _framed(value: object) -> bytes:
    packed = msgspec.msgpack.encode([type(value).__name__, value])
    return struct.pack(">I", len(packed)) + packed


def _read(path: Path, called: str = "") -> Generator[Header | Piece | Trailer]:
    """Give what is in an archive; what was given counts only when the end was reached."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ArchiveBroken(f"{called or path} is no backup of Pilothouse, or one of a newer release.", fix=_NEWER)
        digest = hashlib.sha256()
        try:
            with gzip.GzipFile(fileobj=file, mode="rb") as packed:
                yield from _values(packed.read, digest)
                return
        except (EOFError, zlib.error, gzip.BadGzipFile, msgspec.DecodeError, ValueError) as error:
            raise ArchiveBroken(f"{called or path} is damaged: {error}.", fix="Take another backup.") from None


def _values(read: Callable[[int], bytes], digest: Any) -> Generator[Header | Piece | Trailer]:  # Any: hashlib's object
    counts: dict[str, int] = {}
    while True:
        head = read(4)
        size = struct.unpack(">I", head)[0] if len(head) == 4 else 0  # noqa: PLR2004 - the length of a length
        packed = read(size) if 0 < size <= FRAME_BYTES_MAX else b""
        if not packed or len(packed) < size:
            raise EOFError("it ends in the middle")
        name, value = msgspec.msgpack.decode(packed, type=tuple[str, msgspec.Raw])
        if name == Trailer.__name__:
            trailer = msgspec.msgpack.decode(value, type=Trailer)
            told = {table: number for table, number in trailer.rows.items() if number}
            if trailer.sha256 != digest.hexdigest() or told != counts:
                raise ValueError("its checksum does not match")
            if read(1):
                raise ValueError("something follows its end")
            yield trailer
            return
        digest.update(head + packed)
        if name == Header.__name__:
            yield msgspec.msgpack.decode(value, type=Header)
        else:
            piece = msgspec.msgpack.decode(value, type=Piece)
            counts[piece.table] = counts.get(piece.table, 0) + len(piece.rows)
            yield piece
