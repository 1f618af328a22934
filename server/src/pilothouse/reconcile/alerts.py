"""What an alert rule finds, and what becomes of it: pending, firing, resolved.

Pure: a rule, a measurement and what was known before give a verdict. What could not be measured changes nothing: neither does
an unknown figure start an alert, nor does it end one.
"""

from collections.abc import Iterable
from enum import StrEnum, unique
from typing import Final

import msgspec

from pilothouse.access.places import EVERYWHERE, Place
from pilothouse.base.instants import Instant

GATHER_S: Final = 2.0
"""Alerts of one rule that begin within so long of each other go out in one notice."""
REFRESH_S: Final = 60.0
"""The figure of an alert that is known already is written this often at most."""
ATTEMPTS_MAX: Final = 5
_BACK_OFF_S: Final = (15.0, 60.0, 225.0, 600.0)
"""Waits after the first attempts: 15 minutes in all."""


@unique
class AlertCondition(StrEnum):
    """What a rule looks at."""

    RUNTIME_OFFLINE = "RUNTIME_OFFLINE"
    REPLICAS_BELOW = "REPLICAS_BELOW"
    ERROR_RATE = "ERROR_RATE"
    LATENCY = "LATENCY"
    LOG_PATTERN = "LOG_PATTERN"
    NO_TRAFFIC = "NO_TRAFFIC"
    EXPIRING = "EXPIRING"
    TELEMETRY_DROPPED = "TELEMETRY_DROPPED"


@unique
class AlertSeverity(StrEnum):
    """How bad it is."""

    INFO = "INFO"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"


@unique
class AlertState(StrEnum):
    """Where an alert is in its life."""

    PENDING = "PENDING"
    FIRING = "FIRING"
    RESOLVED = "RESOLVED"


@unique
class NoticeKind(StrEnum):
    """Why a channel is told."""

    FIRING = "firing"
    REMINDER = "reminder"
    RESOLVED = "resolved"
    TEST = "test"


@unique
class NotificationState(StrEnum):
    """Where a message to a channel is."""

    WAITING = "WAITING"
    SENT = "SENT"
    FAILED = "FAILED"


@unique
class ChannelKind(StrEnum):
    """By what a channel reaches people."""

    WEBHOOK = "WEBHOOK"
    EMAIL = "EMAIL"
    SLACK = "SLACK"
    TEAMS = "TEAMS"
    PAGERDUTY = "PAGERDUTY"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What to look at, where, and whom to tell."""

    id: str
    name: str
    condition: AlertCondition
    severity: AlertSeverity = AlertSeverity.WARNING
    enabled: bool = True
    place: Place = EVERYWHERE
    critical_only: bool = False
    """Whether it looks at critical environments alone."""
    critical_ids: frozenset[str] = frozenset()
    """The critical environments, as they were when such a rule was read."""
    threshold: float | None = None
    percentile: float | None = None
    """0 to 1."""
    window_s: int = 300
    pattern: str | None = None
    levels: tuple[str, ...] = ()
    for_s: int = 0
    remind_s: int | None = None
    channel_ids: tuple[str, ...] = ()

    def watches(self, place: Place) -> bool:
        """Tell whether what happens in a place is the rule's business."""
        return self.place.covers(place) and (not self.critical_only or place.environment_id in self.critical_ids)

    @property
    def places(self) -> tuple[Place, ...]:
        """The places that it looks at; none when it looks at critical environments and there is none."""
        if not self.critical_only:
            return (self.place,)
        return tuple(msgspec.structs.replace(self.place, environment_id=id_) for id_ in sorted(self.critical_ids))


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of one subject of a rule."""

    subject: str
    """What it is about within its rule: the same thing always has the same."""
    holds: bool | None
    """Whether the condition holds; None: that could not be told."""
    message: str = ""
    """One sentence with the figure."""
    value: float | None = None
    place: Place = EVERYWHERE
    runtime_key: int | None = None


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a subject since it was found; resolved ones are history."""

    subject: str
    state: AlertState
    message: str
    since: Instant
    value: float | None = None
    place: Place = EVERYWHERE
    runtime_key: int | None = None
    fired_at: Instant | None = None
    resolved_at: Instant | None = None
    told_at: Instant | None = None
    """When somebody was told last; None: nobody was."""
    told_count: int = 0
    measured_at: Instant = 0.0


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What an alert is from now on, and what is to be said about it."""

    alert: Alert | None
    """None: it never was more than pending, and is forgotten."""
    notice: NoticeKind | None = None


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which nobody is told."""

    place: Place = EVERYWHERE
    rule_id: str | None = None
    from_at: Instant
    to_at: Instant

    def covers(self, rule_id: str, place: Place, now: Instant) -> bool:
        """Tell whether it keeps an alert of a rule in a place quiet at a moment."""
        return self.rule_id in (None, rule_id) and self.place.covers(place) and self.from_at <= now < self.to_at


