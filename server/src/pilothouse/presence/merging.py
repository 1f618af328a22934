"""What other replicas know of runtimes, put together with what this one knows: whatever the order, the board ends the same.

Each part goes with its moment, and of two moments the later one stands: the last beat, the newest channel, the last departure.
Verdicts are given by one replica at a time, so that what is stored of them is what everybody was told.
"""

from collections.abc import Iterable
from typing import Final

from pilothouse.base.instants import Instant
from pilothouse.domain.liveness import Departure
from pilothouse.domain.presence import Heard, PresenceRow, SharedRow
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.presence.board import Board
from pilothouse.presence.entry import Entry

GOODBYE: Final = "goodbye"
BROKEN: Final = "broken"
"""How a channel ended."""


def load(board: Board, rows: Iterable[SharedRow]) -> None:
    """Put up what is stored."""
    for row in rows:
        board.put(_entry(row))


def hear(board: Board, heard: Iterable[Heard]) -> None:
    """Note what other replicas heard. A runtime that is not known comes with its full heartbeat."""
    for one in heard:
        entry = board.find_key(one.runtime_key)
        if entry is not None:
            board.note_settled(entry, one.seen_at)
            _hear(board, entry, one)


def merge(board: Board, rows: Iterable[SharedRow]) -> list[int]:
    """Note what changed beside beats; returns the keys of those that were retired."""
    gone: list[int] = []
    for row in rows:
        entry = board.find_key(row.runtime_key)
        if row.is_retired:
            if entry is not None:
                board.take_down(row.runtime_key)
            gone.append(row.runtime_key)
        elif entry is None:
            board.put(_entry(row))
        else:
            _hear(board, entry, row)
            board.rota.ask(row.runtime_key)
            entry.runtime_hash = row.runtime_hash
            entry.status = row.status
            entry.running_since = row.running_since
            entry.told = bytes.fromhex(row.told or "")
            if row.runtime_type is RuntimeType.PY and row.interval_s is not None and not entry.interval_is_reported:
                entry.interval_is_reported, entry.own_interval_s = True, row.interval_s
    return gone


def heard_of(entry: Entry) -> Heard:
    """Tell others what is known of a runtime."""
    departure = entry.departure
    return Heard(
        runtime_key=entry.runtime_key,
        seen_at=entry.seen_at,
        interval_s=entry.interval_s,
        address=entry.address,
        channel_at=entry.channel_at,
        departed_at=None if departure is None else departure.at,
        departed_how=None if departure is None else GOODBYE if departure.said_goodbye else BROKEN,
    )


def _hear(board: Board, entry: Entry, heard: Heard | SharedRow) -> None:
    before_at, before_s = entry.seen_at, entry.interval_s
    if heard.channel_at is not None and (entry.channel_at is None or heard.channel_at > entry.channel_at):
        entry.channel_at = heard.channel_at
    if heard.seen_at > entry.seen_at:
        entry.seen_at = heard.seen_at
        entry.address = heard.address
        entry.interval_s = heard.interval_s
    stands = _departure(heard.departed_at, heard.departed_how)
    if entry.departure is not None and (stands is None or entry.departure.at > stands.at):
        stands = entry.departure
    if stands is not None and (stands.at <= entry.seen_at or (entry.channel_since or 0.0) > stands.at):
        stands = None
    if stands is None:
        board.note_heard(entry, before_at, before_s)
    else:
        board.rota.ask(entry.runtime_key)
    entry.departure = stands


def _departure(at: Instant | None, how: str | None) -> Departure | None:
    return None if at is None else Departure(at, how == GOODBYE)


def _entry(row: SharedRow) -> Entry:
    # Python runtimes tell their interval, and keep the pace that they were told last until they hear another.
    tells = row.runtime_type is RuntimeType.PY and row.interval_s is not None
    departure = _departure(row.departed_at, row.departed_how)
    return Entry(
        **{name: getattr(row, name) for name in PresenceRow.__struct_fields__},
        interval_is_reported=tells,
        own_interval_s=row.interval_s if tells else None,
        told=bytes.fromhex(row.told or ""),
        channel_at=row.channel_at,
        departure=departure if departure is not None and departure.at > row.seen_at else None,
    )
