"""Log lines as nearly all are written, many at once: one regular expression reads them, with no step of ours for each.

Writers keep to the order of the fields' numbers, or to Java's, which puts the time of observation second. What of a line has a
length of its own is matched by an alternative for each length, since nothing else of `re` can follow a number that it read.
Lines that are written otherwise, or hold longer texts, are not matched and are read field by field.
"""

import re
from array import array
from collections.abc import Sequence
from functools import cache
from sys import byteorder
from typing import Final, NamedTuple

WINDOW: Final = 48 * 1024
"""Octets that are read at once, about 300 lines and half a millisecond."""
BODY_MAX: Final = 1023
"""Octets of the longest text that is matched."""
_BODY_MOSTLY: Final = 90
"""Octets of the text of many a line."""
_ATTRIBUTE_MAX: Final = 255
_STEP: Final = 8
"""Lengths that are tried one by one, after a look at which of so many it is among."""
_HIGH: Final = 0x80
_TWO_OCTETS: Final = 1 << 14

Groups = tuple[bytes, ...]
"""Of a line: all of it, its length, time, severity, body with its lengths, attributes with theirs, trace id, span id."""


class Usual(NamedTuple):
    """Lines side by side."""

    at_ns: "array[int]"
    severities: bytes
    messages: Sequence[bytes]
    """UTF-8."""
    attributes: Sequence[bytes]
    """As they were sent: fields one behind the other."""
    trace_ids: Sequence[bytes]
    span_ids: Sequence[bytes]


def _octet(number: int) -> bytes:
    return b"\\x%02x" % number


def _length(number: int) -> bytes:
    return _octet(number) if number < _HIGH else _octet(number & 0x7F | _HIGH) + _octet(number >> 7)


def _sized(number: int) -> bytes:
    return _length(number) + (b".{%d}" % number if number else b"")


def _text_within() -> bytes:
    """Match the length of a body, and the text in it with its own."""
    runs: list[bytes] = []
    near: dict[tuple[int, int], list[int]] = {}
    for size in range(BODY_MAX + 1):
        outer = size + (2 if size < _HIGH else 3)
        near.setdefault((outer >> 7, outer % _HIGH // _STEP), []).append(size)
    # They are tried one after the other: those as long as most lines come first.
    for (high, _), sizes in sorted(near.items(), key=lambda one: abs(one[1][0] - _BODY_MOSTLY)):
        low, up = (size + (2 if size < _HIGH else 3) for size in (sizes[0], sizes[-1]))
        first = b"[%s-%s]" % (
            (_octet(low), _octet(up)) if not high else (_octet(low & 0x7F | _HIGH), _octet(up & 0x7F | _HIGH))
        )
        second = _octet(high) if high else b""
        runs.append(first + second + rb"\x0a(?:" + b"|".join(map(_sized, sizes)) + b")")
    return b"|".join(runs)


def _attributes() -> bytes:
    short = [_sized(size) for size in range(1, _HIGH)]
    long: list[bytes] = []
    for low in range(_HIGH, _ATTRIBUTE_MAX + 1, _STEP):
        ahead = b"(?=[%s-%s])" % (_octet(low), _octet(low + _STEP - 1))
        long.append(ahead + b"(?:" + b"|".join(_sized(size) for size in range(low, low + _STEP)) + b")")
    return rb"(?:\x32(?:" + b"|".join(short + long) + rb"))*+"


@cache
def pattern() -> "re.Pattern[bytes]":
    """Return what matches a line, from its tag on."""
    observed = rb"(?:\x59.{8}|)"
    names = b"|".join(_sized(size) for size in (4, 5, 7, 3, 6, 0, 8, 9, 10, 11))
    id_of = rb"(?:%s(?:%s(?:\x00{%d}|(.{%d}))|\x00)|)"
    return re.compile(
        rb"(\x12([\x80-\xff][\x01-\x7f]|[\x00-\x7f])"
        rb"\x09(.{8})" + observed + rb"\x10([\x01-\x18])(?:\x1a(?:" + names + rb")|)"
        rb"\x2a(" + _text_within() + rb")"
        rb"(" + _attributes() + rb")"
        rb"(?:\x38[\x00-\x7f]|)(?:\x45.{4}|)"  # dropped_attributes_count, flags
         + id_of % (rb"\x4a", rb"\x10", 16, 16) + id_of % (rb"\x52", rb"\x08", 8, 8) + observed + rb")",
        re.DOTALL,
    )


@cache
def _whole_length() -> dict[bytes, int]:
    """Octets of a line's tag, length and content, by the octets of its length."""
    lengths = {bytes([size]): size + 2 for size in range(_HIGH)}
    return lengths | {bytes([size & 0x7F | _HIGH, size >> 7]): size + 3 for size in range(_HIGH, _TWO_OCTETS)}


def find(raw: bytes, at: int, end: int) -> tuple[list[Groups], int]:
    """Read the lines that follow one another from `at` on; tell where the last one ends.

    Nothing is found where one of them is not written as usual.
    """
    found: list[Groups] = pattern().findall(raw, at, min(end, at + WINDOW))
    if at + WINDOW < end and found:
        found.pop()  # perhaps cut off where the window ends
    if not found:
        return [], at
    wholes = [groups[0] for groups in found]
    lines = b"".join(wholes)
    of = _whole_length()
    # What was matched must be what lies there, without a gap, and each line as long as it says.
    if not raw.startswith(lines, at) or [of[groups[1]] for groups in found] != list(map(len, wholes)):
        return [], at
    return found, at + len(lines)


def side_by_side(found: Sequence[Groups]) -> Usual:
    """Turn lines into columns."""
    _, _, times, severities, bodies, attributes, trace_ids, span_ids = zip(*found, strict=True)
    at_ns = array("q")
    at_ns.frombytes(b"".join(times))
    if byteorder == "big":
        at_ns.byteswap()
    # The lengths before it are as long as those of a text so long are.
    messages = [one[3:] if len(one) < 129 else one[5:] if len(one) > 132 else one[4:] for one in bodies]  # noqa: PLR2004
    if not b"".join(messages).isascii():
        messages = _mended(messages)
    return Usual(at_ns, b"".join(severities), messages, attributes, trace_ids, span_ids)


def _mended(messages: list[bytes]) -> list[bytes]:
    try:
        b"\n".join(messages).decode()
    except UnicodeDecodeError:
        return [one.decode("utf-8", "replace").encode() for one in messages]
    return messages
