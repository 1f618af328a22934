"""REST: log lines as a file, however many; nothing of it is held here."""

import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Final
from weakref import WeakSet

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from pilothouse.access.grants import reach, require_somewhere
from pilothouse.access.permissions import Permission
from pilothouse.access.places import Place
from pilothouse.api.context import Caller, Services
from pilothouse.api.graphql.answered import AskedStatuses, with_answered
from pilothouse.api.graphql.request import GraphQLRequest
from pilothouse.api.graphql.telemetry_scopes import asked_scope, read_log_filter, scope_of
from pilothouse.api.graphql.views import Row
from pilothouse.api.log_formats import LogFormat, head_of, write_lines
from pilothouse.api.log_handles import HandleBook
from pilothouse.api.rest_query import Query, read_query
from pilothouse.api.rest_routes import Access, Parameter, RestRoute
from pilothouse.api.sessions import caller_of, refuse_cross_origin, still_open
from pilothouse.base.errors import InvalidInput, NotPermitted, PilothouseError, Unavailable
from pilothouse.base.instants import to_datetime
from pilothouse.operations.audit import audit
from pilothouse.operations.telemetry_scopes import span_of
from pilothouse.telemetry import questions
from pilothouse.telemetry.model import Level, LogLine
from pilothouse.telemetry.questions import LogQuestion

PIECE: Final = 1_000
"""Lines that are read and written at a time."""
PIECE_TIMEOUT_S: Final = 30.0
"""How long the store may take for a piece; a download has no end of its own."""
RECHECK_S: Final = 15.0
"""Units: seconds. Whether the caller may go on is looked at anew this often."""
AT_ONCE_MAX: Final = 16
OF_ONE_MAX: Final = 4
"""Downloads at the same time: of all, and of one person."""
_DETAIL_MAX: Final = 500
_NAME_MAX: Final = 80
_VIEW = Permission.OBSERVABILITY_MGT_VIEW_LOGS
_SAFE_NAME = re.compile(r"[a-z0-9-]{1,64}\Z")
_MEDIA_TYPES: Mapping[LogFormat, str] = {
    LogFormat.TEXT: "text/plain; charset=utf-8",
    LogFormat.JSONL: "application/x-ndjson",
    LogFormat.CSV: "text/csv; charset=utf-8",
}
_SUFFIXES: Mapping[LogFormat, str] = {LogFormat.TEXT: "txt", LogFormat.JSONL: "jsonl", LogFormat.CSV: "csv"}
_PARAMETERS: tuple[Parameter, ...] = (
    Parameter("format", "`text` (unless said otherwise), `jsonl` or `csv`.", choices=tuple(LogFormat)),
    Parameter("project", "A project's handle."),
    Parameter("integration", "Handles of integrations in `project`.", many=True),
    Parameter("environment", "Handles of environments.", many=True),
    Parameter("runtime", "Ids of runtimes.", many=True),
    Parameter("runtimeId", "What runtimes call themselves, those that are gone too.", many=True),
    Parameter("unclaimed", "Lines that no runtime of ours can be found for.", choices=("true", "false")),
    Parameter("from", "RFC 3339; an hour before `to` unless given."),
    Parameter("to", "RFC 3339, not included; now unless given."),
    Parameter("level", "Levels.", many=True, choices=tuple(level.name for level in Level)),
    Parameter("phrase", "Anywhere in the message."),
    Parameter("ignoreCase", "Of `phrase`; true unless said otherwise.", choices=("true", "false")),
    Parameter("word", "A whole word of the message, or the trace id: `token` of the GraphQL filter."),
    Parameter("regex", "RE2 over the message."),
    Parameter("traceId", "The line's trace id."),
    Parameter("logger", "The line's logger."),
    Parameter("attribute", "`key=value`; the line has just this value there.", many=True),
    Parameter("status", "A code (500), a class (5xx), a kind of error, `none`: of its request.", many=True),
    Parameter("outbound", "Of `status`: of calls that were made.", choices=("true", "false")),
    Parameter("newestFirst", "False unless said otherwise.", choices=("true", "false")),
)

_log = structlog.get_logger(__name__)


class DownloadBrokenOff(Exception):
    """The download cannot go on: the connection ends, so that nobody takes the part for the whole."""


