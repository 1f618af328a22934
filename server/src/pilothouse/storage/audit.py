"""The audit records and their chain."""

from sqlalchemy import Connection, insert, select

from pilothouse.domain.audit import CHAIN_BEGINS, AuditRecord, chain
from pilothouse.storage.tables import audit_anchors, audit_records


def append(connection: Connection, record: AuditRecord) -> None:
    """Write a record in the transaction of what it tells of, chained to the one before: there is one writer."""
    values = {name: getattr(record, name) for name in AuditRecord.__struct_fields__}
    digest = chain(last_digest(connection), record)
    connection.execute(insert(audit_records).values(**{**values, "outcome": record.outcome.value}, digest=digest))


def last_digest(connection: Connection) -> str:
    """Tell what the next record is chained to: the newest record, or where retention cut, or the beginning."""
    for table in (audit_records, audit_anchors):
        newest = select(table.c.digest).order_by(table.c.number.desc()).limit(1)
        found = connection.execute(newest).scalar_one_or_none()
        if found is not None:
            return found
    return CHAIN_BEGINS