def is_silenced(silences: Iterable[Silence], rule_id: str, place: Place, now: Instant) -> bool:
    """Tell whether any silence keeps an alert quiet."""
    return any(silence.covers(rule_id, place, now) for silence in silences)


def judge(
    rule: Rule, measured: Measurement | None, before: Alert | None, now: Instant, *, silenced: bool = False
) -> Verdict | None:
    """Say what becomes of one subject; None: nothing changes.

    measured: None when the subject is not there any more, which ends its alert
    before: the open alert about it, if there is one
    """
    if before is not None and before.state is AlertState.RESOLVED:
        before = None
    if measured is None:
        return None if before is None else _end(before, f"{before.message} It is not there any more.", now, silenced)
    if measured.holds is None:
        return None if before is None else _stay(rule, before, now, silenced)
    if not measured.holds:
        return None if before is None else _end(before, measured.message or before.message, now, silenced)
    if before is None:
        before = Alert(
            subject=measured.subject,
            state=AlertState.PENDING,
            message=measured.message,
            since=now,
            value=measured.value,
            place=measured.place,
            runtime_key=measured.runtime_key,
            measured_at=now,
        )
        return _stay(rule, before, now, silenced) or Verdict(alert=before)
    seen = _measured(before, measured, now)
    verdict = _stay(rule, seen, now, silenced)
    if verdict is not None:
        return verdict
    return Verdict(alert=seen) if now - before.measured_at >= REFRESH_S and seen.message != before.message else None


def back_off_s(attempts: int) -> float | None:
    """Tell how long to wait after so many attempts that failed; None: that was the last one."""
    return None if attempts >= ATTEMPTS_MAX else _BACK_OFF_S[max(0, attempts - 1)]


def gather_key(rule_id: str, kind: NoticeKind, channel: ChannelKind, alert_id: str) -> str:
    """Name what goes out together: alerts of one rule, but to PagerDuty each by itself, since there each ends by itself."""
    alone = f":{alert_id}" if channel is ChannelKind.PAGERDUTY else ""
    return f"{rule_id}:{kind.value}{alone}"


def _measured(before: Alert, measured: Measurement, now: Instant) -> Alert:
    return msgspec.structs.replace(before, message=measured.message, value=measured.value, measured_at=now)


def _stay(rule: Rule, alert: Alert, now: Instant, silenced: bool) -> Verdict | None:
    """Say what becomes of an alert whose condition holds on, or is not known to have ended."""
    if alert.state is AlertState.PENDING:
        # Of what is not known at the moment nobody says that it held long enough.
        if alert.measured_at < now or now - alert.since < rule.for_s:
            return None
        alert = msgspec.structs.replace(alert, state=AlertState.FIRING, fired_at=now)
        return _tell(alert, NoticeKind.FIRING, now) if not silenced and rule.channel_ids else Verdict(alert=alert)
    if silenced or not rule.channel_ids:
        return None
    if alert.told_at is None:
        return _tell(alert, NoticeKind.FIRING, now)
    if rule.remind_s is not None and now - alert.told_at >= rule.remind_s:
        return _tell(alert, NoticeKind.REMINDER, now)
    return None


def _end(alert: Alert, message: str, now: Instant, silenced: bool) -> Verdict:
    if alert.state is AlertState.PENDING:
        return Verdict(alert=None)
    ended = msgspec.structs.replace(alert, state=AlertState.RESOLVED, resolved_at=now, message=message, measured_at=now)
    # Who never heard of it needs not hear that it is over.
    return Verdict(alert=ended) if silenced or alert.told_at is None else _tell(ended, NoticeKind.RESOLVED, now)


def _tell(alert: Alert, kind: NoticeKind, now: Instant) -> Verdict:
    told = msgspec.structs.replace(alert, told_at=now, told_count=alert.told_count + 1)
    return Verdict(alert=told, notice=kind)
