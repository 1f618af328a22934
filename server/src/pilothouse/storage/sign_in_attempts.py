"""Failed sign-ins by account, counted for all processes together; and round trips to identity providers that are over."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, delete, insert, or_, select, update

from pilothouse.base.instants import Instant
from pilothouse.storage.claim_tables import round_trips, sign_in_attempts
from pilothouse.storage.statements import insert_unless_there

ANYWHERE: Final = "anywhere"
"""Where an account was not signed in to before."""
_c = sign_in_attempts.c
_SPEND: Final = insert_unless_there(round_trips)


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """How often somebody failed in one window of time."""

    failures: int
    since: Instant


def key_of(text: str) -> str:
    """Make what is stored of a name or a network."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def find(connection: Connection, account: str, places: Sequence[str]) -> Mapping[str, Counted]:
    """Find what was counted of an account in some places."""
    rows = connection.execute(
        select(_c.place, _c.failures, _c.since).where(_c.account == account, _c.place.in_(list(places)))
    )
    return {row.place: Counted(failures=row.failures, since=row.since) for row in rows}


def save(connection: Connection, account: str, place: str, counted: Counted, now: Instant, *, is_new: bool) -> None:
    """Store what was counted."""
    values = {"failures": counted.failures, "since": counted.since, "seen_at": now}
    if is_new:
        connection.execute(insert(sign_in_attempts).values(account=account, place=place, **values))
    else:
        connection.execute(update(sign_in_attempts).where(_c.account == account, _c.place == place).values(**values))


def forget(connection: Connection, account: str, place: str) -> None:
    """Forget what was counted of an account in a place."""
    connection.execute(delete(sign_in_attempts).where(_c.account == account, _c.place == place))


def forgive(connection: Connection, account: str, now: Instant) -> None:
    """Forget the failures of an account in all places; where it was signed in to before is remembered."""
    connection.execute(delete(sign_in_attempts).where(_c.account == account, _c.place == ANYWHERE))
    connection.execute(update(sign_in_attempts).where(_c.account == account).values(failures=0, since=now))


def forget_before(connection: Connection, *, attempts: Instant, places: Instant) -> int:
    """Delete what is too old to count, and places where nobody signed in for long."""
    old = or_((_c.place == ANYWHERE) & (_c.seen_at < attempts), _c.seen_at < places)
    return connection.execute(delete(sign_in_attempts).where(old)).rowcount


def spend(connection: Connection, digest: str, ends_at: Instant) -> bool:
    """Let a round trip come back; False when it did before."""
    return connection.execute(_SPEND, {"new_digest": digest, "new_ends_at": ends_at}).rowcount == 1


def forget_round_trips(connection: Connection, now: Instant) -> int:
    """Delete round trips that are too old to come back anyway."""
    return connection.execute(delete(round_trips).where(round_trips.c.ends_at <= now)).rowcount
