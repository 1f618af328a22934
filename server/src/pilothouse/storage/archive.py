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
    Table,
    Text,
    column,
    delete,
    insert,
    select,
    table,
    type_coerce,
)
from sqlalchemy.types import TypeEngine

from pilothouse.base.errors import InvalidInput
from pilothouse.storage import alert_tables, ingest_tables, telemetry_origin_tables
from pilothouse.storage.columns import InstantMs
from pilothouse.storage.tables import metadata

MAGIC: Final = b"pilothouse backup 1\n"
LEFT_OUT: Final = frozenset({"sessions", "refresh_tokens", "device_grants"})
"""Who is signed in: nobody is after a restore, or what was ended since would live again."""
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
_SEQUENCES: Final = table("sqlite_sequence", column("name", Text()), column("seq", BigInteger()))
_DEFINED: Final = (alert_tables, ingest_tables, telemetry_origin_tables)
"""Modules whose tables are part of the whole: imported so that `metadata` has them."""


class ArchiveBroken(InvalidInput):
    """The file is no backup, or not all of one."""

    code = "ARCHIVE_BROKEN"


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
        for one in kept_tables():
            counts[str(one.name)] = 0
            for piece in _pieces(connection, one):
                counts[str(one.name)] += len(piece.rows)
                put(piece)
        trailer = Trailer(rows=counts, sha256=digest.hexdigest())
        packed.write(_framed(trailer))
    return trailer


def check(path: Path) -> tuple[Header, Trailer]:
    """Read all of an archive and say what it is.

    Raises: ArchiveBroken, OSError
    """
    header: Header | None = None
    for value in _read(path):
        if isinstance(value, Header):
            header = value
        elif isinstance(value, Trailer) and header is not None:
            return header, value
    raise ArchiveBroken(f"{path} has no beginning.", fix="Take another backup.")


def numbers_given(connection: Connection) -> dict[str, int]:
    """Read the highest number that each growing table has given."""
    found = connection.execute(select(_SEQUENCES.c.name, _SEQUENCES.c.seq))
    return {name: number for name, number in found if name not in LEFT_OUT}


def load(connection: Connection, path: Path) -> dict[str, int]:
    """Put the rows of a checked archive into empty tables, within the caller's transaction; returns how many of each.

    Raises: ArchiveBroken, DBAPIError, OSError
    """
    counts: dict[str, int] = {}
    numbers: dict[str, int] = {}
    for value in _read(path):
        if isinstance(value, Header):
            numbers = value.numbers
        if not isinstance(value, Piece):
            continue
        columns = [column(name, _type(kind)) for name, kind in value.columns]
        names = [name for name, _ in value.columns]
        rows = [dict(zip(names, row, strict=True)) for row in value.rows]
        connection.execute(insert(table(value.table, *columns)), rows)
        counts[value.table] = counts.get(value.table, 0) + len(rows)
    _go_on_behind(connection, numbers)
    return counts


def _go_on_behind(connection: Connection, numbers: dict[str, int]) -> None:
    connection.execute(delete(_SEQUENCES).where(_SEQUENCES.c.name.in_(list(numbers))))
    if numbers:
        connection.execute(insert(_SEQUENCES), [{"name": name, "seq": number} for name, number in numbers.items()])


def kept_tables() -> Sequence[Table]:
    """The tables of an archive, those that are pointed to before those that point."""
    return [one for one in metadata.sorted_tables if one.name not in LEFT_OUT]


def _pieces(connection: Connection, of: Table) -> Generator[Piece]:
    columns = tuple((str(one.name), _kind(one)) for one in of.columns)
    # An instant as it is stored: through seconds it would lose what a float cannot hold.
    wanted = [type_coerce(one, BigInteger) if isinstance(one.type, InstantMs) else one for one in of.columns]
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


def _read(path: Path) -> Generator[Header | Piece | Trailer]:
    """Give what is in an archive; what was given counts only when the end was reached."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ArchiveBroken(f"{path} is no backup of Pilothouse, or one of a newer release.", fix=_NEWER)
        digest = hashlib.sha256()
        try:
            with gzip.GzipFile(fileobj=file, mode="rb") as packed:
                yield from _values(packed.read, digest)
                return
        except (EOFError, zlib.error, gzip.BadGzipFile, msgspec.DecodeError, ValueError) as error:
            raise ArchiveBroken(f"{path} is damaged: {error}.", fix="Take another backup.") from None


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
