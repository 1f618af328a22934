"""Looking after runtimes: who fell silent or came back, and whether so many are silent at once that nobody is called offline.

A look costs by what changed since the last one (`rota.py`). After much did, as when half of a fleet falls silent, it is made a slice at
a time (`go_round`), and between two slices whoever beats has its answer.
"""

import asyncio
from collections.abc import Generator
from typing import Final

from pilothouse.base.instants import Instant
from pilothouse.domain.liveness import Hold, Status, is_mass_silence
from pilothouse.presence.board import Board
from pilothouse.presence.entry import Entry, Turn

AT_ONCE: Final = 500
"""Runtimes of a slice: 1 to 2 ms of the loop's time."""
_BETWEEN_HOLDS_S: Final = 60.0
"""After a hold ran out, verdicts are given for so long before another one may begin."""


async def go_round(board: Board, now: Instant) -> None:
    """Look at all whose time has come, a slice at a time: little is left for who asks then what was found."""
    for _ in slices(board, now):
        await asyncio.sleep(0)


async def set_pace(board: Board) -> None:
    """Decide how much slower Python runtimes are to beat, a slice of them at a time."""
    everybody = board.list_all()
    for start in range(0, len(everybody), AT_ONCE):
        board.pace.weigh(everybody[start : start + AT_ONCE])
        await asyncio.sleep(0)
    board.pace.decide(board.replicas)


def watch_for_mass_silence(board: Board, now: Instant) -> bool:
    """Begin or end a hold on verdicts; True when that changed."""
    _look(board, now)
    now = board.judged_at(now)
    silent, live = len(board.rota.silent), len(board) - len(board.rota.down)
    hold = board.hold
    if hold is None:
        # After a hold that ran out, the silent ones are announced as offline and are no longer counted as live.
        if now >= board.no_hold_before and is_mass_silence(silent, live, board.rules):
            board.hold = Hold(since=now, silent=silent, live=live)
            return True
        return False
    is_over = now - hold.since >= board.rules.hold_s
    if is_over or not is_mass_silence(silent, live, board.rules):
        board.hold = None
        board.no_hold_before = now + _BETWEEN_HOLDS_S if is_over else now
        return True
    if silent != hold.silent:
        board.hold = Hold(since=hold.since, silent=silent, live=live)
    return False


def turns(board: Board, now: Instant, at_most: int | None = None) -> list[Turn]:
    """List the runtimes whose verdict is another one than was announced, or some of them."""
    _look(board, now)
    changed: list[Turn] = []
    for key in list(board.rota.turning):
        entry = board.find_key(key)
        if entry is None:
            continue
        verdict = board.judge(entry, now)
        if _is_news(entry, verdict.status):
            changed.append(Turn(entry=entry, verdict=verdict, at=now))
            if len(changed) == at_most:
                break
        else:
            board.rota.ask(key)
    return changed


def _look(board: Board, now: Instant) -> None:
    for _ in slices(board, now):
        pass


def slices(board: Board, now: Instant) -> Generator[None]:
    """Look at all whose time has come; gives the word back after each slice."""
    rota = board.rota
    rota.looked_at, at = now, board.judged_at(now)
    if rota.begin(at, board.listening_since, board.lost_until, is_held=board.hold is not None):
        for key in board.list_keys():
            rota.ask(key)
    while True:
        slot, keys = rota.take(AT_ONCE)
        if not keys:
            return
        at = board.judged_at(now)
        for key in keys:
            entry = board.find_key(key)
            if entry is None or slot not in {0, entry.slot}:
                continue  # gone, or in another slot by now
            if slot:
                entry.slot = 0
            half_s = board.offline_after_s(entry) / 2
            is_heard = entry.seen_at >= board.listening_since and at - entry.seen_at <= half_s
            if is_heard and entry.status is Status.RUNNING and entry.departure is None:
                board.tallies.note(entry, Status.RUNNING)
                if not entry.is_calm:
                    entry.is_calm = True
                    rota.forget(key)
                rota.schedule(entry, entry.seen_at + half_s)
            else:
                _look_at(board, entry, now, at, half_s)
        yield


def _look_at(board: Board, entry: Entry, now: Instant, at: Instant, half_s: float) -> None:
    """Note what is found of a runtime that is silent, left or is not announced as running, and when time alone can change that.

    half_s: half of the silence that is allowed
    """
    rota, key, departure, is_running = board.rota, entry.runtime_key, entry.departure, entry.status is Status.RUNNING
    is_silent = at - entry.seen_at > half_s
    entry.is_calm = False
    has_broken = departure is not None and not departure.said_goodbye
    rota.note(key, is_silent=is_running and (has_broken or is_silent), is_down=not is_running)
    verdict = board.judge(entry, now).status
    board.tallies.note(entry, verdict)
    if _is_news(entry, verdict):
        rota.turning[key] = None
    else:
        rota.turning.pop(key, None)
    if entry.status is not Status.OFFLINE or verdict is not Status.OFFLINE:  # else only what is heard changes anything
        moments = [
            entry.seen_at + half_s,
            *(since + 2 * half_s for since in (entry.seen_at, board.listening_since, board.lost_until)),
        ]
        if departure is not None:
            moments.append(departure.at + board.rules.return_within_s)
        rota.schedule_first(entry, moments, at)


def _is_news(entry: Entry, status: Status) -> bool:
    return status is not Status.UNKNOWN and status is not entry.status
