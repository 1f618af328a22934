"""Where a parent process holds the port, a stop is a gate: answered 503, shown as gated, never as disabled."""

import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pilothouse_bridge.discover._gate import AsgiGate, WsgiGate
from pilothouse_bridge.testing import FakePilothouse, ReceivedBeat

from .listening import Slow, answers, free_port, order

APPLICATION = """
import asyncio, os
import pilothouse_bridge.auto
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

async def quick(request):
    return PlainTextResponse("ok")

async def slow(request):
    await asyncio.sleep(float(request.query_params["s"]))
    return PlainTextResponse("ok")

app = Starlette(routes=[Route("/", quick), Route("/slow", slow)])
"""
COMMANDS = {
    "uvicorn-workers": ["-m", "uvicorn", "program:app", "--workers", "2", "--port", "PORT", "--log-level", "warning"],
    "uvicorn-reload": ["-m", "uvicorn", "program:app", "--reload", "--port", "PORT", "--log-level", "warning"],
    "gunicorn": [
        "-m",
        "gunicorn",
        "-k",
        "uvicorn_worker.UvicornWorker",
        "-w",
        "2",
        "-b",
        "127.0.0.1:PORT",
        "program:app",
    ],
    "hypercorn-workers": ["-m", "hypercorn", "-w", "2", "-b", "127.0.0.1:PORT", "program:app"],
}
WORKERS = {"uvicorn-reload": 1}


def gate_states(server: FakePilothouse) -> dict[str, tuple[str, str | None]]:
    """What each runtime said last about its one listener."""
    last: dict[str, ReceivedBeat] = {beat.body["runtimeId"]: beat for beat in list(server.beats) if beat.is_full}
    return {
        runtime_id: (listener["state"], listener.get("stateReason"))
        for runtime_id, beat in last.items()
        for listener in beat.listeners.values()
    }


@pytest.fixture
def start(server: FakePilothouse, program: Any, tmp_path: Path) -> Any:
    (tmp_path / "Config.toml").write_text(server.config_toml() + "heartbeatInterval = 1\n")
    (tmp_path / "program.py").write_text(APPLICATION)

    def start_with(how: str) -> tuple[Any, list[str], str, int]:
        port = free_port()
        command = [sys.executable, *(part.replace("PORT", str(port)) for part in COMMANDS[how])]
        process = program.run_command(command)
        deadline_s = time.monotonic() + 40
        while list(gate_states(server).values()).count(("enabled", None)) < WORKERS.get(how, 2):
            assert time.monotonic() < deadline_s, server.beats[-2:]
            assert process.poll() is None
            time.sleep(0.05)
        (name,) = {name for beat in server.beats if beat.is_full for name in beat.listeners}
        return process, list(gate_states(server)), name, port

    return start_with


@pytest.mark.slow
@pytest.mark.parametrize("how", COMMANDS)
def test_the_workers_of_a_pre_forking_server_are_gated_and_say_so(how: str, server: FakePilothouse, start: Any) -> None:
    process, runtimes, name, port = start(how)
    assert name == f"http-{port}"
    slow = Slow(port, 4, "/slow?s=1.5")
    time.sleep(0.7)
    for runtime_id in runtimes:
        stopped = order(server, "STOP", name, runtime_id=runtime_id)
        assert stopped.outcome == "gated"
        assert stopped.body["message"] == f"Port {port} belongs to the parent process; requests are answered 503."
        assert order(server, "STOP", name, runtime_id=runtime_id).outcome == "unchanged"
    assert slow.join() == {"200": 4}  # what was in hand is finished
    reason = "The port belongs to the parent process; requests are answered 503."
    assert gate_states(server) == dict.fromkeys(runtimes, ("gated", reason))
    assert [answers(port) for _ in range(10)] == [503] * 10
    for runtime_id in runtimes:
        started = order(server, "START", name, runtime_id=runtime_id)
        assert (started.outcome, started.body["message"]) == ("started", f"Port {port} is served again.")
    assert gate_states(server) == dict.fromkeys(runtimes, ("enabled", None))
    assert [answers(port) for _ in range(10)] == [200] * 10
    states = {one["state"] for beat in server.beats for one in beat.listeners.values()}
    assert states <= {"enabled", "gated"}
    assert not any("RESTART" in beat.body.get("capabilities", []) for beat in server.beats)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)


def ask_asgi(gate: AsgiGate, scope: dict[str, Any]) -> list[dict[str, Any]]:
    import asyncio

    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {}

    asyncio.run(gate(scope, receive, send))
    return sent


def test_the_gate_answers_503_with_when_to_come_again() -> None:
    head, body = ask_asgi(AsgiGate(None), {"type": "http"})
    assert head["status"] == 503
    headers = dict(head["headers"])
    assert headers[b"retry-after"] == b"5"
    assert int(headers[b"content-length"]) == len(body["body"])
    assert b"LISTENER_STOPPED" in body["body"]


def test_the_gate_refuses_websockets_in_whichever_way_the_server_knows() -> None:
    assert ask_asgi(AsgiGate(None), {"type": "websocket"}) == [{"type": "websocket.close", "code": 1013}]
    head, _ = ask_asgi(AsgiGate(None), {"type": "websocket", "extensions": {"websocket.http.response": {}}})
    assert head["status"] == 503


def test_the_life_of_the_application_goes_on_behind_the_gate() -> None:
    lived: list[str] = []

    async def app(scope: dict[str, Any], receive: object, send: object) -> None:
        lived.append(scope["type"])

    assert ask_asgi(AsgiGate(app), {"type": "lifespan"}) == []
    assert lived == ["lifespan"]


def test_the_gate_speaks_wsgi_too() -> None:
    told: list[Any] = []
    body = b"".join(WsgiGate(None)({}, lambda status, headers: told.append((status, dict(headers)))))
    ((status, headers),) = told
    assert status == "503 Service Unavailable"
    assert int(headers["Content-Length"]) == len(body)
