"""Gevent's servers obey, and whatever is patched in whatever order, the program's hub is never held up by the bridge."""

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from pilothouse_bridge.testing import FakePilothouse

from .listening import GRACE, Load, Slow, answers, free_port, last_state, listener, order, order_while_in_hand

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_spec("gevent") is None and os.environ.get("PILOTHOUSE_REQUIRE_ALL") != "1",
        reason="gevent is not installed here (pip install gevent)",
    ),
]
PATCH = "from gevent import monkey\nmonkey.patch_all()\n"
BRIDGE = "import pilothouse_bridge.auto\n"
ORDERS = {
    "patched first": PATCH + BRIDGE,
    "patched after the bridge": BRIDGE + PATCH,
    "patched while the bridge beats": BRIDGE + "import time\ntime.sleep(1)\n" + PATCH,
    "not patched": BRIDGE,
}
APP = """
import os, time
import gevent
from flask import Flask, request

app = Flask("shop")

@app.get("/")
def quick():
    return "ok"

@app.get("/slow")
def slow():
    with open("inside", "a") as inside:
        inside.write(".")
    until = time.monotonic() + float(request.args.get("s", "1"))
    while time.monotonic() < until and not os.path.exists("go"):
        gevent.sleep(0.05)
    return "ok"

@app.get("/blocks")
def blocks():
    until = time.monotonic() + 4
    while time.monotonic() < until:
        sum(range(1000))
    return "ok"
"""
SERVES = """
from gevent import pywsgi
pywsgi.WSGIServer(("127.0.0.1", PORT), app, log=None).serve_forever()
"""
orders = pytest.mark.parametrize("first", ORDERS)


@pytest.fixture
def start(server: FakePilothouse, program: Any, tmp_path: Path) -> Any:
    (tmp_path / "Config.toml").write_text(server.config_toml() + "heartbeatInterval = 1\n")

    def start_with(first: str, serves: str = SERVES) -> tuple[Any, str, int]:
        process = program.start(ORDERS[first] + APP + serves.replace("PORT", str(free_port())))
        found = listener(server, timeout_s=40)
        server.wait_for_channel()
        assert found["package"] == "gevent"
        return process, found["name"], found["port"]

    return start_with


@orders
def test_a_port_closes_and_opens_and_the_program_lives_on(first: str, server: FakePilothouse, start: Any) -> None:
    process, name, port = start(first)
    for _ in range(3):
        stopped = order(server, "STOP", name)
        assert (stopped.outcome, stopped.body["message"]) == ("stopped", f"Port {port} is closed."), stopped.body
        assert answers(port) is None
        assert last_state(server, name) == ("disabled", None)
        assert order(server, "STOP", name).outcome == "unchanged"
        started = order(server, "START", name)
        assert (started.outcome, started.body["message"]) == ("started", f"Port {port} is open."), started.body
        assert answers(port) == 200
        assert last_state(server, name) == ("enabled", None)
    assert process.poll() is None
    ends_as_ever(process)


@orders
def test_a_program_ends_as_ever_while_it_is_stopped(first: str, server: FakePilothouse, start: Any) -> None:
    process, name, _ = start(first)
    assert order(server, "STOP", name).outcome == "stopped"
    ends_as_ever(process)


def ends_as_ever(process: Any) -> None:
    until_s = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < until_s:
        # Again and again: gevent's hub sleeps over a signal that comes just before it begins to wait, with us or without.
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
    _, err = process.communicate(timeout=10)
    assert process.returncode in {-signal.SIGINT, 128 + signal.SIGINT, 1}, err
    # Gevent tells KeyboardInterrupt twice where it comes while a request is served.
    assert re.findall(r"^(?:\w+\.)*(\w+)(?::.*)?\n(?=\d{4}-|\n|Traceback|\Z)", err, re.MULTILINE)[-1:] == [
        "KeyboardInterrupt"
    ], err
    assert "LoopExit" not in err
    assert "Fatal Python error" not in err


