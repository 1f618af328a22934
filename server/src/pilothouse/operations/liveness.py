"""Announcing verdicts that changed, and keeping what presence knows."""

from collections.abc import Mapping, Sequence

from pilothouse.base.instants import Instant
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.domain.liveness import Status
from pilothouse.domain.presence import PresenceRow
from pilothouse.presence import Turn
from pilothouse.storage import presence, secrets
from pilothouse.storage.unit import Transaction


def announce(tx: Transaction, turns: Sequence[Turn]) -> None:
    """Write an event for every verdict that changed."""
    for turn in turns:
        running = turn.verdict.status is Status.RUNNING
        tx.emit(
            NewEvent(
                kind=EventKind.RUNTIME_RUNNING if running else EventKind.RUNTIME_OFFLINE,
                at=turn.at,
                runtime_key=turn.entry.runtime_key,
                environment_id=turn.entry.environment_id,
                project_id=turn.entry.project_id,
                integration_id=turn.entry.integration_id,
                detail=turn.verdict.reason,
            )
        )


def keep(tx: Transaction, rows: Sequence[PresenceRow], secrets_used: Mapping[str, Instant]) -> None:
    """Flush what changed on the board, in one statement, and when secrets were last used."""
    presence.save(tx.connection, rows)
    secrets.note_use(tx.connection, secrets_used)
