"""The token index: in which blocks of numbers a word or a trace id is.

Words are told apart by their CRC-32: of its 32 bits, a billion words a file share few enough. What shares one is read and
then compared, so that the answer is right however often it happens.

What each flush adds is sorted, yet a word can be in each flush's: there is nothing to skip between them but the tables in
which a word cannot be. Hence there are several, told apart by the first bits of the hash (ADR 0019). They are added to
seldom, since each time some of each is written again: until it is worth it, entries lie in a table of what is fresh.
"""

import string
import struct
import zlib
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import Final

import msgspec

from pilothouse.telemetry.stores.embedded.columns import Octets

LAYOUT: Final = "crc32/16+words"
"""How the index of a part that is written now is made, and which tables it has. One of another layout is not added to."""
_WITHOUT_WORDS: Final = "crc32/16+"
"""Parts from before: a piece of a word is looked for in all messages."""
_WITHOUT_FRESH: Final = "crc32/16"
"""Parts from before: entries went to the sixteen tables at once."""
_ONE_TABLE: Final = "crc32"
"""Parts from before: all hashes in a single table, and metrics of services merged by the hour only."""
FRESH_MAX: Final = 1 << 19
"""Entries that lie in the table of what is fresh, all of which is read: a millisecond."""
_SHARD_BITS: Final = 4
_HASH_BITS: Final = 32
SHARDS: Final = 1 << _SHARD_BITS
BLOCK_BITS: Final = 11
"""The index says in which block of 2,048 numbers a token is."""
TOKEN: Final = "[A-Za-z0-9_-]{6,}"  # noqa: S105 - a word of a text
"""What the index holds of a message."""
NO_TOKEN: Final = "[^A-Za-z0-9_-]"  # noqa: S105 - what is between words
"""What ends such a word."""
TOKEN_OCTETS_MIN: Final = 6
UNKNOWN: Final = "*"
"""Stands where a block's words would, if they are not kept: the block is read."""
_UNKNOWN_OCTETS: Final = UNKNOWN.encode()
_WORDS_IN_ONE: Final = 64
"""Words in one text: an ordinary text then stays short enough for DuckDB's compression of short ones."""
_SHARE_MAX: Final = 2
"""Words are kept while they take at most one octet in so many of the messages: a disk is not filled with all twice."""
_LIKE_ASCII: Final = ("\u212a".encode(), "\u0130".encode())
"""Letters beyond ASCII, between words for us, whose small letters are in it: k and i."""
_ID_OCTETS: Final = 16
_SOME_IDS: Final = struct.Struct("16s" * 64)

_WITHIN = (string.ascii_letters + string.digits + "_-").encode()
_BETWEEN = bytes(octet if octet in _WITHIN else 0x20 for octet in range(256))


def hash_of(token: bytes) -> int:
    """Return what stands for a word, or for a trace's id in octets."""
    return zlib.crc32(token)


def knows(layout: str) -> bool:
    """Tell whether an index was made as ours is. If not it is not used: its part is read as if it had none."""
    return layout in {LAYOUT, _WITHOUT_WORDS, _WITHOUT_FRESH, _ONE_TABLE}


def has_services(layout: str) -> bool:
    """Tell whether metrics of services are in tables of their own."""
    return layout in {LAYOUT, _WITHOUT_WORDS, _WITHOUT_FRESH}


def has_words(layout: str) -> bool:
    """Tell whether the words of each block stand in a column of its lines."""
    return layout == LAYOUT


def tables_sql(schema: str) -> list[str]:
    """Write the statements that make a part's index."""
    names = [*(f"tokens{shard}" for shard in range(SHARDS)), "fresh"]
    return [f"CREATE TABLE {schema}.{name} (hash UINTEGER, block UINTEGER)" for name in names]


def adding_sql(schema: str, table: str) -> str:
    """Write the statement that adds the entries in a table."""
    return f"INSERT INTO {schema}.fresh SELECT hash, block FROM {table}"


def sorting_in_sql(schema: str) -> list[str]:
    """Write the statements that put what is fresh to where it is found by looking at little; within one transaction."""
    # Sorted once and then cut: to look for each table's own among all takes half as long again.
    width = 1 << _HASH_BITS - _SHARD_BITS
    entry = f"hash::UBIGINT << {_HASH_BITS} | block"
    return [
        f"CREATE OR REPLACE TEMP TABLE sorted AS SELECT * FROM {schema}.fresh ORDER BY {entry}",
        *(
            f"INSERT INTO {schema}.tokens{shard} SELECT * FROM sorted"
            f" WHERE hash BETWEEN {shard * width} AND {shard * width + width - 1}"
            for shard in range(SHARDS)
        ),
        "DROP TABLE sorted",
        f"DROP TABLE {schema}.fresh",
        f"CREATE TABLE {schema}.fresh (hash UINTEGER, block UINTEGER)",
    ]


