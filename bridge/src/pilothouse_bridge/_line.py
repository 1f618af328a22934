"""How the control plane is reached: TLS, a connection, and what its failures are called.

Proxies from the environment are not used: a control plane stands beside its runtimes, and a sign of life must not
depend on a machine that was set up for something else.
"""

import contextlib
import http.client
import os
import socket
import ssl
from pathlib import Path
from typing import Final, cast, final

from pilothouse_bridge import _native
from pilothouse_bridge._config import Endpoint
from pilothouse_bridge._sealed import Sealed
from pilothouse_bridge.errors import (
    AnswerNotUnderstoodError,
    CertificateRefusedError,
    DeliveryError,
    ServerTooSlowError,
    ServerUnreachableError,
)

CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 15.0


@final
class Line:
    """Opens connections to one server; the certificates are read once."""

    def __init__(self, server: Endpoint, *, verify: bool, authority: Path | None) -> None:
        """Nothing is opened yet.

        Raises: CertificateRefusedError when the file of the authority is not one.
        """
        self.server: Final = server
        self._context: Final = _context(server, verify=verify, authority=authority)

    def new(self) -> http.client.HTTPConnection:
        """A connection that is not opened yet: who made it can end it from another thread while it opens."""
        return self._new(CONNECT_TIMEOUT_S)

    def connect(self, connection: http.client.HTTPConnection) -> None:
        """Open it, and set the timeout for reading.

        Raises: DeliveryError.
        """
        try:
            if _native.are_threads_patched():
                connection.sock = self._opened((self.server.host, self.server.port), CONNECT_TIMEOUT_S)
            else:
                connection.connect()
        except TimeoutError:
            connection.close()
            raise self._unreachable(f"no connection within {CONNECT_TIMEOUT_S:g} s") from None
        except ssl.SSLError as error:
            connection.close()
            raise self.translated(error) from None
        except (OSError, UnicodeError, ValueError) as error:
            connection.close()
            raise self._unreachable(_cause(error)) from None
        connection.sock.settimeout(READ_TIMEOUT_S)

    def open_at(self, address: tuple[str, int], patience_s: float) -> http.client.HTTPConnection:
        """A connection to an address that is known already, without asking for names: for who has little time.

        Raises: OSError.
        """
        connection = self._new(patience_s)
        connection.sock = self._opened(address, patience_s)
        return connection

    def translated(self, error: Exception) -> DeliveryError:
        """What a failure of the connection means."""
        host, port = self.server.host, self.server.port
        if isinstance(error, ssl.SSLError):
            return CertificateRefusedError(host, port, _tls_reason(error))
        if isinstance(error, TimeoutError):
            return ServerTooSlowError(host, port, READ_TIMEOUT_S)
        if isinstance(error, OSError):
            return self._unreachable(_cause(error))
        return AnswerNotUnderstoodError(f"{type(error).__name__} while reading it")

    def _unreachable(self, cause: str) -> ServerUnreachableError:
        return ServerUnreachableError(self.server.host, self.server.port, cause)

    def _new(self, timeout_s: float) -> http.client.HTTPConnection:
        if self._context is None:
            return http.client.HTTPConnection(self.server.host, self.server.port, timeout=timeout_s)
        return http.client.HTTPSConnection(self.server.host, self.server.port, timeout=timeout_s, context=self._context)

    def _opened(self, address: tuple[str, int], timeout_s: float) -> socket.socket:
        is_patched = _native.are_threads_patched()
        opened = (_native.open_connection if is_patched else socket.create_connection)(address, timeout_s)
        if self._context is None:
            return opened
        try:
            if is_patched:
                return cast("socket.socket", Sealed(opened, self._context, self.server.host))
            return self._context.wrap_socket(opened, server_hostname=self.server.host)
        except BaseException:
            opened.close()
            raise


def hang_up(opened: socket.socket | None) -> None:
    """From another thread: end whatever waits on this socket."""
    if opened is not None:
        with contextlib.suppress(OSError):  # already gone, which is what we want
            opened.shutdown(socket.SHUT_RDWR)


def let_go(opened: socket.socket | None) -> None:
    """Close a forked child's copy of a connection, and nothing but its descriptor.

    Reader objects may be locked by the parent's thread, which does not exist here: closing them would never end.
    """
    if opened is not None:
        descriptor = opened.detach()
        if descriptor >= 0:
            os.close(descriptor)


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


def _cause(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return str(error.reason or error)
