"""Log lines on their way to their file: columns instead of rows, so that nobody needs to look at a line by itself.

The control plane turns what one request told into columns once; the journal keeps them, and the store's process hands
them to DuckDB as they are. Numbers are written in the machine's own order: a journal does not leave its machine.
"""

from array import array
from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from typing import Any, Final

import msgspec

from pilothouse.telemetry.model import LogBatch, LogRecord, Origin
from pilothouse.telemetry.side_by_side import Lines
from pilothouse.telemetry.stores.embedded.columns import Octets
from pilothouse.telemetry.stores.embedded.sorts import Columns, Label, LabelOf

MARK: Final = b"\xc1"
"""The first octet of packed lines: the only one with which no MessagePack begins."""
_TRACE_DIGITS, _SPAN_DIGITS = 32, 16
_encode = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode

Texts = tuple[bytes, bytes]
"""Lengths, 32 bits each, and octets."""


class PackedLogs(msgspec.Struct, frozen=True, array_like=True):
    """Lines of some origins."""

    origins: list[tuple[Origin, int]]
    """Whose they are, and how many of each."""
    at_ns: bytes
    severity: bytes
    message: Texts
    logger: Texts
    trace_id: Texts
    span_id: Texts
    attributes: Texts


class Run(msgspec.Struct, frozen=True):
    """Lines of one environment that follow one another."""

    first: int
    """The first one's number."""
    origins: Sequence[tuple[Origin, int]]
    columns: Sequence[Any]  # Any: `Octets` or an array, which msgspec cannot name
    """Time, severity, and the texts."""

    @property
    def count(self) -> int:
        """How many lines."""
        return len(self.columns[0])

    def after(self, skip: int) -> "Run":
        """Return it without its first lines."""
        return self._between(skip, self.count)

    def until(self, count: int) -> "Run":
        """Return its first lines."""
        return self._between(0, count)

    def _between(self, begin: int, end: int) -> "Run":
        origins: list[tuple[Origin, int]] = []
        at = 0
        for origin, count in self.origins:
            origins.append((origin, max(0, min(end, at + count) - max(begin, at))))
            at += count
        return Run(self.first + begin, origins, [_cut(column, begin, end) for column in self.columns])

    def numbered(self, label_of: LabelOf) -> Columns:
        """Return the columns of the table of lines."""
        labels = array("i")
        for origin, count in self.origins:
            labels.extend(array("i", [label_of(Label(origin))]) * count)
        at_ns, *texts = self.columns
        numbers = array(
            "q", array("Q", range(self.first, self.first + self.count)).tobytes()
        )  # twice as fast as one by one
        return numbers, at_ns, labels, *texts


def pack(batches: Sequence[LogBatch]) -> bytes:
    """Write lines as columns.

    Raises: OverflowError, ValueError, UnicodeEncodeError for what can be no line
    """
    origins = [(batch.origin, len(batch.records)) for batch in batches]
    if all(isinstance(batch.records, Lines) for batch in batches):
        packed = _pack_lines(origins, [batch.records for batch in batches if isinstance(batch.records, Lines)])
    else:
        packed = _pack_records(origins, [record for batch in batches for record in batch.records])
    return MARK + _encode(packed)


def _pack_lines(origins: list[tuple[Origin, int]], batches: Sequence[Lines]) -> PackedLogs:
    loggers = [pair for lines in batches for pair in lines.loggers]
    lengths = array("I")
    for logger, count in loggers:
        lengths.extend(array("I", [len(logger)]) * count)
    return PackedLogs(
        origins,
        b"".join([lines.at_ns for lines in batches]),
        b"".join([lines.severities for lines in batches]),
        _octets([lines.messages for lines in batches]),
        (lengths.tobytes(), b"".join([logger * count for logger, count in loggers])),
        _octets([lines.trace_ids for lines in batches]),
        _octets([lines.span_ids for lines in batches]),
        _octets([lines.attributes for lines in batches]),
    )


def _pack_records(origins: list[tuple[Origin, int]], records: Sequence[LogRecord]) -> PackedLogs:
    return PackedLogs(
        origins,
        array("q", [one.at_ns for one in records]).tobytes(),
        bytes([one.severity for one in records]),
        _texts([one.message for one in records]),
        _texts([one.logger for one in records]),
        _ids([one.trace_id for one in records], _TRACE_DIGITS),
        _ids([one.span_id for one in records], _SPAN_DIGITS),
        _attributes(records),
    )


def unpack(payload: bytes, first: int) -> Iterator[Run]:
    """Read lines, environment by environment; also as they lay in journals before they were packed."""
    if not payload.startswith(MARK):
        payload = pack(msgspec.msgpack.decode(payload, type=list[LogBatch]))
    packed = msgspec.msgpack.decode(memoryview(payload)[1:], type=PackedLogs)
    texts = (packed.message, packed.logger, packed.trace_id, packed.span_id, packed.attributes)
    columns = [array("q", packed.at_ns), array("B", packed.severity), *(Octets(array("I", a), b) for a, b in texts)]
    total, at = len(packed.severity), 0
    for _, group in groupby(packed.origins, key=lambda pair: pair[0].environment_id):
        origins = list(group)
        count = sum(number for _, number in origins)
        whole = count == total
        yield Run(first + at, origins, columns if whole else [_cut(one, at, at + count) for one in columns])
        at += count


def _cut(column: "Octets | array[int]", begin: int, end: int) -> "Octets | array[int]":
    return column.cut(begin, end) if isinstance(column, Octets) else column[begin:end]


def _octets(values: Sequence[Sequence[bytes]]) -> Texts:
    flat = values[0] if len(values) == 1 else list(chain.from_iterable(values))
    return array("I", map(len, flat)).tobytes(), b"".join(flat)


def _texts(values: Sequence[str]) -> Texts:
    octets = "".join(values).encode()
    lengths = array("I", map(len, values))
    if sum(lengths) != len(octets):
        lengths = array("I", [len(value.encode()) for value in values])
    return lengths.tobytes(), octets


def _ids(values: Sequence[str], digits: int) -> Texts:
    if set(map(len, values)) <= {0, digits}:
        octets = bytes.fromhex("".join(values))
        lengths = array("I", [len(value) >> 1 for value in values])
        if sum(lengths) == len(octets):
            return lengths.tobytes(), octets
    each = [bytes.fromhex(value) for value in values]
    return array("I", map(len, each)).tobytes(), b"".join(each)


def _attributes(records: Sequence[LogRecord]) -> Texts:
    written = [_json(one.attributes) if one.attributes else b"" for one in records]
    return array("I", map(len, written)).tobytes(), b"".join(written)
