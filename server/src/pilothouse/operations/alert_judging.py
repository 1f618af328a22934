"""Writing down what became of a rule's alerts, and having its channels told: both or neither."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from pilothouse.base.instants import Instant
from pilothouse.reconcile.alerts import (
    ChannelKind,
    Measurement,
    Rule,
    Silence,
    Verdict,
    is_silenced,
    judge,
)
from pilothouse.storage import alert_channels, alert_outbox, alert_rules, alert_silences, alerts
from pilothouse.storage.alerts import StoredAlert
from pilothouse.storage.unit import Connection, Transaction

_DAY_S: Final = 86_400.0
ENDED_S: Final = 7 * _DAY_S
"""What ended by itself is spoken of for so long."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a round of judging begins with."""

    rules: Sequence[Rule]
    open: Mapping[str, Mapping[str, StoredAlert]]
    """By rule and subject."""
    silences: Sequence[Silence]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of a rule's subjects."""

    measurements: Sequence[Measurement] = ()
    trouble: str | None = None
    """Why something of it cannot be told."""
    complete: bool = True
    """Whether a subject that was not found is not there any more; else nothing is known of it."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one alert."""

    known: StoredAlert | None
    verdict: Verdict


def read(connection: Connection, now: Instant) -> Known:
    """Read all that judging needs, however many rules there are: five statements."""
    by_rule: dict[str, dict[str, StoredAlert]] = {}
    for stored in alerts.list_open(connection):
        by_rule.setdefault(stored.rule_id, {})[stored.alert.subject] = stored
    return Known(
        rules=alert_rules.list_enabled(connection),
        open=by_rule,
        silences=alert_silences.list_now(connection, now),
    )


def changes_of(rule: Rule, found: Found, known: Known, now: Instant) -> list[Change]:
    """Judge everything that was found of a rule, and what was open of it."""
    before = known.open.get(rule.id, {})
    measured = {measurement.subject: measurement for measurement in found.measurements}
    changes: list[Change] = []
    for subject in {**before, **measured}:
        stored = before.get(subject)
        measurement = measured.get(subject)
        if measurement is None and not found.complete:
            measurement = Measurement(subject=subject, holds=None)
        place = stored.alert.place if stored is not None else measurement.place if measurement else rule.place
        silenced = is_silenced(known.silences, rule.id, place, now)
        verdict = judge(rule, measurement, None if stored is None else stored.alert, now, silenced=silenced)
        if verdict is not None:
            changes.append(Change(known=stored, verdict=verdict))
    return changes


def expiry_bounds(rule: Rule, now: Instant) -> tuple[Instant, Instant]:
    """Tell between which moments a secret must end for a rule to speak of it: what ended long ago is no news."""
    return now - ENDED_S, now + (rule.threshold or 0) * _DAY_S


def keep(tx: Transaction, rule: Rule, changes: Sequence[Change], now: Instant) -> int:
    """Store changes, and put into the outbox what is to be said of them; what another process wrote first is left to it.

    Returns: how many notices there are
    """
    organization_id = alert_rules.organization_of(tx.connection, rule)
    if organization_id is None:
        return 0
    kinds = alert_channels.kinds_of(tx.connection, rule.channel_ids)
    channels = {channel_id: ChannelKind(kind) for channel_id, kind in kinds.items()}
    told = 0
    for change in changes:
        alert = change.verdict.alert
        if alert is None:
            if change.known is not None:
                alerts.forget(tx.connection, change.known)
            continue
        stored = change.known
        if stored is None:
            stored = alerts.open_(tx.connection, organization_id, rule, alert)
        elif not alerts.change(tx.connection, stored, alert):
            stored = None
        if stored is not None and change.verdict.notice is not None:
            alert_outbox.put(tx.connection, stored, alert, change.verdict.notice, channels, now)
            told += 1
    return told
