"""TLS over a socket of the operating system, where gevent has put its own TLS sockets in the standard library's place.

Source: ``ssl.MemoryBIO``; what is offered is what ``http.client`` and the rest of the bridge ask of a socket.
"""

import contextlib
import io
import socket
import ssl
from typing import Any, Final, final

_CHUNK_BYTES: Final = 16_384


@final
class Sealed:
    """One connection that is sealed."""

    def __init__(self, opened: socket.socket, context: ssl.SSLContext, server_hostname: str) -> None:
        """Shake hands; the socket is ours from now on.

        Raises: OSError, of which ssl.SSLError is one.
        """
        self._opened = opened
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._readers = 0
        self._is_closed = False
        self._seal = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        while True:
            try:
                self._seal.do_handshake()
            except ssl.SSLWantReadError:
                self._exchange()
            else:
                break
        self._flush()

    def sendall(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._seal.write(rest) :]
            self._flush()

    def recv_into(self, buffer: Any) -> int:
        """Wait for some octets; 0 at the end."""
        while True:
            try:
                return int(self._seal.read(len(buffer), buffer))  # type: ignore[call-overload]
            except ssl.SSLWantReadError:
                self._exchange()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return 0

    def makefile(self, mode: str = "rb", buffering: int | None = None) -> io.BufferedReader:
        """A reader, which keeps the connection open until it is closed."""
        del mode, buffering
        self._readers += 1
        return io.BufferedReader(_Reader(self))

    def settimeout(self, timeout_s: float | None) -> None:
        """How long to wait for the other side."""
        self._opened.settimeout(timeout_s)

    def fileno(self) -> int:
        """Its descriptor."""
        return self._opened.fileno()

    def getpeername(self) -> Any:
        """Who is at the other end."""
        return self._opened.getpeername()

    def shutdown(self, how: int) -> None:
        """End it below the seal: whoever waits for it is woken."""
        self._opened.shutdown(how)

    def detach(self) -> int:
        """Give the descriptor away."""
        return self._opened.detach()

    def close(self) -> None:
        """Close it as soon as no reader needs it."""
        self._is_closed = True
        if not self._readers:
            self._opened.close()

    def let_go(self) -> None:
        """A reader is closed."""
        self._readers -= 1
        if self._is_closed:
            self.close()

    def _exchange(self) -> None:
        self._flush()
        arrived = self._opened.recv(_CHUNK_BYTES)
        if arrived:
            self._incoming.write(arrived)
        else:
            self._incoming.write_eof()

    def _flush(self) -> None:
        waiting = self._outgoing.read()
        if waiting:
            self._opened.sendall(waiting)


@final
class _Reader(io.RawIOBase):
    """What a buffered reader reads from."""

    def __init__(self, sealed: Sealed) -> None:
        self._sealed = sealed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._sealed.recv_into(buffer)

    def close(self) -> None:
        if not self.closed:
            super().close()
            with contextlib.suppress(OSError):
                self._sealed.let_go()
