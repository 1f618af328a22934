"""Requests that a real server serves and a real client makes: counted, measured, and told as one trace."""

import http.client
import math
import re
import textwrap
import time
from collections.abc import Callable
from typing import Any

import pytest
from pilothouse_bridge.testing import FakePilothouse, ReceivedPoint

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"

ASGI = """
    import pilothouse_bridge.auto
    import asyncio, logging, time
    import uvicorn
    from fastapi import APIRouter, BackgroundTasks, FastAPI, HTTPException
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Mount, Route
    logging.basicConfig(level=logging.INFO)
    log = logging.getLogger("shop")

    items = APIRouter(prefix="/items")

    @items.get("/{item_id}")
    async def show(item_id: int, tasks: BackgroundTasks):
        log.info("shown", extra={"item": item_id})
        tasks.add_task(asyncio.sleep, 0.5)
        return item_id

    app = FastAPI()
    app.include_router(items)

    @app.get("/thread/{name}")
    def in_a_thread(name: str):
        log.info("in a thread")
        return name

    @app.get("/fails")
    async def fails():
        raise LookupError("no such luck")

    @app.get("/refuses")
    async def refuses():
        raise HTTPException(503)

    @app.get("/blocks")
    async def blocks():
        time.sleep(1.5)
        return "ok"

    async def tenant(request):
        return PlainTextResponse("t")

    app.mount("/tenants/{tenant}", Starlette(routes=[Route("/{page}/here", tenant)]))

    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets)
            print(self.servers[0].sockets[0].getsockname()[1], flush=True)

    Server(uvicorn.Config(app, port=0, log_config=None, loop="LOOP")).run()
"""

WSGI = """
    import pilothouse_bridge.auto
    import logging
    from flask import Flask, Response
    logging.basicConfig(level=logging.INFO)
    app = Flask("shop")

    @app.get("/items/<int:item_id>")
    def show(item_id):
        logging.getLogger("shop").info("shown")
        return str(item_id)

    @app.get("/fails")
    def fails():
        raise LookupError("no such luck")

    @app.get("/streams")
    def streams():
        def parts():
            logging.getLogger("shop").info("streaming")
            yield b"a"
            yield b"b"
        return Response(parts())

    from werkzeug.serving import make_server
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(server.server_port, flush=True)
    server.serve_forever()
"""


def made(status: int | None) -> Callable[[ReceivedPoint], bool]:
    return lambda point: (
        point.metric == "http.client.request.duration" and point.attributes.get("http.response.status_code") == status
    )


@pytest.fixture
def configured(server: FakePilothouse, tmp_path: Any) -> FakePilothouse:
    (tmp_path / "Config.toml").write_text(
        server.config_toml() + "heartbeatInterval = 1\ntelemetryMetricsInterval = 0.5\ntelemetrySampling = 0.0001\n"
    )
    return server


