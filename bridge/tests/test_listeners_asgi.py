"""uvicorn and hypercorn obey: the port closes and opens in the running program, and no request is lost over it."""

import re
import signal
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pilothouse_bridge._steering import Change, SteeringError
from pilothouse_bridge.discover import _drain
from pilothouse_bridge.discover._uvicorn_engine import lacks
from pilothouse_bridge.discover.uvicorn import Uvicorn
from pilothouse_bridge.testing import FakePilothouse

from .listening import GRACE, Load, Slow, answers, free_port, last_state, listener, order, order_while_in_hand

pytestmark = pytest.mark.slow

APPLICATION = """
    import asyncio, contextlib, os
    import pilothouse_bridge.auto
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route, WebSocketRoute

    ups = []

    @contextlib.asynccontextmanager
    async def life(app):
        ups.append("up")
        print("life begins", flush=True)
        yield
        print("life ends", flush=True)

    async def quick(request):
        return PlainTextResponse("ok")

    async def slow(request):
        with open("inside", "a") as inside:
            inside.write(".")
        until = asyncio.get_running_loop().time() + float(request.query_params.get("s", "1"))
        while asyncio.get_running_loop().time() < until and not os.path.exists("go"):
            await asyncio.sleep(0.05)
        return PlainTextResponse("ok")

    async def lives(request):
        return PlainTextResponse(f"{os.getpid()} {len(ups)}")

    async def chat(websocket):
        await websocket.accept()
        async for _ in websocket.iter_text():
            pass

    app = Starlette(routes=[Route("/", quick), Route("/slow", slow), Route("/lives", lives), WebSocketRoute("/ws", chat)], lifespan=life)
"""
UVICORN = (
    APPLICATION
    + """
    if __name__ == "__main__":
        import sys, uvicorn
        uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]) if len(sys.argv) > 1 else PORT, log_level="warning", loop=LOOP, http=HTTP, timeout_keep_alive=60)
        print("program ends", flush=True)
"""
)
HYPERCORN = (
    APPLICATION
    + """
    if __name__ == "__main__":
        import asyncio, hypercorn.asyncio, hypercorn.config
        config = hypercorn.config.Config()
        config.bind = ["127.0.0.1:PORT"]
        config.accesslog = None
        config.loglevel = "warning"
        config.keep_alive_timeout = 60
        asyncio.run(hypercorn.asyncio.serve(app, config))
        print("program ends", flush=True)
"""
)
ENGINES = {
    "uvicorn-asyncio-h11": UVICORN.replace("LOOP", "'asyncio'").replace("HTTP", "'h11'"),
    "uvicorn-uvloop-httptools": UVICORN.replace("LOOP", "'uvloop'").replace("HTTP", "'httptools'"),
    "hypercorn": HYPERCORN,
}
engines = pytest.mark.parametrize("engine", ENGINES)


@pytest.fixture
def start(server: FakePilothouse, program: Any, tmp_path: Path) -> Any:
    (tmp_path / "Config.toml").write_text(server.config_toml() + "heartbeatInterval = 1\n")

    def start_on(engine: str, port: int | None = None) -> tuple[Any, str, int]:
        wanted = free_port() if port is None else port
        process = program.start(ENGINES[engine].replace("PORT", str(wanted)))
        found = listener(server)
        server.wait_for_channel()
        return process, found["name"], found["port"]

    return start_on


@engines
def test_a_port_closes_and_opens_and_the_program_lives_on(engine: str, server: FakePilothouse, start: Any) -> None:
    process, name, port = start(engine)
    for _ in range(3):
        stopped = order(server, "STOP", name)
        assert (stopped.outcome, stopped.body["message"]) == ("stopped", f"Port {port} is closed.")
        assert answers(port) is None
        assert last_state(server, name) == ("disabled", None)
        assert order(server, "STOP", name).outcome == "unchanged"
        started = order(server, "START", name)
        assert (started.outcome, started.body["message"]) == ("started", f"Port {port} is open.")
        assert answers(port) == 200
        assert last_state(server, name) == ("enabled", None)
        assert order(server, "START", name).outcome == "unchanged"
    assert process.poll() is None
    assert answers(port, "/lives") == 200
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=15)
    assert out.split("\n")[:2] == ["life begins", "life ends"]  # once each: the lifespan survives the stops
    assert "Traceback" not in err


@engines
def test_a_program_ends_as_ever_while_it_is_stopped(engine: str, server: FakePilothouse, start: Any) -> None:
    process, name, _ = start(engine)
    assert order(server, "STOP", name).outcome == "stopped"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=15)
    assert "life ends" in out
    assert "Traceback" not in err


