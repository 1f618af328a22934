"""Commands to a Micro Integrator by calls of its management API, and through the tunnel once that is proved."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme

sys.path.insert(0, str(Path(__file__).parent.parent / "management"))
sys.path.insert(0, str(Path(__file__).parent.parent / "api"))

from fake_mi import FakeMi, Trouble
from pilothouse.app.control_plane import ControlPlane
from pilothouse.base.clock import FakeClock
from pilothouse.config import Settings
from staff import Staff

pytestmark = pytest.mark.anyio

PLACE = {"project": "retail-core", "integration": "quotes", "environment": "dev"}
CHANGE = "mutation ($input: ChangeArtifactInput!) { changeArtifact(input: $input) { waiting commands { id } } }"
LEVEL = "mutation ($input: ChangeLogLevelInput!) { changeLogLevel(input: $input) { waiting } }"
TRIGGER = "mutation ($input: TriggerArtifactInput!) { triggerArtifact(input: $input) { id } }"
ASK = "mutation ($input: AskRuntimeInput!) { askRuntime(input: $input) { id state } }"
COMMANDS = "{ commands { nodes { id state reason route attempts action result nextAttemptAt } } }"


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def settings(settings: Settings, authority: trustme.CA, tmp_path: Path) -> Settings:
    trusted = tmp_path / "mi-ca.pem"
    trusted.write_bytes(authority.cert_pem.bytes())
    return msgspec.structs.replace(settings, mi_ca_file=trusted)


@pytest.fixture
async def plane(plane: ControlPlane) -> AsyncIterator[ControlPlane]:
    """Management calls are carried out as they come; all other periodic work is in the test's hands."""
    work = asyncio.create_task(plane.management.run())
    yield plane
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


@pytest.fixture
async def mi(admin, clock: FakeClock, authority: trustme.CA) -> AsyncIterator[FakeMi]:
    """A management API: see `fake_mi`; it proves our side of the exchange."""
    fake = FakeMi(await admin.secret(), authority=authority, clock=clock.now)
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture
async def integrator(runtime, mi: FakeMi) -> Any:
    """A Micro Integrator whose management API is that one, and whose tunnel nobody has proved."""
    made = replace(
        runtime,
        secret=mi.secret,
        type="MI",
        runtime_id="mi-1",
        name="mi-1",
        integration="quotes",
        address="127.0.0.1",
        extra={"runtimeHostname": "localhost", "runtimePort": str(mi.port)},
        artifacts={
            "endpoints": [steered("StockEP", type="HTTPEndpoint", state="enabled")],
            "apis": [steered("QuoteAPI", context="/quote")],
            "sequences": [steered("main", type="Sequence")],
            "tasks": [{"name": "Nightly", "state": "enabled", "group": "", "class": ""}],
            "templates": [{"name": "Shape", "type": "sequence", "statistics": "disabled"}],
        },
    )
    _, made.first_answer = await made.full()
    return made


def steered(name: str, **members: Any) -> dict[str, Any]:
    return {"name": name, "tracing": "disabled", "statistics": "disabled", **members}


async def change(admin, kind: str, name: str, aspect: str, value: str) -> dict[str, Any]:
    given = {**PLACE, "kind": kind, "name": name, "aspect": aspect, "value": value}
    return (await admin.ask(CHANGE, input=given))["changeArtifact"]


async def commands(admin) -> list[dict[str, Any]]:
    return (await admin.ask(COMMANDS))["commands"]["nodes"]


async def id_of(admin) -> str:
    return (await admin.ask("{ runtimes { nodes { id } } }"))["runtimes"]["nodes"][0]["id"]


async def carried_out(plane: ControlPlane) -> None:
    """Wait until no management API is being called."""
    await asyncio.sleep(0.01)
    while plane.management._serving or plane.management._woken:
        await asyncio.sleep(0.01)


async def report(integrator, collection: str, aspect: str, value: str) -> None:
    integrator.artifacts[collection][0][aspect] = value
    integrator.hash += "'"
    await integrator.full()


