"""The adapter between the carrier and the runtimes' edge: one request in, one JSON answer out.

It keeps the promises that hold for every request whatever it asks: a body has a largest size and a latest arrival, an
answer has a latest departure, there is a most of everything at once, and our own trouble is always 503.
Source: contracts/README.md (statuses and refusals); reference/runtime-protocol.md section 0.3;
RSGI specification 1.5 (`scope`, `protocol`).
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, KeysView
from typing import Final, Protocol, final

import msgspec
import structlog
from granian.rsgi import ProtocolClosed

_log = structlog.get_logger(__name__)

TICK_S: Final = 0.25
"""Unit: seconds. Deadlines are looked at this often; a timer for each request would cost more than the answer does."""

RETRY_AFTER_S: Final = 5
"""Unit: seconds. When a refused runtime may come again; shorter than its own beat, so nothing is lost by waiting."""

_JSON: Final = [("content-type", "application/json")]
"""Shared by all answers without headers of their own; the carrier reads it and keeps nothing."""


class Inbound(msgspec.Struct, frozen=True, gc=False):
    """A request whose body has arrived whole."""

    method: str
    path: str
    authorization: str | None
    content_type: str | None
    body: bytes
    address: str
    """The peer's IP address, without its port."""


class Outbound(msgspec.Struct, frozen=True, gc=False):
    """An answer; its body is JSON."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    """What is to be said beside the content type."""


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
    """Unit: requests. More than these in flight are answered 503 unread, so that memory stays bounded."""


class Scope(Protocol):
    """What the carrier tells about a request."""

    method: str
    path: str
    client: str

    @property
    def headers(self) -> "Headers":
        """The request's headers."""
        ...


class Headers(Protocol):
    """The request's headers, by lower-case name."""

    def get(self, key: str, default: str | None = None) -> str | None:
        """Find a header's value."""
        ...


