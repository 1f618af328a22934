"""What people keep for themselves under a name, such as queries of logs; nobody else sees it."""

from enum import StrEnum
from typing import Final

from pilothouse.access.grants import Subject
from pilothouse.base.errors import Conflict, InvalidInput, NotFound
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.operations.audit import audit
from pilothouse.storage import kept
from pilothouse.storage.kept import KeptRow
from pilothouse.storage.unit import Transaction

NAME_LENGTH_MAX: Final = 100
VALUE_LENGTH_MAX: Final = 4_000
KEPT_MAX: Final = 200
"""Things of one kind that one person keeps."""


class KeptKind(StrEnum):
    """What something is kept for."""

    LOG_QUERY = "log-query"


def keep(tx: Transaction, subject: Subject, kind: KeptKind, name: str, value: str, now: Instant) -> KeptRow:
    """Keep something under a name, in place of what was kept under it.

    Raises: InvalidInput, Conflict when there is too much
    """
    name = _check_name(name)
    if not 1 <= len(value) <= VALUE_LENGTH_MAX:
        raise InvalidInput(
            f"What is kept has 1 to {VALUE_LENGTH_MAX} characters.", field="value", fix="Keep something shorter."
        )
    before = kept.find_named(tx.connection, subject.id, kind, name)
    if before is None and kept.count(tx.connection, subject.id, kind) >= KEPT_MAX:
        raise Conflict(
            f"You keep {KEPT_MAX} of these already.", field="name", fix="Delete one that you no longer need."
        )
    row = KeptRow(
        id=new_id() if before is None else before.id,
        user_id=subject.id,
        kind=kind,
        name=name,
        value=value,
        changed_at=now,
    )
    (kept.add if before is None else kept.change)(tx.connection, row)
    audit(tx, subject, "kept.save", row.id, now, detail=f"{kind} {name}")
    return row


def forget(tx: Transaction, subject: Subject, kept_id: str, now: Instant) -> None:
    """Keep something no longer.

    Raises: NotFound, also for what another one keeps
    """
    row = kept.find(tx.connection, subject.id, kept_id)
    if row is None:
        raise NotFound("You keep nothing with this id.", field="id", fix="Look at the list of what you keep.")
    kept.remove(tx.connection, row.id)
    audit(tx, subject, "kept.forget", row.id, now, detail=f"{row.kind} {row.name}")


def _check_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= NAME_LENGTH_MAX or not name.isprintable():
        raise InvalidInput(
            f"A name has 1 to {NAME_LENGTH_MAX} printable characters.",
            field="name",
            fix="Say what it finds, for example `Refused cards`.",
        )
    return name
