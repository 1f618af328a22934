"""The processes that serve one database together: each renews its row, and whose row stands still is gone."""

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from pilothouse.base.instants import Instant
from pilothouse.storage.counter_tables import WRITES, counters
from pilothouse.storage.replica_tables import replicas
from pilothouse.storage.statements import now_ms


class ReplicaRow(msgspec.Struct, frozen=True, kw_only=True):
    """A process that serves this database."""

    id: str
    host: str
    process: int
    """Its number on its host."""
    release: str
    key_number: str
    """Which key it seals secrets with."""
    started_at: Instant
    beat: int
    flushed_at: Instant
    """What it heard before is stored."""
    ended_at: Instant | None


_c = replicas.c
_COLUMNS = [_c[name] for name in ReplicaRow.__struct_fields__]
_ALIVE = select(*_COLUMNS).where(_c.ended_at.is_(None)).order_by(_c.started_at, _c.id)
_RENEW = (
    update(replicas)
    .where(_c.id == bindparam("of_id"))
    .values(beat=_c.beat + 1, flushed_at=bindparam("to_flushed_at"), ended_at=bindparam("to_ended_at"))
)
_BURY = (
    update(replicas)
    .where(_c.id == bindparam("of_id"), _c.beat == bindparam("of_beat"), _c.ended_at.is_(None))
    .values(ended_at=bindparam("to_ended_at"))
)

_TURN_AND_CLOCK = select(counters.c.number, now_ms()).where(counters.c.name == WRITES)


def list_alive(connection: Connection) -> list[ReplicaRow]:
    """List those that have not ended, as far as anybody found out, the oldest first."""
    return [ReplicaRow(**row) for row in connection.execute(_ALIVE).mappings()]


def list_all(connection: Connection) -> list[ReplicaRow]:
    """List all that are still known, the oldest first."""
    found = connection.execute(select(*_COLUMNS).order_by(_c.started_at, _c.id)).mappings()
    return [ReplicaRow(**row) for row in found]


def add(connection: Connection, row: ReplicaRow) -> None:
    """Begin to serve."""
    connection.execute(insert(replicas).values(msgspec.structs.asdict(row)))


def renew(connection: Connection, id: str, flushed_at: Instant, ended_at: Instant | None = None) -> bool:  # noqa: A002
    """Tell that a replica is there, or that it ends; False when its row is gone."""
    values = {"of_id": id, "to_flushed_at": flushed_at, "to_ended_at": ended_at}
    return connection.execute(_RENEW, values).rowcount == 1


def bury(connection: Connection, row: ReplicaRow, at: Instant) -> bool:
    """Tell that a replica is gone, unless it showed itself since it was looked at."""
    values = {"of_id": row.id, "of_beat": row.beat, "to_ended_at": at}
    return connection.execute(_BURY, values).rowcount == 1


def forget_ended(connection: Connection, before: Instant) -> int:
    """Delete those that ended before a moment."""
    return connection.execute(delete(replicas).where(_c.ended_at < before)).rowcount


def clock_of(connection: Connection) -> Instant:
    """Read the database's clock."""
    return int(connection.execute(select(now_ms())).scalar_one()) / 1000


def turn_and_clock(connection: Connection) -> tuple[int, Instant]:
    """Read the number of the last writers' turn and the database's clock: one question, asked at every look."""
    number, now = connection.execute(_TURN_AND_CLOCK).one()
    return int(number), int(now) / 1000
