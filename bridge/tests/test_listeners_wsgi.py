"""Servers with threads obey, too: waitress, werkzeug, wsgiref and plain http.server; Flask shows its rules."""

import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from pilothouse_bridge.testing import FakePilothouse

from .listening import GRACE, Load, Slow, answers, free_port, last_state, listener, order, order_while_in_hand

pytestmark = pytest.mark.slow

FLASK = """
    import pilothouse_bridge.auto
    import os, time
    from flask import Blueprint, Flask, request
    from flask.views import MethodView

    app = Flask("shop")
    orders = Blueprint("orders", __name__, url_prefix="/orders")

    @app.get("/")
    def quick():
        return "ok"

    @app.get("/slow")
    def slow():
        with open("inside", "a") as inside:
            inside.write(".")
        until = time.monotonic() + float(request.args.get("s", "1"))
        while time.monotonic() < until and not os.path.exists("go"):
            time.sleep(0.05)
        return "ok"

    @orders.route("/<int:order_id>", methods=["GET", "DELETE"])
    def order(order_id):
        return str(order_id)

    class Lines(MethodView):
        def get(self):
            return "lines"
        def post(self):
            return "made"

    orders.add_url_rule("/lines", view_func=Lines.as_view("lines"))
    app.register_blueprint(orders)
"""
ENGINES = {
    "waitress": FLASK
    + """
    import waitress
    waitress.serve(app, host="127.0.0.1", port=PORT, threads=60, channel_timeout=60)
""",
    "werkzeug": FLASK
    + """
    import logging
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app.run(host="127.0.0.1", port=PORT, threaded=True)
""",
    "wsgiref": FLASK
    + """
    import socketserver, wsgiref.simple_server
    class Quiet(wsgiref.simple_server.WSGIRequestHandler):
        def log_message(self, *args):
            pass
    class Threaded(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
        daemon_threads = True
        request_queue_size = 128
    wsgiref.simple_server.make_server("127.0.0.1", PORT, app, Threaded, Quiet).serve_forever()
""",
    "http.server": """
    import pilothouse_bridge.auto
    import http.server, os, time
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        def do_GET(self):
            if self.path.startswith("/slow"):
                with open("inside", "a") as inside:
                    inside.write(".")
                until = time.monotonic() + float(self.path.partition("=")[2])
                while time.monotonic() < until and not os.path.exists("go"):
                    time.sleep(0.05)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")
        def log_message(self, *args):
            pass
    class Server(http.server.ThreadingHTTPServer):
        request_queue_size = 128
    Server(("127.0.0.1", PORT), Handler).serve_forever()
""",
}
engines = pytest.mark.parametrize("engine", ENGINES)


@pytest.fixture
def start(server: FakePilothouse, program: Any, tmp_path: Path) -> Any:
    (tmp_path / "Config.toml").write_text(server.config_toml() + "heartbeatInterval = 1\n")

    def start_on(engine: str) -> tuple[Any, str, int]:
        process = program.start(ENGINES[engine].replace("PORT", str(free_port())))
        found = listener(server)
        server.wait_for_channel()
        assert found["package"] == engine
        return process, found["name"], found["port"]

    return start_on


@engines
def test_a_port_closes_and_opens_and_the_program_lives_on(engine: str, server: FakePilothouse, start: Any) -> None:
    process, name, port = start(engine)
    for _ in range(3):
        stopped = order(server, "STOP", name)
        assert (stopped.outcome, stopped.body["message"]) == ("stopped", f"Port {port} is closed."), stopped.body
        assert answers(port) is None
        assert last_state(server, name) == ("disabled", None)
        assert order(server, "STOP", name).outcome == "unchanged"
        started = order(server, "START", name)
        assert (started.outcome, started.body["message"]) == ("started", f"Port {port} is open.")
        assert answers(port) == 200
        assert last_state(server, name) == ("enabled", None)
        assert order(server, "START", name).outcome == "unchanged"
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=15)
    assert err.count("Traceback") <= 1, err  # KeyboardInterrupt, as without us


@engines
def test_a_program_ends_as_ever_while_it_is_stopped(engine: str, server: FakePilothouse, start: Any) -> None:
    process, name, _ = start(engine)
    assert order(server, "STOP", name).outcome == "stopped"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=15)
    assert err.count("Traceback") <= 1, err  # KeyboardInterrupt, as without us


@engines
def test_fifty_requests_in_hand_are_finished(engine: str, server: FakePilothouse, start: Any, tmp_path: Path) -> None:
    _, name, port = start(engine)
    slow = Slow(port, 50, "/slow?s=60")
    slow.arrive(tmp_path / "inside")
    stopped = order_while_in_hand(server, name, tmp_path / "go")
    assert slow.join() == {"200": 50}
    assert (stopped.outcome, stopped.body["cut"]) == ("stopped", 0)
    assert stopped.body["finished"] == 50


@engines
def test_what_outlasts_the_grace_is_cut_and_counted(
    engine: str, server: FakePilothouse, start: Any, tmp_path: Path
) -> None:
    _, name, port = start(engine)
    slow = Slow(port, 3, "/slow?s=40")
    slow.arrive(tmp_path / "inside")
    began_s = time.monotonic()
    stopped = order(server, "STOP", name, payload={"graceSeconds": 0.5})
    assert time.monotonic() - began_s < 25
    assert (stopped.outcome, stopped.body["finished"], stopped.body["cut"]) == ("stopped", 0, 3)
    assert "200" not in slow.join()
    assert order(server, "START", name).outcome == "started"
    assert answers(port) == 200


@engines
def test_idle_connections_do_not_hold_a_stop(engine: str, server: FakePilothouse, start: Any) -> None:
    _, name, port = start(engine)
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    time.sleep(0.3)
    began_s = time.monotonic()
    stopped = order(server, "STOP", name)
    assert (stopped.outcome, stopped.body["cut"]) == ("stopped", 0)
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
    assert load.good > 100
    assert len(load.broken) <= 0.1 * stops, (result, load.broken)


@pytest.mark.parametrize("engine", ["waitress", "werkzeug", "wsgiref"])
def test_flask_shows_its_rules_at_the_listener_that_serves_them(
    engine: str, server: FakePilothouse, start: Any
) -> None:
    _, name, _ = start(engine)
    beat = server.wait_for(lambda beat: any(one["listeners"] for one in beat.services.values()))
    (found,) = beat.services.values()
    assert (found["name"], found["basePath"], found["listeners"]) == ("program:app", "/", [{"name": name}])
    shown = {(" ".join(one["methods"]), one["url"]) for one in found["resources"]}
    assert shown == {
        ("GET", "/"),
        ("GET", "/slow"),
        ("DELETE GET", "/orders/<int:order_id>"),
        ("GET POST", "/orders/lines"),
        ("GET", "/static/<path:filename>"),
    }
    assert all("program.py:" in one["source"] for one in found["resources"] if "static" not in one["url"])