@pytest.mark.parametrize(
    ("kind", "name", "aspect", "wished", "path", "body", "collection", "member"),
    [
        ("ENDPOINT", "StockEP", "STATE", "DISABLED", "endpoints", {"status": "inactive"}, "endpoints", "state"),
        ("TASK", "Nightly", "STATE", "DISABLED", "tasks", {"status": "inactive"}, "tasks", "state"),
        ("ENDPOINT", "StockEP", "TRACING", "ENABLED", "endpoints", {"trace": "enable"}, "endpoints", "tracing"),
        ("API", "QuoteAPI", "TRACING", "ENABLED", "apis", {"trace": "enable"}, "apis", "tracing"),
        ("SEQUENCE", "main", "STATISTICS", "ENABLED", "sequences", {"statistics": "enable"}, "sequences", "statistics"),
        (
            "TEMPLATE", "Shape", "STATISTICS", "ENABLED",
            "templates", {"statistics": "enable", "type": "sequence"}, "templates", "statistics",
        ),
    ],
)  # fmt: skip
async def test_a_change_is_called_at_once_and_confirmed_by_the_next_full_heartbeat(
    plane, integrator, mi: FakeMi, admin, kind, name, aspect, wished, path, body, collection, member
) -> None:
    await change(admin, kind, name, aspect, wished)
    await carried_out(plane)
    (call,) = mi.calls
    assert (call.method, call.path, call.body) == ("POST", f"/management/{path}", {"name": name, **body})
    (command,) = await commands(admin)
    assert (command["state"], command["route"]) == ("DELIVERED", "MANAGEMENT_API")
    assert "its heartbeat will show the effect" in command["reason"]
    await integrator.full()  # it was under way while this was said
    assert (await commands(admin))[0]["state"] == "DELIVERED"
    await report(integrator, collection, member, wished.lower())
    await carried_out(plane)
    assert [each["state"] for each in await commands(admin)] == ["CONFIRMED"]
    assert len(mi.calls) == 1


async def test_a_call_bears_a_token_of_the_runtimes_own_secret_case_66(
    plane, integrator, mi: FakeMi, admin, clock
) -> None:
    await change(admin, "ENDPOINT", "StockEP", "STATE", "DISABLED")
    await carried_out(plane)
    (call,) = mi.calls
    assert (call.path, call.body) == ("/management/endpoints", {"name": "StockEP", "status": "inactive"})
    claims = call.claims
    assert claims is not None  # HS256 under this secret, whose key id is `kid`
    assert (claims["iss"], claims["sub"], claims["scope"]) == (
        "icp-runtime-jwt-issuer", "icp-artifact-fetcher", "runtime_agent",
    )  # fmt: skip
    assert claims["aud"] in ("icp-server", ["icp-server"])
    assert clock.now() < claims["exp"] <= clock.now() + 3_600


async def test_the_level_of_a_logger_is_confirmed_by_the_answer_and_is_not_told_again(
    plane, integrator, mi: FakeMi, admin, clock: FakeClock
) -> None:
    await admin.ask(LEVEL, input={**PLACE, "logger": "org-apache-synapse", "level": "DEBUG"})
    await carried_out(plane)
    assert mi.state["logging"]["org-apache-synapse"]["level"] == "DEBUG"
    assert [each["state"] for each in await commands(admin)] == ["CONFIRMED"]
    for _ in range(4):
        clock.advance(10)
        await integrator.full()
        await plane.steer()
        await carried_out(plane)
    assert len(mi.calls) == 1


async def test_a_logger_that_it_does_not_know_fails_at_once_with_its_own_words(plane, integrator, mi, admin) -> None:
    await admin.ask(LEVEL, input={**PLACE, "logger": "nobody", "level": "DEBUG"})
    await carried_out(plane)
    (command,) = await commands(admin)
    assert command["state"] == "FAILED"
    assert "Specified logger ('nobody') not found" in command["reason"]


async def test_a_task_is_run_once_and_the_answer_confirms_it(plane, integrator, mi: FakeMi, admin) -> None:
    await admin.ask(TRIGGER, input={"runtime": await id_of(admin), "kind": "TASK", "name": "Nightly"})
    await carried_out(plane)
    assert mi.triggered == ["Nightly"]
    assert [(each["state"], each["action"]) for each in await commands(admin)] == [("CONFIRMED", "TRIGGER")]


