"""What each flush says of beats, packed, for the other replicas: what it costs to read follows what changed, not the fleet.

Batches are kept for a minute. Up to which turn they were deleted stands beside them, so that who was away for longer knows that
it must look at all runtimes instead (`presence.list_heard`).
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from pilothouse.base.instants import Instant
from pilothouse.domain.presence import Heard
from pilothouse.storage.counter_tables import HEARD, counters
from pilothouse.storage.replica_tables import heard_batches

KEPT_S: Final = 60.0
"""Unit: seconds. Replicas look twice a second; one that is away for longer looks at everything once."""
HEARD_AT_ONCE: Final = 5_000
"""What one batch tells, at most: about 300 kB, read within some milliseconds."""

_b = heard_batches.c
_FLOOR = select(counters.c.number).where(counters.c.name == HEARD)
_AFTER = select(_b.heard).where(_b.number > bindparam("after"), _b.via != bindparam("me")).order_by(_b.number, _b.part)
_PARTS = select(func.count()).select_from(heard_batches).where(_b.number == bindparam("number"))
_decode = msgspec.msgpack.Decoder(list[Heard]).decode


def add(connection: Connection, number: int, heard: Sequence[Heard], via: str, at: Instant) -> None:
    """Tell others what was heard, under the writers' turn with this number; of one turn there may be several flushes.

    That is so when a flush waits for its turn and the process ends meanwhile: its last one joins the same transaction.
    """
    if not heard:
        return
    first = int(connection.execute(_PARTS, {"number": number}).scalar_one())
    batches = [
        {
            "number": number,
            "part": first + start // HEARD_AT_ONCE,
            "via": via,
            "at": at,
            "heard": msgspec.msgpack.encode(heard[start : start + HEARD_AT_ONCE]),
        }
        for start in range(0, len(heard), HEARD_AT_ONCE)
    ]
    connection.execute(insert(heard_batches), batches)


def list_after(connection: Connection, after: int, me: str) -> list[Heard] | None:
    """Read what other replicas than this one heard since a turn; None when some of it is deleted already."""
    if after < floor(connection):
        return None
    found = connection.execute(_AFTER, {"after": after, "me": me}).scalars()
    return [one for packed in found for one in _decode(packed)]


def floor(connection: Connection) -> int:
    """Read up to which turn batches were deleted; 0 when none was."""
    return int(connection.execute(_FLOOR).scalar() or 0)


def forget(connection: Connection, before: Instant) -> int:
    """Delete batches from before a moment, and all with lower turns, under the writers' turn; returns how many."""
    last: int | None = connection.execute(select(func.max(_b.number)).where(_b.at < before)).scalar()
    if last is None:
        return 0
    raised = update(counters).where(counters.c.name == HEARD).values(number=last)
    if connection.execute(raised).rowcount == 0:
        connection.execute(insert(counters).values(name=HEARD, number=last))
    return connection.execute(delete(heard_batches).where(_b.number <= last)).rowcount
