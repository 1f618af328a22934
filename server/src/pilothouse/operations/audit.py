"""Auditing what people do, in the transaction of what they do."""

from pilothouse.access.grants import Subject
from pilothouse.base.instants import Instant
from pilothouse.storage import people
from pilothouse.storage.people import AuditRecord
from pilothouse.storage.unit import Transaction


def audit(tx: Transaction, subject: Subject, action: str, target: str, now: Instant, detail: str = "") -> None:
    """Record what somebody did."""
    people.record(
        tx.connection,
        AuditRecord(
            at=now,
            actor=f"user:{subject.username}",
            action=action,
            target=target,
            outcome="done",
            address=subject.address,
            detail=detail,
        ),
    )
