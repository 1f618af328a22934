"""What a rule must be like, said so that it can be put right."""

from typing import Final

import msgspec

from pilothouse.access.places import NOTHING
from pilothouse.base.errors import InvalidInput, Unavailable
from pilothouse.reconcile.alerts import AlertCondition, Rule
from pilothouse.telemetry.model import Level
from pilothouse.telemetry.questions import REGEX_CHARACTERS_MAX, LogFilter, Scope
from pilothouse.telemetry.store import TelemetryStore

NAME_LENGTH_MAX: Final = 100
CHANNELS_MAX: Final = 20
DAY_S: Final = 86_400
_C = AlertCondition
_THRESHOLDS: Final[dict[AlertCondition, tuple[float, float, float | None, str]]] = {
    # lowest, highest, what is meant when none is given, what it is
    _C.REPLICAS_BELOW: (1, 10_000, None, "the number of runtimes that must run"),
    _C.ERROR_RATE: (0, 1, None, "a share of all requests, 0 to 1"),
    _C.LATENCY: (0, 3_600, None, "a time in seconds"),
    _C.LOG_PATTERN: (0, 1_000_000_000, 0, "the number of lines that are still fine"),
    _C.EXPIRING: (1, 3_650, 30, "a number of days"),
}
_PERCENTILE: Final = 0.95


def check_name(name: str, what: str) -> str:
    """Return a name without the blanks around it.

    Raises: InvalidInput
    """
    name = name.strip()
    if not 1 <= len(name) <= NAME_LENGTH_MAX or not name.isprintable():
        raise InvalidInput(
            f"The name of {what} has 1 to {NAME_LENGTH_MAX} printable characters.",
            field="name",
            fix="Say in a few words what it is for.",
        )
    return name


def check_rule(rule: Rule) -> Rule:
    """Return a rule with what its condition takes for granted.

    Raises: InvalidInput
    """
    check_name(rule.name, "an alert rule")
    _check_span(rule.window_s, "windowS", 60, DAY_S, "looks back")
    _check_span(rule.for_s, "forS", 0, DAY_S, "waits")
    if rule.remind_s is not None:
        _check_span(rule.remind_s, "remindS", 60, 7 * DAY_S, "reminds")
    if rule.critical_only and rule.place.environment_id is not None:
        raise InvalidInput(
            "A rule is about one environment, or about those that are critical.",
            field="criticalOnly",
            fix="Leave one of the two out.",
        )
    if len(rule.channel_ids) > CHANNELS_MAX:
        raise InvalidInput(f"A rule tells at most {CHANNELS_MAX} channels.", field="channels", fix="Leave some out.")
    return msgspec.structs.replace(_with_log_pattern(rule), threshold=_threshold(rule), percentile=_percentile(rule))


async def check_pattern(store: TelemetryStore, pattern: str | None) -> None:
    """Refuse an expression that the store does not understand; one that answers nothing now is not asked.

    Raises: InvalidInput
    """
    if not pattern:
        return
    nothing = Scope.within(NOTHING, from_ns=0, to_ns=1)
    try:
        await store.count_logs(nothing, LogFilter(regex=pattern))
    except InvalidInput as error:
        raise InvalidInput(error.message, field="pattern", fix=error.fix) from error
    except Unavailable:
        return  # the rule says so itself when it is judged


def _check_span(seconds: int, field: str, low: int, high: int, what: str) -> None:
    if not low <= seconds <= high:
        raise InvalidInput(
            f"A rule {what} {low} to {high} seconds, not {seconds}.", field=field, fix="Give a time within that."
        )


def _threshold(rule: Rule) -> float | None:
    known = _THRESHOLDS.get(rule.condition)
    if known is None:
        if rule.threshold is not None:
            raise _does_not_take(rule, "threshold")
        return None
    low, high, usual, what = known
    value = usual if rule.threshold is None else rule.threshold
    if value is None or not low <= value <= high:
        raise InvalidInput(
            f"The threshold of {rule.condition.value} is {what}, from {low:g} to {high:g}.",
            field="threshold",
            fix=f"Give a number from {low:g} to {high:g}.",
        )
    return value


def _percentile(rule: Rule) -> float | None:
    if rule.condition is not AlertCondition.LATENCY:
        if rule.percentile is not None:
            raise _does_not_take(rule, "percentile")
        return None
    value = _PERCENTILE if rule.percentile is None else rule.percentile
    if not 0 < value <= 1:
        raise InvalidInput(
            f"A percentile is above 0 and at most 1, not {value:g}.",
            field="percentile",
            fix="Write 0.95 for the time that 95 of 100 requests stay within.",
        )
    return value


def _with_log_pattern(rule: Rule) -> Rule:
    if rule.condition is not AlertCondition.LOG_PATTERN:
        if rule.pattern is not None:
            raise _does_not_take(rule, "pattern")
        if rule.levels:
            raise _does_not_take(rule, "levels")
        return rule
    if rule.pattern is None and not rule.levels:
        raise InvalidInput(
            "The rule does not say which lines are meant.", field="pattern", fix="Give a pattern, levels, or both."
        )
    if rule.pattern is not None and len(rule.pattern) > REGEX_CHARACTERS_MAX:
        raise InvalidInput(
            f"A pattern has at most {REGEX_CHARACTERS_MAX} characters.", field="pattern", fix="Look for less of it."
        )
    unknown = [level for level in rule.levels if level not in Level.__members__]
    if unknown:
        raise InvalidInput(
            f"There is no level '{unknown[0][:20]}'.", field="levels", fix=f"Use {', '.join(Level.__members__)}."
        )
    return rule


def _does_not_take(rule: Rule, field: str) -> InvalidInput:
    return InvalidInput(
        f"A rule on {rule.condition.value} has no {field}.",
        field=field,
        fix="Leave it out, or choose another condition.",
    )
