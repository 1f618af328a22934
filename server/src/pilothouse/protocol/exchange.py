"""The rules of one exchange with a runtime: one request in, one JSON answer out.

They hold whatever a request asks: a body has a largest size and a latest arrival, an answer has a latest departure,
there is a most of everything at once, and our own trouble is always 503. Nothing here knows sockets; `serving` carries
it.
Source: contracts/README.md (statuses and refusals); reference/runtime-protocol.md section 0.3.
"""

import asyncio
import time
import typing
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, final

import msgspec
import structlog

from pilothouse.observe.often import worth_a_line
from pilothouse.observe.requests import current_or_new
from pilothouse.observe.traffic import Traffic

_log = structlog.get_logger(__name__)

RETRY_AFTER_S: Final = 5
"""Unit: seconds. When a refused runtime may come again; shorter than its own beat, so nothing is lost by waiting."""


class Inbound(msgspec.Struct, frozen=True, gc=False):
    """A request whose body has arrived whole."""

    method: str
    path: str
    authorization: str | None
    content_type: str | None
    body: bytes
    address: str
    """The peer's IP address, without its port."""
    content_encoding: str | None = None


class Outbound(msgspec.Struct, frozen=True, gc=False):
    """An answer; its body is JSON unless its headers name another content type."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    """What is to be said beside the content type."""


class Wire(typing.Protocol):
    """The open end of an answer that does not end by itself."""

    def send(self, data: bytes) -> bool:
        """Send bytes; False when nothing can be sent any more. A peer that reads nothing is cut."""
        ...

    def hang_up(self) -> None:
        """End the answer after what was sent."""
        ...


class Stream(Outbound, frozen=True, gc=True, kw_only=True):
    """An answer that stays open; its body is how it begins."""

    media_type: str
    opened: Callable[[Wire], Callable[[], None]]
    """Told the open end once the head is written; gives back whom to tell that the peer is gone."""


Handler = Callable[[Inbound], Outbound | Awaitable[Outbound]]
"""A plain answer is the fast path (delta heartbeat); an awaitable one is the slow path."""


class ExchangeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one request, and of all of them together."""

    body_limit_bytes: int = 8 * 1024 * 1024
    """Unit: bytes. The largest body; a full heartbeat of 800 artifacts is about 0.3 MiB, an OpenAPI set a few MiB."""
    body_timeout_s: float = 15.0
    """Unit: seconds. From the end of the head until the last byte of the body; a body that stops half-way gets 408."""
    handler_timeout_s: float = 30.0
    """Unit: seconds. A slower answer is cancelled and becomes 503; below the 60 s that known clients wait."""
    max_concurrent: int = 4096
    """Unit: requests. More than these waiting for a slow answer are answered 503, so that memory stays bounded."""
    bodies_limit_bytes: int = 256 * 1024 * 1024
    """Unit: bytes. All bodies that are half-way in, together; above it 503, so that many large ones fill no memory."""


def refusal(status: int, code: str, message: str, fix: str, *, retry_after_s: int | None = None) -> Outbound:
    """Make a refusal in the shape that runtimes know."""
    members = {"acknowledged": False, "error": True, "code": code, "message": message, "fix": fix}
    headers = () if retry_after_s is None else (("retry-after", str(retry_after_s)),)
    return Outbound(status, msgspec.json.encode(members), headers)


OVERLOADED: Final = refusal(
    503,
    "OVERLOADED",
    "The control plane has more requests in flight than it takes.",
    "Nothing: the next heartbeat tries again. If it stays, raise the limit or add a replica.",
    retry_after_s=RETRY_AFTER_S,
)
BODY_INCOMPLETE: Final = refusal(
    408,
    "BODY_INCOMPLETE",
    "The body of the request did not arrive whole in time.",
    "Look at the network or the proxy between the runtime and the control plane.",
)
HEAD_TOO_LARGE: Final = refusal(
    431,
    "HEAD_TOO_LARGE",
    "The head of the request is too large.",
    "Send fewer or shorter headers; a token with many claims is the usual cause.",
)
NOT_HTTP: Final = refusal(
    400,
    "NOT_HTTP",
    "This is no HTTP/1.1 request.",
    "Look at what speaks to this port: is it a runtime, and is a proxy changing its requests?",
)
TOO_SLOW: Final = refusal(
    503,
    "UNAVAILABLE",
    "The control plane did not find an answer in time.",
    "Nothing: the next heartbeat tries again. Look at the control plane's health if it stays.",
    retry_after_s=RETRY_AFTER_S,
)
STOPPING: Final = refusal(
    503,
    "UNAVAILABLE",
    "The control plane is stopping.",
    "Nothing: the next heartbeat tries again.",
    retry_after_s=RETRY_AFTER_S,
)


