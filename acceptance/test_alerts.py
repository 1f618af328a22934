"""A runtime is killed, and somebody is told; the control plane is killed too, and nobody is told twice."""

import http.server
import json
import queue
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from stage import PASSWORD, Program, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CRASH_S = 5.0
"""A crashed runtime that held a channel is told of within this time."""
PROGRAM = """\
import logging
import os
import time

import pilothouse_bridge

logging.basicConfig(level=logging.INFO)
pilothouse_bridge.connect(
    environment="prod",
    project="shop",
    integration="orders",
    runtime="orders-1",
    secret=os.environ["SECRET"],
    server_url=os.environ["SERVER"],
    cert=os.environ["CA"],
    runtime_id_file="runtime-id",
    heartbeat_interval=1,
)
while True:
    time.sleep(1)
"""
SAVE_CHANNEL = "mutation ($i: AlertChannelInput!) { saveAlertChannel(input: $i) { channel { id } } }"
SAVE_RULE = "mutation ($i: AlertRuleInput!) { saveAlertRule(input: $i) { id } }"


class Receiver(http.server.BaseHTTPRequestHandler):
    """A webhook's receiver on loopback; what it got, and when, is in `server.got`."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.put((time.monotonic(), json.loads(body)))  # pyright: ignore[reportAttributeAccessIssue]
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.got = queue.Queue()  # pyright: ignore[reportAttributeAccessIssue]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Person:
    """Somebody who is signed in at a control plane."""

    def __init__(self, url: str, home: Path) -> None:
        trusted = ssl.create_default_context(cafile=str(home / "tls" / "certificate.pem"))
        self.client = httpx.Client(base_url=url, verify=trusted, trust_env=False, timeout=30)
        answer = self.client.post("/auth/sign-in", json={"username": "admin", "password": PASSWORD})
        assert answer.status_code == 200, answer.text

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        answer = self.client.post("/graphql", json={"query": query, "variables": variables}).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]


def test_a_killed_runtime_is_told_of_within_seconds_and_over_a_killed_control_plane_never_twice(
    start: Callable[..., Program],
    receiver: http.server.ThreadingHTTPServer,
    tmp_path: Path,
    free_port: Callable[[], int],
) -> None:
    home, ports = tmp_path / "home", ["--runtime-port", str(free_port()), "--console-port", str(free_port())]

    def serve() -> tuple[Program, str, str]:
        program = start(
            [sys.executable, "-m", "pilothouse", "serve", *ports],
            cwd=tmp_path,
            PILOTHOUSE_HOME=str(home),
            PILOTHOUSE_ADMIN_PASSWORD=PASSWORD,
            PILOTHOUSE_NOTIFY_ALLOW="127.0.0.0/8",
        )
        console = program.wait_for(r"Console +(https?://\S+)")[1]
        return program, console, program.wait_for(r"Runtimes +(https://\S+)")[1]

    plane, console_url, runtime_url = serve()
    person = Person(console_url, home)
    secret = person.ask('mutation { generateSecret(input: {environment: "prod"}) { secret } }')["generateSecret"]
    (tmp_path / "program.py").write_text(PROGRAM)

    def run() -> Program:
        program = start(
            [sys.executable, "program.py"],
            cwd=tmp_path,
            SECRET=secret["secret"],
            SERVER=runtime_url,
            CA=str(home / "tls" / "certificate.pem"),
        )
        program.wait_for("Full heartbeat acknowledged")
        return program

    # the rule that is there from the beginning tells a channel from now on
    url = f"http://127.0.0.1:{receiver.server_port}/hook"
    channel = person.ask(SAVE_CHANNEL, i={"name": "hook", "kind": "WEBHOOK", "url": url})["saveAlertChannel"]
    rules = person.ask("{ alertRules { nodes { id name condition builtIn } } }")["alertRules"]["nodes"]
    (offline,) = [rule for rule in rules if rule["condition"] == "RUNTIME_OFFLINE" and rule["builtIn"]]
    wish = {name: offline[name] for name in ("id", "name", "condition")}
    person.ask(SAVE_RULE, i={**wish, "channels": [channel["channel"]["id"]]})

    program = run()
    until(
        lambda: person.ask("{ runtimes { nodes { status } } }")["runtimes"]["nodes"][0]["status"] == "RUNNING",
    )
    time.sleep(1)  # its channel opens right behind the heartbeat
    killed_at = time.monotonic()
    assert program.stop(signal.SIGKILL) == -signal.SIGKILL
    told_at, told = receiver.got.get(timeout=30)  # pyright: ignore[reportAttributeAccessIssue]
    print(f"told {told_at - killed_at:.2f} s after the kill")
    assert told["kind"] == "firing"
    assert "orders-1 is offline" in json.dumps(told)
    assert told_at - killed_at < CRASH_S

    # What is killed before it wrote down that it sent is sent again, with the key by which receivers know it: not this.
    states = "{ alerts { nodes { state notifications { kind state attempts } } } }"
    until(lambda: person.ask(states)["alerts"]["nodes"][0]["notifications"][0]["state"] == "SENT")
    person.client.close()

    # the control plane is killed as well, and starts again: what was told is not told again, and its end is told once
    assert plane.stop(signal.SIGKILL) == -signal.SIGKILL
    plane, console_url, runtime_url = serve()
    time.sleep(7)  # long enough for the judge and the sender to look at it more than once
    assert receiver.got.empty()  # pyright: ignore[reportAttributeAccessIssue]
    program = run()
    _, told = receiver.got.get(timeout=30)  # pyright: ignore[reportAttributeAccessIssue]
    assert told["kind"] == "resolved"
    time.sleep(5)
    assert receiver.got.empty()  # pyright: ignore[reportAttributeAccessIssue]
    person = Person(console_url, home)
    (alert,) = person.ask(states)["alerts"]["nodes"]
    person.client.close()
    assert alert["state"] == "RESOLVED"
    assert [(each["kind"], each["state"], each["attempts"]) for each in alert["notifications"]] == [
        ("resolved", "SENT", 1),
        ("firing", "SENT", 1),
    ]
    program.stop(signal.SIGKILL)
    assert plane.stop() == 0