class Transport(Protocol):
    """The carrier's side of one exchange."""

    def __call__(self) -> Awaitable[bytes]:
        """Read the whole body."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Read the body as it comes."""
        ...

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Answer."""
        ...


class _Refusal(Exception):  # noqa: N818 -- it is an answer, not an error
    """Ends an exchange early with this answer."""

    def __init__(self, answer: Outbound) -> None:
        self.answer = answer
        super().__init__(answer.status)


def refusal(status: int, code: str, message: str, fix: str, *, retry_after_s: int | None = None) -> Outbound:
    """Make a refusal in the shape that runtimes know."""
    members = {"acknowledged": False, "error": True, "code": code, "message": message, "fix": fix}
    headers = () if retry_after_s is None else (("retry-after", str(retry_after_s)),)
    return Outbound(status, msgspec.json.encode(members), headers)


_OVERLOADED: Final = refusal(
    503,
    "OVERLOADED",
    "The control plane has more requests in flight than it takes.",
    "Nothing: the next heartbeat tries again. If it stays, raise the limit or add a replica.",
    retry_after_s=RETRY_AFTER_S,
)
_BODY_INCOMPLETE: Final = refusal(
    408,
    "BODY_INCOMPLETE",
    "The body of the request did not arrive whole.",
    "Look at the network or the proxy between the runtime and the control plane.",
)
_TOO_SLOW: Final = refusal(
    503,
    "UNAVAILABLE",
    "The control plane did not find an answer in time.",
    "Nothing: the next heartbeat tries again. Look at the control plane's health if it stays.",
    retry_after_s=RETRY_AFTER_S,
)
_STOPPING: Final = refusal(
    503,
    "UNAVAILABLE",
    "The control plane is stopping.",
    "Nothing: the next heartbeat tries again.",
    retry_after_s=RETRY_AFTER_S,
)


def _broken(request_id: str) -> Outbound:
    """Say that the fault is ours, and how to find it in our log; never what it was."""
    return refusal(
        503,
        "UNAVAILABLE",
        f"The control plane failed to answer (request {request_id}).",
        f"Look for request_id={request_id} in the control plane's log.",
        retry_after_s=RETRY_AFTER_S,
    )


@final
class Application:
    """An RSGI application around a handler."""

    def __init__(self, handler: Handler, settings: ExchangeSettings) -> None:
        self._handler = handler
        self._settings = settings
        self._too_large = refusal(
            413,
            "BODY_TOO_LARGE",
            f"The body is larger than {settings.body_limit_bytes} bytes.",
            "Send less (an OpenAPI document is the usual cause) or raise the body limit of the runtimes' port.",
        )
        # In flight, and by when it must be through the step it is in. Cap: max_concurrent. Emptied by `__rsgi__`.
        self._due: dict[asyncio.Task[object], float] = {}
        self._expired: set[asyncio.Task[object]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticker: asyncio.TimerHandle | None = None

    @property
    def running(self) -> KeysView["asyncio.Task[object]"]:
        """The requests in flight; cancelling one answers it with 503."""
        return self._due.keys()

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to watch deadlines; the carrier calls it before the first request."""
        self._loop = loop
        self._ticker = loop.call_later(TICK_S, self._tick)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Stop watching; the carrier calls it after the last request."""
        del loop
        if self._ticker is not None:
            self._ticker.cancel()
        self._loop = self._ticker = None

    async def __rsgi__(self, scope: Scope, transport: Transport) -> None:
        """Answer one request."""
        loop = self._loop
        task = asyncio.current_task()
        if loop is None or task is None or len(self._due) >= self._settings.max_concurrent:
            _send(transport, _OVERLOADED)
            return
        self._due[task] = loop.time() + self._settings.body_timeout_s
        try:
            headers = scope.headers
            body = await self._body(headers, transport)
            answer = self._handler(
                Inbound(
                    scope.method,
                    scope.path,
                    headers.get("authorization"),
                    headers.get("content-type"),
                    body,
                    _address(scope.client),
                )
            )
            if not isinstance(answer, Outbound):
                self._due[task] = loop.time() + self._settings.handler_timeout_s
                answer = await self._slow(answer, task)
        except _Refusal as refused:
            answer = refused.answer
        except asyncio.CancelledError:
            # Ends this request's own task and nothing else waits for it: the answer is better than a lost connection.
            answer = _BODY_INCOMPLETE if task in self._expired else _STOPPING
        except Exception:  # noqa: BLE001 -- this is the edge: whatever it was, the peer gets 503 and the log gets the rest
            request_id = secrets.token_hex(8)
            _log.exception("request_failed", request_id=request_id, method=scope.method, path=scope.path)
            answer = _broken(request_id)
        finally:
            del self._due[task]
            self._expired.discard(task)
        _send(transport, answer)

    async def _slow(self, answer: Awaitable[Outbound], task: "asyncio.Task[object]") -> Outbound:
        """Wait for an answer that takes time, not for ever."""
        try:
            return await answer
        except asyncio.CancelledError:
            if task not in self._expired:
                raise
            _log.warning("request_timed_out", timeout_s=self._settings.handler_timeout_s)
            raise _Refusal(_TOO_SLOW) from None

    async def _body(self, headers: Headers, transport: Transport) -> bytes:
        """Read the body, of a known length or chunked."""
        length = headers.get("content-length")
        try:
            if length is not None:
                # The carrier has already refused lengths that are no numbers, or more than one.
                if int(length) > self._settings.body_limit_bytes:
                    raise _Refusal(self._too_large)
                return await transport() if length != "0" else b""
            if headers.get("transfer-encoding") is None:
                return b""
            return await self._chunks(transport)
        except ProtocolClosed:
            _log.debug("peer_left_in_body")
            raise _Refusal(_BODY_INCOMPLETE) from None

    async def _chunks(self, transport: Transport) -> bytes:
        """Collect a body whose length nobody has announced, counting as it comes."""
        chunks: list[bytes] = []
        size_bytes = 0
        blanks = 0
        async for chunk in transport:
            size_bytes += len(chunk)
            if size_bytes > self._settings.body_limit_bytes:
                raise _Refusal(self._too_large)
            blanks += not chunk
            chunks.append(chunk)
        if blanks > 1:
            # The carrier ends a whole body with one blank chunk and shows a broken one as another before it; so do
            # trailers, which no runtime sends. A test holds it to this.
            _log.debug("peer_left_in_body")
            raise _Refusal(_BODY_INCOMPLETE)
        return b"".join(chunks)

    def _tick(self) -> None:
        """Cancel what is late."""
        loop = self._loop
        if loop is None:
            return
        now_s = loop.time()
        late = [task for task, due_s in self._due.items() if due_s <= now_s and task not in self._expired]
        self._expired.update(late)
        for task in late:
            task.cancel()
        self._ticker = loop.call_later(TICK_S, self._tick)


def application(handler: Handler, settings: ExchangeSettings) -> Application:
    """Carry a handler: an RSGI application that keeps the limits."""
    return Application(handler, settings)


def _send(transport: Transport, answer: Outbound) -> None:
    """Hand the answer to the carrier."""
    transport.response_bytes(answer.status, [*_JSON, *answer.headers] if answer.headers else _JSON, answer.body)


def _address(client: str) -> str:
    """Keep the IP address of `ip:port` or `[ip]:port`; an IPv4 peer on a dual-stack socket is an IPv4 peer."""
    return client.rpartition(":")[0].strip("[]").removeprefix("::ffff:")
