"""Last seen, interval and verdict of every runtime: read whole at start, written in batches.

Where several processes serve one database, each writes what it heard, and what is newer stands (`save_shared`); verdicts are
written under the writers' turn alone (`save_verdicts`). What changed since a turn is read by its number: numbers are given
in the order of the commits, so that nothing comes behind what was read.
"""

from collections.abc import Generator, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, or_, select, update

from pilothouse.base.instants import Instant
from pilothouse.domain.liveness import Status
from pilothouse.domain.presence import Announced, Heard, PresenceRow, Seen, SharedRow
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.storage import heard_batches
from pilothouse.storage.columns import Rows
from pilothouse.storage.counter_tables import TURN, WRITES, counters
from pilothouse.storage.statements import change_many
from pilothouse.storage.tables import integrations, runtime_presence, runtimes

_KEYS_AT_ONCE = 500
_r, _p = runtimes.c, runtime_presence.c
_NEWEST: Final = {
    "seen_at": "seen_at",
    "interval_s": "seen_at",
    "address": "seen_at",
    "via": "seen_at",
    "channel_at": "channel_at",
    "departed_at": "departed_at",
    "departed_how": "departed_at",
}
"""Each column goes with its moment, of which the later one stands."""


def _rows() -> Rows:
    return (
        select(
            _p.runtime_key,
            _r.runtime_id,
            integrations.c.project_id,
            _r.integration_id,
            _r.environment_id,
            _r.runtime_type,
            _r.runtime_hash,
            _p.seen_at,
            _p.interval_s,
            _p.address,
            _p.running_since,
            _p.status,
        )
        .join(runtimes, _r.key == _p.runtime_key)
        .join(integrations, integrations.c.id == _r.integration_id)
    )


def _shared_rows() -> Rows:
    return _rows().add_columns(_p.via, _p.channel_at, _p.departed_at, _p.departed_how, _p.told, _r.retired_at)


_ALL = _rows().where(_r.retired_at.is_(None))
_ALL_SHARED = _shared_rows().where(_r.retired_at.is_(None))
_CHANGED = _shared_rows().where(_p.change_number > bindparam("after"))
_OF_KEYS = _shared_rows().where(_p.runtime_key.in_(bindparam("keys", expanding=True)))
_ONE = _shared_rows().where(
    _r.runtime_id == bindparam("of_runtime_id"),
    _r.integration_id == bindparam("of_integration_id"),
    _r.environment_id == bindparam("of_environment_id"),
)
_HEARD = select(*(_p[name] for name in Heard.__struct_fields__)).where(
    _p.seen_number > bindparam("after"), or_(_p.via.is_(None), _p.via != bindparam("me"))
)
_ANNOUNCED = (
    select(*(_p[name] for name in Announced.__struct_fields__))
    .join(runtimes, _r.key == _p.runtime_key)
    .where(_p.runtime_key.in_(bindparam("keys", expanding=True)), _r.retired_at.is_(None))
)
_NOTE_TOLD = (
    update(runtime_presence)
    .where(_p.runtime_key == bindparam("of_key"))
    .values(told=bindparam("to_told"), change_number=TURN)
)
_NOTE_CHANGE = (
    update(runtime_presence).where(_p.runtime_key.in_(bindparam("keys", expanding=True))).values(change_number=TURN)
)


def list_all(connection: Connection) -> Iterable[PresenceRow]:
    """Read every runtime that is not retired."""
    for row in connection.execute(_ALL).mappings():
        values: dict[str, Any] = {  # Any: column values
            **row,
            "status": Status(row["status"]),
            "runtime_type": RuntimeType(row["runtime_type"]),
        }
        yield PresenceRow(**values)


def list_all_shared(connection: Connection) -> list[SharedRow]:
    """Read every runtime that is not retired, with what other replicas know of it."""
    return list(_told(connection, _ALL_SHARED))


def list_changed(connection: Connection, after: int) -> list[SharedRow]:
    """Read the runtimes, also those retired, of which more changed than when they were seen, since a turn."""
    return list(_told(connection, _CHANGED, after=after))


def list_of(connection: Connection, keys: Sequence[int]) -> list[SharedRow]:
    """Read certain runtimes, also those retired."""
    return [row for some in _batches(keys) for row in _told(connection, _OF_KEYS, keys=some)]


def find(connection: Connection, runtime_id: str, integration_id: str, environment_id: str) -> SharedRow | None:
    """Read one runtime by its identity, unless it is retired."""
    place = {
        "of_runtime_id": runtime_id,
        "of_integration_id": integration_id,
        "of_environment_id": environment_id,
    }
    return next((row for row in _told(connection, _ONE, **place) if not row.is_retired), None)


def list_heard(connection: Connection, after: int, me: str) -> list[Heard]:
    """Read what other replicas than this one heard since a turn, in batches; of all runtimes, when these are deleted already."""
    told = heard_batches.list_after(connection, after, me)
    if told is not None:
        return told
    fields = Heard.__struct_fields__
    found = connection.execute(_HEARD, {"after": after, "me": me})
    return [Heard(**dict(zip(fields, row, strict=True))) for row in found]


