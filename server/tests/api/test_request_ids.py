"""One id a request: in its answer, in its errors, and in every line of the log about it."""

import asyncio
import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from pilothouse.api import problems
from pilothouse.base.errors import StorageUnavailable
from pilothouse.observe.often import Allowance
from pilothouse.observe.requests import name_request
from pilothouse.protocol.exchange import Exchange, ExchangeSettings
from pilothouse.serving.carrier import Carrier, Listener
from pilothouse.serving.settings import CarrierSettings
from pilothouse.storage import tenancy

sys.path.insert(0, str(Path(__file__).parent))

from graphql_socket import served

pytestmark = pytest.mark.anyio

OURS = re.compile(r"[0-9a-f]{16}")
PASSWORD = "correct horse battery staple"
PROJECTS = "{ projects { nodes { handle } } }"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    monkeypatch.setattr(problems, "_lines", Allowance(10_000))
    with structlog.testing.capture_logs([name_request]) as written:
        yield written


def about(lines: list[Any], request_id: str) -> list[str]:
    return [line["event"] for line in lines if line.get("request_id") == request_id]


@contextlib.contextmanager
def exploding(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def explode(*_: object) -> None:
        structlog.get_logger("inside").warning("about to explode")
        raise ValueError("an inner secret")

    with monkeypatch.context() as patch:
        patch.setattr(tenancy, "list_projects", explode)
        yield


async def test_every_answer_of_the_console_port_has_an_id_of_its_own(stranger) -> None:
    client = stranger.client
    answers = [
        await client.get("/healthz"),
        await client.get("/openapi.json"),
        await client.get("/auth/nothing"),
        await client.delete("/healthz"),
        await client.get("/"),
        await client.post("/graphql", json={"query": "{ viewer { id } }"}),
        await client.get("/healthz?token=abc"),
    ]
    assert [answer.status_code for answer in answers[:4]] == [200, 200, 404, 405]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert all(OURS.fullmatch(one) for one in ids)
    assert len(set(ids)) == len(ids)
    for answer in answers:
        if answer.status_code >= 400 and answer.headers["content-type"] == "application/json":
            assert answer.json()["requestId"] == answer.headers["x-request-id"]


async def test_what_a_caller_calls_its_request_is_kept_beside_ours_when_it_is_sane(stranger, lines) -> None:
    for told, kept in (("order-7/retry.2", "order-7/retry.2"), ("two words", None), ("x" * 129, None), ("ä", None)):
        raw = told.encode("latin-1")
        answer = await stranger.client.get("/auth/nothing", headers=[(b"x-request-id", raw)])
        ours = answer.headers["x-request-id"]
        assert OURS.fullmatch(ours)
        (line,) = [line for line in lines if line.get("request_id") == ours]
        assert line.get("client_request_id") == kept


async def test_every_graphql_error_names_its_request_also_one_that_is_remembered(admin) -> None:
    async def ask(query: Any) -> tuple[httpx.Response, set[str]]:
        answer = await admin.client.post("/graphql", json={"query": query})
        return answer, {error["extensions"]["requestId"] for error in answer.json()["errors"]}

    seen = set()
    missing = 'mutation { deleteProject(handle: "nowhere") { handle } }'
    for query in (
        "{ nothing }",
        "{ nothing }",
        "{",
        "{" * 300,
        missing,
        "query A { viewer { id } } query B { viewer { id } }",
    ):
        answer, told = await ask(query)
        assert told == {answer.headers["x-request-id"]}, query
        seen |= told
    assert len(seen) == 6


async def test_a_defect_is_found_in_the_log_under_the_id_that_its_answer_told(admin, lines, monkeypatch) -> None:
    with exploding(monkeypatch):
        answer = await admin.client.post("/graphql", json={"query": PROJECTS})
    (error,) = answer.json()["errors"]
    request_id = error["extensions"]["requestId"]
    assert answer.headers["x-request-id"] == request_id
    # The first line is written by a thread that reads the database.
    assert about(lines, request_id)[:2] == ["about to explode", "graphql.defect"]


async def test_an_operation_that_writes_logs_under_its_request_in_the_thread_that_writes(
    admin, lines, monkeypatch
) -> None:
    original = tenancy.add_environment

    def tell(*arguments: Any) -> None:
        structlog.get_logger("inside").info("adding")
        original(*arguments)

    monkeypatch.setattr(tenancy, "add_environment", tell)
    mutation = "mutation ($n: String!) { createEnvironment(input: {displayName: $n, critical: false}) { handle } }"
    answers = await asyncio.gather(
        *(admin.client.post("/graphql", json={"query": mutation, "variables": {"n": f"E {n}"}}) for n in range(4))
    )
    assert sorted(line["request_id"] for line in lines if line["event"] == "adding") == sorted(
        answer.headers["x-request-id"] for answer in answers
    )


async def test_operations_over_one_websocket_have_ids_of_their_own(plane, lines, monkeypatch) -> None:
    async with served(plane) as edge:
        cookie = await edge.sign_in(PASSWORD)
        async with edge.ready(cookie, headers={"X-Request-Id": "tab-1"}) as socket:
            of_connection = socket.connection._response.headers["x-request-id"]
            with exploding(monkeypatch):
                told = [(await socket.ask(str(n), PROJECTS))["errors"][0]["extensions"]["requestId"] for n in range(2)]
            await socket.subscribe("bad", "{ nothing }")
            refused = await socket.hear()
        told.append(refused["payload"][0]["extensions"]["requestId"])
    assert len({of_connection, *told}) == 4
    for one in told[:2]:
        assert "graphql.defect" in about(lines, one)
    (defect,) = [line for line in lines if line.get("request_id") == told[0] and line["event"] == "graphql.defect"]
    assert defect["client_request_id"] == "tab-1"


async def test_an_upgrade_that_is_refused_names_itself(plane) -> None:
    async with served(plane) as edge:
        async with edge.session.get(
            f"{edge.address}/graphql?token=x",
            headers={"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="},
        ) as answer:  # fmt: skip
            assert (await answer.json())["requestId"] == answer.headers["x-request-id"]
        reader, writer = await asyncio.open_connection("localhost", edge.port)
        writer.write(b"what is this\r\n\r\n")
        head = (await reader.read()).decode()
        writer.close()
    assert head.startswith("HTTP/1.1 400")
    assert re.search(r"\r\nx-request-id: [0-9a-f]{16}\r\n", head)


@contextlib.asynccontextmanager
async def runtimes_port(handler: Any) -> Any:
    exchange = Exchange(handler, ExchangeSettings())
    listener = Listener(name="runtimes", app=exchange, host="127.0.0.1", port=0, setting="port")
    carrier = Carrier([listener], CarrierSettings(grace_s=0.5))
    await carrier.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{carrier.ports['runtimes']}") as client:
            yield client
    finally:
        await carrier.stop()


async def test_answers_to_runtimes_have_an_id_in_the_header_alone(runtime, plane, lines) -> None:
    async with runtimes_port(plane.runtime_handler) as client:
        refused = await client.post(
            "/icp/heartbeat", content=b"{}", headers={"content-type": "application/json", "x-request-id": "beat-9"}
        )
        telemetry = await client.post("/v1/logs", content=b"{}", headers={"content-type": "application/json"})
        nothing = await client.get("/nothing")
    ids = [answer.headers["x-request-id"] for answer in (refused, telemetry, nothing)]
    assert all(OURS.fullmatch(one) for one in ids)
    assert len(set(ids)) == 3
    assert set(refused.json()) == {"acknowledged", "error", "code", "message", "fix"}, "as unmodified runtimes know it"
    assert about(lines, ids[0]) == ["heartbeat.refused"]
    assert about(lines, ids[1]) == ["telemetry.turned_away"]
    (line,) = [line for line in lines if line["event"] == "heartbeat.refused"]
    assert line["client_request_id"] == "beat-9"


async def test_a_defect_on_the_runtimes_port_says_the_id_that_the_log_has(lines) -> None:
    def broken(_: Any) -> Any:
        raise ValueError("an inner secret")

    async with runtimes_port(broken) as client:
        answers = [await client.post("/icp/deltaHeartbeat", content=b"{}") for _ in range(3)]
    for answer in answers:
        assert answer.headers["x-request-id"] in answer.json()["message"]
        assert about(lines, answer.headers["x-request-id"]) == ["request_failed"]


async def test_lines_of_requests_that_overlap_are_not_mixed_up(lines) -> None:
    log = structlog.get_logger("inside")

    async def slowly(request: Any) -> Any:
        log.info("began", body=request.body)
        await asyncio.sleep(0.05)
        log.info("ended", body=request.body)
        raise StorageUnavailable

    async with runtimes_port(slowly) as client:
        answers = await asyncio.gather(*(client.post("/x", content=f"{n}".encode()) for n in range(8)))
    for number, answer in enumerate(answers):
        mine = [line for line in lines if line.get("request_id") == answer.headers["x-request-id"]]
        assert [line["event"] for line in mine] == ["began", "ended", "request_failed"]
        assert {line["body"] for line in mine if "body" in line} == {f"{number}".encode()}


def test_more_lines_than_allowed_are_left_out_and_counted() -> None:
    now = [10.0]
    allowance = Allowance(2, lambda: now[0])
    assert [allowance.take() for _ in range(5)] == [0, 0, None, None, None]
    now[0] = 11.0
    assert allowance.take() == 3
    assert allowance.take() == 0
