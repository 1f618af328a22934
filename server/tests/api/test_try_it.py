"""Trying out services: who may, where, what the audit says, and what comes back from a real service."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pilothouse.app.control_plane import ControlPlane

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff

from server.tests.conftest import Person, Runtime

pytestmark = pytest.mark.anyio
TRY_IT = """query ($id: ID!) { runtime(id: $id) { tryIt {
    blocked { code message fix } host doors { listener scheme port open } definitions { fileName definition } } } }"""
SET = "mutation ($e: String!, $a: Boolean!) { setTryIt(environment: $e, allowed: $a) { handle tryIt } }"
AUDIT = """{ auditRecords(filter: {action: "service.try"}) { nodes {
    action target outcome detail after actor } } }"""


class Service:
    """A service on loopback that says what it was asked."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[str] = []
        self.wait = asyncio.Event()
        self.wait.set()
        self.ended = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(head)
            if not self.wait.is_set():
                await asyncio.wait(
                    {asyncio.ensure_future(self.wait.wait()), asyncio.ensure_future(reader.read(1))},
                    return_when=asyncio.FIRST_COMPLETED,
                )
            body = json.dumps({"asked": head.splitlines()[0]}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: pilothouse=evil\r\n")
            writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
        writer.close()
        self.ended.set()


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    made = Service()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    made.wait.set()
    server.close()


@pytest.fixture
async def reported(runtime: Runtime, service: Service) -> Runtime:
    """A runtime on this machine whose listener is the service."""
    runtime.address = "127.0.0.1"
    runtime.artifacts["listeners"][0]["port"] = service.port
    runtime.extra = {
        "tryItHost": "localhost",
        "openApiDefinitions": {"orders_openapi.json": {"openapi": "3.0.1", "paths": {}}},
    }
    assert (await runtime.full())[0] == 200
    return runtime


async def id_of(person: Person) -> str:
    return (await person.ask("{ runtimes { nodes { id } } }"))["runtimes"]["nodes"][0]["id"]


async def send(person: Person, runtime: str, port: int, **more: Any) -> httpx.Response:
    body = {"runtime": runtime, "port": port, "method": "GET", "path": "/orders/items/1?token=hidden", **more}
    return await person.client.post("/api/try-it", json=body)


async def test_a_request_reaches_the_service_and_its_answer_comes_back_as_json(
    admin: Person, reported: Runtime, service: Service
) -> None:
    answer = await send(admin, await id_of(admin), service.port, headers=[{"name": "X-Mine", "value": "1"}])
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert json.loads(told["body"]) == {"asked": "GET /orders/items/1?token=hidden HTTP/1.1"}
    assert (told["status"], told["cut"], told["bodyIsBase64"]) == (200, None, False)
    assert {"name": "Set-Cookie", "value": "pilothouse=evil"} in told["headers"]
    assert "set-cookie" not in answer.headers, "what the service sets is shown, and set nowhere"
    assert answer.headers["content-type"] == "application/json"
    head = service.requests[0].lower()
    assert "x-mine: 1" in head
    assert "cookie" not in head
    assert "authorization" not in head


async def test_the_audit_says_who_asked_what_of_whom_and_no_query_header_or_body(
    admin: Person, reported: Runtime, service: Service
) -> None:
    more = {"method": "POST", "body": "hidden body", "headers": [{"name": "Authorization", "value": "hidden header"}]}
    assert (await send(admin, await id_of(admin), service.port, **more)).status_code == 200
    [record] = (await admin.ask(AUDIT))["auditRecords"]["nodes"]
    assert record["actor"] == "user:admin"
    assert record["target"] == "retail-core/order-intake/dev/orders-node-1"
    assert record["detail"] == "POST /orders/items/1"
    assert record["outcome"].lower() == "done"
    assert json.loads(record["after"]) == {
        "listener": "listener_1",
        "method": "POST",
        "path": "/orders/items/1",
        "port": service.port,
    }
    assert "hidden" not in json.dumps(record)


async def test_what_can_be_tried_out_is_told_with_the_runtime(
    admin: Person, reported: Runtime, service: Service
) -> None:
    told = (await admin.ask(TRY_IT, id=await id_of(admin)))["runtime"]["tryIt"]
    assert told["blocked"] is None
    assert told["host"] == "localhost"
    assert told["doors"] == [{"listener": "listener_1", "scheme": "http", "port": service.port, "open": True}]
    [definition] = told["definitions"]
    assert definition["fileName"] == "orders_openapi.json"
    assert json.loads(definition["definition"]) == {"openapi": "3.0.1", "paths": {}}


async def test_a_port_that_the_runtime_does_not_report_is_not_called(
    admin: Person, reported: Runtime, service: Service, plane: ControlPlane
) -> None:
    answer = await send(admin, await id_of(admin), 9)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (404, "TRY_IT_NO_SUCH_PORT", "port")
    [record] = (await admin.ask(AUDIT))["auditRecords"]["nodes"]
    assert record["outcome"].lower() == "refused"
    assert service.requests == []


async def test_a_runtime_that_fell_silent_is_not_called(
    admin: Person, reported: Runtime, service: Service, plane: ControlPlane
) -> None:
    runtime = await id_of(admin)
    plane.clock.advance(3600)  # pyright: ignore[reportAttributeAccessIssue] - the fixture's clock
    await plane.watch()
    await admin.sign_in()
    answer = await send(admin, runtime, service.port)
    assert (answer.status_code, answer.json()["code"]) == (409, "TRY_IT_NOT_RUNNING")
    told = (await admin.ask(TRY_IT, id=runtime))["runtime"]["tryIt"]
    assert told["blocked"]["code"] == "TRY_IT_NOT_RUNNING"


async def test_a_critical_environment_is_closed_until_somebody_opens_it(
    admin: Person, plane: ControlPlane, service: Service
) -> None:
    runtime = Runtime(plane, await admin.secret("prod"), environment="prod", address="127.0.0.1")
    runtime.artifacts["listeners"][0]["port"] = service.port
    await runtime.full()
    id_ = await id_of(admin)
    closed = await send(admin, id_, service.port)
    assert (closed.status_code, closed.json()["code"]) == (403, "TRY_IT_OFF")
    assert (await admin.ask(TRY_IT, id=id_))["runtime"]["tryIt"]["blocked"]["code"] == "TRY_IT_OFF"
    environments = "{ environments { nodes { handle tryIt } } }"
    told = {each["handle"]: each["tryIt"] for each in (await admin.ask(environments))["environments"]["nodes"]}
    assert told == {"dev": True, "prod": False}

    assert (await admin.ask(SET, e="prod", a=True))["setTryIt"] == {"handle": "prod", "tryIt": True}
    assert (await send(admin, id_, service.port)).status_code == 200
    query = '{ auditRecords(filter: {action: "environment.set-try-it"}) { nodes { target before after } } }'
    [record] = (await admin.ask(query))["auditRecords"]["nodes"]
    assert (record["target"], record["before"], record["after"]) == ("prod", '{"tryIt":false}', '{"tryIt":true}')


async def test_what_was_opened_is_closed_again_when_an_environment_becomes_critical(
    admin: Person, reported: Runtime, service: Service
) -> None:
    assert (await admin.ask(SET, e="dev", a=False))["setTryIt"]["tryIt"] is False
    assert (await send(admin, await id_of(admin), service.port)).json()["code"] == "TRY_IT_OFF"
    assert (await admin.ask(SET, e="dev", a=True))["setTryIt"]["tryIt"] is True
    await admin.ask('mutation { updateEnvironment(handle: "dev", input: {critical: true}) { handle } }')
    answer = await send(admin, await id_of(admin), service.port)
    assert answer.json()["code"] == "TRY_IT_OFF"
    assert service.requests == []


async def test_the_permission_is_one_of_its_own_and_counts_where_the_runtime_lives(
    admin: Person, reported: Runtime, service: Service, plane: ControlPlane
) -> None:
    crew, runtime = Staff(plane, admin), await id_of(admin)
    await crew.holder("editor", "INTEGRATION_MGT_EDIT")
    await crew.holder("elsewhere", "INTEGRATION_MGT_TRY", environment="prod")
    await crew.holder("tryer", "INTEGRATION_MGT_TRY", project="retail-core", environment="dev")
    for name, status, code in (
        ("editor", 403, "NOT_PERMITTED"),
        ("elsewhere", 404, "NOT_FOUND"),
        ("tryer", 200, None),
    ):
        async with crew.signed_in(name) as person:
            answer = await send(person, runtime, service.port)
            assert (answer.status_code, answer.json().get("code")) == (status, code), name
            if name == "tryer":
                refused = await person.try_asking(SET, e="dev", a=False)
                assert refused["errors"][0]["extensions"]["code"] == "NOT_PERMITTED"
    assert len(service.requests) == 1


async def test_another_site_cannot_send_a_request_in_ones_name(
    admin: Person, reported: Runtime, service: Service
) -> None:
    body = {"runtime": await id_of(admin), "port": service.port, "method": "GET", "path": "/"}
    foreign = await admin.client.post("/api/try-it", json=body, headers={"origin": "https://evil.example"})
    assert (foreign.status_code, foreign.json()["code"]) == (403, "CROSS_ORIGIN")
    as_form = await admin.client.post(
        "/api/try-it", content=json.dumps(body), headers={"content-type": "text/plain", "sec-fetch-site": "same-origin"}
    )
    assert as_form.status_code == 400
    assert service.requests == []


async def test_nobody_who_is_not_signed_in_sends_anything(stranger: Person) -> None:
    answer = await send(stranger, "x", 80)
    assert (answer.status_code, answer.json()["code"]) == (401, "NOT_SIGNED_IN")


async def test_ones_own_session_is_never_sent_to_a_service(admin: Person, reported: Runtime, service: Service) -> None:
    cookie = next(iter(admin.client.cookies.jar)).value
    headers = [{"name": "Cookie", "value": f"session={cookie}"}]
    answer = await send(admin, await id_of(admin), service.port, headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (400, "headers")
    assert cookie not in answer.text
    assert service.requests == []


async def test_who_cannot_be_reached_is_told_apart_from_who_is_too_slow_and_from_what_is_refused(
    admin: Person, reported: Runtime, service: Service, plane: ControlPlane
) -> None:
    runtime = await id_of(admin)
    reported.extra["tryItHost"] = "169.254.169.254"
    reported.hash = "hash-2"
    await reported.full()
    refused = await send(admin, runtime, service.port)
    assert (refused.status_code, refused.json()["code"]) == (403, "TRY_IT_ADDRESS_REFUSED")
    with contextlib.closing(await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)) as server:
        port = server.sockets[0].getsockname()[1]
    reported.extra["tryItHost"] = "localhost"
    reported.artifacts["listeners"][0]["port"] = port
    reported.hash = "hash-3"
    await reported.full()
    gone = await send(admin, runtime, port)
    assert (gone.status_code, gone.json()["code"]) == (502, "TRY_IT_UNREACHABLE")
    assert gone.json()["fix"]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"method": "CONNECT"}, "method"),
        ({"path": "//x\r\n"}, "path"),
        ({"headers": [{"name": "Host", "value": "x"}]}, "headers"),
        ({"bodyBase64": "%"}, "body"),
    ],
)
async def test_what_cannot_be_sent_is_refused_with_its_field(
    admin: Person, reported: Runtime, service: Service, more: dict[str, Any], field: str
) -> None:
    answer = await send(admin, await id_of(admin), service.port, **more)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, "INVALID_INPUT", field)
    assert (await admin.ask(AUDIT))["auditRecords"]["nodes"] == []


async def test_whoever_closes_the_page_ends_the_request(
    plane: ControlPlane, admin: Person, reported: Runtime, service: Service
) -> None:
    service.wait.clear()
    application = await plane.console_application()
    body = {"runtime": await id_of(admin), "port": service.port, "method": "GET", "path": "/"}
    cookies = "; ".join(f"{one.name}={one.value}" for one in admin.client.cookies.jar)
    left = asyncio.Event()
    told: list[dict[str, Any]] = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        if told:
            return told.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def note(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "https",
        "path": "/api/try-it",
        "raw_path": b"/api/try-it",
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"testserver"),
            (b"content-type", b"application/json"),
            (b"cookie", cookies.encode()),
        ],
        "client": ("127.0.0.1", 40_000),
        "server": ("testserver", 443),
    }
    answering = asyncio.ensure_future(application(scope, receive, note))
    async with asyncio.timeout(20):
        while not service.requests:
            await asyncio.sleep(0.01)
        left.set()
        await answering
        await service.ended.wait()
    assert sent[0]["status"] == 499