@orders
def test_fifty_requests_in_hand_are_finished(first: str, server: FakePilothouse, start: Any, tmp_path: Path) -> None:
    _, name, port = start(first)
    slow = Slow(port, 50, "/slow?s=60")
    slow.arrive(tmp_path / "inside")
    stopped = order_while_in_hand(server, name, tmp_path / "go")
    assert slow.join() == {"200": 50}
    assert (stopped.outcome, stopped.body["cut"], stopped.body["finished"]) == ("stopped", 0, 50)


def test_what_outlasts_the_grace_is_cut_and_counted(server: FakePilothouse, start: Any, tmp_path: Path) -> None:
    _, name, port = start("patched first")
    slow = Slow(port, 3, "/slow?s=40")
    slow.arrive(tmp_path / "inside")
    stopped = order(server, "STOP", name, payload={"graceSeconds": 0.5})
    assert (stopped.outcome, stopped.body["finished"], stopped.body["cut"]) == ("stopped", 0, 3)
    assert "200" not in slow.join()
    assert order(server, "START", name).outcome == "started"
    assert answers(port) == 200


def test_idle_connections_do_not_hold_a_stop(server: FakePilothouse, start: Any) -> None:
    _, name, port = start("patched first")
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    kept.request("GET", "/")
    assert kept.getresponse().read() == b"ok"
    began_s = time.monotonic()
    stopped = order(server, "STOP", name)
    assert (stopped.outcome, stopped.body["cut"]) == ("stopped", 0)
    assert time.monotonic() - began_s < GRACE["graceSeconds"]
    for one in [*idle, kept.sock]:
        one.settimeout(10)
        assert one.recv(65536) == b""
        one.close()


def test_a_port_that_another_took_meanwhile_is_named(server: FakePilothouse, start: Any) -> None:
    _, name, port = start("patched first")
    assert order(server, "STOP", name).outcome == "stopped"
    with socket.create_server(("127.0.0.1", port)):
        refused = order(server, "START", name)
        assert (refused.code, refused.message["httpStatus"]) == ("PORT_IN_USE", 409)
        assert last_state(server, name) == ("failed", f"Port {port} is taken by another program.")
    assert order(server, "START", name).outcome == "started"
    assert answers(port) == 200


@orders
def test_no_request_is_lost_over_stops_under_load(first: str, server: FakePilothouse, start: Any) -> None:
    _, name, port = start(first)
    load = Load(port)
    stops = 5
    for number in range(stops):
        until_s = time.monotonic() + 20
        while load.good < 50 * (number + 1) and time.monotonic() < until_s:
            time.sleep(0.02)
        assert order(server, "STOP", name).outcome == "stopped"
        assert answers(port) is None
        assert order(server, "START", name).outcome == "started"
    load.end()
    result = f"{load.good} good, {load.refused} refused, {len(load.broken)} broken in {stops} stops"
    assert load.good > 100, result
    assert not load.broken, (result, load.broken)


@orders
def test_heartbeats_go_on_while_the_program_holds_its_hub(first: str, server: FakePilothouse, start: Any) -> None:
    """Were the heart a greenlet, it would stand still for as long; and whatever it does, the hub would wait for."""
    _, _, port = start(first)
    slow = Slow(port, 1, "/blocks")
    before = len(server.beats)
    server.wait_for(lambda _: len(server.beats) >= before + 3, timeout_s=20)
    assert not slow.outcomes, "three heartbeats take two seconds at most, and the hub is held for four"
    assert slow.join() == {"200": 1}


@orders
def test_requests_and_lines_are_sent(first: str, server: FakePilothouse, start: Any) -> None:
    logs = "import logging\nlogging.basicConfig()\nlogging.getLogger('shop').warning('it begins')\n"
    _, _, port = start(first, logs + SERVES)
    assert answers(port) == 200
    span = server.wait_for_span(lambda span: span.name == "GET /", timeout_s=20)
    assert span.attributes["http.response.status_code"] == 200
    server.wait_for_log(lambda line: line.message == "it begins", timeout_s=20)


