"""Scopes and filters in OpenSearch's language, and what of them is decided here."""

import re
from collections import defaultdict
from collections.abc import Callable

import msgspec

from pilothouse.access.places import Place, Reach
from pilothouse.telemetry.model import LogLine
from pilothouse.telemetry.questions import LogFilter, Scope, check_regex
from pilothouse.telemetry.statuses import LINE_KEYS, Answered
from pilothouse.telemetry.stores.opensearch.documents import pair
from pilothouse.telemetry.stores.opensearch.phrases import PHRASE_MAX, perhaps_said, said, token_said
from pilothouse.telemetry.stores.opensearch.regex import literals
from pilothouse.telemetry.stores.opensearch.templates import WORD_CHARACTERS_MAX, Json

_WORD = re.compile(r"[A-Za-z0-9_-]+\Z")
_TRACE_DIGITS = 32
NOTHING: Json = {"match_none": {}}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the cluster is asked for, and what remains to be decided of its answer."""

    conditions: list[Json]
    tests: tuple[Callable[[LogLine], bool], ...] = ()
    """Must hold as well; none when the cluster decides exactly."""
    regex: str = ""
    """Must match as well."""

    @property
    def exact(self) -> bool:
        """Whether the cluster's answer can be taken as it is."""
        return not self.tests and not self.regex


def within(scope: Scope, *, at: str = "at_ns") -> list[Json]:
    """Write a scope as conditions."""
    conditions: list[Json] = []
    for name in ("project", "integration", "environment", "runtime"):
        wanted: tuple[str, ...] = getattr(scope, f"{name}_ids")
        if wanted:
            conditions.append({"terms": {f"{name}_id": list(wanted)}})
    if scope.unclaimed is not None:
        conditions.append(_unclaimed() if scope.unclaimed else _claimed())
    reach = Reach(scope.places)
    if not reach.everything:
        conditions += [_claimed(), _reached(reach)]
    limits = {name: bound for name, bound in (("gte", scope.from_ns), ("lt", scope.to_ns)) if bound is not None}
    if limits and at:
        conditions.append({"range": {at: limits}})
    return conditions


def _claimed() -> Json:
    return {"exists": {"field": "project_id"}}


def _unclaimed() -> Json:
    return {"bool": {"must_not": [_claimed()]}}


def _reached(reach: Reach) -> Json:
    """Write a reach: ids that are alike in all but the last are one condition, so that thousands of places are few."""
    grouped: dict[tuple[str, tuple[tuple[str, str], ...]], list[str]] = defaultdict(list)
    for place in reach.places:
        named = _named(place)
        if not named:
            return {"match_all": {}}
        (field, value), *others = named
        grouped[field, tuple(others)].append(value)
    if not grouped:
        return NOTHING
    either = [
        {
            "bool": {
                "filter": [
                    {"terms": {field: values}},
                    *({"term": {other: value}} for other, value in others),
                ]
            }
        }
        for (field, others), values in grouped.items()
    ]
    return {"bool": {"should": either, "minimum_should_match": 1}}


def _named(place: Place) -> list[tuple[str, str]]:
    ids = (
        ("integration_id", place.integration_id),
        ("project_id", place.project_id),
        ("environment_id", place.environment_id),
    )
    return [(field, value) for field, value in ids if value is not None]


def matching(filter_: LogFilter, *, there: bool = False) -> Wanted:
    """Write a filter of lines; with `there` the cluster decides of phrases, as far as it can, and may find that too much.

    Raises: InvalidInput
    """
    check_regex(filter_)
    conditions: list[Json] = []
    tests: list[Callable[[LogLine], bool]] = []
    if filter_.levels:
        conditions.append({"terms": {"level": [level.name for level in filter_.levels]}})
    if filter_.trace_id:
        conditions.append({"term": {"trace_id": filter_.trace_id.lower()}})
    if filter_.logger:
        conditions.append({"term": {"logger": filter_.logger}})
    if filter_.token:
        _token(filter_.token, conditions, tests)
    if filter_.phrase:
        phrase, ignore_case = filter_.phrase, filter_.ignore_case
        conditions.append((said if there else perhaps_said)(phrase, ignore_case=ignore_case))
        if not there or len(phrase) > PHRASE_MAX or (ignore_case and not phrase.isascii()):
            tests.append(_contains(filter_.phrase, ignore_case=filter_.ignore_case))
    conditions += [perhaps_said(literal) for literal in literals(filter_.regex)]
    conditions += [{"term": {"attribute": pair(key, value)}} for key, value in filter_.attributes]
    if filter_.answered is not None:
        conditions.append(_answered(filter_.answered))
    return Wanted(conditions=conditions, tests=tuple(tests), regex=filter_.regex)


def _answered(answered: Answered) -> Json:
    told = [pair(key, code) for key in LINE_KEYS for code in answered.codes if code]
    either: list[Json] = [{"terms": {"trace_id": list(answered.trace_ids)}}, {"terms": {"attribute": told}}]
    return {"bool": {"should": either, "minimum_should_match": 1}}


def _contains(phrase: str, *, ignore_case: bool) -> Callable[[LogLine], bool]:
    if ignore_case:
        lower = phrase.lower()
        return lambda line: lower in line.record.message.lower()
    return lambda line: phrase in line.record.message


def _token(token: str, conditions: list[Json], tests: list[Callable[[LogLine], bool]]) -> None:
    trace_id = token.lower() if len(token) == _TRACE_DIGITS else ""
    either: list[Json] = [{"term": {"trace_id": trace_id}}] if trace_id else []
    if _WORD.match(token) and len(token) <= WORD_CHARACTERS_MAX:
        either.append(token_said(token))
    else:
        either.append(perhaps_said(token))
        whole = re.compile(rf"(^|[^A-Za-z0-9_-]){re.escape(token)}($|[^A-Za-z0-9_-])")
        tests.append(
            lambda line: (
                whole.search(line.record.message) is not None or (trace_id != "" and line.record.trace_id == trace_id)
            )
        )
    conditions.append({"bool": {"should": either, "minimum_should_match": 1}})