async def test_what_is_asked_once_and_fails_is_not_tried_again_by_itself(
    plane, integrator, mi: FakeMi, admin, clock: FakeClock
) -> None:
    mi.stop()
    await admin.ask(TRIGGER, input={"runtime": await id_of(admin), "kind": "TASK", "name": "Nightly"})
    await carried_out(plane)
    (command,) = await commands(admin)
    assert (command["state"], command["attempts"]) == ("FAILED", 1)
    assert "management port" in command["reason"]


@pytest.mark.parametrize(
    ("question", "more", "path", "answer"),
    [
        ("LOGGERS", {}, "/management/logging", {"count": 2}),
        ("LOGGERS", {"name": "synapse"}, "/management/logging?searchKey=synapse", {"count": 1}),
        ("LOG_FILES", {}, "/management/logs", {"count": 1}),
        (
            "SOURCE", {"kind": "ENDPOINT", "name": "StockEP"},
            "/management/endpoints?endpointName=StockEP", {"configuration": "<source/>"},
        ),
        ("REGISTRY", {}, "/management/registry-resources?path=registry", {"count": 1}),
        (
            "REGISTRY_PROPERTIES", {"name": "registry/config"},
            "/management/registry-resources/properties?path=registry%2Fconfig",
            {"list": [{"name": "owner", "value": "retail"}]},
        ),
        ("USERS", {}, "/management/users", {"list": [{"userId": "admin"}, {"userId": "ada"}]}),
    ],
)  # fmt: skip
async def test_a_question_is_answered_in_the_result(
    plane, integrator, mi: FakeMi, admin, question: str, more: dict[str, str], path: str, answer: dict[str, Any]
) -> None:
    await admin.ask(ASK, input={"runtime": await id_of(admin), "question": question, **more})
    await carried_out(plane)
    assert [(call.method, call.path) for call in mi.calls] == [("GET", path)]
    (command,) = await commands(admin)
    assert command["state"] == "CONFIRMED"
    assert json.loads(command["result"]).items() >= answer.items()


@pytest.mark.parametrize(
    ("question", "name", "text"),
    [
        ("LOG_FILE", "wso2carbon.log", '{"first": "line"}\nand the second\n'),
        ("REGISTRY_FILE", "registry/config/greeting.txt", "Good morning"),
    ],
)
async def test_a_text_is_answered_as_it_is(
    plane, integrator, mi: FakeMi, admin, question: str, name: str, text: str
) -> None:
    await admin.ask(ASK, input={"runtime": await id_of(admin), "question": question, "name": name})
    await carried_out(plane)
    (command,) = await commands(admin)
    assert (command["state"], json.loads(command["result"])) == ("CONFIRMED", text)


@pytest.mark.parametrize(
    ("question", "permission"),
    [("LOG_FILE", "OBSERVABILITY_MGT_VIEW_LOGS"), ("USERS", "INTEGRATION_MGT_EDIT")],
)
async def test_what_not_everybody_may_ask_not_everybody_sees_answered(
    plane, integrator, mi: FakeMi, admin, question: str, permission: str
) -> None:
    asked = {"runtime": await id_of(admin), "question": question, "name": "wso2carbon.log"}
    await admin.ask(ASK, input=asked)
    await carried_out(plane)
    staff = Staff(plane, admin)
    await staff.holder("looker", "INTEGRATION_MGT_VIEW")
    await staff.holder("holder", "INTEGRATION_MGT_VIEW", permission)
    async with staff.signed_in("looker") as looker:
        assert (await staff.refusal(looker, ASK, input=asked))[0] == "NOT_PERMITTED"
        assert [(each["state"], each["result"]) for each in await commands(looker)] == [("CONFIRMED", None)]
    async with staff.signed_in("holder") as holder:
        assert [each["result"] is None for each in await commands(holder)] == [False]
        await holder.ask(ASK, input=asked)


async def test_a_log_file_that_is_not_there_is_a_failure_with_its_own_words(plane, integrator, mi, admin) -> None:
    await admin.ask(ASK, input={"runtime": await id_of(admin), "question": "LOG_FILE", "name": "none.log"})
    await carried_out(plane)
    (command,) = await commands(admin)
    assert command["state"] == "FAILED"
    assert "No such file" in command["reason"]


