"""Sends one request to a runtime: bounded, pinned to the address that was judged, following nothing, repeating nothing."""

import asyncio
import os
import secrets
import ssl
import time
from typing import Final, NoReturn, final

import aiohttp
import msgspec
from aiohttp.client_middlewares import ClientHandlerType
from yarl import URL

from pilothouse.base.callees import tls_context
from pilothouse.base.hosts import Address, read_address
from pilothouse.base.no_names import NoNames
from pilothouse.management.names import Names, Resolve
from pilothouse.try_it.answers import Answer, Cut, shown_body, shown_headers
from pilothouse.try_it.asked import Asked
from pilothouse.try_it.failures import (
    CA_FILE_VARIABLE,
    INSECURE_VARIABLE,
    BrokeOff,
    NotTrusted,
    TooManyRequests,
    TooSlow,
    Unreachable,
)
from pilothouse.try_it.policy import Target, host_of, permit
from pilothouse.try_it.quota import Quota
from pilothouse.try_it.rules import TryItRules

ADDRESSES_MAX: Final = 4
"""Of one host; more are not tried."""
_CONNECT_S_MIN: Final = 0.001
_READ_BYTES: Final = 65_536
_MAY_HAVE_HAPPENED: Final = (
    "What was asked may have been done all the same: look at the runtime's log before you ask again."
)


class _EndedEarly(aiohttp.ClientError):
    """The connection ended before there was an answer."""


