"""The audit records and their chain: appending, walking along it, cutting it where retention ends."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    bindparam,
    delete,
    insert,
    literal_column,
    select,
    update,
)

from pilothouse.base.instants import Instant
from pilothouse.domain.audit import BEGINNING, CHAINED, AuditRecord, Link, chain, chained_fields
from pilothouse.storage.counter_tables import AUDIT, counters
from pilothouse.storage.dialects import KINDS
from pilothouse.storage.tables import audit_anchors, audit_records

_c = audit_records.c
_LINKS = select(_c.number, _c.digest, _c.at, *(_c[name] for name in CHAINED))

# SQLite remembers beside the table what it gave (AUTOINCREMENT), within the transaction.
_GIVEN_BY_SQLITE: ColumnElement[int] = literal_column(
    "(SELECT seq FROM sqlite_sequence WHERE name = 'audit_records')", Integer
).label("given")
_GIVEN: ColumnElement[int] = select(counters.c.number).where(counters.c.name == AUDIT).scalar_subquery().label("given")
_NOTE_GIVEN = update(counters).where(counters.c.name == AUDIT).values(number=bindparam("given_number"))

LinkRow: TypeAlias = "Row[*tuple[Any, ...]]"  # Any: columns of any type
"""Number, digest, instant, and the chained fields in their order."""


def append(connection: Connection, record: AuditRecord) -> None:
    """Write a record in the transaction of what it tells of, chained to the one before: there is one writer.

    The number is given here, one after the highest that was ever given: an operation that is refused takes its number back
    with its savepoint, so that a gap always means that a record was removed.
    """
    newest, last_given = head(connection)
    number = max(newest.number, last_given) + 1
    fields = tuple(storable(field) for field in chained_fields(record))
    digest = chain(newest.digest, number, record.at, fields)
    values = dict(zip(CHAINED, fields, strict=True))
    connection.execute(insert(audit_records).values(values | {"number": number, "at": record.at, "digest": digest}))
    if not KINDS[connection.dialect.name].remembers_numbers:
        connection.execute(_NOTE_GIVEN, {"given_number": number})


def storable(field: str | None) -> str | None:
    """Replace what not every database stores, before the digest is taken: somebody may sign in as NUL."""
    return None if field is None else field.replace("\0", "\ufffd")


def head(connection: Connection) -> tuple[Link, int]:
    """Tell the newest record (or where retention cut, or the beginning), and the highest number that was ever given."""
    given = _GIVEN_BY_SQLITE if KINDS[connection.dialect.name].remembers_numbers else _GIVEN
    row = connection.execute(select(_c.number, _c.digest, given).order_by(_c.number.desc()).limit(1)).first()
    if row is not None:
        return Link(number=row.number, digest=row.digest), max(row.number, row.given or 0)
    cut = anchor(connection)
    remains: int | None = connection.execute(select(given)).scalar_one()
    return cut, max(cut.number, remains or 0)


def anchor(connection: Connection) -> Link:
    """Tell where the chain begins: where retention cut last, or at the very beginning."""
    a = audit_anchors.c
    row = connection.execute(select(a.number, a.digest).order_by(a.number.desc()).limit(1)).first()
    return BEGINNING if row is None else Link(number=row.number, digest=row.digest)


def list_links(connection: Connection, after: int, up_to: int, limit: int) -> Sequence[LinkRow]:
    """Read the next part of the chain."""
    statement = _LINKS.where(_c.number > after, _c.number <= up_to).order_by(_c.number).limit(limit)
    return connection.execute(statement).all()


def digest_at(connection: Connection, number: int) -> str | None:
    """Tell the digest of one record."""
    return connection.execute(select(_c.digest).where(_c.number == number)).scalar_one_or_none()


def forget_oldest(connection: Connection, before: Instant, limit: int, now: Instant) -> tuple[int, Link, str] | None:
    """Delete the oldest records, as far as they are older than a moment, and keep where the chain begins since.

    Returns how many, the last one of them and its organization; None when there was nothing to delete.
    Only what is oldest in the chain goes: a record that is younger keeps everything behind it, so that no gap arises when the
    clock was set back.
    """
    oldest = connection.execute(
        select(_c.number, _c.digest, _c.at, _c.organization_id).order_by(_c.number).limit(limit)
    ).all()
    count = next((place for place, row in enumerate(oldest) if row.at >= before), len(oldest))
    if count == 0:
        return None
    newest = oldest[count - 1]
    last = Link(number=newest.number, digest=newest.digest)
    connection.execute(delete(audit_records).where(_c.number <= last.number))
    connection.execute(delete(audit_anchors))
    connection.execute(insert(audit_anchors).values(number=last.number, digest=last.digest, at=now))
    return count, last, newest.organization_id
