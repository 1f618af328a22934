"""How many runtimes are in which state, now: a look at whose time has come, and then the tallies that looks keep."""

from typing import Final

from pilothouse.access.places import EVERYTHING, Reach
from pilothouse.base.instants import Instant
from pilothouse.presence import watching
from pilothouse.presence.board import Board
from pilothouse.presence.entry import Counts

_ASKED_BEFORE_S: Final = 1.0
"""Who began to ask so long before the last look is told what that found; more, and the clock was set back."""


def counts_by(board: Board, dimension: str, now: Instant, reach: Reach = EVERYTHING) -> dict[str, Counts]:
    """Count runtimes by state for every value of `project_id`, `integration_id` or `environment_id`.

    Only those within the reach are counted. Costs by the places that there are, and by whose time has come since the last look.
    """
    looked_at = board.rota.looked_at
    at = looked_at if looked_at - _ASKED_BEFORE_S < now < looked_at else now
    for _ in watching.slices(board, at):
        pass
    return board.tallies.by(dimension, reach)


def counts(board: Board, now: Instant) -> Counts:
    """Count all runtimes by state."""
    parts = list(counts_by(board, "environment_id", now).values())
    return Counts(
        running=sum(part.running for part in parts),
        offline=sum(part.offline for part in parts),
        unknown=sum(part.unknown for part in parts),
    )
