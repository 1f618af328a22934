"""The sockets of a fleet: one connection carries one request at a time, and a channel carries events."""

import asyncio
import json
import resource
import ssl
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast
from urllib.parse import urlsplit

CONNECT_TIMEOUT_S: Final = 30.0
_PORTS_PER_ADDRESS: Final = 20_000
"""Connections that leave from one source address; the system has about 28,000 ports for each."""

Answered = Callable[[int, bytes], None]
Failed = Callable[[str], None]


class Target(NamedTuple):
    """Where runtimes send."""

    host: str
    port: int
    tls: ssl.SSLContext | None

    @classmethod
    def of(cls, url: str) -> "Target":
        """Read an address; a certificate is not verified, as Ballerina's default is."""
        parts = urlsplit(url)
        context = None
        if parts.scheme == "https":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        host = parts.hostname or "localhost"
        return cls("127.0.0.1" if host == "localhost" else host, parts.port or 443, context)

    @property
    def is_loopback(self) -> bool:
        """Whether every address of 127.0.0.0/8 leads there."""
        return self.host.startswith("127.")

    def head(self, path: str, token: str, length: int) -> bytes:
        """Write the head of a POST."""
        return (
            f"POST {path} HTTP/1.1\r\nhost: {self.host}:{self.port}\r\nauthorization: Bearer {token}\r\n"
            f"content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        ).encode()


class Line(asyncio.Protocol):
    """A kept-alive HTTP/1.1 connection with one request in flight at most."""

    __slots__ = ("_answered", "_buffer", "_failed", "_lost", "transport")

    def __init__(self, lost: Callable[["Line"], None]) -> None:
        self.transport = cast("asyncio.Transport", None)
        self._lost = lost
        self._buffer = b""
        self._answered: Answered | None = None
        self._failed: Failed | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def send(self, data: bytes, answered: Answered, failed: Failed) -> None:
        """Send a request; one of the two is called once."""
        self._answered, self._failed = answered, failed
        try:
            self.transport.write(data)
        except RuntimeError:  # uvloop's word for a transport that closed meanwhile
            self.connection_lost(None)

    def data_received(self, data: bytes) -> None:
        """Collect an answer until it is whole."""
        if self._buffer:
            data = self._buffer + data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._buffer = data
            return
        head = data[:end].lower()
        at = head.find(b"content-length:")
        stop = head.find(b"\r\n", at)
        length = int(head[at + 15 : stop if stop > 0 else end]) if at >= 0 else 0
        if len(data) < end + 4 + length:
            self._buffer = data
            return
        self._buffer = b""
        answered, self._answered, self._failed = self._answered, None, None
        if b"connection: close" in head:
            self.transport.close()
        if answered is not None:
            answered(int(head[9:12]), data[end + 4 : end + 4 + length])

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits for an answer, and the owner."""
        self._lost(self)
        failed, self._answered, self._failed = self._failed, None, None
        if failed is not None:
            failed(f"connection lost: {type(exc).__name__ if exc else 'closed'}")

    def abandon(self) -> None:
        """End without telling anybody, as a process that dies."""
        self._answered = self._failed = None
        self.transport.abort()


class ChannelLine(asyncio.Protocol):
    """A channel: one GET, and server-sent events until it ends."""

    __slots__ = ("_begun", "_body", "_buffer", "_ended", "_event", "heard_at", "is_chunked", "status", "transport")

    def __init__(self, request: bytes, event: Callable[[str, Any], None], ended: Callable[[int, bytes], None]) -> None:
        self._begun = request
        self._event = event
        self._ended = ended
        self.transport = cast("asyncio.Transport", None)
        self.status = 0
        """0 until the head of the answer is whole."""
        self.is_chunked = False
        self.heard_at = time.monotonic()
        self._buffer = b""
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the channel."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._begun)

    def data_received(self, data: bytes) -> None:
        """Read the head, then events."""
        self.heard_at = time.monotonic()
        self._buffer += data
        if self.status == 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end].lower()
            self._buffer = self._buffer[end + 4 :]
            self.status = int(head[9:12])
            self.is_chunked = b"transfer-encoding: chunked" in head
            if self.status != 200:
                self.transport.close()
                return
        if self.is_chunked:
            self._dechunk()
        else:
            self._body, self._buffer = self._body + self._buffer, b""
        self._events()

    def _dechunk(self) -> None:
        while (line := self._buffer.find(b"\r\n")) >= 0:
            size = int(self._buffer[:line].split(b";")[0] or b"0", 16)
            if len(self._buffer) < line + 2 + size + 2:
                return
            self._body += self._buffer[line + 2 : line + 2 + size]
            self._buffer = self._buffer[line + 2 + size + 2 :]

    def _events(self) -> None:
        *whole, self._body = self._body.replace(b"\r\n", b"\n").split(b"\n\n")
        for block in whole:
            name, data = "message", ""
            for line in block.decode().split("\n"):
                field, _, value = line.partition(":")
                if field == "event":
                    name = value.strip()
                elif field == "data":
                    data += value.removeprefix(" ")
            if data:
                self._event(name, json.loads(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner."""
        del exc
        self._ended(self.status, self._buffer)

    def abandon(self) -> None:
        """End without telling anybody."""
        self._ended = _nothing
        self._event = _no_event
        self.transport.abort()


def _nothing(_status: int, _body: bytes) -> None: ...


def _no_event(_name: str, _data: Any) -> None: ...  # Any: JSON


class Dialer:
    """Opens connections, from as many source addresses as their number needs."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.opened = 0
        self._loop = asyncio.get_running_loop()

    async def open(self, make: Callable[[], asyncio.Protocol]) -> asyncio.Protocol:
        """Open a connection.

        Raises: OSError, TimeoutError
        """
        self.opened += 1
        source = None
        if self.target.is_loopback and self.opened > _PORTS_PER_ADDRESS:
            source = (f"127.0.0.{2 + (self.opened // _PORTS_PER_ADDRESS) % 250}", 0)
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            _, protocol = await self._loop.create_connection(
                make,
                self.target.host,
                self.target.port,
                ssl=self.target.tls,
                local_addr=source,
                ssl_handshake_timeout=CONNECT_TIMEOUT_S if self.target.tls else None,
            )
        return protocol


def raise_open_files() -> int:
    """Raise this process's limit of open files to what it may have; gives the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return 2**31 if hard == resource.RLIM_INFINITY else hard
