"""REST: the two calls by which scripts of the original console's API read logs and metrics."""

import re
from typing import Any, Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from pilothouse.access.grants import require_somewhere
from pilothouse.access.permissions import Permission
from pilothouse.access.places import EVERYTHING
from pilothouse.api.bodies import read_json
from pilothouse.api.context import Services
from pilothouse.api.graphql.telemetry_scopes import line_id, read_line_id
from pilothouse.api.observability_asked import AskedPlaces, find_scope, read_from, read_to
from pilothouse.api.observability_rows import columns, row_of
from pilothouse.api.observability_series import BY, Names, entries_of
from pilothouse.api.rest_routes import Access, RestRoute, json_response
from pilothouse.api.sessions import caller_of, refuse_cross_origin
from pilothouse.base.errors import InvalidInput
from pilothouse.storage import telemetry_names, tenancy
from pilothouse.storage.telemetry_names import NamedIntegration
from pilothouse.telemetry.model import NS_A_SECOND, Level
from pilothouse.telemetry.questions import LogFilter, LogQuestion, MetricQuestion, Scope, check_limit

ANSWERED, CALLED = "http.server.request.duration", "http.client.request.duration"
_INTERVAL = re.compile(r"([1-9][0-9]{0,4})([mhd])\Z")
_SECONDS: Final = {"m": 60, "h": 3_600, "d": 86_400}
_BUCKETS_MAX: Final = 5_000


class LogsAsked(AskedPlaces, frozen=True, kw_only=True, rename="camel"):
    """Which log lines are asked for. Fields that are not known here are passed over."""

    log_levels: list[str] | None = None
    search_phrase: str | None = None
    """Anywhere in the message, in whatever case."""
    regex_phrase: str | None = None
    """RE2 over the message."""
    start_time: str | None = None
    """ISO 8601; belongs to the time."""
    end_time: str | None = None
    """ISO 8601; belongs to the time."""
    limit: int = 100
    """1 to 10,000."""
    sort: Literal["asc", "desc"] = "asc"
    after: str | None = None
    """`next` of the page before."""


class Column(msgspec.Struct, frozen=True):
    """One column of the rows."""

    name: str
    type: str


class LogRows(msgspec.Struct, frozen=True, rename="camel"):
    """Log lines as a table."""

    columns: list[Column]
    rows: list[list[Any]]  # Any: cells
    has_more: bool = False
    next: str | None = None
    """Pass it as `after` for the rows behind these."""


class MetricsAsked(AskedPlaces, frozen=True, kw_only=True, rename="camel"):
    """Which metrics are asked for. Fields that are not known here are passed over."""

    start_time: str
    end_time: str
    resolution_interval: str
    """Minutes, hours or days: `1m`, `5m`, `15m`, `1h`."""


class MetricEntries(msgspec.Struct, frozen=True, rename="camel"):
    """Metrics, one entry for each combination of tags: nine series over the same buckets."""

    inbound_metrics: list[dict[str, Any]]  # Any: JSON values, here and below
    outbound_metrics: list[dict[str, Any]]


async def _logs(request: Request, services: Services) -> Response:
    refuse_cross_origin(request)
    caller = await caller_of(request, services)
    permission = Permission.OBSERVABILITY_MGT_VIEW_LOGS
    require_somewhere(caller.subject, permission)
    asked = await read_json(request, LogsAsked, services.settings.body_limit_bytes)
    span = read_from(asked.start_time, "startTime"), read_to(asked.end_time, "endTime")
    check_limit(asked.limit)
    after = None if asked.after is None else read_line_id(asked.after)
    if asked.after is not None and after is None:
        raise InvalidInput("This is no place in the list.", field="after", fix="Send `next` of the page before.")
    filter_ = LogFilter(
        levels=_levels(asked.log_levels or ()),
        phrase=asked.search_phrase or "",
        ignore_case=True,
        regex=asked.regex_phrase or "",
    )
    scope = await find_scope(services, caller, permission, asked, span)
    if scope is None:
        return json_response({"columns": [], "rows": [], "hasMore": False, "next": None})
    falling = asked.sort == "desc"
    page = await services.telemetry.logs(
        LogQuestion(scope=scope, filter=filter_, newest_first=falling, after=after, limit=asked.limit)
    )
    ids = {line.origin.integration_id for line in page.lines}
    known = (await _names(services, ids)).integrations
    end = page.end if page.more else None
    return json_response({
        "columns": columns(),
        "rows": [row_of(line, known.get(line.origin.integration_id)) for line in page.lines],
        "hasMore": page.more,
        "next": None if end is None else line_id(end),
    })  # fmt: skip


