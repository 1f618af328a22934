"""Announcing verdicts that changed, and keeping what presence knows."""

from collections.abc import Callable, Mapping, Sequence

from pilothouse.base.instants import Instant
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.domain.liveness import Status
from pilothouse.domain.presence import PresenceRow
from pilothouse.operations import outcomes
from pilothouse.presence import Turn
from pilothouse.storage import presence, runtimes, secrets
from pilothouse.storage.unit import Transaction


def announce(tx: Transaction, turns: Sequence[Turn], succeeded: Callable[[int, int], bool]) -> tuple[int, ...]:
    """Write an event for every verdict that changed; returns the keys of those that turned out to be succeeded.

    A runtime that fell silent and whose name another one bears that came after its last beat was restarted under a new
    identity, not lost: it is retired. Replicas that share a name lived side by side, and stay listed (section 4.2).
    """
    fallen = [turn.entry.runtime_key for turn in turns if turn.verdict.status is Status.OFFLINE]
    retired = {key for key, other in runtimes.list_namesakes(tx.connection, fallen) if succeeded(key, other)}
    if fallen:
        outcomes.expire_of(tx, fallen, turns[0].at)
    for turn in turns:
        key = turn.entry.runtime_key
        if key in retired:
            runtimes.retire(tx.connection, [key], turn.at)
        tx.emit(
            NewEvent(
                kind=_kind(turn, is_retired=key in retired),
                at=turn.at,
                runtime_key=key,
                environment_id=turn.entry.environment_id,
                project_id=turn.entry.project_id,
                integration_id=turn.entry.integration_id,
                detail=turn.verdict.reason,
            )
        )
    return tuple(sorted(retired))


def keep(tx: Transaction, rows: Sequence[PresenceRow], secrets_used: Mapping[str, Instant]) -> None:
    """Flush what changed on the board, in one statement, and when secrets were last used."""
    presence.save(tx.connection, rows)
    secrets.note_use(tx.connection, secrets_used)


def _kind(turn: Turn, *, is_retired: bool) -> EventKind:
    if is_retired:
        return EventKind.RUNTIME_RETIRED
    return EventKind.RUNTIME_RUNNING if turn.verdict.status is Status.RUNNING else EventKind.RUNTIME_OFFLINE