async def test_an_unreachable_management_api_is_tried_again_with_growing_waits_and_then_it_failed(
    plane, integrator, mi: FakeMi, admin, clock: FakeClock
) -> None:
    mi.stop()
    await change(admin, "ENDPOINT", "StockEP", "STATE", "DISABLED")
    tried: list[float] = []
    began, command = clock.now(), None
    for _ in range(120):
        await carried_out(plane)
        (command,) = await commands(admin)
        if command["attempts"] > len(tried):
            tried.append(clock.now() - began)
        if command["state"] == "FAILED":
            break
        assert "It is tried again in" in command["reason"]
        clock.advance(10)
        await integrator.delta()
        await plane.steer()
    assert command is not None
    assert (command["state"], command["attempts"]) == ("FAILED", 6)
    gaps = [after - before for before, after in pairwise(tried)]
    assert gaps == [30, 30, 60, 120, 240]
    assert "management port is open to the control plane" in command["reason"]
    await integrator.delta()
    await plane.steer()
    await carried_out(plane)
    assert len(await commands(admin)) == 1


async def test_a_management_api_that_comes_back_is_told(plane, integrator, mi: FakeMi, admin, clock: FakeClock) -> None:
    mi.trouble = Trouble.ERROR_500
    await change(admin, "ENDPOINT", "StockEP", "STATE", "DISABLED")
    await carried_out(plane)
    (command,) = await commands(admin)
    assert (command["state"], command["attempts"]) == ("DELIVERED", 1)
    assert "Synapse is not itself today" in command["reason"]
    mi.trouble = None
    clock.advance(40)
    await integrator.delta()
    await plane.steer()
    await carried_out(plane)
    assert mi.state["endpoints"]["StockEP"]["status"] == "inactive"


@pytest.mark.parametrize(
    ("members", "names"),
    [
        ({"runtimeHostname": "10.11.12.13"}, "PILOTHOUSE_MI_ALLOW"),
        ({"runtimeHostname": "169.254.169.254"}, "deployment.toml"),
        ({"runtimeHostname": None}, "deployment.toml"),
        ({"runtimePort": "many"}, "deployment.toml"),
    ],
)
async def test_an_address_that_policy_refuses_fails_at_once_and_says_what_to_do(
    plane, integrator, mi: FakeMi, admin, members: dict[str, Any], names: str
) -> None:
    integrator.extra = {key: value for key, value in (integrator.extra | members).items() if value is not None}
    integrator.hash = "another"
    await integrator.full()
    await change(admin, "ENDPOINT", "StockEP", "STATE", "DISABLED")
    await carried_out(plane)
    (command,) = await commands(admin)
    assert (command["state"], command["attempts"]) == ("FAILED", 1)
    assert names in command["reason"]
    assert mi.calls == []


async def test_a_refusal_fails_at_once_with_the_cause_and_the_fix(plane, integrator, mi: FakeMi, admin) -> None:
    mi.trouble = Trouble.FORBIDDEN
    await change(admin, "ENDPOINT", "StockEP", "STATE", "DISABLED")
    await carried_out(plane)
    (command,) = await commands(admin)
    assert command["state"] == "FAILED"
    assert "Only administrators may do this" in command["reason"]
    assert "icp_config" in command["reason"]


async def test_a_heartbeat_never_waits_for_a_call(plane, integrator, mi: FakeMi, admin) -> None:
    mi.trouble = Trouble.SLOW
    began = time.monotonic()
    await change(admin, "ENDPOINT", "StockEP", "STATE", "DISABLED")
    while not mi.under_way:
        await asyncio.sleep(0.01)
    for _ in range(5):
        assert (await integrator.delta())[0] == 200
        assert (await integrator.full())[0] == 200
        await plane.steer()
    assert time.monotonic() - began < 10  # the call itself is given up after fifteen seconds
    assert mi.under_way == 1
    assert mi.under_way_most == 1


async def test_a_later_wish_is_called_after_the_earlier_one(plane, integrator, mi: FakeMi, admin) -> None:
    mi.delay_s = 0.2
    await change(admin, "ENDPOINT", "StockEP", "STATE", "DISABLED")
    while not mi.under_way:
        await asyncio.sleep(0.01)
    await change(admin, "ENDPOINT", "StockEP", "TRACING", "ENABLED")
    await carried_out(plane)
    assert [call.body.get("status") or call.body.get("trace") for call in mi.calls] == ["inactive", "enable"]
    assert mi.under_way_most == 1