def _broken(request: Inbound) -> Outbound:
    """Say that the fault is ours and how to find it in our log; never what it was."""
    request_id = current_or_new()
    _log.exception("request_failed", method=request.method, path=request.path)
    return refusal(
        503,
        "UNAVAILABLE",
        f"The control plane failed to answer (request {request_id}).",
        f"Look for request_id={request_id} in the control plane's log.",
        retry_after_s=RETRY_AFTER_S,
    )


class _Told(msgspec.Struct, frozen=True):
    """What a refusal says of itself."""

    code: str
    message: str
    fix: str


@final
class Exchange:
    """A handler, and the limits around it."""

    def __init__(
        self,
        handler: Handler,
        settings: ExchangeSettings,
        count: Callable[[str], None] | None = None,
        traffic: Traffic | None = None,
        routes: Mapping[str, str] | None = None,
    ) -> None:
        self._handler = handler
        self._traffic = traffic or Traffic("runtimes")
        self._routes = routes or {}
        """What the figures call the paths that are known; all others are one."""
        self._count = count
        # Refusals by code; as many entries as there are codes.
        self._refused: Counter[str] = Counter()
        self.settings = settings
        self.too_large = refusal(
            413,
            "BODY_TOO_LARGE",
            f"The body is larger than {settings.body_limit_bytes} bytes.",
            "Send less (an OpenAPI document is the usual cause) or raise the body limit of the runtimes' port.",
        )
        self.stopping = False
        """Set when what is under way is being cancelled."""
        self._bodies_bytes = 0
        # Slow answers under way. Cap: max_concurrent; emptied by each task's end.
        self.running: set[asyncio.Task[Outbound]] = set()

    def answer(self, request: Inbound) -> Outbound | asyncio.Task[Outbound]:
        """Answer at once where the handler can; else give the task that will. Never raises."""
        try:
            answer = self._handler(request)
        except Exception:  # noqa: BLE001 -- this is the edge: the peer gets 503 and the log gets the rest
            answer = _broken(request)
        if isinstance(answer, Outbound):
            if answer.status != 200:  # noqa: PLR2004 - what is well and at once are heartbeats, which are counted where they are taken
                self._traffic.count(self._route(request.path), request.method, answer.status)
            return answer
        if len(self.running) >= self.settings.max_concurrent:
            _abandon(answer)
            self.note_refusal(OVERLOADED, request.address)
            return OVERLOADED
        task = asyncio.get_running_loop().create_task(self._slow(request, answer))
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return task

    def note_refusal(self, answer: Outbound, address: str) -> None:
        """Count a request that was refused unread, and log its cause: the first ones, then fewer and fewer."""
        told = msgspec.json.decode(answer.body, type=_Told)
        self._refused[told.code] += 1
        times = self._refused[told.code]
        self._traffic.count("unread", "OTHER", answer.status)
        if self._count is not None:
            self._count(told.code)
        if worth_a_line(times):
            _log.warning(
                "request.refused", code=told.code, cause=told.message, fix=told.fix, address=address, times=times
            )

    def take_in(self, size_bytes: int) -> bool:
        """Note that so much of a body has come in; false when there is no room for it."""
        if self._bodies_bytes + size_bytes > self.settings.bodies_limit_bytes:
            return False
        self._bodies_bytes += size_bytes
        return True

    def give_back(self, size_bytes: int) -> None:
        """Note that a body that was taken in is whole, or given up."""
        self._bodies_bytes -= size_bytes

    def _route(self, path: str) -> str:
        return self._routes.get(path) or self._routes.get(path[: path.rfind("/") + 1], "other")

    async def _slow(self, request: Inbound, answer: Awaitable[Outbound]) -> Outbound:
        began_s = time.perf_counter()
        found = await self._waited_for(request, answer)
        self._traffic.note(self._route(request.path), request.method, found.status, began_s)
        return found

    async def _waited_for(self, request: Inbound, answer: Awaitable[Outbound]) -> Outbound:
        """Wait for an answer that takes time, not for ever."""
        deadline = asyncio.timeout(self.settings.handler_timeout_s)
        try:
            async with deadline:
                return await answer
        except asyncio.CancelledError:
            if not self.stopping:
                raise
            return STOPPING
        except Exception:  # noqa: BLE001 -- as above
            if deadline.expired():
                _log.warning("request_timed_out", path=request.path, timeout_s=self.settings.handler_timeout_s)
                return TOO_SLOW
            return _broken(request)


def _abandon(answer: Awaitable[Outbound]) -> None:
    """Drop an answer that nobody will wait for, without a warning that it was never awaited."""
    close = getattr(answer, "close", None) or getattr(answer, "cancel", None)
    if close is not None:
        close()


def application(handler: Handler, settings: ExchangeSettings) -> Exchange:
    """Put the limits around a handler; the result is what `serving` carries on the runtimes' port."""
    return Exchange(handler, settings)
