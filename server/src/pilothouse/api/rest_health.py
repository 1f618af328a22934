"""REST: whether the process answers, and whether each part of it can do its work."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from pilothouse.api.context import Services
from pilothouse.api.rest_routes import Access, RestRoute, json_response
from pilothouse.base.instants import Instant, to_rfc3339
from pilothouse.observe.health import Part, State

_TEXT = "text/plain"


class PartHealth(msgspec.Struct, frozen=True):
    """Whether one part is ready, since when it is as it is, and why."""

    ready: bool
    """False: this process should get no requests until it is better."""
    state: str
    """`ready`, `degraded` or `not ready`."""
    since: str
    detail: str
    figures: dict[str, float | str | None]
    """What was measured; names end in their unit."""


class Readiness(msgspec.Struct, frozen=True):
    """Whether the control plane can do its work, part by part."""

    ready: bool
    state: str
    """The worst of the parts."""
    parts: dict[str, PartHealth]


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    alive: bool
    version: str


async def _alive(_request: Request, services: Services) -> Response:
    return json_response(Alive(alive=True, version=services.version))


async def _ready(request: Request, services: Services) -> Response:
    parts = await services.health.look()
    state = services.health.state
    status = 503 if state is State.NOT_READY else 200
    if _wants_text(request.headers.get("accept", "")):
        now = services.clock.now()
        lines = [state.value, *(_line(name, part, now) for name, part in parts.items())]
        return Response("\n".join(lines) + "\n", status_code=status, media_type=_TEXT)
    told = {name: _told(part) for name, part in parts.items()}
    return json_response(Readiness(ready=state is not State.NOT_READY, state=state.value, parts=told), status=status)


def _wants_text(accept: str) -> bool:
    wanted = [part.partition(";")[0].strip() for part in accept.split(",")]
    return _TEXT in wanted and "application/json" not in wanted


def _told(part: Part) -> PartHealth:
    look = part.look
    return PartHealth(
        ready=look.state is not State.NOT_READY,
        state=look.state.value,
        since=to_rfc3339(part.since),
        detail=look.why,
        figures=dict(look.figures),
    )


def _line(name: str, part: Part, now: Instant) -> str:
    look = part.look
    measured = " ".join(f"{name}={value}" for name, value in look.figures.items() if value is not None)
    since = f"since {to_rfc3339(part.since)} ({now - part.since:.0f} s)"
    return f"{name:<15} {look.state.value:<9} {since} {look.why} {measured}".rstrip()


HEALTH_ROUTES: tuple[RestRoute, ...] = (
    RestRoute(
        method="GET",
        path="/healthz",
        access=Access.ANYONE,
        summary="Tell that the process answers.",
        handler=_alive,
        responses={200: Alive},
    ),
    RestRoute(
        method="GET",
        path="/readyz",
        access=Access.ANYONE,
        summary="Tell of every part whether it can do its work; 503 when this process should get no requests.",
        handler=_ready,
        responses={200: Readiness, 503: Readiness},
    ),
)
