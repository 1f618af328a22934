"""Rows as Arrow columns, which DuckDB reads in place: the only file that knows Arrow.

There are no nulls: nothing is an empty text, an empty blob or a number that says so.
"""

from array import array
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from itertools import accumulate
from typing import Any, Literal, TypeAlias

import msgspec
import nanoarrow

Type: TypeAlias = Literal["int64", "uint32", "int32", "uint8", "double", "text", "blob", "int64s"]
Batch: TypeAlias = Any  # Any: nanoarrow's arrays have no types

na: Any = nanoarrow
# The package has a function of the module's name, which hides it from an ordinary import.
_streams: Any = import_module("nanoarrow.c_array_stream")

_SQL: dict[Type, str] = {
    "int64": "BIGINT",
    "uint32": "UINTEGER",
    "int32": "INTEGER",
    "uint8": "UTINYINT",
    "double": "DOUBLE",
    "text": "VARCHAR",
    "blob": "BLOB",
    "int64s": "BIGINT[]",
}
_ARROW: dict[Type, Callable[[], Any]] = {
    "int64": na.int64,
    "uint32": na.uint32,
    "int32": na.int32,
    "uint8": na.uint8,
    "double": na.float64,
    "text": na.large_string,
    "blob": na.large_binary,
}
_CODES: dict[Type, str] = {"int64": "q", "uint32": "I", "int32": "i", "uint8": "B", "double": "d"}


class Octets:
    """Texts or blobs of one column, one behind the other."""

    __slots__ = ("_pieces", "lengths")

    def __init__(self, lengths: "array[int] | None" = None, octets: bytes = b"") -> None:
        self.lengths: array[int] = array("I") if lengths is None else lengths
        """Octets of each."""
        self._pieces = [octets]

    @property
    def octets(self) -> bytes:
        """All of them."""
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0]

    def __len__(self) -> int:
        return len(self.lengths)

    def cut(self, begin: int, end: int) -> "Octets":
        """Return some of them."""
        lengths = self.lengths[begin:end]
        at = sum(self.lengths[:begin])
        return Octets(lengths, self.octets[at : at + sum(lengths)])

    def extend(self, others: "Octets") -> None:
        """Put others behind them."""
        self.lengths.extend(others.lengths)
        self._pieces += others._pieces  # noqa: SLF001 - of its own class; joined once, when somebody wants them


class Column(msgspec.Struct, frozen=True):
    """A column of a table."""

    name: str
    type: Type
    zstd: bool = False
    """Long texts: half the size of DuckDB's own choice, and no slower to search (ADR 0019)."""


class Table(msgspec.Struct, frozen=True):
    """A table's columns."""

    name: str
    columns: tuple[Column, ...]

    def ddl(self, schema: str) -> str:
        """Write the statement that makes the table."""
        columns = ", ".join(
            f"{one.name} {_SQL[one.type]}" + (" USING COMPRESSION zstd" if one.zstd else "") for one in self.columns
        )
        return f"CREATE TABLE IF NOT EXISTS {schema}.{self.name} ({columns})"

    def batch(self, rows: Sequence[tuple[Any, ...]]) -> Batch:
        """Turn rows into one batch."""
        return self.batch_of(tuple(zip(*rows, strict=True)))

    def batch_of(self, columns: "Sequence[Sequence[Any] | Octets]") -> Batch:
        """Turn the values of each column into one batch."""
        children = [_column(column.type, values) for column, values in zip(self.columns, columns, strict=True)]
        return na.c_array_from_buffers(self._schema(), len(columns[0]), [None], children=children, null_count=0)

    def joined(self, runs: Iterable[Sequence[Any]]) -> Batch:
        """Make one batch of the packed columns of some."""
        whole = self.packed()
        for columns in runs:
            for kept, added in zip(whole, columns, strict=True):
                kept.extend(added)
        return self.batch_of(whole)

    def source(self, batches: Sequence[Batch]) -> "Source":
        """Make something that DuckDB can read, again and again, and that later batches do not change."""
        kept = list(batches)
        return self.source_of(lambda: kept)

    def source_of(self, batches: Callable[[], Sequence[Batch]]) -> "Source":
        """Make something that DuckDB can read, which asks for its batches each time."""
        return Source(self._schema(), batches)

    def packed(self) -> list[Any]:
        """Make empty columns to which packed ones can be put: arrays of numbers, octets."""
        return [array(_CODES[one.type]) if one.type in _CODES else Octets() for one in self.columns]

    def _schema(self) -> Any:  # Any: as Batch
        return na.struct({one.name: _arrow(one.type) for one in self.columns})


class Source:
    """Batches as an Arrow stream, asked for when it is read: to know of its columns none is made."""

    def __init__(self, schema: Any, batches: Callable[[], Sequence[Batch]]) -> None:
        self._schema = na.c_schema(schema)
        self._batches = batches

    def __arrow_c_schema__(self) -> object:
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        batches = self._batches()
        stream = _streams.CArrayStream.from_c_arrays(batches, self._schema, move=False, validate=False)
        return stream.__arrow_c_stream__()


def _arrow(type_: Type) -> Any:  # Any: as Batch
    if type_ == "int64s":
        return na.list_(na.int64())
    return _ARROW[type_]()


def _column(type_: Type, values: "Sequence[Any] | Octets") -> Batch:
    if isinstance(values, Octets):
        return na.c_array_from_buffers(
            _arrow(type_), len(values), [None, _offsets(values.lengths), values.octets], null_count=0
        )
    match type_:
        case "text":
            joined = "".join(values)
            if joined.isascii():
                return _octets(type_, values, joined.encode())
            encoded = [value.encode() for value in values]
            return _octets(type_, encoded, b"".join(encoded))
        case "blob":
            return _octets(type_, values, b"".join(values))
        case "int64s":
            flat = array("q", [number for numbers in values for number in numbers])
            child = na.c_array_from_buffers(na.int64(), len(flat), [None, flat], null_count=0)
            offsets = array("i", accumulate(map(len, values), initial=0))
            return na.c_array_from_buffers(_arrow(type_), len(values), [None, offsets], children=[child], null_count=0)
        case _:
            numbers = values if isinstance(values, array) else array(_CODES[type_], values)
            return na.c_array_from_buffers(_arrow(type_), len(values), [None, numbers], null_count=0)


def _octets(type_: Type, values: Sequence[Any], joined: bytes) -> Batch:
    return na.c_array_from_buffers(_arrow(type_), len(values), [None, _offsets(map(len, values)), joined], null_count=0)


def _offsets(lengths: Iterable[int]) -> "array[int]":
    return array("Q", accumulate(lengths, initial=0))  # signed ones take an array twice as long
