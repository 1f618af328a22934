"""Where in a file a question need look: blocks of lines that have its words, or a word with the piece it asks for."""

import re
from collections.abc import Iterable, Sequence

import msgspec

from pilothouse.telemetry.questions import LogFilter
from pilothouse.telemetry.stores.embedded.asking import Asking, Conditions, Source
from pilothouse.telemetry.stores.embedded.index import BLOCK_BITS, NO_TOKEN, TOKEN, UNKNOWN, blocks_sql, hash_of

FEW_BLOCKS = 64
"""So many are read at once; of more, the ones that lie first are."""
_RANGES_MAX = 16
"""Each is compared with every row near it."""
_COMMON = 0.5
"""A piece that is in more of the blocks than that narrows nothing."""
_WORDS_MAX = 4
"""Of a phrase, looked up in the index: each costs a look, and a few say where it can be."""
_WORD = re.compile(TOKEN + r"\Z")
_RUN = re.compile(TOKEN)
_WHOLE_WORD = re.compile(f"(?<={NO_TOKEN}){TOKEN}(?={NO_TOKEN})")
"""A word of a phrase that ends within it, and so is a word of every message that has the phrase."""
_NO_ID = "00"
"""An id that no line has."""
_ID_DIGITS = 32
_OFTEN = " eatonirslducm0123456789pfghbvy-_./:=,wkxjqz"
"""Characters of messages, the most frequent first."""
_SUFFIX_MIN = 3


class Piece(msgspec.Struct, frozen=True):
    """What must be within the words of a block for a line of it to have a phrase."""

    text: str
    """With a space where a word must begin or end."""
    ignore_case: bool


def hex_of(told: str) -> str:
    """Return a trace's id as it is kept; one that no line has for what is none."""
    lower = told.lower()
    return lower if len(lower) == _ID_DIGITS and all(digit in "0123456789abcdef" for digit in lower) else _NO_ID


def rarest_end(phrase: str) -> str:
    """Return the end of a phrase that begins with its rarest character: DuckDB looks for a text by its first octet."""

    def rank(at: int) -> int:
        place = _OFTEN.find(phrase[at])
        return place if place >= 0 else len(_OFTEN) if phrase[at].isascii() else 0

    begins = range(max(1, len(phrase) - _SUFFIX_MIN + 1))
    return phrase[max(begins, key=rank) :] if phrase else ""


def hashes_of(filter_: LogFilter) -> list[frozenset[int]]:
    """Tell what the index must have for a line to match: one of each set."""
    hashes: list[frozenset[int]] = []
    for word in (filter_.token, filter_.trace_id.lower()):
        if word and _WORD.match(word):
            as_word = {hash_of(word.encode())} if word == filter_.token else set[int]()
            id_ = hex_of(word)
            hashes.append(frozenset(as_word if as_word and id_ == _NO_ID else as_word | {hash_of(bytes.fromhex(id_))}))
    if not filter_.ignore_case:
        hashes += [frozenset({hash_of(word.encode())}) for word in _whole_words(filter_.phrase)]
    return hashes


def _whole_words(phrase: str) -> list[str]:
    """List the longest of the words that every message with a phrase has: they are in the fewest."""
    return sorted(_WHOLE_WORD.findall(phrase), key=len, reverse=True)[:_WORDS_MAX]


def piece_of(filter_: LogFilter) -> Piece | None:
    """Tell what to look for in words: the longest piece of one that is not whole; None if all are short."""
    phrase, ignore_case = filter_.phrase, filter_.ignore_case

    def edge(at: int) -> str:
        # Whatever its case, a letter beyond ASCII can be one within it: it need not end a word.
        return " " if 0 <= at < len(phrase) and (phrase[at].isascii() or not ignore_case) else ""

    texts = [edge(run.start() - 1) + run[0] + edge(run.end()) for run in _RUN.finditer(phrase)]
    texts = [text for text in texts if ignore_case or not (text.startswith(" ") and text.endswith(" "))]
    return Piece(max(texts, key=len), ignore_case) if texts else None


def blocks_of(asking: Asking, source: Source, tokens: Sequence[frozenset[int]]) -> list[int] | None:
    """List the blocks of a part that have one of each set, by its index; None when that says nothing."""
    if source.part is None or not source.indexed or not tokens:
        return None
    both: set[int] | None = None
    for hashes in tokens:
        rows = asking.run(blocks_sql(source.part.schema, source.part.layout, hashes))
        found = {block for (block,) in rows}
        both = found if both is None else both & found
        if not both:
            return []
    return sorted(both or ())


def blocks_with(asking: Asking, source: Source, piece: Piece, among: Sequence[int] | None) -> list[int] | None:
    """List the blocks, of some or all, in which a word has a piece; None when too many have, or nothing is known."""
    if source.part is None or not source.part.has_words:
        return None
    words = "lower(words)" if piece.ignore_case else "words"
    text = piece.text.lower() if piece.ignore_case else piece.text
    rows = asking.run(
        f"SELECT DISTINCT number >> {BLOCK_BITS} AS block FROM {source.table}"
        f" WHERE words <> '' AND ((contains({words}, ?) AND contains({words}, ?)) OR words = '{UNKNOWN}') ORDER BY block",
        [rarest_end(text), text],
    )
    if len(rows) > _COMMON * (source.part.records >> BLOCK_BITS) and len(rows) > FEW_BLOCKS:
        return None
    blocks = [block for (block,) in rows]
    return blocks if among is None else sorted(set(among).intersection(blocks))


def narrowed(asking: Asking, source: Source, tokens: Sequence[frozenset[int]]) -> Conditions | None:
    """Narrow a part to where its index has one of each set; None when it has none of one of them."""
    return within(blocks_of(asking, source, tokens))


def within(blocks: Sequence[int] | None) -> Conditions | None:
    """Make the conditions that a row is in one of some blocks; None when there is none of them, nothing when all may be."""
    narrow = Conditions()
    if blocks is None:
        return narrow
    if not blocks:
        return None
    ranges = _ranges(blocks)
    each = " OR ".join(f"number BETWEEN {low << BLOCK_BITS} AND {_end(high)}" for low, high in ranges)
    narrow.add(f"({each})")
    narrow.add(f"number BETWEEN {ranges[0][0] << BLOCK_BITS} AND {_end(ranges[-1][1])}")
    return narrow


def _end(block: int) -> int:
    return ((block + 1) << BLOCK_BITS) - 1


def _ranges(blocks: Sequence[int]) -> list[tuple[int, int]]:
    """Join blocks to a few ranges, those first that are near one another."""
    gaps = sorted(
        (at for at in range(1, len(blocks)) if blocks[at] - blocks[at - 1] > 1),
        key=lambda at: blocks[at - 1] - blocks[at],
    )
    return list(_cut(blocks, sorted(gaps[: _RANGES_MAX - 1])))


def _cut(blocks: Sequence[int], cuts: Sequence[int]) -> Iterable[tuple[int, int]]:
    begin = 0
    for cut in [*cuts, len(blocks)]:
        yield blocks[begin], blocks[cut - 1]
        begin = cut
