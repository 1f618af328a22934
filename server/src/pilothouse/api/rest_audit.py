"""REST: the audit as a file, however large."""

from collections.abc import AsyncIterator

import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from pilothouse.access.grants import reach, require_somewhere
from pilothouse.access.permissions import Permission
from pilothouse.api.context import Services
from pilothouse.api.rest_routes import Access, RestRoute
from pilothouse.api.sessions import caller_of
from pilothouse.base.errors import InvalidInput, PilothouseError
from pilothouse.operations.audit import audit
from pilothouse.operations.auditing import audit_scope, export

_VIEW = Permission.AUDIT_MGT_VIEW
_FILTERS = ("from", "to", "actor", "action", "outcome")

_log = structlog.get_logger(__name__)


class ExportBrokenOff(Exception):
    """The database went away in the middle of an export: the connection ends, so that nobody takes the part for the whole."""


async def _export(request: Request, services: Services) -> Response:
    subject = (await caller_of(request, services)).subject
    require_somewhere(subject, _VIEW)
    unknown = sorted(set(request.query_params) - set(_FILTERS))
    if unknown:
        raise InvalidInput(
            f"There is no filter '{unknown[0][:40]}'.", field=unknown[0][:40], fix=f"Filter by {', '.join(_FILTERS)}."
        )
    wanted = {name: request.query_params[name] for name in _FILTERS if name in request.query_params}
    scope = audit_scope(wanted)
    told = ", ".join(f"{name} {value}" for name, value in wanted.items()) or "all of it"
    now = services.clock.now()
    await services.store.write(lambda tx: audit(tx, subject, "audit.export", "", now, detail=told))
    return StreamingResponse(
        _to_the_end(export(services.store, reach(subject, _VIEW), scope)),
        media_type="application/x-ndjson",
        headers={"content-disposition": 'attachment; filename="audit.ndjson"', "cache-control": "no-store"},
    )


async def _to_the_end(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        async for part in lines:
            yield part
    except PilothouseError as error:
        _log.error("audit.export_broken_off", cause=error.message, fix=error.fix)
        raise ExportBrokenOff from error


AUDIT_ROUTES: tuple[RestRoute, ...] = (
    RestRoute(
        method="GET",
        path="/audit/export",
        access=Access.SESSION,
        summary="Export audit records, oldest first, one JSON object a line.",
        handler=_export,
        query=_FILTERS,
        responses={200: None},
    ),
)