async def _once(request: aiohttp.ClientRequest, send: ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep the library from repeating GET, PUT and DELETE by itself when a connection breaks off."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _EndedEarly from error


class _Door(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request goes: an address that passed, under the host that it was found by."""

    scheme: str
    host: str | Address
    address: Address
    port: int

    def __str__(self) -> str:
        named = f"{self.host} ({self.address})" if isinstance(self.host, str) else str(self.address)
        return f"{named}, port {self.port}"

    @property
    def authority(self) -> str:
        name = self.host if isinstance(self.host, str) else _bracketed(self.host)
        default = 443 if self.scheme == "https" else 80
        return name if self.port == default else f"{name}:{self.port}"


class _Moments(msgspec.Struct):
    """When what happened, by the clock of the loop."""

    began_s: float
    ends_s: float
    sent_s: float = 0.0


@final
class TryItClient:
    """Sends requests that people try out; one for the whole control plane. To be used within one event loop.

    Raises: CannotStart if the file of authorities cannot be read
    """

    def __init__(self, rules: TryItRules, resolve: Resolve | None = None) -> None:
        self._rules = rules
        self._names = Names()
        self._resolve = resolve or self._names
        # Reading the system's authorities takes a while, which a start need not wait for; a file of one's own is checked at once.
        self._tls: ssl.SSLContext | None = None if rules.ca_file is None else tls_context(rules)
        self._quota = Quota(time.monotonic)
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False

    async def send(self, person: str, target: Target, asked: Asked) -> Answer:
        """Send a request, once; whoever is cancelled meanwhile ends its connection.

        Raises: AddressRefused, TooManyRequests, NoAnswer
        """
        loop = asyncio.get_running_loop()
        with self._quota.place(person, target.runtime):
            now_s = loop.time()
            moments = _Moments(began_s=now_s, ends_s=now_s + self._rules.timeout_s)
            try:
                async with asyncio.timeout_at(moments.ends_s):
                    doors = await self._doors(target)
                    response, door, trace_id = await self._first_answer(doors, asked, moments)
            except TimeoutError:
                raise TooSlow(
                    f"The service did not answer within {self._rules.timeout_s:g} s.", fix=_MAY_HAVE_HAPPENED
                ) from None
            return await self._told(response, door, moments, trace_id)

    async def close(self) -> None:
        """Cut off what is under way and send nothing more."""
        self._is_closed = True
        self._names.close()
        if self._session is not None:
            await self._session.close()

    async def _doors(self, target: Target) -> list[_Door]:
        host = host_of(target)
        resolved = await self._addresses(host, target.port)
        addresses = permit(host, resolved, target, self._rules.allowed, self._rules.own_ports())
        return [
            _Door(scheme=target.scheme, host=host, address=address, port=target.port)
            for address in addresses[:ADDRESSES_MAX]
        ]

    async def _addresses(self, host: str | Address, port: int) -> tuple[Address, ...]:
        if not isinstance(host, str):
            return (host,)
        fix = "Let the runtime report a host (`tryItHost`) that the control plane can look up."
        try:
            async with asyncio.timeout(self._rules.connect_s):
                found = await self._resolve(host, port)
        except TimeoutError:
            raise Unreachable(f"The name {host} was not resolved in time.", fix=fix) from None
        except (OSError, UnicodeError, RuntimeError):
            raise Unreachable(f"The name {host} cannot be resolved.", fix=fix) from None
        return tuple(address for address in map(read_address, found) if address is not None)

    async def _first_answer(
        self, doors: list[_Door], asked: Asked, moments: _Moments
    ) -> tuple[aiohttp.ClientResponse, _Door, str | None]:
        """Try the addresses that passed, one after the other, until one can be connected to."""
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + self._rules.connect_s
        headers, trace_id = _headers(asked)
        for tried, door in enumerate(doors, 1):
            # The time that is left is shared out evenly: one silent address must not use up that of the others.
            share_s = (ends_s - loop.time()) / (len(doors) - tried + 1)
            moments.sent_s = loop.time()
            try:
                return await self._ask(door, asked, headers, share_s), door, trace_id
            except (aiohttp.ClientError, OSError, RuntimeError, ValueError) as error:
                is_last = tried == len(doors)
                if is_last or not isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
                    _translate(error, door)
        raise Unreachable("The runtime has no address.")

    async def _ask(
        self, door: _Door, asked: Asked, headers: list[tuple[str, str]], connect_s: float
    ) -> aiohttp.ClientResponse:
        """Send the request to one address. The URL holds the address itself: nothing is resolved a second time."""
        return await self._open().request(
            asked.method,
            URL(f"{door.scheme}://{_bracketed(door.address)}:{door.port}{asked.path}", encoded=True),
            data=asked.body,
            headers=[("Host", door.authority), *headers],
            skip_auto_headers=("Content-Type", "User-Agent", "Accept", "Accept-Encoding"),
            server_hostname=str(door.host) if door.scheme == "https" else None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=max(connect_s, _CONNECT_S_MIN)),
        )

    async def _told(
        self, response: aiohttp.ClientResponse, door: _Door, moments: _Moments, trace_id: str | None
    ) -> Answer:
        loop = asyncio.get_running_loop()
        first_byte_s = loop.time()
        try:
            body, cut = await self._read(response, moments.ends_s)
        finally:
            _hang_up(response)
        text, is_base64 = shown_body(
            body,
            response.headers.get("Content-Type", ""),
            response.headers.get("Content-Encoding", ""),
            is_whole=cut is None,
        )
        return Answer(
            status=response.status,
            reason=(response.reason or "")[:100],
            headers=shown_headers(response.raw_headers),
            body=text,
            body_is_base64=is_base64,
            size_bytes=len(body),
            cut=cut,
            first_byte_ms=round((first_byte_s - moments.sent_s) * 1000, 1),
            whole_ms=round((loop.time() - moments.began_s) * 1000, 1),
            address=f"{_bracketed(door.address)}:{door.port}",
            trace_id=trace_id,
        )

    async def _read(self, response: aiohttp.ClientResponse, ends_s: float) -> tuple[bytes, Cut | None]:
        """Read as much as may be shown, and say why it ended before the end."""
        body = bytearray()
        limit = self._rules.answer_bytes_max
        try:
            async with asyncio.timeout_at(ends_s):
                while len(body) <= limit:
                    piece = await response.content.read(_READ_BYTES)
                    if not piece:
                        return bytes(body), None
                    body += piece
        except TimeoutError:
            return bytes(body), Cut.TIME
        except (aiohttp.ClientError, OSError, RuntimeError, ValueError):
            return bytes(body[:limit]), Cut.CONNECTION
        return bytes(body[:limit]), Cut.SIZE

    def _open(self) -> aiohttp.ClientSession:
        if self._is_closed:
            raise TooManyRequests("The control plane is shutting down.", wait_s=5)
        if self._session is None:
            self._tls = self._tls or tls_context(self._rules)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=self._tls, resolver=NoNames(), use_dns_cache=False, force_close=True, limit=0
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                middlewares=(_once,),
                auto_decompress=False,
            )
        return self._session


def _headers(asked: Asked) -> tuple[list[tuple[str, str]], str | None]:
    """Add what nobody typed: who asks, that the answer is wanted as it is, and the trace that begins here."""
    headers = [(one.name, one.value) for one in asked.headers]
    named = {name.lower() for name, _ in headers}
    trace_id = None if "traceparent" in named else secrets.token_hex(16)
    ours = {
        "user-agent": ("User-Agent", "pilothouse-try-it"),
        "accept": ("Accept", "*/*"),
        "accept-encoding": ("Accept-Encoding", "identity"),
    }
    headers += [header for name, header in ours.items() if name not in named]
    if trace_id is not None:
        headers.append(("traceparent", f"00-{trace_id}-{secrets.token_hex(8)}-01"))
    return headers, trace_id


def _hang_up(response: aiohttp.ClientResponse) -> None:
    """End the connection now: what was not read would keep it, and TLS waits for a farewell."""
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()
    response.close()


def _bracketed(address: Address) -> str:
    return str(address) if address.version == 4 else f"[{address}]"  # noqa: PLR2004 - the number is the name


def _translate(error: Exception, door: _Door) -> NoReturn:
    """Say what a broken exchange means."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = str(getattr(error.certificate_error, "verify_message", "")).rstrip(".") or "it does not fit the host"
        raise NotTrusted(
            f"The certificate of {door} is not trusted: {reason}.",
            fix=(
                f"Put its certificate, or that of the authority that signed it, into the file that {CA_FILE_VARIABLE} names; "
                f"the certificate must name the host. {INSECURE_VARIABLE}=on gives up the check."
            ),
        ) from None
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        raise NotTrusted(
            f"What answers at {door} does not speak TLS as it should.", fix="Look at how the listener is set up."
        ) from None
    fix = "Check that the listener is bound to an address that the control plane can reach, and that no firewall is between."
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        raise Unreachable(f"{door} could not be connected to in time.", fix=fix) from None
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        words = os.strerror(number).lower() if number else "no connection"
        raise Unreachable(f"Nobody answers at {door}: {words}.", fix=fix) from None
    raise BrokeOff(
        f"{door} ended the connection before it answered, or answered with what is no HTTP.", fix=_MAY_HAVE_HAPPENED
    ) from None
