"""REST: one request of a person, sent to a runtime by the control plane, and what the service answered, as JSON.

The answer is never handed to the browser as a page of this origin: no header, cookie or script of the service's takes effect.
"""

from weakref import WeakKeyDictionary

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response

from pilothouse.access.attempts import RefusedAttempts
from pilothouse.access.grants import Subject, require_somewhere
from pilothouse.access.permissions import Permission
from pilothouse.api.bodies import read_json
from pilothouse.api.context import Services
from pilothouse.api.cookies import access_cookie, refresh_cookie
from pilothouse.api.graphql.streams import AskerLeft, unless_left
from pilothouse.api.problems import problem_of
from pilothouse.api.rest_routes import Access, RestRoute, json_response
from pilothouse.api.sessions import bearer_of, caller_of, refuse_cross_origin
from pilothouse.base.errors import NotFound, NotPermitted, Unavailable
from pilothouse.domain.audit import Outcome
from pilothouse.operations import try_it
from pilothouse.operations.audit import audit
from pilothouse.storage.unit import Store
from pilothouse.try_it.answers import Answer
from pilothouse.try_it.asked import Asked, Header, check
from pilothouse.try_it.failures import NoAnswer, TooSlow
from pilothouse.try_it.policy import Target

PATH = "/api/try-it"
LEFT = 499
"""The status that nobody reads: the client left."""
_COOKIE_LENGTH_MIN = 16
"""Shorter values prove nothing, and stand in headers by chance."""

_log = structlog.get_logger(__name__)
_attempts: WeakKeyDictionary[Store, RefusedAttempts] = WeakKeyDictionary()


class TryItAsked(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A request to a service, and the runtime that is to answer it."""

    runtime: str
    """The runtime's `id` (not its `runtimeId`)."""
    port: int
    """One of the ports at which the runtime reports an HTTP listener."""
    method: str
    path: str
    """With the query, percent-encoded; begins with `/`."""
    headers: list[Header] = []
    body: str | None = None
    """Text; sent as UTF-8."""
    body_base64: str | None = None
    """What is no text."""


async def _try(request: Request, services: Services) -> Response:
    refuse_cross_origin(request)
    subject = (await caller_of(request, services)).subject
    require_somewhere(subject, Permission.INTEGRATION_MGT_TRY)
    told = await read_json(request, TryItAsked, services.settings.body_limit_bytes)
    asked = check(
        told.method,
        told.path,
        told.headers,
        text=told.body,
        encoded=told.body_base64,
        secrets=_secrets(request, services),
    )
    try:
        answer = await unless_left(request.receive, _send(services, subject, told, asked))
    except AskerLeft:
        return Response(status_code=LEFT)
    except NoAnswer as failure:
        services.figures.problems[failure.code] += 1
        return json_response(problem_of(failure), 504 if isinstance(failure, TooSlow) else 502)
    return json_response(answer)


async def _send(services: Services, subject: Subject, told: TryItAsked, asked: Asked) -> Answer:
    now = services.clock.now()
    wanted = try_it.Wanted(method=asked.method, path=asked.path_alone, port=told.port)
    row = await services.store.read(lambda connection: try_it.find(connection, subject, told.runtime))
    entry = None if row is None else services.board.find_key(row.key)
    is_running = entry is not None and services.board.is_running(entry.runtime_key, now)
    try:
        permitted = await services.store.write(
            lambda tx: try_it.permit(tx, subject, told.runtime, wanted, is_running=is_running, now=now)
        )
        target = Target(
            runtime=permitted.runtime.id,
            scheme=permitted.door.scheme,
            port=permitted.door.port,
            host=permitted.runtime.document.try_it_host,
            heartbeats_from=None if entry is None else entry.address,
        )
        return await services.try_it.send(subject.id, target, asked)
    except (NotPermitted, NotFound) as refusal:
        await _record(services, subject, told.runtime, wanted, refusal)
        raise


async def _record(
    services: Services, subject: Subject, runtime: str, wanted: try_it.Wanted, refusal: NotPermitted | NotFound
) -> None:
    """Audit a refusal in a transaction of its own; of a flood, only so many a minute, and the rest as a number."""
    now = services.clock.now()
    unrecorded = _attempts.setdefault(services.store, RefusedAttempts()).note(subject.id, now)
    if unrecorded is None:
        return
    more = f" {unrecorded} more attempts were refused before this one." if unrecorded else ""
    try:
        await services.store.write(
            lambda tx: audit(
                tx,
                subject,
                try_it.ACTION,
                f"runtime={runtime[:60]}",
                now,
                f"{wanted.method} {wanted.path[:200]} at port {wanted.port}: {refusal.message}{more}",
                outcome=Outcome.REFUSED,
            )
        )
    except Unavailable as error:  # the refusal stands all the same
        _log.warning("audit.refusal_not_recorded", action=try_it.ACTION, cause=error.message)


def _secrets(request: Request, services: Services) -> list[str]:
    """List what proves to the control plane who asks: none of it is sent on, not even by mistake."""
    given = [bearer_of(request) or ""]
    given += [request.cookies.get(name, "") for name in (access_cookie(services), refresh_cookie(services))]
    return [value for value in given if len(value) >= _COOKIE_LENGTH_MIN]


TRY_IT_ROUTES: tuple[RestRoute, ...] = (
    RestRoute(
        method="POST",
        path=PATH,
        access=Access.SESSION,
        summary=(
            "Send one request to a service of a runtime. 200 holds whatever the service answered; "
            "502: it could not be reached, 504: it did not answer in time."
        ),
        handler=_try,
        request=TryItAsked,
        responses={200: Answer},
    ),
)
