"""The token index: in which blocks of numbers a word or a trace id is.

Words are told apart by their CRC-32: of its 32 bits, a billion words a file share few enough. What shares one is read and
then compared, so that the answer is right however often it happens.
"""

import string
import zlib
from array import array
from bisect import bisect_left
from typing import Final

from pilothouse.telemetry.stores.embedded.columns import Octets

ENGINE: Final = "crc32"
"""How a part's index was made. One that was made otherwise is not used: its part is read as if it had none."""
BLOCK_BITS: Final = 11
"""The index says in which block of 2,048 numbers a token is."""
TOKEN: Final = "[A-Za-z0-9_-]{6,}"  # noqa: S105 - a word of a text
"""What the index holds of a message."""
_TOKEN_OCTETS_MIN: Final = 6
_ID_OCTETS: Final = 16

_WITHIN = (string.ascii_letters + string.digits + "_-").encode()
_BETWEEN = bytes(octet if octet in _WITHIN else 0x20 for octet in range(256))


def hash_of(token: bytes) -> int:
    """Return what stands for a word, or for a trace's id in octets."""
    return zlib.crc32(token)


def entries(numbers: "array[int]", ids: Octets, messages: Octets | None = None) -> "array[int]":
    """Index rows: the hash in the upper 32 bits of each entry, the block in the lower ones.

    `numbers` must grow.
    """
    found = array("Q")
    row = text_at = id_at = 0
    texts = None if messages is None else messages.octets
    while row < len(numbers):
        block = numbers[row] >> BLOCK_BITS
        after = bisect_left(numbers, (block + 1) << BLOCK_BITS, row)
        id_until = id_at + sum(ids.lengths[row:after])
        hashes = set(map(zlib.crc32, _ids(ids, row, after, id_at, id_until)))
        if texts is not None and messages is not None:
            # A space between two messages keeps their words apart.
            lengths = messages.lengths[row:after]
            until = text_at + sum(lengths)
            words = set(_split(texts, text_at, lengths))
            hashes.update([zlib.crc32(word) for word in words if len(word) >= _TOKEN_OCTETS_MIN])
            text_at = until
        found.extend([hash_ << 32 | block for hash_ in hashes])
        row, id_at = after, id_until
    return found


def _split(texts: bytes, at: int, lengths: "array[int]") -> list[bytes]:
    pieces: list[bytes] = []
    for length in lengths:
        pieces.append(texts[at : at + length])
        at += length
    return b" ".join(pieces).translate(_BETWEEN).split()


def _ids(ids: Octets, row: int, after: int, at: int, until: int) -> set[bytes]:
    octets = ids.octets
    if set(ids.lengths[row:after]) <= {0, _ID_OCTETS}:
        return {octets[each : each + _ID_OCTETS] for each in range(at, until, _ID_OCTETS)}
    found: set[bytes] = set()
    for length in ids.lengths[row:after]:
        found.add(octets[at : at + length])
        at += length
    return found
