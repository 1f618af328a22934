"""One request to the control plane: timeouts, a size cap, one connection kept open between beats."""

import http.client
import select
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

from pilothouse_bridge import _native
from pilothouse_bridge._line import Line, hang_up, let_go
from pilothouse_bridge.errors import AnswerNotUnderstoodError, ServerUnreachableError

ANSWER_DEADLINE_S: Final = 30.0  # for the whole body: a server that drips may not hold us for ever
SIZE_CAP_BYTES: Final = 1_000_000
_CHUNK_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, whole; ``retry_after`` is the header as it stands."""

    status: int
    retry_after: str | None
    body: bytes


@final
class Transport:
    """Sends one message at a time to one server."""

    def __init__(self, line: Line) -> None:
        """Nothing is opened yet."""
        self._line = line
        self._connection: http.client.HTTPConnection | None = None
        self._aborted = False

    def post(self, path: str, token: str, body: bytes, more: Mapping[str, str] | None = None) -> Reply:
        """Send and wait for the answer, over the open connection when it still stands; ``more`` are headers.

        Raises: DeliveryError.
        """
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": "pilothouse-bridge",
            **(more or {}),
        }
        try:
            return self._exchange(path, headers, body)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; the next message opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def abort(self) -> None:
        """From another thread: end a wait for an answer at once, and open no connection any more."""
        self._aborted = True
        connection = self._connection
        hang_up(None if connection is None else connection.sock)

    def abandon_in_child(self) -> None:
        """Close a forked child's copy of the connection."""
        connection, self._connection = self._connection, None
        let_go(None if connection is None else connection.sock)

    def _exchange(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        reused = self._connection is not None and _is_idle(self._connection)
        if not reused:
            self._open()
        try:
            return self._send(path, headers, body)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError, ssl.SSLEOFError) as error:
            if not reused:
                server = self._line.server
                cause = error.strerror or str(error) or type(error).__name__
                raise ServerUnreachableError(server.host, server.port, cause) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._line.translated(error) from None
        # The server closed the idle connection just as we wrote. Heartbeats and results may be repeated.
        self._open()
        try:
            return self._send(path, headers, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._line.translated(error) from None

    def _open(self) -> None:
        self.close()
        if self._aborted:
            server = self._line.server
            raise ServerUnreachableError(server.host, server.port, "this program has closed the bridge")
        connection = self._line.new()
        self._connection = connection
        self._line.connect(connection)

    def _send(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        connection = self._connection
        if connection is None:
            raise ConnectionResetError("closed by this program")
        deadline_s = time.monotonic() + ANSWER_DEADLINE_S
        connection.request("POST", self._line.server.prefix + path, body=body, headers=headers)
        response = connection.getresponse()
        try:
            answer = Reply(response.status, response.getheader("Retry-After"), _read(response, deadline_s))
        finally:
            # Read or not, it must be closed before the connection can take another message.
            response.close()
        if response.will_close:
            self.close()
        return answer


def _read(response: http.client.HTTPResponse, deadline_s: float) -> bytes:
    received = bytearray()
    while chunk := response.read1(_CHUNK_BYTES):
        received += chunk
        if len(received) > SIZE_CAP_BYTES:
            raise AnswerNotUnderstoodError(f"it is longer than {SIZE_CAP_BYTES} bytes")
        if time.monotonic() > deadline_s:
            raise TimeoutError
    return bytes(received)


def _is_idle(connection: http.client.HTTPConnection) -> bool:
    """Whether an open connection can take a message: one that is readable now was closed by the server."""
    opened = connection.sock
    if opened is None:
        return False
    try:
        if _native.poll is not None:  # select() knows no descriptor above 1023
            poller = _native.poll()
            poller.register(opened, select.POLLIN)
            return not poller.poll(0)
        return not select.select([opened], [], [], 0)[0]
    except (OSError, ValueError):
        return False
