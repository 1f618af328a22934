"""How many runtimes are in which state, now: a look at whose time has come, and then the tallies that looks keep."""

from collections.abc import Collection
from typing import Final

from pilothouse.access.places import EVERYTHING, Place, Reach
from pilothouse.base.instants import Instant
from pilothouse.domain.liveness import Status
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.presence import watching
from pilothouse.presence.board import Board
from pilothouse.presence.entry import Counts
from pilothouse.presence.tallies import place_of

_ASKED_BEFORE_S: Final = 1.0
"""Who began to ask so long before the last look is told what that found; more, and the clock was set back."""


def counts_by(board: Board, dimension: str, now: Instant, reach: Reach = EVERYTHING) -> dict[str, Counts]:
    """Count runtimes by state for every value of `project_id`, `integration_id` or `environment_id`.

    Only those within the reach are counted. Costs by the places that there are, and by whose time has come since the last look.
    """
    for _ in watching.slices(board, _asked_at(board, now)):
        pass
    return board.tallies.by(dimension, reach)


async def bring_up_to(board: Board, now: Instant) -> None:
    """Have the tallies tell what holds now, a slice of the look at a time."""
    await watching.go_round(board, _asked_at(board, now))


def few(
    board: Board,
    reach: Reach,
    within: Place,
    runtime_type: RuntimeType | None,
    states: Collection[Status],
    at_most: int,
) -> list[int] | None:
    """List the keys of those in a part of the tree that lie within a reach and are in some states; None where there are more.

    May be asked by another thread than the board's: it tells what the tallies told when it was asked.
    """
    tallies = board.tallies
    if tallies.count(reach, within, runtime_type, states) > at_most:
        return None
    if Status.RUNNING in states:
        keys = set(board.list_keys()) - tallies.keys([state for state in Status if state not in states])
    else:
        keys = tallies.keys(states)
    places, found = tallies.places(reach, within, runtime_type, states), list[int]()
    for key in keys:
        entry = board.find_key(key)
        if entry is not None and place_of(entry) in places:
            found.append(key)
    return found


def counts(board: Board, now: Instant) -> Counts:
    """Count all runtimes by state."""
    parts = list(counts_by(board, "environment_id", now).values())
    return Counts(
        running=sum(part.running for part in parts),
        offline=sum(part.offline for part in parts),
        unknown=sum(part.unknown for part in parts),
    )


def _asked_at(board: Board, now: Instant) -> Instant:
    looked_at = board.rota.looked_at
    return looked_at if looked_at - _ASKED_BEFORE_S < now < looked_at else now
