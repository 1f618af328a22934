"""What a flush takes from the board, a slice at a time: between two of them whoever beats has its answer.

What was taken counts as flushed; who cannot store it gives it back. What changes meanwhile is taken with it or by the next flush.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from operator import attrgetter
from typing import Final, Protocol, TypeVar

from pilothouse.domain.presence import Seen
from pilothouse.presence.board import Board
from pilothouse.presence.entry import Entry

AT_ONCE: Final = 1_000
"""Entries of a slice: 1 to 3 ms of the loop's time."""
STORED_AT_ONCE: Final = 5_000
"""Entries of a transaction: some tenths of a second, and then other writers have their turn."""


class _Keyed(Protocol):
    @property
    def runtime_key(self) -> int: ...


R = TypeVar("R", bound=_Keyed)
_key: Final = attrgetter("runtime_key")


async def take(board: Board, told: Callable[[Entry], R]) -> list[R]:
    """List what changed since the last flush as `told` tells it, by the runtimes' keys, and count it as flushed."""
    taken: list[R] = []
    left = board.dirty_count  # what comes behind it waits for the next flush, so that this one ends
    try:
        while left > 0:
            taken += map(told, board.take_dirty(min(left, AT_ONCE)))
            left -= AT_ONCE
            if left > 0:
                await asyncio.sleep(0)
        return await _in_order(taken)
    except BaseException:
        await give_back(board, taken)
        raise


async def _in_order(taken: Sequence[R]) -> list[R]:
    """Sort by the keys: what a transaction stores lies together in the database then. Sorted at once, many would hold the loop."""
    shelves: dict[int, list[R]] = {}
    for number, one in enumerate(taken, start=1):
        shelves.setdefault(one.runtime_key // AT_ONCE, []).append(one)
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)
    ordered: list[R] = []
    for shelf in sorted(shelves):
        before = len(ordered) // AT_ONCE
        ordered += sorted(shelves[shelf], key=_key)
        if len(ordered) // AT_ONCE > before:
            await asyncio.sleep(0)
    return ordered


async def store(board: Board, taken: Sequence[R], write: Callable[[Sequence[R], bool], Awaitable[object]]) -> None:
    """Store what was taken, a part in each transaction; what is not stored is flushed again.

    write: stores a part, and is told whether it is the last one; asked once, with nothing, where nothing was taken
    """
    start = 0
    while True:
        part, following = taken[start : start + STORED_AT_ONCE], start + STORED_AT_ONCE
        try:
            await write(part, following >= len(taken))
        except BaseException:  # also when it is cancelled: the last flush of a stop takes it then
            await give_back(board, taken[start:])
            raise
        if following >= len(taken):
            return
        start = following


async def give_back(board: Board, taken: Sequence[_Keyed]) -> None:
    """Have what could not be stored flushed again."""
    for start in range(0, len(taken), AT_ONCE):
        for one in taken[start : start + AT_ONCE]:
            entry = board.find_key(one.runtime_key)
            if entry is not None:
                entry.stored = None
                board.mark_dirty(entry)
        await asyncio.sleep(0)


def seen_of(entry: Entry) -> Seen:
    """Tell what must survive a restart, as far as it is not stored already."""
    more = (entry.address, entry.running_since, entry.status)
    if more == entry.stored:
        return Seen(entry.runtime_key, entry.seen_at, entry.interval_s, None)
    entry.stored = more
    return Seen(entry.runtime_key, entry.seen_at, entry.interval_s, more)
