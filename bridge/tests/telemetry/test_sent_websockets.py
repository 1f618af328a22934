"""WebSockets of a real server: one span each, told how it ended; and what the program itself notes on its spans."""

import asyncio
import contextlib
import http.client
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from pilothouse_bridge import telemetry
from pilothouse_bridge.testing import FakePilothouse, ReceivedSpan

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
SAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "a=b"}
RECEIVED, SENT = "pilothouse.websocket.messages_received", "pilothouse.websocket.messages_sent"
CODE = "pilothouse.websocket.close_code"
PROGRAM = """
    import pilothouse_bridge.auto
    import logging
    from fastapi import APIRouter, FastAPI, WebSocket, WebSocketDisconnect
    from starlette.responses import PlainTextResponse
    from pilothouse_bridge import telemetry
    logging.basicConfig(level=logging.INFO)

    app = FastAPI()
    rooms = APIRouter(prefix="/rooms")

    @rooms.websocket("/{room}")
    async def talk(one: WebSocket, room: str):
        await one.accept()
        logging.getLogger("shop").info("entered")
        try:
            while (said := await one.receive_text()) != "bye":
                telemetry.event("said", length=len(said), password="hush")
                await one.send_text(said)
                await one.send_bytes(said.encode())
        except WebSocketDisconnect:
            return
        await one.close(4001)

    @rooms.websocket("/{room}/fails")
    async def fails(one: WebSocket, room: str):
        await one.accept()
        raise LookupError("no such luck")

    @rooms.websocket("/{room}/unheard")
    async def unheard(one: WebSocket, room: str):
        await one.accept()
        await one.receive_text()

    @rooms.websocket("/{room}/breaks")
    async def breaks(one: WebSocket, room: str):
        await one.accept()
        await one.close(1011)

    @rooms.websocket("/{room}/refuses")
    async def refuses(one: WebSocket, room: str):
        await one.close(1008)

    @rooms.websocket("/{room}/answers")
    async def answers(one: WebSocket, room: str):
        await one.send_denial_response(PlainTextResponse("later", status_code=503))

    app.include_router(rooms)

    @app.get("/orders/{order_id}")
    async def order(order_id: int):
        for number in range(70):
            telemetry.event("order accepted", number=number, sku={"name": "rope", "lengths": [1, 2.5]})
        return order_id

    @app.get("/orders/{order_id}/fails")
    def failing(order_id: int):
        telemetry.event("about to fail")
        raise LookupError("no such luck")

    SERVE
"""
UVICORN = """
    import uvicorn
    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets)
            print(self.servers[0].sockets[0].getsockname()[1], flush=True)

    Server(uvicorn.Config(app, port=0, log_config=None, ws="wsproto")).run()
"""
HYPERCORN = """
    import asyncio
    import hypercorn.asyncio, hypercorn.config
    config = hypercorn.config.Config()
    config.bind = ["127.0.0.1:PORT"]
    print(PORT, flush=True)
    asyncio.run(hypercorn.asyncio.serve(app, config))
"""
Talk = Callable[[aiohttp.ClientWebSocketResponse], Awaitable[None]]


def started(server: FakePilothouse, program: Any, tmp_path: Any, serves: str) -> int:
    (tmp_path / "Config.toml").write_text(
        server.config_toml() + "heartbeatInterval = 1\ntelemetryMetricsInterval = 0.5\ntelemetrySampling = 0.0001\n"
    )
    return int(program.start(PROGRAM.replace("    SERVE\n", serves)).stdout.readline())


@pytest.fixture
def port(server: FakePilothouse, program: Any, tmp_path: Any) -> int:
    return started(server, program, tmp_path, UVICORN)


async def nothing(one: aiohttp.ClientWebSocketResponse) -> None:
    while (await one.receive()).type not in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}:
        pass


def connect(port: int, path: str, talk: Talk = nothing) -> None:
    async def go() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"http://127.0.0.1:{port}{path}", headers=SAMPLED) as one,
        ):
            await talk(one)

    asyncio.run(go())


def ended(server: FakePilothouse, route: str) -> ReceivedSpan:
    return server.wait_for_span(lambda span: span.attributes.get("http.route") == route, timeout_s=20)