async def _metrics(request: Request, services: Services) -> Response:
    refuse_cross_origin(request)
    caller = await caller_of(request, services)
    permission = Permission.OBSERVABILITY_MGT_VIEW_INSIGHTS
    require_somewhere(caller.subject, permission)
    asked = await read_json(request, MetricsAsked, services.settings.body_limit_bytes)
    from_ns, to_ns = read_from(asked.start_time, "startTime"), read_to(asked.end_time, "endTime")
    step_s = _interval(asked.resolution_interval)
    begins = _begins(from_ns, to_ns, step_s)
    scope = await find_scope(services, caller, permission, asked, (from_ns, to_ns))
    answer: dict[str, list[dict[str, Any]]] = {"inboundMetrics": [], "outboundMetrics": []}
    if scope is not None:
        for key, name in (("inboundMetrics", ANSWERED), ("outboundMetrics", CALLED)):
            answer[key] = await _entries(services, scope, name, begins, step_s, outbound=name == CALLED)
    return json_response(answer)


async def _entries(
    services: Services, scope: Scope, name: str, begins: range, step_s: int, *, outbound: bool
) -> list[dict[str, Any]]:
    question = MetricQuestion(scope=scope, name=name, by=BY, outbound=outbound, step_s=step_s)
    found = await services.telemetry.metrics(question)
    names = await _names(services, {series.key[0] for series in found})
    return await entries_of(found, begins, names, outbound=outbound)


async def _names(services: Services, integration_ids: set[str | None]) -> Names:
    """Find what records' places are called; the scope has decided already whose records they are."""
    ids = {id_ for id_ in integration_ids if id_ is not None}

    def read(connection: Any) -> Names:  # Any: the store's connection
        found: list[NamedIntegration] = telemetry_names.find_integrations(connection, EVERYTHING, ids) if ids else []
        return Names(
            integrations={one.id: one for one in found},
            environments={one.id: one.handle for one in tenancy.all_environments(connection)},
        )

    return await services.store.read(read)


def _levels(told: list[str] | tuple[str, ...]) -> tuple[Level, ...]:
    known = {level.name: level for level in Level} | {"WARNING": Level.WARN}
    unknown = [each for each in told if each.upper() not in known]
    if unknown:
        raise InvalidInput(
            f"'{unknown[0][:40]}' is no level.", field="logLevels", fix=f"There are {', '.join(Level.__members__)}."
        )
    return tuple(sorted({known[each.upper()] for each in told}))


def _interval(told: str) -> int:
    read = _INTERVAL.match(told)
    if read is None:
        raise InvalidInput(
            f"'{told[:40]}' is no interval.",
            field="resolutionInterval",
            fix="Write minutes, hours or days: `5m`, `1h`.",
        )
    return int(read[1]) * _SECONDS[read[2]]


def _begins(from_ns: int | None, to_ns: int | None, step_s: int) -> range:
    """List when each bucket begins. Units: s since the epoch."""
    if from_ns is None or to_ns is None or to_ns <= from_ns:
        raise InvalidInput(
            "Metrics are asked for by a time: where it begins and where it ends.",
            field="endTime",
            fix="Let `startTime` be earlier than `endTime`.",
        )
    step_ns = step_s * NS_A_SECOND
    begins = range(from_ns // step_ns * step_s, -(-to_ns // NS_A_SECOND), step_s)
    if len(begins) > _BUCKETS_MAX:
        raise InvalidInput(
            f"At most {_BUCKETS_MAX} buckets are told, not {len(begins)}.",
            field="resolutionInterval",
            fix="Ask for a longer interval.",
        )
    return begins


OBSERVABILITY_ROUTES: tuple[RestRoute, ...] = (
    RestRoute(
        method="POST",
        path="/icp/observability/logs",
        access=Access.SESSION,
        summary="Read log lines as the original console's API tells them.",
        handler=_logs,
        request=LogsAsked,
        responses={200: LogRows},
    ),
    RestRoute(
        method="POST",
        path="/icp/observability/metrics",
        access=Access.SESSION,
        summary="Read request metrics as the original console's API tells them.",
        handler=_metrics,
        request=MetricsAsked,
        responses={200: MetricEntries},
    ),
)
