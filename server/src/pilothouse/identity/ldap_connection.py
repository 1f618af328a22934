"""One connection to a directory: the protocol by sansldap, the octets by asyncio, TLS checked, answers limited.

Source: RFC 4511 (LDAP), RFC 4513 (binds and StartTLS); ADR 0016.
"""

import asyncio
import contextlib
import ssl
from collections import deque
from typing import Final, TypeVar, cast

import msgspec
from sansldap import BindResponse as _BindResponse
from sansldap import (
    ExtendedOperations,
    ExtendedResponse,
    LDAPClient,
    LDAPError,
    LDAPFilter,
    LDAPMessage,
    LDAPResultCode,
    SearchResultDone,
    SearchResultEntry,
    SearchResultReference,
    SearchScope,
)

from pilothouse.identity.external import ProviderUnavailable

STORE: Final = "The directory"
ANSWER_BYTES_MAX: Final = 512 * 1024
"""Bytes taken over one connection; a directory that sends more is cut off."""
SLICE_BYTES: Final = 4_096
"""Bytes decoded at a time; between two slices others have their turn."""
_GOODBYE_S: Final = 0.5

M = TypeVar("M", bound=LDAPMessage)


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a directory is, and how its line is protected."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    """None: in clear text."""
    is_ldaps: bool
    """Encrypted from the beginning; with TLS and without this it is StartTLS."""


class Entry(msgspec.Struct, frozen=True):
    """An entry as it was found; names of attributes are in lower case."""

    dn: str
    attributes: dict[str, tuple[bytes, ...]]

    def texts(self, attribute: str) -> tuple[str, ...]:
        """Give the values of an attribute that are text."""
        texts: list[str] = []
        for value in self.attributes.get(attribute.lower(), ()):
            with contextlib.suppress(UnicodeDecodeError):
                texts.append(value.decode())
        return tuple(texts)


class Outcome(msgspec.Struct, frozen=True):
    """How an operation ended."""

    code: LDAPResultCode
    diagnostics: str
    """For the log; it may say more than a stranger should know."""

    @property
    def is_success(self) -> bool:
        """True if it was carried out."""
        return self.code is LDAPResultCode.SUCCESS


class Line(asyncio.Protocol):
    """Octets as they come in, in order, up to the limit."""

    def __init__(self) -> None:
        self.chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self.gone = asyncio.Event()
        self._received_bytes = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note what to cut off."""
        # uvloop's transports are no subclasses of asyncio's: asking for the class would never find one.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Queue what came, unless it is too much by now."""
        self._received_bytes += len(data)
        if self._received_bytes <= ANSWER_BYTES_MAX:
            self.chunks.put_nowait(data)
        elif self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake who waits: an empty chunk is the end."""
        del exc
        self.gone.set()
        self.chunks.put_nowait(b"")

    async def next(self) -> bytes:
        """Wait for octets.

        Raises: ProviderUnavailable when no more will come
        """
        if chunk := await self.chunks.get():
            return chunk
        raise self.why_gone()

    def why_gone(self) -> ProviderUnavailable:
        """Say why nothing comes any more."""
        too_much = self._received_bytes > ANSWER_BYTES_MAX
        return unavailable(
            f"its answer is longer than {ANSWER_BYTES_MAX} bytes." if too_much else "it closed the connection."
        )


class Connection:
    """A connection in use. One operation at a time."""

    def __init__(self, transport: asyncio.Transport, line: Line) -> None:
        self._transport = transport
        self._line = line
        self._session = LDAPClient()
        self._ready: deque[LDAPMessage] = deque()

    async def bind(self, dn: str, password: str) -> Outcome:
        """Prove a password. An empty DN or password is never sent: a directory takes either for anonymous, and says yes."""
        if not dn or not password:
            return Outcome(LDAPResultCode.INAPPROPRIATE_AUTHENTICATION, "not sent")
        answer = await self._answer(self._session.bind_simple(dn, password), _BindResponse)
        return Outcome(answer.result.result_code, answer.result.diagnostics_message)

    async def search(
        self, base: str, scope: SearchScope, chosen: LDAPFilter, attributes: list[str], *, size_limit: int
    ) -> tuple[Outcome, list[Entry]]:
        """Find entries; references to other directories are not followed."""
        asked = self._session.search_request(
            base_object=base, scope=scope, filter=chosen, attributes=attributes, size_limit=size_limit
        )
        entries: list[Entry] = []
        while True:
            message = await self._answer(asked, LDAPMessage)
            match message:
                case SearchResultEntry():
                    found = {each.name.lower(): tuple(each.values) for each in message.attributes}
                    entries.append(Entry(message.object_name, found))
                case SearchResultReference():
                    pass
                case SearchResultDone():
                    return Outcome(message.result.result_code, message.result.diagnostics_message), entries
                case _:
                    raise unavailable("it answered a search with something else.")

    async def start_tls(self, tls: ssl.SSLContext, host: str) -> None:
        """Go on encrypted, or not at all."""
        asked = self._session.extended_request(ExtendedOperations.LDAP_START_TLS.value)
        answer = await self._answer(asked, ExtendedResponse)
        if answer.result.result_code is not LDAPResultCode.SUCCESS:
            raise unavailable(f"it refuses StartTLS ({answer.result.result_code.name}).")
        if self._ready or not self._line.chunks.empty():
            # Sent in clear text behind the answer: it would count as said under TLS (CVE-2011-0411 and its kin).
            raise unavailable("it sent more in clear text after it had agreed to encrypt.")
        if self._line.gone.is_set() or self._transport.is_closing():
            raise self._line.why_gone()
        loop = asyncio.get_running_loop()
        # Nothing is awaited between the look into the queue and here, and reading pauses before the first octet of TLS.
        secured = await loop.start_tls(self._transport, self._line, tls, server_hostname=host)
        if secured is None:
            raise unavailable("it closed the connection.")
        self._transport = secured
        self._line.connection_made(secured)
        self._session = LDAPClient()  # the former may hold the beginning of a message that came in clear text

    async def close(self) -> None:
        """Say goodbye and close."""
        with contextlib.suppress(LDAPError, ProviderUnavailable):
            self._session.unbind()
            self._send()
        self._transport.close()
        try:
            async with asyncio.timeout(_GOODBYE_S):
                await self._line.gone.wait()
        except TimeoutError:
            self.abort()

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    async def _answer(self, asked: int, kind: type[M]) -> M:
        """Send what is to be sent, and wait for the next message about it."""
        self._send()
        while not self._ready:
            chunk = await self._line.next()
            for begin in range(0, len(chunk), SLICE_BYTES):
                self._take(chunk[begin : begin + SLICE_BYTES])
                await asyncio.sleep(0)
        message = self._ready.popleft()
        if message.message_id != asked or not isinstance(message, kind):
            raise unavailable("it answered something that was not asked.")
        return message

    def _send(self) -> None:
        octets = self._session.data_to_send()
        if octets and (self._line.gone.is_set() or self._transport.is_closing()):
            raise self._line.why_gone()
        if octets:
            self._transport.write(octets)

    def _take(self, octets: bytes) -> None:
        try:
            self._ready.extend(self._session.receive(octets))
        except (LDAPError, ValueError, LookupError, TypeError, RecursionError, OverflowError) as error:
            raise unavailable(f"it does not speak LDAP as expected ({str(error)[:200]}).") from None


async def connect(address: Address) -> Connection:
    """Connect to a directory, encrypted where its address says so.

    Raises: ProviderUnavailable
    """
    loop = asyncio.get_running_loop()
    connection: Connection | None = None
    at_once = address.tls if address.is_ldaps else None
    name = address.host if address.is_ldaps else None
    try:
        made = await loop.create_connection(Line, address.host, address.port, ssl=at_once, server_hostname=name)
        connection = Connection(*made)
        if address.tls is not None and not address.is_ldaps:
            await connection.start_tls(address.tls, address.host)
    except BaseException as error:
        if connection is not None:
            connection.abort()
        if isinstance(error, ssl.SSLCertVerificationError):
            raise unavailable(f"its certificate is not trusted ({error.verify_message}).") from None
        if isinstance(error, OSError | UnicodeError) and not isinstance(error, TimeoutError):
            raise unavailable(f"the connection failed ({str(error) or type(error).__name__}).") from None
        raise
    return connection


def unavailable(cause: str) -> ProviderUnavailable:
    """Name the cause why the directory cannot be asked."""
    return ProviderUnavailable(STORE, cause)
