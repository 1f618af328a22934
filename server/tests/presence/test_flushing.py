"""What a flush takes from the board: all that changed, once, and never long enough at a time for a beat to wait."""

import asyncio
import time
from collections.abc import Callable, Sequence

import pytest
from pilothouse.base.errors import StorageUnavailable
from pilothouse.domain.liveness import LivenessRules, Status
from pilothouse.domain.presence import Seen
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.presence import Board, Entry, flushing, merging, watching
from pilothouse.presence.flushing import AT_ONCE, STORED_AT_ONCE

pytestmark = pytest.mark.anyio
T = 1_790_000_000.0


def entry(key: int) -> Entry:
    return Entry(
        runtime_key=key, runtime_id=f"r{key}", project_id="p", integration_id="i", environment_id="dev",
        runtime_type=RuntimeType.PY, runtime_hash="h", seen_at=T, interval_s=10.0, interval_is_reported=True, address=None,
        running_since=T, status=Status.RUNNING,
    )  # fmt: skip


def board(count: int) -> Board:
    made = Board(LivenessRules(), T - 1_000)
    for key in range(count):
        made.put(entry(key))
    return made


def beat(shown: Board, key: int, at: float) -> None:
    known = shown.find_key(key)
    assert known is not None
    shown.touch(known, at, "10.0.0.1")


async def keys(shown: Board) -> list[int]:
    return [row.runtime_key for row in await flushing.take(shown, flushing.seen_of)]


async def test_what_changed_is_taken_once_with_what_is_known_last() -> None:
    shown = board(3)
    for at in (T + 5, T + 6):
        beat(shown, 1, at)
    (row,) = await flushing.take(shown, flushing.seen_of)
    assert (row.runtime_key, row.seen_at, row.more) == (1, T + 6, ("10.0.0.1", T, Status.RUNNING))
    assert await keys(shown) == []
    beat(shown, 1, T + 7)
    assert await keys(shown) == [1]


async def test_where_only_a_beat_came_since_the_last_flush_nothing_else_is_stored_again() -> None:
    shown = board(1)
    known = shown.find_key(0)
    assert known is not None

    async def told_at(at: float, address: str) -> list[Seen]:
        shown.touch(known, at, address)
        return await flushing.take(shown, flushing.seen_of)

    (first,) = await told_at(T + 1, "10.0.0.1")
    assert first.more == ("10.0.0.1", T, Status.RUNNING)
    (again,) = await told_at(T + 2, "10.0.0.1")
    assert (again.seen_at, again.interval_s, again.more) == (T + 2, 10.0, None)
    (moved,) = await told_at(T + 3, "10.0.0.2")
    assert moved.more == ("10.0.0.2", T, Status.RUNNING)
    (turn,) = watching.turns(shown, T + 500)
    shown.announce(turn)
    (silent,) = await flushing.take(shown, flushing.seen_of)
    assert silent.more == ("10.0.0.2", T, Status.OFFLINE)
    assert [one.more for one in await told_at(T + 501, "10.0.0.2")] == [None]


async def test_what_could_not_be_stored_comes_whole_with_the_next_flush() -> None:
    shown = board(1)
    beat(shown, 0, T + 1)
    await flushing.give_back(shown, await flushing.take(shown, flushing.seen_of))
    beat(shown, 0, T + 2)
    (again,) = await flushing.take(shown, flushing.seen_of)
    assert again.more == ("10.0.0.1", T, Status.RUNNING)


async def test_what_is_taken_comes_in_the_order_of_the_keys_in_which_databases_keep_it() -> None:
    count = 3 * AT_ONCE
    shown = board(count)
    for key in range(count):
        beat(shown, key * 7 % count, T + 1)
    assert await keys(shown) == list(range(count))


async def test_what_could_not_be_stored_is_taken_again_with_what_came_since() -> None:
    shown = board(AT_ONCE + 1)
    for key in range(AT_ONCE + 1):
        beat(shown, key, T + 1)
    taken = await flushing.take(shown, merging.heard_of)
    beat(shown, 7, T + 2)
    await flushing.give_back(shown, taken)
    again = {one.runtime_key: one.seen_at for one in await flushing.take(shown, merging.heard_of)}
    assert again == {key: T + (2 if key == 7 else 1) for key in range(AT_ONCE + 1)}


