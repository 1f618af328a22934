"""Filters of lines in WSO2's indices: levels by the cluster, all else here, as their message is cut into words there."""

import re
from collections.abc import Callable, Iterable

from pilothouse.telemetry.model import Level, LogLine
from pilothouse.telemetry.questions import LogFilter
from pilothouse.telemetry.statuses import LINE_KEYS, Answered
from pilothouse.telemetry.stores.opensearch.documents import text_of
from pilothouse.telemetry.stores.opensearch.templates import Json

_NAMES: dict[Level, tuple[str, ...]] = {
    Level.TRACE: ("TRACE",),
    Level.DEBUG: ("DEBUG",),
    Level.INFO: ("INFO",),
    Level.WARN: ("WARN", "WARNING"),
    Level.ERROR: ("ERROR",),
    Level.FATAL: ("FATAL", "CRITICAL"),
}
_LEVELS = {name: level for level, names in _NAMES.items() for name in names}


def level_of_name(name: str) -> Level:
    """Return the level of a name; what has none counts as INFO."""
    return _LEVELS.get(name.strip().upper(), Level.INFO)


def level_conditions(levels: Iterable[Level], field: str) -> list[Json]:
    """Write that a line has one of some levels, however its name is spelt."""
    wanted = set(levels)
    if not wanted:
        return []
    if Level.INFO in wanted:  # and with it whatever has no level, or one that nobody knows
        others = _spelt(level for level in Level if level not in wanted)
        return [{"bool": {"must_not": [{"terms": {field: others}}]}}]
    return [{"terms": {field: _spelt(wanted)}}]


def _spelt(levels: Iterable[Level]) -> list[str]:
    names = [name for level in levels for name in _NAMES[level]]
    return [spelt for name in names for spelt in (name, name.lower(), name.capitalize())]


def tests_of(filter_: LogFilter) -> list[Callable[[LogLine], bool]]:
    """List what has to be looked at in each line; the expression is judged apart."""
    tests: list[Callable[[LogLine], bool]] = []
    phrase, trace_id, token = filter_.phrase, filter_.trace_id.lower(), filter_.token
    if phrase and filter_.ignore_case:
        tests.append(lambda line: phrase.lower() in line.record.message.lower())
    elif phrase:
        tests.append(lambda line: phrase in line.record.message)
    if trace_id:
        tests.append(lambda line: line.record.trace_id == trace_id)
    if token:
        whole = re.compile(rf"(^|[^A-Za-z0-9_-]){re.escape(token)}($|[^A-Za-z0-9_-])")
        tests.append(
            lambda line: line.record.trace_id == token.lower() or whole.search(line.record.message) is not None
        )
    if filter_.logger:
        tests.append(lambda line: line.record.logger == filter_.logger)
    for key, value in filter_.attributes:
        tests.append(_has(key, value))
    if filter_.answered is not None:
        tests.append(_answered(filter_.answered))
    return tests


def _answered(answered: Answered) -> Callable[[LogLine], bool]:
    trace_ids, codes = frozenset(answered.trace_ids), frozenset(answered.codes)

    def matches(line: LogLine) -> bool:
        record = line.record
        told = (text_of(record.attributes[key]) for key in LINE_KEYS if key in record.attributes)
        return record.trace_id in trace_ids or not codes.isdisjoint(told)

    return matches


def _has(key: str, value: str) -> Callable[[LogLine], bool]:
    return lambda line: key in line.record.attributes and text_of(line.record.attributes[key]) == value
