"""Alert rules, and which channels each tells."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, func, insert, or_, select, true, update

from pilothouse.access.places import Reach
from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest, page_of
from pilothouse.reconcile.alerts import AlertCondition, AlertSeverity, Rule
from pilothouse.storage.alert_places import NAMES, Named, ids_of, joined, names_of, place_of, touching
from pilothouse.storage.alert_tables import alert_channels, alert_rule_channels, alert_rules, alert_silences
from pilothouse.storage.tables import environments


class RuleRow(msgspec.Struct, frozen=True, kw_only=True):
    """A rule with the names of its place and how it fares."""

    rule: Rule
    names: Named
    created_at: Instant
    created_by: str
    trouble: str | None = None
    judged_at: Instant | None = None
    built_in: str | None = None
    """Which of the rules that every organization begins with it was."""


class ChannelName(msgspec.Struct, frozen=True, kw_only=True):
    """What may be known of a channel by who sees the rules that tell it."""

    id: str
    name: str
    kind: str


_FIELDS = (
    "id",
    "name",
    "enabled",
    "critical_only",
    "threshold",
    "percentile",
    "window_s",
    "pattern",
    "for_s",
    "remind_s",
)


def list_enabled(connection: Connection) -> list[Rule]:
    """List all rules that are judged, with their channels and the environments that are critical now: three statements."""
    rows = connection.execute(_select().where(alert_rules.c.enabled.is_(True))).mappings().all()
    channels = channel_ids_of(connection, [row["id"] for row in rows])
    critical = frozenset(connection.execute(select(environments.c.id).where(environments.c.critical)).scalars())
    rules = [_rule(row, channels.get(row["id"], ())) for row in rows]
    return [msgspec.structs.replace(rule, critical_ids=critical) if rule.critical_only else rule for rule in rules]


def find(connection: Connection, reach: Reach, rule_id: str) -> RuleRow | None:
    """Find a rule that watches anything within a reach."""
    wanted = and_(alert_rules.c.id == rule_id, touching(alert_rules, reach))
    row = connection.execute(_select().where(wanted)).mappings().first()
    return None if row is None else _read(row, channel_ids_of(connection, [rule_id]).get(rule_id, ()))


def list_page(connection: Connection, reach: Reach, search: str | None, request: PageRequest) -> Page[RuleRow]:
    """List the rules that watch anything within a reach, by name: three statements."""
    c = alert_rules.c
    wanted = and_(touching(alert_rules, reach), _matching(search))
    statement = _select().where(wanted)
    if request.after is not None:
        name, id_ = request.after_texts()
        statement = statement.where(or_(c.name > name, and_(c.name == name, c.id > id_)))
    rows = connection.execute(statement.order_by(c.name, c.id).limit(request.first + 1)).mappings().all()
    channels = channel_ids_of(connection, [row["id"] for row in rows])
    return page_of(
        "alertRules",
        [_read(row, channels.get(row["id"], ())) for row in rows],
        request,
        connection.execute(select(func.count()).select_from(alert_rules).where(wanted)).scalar_one(),
        lambda row: (row.rule.name, row.rule.id),
    )


def count(connection: Connection) -> int:
    """Count rules."""
    return connection.execute(select(func.count()).select_from(alert_rules)).scalar_one()


def is_named(connection: Connection, rule: Rule) -> bool:
    """Tell whether another rule bears the same name in the same place."""
    c = alert_rules.c
    place = [c[name].is_not_distinct_from(id_) for name, id_ in ids_of(rule.place).items()]
    wanted = and_(c.name == rule.name, c.id != rule.id, *place)
    return connection.execute(select(c.id).where(wanted).limit(1)).first() is not None


def add(
    connection: Connection, organization_id: str, rule: Rule, *, by: str, now: Instant, built_in: str | None = None
) -> None:
    """Store a rule."""
    values = {
        "organization_id": organization_id,
        "created_at": now,
        "created_by": by,
        "built_in": built_in,
        **_values(rule),
    }
    connection.execute(insert(alert_rules).values(values))
    _put_channels(connection, rule)


def change(connection: Connection, rule: Rule) -> None:
    """Store a rule anew; whether it can be judged is to be seen."""
    values = {**_values(rule), "trouble": None, "judged_at": None}
    connection.execute(update(alert_rules).where(alert_rules.c.id == rule.id).values(values))
    connection.execute(delete(alert_rule_channels).where(alert_rule_channels.c.rule_id == rule.id))
    _put_channels(connection, rule)


def remove(connection: Connection, rule_id: str) -> None:
    """Delete a rule and its silences."""
    connection.execute(delete(alert_silences).where(alert_silences.c.rule_id == rule_id))  # statements.LEFT_TO_US
    connection.execute(delete(alert_rules).where(alert_rules.c.id == rule_id))


def organization_of(connection: Connection, rule: Rule) -> str | None:
    """Tell whose a rule is; None when it looks at something else by now than it did when it was read, or at nothing."""
    c = alert_rules.c
    row = connection.execute(select(alert_rules).where(c.id == rule.id, c.enabled.is_(True))).mappings().first()
    if row is None:
        return None
    if (row["condition"], place_of(row), row["critical_only"]) != (rule.condition, rule.place, rule.critical_only):
        return None
    return str(row["organization_id"])


def note_judged(connection: Connection, judged: Iterable[tuple[str, str | None]], now: Instant) -> None:
    """Remember when rules were judged, and what is in the way of it."""
    by_trouble: dict[str | None, list[str]] = defaultdict(list)
    for rule_id, trouble in judged:
        by_trouble[trouble].append(rule_id)
    for trouble, ids in by_trouble.items():
        statement = update(alert_rules).where(alert_rules.c.id.in_(ids))
        connection.execute(statement.values(trouble=trouble, judged_at=now))


def channel_ids_of(connection: Connection, rule_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Tell which channels rules tell."""
    c = alert_rule_channels.c
    found: dict[str, list[str]] = defaultdict(list)
    statement = select(c.rule_id, c.channel_id).where(c.rule_id.in_(list(rule_ids))).order_by(c.channel_id)
    for row in connection.execute(statement):
        found[row.rule_id].append(row.channel_id)
    return {rule_id: tuple(ids) for rule_id, ids in found.items()}


