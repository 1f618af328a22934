"""Silences: times in which nobody is told."""

import msgspec
from sqlalchemy import Connection, RowMapping, and_, delete, func, insert, or_, select, true, update

from pilothouse.access.places import Reach
from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest, page_of
from pilothouse.reconcile.alerts import Silence
from pilothouse.storage.alert_places import NAMES, Named, ids_of, joined, names_of, place_of, touching
from pilothouse.storage.alert_tables import alert_rules, alert_silences


class SilenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A silence with the names of its place."""

    id: str
    silence: Silence
    names: Named
    rule_name: str | None
    reason: str
    created_by: str


def list_now(connection: Connection, now: Instant) -> list[Silence]:
    """List the silences that cover a moment."""
    c = alert_silences.c
    rows = connection.execute(select(alert_silences).where(c.from_at <= now, c.to_at > now)).mappings()
    return [_silence(row) for row in rows]


def find(connection: Connection, reach: Reach, silence_id: str) -> SilenceRow | None:
    """Find a silence that covers anything within a reach."""
    wanted = and_(alert_silences.c.id == silence_id, touching(alert_silences, reach))
    row = connection.execute(_select().where(wanted)).mappings().first()
    return None if row is None else _read(row)


def list_page(
    connection: Connection, reach: Reach, now: Instant, request: PageRequest, *, include_ended: bool
) -> Page[SilenceRow]:
    """List the silences that cover anything within a reach, those that begin last first."""
    c = alert_silences.c
    wanted = and_(touching(alert_silences, reach), true() if include_ended else c.to_at > now)
    statement = _select().where(wanted)
    if request.after is not None:
        at, id_ = request.after_instant()
        statement = statement.where(or_(c.from_at < at, and_(c.from_at == at, c.id > id_)))
    rows = connection.execute(statement.order_by(c.from_at.desc(), c.id).limit(request.first + 1)).mappings()
    return page_of(
        "alertSilences",
        [_read(row) for row in rows],
        request,
        connection.execute(select(func.count()).select_from(alert_silences).where(wanted)).scalar_one(),
        lambda row: (str(round(row.silence.from_at * 1000)), row.id),
    )


def add(
    connection: Connection,
    organization_id: str,
    silence_id: str,
    silence: Silence,
    *,
    reason: str,
    by: str,
    now: Instant,
) -> None:
    """Store a silence."""
    connection.execute(
        insert(alert_silences).values(
            id=silence_id,
            organization_id=organization_id,
            rule_id=silence.rule_id,
            **ids_of(silence.place),
            reason=reason,
            from_at=silence.from_at,
            to_at=silence.to_at,
            created_at=now,
            created_by=by,
        )
    )


def end(connection: Connection, silence_id: str, now: Instant) -> None:
    """Let a silence end now, or before it begins."""
    c = alert_silences.c
    connection.execute(update(alert_silences).where(c.id == silence_id, c.to_at > now).values(to_at=now))


def count_now(connection: Connection, now: Instant) -> int:
    """Count the silences that have not ended."""
    return connection.execute(
        select(func.count()).select_from(alert_silences).where(alert_silences.c.to_at > now)
    ).scalar_one()


def forget_before(connection: Connection, at: Instant) -> int:
    """Delete the silences that ended before a moment."""
    return connection.execute(delete(alert_silences).where(alert_silences.c.to_at < at)).rowcount


def _select():  # noqa: ANN202 - a statement over five tables
    rules = alert_silences.join(alert_rules, alert_rules.c.id == alert_silences.c.rule_id, isouter=True)
    return select(alert_silences, alert_rules.c.name.label("rule_name"), *NAMES).select_from(
        joined(alert_silences, rules)
    )


def _silence(row: RowMapping) -> Silence:
    return Silence(place=place_of(row), rule_id=row["rule_id"], from_at=row["from_at"], to_at=row["to_at"])


def _read(row: RowMapping) -> SilenceRow:
    return SilenceRow(
        id=row["id"],
        silence=_silence(row),
        names=names_of(row),
        rule_name=row["rule_name"],
        reason=row["reason"],
        created_by=row["created_by"],
    )
