"""GraphQL over WebSockets, by the protocol, on a real port: every message, every end, every limit."""

import asyncio
import json
import socket as sockets
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from pilothouse.api import application
from pilothouse.api.graphql import websocket
from pilothouse.api.graphql.socket_messages import CloseCode
from pilothouse.base.clock import FakeClock
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.serving import web_socket

sys.path.insert(0, str(Path(__file__).parent))

from graphql_socket import SUBPROTOCOL, Served, served

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery staple"
FEED = "subscription ($after: Int) { runtimeChanged(after: $after) { sequence kind resync } }"
WHO = "{ viewer { username } }"


@pytest.fixture
async def edge(plane) -> AsyncIterator[Served]:
    async with served(plane) as opened:
        yield opened


@pytest.fixture
async def cookie(edge: Served) -> str:
    return await edge.sign_in(PASSWORD)


async def until_nobody_listens(plane) -> None:
    async with asyncio.timeout(30):
        while len(plane.bus):
            await asyncio.sleep(0.01)


async def until_listening(plane, count: int = 1) -> None:
    async with asyncio.timeout(30):
        while len(plane.bus) < count:
            await asyncio.sleep(0.01)


@pytest.fixture
async def limited(plane, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    """A control plane with other limits of the edge."""
    original = application.build

    def build(services: Any, console: Any) -> Any:
        settings = msgspec.structs.replace(services.settings, **request.param)
        return original(msgspec.structs.replace(services, settings=settings), console)

    monkeypatch.setattr("pilothouse.app.control_plane.build", build)
    async with served(plane) as opened:
        yield opened


async def test_queries_mutations_and_subscriptions_share_one_connection(plane, edge, cookie, runtime) -> None:
    async with edge.ready(cookie) as socket:
        assert (await socket.ask("1", WHO))["data"] == {"viewer": {"username": "admin"}}
        await socket.subscribe("feed", FEED)
        await until_listening(plane)
        make = 'mutation { createEnvironment(input: {displayName: "Over a socket", critical: false}) { handle } }'
        assert (await socket.ask("2", make))["data"] == {"createEnvironment": {"handle": "over-a-socket"}}
        await runtime.full()
        change = await socket.hear()
        assert (change["type"], change["id"]) == ("next", "feed")
        if (
            change["payload"]["data"]["runtimeChanged"]["kind"] is None
        ):  # a resync: its maker joined the project's admins
            change = await socket.hear()
        assert change["payload"]["data"]["runtimeChanged"]["kind"] == "REGISTERED"
        await socket.say("complete", id="feed")
        await until_nobody_listens(plane)
        assert (await socket.ask("feed", WHO))["data"]["viewer"], "an id that was completed may be used again"


async def test_it_works_over_tls(plane, tmp_path: Path) -> None:
    async with served(plane, tmp_path) as edge:
        cookie = await edge.sign_in(PASSWORD)
        async with edge.ready(cookie) as socket:
            assert (await socket.ask("1", WHO))["data"] == {"viewer": {"username": "admin"}}
            assert socket.connection.protocol == SUBPROTOCOL
            assert not socket.connection.compress


async def test_a_client_that_comes_back_is_told_what_it_missed(plane, edge, cookie, runtime) -> None:
    async with edge.ready(cookie) as socket:
        await socket.subscribe("1", FEED)
        await until_listening(plane)
        await runtime.full()
        seen = (await socket.hear())["payload"]["data"]["runtimeChanged"]["sequence"]
    await until_nobody_listens(plane)
    runtime.hash, runtime.artifacts = "hash-2", {}
    await runtime.full()
    async with edge.ready(cookie) as socket:
        await socket.subscribe("1", FEED, after=seen)
        change = (await socket.hear())["payload"]["data"]["runtimeChanged"]
        assert (change["kind"], change["sequence"] > seen) == ("REPORTED", True)


async def test_pings_are_answered_before_and_after_the_acknowledgement(edge, cookie) -> None:
    async with edge.socket(cookie) as socket:
        await socket.say("ping")
        assert await socket.hear() == {"type": "pong"}
        await socket.say("connection_init")
        assert await socket.hear() == {"type": "connection_ack"}
        await socket.say("ping", payload={"at": 1})
        assert await socket.hear() == {"type": "pong", "payload": {"at": 1}}
        await socket.say("pong")
        assert (await socket.ask("1", WHO))["data"]["viewer"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ nothing }", "INVALID_QUERY"),
        ("{", "INVALID_QUERY"),
        ("query A { viewer { username } } query B { viewer { username } }", "INVALID_QUERY"),
        ("{ " + "viewer { username } " * 20 + "}", "QUERY_TOO_LARGE"),
        ("{ viewer { username } }" + " " * 70_000, "INVALID_INPUT"),
        ("subscription { runtimeChanged(after: -1) { sequence } }", "INVALID_INPUT"),
    ],
)
async def test_an_operation_that_cannot_run_ends_with_an_error_and_the_connection_lives_on(
    edge, cookie, query: str, code: str
) -> None:
    async with edge.ready(cookie) as socket:
        await socket.subscribe("1", query)
        answer = await socket.hear()
        assert (answer["type"], answer["id"]) == ("error", "1")
        assert {error["extensions"]["code"] for error in answer["payload"]} == {code}
        assert all(error["extensions"]["fix"] for error in answer["payload"])
        assert (await socket.ask("1", WHO))["data"]["viewer"]


