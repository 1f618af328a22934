"""Requests to receivers: to an address that was judged, one attempt each, and honest about what came of it."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, NoReturn, final

import aiohttp
import msgspec
from yarl import URL

from pilothouse.base.clock import Clock
from pilothouse.base.hosts import Address, AllowList, read_address, shown
from pilothouse.base.instants import Instant
from pilothouse.base.no_names import NoNames
from pilothouse.notify.doors import Door, doors_to, host_of
from pilothouse.notify.errors import NotDelivered

RETRY_AFTER_MAX_S: Final = 3_600.0
"""Nobody is asked to wait longer by a receiver."""
_TRY_AGAIN: Final = frozenset({408, 425, 429})
_THREADS: Final = 4
_CONNECT_S_MIN: Final = 0.001

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port → addresses as text. Raises: OSError, UnicodeError"""


class WebRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent."""

    url: URL
    body: bytes
    headers: Mapping[str, str]


@final
class Web:
    """Posts to receivers. To be used within one event loop."""

    def __init__(
        self,
        allowed: AllowList,
        tls: ssl.SSLContext,
        clock: Clock,
        *,
        connect_s: float,
        whole_s: float,
        resolve: Resolve | None,
    ) -> None:
        self._allowed = allowed
        self._tls = tls
        self._clock = clock
        self._connect_s = connect_s
        self._whole_s = whole_s
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="pilothouse-notify-names")
        self._resolve = resolve or self._look_up
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False

    async def post(self, request: WebRequest) -> None:
        """Make one attempt.

        Raises: NotDelivered
        """
        host = shown(str(host_of(request.url)))
        try:
            async with asyncio.timeout(self._whole_s):
                await self._exchange(request)
        except TimeoutError:
            raise NotDelivered(f"{host} did not answer within {self._whole_s:g} s.", retry=True) from None

    async def close(self) -> None:
        """Cut off what is under way and send nothing more."""
        self._is_closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._session is not None:
            await self._session.close()

    async def _exchange(self, request: WebRequest) -> None:
        """Resolve, judge, and try the addresses that passed until one can be connected to."""
        loop = asyncio.get_running_loop()
        ends_at_s = loop.time() + self._connect_s
        doors = doors_to(request.url, await self._addresses(request.url, ends_at_s), self._allowed)
        for tried, door in enumerate(doors, 1):
            # The time that is left is shared out evenly: one silent address must not use up that of the others.
            share_s = (ends_at_s - loop.time()) / (len(doors) - tried + 1)
            try:
                status, headers = await self._ask(request, door, share_s)
            except aiohttp.ClientConnectorCertificateError as error:
                _tell_certificate(error, door)
            except aiohttp.ClientConnectorError as error:
                if tried == len(doors):
                    _tell_unreachable(error, door)
            except aiohttp.ConnectionTimeoutError:
                if tried == len(doors):
                    raise NotDelivered(f"{_told(door)} could not be connected to in time.", retry=True) from None
            except (aiohttp.ClientError, OSError, RuntimeError):
                # RuntimeError: the session was closed in the meantime.
                raise NotDelivered(f"{_told(door)} ended the connection before it answered.", retry=True) from None
            else:
                judge(status, headers, shown(str(door.host)), self._clock.now())
                return

    async def _addresses(self, url: URL, ends_at_s: float) -> tuple[Address, ...]:
        host = host_of(url)
        if not isinstance(host, str):
            return (host,)
        try:
            async with asyncio.timeout_at(ends_at_s):
                found = await self._resolve(host, url.port or 0)
        except TimeoutError:
            raise NotDelivered(f"The name {host} was not resolved in time.", retry=True) from None
        except (OSError, UnicodeError, RuntimeError):
            raise NotDelivered(f"The name {host} cannot be resolved.", retry=True) from None
        return tuple(address for address in map(read_address, found) if address is not None)

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        def ask() -> Sequence[str]:
            return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]

        return await asyncio.get_running_loop().run_in_executor(self._threads, ask)

    async def _ask(self, request: WebRequest, door: Door, connect_s: float) -> tuple[int, Mapping[str, str]]:
        async with self._open().post(
            door.url(request.url),
            data=request.body,
            headers={**request.headers, "Host": door.host_header},
            server_hostname=str(door.host) if door.scheme == "https" else None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=max(connect_s, _CONNECT_S_MIN)),
        ) as response:
            # What the answer says beside its status and waits is nobody's business, and is not read.
            return response.status, response.headers

    def _open(self) -> aiohttp.ClientSession:
        if self._is_closed:
            raise NotDelivered("The control plane is shutting down.", retry=True)
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=self._tls, resolver=NoNames(), use_dns_cache=False, force_close=True, limit=0
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                headers={"User-Agent": "pilothouse", "Accept-Encoding": "identity"},
            )
        return self._session


def judge(status: int, headers: Mapping[str, str], host: str, now: Instant) -> None:
    """Say what an answer means: 2xx is delivered; of 4xx only 408, 425 and 429 may end otherwise another time.

    Raises: NotDelivered
    """
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    if status < HTTPStatus.OK or status >= 600:  # noqa: PLR2004 - statuses end there
        raise NotDelivered(f"{host} does not speak HTTP as it should.", retry=True)
    if status < HTTPStatus.BAD_REQUEST:
        raise NotDelivered(f"{host} answered {status}, which leads elsewhere: redirects are not followed.", retry=False)
    retry = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRY_AGAIN
    after_s = _retry_after_s(headers.get("Retry-After"), now) if retry else None
    raise NotDelivered(f"{host} answered {status}{_phrase(status)}.", retry=retry, retry_after_s=after_s)


def _phrase(status: int) -> str:
    try:
        return f" ({HTTPStatus(status).phrase.lower()})"
    except ValueError:
        return ""


def _retry_after_s(told: str | None, now: Instant) -> float | None:
    """Read seconds or a date; what is neither was not said."""
    if told is None:
        return None
    text = told.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), RETRY_AFTER_MAX_S)
    try:
        wait_s = parsedate_to_datetime(text).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return min(max(wait_s, 0.0), RETRY_AFTER_MAX_S)


def _told(door: Door) -> str:
    host = shown(str(door.host))
    return f"{host} ({door.address}), port {door.port}," if isinstance(door.host, str) else f"{host}, port {door.port},"


def _tell_certificate(error: aiohttp.ClientConnectorCertificateError, door: Door) -> NoReturn:
    reason = str(getattr(error.certificate_error, "verify_message", "")).rstrip(".") or "it does not fit the host"
    raise NotDelivered(f"The certificate of {_told(door)} is not trusted: {shown(reason)}.", retry=True) from None


def _tell_unreachable(error: aiohttp.ClientConnectorError, door: Door) -> NoReturn:
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        raise NotDelivered(f"What answers at {_told(door)} does not speak TLS as it should.", retry=True) from None
    words = (error.os_error.strerror or "no connection").lower()
    raise NotDelivered(f"Nobody answers at {_told(door)} {shown(words)}.", retry=True) from None
