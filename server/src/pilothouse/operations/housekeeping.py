"""What is forgotten, and when: every store has an end."""

from weakref import WeakKeyDictionary

import msgspec
import structlog

from pilothouse.base.instants import Instant, to_rfc3339
from pilothouse.domain.audit import FORGET, AuditRecord, forgotten
from pilothouse.domain.commands import RESULT_READ_KEPT_S, RESULT_WRITE_KEPT_S
from pilothouse.identity.throttle import WINDOW_S
from pilothouse.operations.sealed_material import destroy_revoked
from pilothouse.storage import audit, commands, events, runtimes, sessions, sign_in_attempts
from pilothouse.storage.unit import Connection, Transaction

_DAY_S = 86_400.0
AUDIT_AT_ONCE = 10_000
"""Audit records deleted in one round: a tenth of a second of the writer's time."""

_log = structlog.get_logger(__name__)
_head_logged: WeakKeyDictionary[object, int] = WeakKeyDictionary()
"""The day on which the newest audit record's digest was logged last, by database."""


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
    sign_in_places_s: float = 90 * _DAY_S
    """Networks from which nobody signed in to an account."""
    commands_s: float = 30 * _DAY_S
    """Commands that ended; the log of desired states stays."""
    audit_s: float | None = 365 * _DAY_S
    """Audit records; None: for good."""


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """How much was forgotten in one round."""

    events: int
    sessions: int
    runtimes: int
    artifact_sets: int
    commands: int
    secrets_destroyed: int
    audit_records: int


def forget(tx: Transaction, retention: Retention, now: Instant) -> Forgotten:
    """Delete what is past its time."""
    log_audit_head(tx.connection, now)
    sign_in_attempts.forget_before(tx.connection, attempts=now - WINDOW_S, places=now - retention.sign_in_places_s)
    sign_in_attempts.forget_round_trips(tx.connection, now)
    return Forgotten(
        events=events.forget_before(tx.connection, now - retention.events_s),
        sessions=sessions.forget_ended(tx.connection, now - retention.sessions_s),
        runtimes=runtimes.forget_retired(tx.connection, now - retention.retired_runtimes_s),
        artifact_sets=runtimes.forget_unused_artifacts(tx.connection, now - retention.unused_artifacts_s),
        commands=_forget_commands(tx, retention, now),
        secrets_destroyed=destroy_revoked(tx, now),
        audit_records=forget_audit(tx, retention, now),
    )


def _forget_commands(tx: Transaction, retention: Retention, now: Instant) -> int:
    commands.forget_results(
        tx.connection, reads_before=now - RESULT_READ_KEPT_S, writes_before=now - RESULT_WRITE_KEPT_S
    )
    return commands.forget_before(tx.connection, now - retention.commands_s)


def forget_audit(tx: Transaction, retention: Retention, now: Instant) -> int:
    """Delete the oldest audit records that are past their time, a round's worth at most; returns how many.

    What was cut is said in a record of its own, in the same transaction: the chain itself says where it begins.
    """
    if retention.audit_s is None:
        return 0
    before = now - retention.audit_s
    cut = audit.forget_oldest(tx.connection, before, AUDIT_AT_ONCE, now)
    if cut is None:
        return 0
    count, last, organization_id = cut
    audit.append(
        tx.connection,
        AuditRecord(
            at=now,
            organization_id=organization_id,
            actor="housekeeping",
            action=FORGET,
            target=f"up to number {last.number}",
            detail=f"{count} records from before {to_rfc3339(before)}, by retention",
            after=forgotten(last),
        ),
    )
    return count


def log_audit_head(connection: Connection, now: Instant) -> None:
    """Log the newest audit record's digest once a day: a log that is kept elsewhere proves later what stood here."""
    day = int(now // _DAY_S)
    if _head_logged.get(connection.engine) == day:
        return
    _head_logged[connection.engine] = day
    newest, _ = audit.head(connection)
    _log.info("audit.head", expect=f"{newest.number}:{newest.digest}")