def test_a_conversation_is_one_span_that_goes_on_from_the_handshake(server: FakePilothouse, port: int) -> None:
    async def talk(one: aiohttp.ClientWebSocketResponse) -> None:
        for word in ("hello", "there", "you"):
            await one.send_str(word)
            await one.receive()
            await one.receive()

    connect(port, "/rooms/blue?secret=1", talk)
    span = ended(server, "/rooms/{room}")
    assert (span.name, span.kind, span.failed) == ("GET /rooms/{room}", "server", False)
    assert (span.trace_id, span.parent_id) == (TRACE, PARENT)
    assert span.attributes == {
        "http.request.method": "GET",
        "url.path": "/rooms/blue",
        "network.protocol.name": "websocket",
        "http.route": "/rooms/{room}",
        "http.response.status_code": 101,
        CODE: 1000,
        RECEIVED: 3,
        SENT: 6,
    }
    line = server.wait_for_log(lambda line: line.message == "entered", timeout_s=20)
    assert (line.trace_id, line.span_id) == (TRACE, span.span_id)
    assert span.events == ["said"] * 3
    assert span.event_attributes[0] == {"length": 5, "password": "[hidden]"}
    assert len([one for one in server.spans if one.trace_id == TRACE]) == 1


def test_a_connection_is_not_counted_as_a_request(server: FakePilothouse, port: int) -> None:
    connect(port, "/rooms/blue/breaks")
    ended(server, "/rooms/{room}/breaks")
    assert get(port, "/orders/7") == 200
    server.wait_for_point(lambda point: point.attributes.get("http.route") == "/orders/{order_id}", timeout_s=20)
    routes = {point.attributes["http.route"] for point in server.points if "http.route" in point.attributes}
    assert routes == {"/orders/{order_id}"}


@pytest.mark.parametrize(
    ("path", "status", "code", "failure"),
    [
        ("/fails", 101, 1011, "LookupError"),
        ("/breaks", 101, 1011, "1011"),
        ("/refuses", 403, None, None),
        ("/answers", 503, None, "503"),
    ],
)
def test_how_it_ended_is_told(
    server: FakePilothouse, port: int, path: str, status: int, code: int | None, failure: str | None
) -> None:
    with contextlib.suppress(aiohttp.WSServerHandshakeError):
        connect(port, f"/rooms/blue{path}")
    span = ended(server, f"/rooms/{{room}}{path}")
    told = span.attributes
    assert (told["http.response.status_code"], told.get(CODE), told.get("error.type")) == (status, code, failure)
    assert span.failed == (failure is not None)
    assert span.events == (["exception"] if path == "/fails" else [])
    assert (RECEIVED in told) == (status == 101)


def test_a_code_of_the_applications_own_is_no_failure(server: FakePilothouse, port: int) -> None:
    async def leave(one: aiohttp.ClientWebSocketResponse) -> None:
        await one.send_str("bye")
        await nothing(one)

    connect(port, "/rooms/blue", leave)
    span = ended(server, "/rooms/{room}")
    assert (span.attributes[CODE], span.failed) == (4001, False)


@pytest.mark.parametrize("path", ["", "/unheard"])
def test_a_client_that_vanishes_is_an_end_without_order(
    server: FakePilothouse, program: Any, tmp_path: Any, path: str
) -> None:
    # Uvicorn with wsproto says 1005, as if there had been a goodbye without a code: hypercorn tells them apart.
    with socket.create_server(("127.0.0.1", 0)) as held:
        free = str(held.getsockname()[1])
    port = started(server, program, tmp_path, HYPERCORN.replace("PORT", free))
    server.wait_for(lambda beat: beat.listeners, timeout_s=20)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as one:
        head = (
            f"GET /rooms/blue{path} HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"traceparent: {SAMPLED['traceparent']}\r\n\r\n"
        )
        one.sendall(head.encode())
        assert b" 101 " in one.recv(4096)
    span = ended(server, f"/rooms/{{room}}{path}")
    assert (span.attributes[CODE], span.attributes["error.type"], span.failed) == (1006, "1006", True)
    assert span.events == []


def get(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=SAMPLED)
        response = connection.getresponse()
        response.read()
        return response.status


def test_what_the_program_notes_is_sent_with_its_request(server: FakePilothouse, port: int) -> None:
    assert get(port, "/orders/7") == 200
    span = ended(server, "/orders/{order_id}")
    assert span.events == ["order accepted"] * 64
    assert span.event_attributes[63] == {"number": 63, "sku": {"name": "rope", "lengths": [1, 2.5]}}
    assert get(port, "/orders/7/fails") == 500
    failed = ended(server, "/orders/{order_id}/fails")
    assert failed.events == ["about to fail", "exception"]


def test_without_a_request_there_is_nothing_to_note_it_on() -> None:
    assert telemetry.event("nothing to hang it on") is False
