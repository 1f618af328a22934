"""Carries out calls of management APIs: bounded, pinned to the address that was judged, and honest about what came of them."""

import asyncio
import os
from typing import Any, Final, NoReturn, final

import aiohttp
import msgspec
from yarl import URL

from pilothouse.base.callees import tls_context
from pilothouse.base.clock import Clock
from pilothouse.management.answers import Reply, read_answer
from pilothouse.management.calls import ManagementCall
from pilothouse.management.failures import Failure, ManagementFailure
from pilothouse.management.names import Names, Resolve
from pilothouse.management.policy import PORT_DEFAULT, Address, permit, read_address, read_host, read_port
from pilothouse.management.rules import ManagementRules
from pilothouse.management.session import Attempt, open_session
from pilothouse.management.slots import Slots
from pilothouse.management.tokens import Signing, mint

ADDRESSES_MAX: Final = 4
"""Of one host; more are not tried."""
_READ_BYTES: Final = 65_536
_CONNECT_S_MIN: Final = 0.001
"""Of what is left for connecting; zero would mean without end."""


class ManagementTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A runtime's management API, as its heartbeats describe it. Untrusted."""

    runtime: str
    """What tells it from other runtimes; for the limit of calls per runtime."""
    hostname: str | None
    port: int | None
    heartbeats_from: str | None
    """The peer's address of its last heartbeat, None if unknown."""


class ManagementAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a management API answered to a call that it carried out."""

    status: int
    """200 or 202."""
    body: Any = None  # Any: whatever JSON it is; None where there was none


@final
class ManagementClient:
    """Calls management APIs; one for the whole control plane. To be used within one event loop.

    Raises: CannotStart if the file of authorities cannot be read
    """

    def __init__(self, rules: ManagementRules, clock: Clock, resolve: Resolve | None = None) -> None:
        limits = rules.limits
        self._rules = rules
        self._clock = clock
        self._names = Names()
        self._resolve = resolve or self._names
        self._tls = tls_context(rules)
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False
        self._slots = Slots(
            at_once_max=limits.at_once_max,
            per_runtime_max=limits.per_runtime_max,
            waiting_max=limits.waiting_max,
            waiting_per_runtime_max=limits.waiting_per_runtime_max,
        )

    @property
    def refused_busy(self) -> int:
        """How many calls were refused because the queue was full."""
        return self._slots.refused

    async def carry_out(self, target: ManagementTarget, call: ManagementCall, signing: Signing) -> ManagementAnswer:
        """Make one call, once: what fails is not repeated here.

        Raises: ManagementFailure
        """
        host, port = read_host(target.hostname), read_port(target.port)
        if self._is_closed:
            raise ManagementFailure(Failure.BUSY, "The control plane is shutting down.")
        attempt = Attempt(call, signing)
        try:
            async with asyncio.timeout(self._rules.limits.whole_s), self._slots.place(target.runtime):
                with attempt.begun():
                    reply = await self._exchange(host, port, target.heartbeats_from, attempt)
        except TimeoutError:
            if not attempt.is_connected:
                # Connecting has a time of its own: what used up all of it was the wait for a place.
                raise ManagementFailure(Failure.BUSY, "Earlier calls did not end in time for this one.") from None
            raise ManagementFailure(
                Failure.TIMEOUT,
                f"{host} did not answer within {self._rules.limits.whole_s:g} s.",
                may_have_happened=not call.is_read,
            ) from None
        return ManagementAnswer(status=reply.status, body=read_answer(reply, call))

    async def close(self) -> None:
        """Cut off what is under way and take no more calls."""
        self._is_closed = True
        self._names.close()
        if self._session is not None:
            await self._session.close()

    async def _exchange(self, host: str | Address, port: int, heartbeats_from: str | None, attempt: Attempt) -> Reply:
        """Resolve, judge, and try the addresses that passed, one after the other, until one can be connected to."""
        ends_at_s = asyncio.get_running_loop().time() + self._rules.limits.connect_s
        resolved = await self._addresses(host, port, ends_at_s)
        addresses = permit(host, resolved, heartbeats_from, self._rules.allowed)[:ADDRESSES_MAX]
        *others, last = (_Door(host=host, address=address, port=port) for address in addresses)
        for tried, door in enumerate(others):
            # The time that is left is shared out evenly: one silent address must not use up that of the others.
            share_s = (ends_at_s - asyncio.get_running_loop().time()) / (len(addresses) - tried)
            try:
                return await self._ask(door, attempt, share_s)
            except ManagementFailure as failure:
                if failure.failure is not Failure.UNREACHABLE:
                    raise
        return await self._ask(last, attempt, ends_at_s - asyncio.get_running_loop().time())

    async def _addresses(self, host: str | Address, port: int, ends_at_s: float) -> tuple[Address, ...]:
        if not isinstance(host, str):
            return (host,)
        try:
            async with asyncio.timeout_at(ends_at_s):
                found = await self._resolve(host, port)
        except TimeoutError:
            raise ManagementFailure(Failure.UNREACHABLE, f"The name {host} was not resolved in time.") from None
        except (OSError, UnicodeError, RuntimeError):
            # RuntimeError: the client was closed in the meantime.
            raise ManagementFailure(Failure.UNREACHABLE, f"The name {host} cannot be resolved.") from None
        # A zone (`fe80::1%eth0`) is left to `read_address`; what is no address at all is nobody's.
        return tuple(address for address in map(read_address, found) if address is not None)

    async def _ask(self, door: "_Door", attempt: Attempt, connect_s: float) -> Reply:
        """Send the call to one address. The URL holds the address itself: nothing is resolved a second time."""
        call = attempt.call
        try:
            async with self._open().request(
                call.method,
                URL(f"https://{_bracketed(door.address)}:{door.port}{call.path}", encoded=True),
                data=None if call.body is None else msgspec.json.encode(call.body),
                headers=_headers(door, call, mint(attempt.signing, self._clock.now())),
                server_hostname=str(door.host),
                allow_redirects=False,
                trace_request_ctx=attempt,
                timeout=aiohttp.ClientTimeout(total=None, connect=max(connect_s, _CONNECT_S_MIN)),
            ) as response:
                body = await self._read(response, door, call)
                return Reply(status=response.status, body=body, place=str(door))
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            # RuntimeError: uvloop's word for a connection that was closed under the caller's hands.
            _translate(error, door, call)
        finally:
            attempt.hang_up()

    async def _read(self, response: aiohttp.ClientResponse, door: "_Door", call: ManagementCall) -> bytes:
        try:
            return await self._read_all(response, door, call)
        except BaseException:
            # What was not read would keep the connection from ending: it is cut, not closed.
            if response.connection is not None and response.connection.transport is not None:
                response.connection.transport.abort()
            raise

    async def _read_all(self, response: aiohttp.ClientResponse, door: "_Door", call: ManagementCall) -> bytes:
        limit = self._rules.limits.answer_bytes_max
        body = bytearray()
        # What is announced counts before it is read.
        size_bytes = response.content_length or 0
        while size_bytes <= limit:
            piece = await response.content.read(_READ_BYTES)
            if not piece:
                return bytes(body)
            body += piece
            size_bytes = max(size_bytes, len(body))
        raise ManagementFailure(
            Failure.ANSWER_TOO_LARGE,
            f"The answer of {door} is larger than {limit} bytes.",
            status=response.status,
            may_have_happened=not call.is_read,
        )

    def _open(self) -> aiohttp.ClientSession:
        if self._is_closed:
            raise ManagementFailure(Failure.BUSY, "The control plane is shutting down.")
        if self._session is None:
            self._session = open_session(self._tls)
        return self._session


class _Door(msgspec.Struct, frozen=True, kw_only=True):
    """Where a call goes: an address that passed, under the host that it was found by."""

    host: str | Address
    address: Address
    port: int

    def __str__(self) -> str:
        return f"{self.host} ({self.address})" if isinstance(self.host, str) else str(self.address)


def _headers(door: _Door, call: ManagementCall, token: str) -> dict[str, str]:
    name = door.host if isinstance(door.host, str) else _bracketed(door.host)
    headers = {
        "Host": name if door.port == PORT_DEFAULT else f"{name}:{door.port}",
        "Authorization": f"Bearer {token}",
        "Accept": "*/*" if call.is_text else "application/json",
        "Accept-Encoding": "identity",
    }
    if call.body is not None:
        headers["Content-Type"] = "application/json"
    return headers


def _bracketed(address: Address) -> str:
    return str(address) if address.version == 4 else f"[{address}]"  # noqa: PLR2004 - the number is the name


def _translate(error: Exception, door: _Door, call: ManagementCall) -> NoReturn:
    """Say what a broken exchange means. What broke before the call was sent cannot have had an effect."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "") or "it does not fit the host"
        reason = reason.rstrip(".")
        raise ManagementFailure(
            Failure.TLS_NOT_TRUSTED, f"The certificate of {door} is not trusted: {reason}."
        ) from None
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        raise ManagementFailure(
            Failure.UNREACHABLE,
            f"What answers at {door}, port {door.port}, does not speak TLS as it should.",
            fix="Check that the port is that of the management API, 9164 as a rule, and not one for plain HTTP.",
        ) from None
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        raise ManagementFailure(
            Failure.UNREACHABLE, f"{door}, port {door.port}, could not be connected to in time."
        ) from None
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        words = os.strerror(number).lower() if number else "no connection"
        raise ManagementFailure(Failure.UNREACHABLE, f"Nobody answers at {door}, port {door.port}: {words}.") from None
    raise ManagementFailure(
        Failure.BROKE_OFF,
        f"{door} ended the connection before its answer was whole.",
        may_have_happened=not call.is_read,
    ) from None