async def test_nobody_calls_a_runtime_that_is_offline_it_is_told_when_it_is_back(
    plane, integrator, mi: FakeMi, admin, clock: FakeClock
) -> None:
    clock.advance(200)
    await plane.watch()
    changed = await change(admin, "ENDPOINT", "StockEP", "STATE", "DISABLED")
    assert (changed["waiting"], changed["commands"]) == (1, [])
    for _ in range(3):
        await plane.steer()
        await carried_out(plane)
        clock.advance(60)
    assert (mi.calls, await commands(admin)) == ([], [])
    await integrator.delta()
    await plane.steer()
    await carried_out(plane)
    assert len(mi.calls) == 1


async def test_once_the_tunnel_is_proved_it_is_preferred(plane, integrator, mi: FakeMi, admin) -> None:
    (probe,) = integrator.first_answer["commands"]
    assert (probe["action"], json.loads(probe["payload"])["params"]["path"]) == ("MI_MGMT", "/management/logging")
    result = {
        "runtimeId": "mi-1", "commandId": probe["commandId"], "status": "COMPLETED", "httpStatus": 200, "body": {},
    }  # fmt: skip
    await integrator.send("/icp/commandResult", result)
    await change(admin, "ENDPOINT", "StockEP", "STATE", "DISABLED")
    await plane.steer()
    await carried_out(plane)
    assert mi.calls == []
    _, answer = await integrator.delta()
    (command,) = answer["commands"]
    record = json.loads(command["payload"])
    assert record["params"] == {
        "method": "POST", "path": "/management/endpoints", "body": {"name": "StockEP", "status": "inactive"},
    }  # fmt: skip
    assert [each["route"] for each in await commands(admin)] == ["TUNNEL"]


async def test_a_tunnel_that_falls_silent_is_doubted_and_the_api_is_called_again(
    plane, integrator, mi: FakeMi, admin, clock: FakeClock
) -> None:
    (probe,) = integrator.first_answer["commands"]
    result = {
        "runtimeId": "mi-1", "commandId": probe["commandId"], "status": "COMPLETED", "httpStatus": 200, "body": {},
    }  # fmt: skip
    await integrator.send("/icp/commandResult", result)
    await admin.ask(ASK, input={"runtime": await id_of(admin), "question": "LOGGERS"})
    for _ in range(8):  # it is offered to the tunnel, and nobody answers
        await integrator.delta()
        await plane.steer()
        await carried_out(plane)
        clock.advance(10)
    await plane.expire()
    assert [each["state"] for each in await commands(admin)] == ["EXPIRED"]
    await change(admin, "ENDPOINT", "StockEP", "STATE", "DISABLED")
    await carried_out(plane)
    for _ in range(3):
        clock.advance(5)
        await integrator.delta()
        await plane.steer()
        await carried_out(plane)
    assert [call.path for call in mi.calls] == ["/management/endpoints"]


async def test_a_name_that_would_leave_the_management_api_stays_in_its_place(
    plane, integrator, mi: FakeMi, admin
) -> None:
    for name in ("../users", "a&status=x", "ü#?%2e", "x" * 900):
        await admin.ask(
            ASK, input={"runtime": await id_of(admin), "question": "SOURCE", "kind": "ENDPOINT", "name": name}
        )
        await carried_out(plane)
    assert [call.query for call in mi.calls] == [
        {"endpointName": name} for name in ("../users", "a&status=x", "ü#?%2e", "x" * 900)
    ]


async def test_what_cannot_be_asked_is_refused_when_it_is_asked(plane, integrator, mi: FakeMi, admin) -> None:
    for given in (
        {"question": "SOURCE"},
        {"question": "SOURCE", "kind": "ENDPOINT"},
        {"question": "SOURCE", "kind": "LISTENER", "name": "x"},
        {"question": "SOURCE", "kind": "ENDPOINT", "name": "x" * 5_000},
    ):
        answer = await admin.try_asking(ASK, input={"runtime": await id_of(admin), **given})
        assert answer["errors"][0]["extensions"]["code"] in {"INVALID_INPUT", "NOT_SUPPORTED"}
    assert (mi.calls, await commands(admin)) == ([], [])