@engines
def test_fifty_requests_in_hand_are_finished(engine: str, server: FakePilothouse, start: Any, tmp_path: Path) -> None:
    _, name, port = start(engine)
    slow = Slow(port, 50, "/slow?s=60")
    slow.arrive(tmp_path / "inside")
    stopped = order_while_in_hand(server, name, tmp_path / "go")
    assert slow.join() == {"200": 50}
    assert (stopped.outcome, stopped.body["finished"], stopped.body["cut"]) == ("stopped", 50, 0)


@engines
def test_what_outlasts_the_grace_is_cut_and_counted(
    engine: str, server: FakePilothouse, start: Any, tmp_path: Path
) -> None:
    _, name, port = start(engine)
    slow = Slow(port, 3, "/slow?s=60")
    slow.arrive(tmp_path / "inside")
    began_s = time.monotonic()
    stopped = order(server, "STOP", name, payload={"graceSeconds": 0.5})
    assert time.monotonic() - began_s < 25
    assert (stopped.outcome, stopped.body["finished"], stopped.body["cut"]) == ("stopped", 0, 3)
    assert sum(slow.join().values()) == 3
    assert order(server, "START", name).outcome == "started"
    assert answers(port) == 200


@engines
def test_idle_connections_do_not_hold_a_stop(engine: str, server: FakePilothouse, start: Any) -> None:
    _, name, port = start(engine)
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    for one in idle[:10]:
        one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while not (received := one.recv(65536)).endswith(b"ok"):
            assert received
    began_s = time.monotonic()
    assert order(server, "STOP", name).outcome == "stopped"
    assert time.monotonic() - began_s < GRACE["graceSeconds"]
    for one in idle:
        one.settimeout(5)
        assert one.recv(65536) == b""
        one.close()


@engines
def test_a_port_that_another_took_meanwhile_is_named(engine: str, server: FakePilothouse, start: Any) -> None:
    _, name, port = start(engine)
    assert order(server, "STOP", name).outcome == "stopped"
    with socket.create_server(("127.0.0.1", port)):
        refused = order(server, "START", name)
        assert (refused.code, refused.message["httpStatus"]) == ("PORT_IN_USE", 409)
        assert last_state(server, name) == ("failed", f"Port {port} is taken by another program.")
    assert order(server, "START", name).outcome == "started"
    assert answers(port) == 200