class _Slot:
    """One download's right to be under way; it ends with the answer that holds it, however that ends."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id


_under_way: WeakSet[_Slot] = WeakSet()
"""Cap: AT_ONCE_MAX."""


async def _download(request: Request, services: Services) -> Response:
    refuse_cross_origin(request)
    caller = await caller_of(request, services)
    require_somewhere(caller.subject, _VIEW)
    told = read_query(request.query_params.multi_items(), _PARAMETERS)
    format_ = LogFormat(told.one("format") or LogFormat.TEXT)
    asking, asked = GraphQLRequest(services, caller.subject), asked_scope(_scope(told))
    span, wanted = span_of(asked, asking.now), _filter(told)
    scope = await scope_of(asking, _VIEW, asked, span)
    filter_ = read_log_filter(wanted)
    question = LogQuestion(
        scope=scope,
        filter=await with_answered(asking, filter_, asked, span, AskedStatuses.of(wanted, "status")),
        newest_first=told.one("newestFirst") == "true",
        limit=PIECE,
    )
    slot = _take_slot(caller)
    pieces = aiter(services.telemetry.export_logs(question, timeout_s=PIECE_TIMEOUT_S))
    first = await anext(pieces, None) or ()  # what cannot be answered is refused by its name, and not broken off
    await services.store.write(
        lambda tx: audit(
            tx, caller.subject, "logs.download", "", asking.now, detail=_detail(told, format_), at=_place(scope)
        )
    )
    name = f"logs-{_place_name(told)}-{to_datetime(asking.now):%Y%m%dT%H%M%SZ}.{_SUFFIXES[format_]}"
    return _Streamed(
        _to_the_end(_Download(request, services, caller, format_, slot), first, pieces),
        media_type=_MEDIA_TYPES[format_],
        headers={
            "content-disposition": f'attachment; filename="{name}"',
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "x-accel-buffering": "no",
        },
    )


class _Download(msgspec.Struct, frozen=True):
    """One download under way."""

    request: Request
    services: Services
    caller: Caller
    format_: LogFormat
    slot: _Slot


async def _to_the_end(
    download: _Download, first: Sequence[LogLine], rest: AsyncIterator[Sequence[LogLine]]
) -> AsyncIterator[bytes]:
    """Write piece after piece, as the client takes them."""
    handles = HandleBook(download.services.store)
    looked_at_s = time.monotonic()
    try:
        yield head_of(download.format_)
        yield write_lines(download.format_, first, await handles.read(first))
        async for lines in rest:
            if time.monotonic() - looked_at_s >= RECHECK_S:
                await _refuse_changed_rights(download)
                looked_at_s = time.monotonic()
            yield write_lines(download.format_, lines, await handles.read(lines))
    except PilothouseError as error:
        _log.error("logs.download_broken_off", cause=error.message, fix=error.fix)
        raise DownloadBrokenOff from error
    finally:
        _under_way.discard(download.slot)
        if isinstance(rest, AsyncGenerator):
            await rest.aclose()


class _Streamed(StreamingResponse):
    """An answer that lets go of its source as soon as it ends, whole or not."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            if isinstance(self.body_iterator, AsyncGenerator):
                await self.body_iterator.aclose()


async def _refuse_changed_rights(download: _Download) -> None:
    """Go on only with what the caller held at the beginning.

    Raises: NotPermitted, Unavailable
    """
    looked_at = await still_open(download.request, download.services, download.caller)
    if looked_at is None or reach(looked_at.subject, _VIEW) != reach(download.caller.subject, _VIEW):
        raise NotPermitted("What may be read changed meanwhile.", fix="Download it again.")


def _take_slot(caller: Caller) -> _Slot:
    """Raises: Unavailable."""
    own = sum(slot.user_id == caller.subject.id for slot in _under_way)
    if own >= OF_ONE_MAX or len(_under_way) >= AT_ONCE_MAX:
        raise Unavailable("Too many downloads are under way.", fix="Wait for one of them to end.")
    slot = _Slot(caller.subject.id)
    _under_way.add(slot)
    return slot


def _scope(told: Query) -> Row:
    return {
        "project": told.one("project"),
        "integrations": told.all("integration"),
        "environments": told.all("environment"),
        "runtimes": told.all("runtime"),
        "runtime_ids": told.all("runtimeId"),
        "unclaimed": told.flag("unclaimed"),
        "from": told.one("from"),
        "to": told.one("to"),
    }


def _filter(told: Query) -> Row:
    pairs = [each.partition("=") for each in told.all("attribute")]
    if not all(key and equals for key, equals, _ in pairs):
        raise InvalidInput("An attribute is asked for as `key=value`.", field="attribute", fix="Write `key=value`.")
    return {
        "levels": [Level[name] for name in told.all("level")],
        "phrase": told.one("phrase"),
        "ignore_case": told.flag("ignoreCase"),
        "token": told.one("word"),
        "regex": told.one("regex"),
        "trace_id": told.one("traceId"),
        "logger": told.one("logger"),
        "statuses": told.all("status"),
        "outbound": told.flag("outbound"),
        "attributes": [{"key": key, "value": value} for key, _, value in pairs],
    }


def _place(scope: questions.Scope) -> Place:
    """Tell where the record of a download belongs: to the one place that was asked for, or to all."""
    one = {
        field: ids[0]
        for field, ids in (
            ("project_id", scope.project_ids),
            ("integration_id", scope.integration_ids if len(scope.project_ids) == 1 else ()),
            ("environment_id", scope.environment_ids),
        )
        if len(ids) == 1
    }
    return Place(**one)


def _place_name(told: Query) -> str:
    names = [told.one("project"), *told.all("integration")[:2], *told.all("environment")[:2]]
    safe = [name for name in names if name is not None and _SAFE_NAME.match(name)]
    return "-".join(safe)[:_NAME_MAX] or "all"


def _detail(told: Query, format_: LogFormat) -> str:
    asked = ", ".join(f"{name} {value}" for name, value in told.pairs if name != "format")
    return f"as {format_.value}: {asked or 'the last hour'}"[:_DETAIL_MAX]


LOG_ROUTES: tuple[RestRoute, ...] = (
    RestRoute(
        method="GET",
        path="/api/v1/logs",
        access=Access.SESSION,
        summary="Download all log lines that match, oldest first, as text, JSON lines or CSV.",
        handler=_download,
        query=_PARAMETERS,
        responses={200: None},
        media_types=tuple(_MEDIA_TYPES.values()),
    ),
)
