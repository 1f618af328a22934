"""WebSockets over WSGI, whose libraries take the connection from the server: spans of their own, and no requests."""

import asyncio
import http.client
import os
from importlib.util import find_spec
from typing import Any

import aiohttp
import pytest
from pilothouse_bridge.testing import FakePilothouse

SAMPLED = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
PROGRAM = """
    import pilothouse_bridge.auto
    import time
    from flask import Flask, request
    from wsproto import ConnectionType
    from wsproto.connection import Connection
    from wsproto.events import CloseConnection, TextMessage

    app = Flask("shop")

    def taken():
        if "werkzeug.socket" in request.environ:
            return request.environ["werkzeug.socket"]
        return request.environ["wsgi.input"].raw._sock  # gevent.pywsgi, of a request that upgrades

    def greeting():
        import base64, hashlib
        key = request.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        return base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()

    def converse(one):
        one.sendall(
            b"HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
            b"Sec-WebSocket-Accept: " + greeting().encode() + b"\\r\\n\\r\\n"
        )
        spoken = Connection(ConnectionType.SERVER)
        while True:
            spoken.receive_data(one.recv(4096) or None)
            for event in spoken.events():
                if isinstance(event, TextMessage):
                    one.sendall(spoken.send(TextMessage(event.data.upper())))
                elif isinstance(event, CloseConnection):
                    one.sendall(spoken.send(event.response()))
                    return

    class Over:
        # What is answered when the conversation is over, as flask-sock does: the server is to write nothing any more.
        def __init__(self, answer):
            self.answer = answer
        def __call__(self, environ, start_response):
            if isinstance(self.answer, type):
                raise self.answer()
            return self.answer

    @app.get("/rooms/<room>", websocket=True)
    def talk(room):
        converse(taken())
        return Over(ENDS)

    @app.get("/rooms/<room>/fails", websocket=True)
    def fails(room):
        raise LookupError("no such luck")

    @app.get("/rooms/<room>/refuses", websocket=True)
    def refuses(room):
        return "not here", 403

    @app.get("/quick")
    def quick():
        return "ok"

    app.make_response = lambda rv, made=app.make_response: rv if isinstance(rv, Over) else made(rv)
    app.process_response = lambda response, made=app.process_response: response if isinstance(response, Over) else made(response)

    SERVE
"""
WERKZEUG = """
    import logging
    from werkzeug.serving import make_server
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(server.server_port, flush=True)
    server.serve_forever()
"""
GEVENT = """
    from gevent import pywsgi
    server = pywsgi.WSGIServer(("127.0.0.1", 0), app, log=None)
    server.start()
    print(server.server_port, flush=True)
    server.serve_forever()
"""
needs_gevent = pytest.mark.skipif(
    find_spec("gevent") is None and os.environ.get("PILOTHOUSE_REQUIRE_ALL") != "1",
    reason="gevent is not installed here (pip install gevent)",
)
servers = pytest.mark.parametrize(
    ("patch", "serves", "ends"),
    [
        pytest.param("", WERKZEUG, "ConnectionError", id="werkzeug"),
        pytest.param("", WERKZEUG, "StopIteration", id="as gunicorn's"),
        pytest.param("from gevent import monkey; monkey.patch_all()", GEVENT, "[]", id="gevent", marks=needs_gevent),
    ],
)


def started(server: FakePilothouse, program: Any, tmp_path: Any, patch: str, serves: str, ends: str) -> int:
    (tmp_path / "Config.toml").write_text(
        server.config_toml() + "heartbeatInterval = 1\ntelemetryMetricsInterval = 0.5\ntelemetrySampling = 0.0001\n"
    )
    source = PROGRAM.replace("    SERVE\n", serves).replace("ENDS", ends)
    return int(program.start(f"    {patch}\n{source}").stdout.readline())


def counted(server: FakePilothouse, port: int) -> set[tuple[str, Any]]:
    """What has been counted when a request that came last has been."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/quick")
    assert connection.getresponse().read() == b"ok"
    connection.close()
    wanted = "http.server.request.duration"
    server.wait_for_point(
        lambda point: point.metric == wanted and point.attributes.get("http.route") == "/quick", timeout_s=20
    )
    return {
        (point.attributes.get("http.route"), point.attributes.get("http.response.status_code"))
        for point in server.points
        if point.metric == wanted
    }


@servers
def test_a_conversation_has_a_span_of_its_whole_length_and_is_not_counted_as_a_request(
    server: FakePilothouse, program: Any, tmp_path: Any, patch: str, serves: str, ends: str
) -> None:
    port = started(server, program, tmp_path, patch, serves, ends)

    async def go() -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"http://127.0.0.1:{port}/rooms/blue", headers=SAMPLED) as one,
        ):
            await one.send_str("hello")
            assert await one.receive_str(timeout=10) == "HELLO"
            await asyncio.sleep(0.3)

    asyncio.run(go())
    span = server.wait_for_span(lambda span: span.attributes.get("url.path") == "/rooms/blue", timeout_s=20)
    attributes = span.attributes
    assert (span.name, span.failed) == ("GET /rooms/<room>", False)
    assert (span.trace_id, span.parent_id) == tuple(SAMPLED["traceparent"].split("-")[1:3])
    assert (attributes["http.response.status_code"], attributes["network.protocol.name"]) == (101, "websocket")
    assert counted(server, port) == {("/quick", 200)}


def test_a_handshake_that_fails_or_is_refused_is_not_counted_either(
    server: FakePilothouse, program: Any, tmp_path: Any
) -> None:
    port = started(server, program, tmp_path, "", WERKZEUG, "ConnectionError")

    async def go(path: str) -> int:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(f"http://127.0.0.1:{port}{path}", headers=SAMPLED)
        return refused.value.status

    assert asyncio.run(go("/rooms/blue/refuses")) == 403
    assert asyncio.run(go("/rooms/blue/fails")) == 500
    refused = server.wait_for_span(lambda span: span.attributes.get("http.response.status_code") == 403, timeout_s=20)
    failed = server.wait_for_span(lambda span: span.attributes.get("http.response.status_code") == 500, timeout_s=20)
    assert (refused.failed, refused.attributes["http.route"]) == (False, "/rooms/<room>/refuses")
    assert (failed.failed, failed.attributes["error.type"]) == (True, "LookupError")
    assert counted(server, port) == {("/quick", 200)}
