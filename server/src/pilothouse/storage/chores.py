"""Work that comes round again and again, and is done by one process at a time for all."""

import msgspec
from sqlalchemy import Connection, insert, or_, select, update

from pilothouse.base.instants import Instant
from pilothouse.storage.claim_tables import chores

_c = chores.c


class Chore(msgspec.Struct, frozen=True, kw_only=True):
    """Whose a piece of work is."""

    owner: str | None
    renewals: int
    done_at: Instant


def find(connection: Connection, name: str) -> Chore | None:
    """Find a piece of work; None when nobody ever did it."""
    row = connection.execute(select(_c.owner, _c.renewals, _c.done_at).where(_c.name == name)).first()
    return None if row is None else Chore(owner=row.owner, renewals=row.renewals, done_at=row.done_at)


def take(connection: Connection, name: str, owner: str, seen: Chore | None, now: Instant) -> int | None:
    """Take or keep a piece of work as it was seen; gives its renewals, None when somebody else was quicker."""
    if seen is None:
        if find(connection, name) is not None:
            return None
        connection.execute(insert(chores).values(name=name, owner=owner, renewals=1, done_at=now))
        return 1
    is_as_seen = (_c.name == name) & (_c.renewals == seen.renewals)
    is_as_seen &= _c.owner.is_(None) if seen.owner is None else _c.owner == seen.owner
    renewals = seen.renewals + 1
    changed = connection.execute(update(chores).where(is_as_seen).values(owner=owner, renewals=renewals, done_at=now))
    return renewals if changed.rowcount == 1 else None


def let_go(connection: Connection, name: str, owner: str) -> None:
    """Leave a piece of work to whoever comes next."""
    connection.execute(update(chores).where(_c.name == name, _c.owner == owner).values(owner=None))


def begin_due(connection: Connection, name: str, every_s: float, now: Instant) -> bool:
    """Take the next round of a piece of work; False when it was done lately, by whomever.

    A moment that lies further ahead than a round lasts was told by a clock that is wrong: it keeps nobody waiting.
    """
    if find(connection, name) is None:
        connection.execute(insert(chores).values(name=name, owner=None, renewals=1, done_at=now))
        return True
    is_due = or_(_c.done_at <= now - every_s, _c.done_at > now + every_s)
    values = {"done_at": now, "renewals": _c.renewals + 1}
    return connection.execute(update(chores).where(_c.name == name, is_due).values(values)).rowcount == 1