def blocks_sql(schema: str, layout: str, hashes: Iterable[int]) -> str:
    """Write the question in which blocks one of some hashes is."""
    tables: dict[str, list[int]] = defaultdict(list)
    for hash_ in sorted(hashes):
        tables["tokens" if layout == _ONE_TABLE else f"tokens{hash_ >> _HASH_BITS - _SHARD_BITS}"].append(hash_)
        if layout in {LAYOUT, _WITHOUT_WORDS}:
            tables["fresh"].append(hash_)
    # A single one is compared: that takes half the time of looking it up in a list.
    each = (
        f"SELECT block FROM {schema}.{table} WHERE hash "
        + (f"= {some[0]}" if len(some) == 1 else f"IN ({', '.join(map(str, some))})")
        for table, some in tables.items()
    )
    return f"SELECT DISTINCT block FROM ({' UNION ALL '.join(each)}) ORDER BY block"


class Entries:
    """Hashes of words, and in which block each of them is."""

    __slots__ = ("blocks", "hashes")

    def __init__(self) -> None:
        self.hashes: array[int] = array("I")
        self.blocks: array[int] = array("I")

    def __len__(self) -> int:
        return len(self.hashes)

    def add(self, hashes: Collection[int], block: int) -> None:
        """Add those of a block."""
        self.hashes.extend(hashes)
        self.blocks.extend(array("I", [block]) * len(hashes))

    def extend(self, others: "Entries") -> None:
        """Put others behind them."""
        self.hashes.extend(others.hashes)
        self.blocks.extend(others.blocks)


class Index(msgspec.Struct, frozen=True):
    """What is written of some rows so that they are found."""

    entries: Entries
    hashes: Sequence[AbstractSet[int]]
    """Those of each block, which the entries have too."""
    words: Octets
    """A text for each row: a block's words stand in its first ones, each between two spaces, and nothing in the others."""


def index_of(
    numbers: "array[int]", ids: Octets, messages: Octets | None = None, apart: Mapping[int, bytes] | None = None
) -> Index:
    """Index rows, whose `numbers` must grow; `apart` is what `words.told_apart` lists of the messages, if it could."""
    found = Entries()
    each: list[set[int]] = []
    lengths = array("I", bytes(4 * len(numbers)))
    texts: list[bytes] = []
    row = text_at = id_at = 0
    while row < len(numbers):
        block = numbers[row] >> BLOCK_BITS
        after = bisect_left(numbers, (block + 1) << BLOCK_BITS, row)
        id_until = id_at + sum(ids.lengths[row:after])
        hashes = _hashes_of_ids(ids, row, after, id_at, id_until)
        if messages is not None:
            of_messages = messages.lengths[row:after]
            told = _joined(messages.octets, text_at, of_messages) if apart is None else apart.get(block, b"")
            words = _words(told)
            hashes.update(map(zlib.crc32, words))
            size = sum(of_messages)
            for at, text in enumerate(_kept(words, told, after - row, size // _SHARE_MAX), row):
                lengths[at] = len(text)
                texts.append(text)
            text_at += size
        found.add(hashes, block)
        each.append(hashes)
        row, id_at = after, id_until
    return Index(found, each, Octets(lengths, b"".join(texts)))


def _words(text: bytes) -> list[bytes]:
    return list({word for word in text.translate(_BETWEEN).split() if len(word) >= TOKEN_OCTETS_MIN})


def _kept(words: Sequence[bytes], told: bytes, rows: int, size_max: int) -> list[bytes]:
    """Write the words as texts for some of a block's rows."""
    if sum(map(len, words)) + len(words) > size_max or _has_like_ascii(told):
        return [_UNKNOWN_OCTETS]
    each = max(_WORDS_IN_ONE, -(-len(words) // rows))
    return [b" " + b" ".join(words[at : at + each]) + b" " for at in range(0, len(words), each)]


def _has_like_ascii(told: bytes) -> bool:
    return not told.isascii() and any(letter in told for letter in _LIKE_ASCII)


def _joined(texts: bytes, at: int, lengths: "array[int]") -> bytes:
    pieces: list[bytes] = []
    for length in lengths:
        pieces.append(texts[at : at + length])
        at += length
    return b" ".join(pieces)  # a space between two messages keeps their words apart


def _hashes_of_ids(ids: Octets, row: int, after: int, at: int, until: int) -> set[int]:
    octets, lengths = ids.octets, ids.lengths[row:after]
    hashes: set[int] = set()
    if set(lengths) <= {0, _ID_OCTETS}:
        # Many at once: to cut out an id by itself costs as much again as its hash.
        rest = until - (until - at) % _SOME_IDS.size
        hashes.update(map(zlib.crc32, chain.from_iterable(_SOME_IDS.iter_unpack(memoryview(octets)[at:rest]))))
        lengths, at = array("I", [_ID_OCTETS]) * ((until - rest) // _ID_OCTETS), rest
    for length in lengths:
        if length:
            hashes.add(zlib.crc32(octets[at : at + length]))
        at += length
    return hashes
