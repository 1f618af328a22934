"""One request to the control plane: TLS, timeouts, a size cap, one connection kept open between beats.

Proxies from the environment are not used: a control plane stands beside its runtimes, and a sign of life must not
depend on a machine that was set up for something else.
"""

import contextlib
import http.client
import os
import select
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from pilothouse_bridge._config import Endpoint
from pilothouse_bridge.errors import (
    AnswerNotUnderstoodError,
    CertificateRefusedError,
    ServerTooSlowError,
    ServerUnreachableError,
)

CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 15.0
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

    def __init__(self, server: Endpoint, *, verify: bool, authority: Path | None) -> None:
        """Nothing is opened yet.

        Raises: CertificateRefusedError when the file of the authority is not one.
        """
        self._server = server
        self._context = _context(server, verify=verify, authority=authority)
        self._connection: http.client.HTTPConnection | None = None
        self._aborted = False

    def post(self, path: str, token: str, body: bytes) -> Reply:
        """Send and wait for the answer, over the open connection when it still stands.

        Raises: DeliveryError.
        """
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": "pilothouse-bridge",
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
        opened = None if connection is None else connection.sock
        if opened is not None:
            with contextlib.suppress(OSError):  # already gone, which is what we want
                opened.shutdown(socket.SHUT_RDWR)

    def abandon_in_child(self) -> None:
        """Close a forked child's copy of the connection, and nothing but its descriptor.

        Reader objects may be locked by the parent's thread, which does not exist here: closing them would never end.
        """
        connection, self._connection = self._connection, None
        opened = None if connection is None else connection.sock
        if opened is not None:
            descriptor = opened.detach()
            if descriptor >= 0:
                os.close(descriptor)

    def _exchange(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        reused = self._connection is not None and _is_idle(self._connection)
        if not reused:
            self._open()
        try:
            return self._send(path, headers, body)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError, ssl.SSLEOFError) as error:
            if not reused:
                raise self._unreachable(error) from None
        except TimeoutError:
            raise self._too_slow() from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._translated(error) from None
        # The server closed the idle connection just as we wrote. Heartbeats may be repeated.
        self._open()
        try:
            return self._send(path, headers, body)
        except TimeoutError:
            raise self._too_slow() from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._translated(error) from None

    def _open(self) -> None:
        self.close()
        host, port = self._server.host, self._server.port
        if self._aborted:
            raise ServerUnreachableError(host, port, "this program has closed the bridge")
        if self._context is None:
            connection = http.client.HTTPConnection(host, port, timeout=CONNECT_TIMEOUT_S)
        else:
            connection = http.client.HTTPSConnection(host, port, timeout=CONNECT_TIMEOUT_S, context=self._context)
        self._connection = connection
        try:
            connection.connect()
        except ssl.SSLError as error:
            raise CertificateRefusedError(host, port, _tls_reason(error)) from None
        except TimeoutError:
            raise ServerUnreachableError(host, port, f"no connection within {CONNECT_TIMEOUT_S:g} s") from None
        except (OSError, UnicodeError, ValueError) as error:
            raise self._unreachable(error) from None
        connection.sock.settimeout(READ_TIMEOUT_S)

    def _send(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        connection = self._connection
        if connection is None:
            raise ConnectionResetError("closed by this program")
        deadline_s = time.monotonic() + ANSWER_DEADLINE_S
        connection.request("POST", self._server.prefix + path, body=body, headers=headers)
        response = connection.getresponse()
        try:
            answer = Reply(response.status, response.getheader("Retry-After"), _read(response, deadline_s))
        finally:
            # Read or not, it must be closed before the connection can take another message.
            response.close()
        if response.will_close:
            self.close()
        return answer

    def _translated(self, error: Exception) -> Exception:
        if isinstance(error, ssl.SSLError):
            return CertificateRefusedError(self._server.host, self._server.port, _tls_reason(error))
        if isinstance(error, OSError):
            return self._unreachable(error)
        return AnswerNotUnderstoodError(f"{type(error).__name__} while reading it")

    def _unreachable(self, error: Exception) -> ServerUnreachableError:
        cause = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        return ServerUnreachableError(self._server.host, self._server.port, cause)

    def _too_slow(self) -> ServerTooSlowError:
        return ServerTooSlowError(self._server.host, self._server.port, READ_TIMEOUT_S)


def _read(response: http.client.HTTPResponse, deadline_s: float) -> bytes:
    received = bytearray()
    while chunk := response.read1(_CHUNK_BYTES):
        received += chunk
        if len(received) > SIZE_CAP_BYTES:
            raise AnswerNotUnderstoodError(f"it is longer than {SIZE_CAP_BYTES} bytes")
        if time.monotonic() > deadline_s:
            raise TimeoutError
    return bytes(received)


def _context(server: Endpoint, *, verify: bool, authority: Path | None) -> ssl.SSLContext | None:
    if server.scheme != "https":
        return None
    if not verify:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    try:
        return ssl.create_default_context(cafile=None if authority is None else str(authority))
    except (ssl.SSLError, OSError) as error:
        raise CertificateRefusedError(
            server.host, server.port, f"'{authority}' holds no certificate ({error})"
        ) from None


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return str(error.reason or error)


def _is_idle(connection: http.client.HTTPConnection) -> bool:
    """Whether an open connection can take a message: one that is readable now was closed by the server."""
    opened = connection.sock
    if opened is None:
        return False
    try:
        if hasattr(select, "poll"):  # select() knows no descriptor above 1023
            poller = select.poll()
            poller.register(opened, select.POLLIN)
            return not poller.poll(0)
        return not select.select([opened], [], [], 0)[0]
    except (OSError, ValueError):
        return False
