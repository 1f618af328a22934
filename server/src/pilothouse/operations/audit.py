"""Auditing what people do, in the transaction of what they do."""

from typing import Any

import msgspec

from pilothouse.access.grants import EVERYWHERE, Place, Subject
from pilothouse.base.instants import Instant
from pilothouse.domain.audit import AuditRecord, Outcome
from pilothouse.storage import audit as records
from pilothouse.storage.unit import Transaction


def audit(
    tx: Transaction,
    subject: Subject,
    action: str,
    target: str,
    now: Instant,
    detail: str = "",
    *,
    before: dict[str, Any] | None = None,  # Any: JSON values, here and below
    after: dict[str, Any] | None = None,
    at: Place = EVERYWHERE,
    outcome: Outcome = Outcome.DONE,
) -> None:
    """Record what somebody did.

    before, after: the fields that changed, never with a secret among them.
    """
    records.append(
        tx.connection,
        AuditRecord(
            at=now,
            organization_id=subject.organization_id,
            actor=f"user:{subject.username}",
            actor_id=subject.id,
            via=subject.via.value,
            credential_id=subject.credential_id or None,
            action=action,
            target=target[:200],
            outcome=outcome,
            address=subject.address,
            detail=detail,
            before=_json(before),
            after=_json(after),
            project_id=at.project_id,
            integration_id=at.integration_id,
            environment_id=at.environment_id,
        ),
    )


def changed(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Keep of two states the fields in which they differ."""
    names = [name for name in before | after if before.get(name) != after.get(name)]
    return {name: before.get(name) for name in names}, {name: after.get(name) for name in names}


def _json(value: dict[str, Any] | None) -> str | None:
    return None if value is None else msgspec.json.encode(value, order="sorted").decode()