def channel_names(connection: Connection, channel_ids: Sequence[str]) -> dict[str, ChannelName]:
    """Read what may be known of channels."""
    c = alert_channels.c
    rows = connection.execute(select(c.id, c.name, c.kind).where(c.id.in_(list(channel_ids)))).mappings()
    return {row["id"]: ChannelName(**row) for row in rows}


def names_of_rules_telling(connection: Connection, channel_id: str) -> list[str]:
    """List the names of the rules that tell a channel."""
    c = alert_rules.c
    statement = (
        select(c.name)
        .join(alert_rule_channels, alert_rule_channels.c.rule_id == c.id)
        .where(alert_rule_channels.c.channel_id == channel_id)
        .order_by(c.name)
    )
    return list(connection.execute(statement).scalars())


def _select():  # noqa: ANN202 - a statement over four tables
    return select(alert_rules, *NAMES).select_from(joined(alert_rules))


def _matching(search: str | None) -> ColumnElement[bool]:
    return true() if not search else alert_rules.c.name.icontains(search, autoescape=True)


def _values(rule: Rule) -> dict[str, object]:
    return {
        **{name: getattr(rule, name) for name in _FIELDS},
        "condition": rule.condition.value,
        "severity": rule.severity.value,
        "levels": msgspec.json.encode(rule.levels).decode(),
        **ids_of(rule.place),
    }


def _put_channels(connection: Connection, rule: Rule) -> None:
    if rule.channel_ids:
        rows = [{"rule_id": rule.id, "channel_id": channel_id} for channel_id in rule.channel_ids]
        connection.execute(insert(alert_rule_channels), rows)


def _rule(row: RowMapping, channel_ids: tuple[str, ...]) -> Rule:
    return Rule(
        **{name: row[name] for name in _FIELDS},
        condition=AlertCondition(row["condition"]),
        severity=AlertSeverity(row["severity"]),
        levels=tuple(msgspec.json.decode(row["levels"], type=list[str])),
        place=place_of(row),
        channel_ids=channel_ids,
    )


def _read(row: RowMapping, channel_ids: tuple[str, ...]) -> RuleRow:
    return RuleRow(
        rule=_rule(row, channel_ids),
        names=names_of(row),
        created_at=row["created_at"],
        created_by=row["created_by"],
        trouble=row["trouble"],
        judged_at=row["judged_at"],
        built_in=row["built_in"],
    )
