"""What telemetry says: a few grouped questions per rule, never one per runtime.

No answer is not good news: what sends no telemetry at all is told apart from what sends some and had no request.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from pilothouse.access.places import Place
from pilothouse.alerting.fleet import place_subject
from pilothouse.alerting.lines import measure_lines
from pilothouse.base.errors import InvalidInput, Unavailable
from pilothouse.base.instants import Instant
from pilothouse.operations.alert_judging import Found
from pilothouse.reconcile.alerts import REFRESH_S, Alert, AlertCondition, Measurement, Rule
from pilothouse.telemetry.intake import Loss
from pilothouse.telemetry.model import NS_A_SECOND
from pilothouse.telemetry.questions import Dimension, Figures, MetricQuestion, Scope, Series
from pilothouse.telemetry.store import TelemetryStore

REQUESTS: Final = "http.server.request.duration"
SIGNS_OF_LIFE: Final = ("process.cpu.utilization", "process.memory.usage")
"""What a runtime that sends telemetry sends whether it is asked anything or not."""
QUESTION_S: Final = 5.0
_BY: Final = (Dimension.PROJECT, Dimension.INTEGRATION, Dimension.ENVIRONMENT)
_NAMED_MAX: Final = 3
_LATE_S: Final = 15.0
"""So much later than it happened what was lost is measured, at most."""


async def measure(
    rule: Rule,
    store: TelemetryStore,
    *,
    running: Iterable[Place],
    known: Iterable[Place],
    open_places: Iterable[Place],
    now: Instant,
) -> Found:
    """Tell what a rule that looks at telemetry finds; when the store cannot answer, the rule is in trouble and nothing changes.

    running: integrations and environments in which something runs
    known: those that have any runtime
    open_places: of the rule's open alerts
    """
    places = rule.places
    if not places:
        return Found()
    scope = Scope(places=places, from_ns=int((now - rule.window_s) * NS_A_SECOND), to_ns=int(now * NS_A_SECOND))
    try:
        if rule.condition is AlertCondition.LOG_PATTERN:
            return await measure_lines(rule, store, scope, places=(*known, *open_places), question_s=QUESTION_S)
        return await _requests(rule, store, scope, running=running, known=frozenset(known), open_places=open_places)
    except (Unavailable, InvalidInput) as error:
        return Found(trouble=f"The telemetry store did not answer: {error.message}", complete=False)


def measure_losses(
    rule: Rule, losses: Callable[[], Sequence[Loss]], now: Instant, *, told_by_others: Sequence[Alert] = ()
) -> Found:
    """Tell whose telemetry was lost lately.

    told_by_others: what is open of the rule where other processes may have lost the same; what was measured lately is left to them
    """
    found: list[Measurement] = []
    for loss in losses():
        origin = loss.origin
        place = Place(
            project_id=origin.project_id, integration_id=origin.integration_id, environment_id=origin.environment_id
        )
        if not rule.watches(place) or loss.last_at < now - rule.window_s:
            continue
        lost = loss.refused + loss.dropped_by_sender
        found.append(
            Measurement(
                subject=f"loss:{origin.integration_id}:{origin.environment_id}:{origin.runtime_id}",
                holds=True,
                message=f"{lost} records of {_whose(origin.runtime_id)} were lost so far: {loss.last_reason}",
                value=float(lost),
                place=place,
                runtime_key=origin.runtime_key,
            )
        )
    known = {measurement.subject for measurement in found}
    found += [
        Measurement(subject=alert.subject, holds=None)
        for alert in told_by_others
        if alert.subject not in known and now - alert.measured_at < rule.window_s + REFRESH_S + _LATE_S
    ]
    return Found(measurements=found)


async def _requests(
    rule: Rule,
    store: TelemetryStore,
    scope: Scope,
    *,
    running: Iterable[Place],
    known: frozenset[Place],
    open_places: Iterable[Place],
) -> Found:
    seen = _by_place(await _ask(store, scope, REQUESTS))
    asked = {place for place in seen if seen[place].count}
    quiet_ones = {place for place in (*running, *open_places) if rule.watches(place)} - asked
    alive: set[Place] = set()
    for name in SIGNS_OF_LIFE:
        if quiet_ones - alive:
            alive |= set(_by_place(await _ask(store, scope, name)))
    found = [_judge_requests(rule, place, seen[place]) for place in asked]
    dumb = 0
    for place in sorted(quiet_ones):
        if place in alive:
            found.append(_quiet(rule, place))
        elif place in known:
            dumb += 1
            found.append(Measurement(subject=place_subject(place), holds=None, place=place))
    trouble = None
    if dumb and rule.condition is AlertCondition.NO_TRAFFIC:
        trouble = f"No telemetry came for {rule.window_s} s from {dumb} integration(s) that run: nobody can say what they are asked."
    return Found(measurements=found, trouble=trouble)


async def _ask(store: TelemetryStore, scope: Scope, name: str) -> Sequence[Series]:
    return await store.metrics(MetricQuestion(scope=scope, name=name, by=_BY), timeout_s=QUESTION_S)


def _by_place(series: Sequence[Series]) -> dict[Place, Figures]:
    """Put figures to their places; what belongs to nobody is nobody's alert."""
    found: dict[Place, Figures] = {}
    for one in series:
        project_id, integration_id, environment_id = one.key
        if project_id is None or integration_id is None or environment_id is None:
            continue
        place = Place(project_id=project_id, integration_id=integration_id, environment_id=environment_id)
        for figures in one.steps.values():
            before = found.get(place)
            found[place] = (
                figures
                if before is None
                else Figures(
                    succeeded=before.succeeded.merge(figures.succeeded), failed=before.failed.merge(figures.failed)
                )
            )
    return found


def _judge_requests(rule: Rule, place: Place, figures: Figures) -> Measurement:
    limit = rule.threshold or 0.0
    if rule.condition is AlertCondition.NO_TRAFFIC:
        holds, value = False, float(figures.count)
        message = f"{figures.count} requests arrived in {rule.window_s} s."
    elif rule.condition is AlertCondition.ERROR_RATE:
        value = figures.error_rate
        holds = value > limit
        message = (
            f"{figures.failed.count} of {figures.count} requests failed in {rule.window_s} s: {value * 100:.4g}%, "
            f"where {limit * 100:.4g}% is fine."
        )
    else:
        share = rule.percentile or 0.95
        value = figures.all.percentile(share) or 0.0
        holds = value > limit
        message = f"{share:.4g} of {figures.count} requests took up to {value:.3g} s in {rule.window_s} s, where {limit:.3g} s is fine."
    return Measurement(subject=place_subject(place), holds=holds, message=message, value=value, place=place)


def _quiet(rule: Rule, place: Place) -> Measurement:
    return Measurement(
        subject=place_subject(place),
        holds=rule.condition is AlertCondition.NO_TRAFFIC,
        message=f"No request arrived in {rule.window_s} s.",
        value=0.0,
        place=place,
    )


def _whose(runtime_id: str | None) -> str:
    return "an unknown sender" if runtime_id is None else f"the runtime {runtime_id}"