async def test_beats_that_come_between_two_slices_are_neither_lost_nor_keep_the_flush_from_ending() -> None:
    count = 3 * AT_ONCE
    shown = board(count)
    for key in range(count):
        beat(shown, key, T + 1)
    taking = asyncio.create_task(flushing.take(shown, merging.heard_of))
    rounds = 0
    while not taking.done():
        await asyncio.sleep(0)
        rounds += 1
        beat(shown, 0, T + 1 + rounds)  # taken already
        beat(shown, count - 1, T + 1 + rounds)  # still to be taken
    first = {one.runtime_key: one.seen_at for one in taking.result()}
    assert len(taking.result()) == len(first) == count
    assert first[0] == T + 1
    assert first[count - 1] > T + 1
    later = {one.runtime_key: one.seen_at for one in await flushing.take(shown, merging.heard_of)}
    assert later[0] == T + 1 + rounds
    assert rounds >= 3, "others had their turn between the slices"


async def test_a_flush_that_is_cancelled_leaves_everything_to_the_next_one() -> None:
    count = 3 * AT_ONCE
    shown = board(count)
    for key in range(count):
        beat(shown, key, T + 1)
    taking = asyncio.create_task(flushing.take(shown, flushing.seen_of))
    await asyncio.sleep(0)
    assert shown.dirty_count < count
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert sorted(await keys(shown)) == list(range(count))


async def test_who_was_retired_or_put_up_anew_meanwhile_is_not_taken_for_what_it_was() -> None:
    shown = board(3)
    for key in range(3):
        beat(shown, key, T + 1)
    shown.take_down(0)
    shown.put(entry(1))
    renewed = entry(2)
    renewed.dirty = True
    shown.put(renewed)
    assert await keys(shown) == [2]


CHANGES: list[tuple[str, Callable[[Board, Entry], object]]] = [
    ("a channel that ended", lambda shown, one: shown.end_channel(one, T + 1, said_goodbye=True)),
    ("a verdict", lambda shown, _: [shown.announce(turn) for turn in watching.turns(shown, T + 500)]),
    ("a full heartbeat", lambda shown, one: (setattr(one, "dirty", True), shown.put(one))),
]


@pytest.mark.parametrize("change", [change for _, change in CHANGES], ids=[name for name, _ in CHANGES])
async def test_whatever_changes_an_entry_has_it_flushed(change: Callable[[Board, Entry], object]) -> None:
    shown = board(1)
    known = shown.find_key(0)
    assert known is not None
    change(shown, known)
    assert await keys(shown) == [0]


async def test_a_slice_holds_the_loop_for_less_than_five_milliseconds() -> None:
    shown = board(AT_ONCE)

    def slice_s(told: Callable[[Entry], object]) -> float:
        for key in range(AT_ONCE):
            beat(shown, key, T + 1)
        began_s = time.thread_time()
        assert len(list(map(told, shown.take_dirty(AT_ONCE)))) == AT_ONCE
        return time.thread_time() - began_s

    for told in (flushing.seen_of, merging.heard_of):
        assert min(slice_s(told) for _ in range(7)) < 0.005


async def test_what_was_taken_is_stored_in_parts_and_the_last_one_is_told() -> None:
    count = 2 * STORED_AT_ONCE + 3
    shown, stored = board(count), list[tuple[int, bool]]()
    for key in range(count):
        beat(shown, key, T + 1)

    async def write(part: Sequence[Seen], is_last: bool) -> None:
        stored.append((len(part), is_last))

    await flushing.store(shown, await flushing.take(shown, flushing.seen_of), write)
    assert stored == [(STORED_AT_ONCE, False), (STORED_AT_ONCE, False), (3, True)]
    stored.clear()
    await flushing.store(shown, [], write)
    assert stored == [(0, True)], "who tells that it is there does so without anything to store"


async def test_of_parts_that_are_stored_already_nothing_is_flushed_again() -> None:
    count = 3 * STORED_AT_ONCE
    shown, stored = board(count), list[int]()
    for key in range(count):
        beat(shown, key, T + 1)

    async def write(part: Sequence[Seen], is_last: bool) -> None:
        if stored:
            raise StorageUnavailable("full", fix="-")
        stored.extend(row.runtime_key for row in part)

    with pytest.raises(StorageUnavailable):
        await flushing.store(shown, await flushing.take(shown, flushing.seen_of), write)
    assert len(stored) == STORED_AT_ONCE
    assert sorted([*stored, *await keys(shown)]) == list(range(count))