async def test_a_field_that_fails_is_told_in_its_result(edge, cookie) -> None:
    async with edge.ready(cookie) as socket:
        project = 'mutation { createProject(input: {displayName: "Twice", handle: "twice"}) { handle } }'
        await socket.ask("1", project)
        (error,) = (await socket.ask("2", project))["errors"]
        assert error["path"] == ["createProject"]
        assert error["extensions"]["code"] in ("CONFLICT", "HANDLE_TAKEN")
        assert error["extensions"]["fix"]


async def test_who_is_not_signed_in_is_closed_as_forbidden(edge) -> None:
    async with edge.socket() as socket:
        await socket.say("connection_init")
        code, reason = await socket.closed()
        assert (code, reason.partition(":")[0]) == (CloseCode.FORBIDDEN, "NOT_SIGNED_IN")


async def test_what_connection_init_carries_takes_the_place_of_the_cookie(edge, cookie) -> None:
    async with edge.socket(cookie) as socket:
        await socket.say("connection_init", payload={"authorization": "Bearer nobody-knows-this"})
        assert (await socket.closed())[0] == CloseCode.FORBIDDEN
    async with edge.socket(cookie) as socket:
        await socket.say("connection_init", payload={"authorization": 7})
        assert (await socket.closed())[0] == CloseCode.BAD_REQUEST
    async with edge.ready(cookie, payload={"else": "what"}) as socket:
        assert (await socket.ask("1", WHO))["data"]["viewer"]


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (["hello"], 4400),
        (["{}"], 4400),
        (['{"type":"start","id":"1"}'], 4400),
        (["[" * 50_000], 4400),
        (['{"type":"connection_init","payload":7}'], 4400),
        ([b"\x00\x01"], 4400),
        (['{"type":"subscribe","id":"1","payload":{"query":"{ viewer { username } }"}}'], 4401),
        (['{"type":"connection_init"}', '{"type":"connection_init"}'], 4429),
        (['{"type":"connection_init"}', '{"type":"subscribe","id":"","payload":{"query":"{a}"}}'], 4400),
        (['{"type":"connection_init"}', '{"type":"subscribe","id":"1"}'], 4400),
        (['{"type":"connection_init"}', '{"type":"subscribe","id":1,"payload":{"query":"{a}"}}'], 4400),
        (
            ['{"type":"connection_init"}', '{"type":"subscribe","id":"' + "x" * 200 + '","payload":{"query":"{a}"}}'],
            4400,
        ),
    ],
)
async def test_what_does_not_fit_the_protocol_closes_with_its_code(edge, cookie, frames: list, code: int) -> None:
    async with edge.socket(cookie) as socket:
        for frame in frames:
            if isinstance(frame, bytes):
                await socket.connection.send_bytes(frame)
            else:
                await socket.connection.send_str(frame)
        told, reason = await socket.closed()
        assert told == code
        assert reason


async def test_the_same_id_twice_closes(edge, cookie) -> None:
    async with edge.ready(cookie) as socket:
        await socket.subscribe("1", FEED)
        await socket.subscribe("1", FEED)
        assert await socket.closed() == (4409, "Subscriber for 1 already exists")


@pytest.mark.parametrize("limited", [{"connection_init_s": 0.2}], indirect=True)
async def test_who_does_not_say_who_it_is_in_time_is_closed(limited: Served) -> None:
    cookie = await limited.sign_in(PASSWORD)
    async with limited.socket(cookie) as socket:
        await socket.say("ping")
        assert await socket.hear() == {"type": "pong"}
        assert (await socket.closed())[0] == 4408


