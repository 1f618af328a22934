"""Alert rules: made, changed and deleted by who may in the place that they watch."""

from typing import Any, Final

import msgspec

from pilothouse.access.grants import Place, Subject, reach, require
from pilothouse.access.permissions import Permission
from pilothouse.base.errors import Conflict, InvalidInput, NotFound
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.operations.alert_checks import check_rule
from pilothouse.operations.audit import audit, changed
from pilothouse.operations.explaining import PlaceNames, find_scope
from pilothouse.reconcile.alerts import AlertCondition, AlertSeverity, Rule
from pilothouse.storage import alert_channels, alert_outbox, alert_rules, alerts
from pilothouse.storage.alert_rules import RuleRow
from pilothouse.storage.unit import Connection, Transaction

MANAGE: Final = Permission.ALERT_MGT_MANAGE
VIEW: Final = Permission.INTEGRATION_MGT_VIEW
RULES_MAX: Final = 500
_ASKS_FOR: Final = {
    # A rule tells how often something was said, or how it went: who may not look that up may not have it told either.
    AlertCondition.LOG_PATTERN: Permission.OBSERVABILITY_MGT_VIEW_LOGS,
    AlertCondition.ERROR_RATE: Permission.OBSERVABILITY_MGT_VIEW_INSIGHTS,
    AlertCondition.LATENCY: Permission.OBSERVABILITY_MGT_VIEW_INSIGHTS,
    AlertCondition.NO_TRAFFIC: Permission.OBSERVABILITY_MGT_VIEW_INSIGHTS,
}


class RuleWish(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as somebody wants it; what is None is as usual, or stays as it is."""

    id: str | None = None
    name: str
    condition: AlertCondition
    severity: AlertSeverity | None = None
    enabled: bool | None = None
    where: PlaceNames = PlaceNames()
    critical_only: bool | None = None
    threshold: float | None = None
    percentile: float | None = None
    window_s: int | None = None
    pattern: str | None = None
    levels: tuple[str, ...] = ()
    for_s: int | None = None
    remind_s: int | None = None
    channel_ids: tuple[str, ...] = ()


def find(connection: Connection, subject: Subject, rule_id: str) -> RuleRow:
    """Find a rule that somebody may see.

    Raises: NotFound
    """
    found = alert_rules.find(connection, reach(subject, VIEW), rule_id)
    if found is None:
        raise NotFound("There is no such alert rule.", field="id", fix="Look at the list of alert rules.")
    return found


def save(tx: Transaction, subject: Subject, wish: RuleWish, now: Instant) -> RuleRow:
    """Make a rule, or change one.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict when there are too many, or one of that name in that place
    """
    before = None if wish.id is None else find(tx.connection, subject, wish.id)
    if before is not None:
        require(subject, MANAGE, at=before.rule.place)
    place = find_scope(tx.connection, subject, wish.where).place
    require(subject, MANAGE, at=place)
    if wish.condition in _ASKS_FOR:
        require(subject, _ASKS_FOR[wish.condition], at=place)
    rule = check_rule(_wanted(wish, place, before))
    _check_channels(tx, rule)
    if before is None or (before.rule.name, before.rule.place) != (rule.name, rule.place):
        _check_name(tx, rule)
    if before is None:
        if alert_rules.count(tx.connection) >= RULES_MAX:
            raise Conflict(f"There are {RULES_MAX} alert rules already.", fix="Delete those that nobody needs.")
        alert_rules.add(tx.connection, subject.organization_id, rule, by=subject.username, now=now)
        audit(tx, subject, "alert-rule.create", rule.id, now, rule.name, after=_told(rule), at=place)
    else:
        _change(tx, subject, before.rule, rule, now)
    return find(tx.connection, subject, rule.id)


def delete(tx: Transaction, subject: Subject, rule_id: str, now: Instant) -> RuleRow:
    """Delete a rule; what it found ends without a word, and stays in the history.

    Raises: NotPermitted, NotFound
    """
    found = find(tx.connection, subject, rule_id)
    require(subject, MANAGE, at=found.rule.place)
    _quieten(tx, rule_id, "The rule was deleted.", now)
    alert_rules.remove(tx.connection, rule_id)
    audit(
        tx,
        subject,
        "alert-rule.delete",
        rule_id,
        now,
        found.rule.name,
        before=_told(found.rule),
        at=found.rule.place,
    )
    return found


def _change(tx: Transaction, subject: Subject, before: Rule, rule: Rule, now: Instant) -> None:
    old, new = changed(_told(before), _told(rule))
    if not new:
        return
    if _looks_elsewhere(before, rule) or not rule.enabled:
        _quieten(tx, rule.id, "The rule was changed.", now)
    alert_rules.change(tx.connection, rule)
    audit(tx, subject, "alert-rule.change", rule.id, now, rule.name, before=old, after=new, at=rule.place)


def _looks_elsewhere(before: Rule, rule: Rule) -> bool:
    """Tell whether what was found by the old rule says nothing about the new one."""
    return (before.place, before.critical_only, before.condition) != (rule.place, rule.critical_only, rule.condition)


def _quieten(tx: Transaction, rule_id: str, reason: str, now: Instant) -> None:
    alerts.end_all_of(tx.connection, rule_id, now)
    alert_outbox.give_up_of_rule(tx.connection, rule_id, reason)


def _wanted(wish: RuleWish, place: Place, before: RuleRow | None) -> Rule:
    known = None if before is None else before.rule
    return Rule(
        id=new_id() if known is None else known.id,
        name=wish.name.strip(),
        condition=wish.condition,
        severity=wish.severity or (AlertSeverity.WARNING if known is None else known.severity),
        enabled=wish.enabled if wish.enabled is not None else (known is None or known.enabled),
        place=place,
        critical_only=_critical_only(wish, known),
        threshold=wish.threshold,
        percentile=wish.percentile,
        window_s=300 if wish.window_s is None else wish.window_s,
        pattern=wish.pattern or None,
        levels=tuple(dict.fromkeys(wish.levels)),
        for_s=wish.for_s or 0,
        remind_s=wish.remind_s,
        channel_ids=tuple(dict.fromkeys(wish.channel_ids)),
    )


def _critical_only(wish: RuleWish, known: Rule | None) -> bool:
    if wish.critical_only is None and wish.where.environment is None:
        return known is not None and known.critical_only
    return bool(wish.critical_only)


def _check_name(tx: Transaction, rule: Rule) -> None:
    if alert_rules.is_named(tx.connection, rule):
        raise Conflict(
            f"There is a rule {rule.name} for this place already.",
            field="name",
            fix="Change that one, or choose a name.",
        )


def _check_channels(tx: Transaction, rule: Rule) -> None:
    known = alert_channels.kinds_of(tx.connection, rule.channel_ids)
    missing = [channel_id for channel_id in rule.channel_ids if channel_id not in known]
    if missing:
        raise InvalidInput(
            f"There is no channel '{missing[0][:40]}'.", field="channels", fix="Look at the list of channels."
        )


def _told(rule: Rule) -> dict[str, Any]:  # Any: JSON values
    told = msgspec.to_builtins(rule)
    return {name: value for name, value in told.items() if name not in {"id", "critical_ids"}}
