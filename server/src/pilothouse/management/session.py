"""The one HTTP session that all calls share: it resolves nothing, repeats nothing, remembers nothing, follows nothing."""

import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, final

import aiohttp
from aiohttp.client_middlewares import ClientHandlerType

from pilothouse.base.no_names import NoNames
from pilothouse.management.calls import ManagementCall
from pilothouse.management.tokens import Signing


@final
class Attempt:
    """One call on its way."""

    __slots__ = ("call", "is_connected", "signing", "sockets")

    def __init__(self, call: ManagementCall, signing: Signing) -> None:
        self.call = call
        self.signing = signing
        self.is_connected = False
        """From here on the call may have arrived."""
        self.sockets: list[socket.socket] = []

    @contextmanager
    def begun(self) -> Generator[None]:
        """Make this the call of the task that it is called in."""
        before = _under_way.set(self)
        try:
            yield
        finally:
            _under_way.reset(before)

    def hang_up(self) -> None:
        """End the connection now. Without this, TLS waits half a minute for the farewell of a peer that is silent."""
        for opened in self.sockets:
            with suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
        self.sockets.clear()


_under_way: ContextVar[Attempt] = ContextVar("_under_way")


def _socket(address: tuple[int, int, int, str, Any]) -> socket.socket:  # Any: not needed here
    """Open a socket for the call that is under way in this context."""
    family, kind, protocol, _, _ = address
    opened = socket.socket(family, kind, protocol)
    _under_way.get().sockets.append(opened)
    return opened


class _BrokeOff(aiohttp.ClientError):
    """The connection ended before there was an answer."""


async def _connected(
    _session: aiohttp.ClientSession, context: Any, _params: aiohttp.TraceConnectionCreateEndParams
) -> None:  # Any: what aiohttp hands over; the attempt is in it
    context.trace_request_ctx.is_connected = True


async def _once(request: aiohttp.ClientRequest, send: ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep the library from repeating GET, PUT and DELETE by itself when a connection breaks off."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _BrokeOff from error


def open_session(tls: ssl.SSLContext) -> aiohttp.ClientSession:
    """Open the session; every request needs an `Attempt` that has begun, as its `trace_request_ctx`."""
    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(_connected)
    return aiohttp.ClientSession(
        # No connection is used twice: a call that meets a dying connection could not tell whether it was made.
        connector=aiohttp.TCPConnector(
            ssl=tls, resolver=NoNames(), use_dns_cache=False, force_close=True, limit=0, socket_factory=_socket
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        middlewares=(_once,),
        trace_configs=[trace],
        auto_decompress=False,
        headers={"User-Agent": "pilothouse"},
    )
