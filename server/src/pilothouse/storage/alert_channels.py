"""Channels; what sending through one needs is sealed as a whole."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest, page_of
from pilothouse.storage.alert_tables import alert_channels


class ChannelRow(msgspec.Struct, frozen=True, kw_only=True):
    """A channel, sealed."""

    id: str
    organization_id: str
    name: str
    kind: str
    target: str
    """What may be shown of it: a host, or addresses."""
    sealed: bytes
    created_at: Instant
    created_by: str
    last_sent_at: Instant | None = None
    last_failed_at: Instant | None = None
    last_failure: str | None = None


_COLUMNS = [alert_channels.c[name] for name in ChannelRow.__struct_fields__]


def seal_key(channel_id: str) -> str:
    """Name what a channel's material is sealed with: nothing of another row opens in its place."""
    return f"channel:{channel_id}"


def find(connection: Connection, channel_id: str) -> ChannelRow | None:
    """Find a channel."""
    row = connection.execute(select(*_COLUMNS).where(alert_channels.c.id == channel_id)).mappings().first()
    return None if row is None else ChannelRow(**row)


def is_named(connection: Connection, name: str) -> bool:
    """Tell whether a channel bears a name."""
    wanted = select(alert_channels.c.id).where(alert_channels.c.name == name).limit(1)
    return connection.execute(wanted).first() is not None


def kinds_of(connection: Connection, channel_ids: Sequence[str]) -> dict[str, str]:
    """Tell the kinds of channels; those that are not there are left out."""
    c = alert_channels.c
    rows = connection.execute(select(c.id, c.kind).where(c.id.in_(list(channel_ids))))
    return {row.id: row.kind for row in rows}


def count(connection: Connection) -> int:
    """Count channels."""
    return connection.execute(select(func.count()).select_from(alert_channels)).scalar_one()


def list_page(connection: Connection, request: PageRequest) -> Page[ChannelRow]:
    """List channels by name."""
    c = alert_channels.c
    statement = select(*_COLUMNS)
    if request.after is not None:
        name, id_ = request.after_texts()
        statement = statement.where(or_(c.name > name, and_(c.name == name, c.id > id_)))
    rows = connection.execute(statement.order_by(c.name, c.id).limit(request.first + 1)).mappings()
    return page_of(
        "alertChannels",
        [ChannelRow(**row) for row in rows],
        request,
        count(connection),
        lambda row: (row.name, row.id),
    )


def add(connection: Connection, row: ChannelRow) -> None:
    """Store a channel."""
    connection.execute(insert(alert_channels).values(msgspec.structs.asdict(row)))


def change(connection: Connection, row: ChannelRow) -> None:
    """Store a channel anew."""
    values = {"name": row.name, "target": row.target, "sealed": row.sealed}
    connection.execute(update(alert_channels).where(alert_channels.c.id == row.id).values(values))


def remove(connection: Connection, channel_id: str) -> None:
    """Delete a channel."""
    connection.execute(delete(alert_channels).where(alert_channels.c.id == channel_id))


def note(connection: Connection, channel_id: str, now: Instant, failure: str | None) -> None:
    """Remember how the last message fared."""
    values = {"last_sent_at": now} if failure is None else {"last_failed_at": now, "last_failure": failure}
    connection.execute(update(alert_channels).where(alert_channels.c.id == channel_id).values(values))


def list_sealed(connection: Connection) -> list[tuple[str, bytes]]:
    """List what is sealed of all channels: for a change of the key."""
    return [(row.id, row.sealed) for row in connection.execute(select(alert_channels.c.id, alert_channels.c.sealed))]


def reseal(connection: Connection, channel_id: str, sealed: bytes) -> None:
    """Put what was sealed anew in place of what was there."""
    connection.execute(update(alert_channels).where(alert_channels.c.id == channel_id).values(sealed=sealed))