@pytest.mark.parametrize("first", ["patched first", "patched after the bridge"])
def test_a_sealed_connection_carries_commands(first: str, certificates: Any, program: Any, tmp_path: Path) -> None:
    with certificates.server_for() as server:
        (tmp_path / "Config.toml").write_text(
            server.config_toml() + f'heartbeatInterval = 1\ncert = "{certificates.authority}"\n'
        )
        program.start(ORDERS[first] + APP + SERVES.replace("PORT", str(free_port())))
        found = listener(server, timeout_s=40)
        server.wait_for_channel()
        assert order(server, "STOP", found["name"]).outcome == "stopped"
        assert order(server, "START", found["name"]).outcome == "started"


def test_a_server_that_does_not_speak_http_is_no_listener_of_ours(server: FakePilothouse, start: Any) -> None:
    echo = """
from gevent import pywsgi, server as servers
echo = servers.StreamServer(("127.0.0.1", 0), lambda one, address: one.sendall(b"hello"))
echo.start()
"""
    _, name, _ = start("patched first", echo + SERVES)
    full = [beat for beat in server.beats if beat.is_full]
    assert set(full[-1].listeners) == {name}


STANDARD = """
import socketserver, wsgiref.simple_server
class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *args):
        pass
class Threaded(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True
wsgiref.simple_server.make_server("127.0.0.1", PORT, app, Threaded, Quiet).serve_forever()
"""


@pytest.mark.parametrize("first", ["patched first", "patched after the bridge", "patched while the bridge beats"])
def test_a_server_of_the_standard_library_in_the_hub_refuses_to_be_stopped_and_loses_nothing(
    first: str, server: FakePilothouse, program: Any, tmp_path: Path
) -> None:
    (tmp_path / "Config.toml").write_text(server.config_toml() + "heartbeatInterval = 1\n")
    program.start(ORDERS[first] + APP + STANDARD.replace("PORT", str(free_port())))
    found = listener(server, timeout_s=40)
    server.wait_for_channel()
    name, port = found["name"], found["port"]
    assert found["package"] == "wsgiref"
    slow = Slow(port, 5, "/slow?s=60")
    slow.arrive(tmp_path / "inside")
    refused = order(server, "STOP", name)
    assert (refused.code, refused.message["httpStatus"]) == ("NOT_SUPPORTED", 501)
    assert "gevent's hub" in refused.body["message"]
    assert "gevent.pywsgi" in refused.body["fix"]
    assert answers(port) == 200
    assert last_state(server, name) == ("enabled", None)
    (tmp_path / "go").touch()
    assert slow.join() == {"200": 5}


@pytest.mark.parametrize("worker", ["gevent", "gevent_pywsgi"])
def test_gunicorn_s_port_is_gated(worker: str, server: FakePilothouse, program: Any, tmp_path: Path) -> None:
    (tmp_path / "Config.toml").write_text(server.config_toml() + "heartbeatInterval = 1\n")
    (tmp_path / "program.py").write_text(BRIDGE + APP)
    port = free_port()
    program.run_command(
        [
            sys.executable,
            "-m",
            "gunicorn",
            "-k",
            worker,
            "-b",
            f"127.0.0.1:{port}",
            "--no-control-socket",
            "program:app",
        ]
    )
    found = listener(server, timeout_s=40)
    server.wait_for_channel()
    assert (found["package"], found["port"]) == ("gevent", port)
    assert answers(port) == 200
    slow = Slow(port, 5, "/slow?s=60")
    slow.arrive(tmp_path / "inside")
    command_id = server.send_command("STOP", found["name"], payload=GRACE)
    until_s = time.monotonic() + 20
    while answers(port) != 503:
        assert time.monotonic() < until_s, "not gated within 20 s"
        time.sleep(0.05)
    (tmp_path / "go").touch()
    stopped = server.wait_for_result(command_id, timeout_s=30)
    assert slow.join() == {"200": 5}
    assert (stopped.outcome, stopped.body["finished"]) == ("gated", 5), stopped.body
    assert last_state(server, found["name"])[0] == "gated"
    assert order(server, "START", found["name"]).outcome == "started"
    assert answers(port) == 200
    beat = server.wait_for(lambda beat: any(one["listeners"] for one in beat.services.values()))
    (service,) = beat.services.values()
    assert re.fullmatch(r"program:app", service["name"])
