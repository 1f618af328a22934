"""Resolvers about logs: lists, counts by level and time, what was said around a line."""

from typing import Any

from ariadne import EnumType, ObjectType, QueryType

from pilothouse.access.permissions import Permission
from pilothouse.api.graphql.answered import AskedStatuses, with_answered
from pilothouse.api.graphql.request import Info
from pilothouse.api.graphql.selecting import selects
from pilothouse.api.graphql.telemetry_origins import attributes
from pilothouse.api.graphql.telemetry_scopes import (
    asked_scope,
    bounded_scope,
    instant_of,
    line_id,
    read_line_id,
    read_log_filter,
    records_page,
    scope_of,
    span_and_place,
)
from pilothouse.api.graphql.views import Row
from pilothouse.base.errors import InvalidInput, NotFound
from pilothouse.base.pages import page_request
from pilothouse.domain.tenancy import list_name
from pilothouse.operations.telemetry_scopes import span_of
from pilothouse.telemetry.model import NS_A_SECOND, Level, LogLine
from pilothouse.telemetry.questions import ArrivalQuestion, LogQuestion, Scope

query = QueryType()
connection_type = ObjectType("LogConnection")
bindables = (query, connection_type, EnumType("Severity", {level.name: level for level in Level}))

AROUND_DEFAULT = 20
AROUND_MAX = 500
STEPS_DEFAULT = 60
"""Steps of a level histogram, about, where nobody says how long one is."""
STEPS_MAX = 1_500
NICE_STEPS_S = (1, 5, 10, 30, 60, 300, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400)
_VIEW = Permission.OBSERVABILITY_MGT_VIEW_LOGS
_NOTHING = Scope(places=())


@query.field("logs")
async def list_logs(
    _: Any,  # Any: the root, unused, here and below
    info: Info,
    filter: Row | None = None,
    newest_first: bool | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Row:
    """List lines by time."""
    request, wanted, falling = info.context, filter or {}, newest_first is not False
    asked, filter_, statuses = asked_scope(wanted.get("scope")), read_log_filter(wanted), AskedStatuses.of(wanted)
    of = list_name("logs", asked, filter_, statuses, falling)
    page = page_request(of, first, after)
    going_on = span_and_place(page)
    # The time that "the last hour" meant on the first page is meant on all of them.
    span = span_of(asked, request.now) if going_on is None else going_on[0]
    scope = await scope_of(request, _VIEW, asked, span)
    telemetry, arrival = request.services.telemetry, None
    if selects(info, "arrival"):  # before the lines are read, so that who follows from there misses none
        arrival = (await telemetry.arrivals(ArrivalQuestion(scope=_NOTHING, after=-1, limit=1))).looked_until
    question = LogQuestion(
        scope=scope,
        filter=await with_answered(request, filter_, asked, span, statuses),
        newest_first=falling,
        after=None if going_on is None else going_on[1],
        limit=page.first,
    )
    found = await telemetry.logs(question)
    return {
        **records_page(of, [line_view(line) for line in found.lines], scope, found.end, more=found.more),
        "question": question,
        "arrival": None if arrival is None else str(arrival),
    }


@connection_type.field("totalCount")
async def count_lines(connection: Row, info: Info) -> int:
    """Count the lines of a list, all pages together."""
    question: LogQuestion = connection["question"]
    return await info.context.services.telemetry.count_logs(question.scope, question.filter)


@query.field("logLevels")
async def count_levels(_: Any, info: Info, filter: Row | None = None, step_s: int | None = None) -> Row:
    """Count lines by step of time and level."""
    wanted = filter or {}
    filter_, statuses = read_log_filter(wanted), AskedStatuses.of(wanted)
    scope, from_ns, to_ns = await bounded_scope(info.context, _VIEW, wanted.get("scope"))
    length_s = nice_step_s(from_ns, to_ns) if step_s is None else step_s
    begins = steps_of(from_ns, to_ns, length_s)
    asked = asked_scope(wanted.get("scope"))
    filter_ = await with_answered(info.context, filter_, asked, (from_ns, to_ns), statuses)
    counted = await info.context.services.telemetry.levels(scope, filter_, length_s)
    return {
        "step_s": length_s,
        "from": instant_of(from_ns),
        "to": instant_of(to_ns),
        "steps": [
            {
                "at": begin_s,
                "levels": [
                    {"level": level, "count": count} for level, count in sorted(counted.get(begin_s, {}).items())
                ],
            }
            for begin_s in begins
        ],
    }


@query.field("logContext")
async def show_context(
    _: Any,
    info: Info,
    id: str,
    before: int | None = None,
    after: int | None = None,
) -> Row | None:
    """Show what the same runtime said around a line."""
    request, position = info.context, read_line_id(id)
    earlier, later = _around(before, "before"), _around(after, "after")
    if position is None:
        return None
    scope = Scope.within(request.reach(_VIEW))
    try:
        found = await request.services.telemetry.context(scope, position, before=earlier, after=later)
    except NotFound:
        return None
    return {
        "before": [line_view(line) for line in found.before],
        "line": line_view(found.line),
        "after": [line_view(line) for line in found.after],
    }


def line_view(line: LogLine) -> Row:
    """Show a line."""
    record = line.record
    return {
        "id": line_id(line.position),
        "at": instant_of(record.at_ns),
        "level": record.level,
        "message": record.message,
        "logger": record.logger or None,
        "trace_id": record.trace_id or None,
        "span_id": record.span_id or None,
        "attributes": attributes(record.attributes),
        "origin": line.origin,
    }


def nice_step_s(from_ns: int, to_ns: int) -> int:
    """Choose a length that makes about sixty steps of a time."""
    enough = (step_s for step_s in NICE_STEPS_S if to_ns - from_ns <= step_s * STEPS_DEFAULT * NS_A_SECOND)
    return next(enough, NICE_STEPS_S[-1])


def steps_of(from_ns: int, to_ns: int, step_s: int) -> range:
    """List when each step of a time begins. Units: s since the epoch.

    Raises: InvalidInput
    """
    if step_s < 1:
        raise InvalidInput("A step is one second or more.", field="stepS", fix="Leave it out for about 60 steps.")
    step_ns = step_s * NS_A_SECOND
    steps = range(from_ns // step_ns * step_s, -(-to_ns // step_ns) * step_s, step_s)
    if len(steps) > STEPS_MAX:
        raise InvalidInput(
            f"At most {STEPS_MAX} steps are shown, not {len(steps)}.",
            field="stepS",
            fix="Ask for longer steps, or for a shorter time.",
        )
    return steps


def _around(lines: int | None, field: str) -> int:
    asked = AROUND_DEFAULT if lines is None else lines
    if not 0 <= asked <= AROUND_MAX:
        raise InvalidInput(
            f"Around a line 0 to {AROUND_MAX} lines are shown, not {asked}.",
            field=field,
            fix="Ask for fewer; `logs` has pages.",
        )
    return asked
