"""Bad input over real sockets: a clear answer in the contract's codes, a line in the log, a count, and nothing written."""

import json
import re
import socket
import ssl
from collections.abc import Callable

import pytest
from stage import ControlPlane, Program, serve, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

UNVERIFIED = ssl.create_default_context()
UNVERIFIED.check_hostname = False
UNVERIFIED.verify_mode = ssl.CERT_NONE  # the certificate is self-signed
HEAD = "POST /icp/heartbeat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def plane(start: Callable[..., Program], tmp_path_factory: pytest.TempPathFactory) -> ControlPlane:
    return serve(start, tmp_path_factory.mktemp("bad") / "home")


def say(
    plane: ControlPlane, *, head: str = HEAD, body: bytes = b"", length: int | None = None, port: str = "runtime"
) -> tuple[int, dict]:
    """Send a request as it is told, and read the answer."""
    url = plane.runtime_url if port == "runtime" else plane.console_url
    address = ("127.0.0.1", int(url.rpartition(":")[2]))
    length = len(body) if length is None else length
    with (
        socket.create_connection(address, timeout=30) as plain,
        UNVERIFIED.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode() + body)
        answer = b""
        while not _whole(answer):
            part = connection.recv(65_536)
            if not part:
                break
            answer += part
    status, _, rest = answer.partition(b"\r\n\r\n")
    return int(status.split(b" ")[1]), json.loads(rest)


def _whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    return length is not None and len(body) >= int(length[1])


def metrics(plane: ControlPlane) -> str:
    import urllib.request

    with urllib.request.urlopen(f"{plane.console_url}/metrics", context=UNVERIFIED, timeout=10) as answer:
        return answer.read().decode()


@pytest.mark.parametrize(
    ("told", "status", "code"),
    [
        ({"body": b"{}"}, 401, "TOKEN_MISSING"),
        ({"head": f"{HEAD}Authorization: Bearer junk\r\n", "body": b"{}"}, 401, "TOKEN_MALFORMED"),
        ({"length": 9 * 1024 * 1024}, 413, "BODY_TOO_LARGE"),
        ({"head": HEAD.replace("heartbeat", "nothing"), "body": b"{}"}, 404, "NOT_FOUND"),
        ({"head": HEAD.replace("POST", "PUT"), "body": b"{}"}, 405, "METHOD_NOT_ALLOWED"),
        ({"head": HEAD + "X: " + "y" * 40_000 + "\r\n"}, 431, "HEAD_TOO_LARGE"),
    ],
)
def test_what_cannot_be_taken_is_answered_by_its_code_and_with_the_fix(
    plane: ControlPlane, told: dict, status: int, code: str
) -> None:
    answer = say(plane, **told)
    assert (answer[0], answer[1]["code"]) == (status, code)
    assert answer[1]["acknowledged"] is False
    assert answer[1]["error"] is True
    assert answer[1]["message"]
    assert answer[1]["fix"]
    if status not in (404, 405):
        until(lambda: code in plane.program.output)
        assert f'code="{code}"' in metrics(plane)


@pytest.mark.slow
def test_a_body_that_stops_half_way_is_answered_and_nothing_of_it_is_kept(plane: ControlPlane) -> None:
    status, answer = say(plane, body=b'{"runtimeId": "half', length=5_000)
    assert (status, answer["code"]) == (408, "BODY_INCOMPLETE")
    until(lambda: "BODY_INCOMPLETE" in plane.program.output)


def test_the_consoles_port_is_told_apart_and_answers_in_its_own_shape(plane: ControlPlane) -> None:
    status, answer = say(plane, body=b"{}", port="console")  # a serverUrl that names the wrong port
    assert (status, answer["code"]) == (404, "NOT_FOUND")
    assert f":{plane.runtime_url.rpartition(':')[2]}" in answer["fix"]
    status, answer = say(plane, head=HEAD.replace("/icp/heartbeat", "/healthz"), body=b"{}", port="console")
    assert (status, answer["code"]) == (405, "METHOD_NOT_ALLOWED")


def test_no_refusal_left_a_trace_in_the_database(plane: ControlPlane) -> None:
    import sqlite3

    for told in ({"body": b"{}"}, {"length": 9 * 1024 * 1024}):
        say(plane, **told)
    with sqlite3.connect(f"file:{plane.home / 'pilothouse.db'}?mode=ro", uri=True) as database:
        for table in ("projects", "integrations", "runtimes", "artifact_sets", "events"):
            assert database.execute(f"select count(*) from {table}").fetchone() == (0,), table
    database.close()
