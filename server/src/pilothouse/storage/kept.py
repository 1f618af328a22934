"""What people keep for themselves, by name."""

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from pilothouse.base.instants import Instant
from pilothouse.storage.kept_tables import kept_items

_c = kept_items.c


class KeptRow(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody kept."""

    id: str
    user_id: str
    kind: str
    name: str
    value: str
    changed_at: Instant


_COLUMNS = [_c[name] for name in KeptRow.__struct_fields__]


def list_of(connection: Connection, user_id: str, kind: str) -> list[KeptRow]:
    """List what somebody kept of a kind, by name; there are never more than may be kept."""
    statement = select(*_COLUMNS).where(_c.user_id == user_id, _c.kind == kind).order_by(_c.name, _c.id)
    return [KeptRow(**row) for row in connection.execute(statement).mappings()]


def find(connection: Connection, user_id: str, kept_id: str) -> KeptRow | None:
    """Find something that somebody kept; what another one kept is not there."""
    statement = select(*_COLUMNS).where(_c.user_id == user_id, _c.id == kept_id)
    row = connection.execute(statement).mappings().first()
    return None if row is None else KeptRow(**row)


def find_named(connection: Connection, user_id: str, kind: str, name: str) -> KeptRow | None:
    """Find what somebody kept under a name."""
    statement = select(*_COLUMNS).where(_c.user_id == user_id, _c.kind == kind, _c.name == name)
    row = connection.execute(statement).mappings().first()
    return None if row is None else KeptRow(**row)


def count(connection: Connection, user_id: str, kind: str) -> int:
    """Count what somebody kept of a kind."""
    statement = select(func.count()).select_from(kept_items).where(_c.user_id == user_id, _c.kind == kind)
    return connection.execute(statement).scalar_one()


def add(connection: Connection, row: KeptRow) -> None:
    """Keep something."""
    connection.execute(insert(kept_items).values(msgspec.structs.asdict(row)))


def change(connection: Connection, row: KeptRow) -> None:
    """Keep something else under the same name."""
    connection.execute(
        update(kept_items).where(_c.id == row.id).values(name=row.name, value=row.value, changed_at=row.changed_at)
    )


def remove(connection: Connection, kept_id: str) -> None:
    """Keep something no longer."""
    connection.execute(delete(kept_items).where(_c.id == kept_id))