def get(port: int, path: str, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def served(route: str | None, status: int) -> Any:
    def wanted(point: ReceivedPoint) -> bool:
        attributes = point.attributes
        return (
            point.metric == "http.server.request.duration"
            and attributes.get("http.route") == route
            and attributes.get("http.response.status_code") == status
        )

    return wanted


@pytest.fixture(params=["asyncio", "uvloop"])
def asgi(request: pytest.FixtureRequest, configured: FakePilothouse, program: Any) -> int:
    process = program.start(ASGI.replace("LOOP", request.param))
    return int(process.stdout.readline())


@pytest.fixture
def wsgi(configured: FakePilothouse, program: Any) -> int:
    return int(program.start(WSGI).stdout.readline())


def test_fastapis_requests_are_counted_by_their_templates(configured: FakePilothouse, asgi: int) -> None:
    for number in range(3):
        assert get(asgi, f"/items/{number}?secret=1")[0] == 200
    assert get(asgi, "/tenants/acme/start/here") == (200, b"t")
    assert get(asgi, "/nothing/here")[0] == 404
    assert get(asgi, "/fails")[0] == 500
    assert get(asgi, "/refuses")[0] == 503
    shown = configured.wait_for_point(served("/items/{item_id}", 200))
    assert shown.attributes["http.request.method"] == "GET"
    assert "error.type" not in shown.attributes
    # Work after the answer is not what a client waits for.
    assert shown.value / shown.count < 0.4
    configured.wait_for_point(served("/tenants/{tenant}/{page}/here", 200))
    configured.wait_for_point(served(None, 404))
    assert configured.wait_for_point(served("/fails", 500)).attributes["error.type"] == "LookupError"
    assert configured.wait_for_point(served("/refuses", 503)).attributes["error.type"] == "503"
    counted = [point for point in configured.points if served("/items/{item_id}", 200)(point)]
    assert sum(point.count for point in counted) == 3


def test_a_distribution_says_where_its_observations_lie(configured: FakePilothouse, asgi: int) -> None:
    get(asgi, "/blocks")
    point = configured.wait_for_point(served("/blocks", 200))
    body = point.body
    assert (body["scale"], body["count"], body["zeroCount"]) == (4, "1", "0")
    offset, counts = body["positive"]["offset"], body["positive"]["bucketCounts"]
    assert counts == ["1"]
    assert 2 ** (offset / 16) < body["min"] == body["max"] <= 2 ** ((offset + 1) / 16)
    assert math.isclose(body["sum"], 1.5, rel_tol=0.3)


def test_a_blocked_event_loop_shows(configured: FakePilothouse, asgi: int) -> None:
    get(asgi, "/items/1")
    configured.wait_for_point(lambda point: point.metric == "pilothouse.event_loop.lag")
    get(asgi, "/blocks")
    configured.wait_for_point(lambda point: point.metric == "pilothouse.event_loop.lag" and point.value > 0.4)
    memory = configured.wait_for_point(lambda point: point.metric == "process.memory.usage")
    assert 10_000_000 < memory.value < 1_000_000_000
    cpu = configured.wait_for_point(lambda point: point.metric == "process.cpu.utilization")
    assert 0 <= cpu.value <= 1
    configured.wait_for_point(lambda point: point.metric == "pilothouse.gc.pause")


def test_a_trace_goes_on_from_the_caller_to_the_log(configured: FakePilothouse, asgi: int) -> None:
    get(asgi, "/items/7", traceparent=f"00-{TRACE}-{PARENT}-01", tracestate="a=b")
    span = configured.wait_for_span(lambda span: span.name == "GET /items/{item_id}")
    assert (span.trace_id, span.parent_id, span.kind, span.failed) == (TRACE, PARENT, "server", False)
    assert span.attributes["url.path"] == "/items/7"
    line = configured.wait_for_log(lambda line: line.message == "shown")
    assert (line.trace_id, line.span_id) == (TRACE, span.span_id)
    get(asgi, "/thread/x", traceparent=f"00-{TRACE}-{PARENT}-01")
    line = configured.wait_for_log(lambda line: line.message == "in a thread")
    assert line.trace_id == TRACE


def test_a_failure_is_sent_sampled_or_not_and_its_log_line_leads_to_it(configured: FakePilothouse, asgi: int) -> None:
    get(asgi, "/fails", traceparent=f"00-{TRACE}-{PARENT}-00")
    span = configured.wait_for_span(lambda span: span.name == "GET /fails")
    assert span.failed
    assert span.events == ["exception"]
    assert span.attributes["error.type"] == "LookupError"
    # Uvicorn logs it after the request is over.
    line = configured.wait_for_log(lambda line: line.logger == "uvicorn.error" and line.level == "ERROR")
    assert (line.trace_id, line.span_id) == (TRACE, span.span_id)
    get(asgi, "/items/8", traceparent=f"00-{'1' * 32}-{PARENT}-00")
    get(asgi, "/items/9", traceparent=f"00-{'2' * 32}-{PARENT}-01")
    configured.wait_for_span(lambda span: span.trace_id == "2" * 32)
    assert not [span for span in configured.spans if span.trace_id == "1" * 32]


def test_flasks_requests_are_counted_by_their_rules_and_traced(configured: FakePilothouse, wsgi: int) -> None:
    assert get(wsgi, "/items/7", traceparent=f"00-{TRACE}-{PARENT}-01") == (200, b"7")
    assert get(wsgi, "/fails", traceparent=f"00-{TRACE}-{PARENT}-00")[0] == 500
    assert get(wsgi, "/streams", traceparent=f"00-{TRACE}-{PARENT}-01") == (200, b"ab")
    assert get(wsgi, "/nothing")[0] == 404
    configured.wait_for_point(served("/items/<int:item_id>", 200))
    assert configured.wait_for_point(served("/fails", 500)).attributes["error.type"] == "LookupError"
    configured.wait_for_point(served("/streams", 200))
    configured.wait_for_point(served(None, 404))
    span = configured.wait_for_span(lambda span: span.name == "GET /items/<int:item_id>")
    assert (span.trace_id, span.parent_id) == (TRACE, PARENT)
    for message, name in {"shown": "GET /items/<int:item_id>", "streaming": "GET /streams"}.items():
        line = configured.wait_for_log(lambda line, message=message: line.message == message)
        span = configured.wait_for_span(lambda span, name=name: span.name == name)
        assert line.span_id == span.span_id
    failed = configured.wait_for_span(lambda span: span.name == "GET /fails")
    assert failed.events == ["exception"]
    line = configured.wait_for_log(lambda line: "Exception on /fails" in line.message)
    assert line.span_id == failed.span_id


CLIENTS = {
    "urllib": """
        import urllib.request, urllib.error
        def ask(url):
            try:
                urllib.request.urlopen(url).read()
            except urllib.error.HTTPError as error:
                error.close()
    """,
    "httpx": """
        import httpx
        def ask(url): httpx.get(url)
    """,
    "httpx-async": """
        import asyncio, httpx
        def ask(url):
            async def go():
                async with httpx.AsyncClient() as client:
                    await client.get(url)
            asyncio.run(go())
    """,
    "requests": """
        import requests
        def ask(url): requests.get(url)
    """,
    "aiohttp": """
        import aiohttp, asyncio
        def ask(url):
            async def go():
                async with aiohttp.ClientSession() as session:
                    async with session.get(url, headers={"X-Own": "1"}) as response:
                        await response.read()
            asyncio.run(go())
    """,
}


@pytest.mark.parametrize("client", CLIENTS)
def test_requests_that_the_program_makes_are_measured_and_traced(
    configured: FakePilothouse, program: Any, client: str
) -> None:
    source = f"""
import pilothouse_bridge.auto
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/moved":
            self.send_response(302); self.send_header("Location", "/there"); self.end_headers()
            return
        print(self.path.partition("?")[0], self.headers.get_all("traceparent"), flush=True)
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *args): pass
server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
{textwrap.dedent(CLIENTS[client])}
base = f"http://127.0.0.1:{{server.server_port}}"
for path in ("/there?token=s3cret", "/missing"):
    ask(base + path)
if {client in {"urllib", "requests"}}:
    ask(base + "/moved")
try:
    ask("http://127.0.0.1:9/closed")
except Exception as error:
    print("failed", type(error).__name__, flush=True)
print("done", flush=True)
input()
"""
    process = program.start(source)
    told = list(iter(process.stdout.readline, "done\n"))
    found = re.fullmatch(r"/there \['00-(\w{32})-(\w{16})-01'\]\n", told[0])
    assert found is not None, told
    span = configured.wait_for_span(lambda span: span.span_id == found[2])
    assert (span.kind, span.name, span.trace_id, span.failed) == ("client", "GET", found[1], False)
    assert span.attributes["url.full"].endswith("/there")
    good = configured.wait_for_point(made(200))
    assert good.attributes["server.address"] == "127.0.0.1"
    assert "error.type" not in good.attributes
    assert configured.wait_for_point(made(404)).attributes["error.type"] == "404"
    broken = configured.wait_for_point(made(None))
    assert broken.attributes["server.port"] == 9
    assert broken.attributes["error.type"]
    counted = sum(point.count for point in configured.points if made(200)(point))
    assert counted == (2 if client in {"urllib", "requests"} else 1)
    process.communicate("\n", timeout=10)


def test_a_call_within_a_request_is_its_child(configured: FakePilothouse, program: Any) -> None:
    process = program.start("""
        import pilothouse_bridge.auto
        import httpx, uvicorn
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route
        port = 0
        async def outer(request):
            async with httpx.AsyncClient() as client:
                return PlainTextResponse((await client.get(f"http://127.0.0.1:{port}/inner")).text)
        async def inner(request):
            return PlainTextResponse(request.headers["traceparent"])
        app = Starlette(routes=[Route("/outer", outer), Route("/inner", inner)])
        class Server(uvicorn.Server):
            async def startup(self, sockets=None):
                global port
                await super().startup(sockets)
                port = self.servers[0].sockets[0].getsockname()[1]
                print(port, flush=True)
        Server(uvicorn.Config(app, port=0, log_level="warning")).run()
    """)
    port = int(process.stdout.readline())
    time.sleep(0.2)
    get(port, "/outer", traceparent=f"00-{TRACE}-{PARENT}-01")
    outer = configured.wait_for_span(lambda span: span.name == "GET /outer")
    inner = configured.wait_for_span(lambda span: span.name == "GET /inner")
    call = configured.wait_for_span(lambda span: span.kind == "client")
    assert (call.parent_id, inner.parent_id) == (outer.span_id, call.span_id)
    assert {span.trace_id for span in (outer, inner, call)} == {TRACE}