def list_announced(connection: Connection, keys: Sequence[int]) -> dict[int, Announced]:
    """Read what stands of runtimes that are not retired, under the writers' turn."""
    found: dict[int, Announced] = {}
    for some in _batches(keys):
        for row in connection.execute(_ANNOUNCED, {"keys": some}).mappings():
            values: dict[str, Any] = {**row, "status": Status(row["status"])}  # Any: column values
            found[row["runtime_key"]] = Announced(**values)
    return found


def turn_of(connection: Connection) -> int:
    """Read the number of the last turn; within a transaction that writes, of its own."""
    return int(connection.execute(select(counters.c.number).where(counters.c.name == WRITES)).scalar_one())


def save(connection: Connection, rows: Sequence[Seen]) -> None:
    """Store what changed since the last time, where nobody else hears beats: of most, only when they were seen."""
    change_many(connection, runtime_presence, _seen([row for row in rows if row.more is None]))
    whole = [row for row in rows if row.more is not None]
    more = [row.more for row in whole if row.more is not None]
    columns: dict[str, Sequence[Any]] = {  # Any: column values
        **_seen(whole),
        "address": [address for address, _, _ in more],
        "running_since": [since for _, since, _ in more],
        "status": [status.value for _, _, status in more],
    }
    change_many(connection, runtime_presence, columns)


def _seen(rows: Sequence[Seen | Heard]) -> dict[str, Sequence[Any]]:  # Any: column values
    return {
        "runtime_key": [row.runtime_key for row in rows],
        "seen_at": [row.seen_at for row in rows],
        "interval_s": [row.interval_s for row in rows],
    }


def save_shared(connection: Connection, rows: Sequence[Heard], via: str, at: Instant) -> None:
    """Store what this replica heard until a moment, and tell the others; what they heard later stands."""
    if not rows:
        return
    number = turn_of(connection)
    heard_batches.add(connection, number, rows, via, at)
    same = {"via": via, "seen_number": number}
    beats = [row for row in rows if row.channel_at is None and row.departed_at is None]
    columns: dict[str, Sequence[Any]] = {
        **_seen(beats),
        "address": [row.address for row in beats],
    }  # Any: column values
    # Where all goes with one moment, a row is left alone or written whole.
    change_many(connection, runtime_presence, columns, same=same, unless_older="seen_at")
    channels = [row for row in rows if row.channel_at is not None or row.departed_at is not None]
    columns = {
        **_seen(channels),
        "address": [row.address for row in channels],
        "channel_at": [row.channel_at for row in channels],
        "departed_at": [row.departed_at for row in channels],
        "departed_how": [row.departed_how for row in channels],
    }
    change_many(connection, runtime_presence, columns, same=same, newest=_NEWEST)


def save_verdicts(connection: Connection, verdicts: Sequence[tuple[Heard, Status, Instant]]) -> None:
    """Store verdicts with what they are founded on, under the writers' turn."""
    if not verdicts:
        return
    columns: dict[str, Sequence[Any]] = {  # Any: column values
        "runtime_key": [row.runtime_key for row, _, _ in verdicts],
        "seen_at": [row.seen_at for row, _, _ in verdicts],
        "departed_at": [row.departed_at for row, _, _ in verdicts],
        "departed_how": [row.departed_how for row, _, _ in verdicts],
        "status": [status.value for _, status, _ in verdicts],
        "running_since": [since for _, _, since in verdicts],
    }
    change_many(
        connection,
        runtime_presence,
        columns,
        same={"change_number": turn_of(connection)},
        newest={"seen_at": "seen_at", "departed_at": "departed_at", "departed_how": "departed_at"},
    )


def note_told(connection: Connection, told: Sequence[tuple[int, str]]) -> None:
    """Store the sums of what full heartbeats said, by runtime, and that other replicas are to look at them."""
    if told:
        connection.execute(_NOTE_TOLD, [{"of_key": key, "to_told": each} for key, each in told])


def note_change(connection: Connection, keys: Sequence[int]) -> None:
    """Have other replicas look at runtimes."""
    for some in _batches(keys):
        connection.execute(_NOTE_CHANGE, {"keys": some})


def _told(connection: Connection, question: Rows, **values: Any) -> Generator[SharedRow]:  # Any: column values
    for row in connection.execute(question, values).mappings():
        told: dict[str, Any] = {  # Any: column values
            **row,
            "status": Status(row["status"]),
            "runtime_type": RuntimeType(row["runtime_type"]),
        }
        told["is_retired"] = told.pop("retired_at") is not None
        yield SharedRow(**told)


def _batches(keys: Sequence[int]) -> Generator[list[int]]:
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        yield list(keys[start : start + _KEYS_AT_ONCE])
