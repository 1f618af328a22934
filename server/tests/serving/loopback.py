"""Real carriers on real loopback sockets."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from pilothouse.protocol.exchange import ExchangeSettings, Handler, Inbound, Outbound, application
from pilothouse.serving.carrier import Carrier, Listener
from pilothouse.serving.settings import CarrierSettings, TlsFiles


def echo(request: Inbound) -> Outbound:
    return Outbound(200, b'{"read":%d}' % len(request.body))


async def plain_asgi(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def carried(
    handler: Handler = echo,
    *,
    asgi: Any = plain_asgi,
    exchange: ExchangeSettings | None = None,
    settings: CarrierSettings | None = None,
    tls: TlsFiles | None = None,
) -> AsyncIterator[Carrier]:
    """A carrier with both ports on loopback, stopped at the end."""
    listeners = [
        Listener(
            name="runtimes",
            app=application(handler, exchange or ExchangeSettings()),
            host="127.0.0.1",
            port=0,
            setting="runtimes.port",
            tls=tls,
        ),
        Listener(name="people", app=asgi, host="127.0.0.1", port=0, setting="people.port", tls=tls),
    ]
    carrier = Carrier(listeners, settings or CarrierSettings(grace_s=0.5))
    await carrier.start()
    try:
        yield carrier
    finally:
        await carrier.stop()
        while _peers:
            _peers.pop().hang_up()
        await asyncio.sleep(0.01)


Run = Callable[[Awaitable[Any]], Any]
TlsPair = tuple[TlsFiles, ssl.SSLContext]

_peers: list["Peer"] = []
"""Those that are to hang up when their carrier has stopped."""


class Peer:
    """A client that says exactly what it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        _peers.append(self)

    @classmethod
    async def to(cls, port: int, tls: ssl.SSLContext | None = None) -> "Peer":
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls))

    async def say(self, *segments: bytes, pause_s: float = 0.05) -> None:
        for segment in segments:
            self.writer.write(segment)
            await self.writer.drain()
            await asyncio.sleep(pause_s)

    async def hear(self, within_s: float = 10) -> tuple[int, dict[str, str], bytes]:
        # Not `wait_for`: in Python 3.11 it may lose a cancellation that comes together with what it waits for.
        async with asyncio.timeout(within_s):
            head = await self.reader.readuntil(b"\r\n\r\n")
        first, *rest = head.decode().strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        async with asyncio.timeout(within_s):
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return int(first.split()[1]), headers, body

    async def ended(self, within_s: float = 10) -> bool:
        try:
            async with asyncio.timeout(within_s):
                return await self.reader.read(1) == b""
        except ConnectionError:
            return True

    def hang_up(self) -> None:
        self.writer.transport.abort()


def post(body: bytes = b"{}", *more: str, path: str = "/icp/heartbeat") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
