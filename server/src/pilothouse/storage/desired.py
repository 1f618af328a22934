"""What is desired, and the log of who desired it."""

from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update
from sqlalchemy.engine import RowMapping

from pilothouse.base.instants import Instant
from pilothouse.domain.steering import Aspect, SteerableKind, Target, Wish
from pilothouse.storage.many import in_batches
from pilothouse.storage.statements import add_numbered
from pilothouse.storage.tables import desired_changes, desired_states

HISTORY_MAX = 20


class Place(msgspec.Struct, frozen=True, order=True):
    """Where something is desired: one integration in one environment."""

    integration_id: str
    environment_id: str


class DesiredChange(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the log."""

    value: str | None
    version: int
    author: str
    at: Instant


_c, _s = desired_changes.c, desired_states.c
_OF_PLACE = (
    select(desired_changes, _s.absent_since)
    .join(desired_states, _s.change_number == _c.number)
    .where(_s.integration_id == bindparam("of_integration_id"), _s.environment_id == bindparam("of_environment_id"))
    .order_by(_c.number)
)
_OF_INTEGRATIONS = (
    select(desired_changes, _s.absent_since)
    .join(desired_states, _s.change_number == _c.number)
    .where(_s.integration_id.in_(bindparam("integration_ids", expanding=True)))
    .order_by(_c.number)
)
_WISHED = (
    select(_s.integration_id, _s.environment_id)
    .where(_s.integration_id.in_(bindparam("integration_ids", expanding=True)))
    .distinct()
)


def digest(target: Target) -> str:
    """Compute the key of a target.

    Shape: 32 hexadecimal digits.
    """
    return blake2b(msgspec.json.encode(target), digest_size=16).hexdigest()


def list_wishes(connection: Connection, place: Place) -> list[Wish]:
    """List what is desired in a place, oldest first."""
    rows = connection.execute(_OF_PLACE, _of(place)).mappings()
    return [_wish(row) for row in rows]


def list_wishes_of(connection: Connection, places: Collection[Place]) -> dict[Place, list[Wish]]:
    """List, by place, what is desired there, oldest first."""
    found: dict[Place, list[Wish]] = {}
    for ids in in_batches(sorted({place.integration_id for place in places})):
        for row in connection.execute(_OF_INTEGRATIONS, {"integration_ids": ids}).mappings():
            place = Place(row["integration_id"], row["environment_id"])
            if place in places:
                found.setdefault(place, []).append(_wish(row))
    return found


def list_wished(connection: Connection, places: Collection[Place]) -> set[Place]:
    """Tell in which places anything is desired."""
    return {
        place
        for ids in in_batches(sorted({place.integration_id for place in places}))
        for row in connection.execute(_WISHED, {"integration_ids": ids})
        if (place := Place(row.integration_id, row.environment_id)) in places
    }


def find(connection: Connection, place: Place, target: Target) -> Wish | None:
    """Find what is desired of a target."""
    statement = _OF_PLACE.where(_s.target == bindparam("of_target"))
    row = connection.execute(statement, {**_of(place), "of_target": digest(target)}).mappings().first()
    return None if row is None else _wish(row)


def change(
    connection: Connection,
    place: Place,
    target: Target,
    value: str | None,
    *,
    author: str,
    now: Instant,
    fingerprints: Sequence[str] = (),
) -> Wish | None:
    """Write a wish down, or with None forget it; the log keeps both."""
    key = digest(target)
    here = (_s.integration_id == place.integration_id, _s.environment_id == place.environment_id, _s.target == key)
    version = 1 + (
        connection.execute(
            select(_c.version)
            .where(
                _c.integration_id == place.integration_id,
                _c.environment_id == place.environment_id,
                _c.target == key,
            )
            .order_by(_c.number.desc())
            .limit(1)
        ).scalar()
        or 0
    )
    number = add_numbered(
        connection,
        insert(desired_changes).values(
            integration_id=place.integration_id,
            environment_id=place.environment_id,
            target=key,
            kind=target.kind.value,
            name=target.name,
            package=target.package,
            aspect=target.aspect.value,
            value=value,
            version=version,
            author=author,
            set_at=now,
            fingerprints=msgspec.json.encode(sorted(fingerprints)).decode(),
        ),
    )
    if value is None:
        connection.execute(delete(desired_states).where(*here))
        return None
    changed = connection.execute(update(desired_states).where(*here).values(change_number=number, absent_since=None))
    if changed.rowcount == 0:
        connection.execute(
            insert(desired_states).values(
                integration_id=place.integration_id,
                environment_id=place.environment_id,
                target=key,
                change_number=number,
            )
        )
    return Wish(
        number=number,
        target=target,
        value=value,
        version=version,
        author=author,
        set_at=now,
        fingerprints=tuple(sorted(fingerprints)),
    )


def list_history(connection: Connection, place: Place, targets: Iterable[Target]) -> dict[Target, list[DesiredChange]]:
    """List the changes of some targets, newest first, at most `HISTORY_MAX` of each."""
    keys = {digest(target): target for target in targets}
    found: dict[Target, list[DesiredChange]] = {target: [] for target in keys.values()}
    if not keys:
        return found
    place_of = func.row_number().over(partition_by=_c.target, order_by=_c.number.desc()).label("place")
    newest = (
        select(_c.number, _c.target, _c.value, _c.version, _c.author, _c.set_at, place_of)
        .where(
            _c.integration_id == place.integration_id,
            _c.environment_id == place.environment_id,
            _c.target.in_(list(keys)),
        )
        .subquery()
    )
    rows = connection.execute(select(newest).where(newest.c.place <= HISTORY_MAX).order_by(newest.c.number.desc()))
    for row in rows:
        entry = DesiredChange(value=row.value, version=row.version, author=row.author, at=row.set_at)
        found[keys[row.target]].append(entry)
    return found


def list_places(connection: Connection) -> list[Place]:
    """List the places where anything is desired."""
    rows = connection.execute(select(_s.integration_id, _s.environment_id).distinct())
    return [Place(row.integration_id, row.environment_id) for row in rows]


def note_absence(connection: Connection, place: Place, wishes: Iterable[Wish], since: Instant | None) -> None:
    """Remember since when nobody hosts what is wished for; None: somebody does."""
    for wish in wishes:
        connection.execute(
            update(desired_states)
            .where(
                _s.integration_id == place.integration_id,
                _s.environment_id == place.environment_id,
                _s.target == digest(wish.target),
            )
            .values(absent_since=since)
        )


def _of(place: Place) -> dict[str, str]:
    return {"of_integration_id": place.integration_id, "of_environment_id": place.environment_id}


def _wish(row: RowMapping) -> Wish:
    return Wish(
        number=row["number"],
        target=Target(SteerableKind(row["kind"]), row["name"], row["package"], Aspect(row["aspect"])),
        value=row["value"],
        version=row["version"],
        author=row["author"],
        set_at=row["set_at"],
        fingerprints=tuple(msgspec.json.decode(row["fingerprints"], type=list[str])),
        absent_since=row["absent_since"],
    )