@pytest.mark.parametrize("limited", [{"operations_per_connection_max": 2}], indirect=True)
async def test_more_operations_than_allowed_are_refused_one_by_one(plane, limited: Served) -> None:
    cookie = await limited.sign_in(PASSWORD)
    async with limited.ready(cookie) as socket:
        for id_ in "ab":
            await socket.subscribe(id_, FEED)
        await until_listening(plane, 2)
        await socket.subscribe("c", FEED)
        answer = await socket.hear()
        assert (answer["type"], answer["id"]) == ("error", "c")
        assert answer["payload"][0]["extensions"]["code"] == "TOO_MANY_OPERATIONS"
        await socket.say("complete", id="a")
        assert (await socket.ask("c", WHO))["data"]["viewer"]


@pytest.mark.parametrize("limited", [{"connections_per_subject_max": 2}], indirect=True)
async def test_more_connections_than_allowed_are_told_to_come_later(limited: Served) -> None:
    cookie = await limited.sign_in(PASSWORD)
    async with limited.ready(cookie), limited.ready(cookie), limited.socket(cookie) as third:
        await third.say("connection_init")
        assert (await third.closed())[0] == CloseCode.TRY_LATER
    async with asyncio.timeout(5):
        while limited.carrier.connections()["console"] > 1:  # its keep-alive connection for signing in stays
            await asyncio.sleep(0.01)
    async with limited.ready(cookie):
        pass


@pytest.mark.parametrize("limited", [{"streams_max": 1}], indirect=True)
async def test_subscriptions_of_all_connections_together_have_a_limit(plane, limited: Served) -> None:
    cookie = await limited.sign_in(PASSWORD)
    async with limited.ready(cookie) as socket:
        await socket.subscribe("1", FEED)
        await until_listening(plane)
        await socket.subscribe("2", FEED)
        assert (await socket.hear())["payload"][0]["extensions"]["code"] == "UNAVAILABLE"
        await socket.say("complete", id="1")
        await until_nobody_listens(plane)
        await socket.subscribe("3", FEED)
        await until_listening(plane)


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/graphql?token=abc", {}, 400, "TOKEN_IN_URL"),
        ("/graphql?x=1&access_token=abc", {}, 400, "TOKEN_IN_URL"),
        ("/graphql", {"Origin": "https://evil.example"}, 403, "CROSS_ORIGIN"),
        ("/graphql", {"Sec-Fetch-Site": "cross-site"}, 403, "CROSS_ORIGIN"),
    ],
)
async def test_what_must_not_come_in_is_refused_before_the_upgrade(
    edge, cookie, path: str, headers: dict, status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with edge.socket(cookie, path=path, headers=headers):
            pass
    assert refused.value.status == status
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    lines = [
        f"GET {path} HTTP/1.1", f"Host: localhost:{edge.port}", "Connection: Upgrade", "Upgrade: websocket",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]  # fmt: skip
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == code
    assert "abc" not in caplog.text


async def test_this_servers_own_origin_comes_in(edge, cookie) -> None:
    async with edge.ready(cookie, headers={"Origin": edge.address}) as socket:
        assert (await socket.ask("1", WHO))["data"]["viewer"]


async def test_another_subprotocol_is_told_which_one_to_ask_for(edge, cookie) -> None:
    for protocols in ((), ("graphql-ws",)):
        async with edge.socket(cookie, protocols=protocols) as socket:
            code, reason = await socket.closed()
            assert (code, SUBPROTOCOL in reason) == (4406, True)


async def test_a_session_that_ended_closes_within_the_next_look(
    plane, edge, cookie, runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "RECHECK_S", 0.05)
    async with edge.ready(cookie) as socket:
        await socket.subscribe("1", FEED)
        await until_listening(plane)
        async with edge.session.post(f"{edge.address}/auth/sign-out", headers={"Cookie": cookie}) as answer:
            assert answer.status == 204
        code, reason = await socket.closed()
        assert (code, reason.partition(":")[0]) == (CloseCode.FORBIDDEN, "NOT_SIGNED_IN")
    await until_nobody_listens(plane)


async def test_a_session_that_ends_with_an_event_closes_at_once(plane, edge, cookie) -> None:
    assert websocket.RECHECK_S > 10
    async with edge.ready(cookie) as socket:
        async with edge.session.post(f"{edge.address}/auth/sign-out", headers={"Cookie": cookie}) as answer:
            assert answer.status == 204
        ended = NewEvent(kind=EventKind.SESSION_ENDED, at=plane.clock.now())
        await plane.store.write(lambda tx: tx.emit(ended))
        assert (await socket.closed(within_s=3))[0] == CloseCode.FORBIDDEN


async def test_an_event_about_access_leaves_who_is_still_signed_in_alone(plane, edge, cookie, runtime) -> None:
    async with edge.ready(cookie) as socket:
        await socket.subscribe("1", FEED)
        await until_listening(plane)
        changed = NewEvent(kind=EventKind.ACCESS_CHANGED, at=plane.clock.now())
        await plane.store.write(lambda tx: tx.emit(changed))
        await asyncio.sleep(2 * websocket.LOOK_GATHER_S)
        await runtime.full()
        assert (await socket.hear())["payload"]["data"]["runtimeChanged"]["kind"] == "REGISTERED"


async def test_a_session_whose_time_is_over_closes(
    edge, cookie, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "RECHECK_S", 0.05)
    async with edge.ready(cookie) as socket:
        clock.advance(13 * 3600)
        assert (await socket.closed())[0] == CloseCode.FORBIDDEN


async def test_a_peer_that_goes_without_a_word_leaves_nothing_behind(plane, edge, cookie) -> None:
    async with edge.ready(cookie) as socket:
        await socket.subscribe("1", FEED)
        await until_listening(plane)
        transport = socket.connection.get_extra_info("socket")
        assert transport is not None
        socket.connection._writer.transport.abort()  # type: ignore[union-attr]
    await until_nobody_listens(plane)


async def test_a_stop_closes_with_service_restart_and_completes_nothing(plane, edge, cookie) -> None:
    async with edge.ready(cookie) as idle, edge.ready(cookie) as busy:
        await busy.subscribe("1", FEED)
        await until_listening(plane)
        plane.let_go()
        message = await busy.connection.receive(5)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, CloseCode.STOPPING)
        stopping = asyncio.create_task(edge.carrier.stop())
        assert (await idle.closed())[0] == CloseCode.STOPPING
        await asyncio.wait_for(stopping, 5)


