"""Log lines as documents, from members side by side to the octets of a bulk request: no line becomes an object of its own.

What is written is what `documents.log_document` writes of the same line; a test holds the two together.
"""

from array import array
from collections.abc import Iterator, Sequence
from itertools import islice, repeat
from typing import Final

import msgspec

from pilothouse.telemetry.model import Attributes, level_of
from pilothouse.telemetry.side_by_side import Lines
from pilothouse.telemetry.stores.opensearch.documents import NS_A_MS, OVERLONG_MIN, is_overlong, pairs

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Attributes).decode
_GRAVITY: Final = tuple(
    b',"severity":%d,"level":"%b","message":' % (severity, level_of(severity).name.encode()) for severity in range(256)
)


def line_documents(lines: Lines, begin: int, numbers: Sequence[int], head: bytes, tail: bytes) -> Iterator[bytes]:
    """Write as many lines as there are numbers, from one on; each between the same octets, which close the document."""
    end = begin + len(numbers)
    at_ns: array[int] = lines.at_ns[begin:end]
    told: dict[bytes, bytes] = {}
    for at, number, severity, message, logger, trace_id, span_id, attributes in zip(
        at_ns,
        numbers,
        lines.severities[begin:end],
        lines.messages[begin:end],
        islice(_loggers(lines), begin, end),
        lines.trace_ids[begin:end],
        lines.span_ids[begin:end],
        lines.attributes[begin:end],
        strict=True,
    ):
        text = message.decode()
        said = _encode(text)
        yield b'%b{"@timestamp":%d,"at_ns":%d,"number":%d%b%b%b%b%b%b%b%b' % (
            head,
            at // NS_A_MS,
            at,
            number,
            _GRAVITY[severity],
            said,
            b',"overlong":' + said if len(text) > OVERLONG_MIN and is_overlong(text) else b"",
            logger,
            b',"trace_id":"%b"' % trace_id.hex().encode() if trace_id else b"",
            b',"span_id":"%b"' % span_id.hex().encode() if span_id else b"",
            (told.get(attributes) or _told(told, attributes)) if attributes else b"",
            tail,
        )


def _told(told: dict[bytes, bytes], attributes: bytes) -> bytes:
    """Write attributes, and what they are found by; lines that tell the same share it."""
    read = _decode(attributes)
    written = told[attributes] = (
        b',"attributes":%b,"attribute":%b' % (attributes, _encode(list(pairs(read)))) if read else b""
    )
    return written


def _loggers(lines: Lines) -> Iterator[bytes]:
    for logger, count in lines.loggers:
        written = b',"logger":' + _encode(logger.decode()) if logger else b""
        yield from repeat(written, count)
