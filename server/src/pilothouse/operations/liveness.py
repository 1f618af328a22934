"""Announcing verdicts that changed, and keeping what presence knows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from pilothouse.base.instants import Instant
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.domain.liveness import Status
from pilothouse.domain.presence import Announced, Heard, Seen
from pilothouse.operations import outcomes
from pilothouse.presence import Turn
from pilothouse.storage import presence, runtimes, secrets
from pilothouse.storage.unit import Transaction

_ROUNDING_S: Final = 0.001
"""Instants are stored in milliseconds."""


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


class Shared(msgspec.Struct, frozen=True):
    """What became of verdicts where other replicas give them, too."""

    retired: tuple[int, ...]
    """Keys of those that turned out to be succeeded."""
    dropped: tuple[int, ...]
    """Keys of those of which another replica knew better, or said it before: what is stored of them stands."""


def announce_shared(
    tx: Transaction,
    turns: Sequence[Turn],
    heard: Mapping[int, Heard],
    succeeded: Callable[[int, int], bool],
) -> Shared:
    """Do the same where other replicas do, too: under the writers' turn it is looked at again whether a verdict is still new.

    heard: what each verdict is founded on, by key
    """
    stands = presence.list_announced(tx.connection, [turn.entry.runtime_key for turn in turns])
    given = [
        turn for turn in turns if _is_still_new(turn, heard[turn.entry.runtime_key], stands.get(turn.entry.runtime_key))
    ]
    retired = announce(tx, given, succeeded) if given else ()
    presence.save_verdicts(
        tx.connection,
        [
            (
                heard[turn.entry.runtime_key],
                turn.verdict.status,
                turn.at if turn.verdict.status is Status.RUNNING else turn.entry.running_since,
            )
            for turn in given
        ],
    )
    kept = {turn.entry.runtime_key for turn in given}
    return Shared(retired, tuple(turn.entry.runtime_key for turn in turns if turn.entry.runtime_key not in kept))


def _is_still_new(turn: Turn, heard: Heard, stands: Announced | None) -> bool:
    if stands is None or stands.status is turn.verdict.status:
        return False
    left_at = max(stands.departed_at or 0.0, heard.departed_at or 0.0)
    seen_at = max(stands.seen_at, heard.seen_at)
    if turn.verdict.status is Status.RUNNING:
        return left_at <= seen_at
    return stands.seen_at <= heard.seen_at + _ROUNDING_S or left_at > stands.seen_at


def keep(tx: Transaction, rows: Sequence[Seen], secrets_used: Mapping[str, Instant]) -> None:
    """Flush what changed on the board, in one statement, and when secrets were last used."""
    presence.save(tx.connection, rows)
    secrets.note_use(tx.connection, secrets_used)


def _kind(turn: Turn, *, is_retired: bool) -> EventKind:
    if is_retired:
        return EventKind.RUNTIME_RETIRED
    return EventKind.RUNTIME_RUNNING if turn.verdict.status is Status.RUNNING else EventKind.RUNTIME_OFFLINE