async def test_a_message_that_is_too_large_closes(edge, cookie) -> None:
    async with edge.ready(cookie) as socket:
        await socket.say("ping", payload={"x": "y" * web_socket.MESSAGE_MAX_BYTES})
        assert (await socket.closed())[0] == 1009


def as_frame(message: dict) -> bytes:
    body = json.dumps(message | {"padding": "x" * 200}).encode()
    return b"\x81\xfe" + len(body).to_bytes(2, "big") + b"\0\0\0\0" + body


async def test_a_peer_that_does_not_read_is_cut_and_not_buffered_for(
    plane, edge, cookie, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(web_socket, "SLOW_READER_S", 0.3)
    listening = edge.carrier._doors["console"]._listening
    listening.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, 8_192)  # so that the kernel does not read in its place
    narrow = sockets.socket()
    narrow.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4_096)
    narrow.connect(("127.0.0.1", edge.port))
    _, writer = await asyncio.open_connection(sock=narrow, limit=1)
    request.addfinalizer(writer.close)
    head = [
        "GET /graphql HTTP/1.1", f"Host: localhost:{edge.port}", "Connection: Upgrade", "Upgrade: websocket",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", f"Cookie: {cookie}",
        f"Sec-WebSocket-Protocol: {SUBPROTOCOL}",
    ]  # fmt: skip
    writer.write(("\r\n".join(head) + "\r\n\r\n").encode())
    await asyncio.sleep(0.2)
    writer.write(as_frame({"type": "connection_init"}))
    writer.write(as_frame({"type": "subscribe", "id": "feed", "payload": {"query": FEED}}))
    await until_listening(plane)
    schema = "{ __schema { types { name description fields { name description args { name description } } } } }"
    for number in range(40):
        writer.write(as_frame({"type": "subscribe", "id": str(number), "payload": {"query": schema}}))
    started_s = time.monotonic()
    await until_nobody_listens(plane)
    assert time.monotonic() - started_s > 0.3


async def test_a_peer_that_answers_no_ping_is_given_up(edge, cookie, monkeypatch: pytest.MonkeyPatch) -> None:
    side = edge.carrier._sides[0]
    monkeypatch.setattr(side.config, "ws_ping_interval", 0.1)
    monkeypatch.setattr(side.config, "ws_ping_timeout", 0.2)
    async with edge.ready(cookie) as alive, edge.ready(cookie, autoping=False) as mute:
        answering = asyncio.create_task(alive.connection.receive())  # this client answers pings while it reads
        kinds: list[aiohttp.WSMsgType] = []
        async with asyncio.timeout(5):
            while aiohttp.WSMsgType.CLOSE not in kinds:
                message = await mute.connection.receive()
                kinds.append(message.type)
        assert kinds[0] is aiohttp.WSMsgType.PING
        assert message.data == 1011
        await alive.subscribe("1", WHO)
        assert (await asyncio.wait_for(answering, 5)).json()["type"] == "next"
