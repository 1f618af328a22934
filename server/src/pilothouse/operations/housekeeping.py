"""What is forgotten, and when: every store has an end."""

import msgspec

from pilothouse.base.instants import Instant
from pilothouse.domain.commands import RESULT_READ_KEPT_S, RESULT_WRITE_KEPT_S
from pilothouse.operations.sealed_material import destroy_revoked
from pilothouse.storage import commands, events, runtimes, sessions
from pilothouse.storage.unit import Transaction

_DAY_S = 86_400.0


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How long things are kept."""

    events_s: float = 30 * _DAY_S
    """Events that happened to the fleet."""
    retired_runtimes_s: float = _DAY_S
    """Runtimes whose name a successor took over."""
    unused_artifacts_s: float = _DAY_S
    """Artifact sets that no runtime reports any more."""
    sessions_s: float = _DAY_S
    """Sessions that ended."""
    commands_s: float = 30 * _DAY_S
    """Commands that ended; the audit and the log of desired states stay."""


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """How much was forgotten in one round."""

    events: int
    sessions: int
    runtimes: int
    artifact_sets: int
    commands: int
    secrets_destroyed: int


def forget(tx: Transaction, retention: Retention, now: Instant) -> Forgotten:
    """Delete what is past its time."""
    return Forgotten(
        events=events.forget_before(tx.connection, now - retention.events_s),
        sessions=sessions.forget_ended(tx.connection, now - retention.sessions_s),
        runtimes=runtimes.forget_retired(tx.connection, now - retention.retired_runtimes_s),
        artifact_sets=runtimes.forget_unused_artifacts(tx.connection, now - retention.unused_artifacts_s),
        commands=_forget_commands(tx, retention, now),
        secrets_destroyed=destroy_revoked(tx, now),
    )


def _forget_commands(tx: Transaction, retention: Retention, now: Instant) -> int:
    commands.forget_results(
        tx.connection, reads_before=now - RESULT_READ_KEPT_S, writes_before=now - RESULT_WRITE_KEPT_S
    )
    return commands.forget_before(tx.connection, now - retention.commands_s)
