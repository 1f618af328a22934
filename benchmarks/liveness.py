"""Verdicts over 100,000 runtimes in process: what the watch costs twice a second, against a loop over a plain dict.

Method: one in twenty is silent for too long, as after a small failure; medians of seven passes. The watch is measured as it
runs: looks every half second while everybody beats every ten seconds, and after half of them fell silent at once; what a look
costs together, and the longest slice of it, since between two slices whoever beats has its answer.
"""

import asyncio
import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

from pilothouse.domain.liveness import LivenessRules, Status
from pilothouse.domain.presence import PresenceRow
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.presence import Board, counting, flushing, watching

RUNTIMES = 100_000
PASSES = 7
NOW = 1_790_000_000.0
SILENT_EVERY = 20
SETTLE_S = 20.0


def make_board(count: int) -> Board:
    """Make a board of runtimes, each in one of 1,000 integrations."""
    board = Board(LivenessRules(), NOW - 3_600)
    board.load(row(number) for number in range(count))
    return board


def row(number: int) -> PresenceRow:
    """Make what is kept of one runtime."""
    silent_s = 300.0 if number % SILENT_EVERY == 0 else number % 10
    values: dict[str, Any] = {  # Any: values of many types
        "runtime_key": number,
        "runtime_id": f"6f1d2c9a-0b7e-4a55-9c1e-{number:012x}",
        "project_id": f"project-{number % 50}",
        "integration_id": f"integration-{number % 1_000}",
        "environment_id": f"environment-{number % 2}",
        "runtime_type": list(RuntimeType)[number % 3],
        "runtime_hash": f"hash-of-{number % 1_000}==",
        "seen_at": NOW - silent_s,
        "interval_s": 10.0,
        "address": f"10.0.{number % 200}.7",
        "running_since": NOW - 3_000,
        "status": Status.OFFLINE if number % SILENT_EVERY == 0 else Status.RUNNING,
    }
    return PresenceRow(**{name: values[name] for name in PresenceRow.__struct_fields__})


def cost_ms(work: Callable[[], object]) -> float:
    """Median cost of a pass, in milliseconds of CPU."""
    costs: list[float] = []
    for _ in range(PASSES):
        began = time.process_time()
        work()
        costs.append((time.process_time() - began) * 1000)
    return statistics.median(costs)


def look(board: Board, now: float) -> tuple[float, float]:
    """Look once as the control plane does; gives the milliseconds of CPU together, and of the longest slice."""
    slices_ms: list[float] = []

    def sliced(work: Callable[[], object]) -> object:
        began = time.process_time()
        done = work()
        slices_ms.append((time.process_time() - began) * 1000)
        return done

    for at in (now, now):  # a hold that ends has everybody looked at who is silent
        slices = watching.slices(board, at)
        while sliced(lambda slices=slices: next(slices, slices)) is not slices:
            pass
        sliced(lambda: watching.watch_for_mass_silence(board, now))
    while turns := sliced(lambda: watching.turns(board, now, watching.AT_ONCE)):
        assert isinstance(turns, list)
        for turn in turns:
            board.announce(turn)
    return sum(slices_ms), max(slices_ms)


def within_s(key: int) -> float:
    """Tell how long before a look a runtime beats: they do not all beat at once."""
    return key // 20 % 487 / 1000


def watched(count: int, seconds: float, beating: Callable[[int], bool]) -> list[tuple[float, float]]:
    """Let so many beat every ten seconds, and look every half second; gives what each look cost after the first minute."""
    board, now = make_board(count), NOW
    for key in range(count):
        entry = board.find_key(key)
        assert entry is not None
        board.touch(entry, NOW - key % 20 / 2 - within_s(key), entry.address)
        entry.status = Status.RUNNING
    costs: list[tuple[float, float]] = []
    step = 0
    while now < NOW + SETTLE_S + seconds:
        now += 0.5
        step += 1
        for key in range(step % 20, count, 20):
            if now < NOW + SETTLE_S or beating(key):
                entry = board.find_key(key)
                assert entry is not None
                board.touch(entry, now - within_s(key), entry.address)
        cost = look(board, now)
        if now >= NOW + SETTLE_S:
            costs.append(cost)
    return costs


def main() -> None:
    """Measure and print the table."""
    board = make_board(RUNTIMES)
    seen_at = {number: NOW - (300.0 if number % SILENT_EVERY == 0 else number % 10) for number in range(RUNTIMES)}
    entries = [board.find_key(number) for number in range(RUNTIMES)]
    gc.freeze()

    def plain() -> int:
        return sum(NOW - at > 30.0 for at in seen_at.values())

    def touch() -> None:
        for entry in entries:
            assert entry is not None
            board.touch(entry, NOW, entry.address)

    def taken() -> None:
        asyncio.run(flushing.take(board, flushing.seen_of))

    silent = plain()
    counts = counting.counts(board, NOW)
    assert (counts.offline, counts.running) == (silent, RUNTIMES - silent)
    reference = cost_ms(plain)
    print(f"verdicts over {RUNTIMES:,} runtimes, {silent:,} of them offline; CPU, medians of {PASSES}")
    print("| | ms | us a runtime | ratio |\n|---|---|---|---|")
    rows: tuple[tuple[str, Callable[[], object]], ...] = (
        ("a loop over a plain dict of times (the reference)", plain),
        ("counts: all of them", lambda: counting.counts(board, NOW)),
        ("counts by integration", lambda: counting.counts_by(board, "integration_id", NOW)),
        ("judge: every verdict with its reason", lambda: [board.judge(entry, NOW) for entry in entries if entry]),
        ("touch: a beat of every runtime", touch),
        ("take what a flush stores, all changed", taken),
        ("take what a flush stores, none changed", taken),
    )
    for name, work in rows:
        if "all changed" in name:
            began = time.process_time()
            work()
            took = (time.process_time() - began) * 1000
        else:
            took = cost_ms(work)
        print(f"| {name} | {took:.1f} | {took / RUNTIMES * 1000:.3f} | {took / reference:.1f} |")
    print(f"\nlooks at {RUNTIMES:,} runtimes twice a second, as the loop notices them")
    print("| | a look, ms | the longest slice, ms | ratio to the reference |\n|---|---|---|---|")
    for name, seconds, beating in (
        ("everybody beats every ten seconds", 30.0, lambda _key: True),
        ("half of them fall silent at once, and are held back", 60.0, lambda key: key % 2 == 0),
    ):
        costs = watched(RUNTIMES, seconds, beating)
        whole, longest = statistics.mean(cost[0] for cost in costs), statistics.median(cost[1] for cost in costs)
        ratios = f"{whole / reference:.2f} together, {longest / reference:.2f} the slice"
        print(f"| {name} | {whole:.1f} | {longest:.2f} (at most {max(cost[1] for cost in costs):.1f}) | {ratios} |")


if __name__ == "__main__":
    main()
