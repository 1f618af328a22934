"""Requests to services, real and hostile ones: what arrives there, what is told of the answer, and that nothing is followed."""

import asyncio
import base64
import contextlib
import datetime as dt
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from pilothouse.base.hosts import AllowList
from pilothouse.serving.certificates import CertificateSettings, ensure
from pilothouse.serving.settings import TlsFiles
from pilothouse.try_it.answers import Cut
from pilothouse.try_it.asked import Asked, Header
from pilothouse.try_it.client import TryItClient
from pilothouse.try_it.failures import AddressRefused, BrokeOff, NotTrusted, TooManyRequests, TooSlow, Unreachable
from pilothouse.try_it.policy import Target
from pilothouse.try_it.rules import TryItRules

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that the product runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """A certificate that signs itself, for `localhost`."""
    return ensure(CertificateSettings(directory=tmp_path_factory.mktemp("tls")), dt.datetime.now(dt.UTC))


def shown(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    return context


Behaviour = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


class Service:
    """A server on loopback that reads the head of a request and then does as it is told."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.heads: list[bytes] = []
        self.ended = asyncio.Event()
        self.port = 0
        self._behaviour = behaviour

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # RuntimeError: uvloop's, of a write to a connection that the client has closed already.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, RuntimeError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            await self._behaviour(head, reader, writer)
        writer.close()
        self.ended.set()


@contextlib.asynccontextmanager
async def service(behaviour: Behaviour, **more: Any) -> AsyncIterator[Service]:
    made = Service(behaviour)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, **more)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()  # the loop waits for it


def saying(*parts: bytes) -> Behaviour:
    async def say(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()

    return say


@contextlib.asynccontextmanager
async def client(**rules: Any) -> AsyncIterator[TryItClient]:
    resolve = rules.pop("resolve", None)
    made = TryItClient(TryItRules(**{"timeout_s": 20.0, **rules}), resolve)
    try:
        yield made
    finally:
        await made.close()


def target(port: int, *, scheme: str = "http", host: str | None = None, source: str | None = "127.0.0.1") -> Target:
    return Target(runtime="r", scheme=scheme, port=port, host=host, heartbeats_from=source)


async def test_what_was_typed_arrives_and_the_answer_is_told() -> None:
    answer = b"HTTP/1.1 201 Made\r\nContent-Type: application/json\r\nSet-Cookie: a=b\r\nContent-Length: 10\r\n\r\n"
    async with service(saying(answer, b'{"id": 7}\n')) as there, client() as ours:
        asked = Asked(
            method="POST", path="/orders?x=%20", headers=[Header("X-Mine", "1"), Header("X-Mine", "2")], body=b"{}"
        )
        told = await ours.send("ann", target(there.port), asked)
    head = there.heads[0].decode()
    lines = head.splitlines()
    assert lines[0] == "POST /orders?x=%20 HTTP/1.1"
    assert f"Host: localhost:{there.port}" in lines
    assert [line for line in lines if line.startswith("X-Mine")] == ["X-Mine: 1", "X-Mine: 2"]
    assert "Content-Length: 2" in lines
    assert not any(line.lower().startswith(("cookie:", "authorization:")) for line in lines)
    assert (told.status, told.reason, told.body, told.cut) == (201, "Made", '{"id": 7}\n', None)
    assert Header("Set-Cookie", "a=b") in told.headers
    assert told.address == f"127.0.0.1:{there.port}"
    assert told.whole_ms >= told.first_byte_ms > 0
    assert f"traceparent: 00-{told.trace_id}-" in head


async def test_a_trace_of_ones_own_and_an_accept_of_ones_own_are_left_as_they_are() -> None:
    async with service(saying(OK)) as there, client() as ours:
        headers = [Header("TraceParent", "00-" + "1" * 32 + "-" + "2" * 16 + "-01"), Header("accept", "text/csv")]
        told = await ours.send("ann", target(there.port), Asked(method="GET", path="/", headers=headers))
    assert told.trace_id is None
    assert there.heads[0].lower().count(b"traceparent:") == 1
    assert there.heads[0].lower().count(b"accept:") == 1


async def test_a_redirect_is_told_and_not_followed() -> None:
    away = b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\nContent-Length: 0\r\n\r\n"
    async with service(saying(away)) as there, client() as ours:
        told = await ours.send("ann", target(there.port), Asked(method="GET", path="/"))
    assert told.status == 302
    assert len(there.heads) == 1


async def test_a_large_answer_is_cut_and_said_to_be() -> None:
    async with service(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n", *[b"x" * 1_000] * 9_000)) as there:
        async with client(answer_bytes_max=5_000) as ours:
            told = await ours.send("ann", target(there.port), Asked(method="GET", path="/"))
        async with asyncio.timeout(20):
            await there.ended.wait()
    assert (told.size_bytes, len(told.body), told.cut) == (5_000, 5_000, Cut.SIZE)


async def test_an_answer_that_does_not_end_is_told_as_far_as_it_came() -> None:
    async def drip(_: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        await reader.read()

    async with service(drip) as there, client(timeout_s=2.0) as ours:
        told = await ours.send("ann", target(there.port), Asked(method="GET", path="/"))
        async with asyncio.timeout(20):
            await there.ended.wait()
    assert (told.body, told.cut) == ("data: 1\n\n", Cut.TIME)


async def test_an_answer_that_breaks_off_is_told_as_far_as_it_came() -> None:
    async with service(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")) as there, client() as ours:
        told = await ours.send("ann", target(there.port), Asked(method="GET", path="/"))
    assert (told.body, told.cut) == ("abc", Cut.CONNECTION)


async def test_what_is_no_text_is_told_in_base64() -> None:
    async with service(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\x00\xff\x01")) as there, client() as ours:
        told = await ours.send("ann", target(there.port), Asked(method="GET", path="/"))
    assert told.body_is_base64
    assert base64.b64decode(told.body) == b"\x00\xff\x01"


async def test_a_service_that_compresses_unasked_is_told_as_it_is_and_nothing_is_inflated() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n"
    async with service(saying(head, b"\x1f\x8b")) as there, client() as ours:
        told = await ours.send("ann", target(there.port), Asked(method="GET", path="/"))
    assert (told.body_is_base64, told.size_bytes, told.cut) == (True, 2, None)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: " + b"b" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
    ],
    ids=["nothing", "another protocol", "an endless header", "a negative length", "no status"],
)
async def test_what_is_no_http_is_a_broken_exchange(said: bytes) -> None:
    async with service(saying(said)) as there, client() as ours:
        with pytest.raises(BrokeOff):
            await ours.send("ann", target(there.port), Asked(method="GET", path="/"))
    assert len(there.heads) == 1, "nothing is repeated"


async def test_a_service_that_is_silent_is_too_slow_and_the_connection_ends() -> None:
    async def wait(_: bytes, reader: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await reader.read()

    async with service(wait) as there, client(timeout_s=2.0) as ours:
        with pytest.raises(TooSlow) as slow:
            await ours.send("ann", target(there.port), Asked(method="POST", path="/"))
        async with asyncio.timeout(20):
            await there.ended.wait()
    assert "may have been done" in slow.value.fix


async def test_whoever_leaves_ends_the_connection() -> None:
    async def wait(_: bytes, reader: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        begun.set()
        await reader.read()

    begun = asyncio.Event()
    async with service(wait) as there, client() as ours:
        sending = asyncio.ensure_future(ours.send("ann", target(there.port), Asked(method="GET", path="/")))
        async with asyncio.timeout(20):
            await begun.wait()
            sending.cancel()
            await asyncio.wait({sending})
            await there.ended.wait()


async def test_nobody_at_the_port_is_unreachable() -> None:
    async with service(saying(OK)) as there:
        port = there.port
    async with client() as ours:
        with pytest.raises(Unreachable, match="refused"):
            await ours.send("ann", target(port), Asked(method="GET", path="/"))


async def test_a_name_is_resolved_once_and_its_address_is_what_is_called() -> None:
    asked: list[str] = []

    async def rebinding(host: str, _: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    async with (
        service(saying(OK)) as there,
        client(resolve=rebinding, allowed=AllowList.parse("orders.example.com")) as ours,
    ):
        told = await ours.send("ann", target(there.port, host="orders.example.com"), Asked(method="GET", path="/"))
    assert told.body == "ok"
    assert asked == ["orders.example.com"]
    assert f"Host: orders.example.com:{there.port}".encode() in there.heads[0]


async def test_an_address_that_is_refused_is_never_connected_to() -> None:
    async def here(_: str, __: int) -> list[str]:
        return ["127.0.0.1", "169.254.169.254"]

    async with service(saying(OK)) as there, client(resolve=here) as ours:
        with pytest.raises(AddressRefused):
            await ours.send(
                "ann", target(there.port, host="service.example", source="192.0.2.9"), Asked(method="GET", path="/")
            )
    assert there.heads == []


async def test_a_certificate_is_checked_unless_one_gives_that_up(files: TlsFiles) -> None:
    async with service(saying(OK), ssl=shown(files)) as there:
        async with client() as ours:
            with pytest.raises(NotTrusted):
                await ours.send("ann", target(there.port, scheme="https"), Asked(method="GET", path="/"))
        async with client(insecure=True) as ours:
            told = await ours.send("ann", target(there.port, scheme="https"), Asked(method="GET", path="/"))
        async with client(ca_file=files.certificate) as ours:
            trusted = await ours.send("ann", target(there.port, scheme="https"), Asked(method="GET", path="/"))
    assert (told.body, trusted.body) == ("ok", "ok")


async def test_after_the_end_nothing_is_sent() -> None:
    async with service(saying(OK)) as there, client() as ours:
        await ours.close()
        with pytest.raises((TooManyRequests, Unreachable)):
            await ours.send("ann", target(there.port), Asked(method="GET", path="/"))
    assert there.heads == []


async def test_no_time_is_spent_on_a_farewell(files: TlsFiles) -> None:
    async def stay(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await asyncio.sleep(5)

    async with service(stay, ssl=shown(files)) as there, client(insecure=True) as ours:
        began_s = time.monotonic()
        await ours.send("ann", target(there.port, scheme="https"), Asked(method="GET", path="/"))
        assert time.monotonic() - began_s < 4