@engines
def test_a_websocket_is_told_that_the_service_restarts(engine: str, server: FakePilothouse, start: Any) -> None:
    import base64
    import os

    _, name, port = start(engine)
    key = base64.b64encode(os.urandom(16)).decode()
    with socket.create_connection(("127.0.0.1", port)) as opened:
        opened.settimeout(10)
        opened.sendall(
            f"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert b"101" in opened.recv(65536)
        outcome: list[Any] = []
        stopping = threading.Thread(
            target=lambda: outcome.append(order(server, "STOP", name, payload={"graceSeconds": 3}))
        )
        stopping.start()
        frame = opened.recv(65536)
        if engine.startswith("uvicorn"):
            assert frame[0] == 0x88
            assert int.from_bytes(frame[2:4], "big") == 1012
            opened.sendall(b"\x88\x82\0\0\0\0\x03\xf4")
        stopping.join(15)
    assert outcome[0].outcome == "stopped"


UVICORN_ENGINES = [name for name in ENGINES if name.startswith("uvicorn")]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sealed_port_is_sealed_when_it_is_open_again(
    engine: str, server: FakePilothouse, program: Any, tmp_path: Path, certificates: Any
) -> None:
    (tmp_path / "Config.toml").write_text(server.config_toml() + "heartbeatInterval = 1\n")
    port = free_port()
    source = ENGINES[engine].replace("PORT", str(port))
    source = source.replace("timeout_keep_alive=60", f"ssl_certfile={str(certificates.server)!r}")
    source = source.replace(
        "config.keep_alive_timeout = 60", f"config.certfile = config.keyfile = {str(certificates.server)!r}"
    )
    program.start(source)
    found = listener(server)
    assert (found["name"], found["protocol"]) == (f"https-{port}", "HTTPS")
    server.wait_for_channel()

    def sealed() -> bytes:
        context = ssl.create_default_context(cafile=certificates.authority)
        with (
            socket.create_connection(("127.0.0.1", port), 5) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as opened,
        ):
            opened.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            received = b""
            while chunk := opened.recv(65536):
                received += chunk
            return received

    for _ in range(2):
        assert sealed().startswith(b"HTTP/1.1 200")
        assert order(server, "STOP", found["name"]).outcome == "stopped"
        with pytest.raises(ConnectionRefusedError):
            sealed()
        assert order(server, "START", found["name"]).outcome == "started"
    assert sealed().endswith(b"ok")


@pytest.mark.parametrize("engine", UVICORN_ENGINES)
@pytest.mark.parametrize("place", ["uds", "localhost"])
def test_unix_sockets_and_ports_of_both_families_obey_too(
    engine: str, place: str, server: FakePilothouse, program: Any, tmp_path: Path
) -> None:
    (tmp_path / "Config.toml").write_text(server.config_toml() + "heartbeatInterval = 1\n")
    path, port = str(tmp_path / "s.sock"), free_port()
    where = f"uds={path!r}" if place == "uds" else f"host='localhost', port={port}"
    source = ENGINES[engine].replace("PORT", str(port))
    program.start(re.sub(r'host="127.*?log_level', f"{where}, log_level", source))
    found = listener(server)
    server.wait_for_channel()

    def answered() -> bool:
        family = socket.AF_UNIX if place == "uds" else socket.AF_INET
        with socket.socket(family) as opened:
            opened.settimeout(5)
            opened.connect(path if place == "uds" else ("127.0.0.1", port))
            opened.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            return opened.recv(65536).startswith(b"HTTP/1.1 200")

    for _ in range(2):
        assert answered()
        assert order(server, "STOP", found["name"]).outcome == "stopped"
        with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
            answered()
        assert last_state(server, found["name"])[0] == "disabled"
        assert order(server, "START", found["name"]).outcome == "started"
    assert answered()


@engines
def test_a_restart_ends_the_lifespan_in_order(engine: str, server: FakePilothouse, start: Any, tmp_path: Path) -> None:
    process, _, port = start(engine)
    slow = Slow(port, 5, "/slow?s=1")
    slow.arrive(tmp_path / "inside")
    command_id = server.send_command("RESTART", "runtime", payload={"graceSeconds": 10})
    assert server.wait_for_result(command_id).outcome == "restarting"
    assert slow.join() == {"200": 5}
    assert [process.stdout.readline().strip() for _ in range(3)] == ["life begins", "life ends", "life begins"]


@pytest.mark.slow
@engines
def test_no_request_is_lost_over_stops_under_load(engine: str, server: FakePilothouse, start: Any) -> None:
    _, name, port = start(engine)
    load = Load(port)
    time.sleep(0.5)
    stops = 10
    for _ in range(stops):
        assert order(server, "STOP", name).outcome == "stopped"
        assert answers(port) is None
        assert order(server, "START", name).outcome == "started"
        time.sleep(0.4)
    load.end()
    result = f"{load.good} good, {load.refused} refused, {len(load.broken)} broken in {stops} stops"
    assert load.good > 300
    assert len(load.broken) <= 0.1 * stops, (result, load.broken)


@pytest.fixture
def running() -> Any:
    """A uvicorn server in this process, with what steers it."""
    import asyncio

    import uvicorn

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    source = Uvicorn()
    source.install(lambda: None)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)

    def door() -> Any:
        source.find()
        (serving,) = source._servings(server)
        assert serving.steer is not None
        return serving.steer(serving.listener)

    yield server, door
    server.should_exit = True
    thread.join(10)


def test_this_release_of_uvicorn_is_one_that_we_know(running: Any) -> None:
    server, door = running
    assert lacks(server) is None
    assert door().stop(1).change is Change.STOPPED
    assert door().start().change is Change.STARTED


def test_a_release_that_we_do_not_know_is_left_alone(running: Any) -> None:
    server, door = running
    tasks = server.server_state.__dict__.pop("tasks")
    try:
        with pytest.raises(SteeringError, match=r"no server_state\.tasks") as refused:
            door().stop(1)
        assert (refused.value.code, refused.value.http_status) == ("NOT_SUPPORTED", 501)
    finally:
        server.server_state.tasks = tasks


def test_a_loop_that_the_program_blocks_is_told_and_nothing_is_pretended(
    running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, door = running
    monkeypatch.setattr(_drain, "_MARGIN_S", 0.2)
    server.servers[0].get_loop().call_soon_threadsafe(time.sleep, 1.5)
    time.sleep(0.1)
    with pytest.raises(SteeringError, match="did not answer"):
        door().stop(0)
    time.sleep(2)


def test_opening_again_takes_less_than_a_moment(running: Any) -> None:
    server, door = running
    took: list[float] = []
    for _ in range(10):
        door().stop(1)
        began_s = time.perf_counter()
        door().start()
        took.append(time.perf_counter() - began_s)
    assert sorted(took)[5] < 0.05, took
    assert server.started
