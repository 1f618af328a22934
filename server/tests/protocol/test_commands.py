"""Commands have an honest life: conformance cases 44 to 57 in process, and what Python runtimes add."""

import base64
import hashlib
import hmac
import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from pilothouse.app.control_plane import ControlPlane
from pilothouse.base.clock import FakeClock

pytestmark = pytest.mark.anyio

CHANGE = """mutation ($input: ChangeArtifactInput!) { changeArtifact(input: $input) {
  desired { value version author } waiting commands { id state action name value runtime { runtimeId } } } }"""
COMMANDS = """query ($filter: CommandFilter) { commands(filter: $filter) {
  nodes { id state reason action name value attempts route deliveredAt endedAt result retryable author } totalCount } }"""
PLACE = {"project": "retail-core", "integration": "order-intake", "environment": "dev"}
ABLE = ["START", "STOP", "SET_LOGGER_LEVEL", "RESET_LOGGER_LEVEL", "LIST_LOGGERS", "TRIGGER", "RESTART", "channel"]


async def wish(admin, value: str = "DISABLED", **more: Any) -> dict[str, Any]:
    given = {**PLACE, "kind": "LISTENER", "name": "listener_1", "aspect": "STATE", "value": value, **more}
    return (await admin.ask(CHANGE, input=given))["changeArtifact"]


async def commands(admin, **wanted: Any) -> list[dict[str, Any]]:
    return (await admin.ask(COMMANDS, filter=wanted))["commands"]["nodes"]


async def id_of(admin, runtime) -> str:
    rows = (await admin.ask("{ runtimes { nodes { id runtimeId } } }"))["runtimes"]["nodes"]
    return next(row["id"] for row in rows if row["runtimeId"] == runtime.runtime_id)


def another(runtime, **changes: Any):
    """Another process beside one."""
    return replace(runtime, **{"artifacts": deepcopy(runtime.artifacts), "extra": {}, **changes})


def report(runtime, state: str, digest: str) -> None:
    runtime.artifacts["listeners"][0]["state"] = state
    runtime.hash = digest


def signature(secret: str, command: dict[str, Any]) -> str:
    target = command["targetArtifact"]
    parts = (
        "v1", command["runtimeId"], command["commandId"], command["action"], target["name"],
        target["package"] or "", command.get("payload") or "",
    )  # fmt: skip
    text = "".join(f"{len(part.encode())}:{part}" for part in parts)
    return base64.b64encode(hmac.digest(secret.partition(".")[2].encode(), text.encode(), hashlib.sha256)).decode()


async def test_case_44_a_stop_leaves_with_the_next_delta_signed_and_asks_for_a_full_heartbeat(runtime, admin) -> None:
    await runtime.full()
    changed = await wish(admin)
    assert changed["desired"] == {"value": "DISABLED", "version": 1, "author": "admin"}
    assert [(c["state"], c["action"]) for c in changed["commands"]] == [("QUEUED", "STOP")]
    status, answer = await runtime.delta()
    (command,) = answer["commands"]
    assert (status, answer["fullHeartbeatRequired"]) == (200, True)
    assert command["action"] == "STOP"
    assert command["targetArtifact"] == {"name": "listener_1", "package": "ballerina/http:2"}
    assert command["status"] == "PENDING"
    assert command["signature"] == signature(runtime.secret, command)
    assert [c["state"] for c in await commands(admin)] == ["DELIVERED"]


async def test_case_45_the_report_of_the_new_state_confirms_the_command(runtime, admin) -> None:
    await runtime.full()
    await wish(admin)
    await runtime.delta()
    report(runtime, "disabled", "hash-2")
    _, answer = await runtime.full()
    assert answer["commands"] == []
    assert not answer["fullHeartbeatRequired"]
    (command,) = await commands(admin)
    assert (command["state"], command["route"]) == ("CONFIRMED", "HEARTBEAT")
    assert command["reason"] == "The runtime reports disabled."
    _, answer = await runtime.delta()
    assert answer["commands"] == []


async def test_case_46_a_stop_without_effect_is_offered_again_with_growing_waits_and_fails_in_the_end(
    runtime, admin, clock: FakeClock
) -> None:
    await runtime.full()
    await wish(admin)
    offered: list[float] = []
    began = clock.now()
    for _ in range(140):
        _, answer = await runtime.full()
        if answer["commands"]:
            offered.append(clock.now() - began)
        clock.advance(10)
    assert offered == [0, 10, 20, 80, 200, 440]
    (command,) = await commands(admin)
    assert (command["state"], command["attempts"], command["retryable"]) == ("FAILED", 6, True)
    assert "still reports enabled" in command["reason"]
    changes = (await admin.ask("{ runtimes { nodes { status changes { state reason failedCommands } } } }"))["runtimes"]
    assert changes["nodes"][0]["changes"]["state"] == "STALLED"
    assert changes["nodes"][0]["status"] == "RUNNING"


async def test_a_failed_command_can_be_tried_again(runtime, admin, clock: FakeClock) -> None:
    await test_case_46_a_stop_without_effect_is_offered_again_with_growing_waits_and_fails_in_the_end(
        runtime, admin, clock
    )
    (failed,) = await commands(admin)
    retry = "mutation ($id: ID!) { retryCommand(id: $id) { id state } }"
    again = (await admin.ask(retry, id=failed["id"]))["retryCommand"]
    assert again["state"] == "QUEUED"
    refused = await admin.try_asking(retry, id=failed["id"])
    assert refused["errors"][0]["extensions"]["code"] == "CONFLICT"
    _, answer = await runtime.delta()
    assert [command["commandId"] for command in answer["commands"]] == [again["id"]]


async def test_case_47_a_stop_whose_answer_was_lost_is_offered_with_the_next_delta(
    runtime, admin, clock: FakeClock
) -> None:
    await runtime.full()
    await wish(admin)
    _, lost = await runtime.delta()
    clock.advance(10)
    _, answer = await runtime.delta()
    assert [c["commandId"] for c in answer["commands"]] == [c["commandId"] for c in lost["commands"]]


async def test_case_48_nothing_is_sent_to_a_runtime_that_does_not_host_the_listener(runtime, admin) -> None:
    await runtime.full()
    other = another(runtime, runtime_id="other", name="other", artifacts={"listeners": []})
    await other.full()
    await wish(admin)
    _, answer = await other.delta()
    assert answer["commands"] == []


async def test_case_49_a_ballerina_log_level_has_exactly_three_members(runtime, admin) -> None:
    runtime.extra["logLevels"] = {"acme/order_intake:auditLogger": "INFO", "acme/order_intake": "INFO"}
    await runtime.full()
    level = "mutation ($input: ChangeLogLevelInput!) { changeLogLevel(input: $input) { commands { id } } }"
    await admin.ask(level, input={**PLACE, "logger": "acme/order_intake:auditLogger", "level": "DEBUG"})
    _, answer = await runtime.delta()
    (command,) = answer["commands"]
    assert command["action"] == "SET_LOGGER_LEVEL"
    assert json.loads(command["payload"]) == {
        "componentName": "auditLogger",
        "componentPackage": "acme/order_intake",
        "logLevel": "DEBUG",
    }
    assert command["signature"] == signature(runtime.secret, command)


async def test_case_50_a_level_that_ballerina_cannot_parse_is_refused(runtime, admin) -> None:
    runtime.extra["logLevels"] = {"acme/order_intake": "INFO"}
    await runtime.full()
    level = "mutation ($input: ChangeLogLevelInput!) { changeLogLevel(input: $input) { commands { id } } }"
    answer = await admin.try_asking(level, input={**PLACE, "logger": "acme/order_intake", "level": "TRACE"})
    extensions = answer["errors"][0]["extensions"]
    assert (extensions["code"], extensions["field"]) == ("INVALID_INPUT", "level")
    assert "DEBUG, INFO, WARN, ERROR" in extensions["fix"]


async def test_case_51_workflow_work_needs_the_capability(runtime, admin) -> None:
    await runtime.full()
    run = "mutation ($input: WorkflowOperationInput!) { runWorkflowOperation(input: $input) { id } }"
    given = {**PLACE, "operation": "instances.list", "params": "{}"}
    answer = await admin.try_asking(run, input=given)
    assert answer["errors"][0]["extensions"]["code"] == "CAPABILITY_MISSING"
    able = another(runtime, runtime_id="able", extra={"capabilities": ["workflowCommands"]})
    await able.full()
    asked = (await admin.ask(run, input=given))["runWorkflowOperation"]
    _, answer = await runtime.delta()
    assert answer["commands"] == []
    _, answer = await able.delta()
    (command,) = answer["commands"]
    assert (command["action"], command["targetArtifact"]["name"]) == ("WORKFLOW_MGMT", "workflow")
    payload = json.loads(command["payload"])
    assert set(payload) == {"commandId", "operation", "params", "identity", "deadline"}
    assert (payload["commandId"], payload["operation"], payload["params"]) == (asked["id"], "instances.list", {})
    assert answer["fullHeartbeatRequired"] is False
    result = {"runtimeId": "able", "commandId": asked["id"], "status": "COMPLETED", "httpStatus": 200, "body": [1]}
    assert await able.send("/icp/commandResult", result) == (202, {"accepted": True})
    (command,) = await commands(admin)
    assert (command["state"], command["result"]) == ("CONFIRMED", "[1]")


@pytest.fixture
async def mi(runtime, admin):
    """A Micro Integrator whose tunnel is proved."""
    integrator = another(
        runtime,
        secret=await admin.secret(),
        integration="quotes",
        type="MI",
        runtime_id="mi-1",
        artifacts={"tasks": [{"name": "Sweep", "state": "enabled"}], "apis": []},
        extra={"runtimeHostname": "mi-1.example", "runtimePort": "9164"},
    )
    _, answer = await integrator.full()
    (probe,) = answer["commands"]
    assert probe["action"] == "MI_MGMT"
    result = {
        "runtimeId": "mi-1",
        "commandId": probe["commandId"],
        "status": "COMPLETED",
        "httpStatus": 200,
        "body": {},
    }
    assert await integrator.send("/icp/commandResult", result) == (202, {"accepted": True})
    return integrator


async def ask_loggers(admin, runtime) -> dict[str, Any]:
    ask = "mutation ($input: AskRuntimeInput!) { askRuntime(input: $input) { id state } }"
    given = {"runtime": await id_of(admin, runtime), "question": "LOGGERS"}
    return (await admin.ask(ask, input=given))["askRuntime"]


async def test_case_52_work_waits_for_the_full_heartbeat_that_a_delta_asks_for(mi, admin) -> None:
    asked = await ask_loggers(admin, mi)
    mi.hash = "hash-2"
    _, answer = await mi.delta()
    assert (answer["commands"], answer["fullHeartbeatRequired"]) == ([], True)
    _, answer = await mi.full()
    assert [command["commandId"] for command in answer["commands"]] == [asked["id"]]


async def test_case_53_the_record_of_the_tunnel_has_exactly_its_members(mi, admin) -> None:
    asked = await ask_loggers(admin, mi)
    _, answer = await mi.delta()
    (command,) = answer["commands"]
    assert (command["action"], command["targetArtifact"]["name"]) == ("MI_MGMT", "management")
    record = json.loads(command["payload"])
    assert set(record) == {"commandId", "operation", "params", "identity", "deadline"}
    assert (record["commandId"], record["operation"]) == (asked["id"], "management")
    assert record["params"] == {"method": "GET", "path": "/management/logging", "body": None}
    assert record["identity"] == {"userId": "admin", "roles": []}
    assert command["signature"] == signature(mi.secret, command)


async def test_case_54_results_that_are_none_of_ours_change_nothing(mi, runtime, admin) -> None:
    asked = await ask_loggers(admin, mi)
    good = {"runtimeId": "mi-1", "commandId": asked["id"], "status": "COMPLETED", "httpStatus": 200, "body": {"n": 1}}
    early, _ = await mi.send("/icp/commandResult", good)
    await mi.delta()
    assert early == 202
    status, refused = await mi.send("/icp/commandResult", good, authorization="Bearer x.y.z")
    assert (status, refused["error"]) == (401, True)
    status, refused = await mi.send("/icp/commandResult", {"status": "MAYBE"})
    assert (status, refused["code"]) == (400, "COMMAND_RESULT_INVALID")
    await runtime.full()
    for sender, body in ((mi, {**good, "commandId": "nobody"}), (runtime, good), (mi, {**good, "runtimeId": "x"})):
        assert await sender.send("/icp/commandResult", body) == (202, {"accepted": True})
    assert (await commands(admin))[0]["state"] == "DELIVERED"
    await mi.send("/icp/commandResult", good)
    await mi.send("/icp/commandResult", {**good, "status": "FAILED", "body": {"n": 2}})
    (command,) = await commands(admin)
    assert (command["state"], command["result"]) == ("CONFIRMED", '{"n": 1}')


async def test_case_56_a_write_without_an_answer_expires_and_is_not_sent_again(
    mi, admin, plane: ControlPlane, clock: FakeClock
) -> None:
    run = """mutation ($input: TriggerArtifactInput!) { triggerArtifact(input: $input) { id } }"""
    await admin.ask(run, input={"runtime": await id_of(admin, mi), "kind": "TASK", "name": "Sweep"})
    _, answer = await mi.delta()
    assert len(answer["commands"]) == 1
    for _ in range(13):
        clock.advance(10)
        _, answer = await mi.delta()
        assert answer["commands"] == []
    await plane.expire()
    (command,) = await commands(admin)
    assert (command["state"], command["attempts"]) == ("EXPIRED", 1)


async def test_case_57_a_runtime_that_somebody_waits_for_is_told_to_come_back_soon(mi, admin, clock: FakeClock) -> None:
    await ask_loggers(admin, mi)
    told: list[int | None] = []
    for _ in range(5):
        _, answer = await mi.delta()
        told.append(answer.get("nextHeartbeatInSeconds"))
        clock.advance(8)
    assert told == [1, 2, 5, 10, None]


async def test_a_wish_supersedes_what_is_on_its_way(runtime, admin) -> None:
    await runtime.full()
    await wish(admin)
    await runtime.delta()
    await wish(admin, "ENABLED")
    assert [c["state"] for c in await commands(admin)] == ["SUPERSEDED"]
    report(runtime, "disabled", "hash-2")
    _, answer = await runtime.full()
    assert [c["action"] for c in answer["commands"]] == ["START"]
    assert sorted(c["state"] for c in await commands(admin)) == ["DELIVERED", "SUPERSEDED"]


async def test_a_runtime_that_comes_back_is_told_what_is_desired_meanwhile(
    runtime, admin, plane: ControlPlane, clock: FakeClock
) -> None:
    await runtime.full()
    clock.advance(200)
    await plane.watch()
    changed = await wish(admin)
    assert (changed["waiting"], changed["commands"]) == (1, [])
    _, answer = await runtime.delta()
    assert [c["action"] for c in answer["commands"]] == ["STOP"]


async def test_what_is_on_its_way_to_a_runtime_that_goes_offline_expires_and_is_told_again(
    runtime, admin, plane: ControlPlane, clock: FakeClock
) -> None:
    await runtime.full()
    await wish(admin)
    await runtime.delta()
    for _ in range(50):
        clock.advance(4)
        await plane.watch()
    assert [c["state"] for c in await commands(admin)] == ["EXPIRED"]
    _, answer = await runtime.delta()
    assert [c["action"] for c in answer["commands"]] == ["STOP"]


async def test_what_is_desired_survives_a_restart_of_the_control_plane(runtime, admin, plane: ControlPlane) -> None:
    await runtime.full()
    await wish(admin)
    plane.agenda.drop(1)
    await plane.start()
    _, answer = await runtime.delta()
    assert [c["action"] for c in answer["commands"]] == ["STOP"]


async def test_another_listener_under_the_same_name_is_left_alone(runtime, admin) -> None:
    await runtime.full()
    await wish(admin)
    runtime.artifacts["services"][0]["basePath"] = "/payments"
    runtime.hash = "hash-2"
    _, answer = await runtime.full()
    assert answer["commands"] == []
    steering = """query { steering(project: "retail-core", integration: "order-intake", environment: "dev") {
      differing artifacts { nodes { name aspects { inSync desired { value suspendedReason } } } } } }"""
    (artifact,) = (await admin.ask(steering))["steering"]["artifacts"]["nodes"]
    assert "Another listener" in artifact["aspects"][0]["desired"]["suspendedReason"]
    await wish(admin)
    _, answer = await runtime.delta()
    assert [c["action"] for c in answer["commands"]] == ["STOP"]


async def test_replicas_that_disagree_are_shown(runtime, admin) -> None:
    await runtime.full()
    stopped = another(runtime, runtime_id="two", name="orders-node-2")
    report(stopped, "disabled", "hash-3")
    await stopped.full()
    bare = another(runtime, runtime_id="three", name="orders-node-3", artifacts={})
    await bare.full()
    steering = """query { steering(project: "retail-core", integration: "order-intake", environment: "dev") {
      differing drift { message runtimes { name } }
      artifacts { nodes { label missingOn { name } aspects { inSync observed { value runtimes { name } } } } } } }"""
    shown = (await admin.ask(steering))["steering"]
    (artifact,) = shown["artifacts"]["nodes"]
    assert artifact["label"] == "HTTP 9090"
    assert [row["name"] for row in artifact["missingOn"]] == ["orders-node-3"]
    values = {seen["value"]: [row["name"] for row in seen["runtimes"]] for seen in artifact["aspects"][0]["observed"]}
    assert values == {"ENABLED": ["orders-node-1"], "DISABLED": ["orders-node-2"]}
    assert shown["differing"] == 1
    assert [drift["message"] for drift in shown["drift"]] == [
        "listener listener_1 is missing on orders-node-3.",
        "listener listener_1, state: disabled on orders-node-2, enabled on orders-node-1.",
    ]


async def test_a_critical_environment_is_confirmed_by_its_name(runtime, admin) -> None:
    runtime = another(runtime, secret=await admin.secret("prod"), environment="prod")
    await runtime.full()
    given = {**PLACE, "environment": "prod", "kind": "LISTENER", "name": "listener_1", "aspect": "STATE"}
    answer = await admin.try_asking(CHANGE, input={**given, "value": "DISABLED"})
    assert answer["errors"][0]["extensions"]["code"] == "CONFIRMATION_NEEDED"
    await admin.ask(CHANGE, input={**given, "value": "DISABLED", "confirm": "prod"})


async def test_a_forgotten_wish_is_sent_to_nobody_any_more(runtime, admin) -> None:
    await runtime.full()
    await wish(admin)
    forget = "mutation ($input: ForgetDesiredStateInput!) { forgetDesiredState(input: $input) }"
    given = {**PLACE, "kind": "LISTENER", "name": "listener_1", "aspect": "STATE"}
    assert (await admin.ask(forget, input=given))["forgetDesiredState"] is True
    assert (await admin.ask(forget, input=given))["forgetDesiredState"] is False
    _, answer = await runtime.delta()
    assert answer["commands"] == []
    assert [c["state"] for c in await commands(admin)] == ["SUPERSEDED"]


async def test_a_gate_counts_as_stopped_and_is_never_called_so(runtime, admin) -> None:
    runtime = another(runtime, secret=await admin.secret(), type="PY", extra={"capabilities": ABLE})
    await runtime.full()
    await wish(admin)
    _, answer = await runtime.delta()
    assert json.loads(answer["commands"][0]["payload"]) == {"kind": "listener", "graceSeconds": 30}
    report(runtime, "gated", "hash-2")
    await runtime.full()
    (command,) = await commands(admin)
    assert command["state"] == "CONFIRMED"
    assert "gated" in command["reason"]
    listeners = "{ runtimes { nodes { listeners { nodes { state } } } } }"
    rows = (await admin.ask(listeners))["runtimes"]["nodes"]
    assert rows[0]["listeners"]["nodes"] == [{"state": "GATED"}]


async def test_a_runtime_that_declares_nothing_is_told_nothing(runtime, admin) -> None:
    runtime = another(runtime, secret=await admin.secret(), type="PY")
    await runtime.full()
    await wish(admin)
    _, answer = await runtime.delta()
    assert answer["commands"] == []


async def test_what_a_python_runtime_refuses_fails_with_its_own_words(runtime, admin) -> None:
    runtime = another(runtime, secret=await admin.secret(), type="PY", extra={"capabilities": ABLE})
    await runtime.full()
    await wish(admin)
    _, answer = await runtime.delta()
    body = {"code": "PORT_IN_USE", "message": "Port 9090 is taken.", "fix": "Free it."}
    result = {
        "runtimeId": runtime.runtime_id, "commandId": answer["commands"][0]["commandId"],
        "status": "FAILED", "httpStatus": 409, "body": body,
    }  # fmt: skip
    await runtime.send("/icp/commandResult", result)
    (command,) = await commands(admin)
    assert (command["state"], command["reason"]) == ("FAILED", "Port 9090 is taken. (PORT_IN_USE) Free it.")


async def test_a_restart_is_confirmed_by_the_next_process(runtime, admin, clock: FakeClock) -> None:
    node = {"nodeInfo": {"processId": 1, "startedAt": [1_790_000_000, 0]}}
    runtime = another(runtime, secret=await admin.secret(), type="PY", extra={"capabilities": ABLE, **node})
    await runtime.full()
    restart = "mutation ($id: ID!) { restartRuntime(id: $id) { id state } }"
    await admin.ask(restart, id=await id_of(admin, runtime))
    _, answer = await runtime.delta()
    assert [c["action"] for c in answer["commands"]] == ["RESTART"]
    clock.advance(5)
    runtime.extra["nodeInfo"] = {"processId": 2, "startedAt": [1_790_000_005, 0]}
    await runtime.full()
    assert [c["state"] for c in await commands(admin)] == ["CONFIRMED"]


async def test_what_cannot_be_steered_is_refused_with_what_can(runtime, admin) -> None:
    await runtime.full()
    for given, field in (
        ({"kind": "TASK"}, "kind"),
        ({"aspect": "TRACING"}, "aspect"),
        ({"value": "MAYBE"}, "value"),
        ({"name": "nobody"}, "name"),
        ({"integration": "nobody"}, "integration"),
        ({"environment": "nobody"}, "environment"),
    ):
        asked = {**PLACE, "kind": "LISTENER", "name": "listener_1", "aspect": "STATE", "value": "DISABLED", **given}
        answer = await admin.try_asking(CHANGE, input=asked)
        extensions = answer["errors"][0]["extensions"]
        assert (extensions["field"], bool(extensions["fix"])) == (field, True)
    assert await commands(admin) == []


async def test_case_61_a_live_runtime_that_is_removed_comes_back(runtime, admin) -> None:
    await runtime.full()
    remove = """mutation ($id: ID!, $revoke: Boolean) { deleteRuntime(id: $id, revokeSecret: $revoke) {
      deleted orphanedKeyId secretRevoked } }"""
    removed = (await admin.ask(remove, id=await id_of(admin, runtime)))["deleteRuntime"]
    assert removed == {"deleted": True, "orphanedKeyId": runtime.secret[:8], "secretRevoked": False}
    assert (await admin.ask("{ runtimes { totalCount } }"))["runtimes"]["totalCount"] == 0
    _, answer = await runtime.delta()
    assert answer["fullHeartbeatRequired"] is True
    await runtime.full()
    assert (await admin.ask("{ runtimes { totalCount } }"))["runtimes"]["totalCount"] == 1


async def test_case_62_a_runtime_removed_with_its_secret_stays_away(runtime, admin) -> None:
    await runtime.full()
    await runtime.delta()
    remove = """mutation ($id: ID!) { deleteRuntime(id: $id, revokeSecret: true) { orphanedKeyId secretRevoked } }"""
    removed = (await admin.ask(remove, id=await id_of(admin, runtime)))["deleteRuntime"]
    assert removed == {"orphanedKeyId": runtime.secret[:8], "secretRevoked": True}
    status, answer = await runtime.delta()
    assert (status, answer["code"]) == (400, "KEY_REVOKED")


async def test_an_idle_beat_beside_open_commands_of_others_costs_no_statement(
    runtime, admin, plane: ControlPlane
) -> None:
    await runtime.full()
    idle = another(runtime, runtime_id="idle", name="idle", artifacts={})
    await idle.full()
    await wish(admin)
    await idle.delta()  # looked at once after the change
    from sqlalchemy import event

    statements: list[str] = []
    for engine in (plane.store.reader_engine, plane.store.writer_engine):
        event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    await idle.delta()
    assert statements == []


async def test_a_restart_of_a_process_that_executes_itself_anew_is_confirmed_by_its_return(
    runtime, admin, plane: ControlPlane, clock: FakeClock
) -> None:
    node = {"nodeInfo": {"processId": 1, "startedAt": [1_790_000_000, 0]}}
    python = another(runtime, secret=await admin.secret(), type="PY", extra={"capabilities": ABLE, **node})
    await python.full()
    restart = "mutation ($id: ID!) { restartRuntime(id: $id) { id state } }"
    asked = (await admin.ask(restart, id=await id_of(admin, python)))["restartRuntime"]
    await python.delta()
    clock.advance(1)
    body = {"outcome": "restarting", "message": "The program executes itself anew."}
    result = {
        "runtimeId": python.runtime_id, "commandId": asked["id"], "status": "COMPLETED", "httpStatus": 200, "body": body,
    }  # fmt: skip
    await python.send("/icp/commandResult", result)
    (entry,) = [plane.board.find_key(1)]
    plane.desk.say_goodbye(entry)
    await plane.watch()
    clock.advance(1)
    assert [c["state"] for c in await commands(admin)] == ["DELIVERED"]
    await python.full()
    assert [c["state"] for c in await commands(admin)] == ["CONFIRMED"]


async def test_a_tunnel_that_falls_silent_is_doubted_and_proved_anew(
    mi, admin, plane: ControlPlane, clock: FakeClock
) -> None:
    await ask_loggers(admin, mi)
    _, answer = await mi.delta()
    assert len(answer["commands"]) == 1
    clock.advance(61)
    await plane.expire()
    assert (await commands(admin))[0]["state"] == "EXPIRED"
    await ask_loggers(admin, mi)
    mi.hash = "hash-2"
    mi.artifacts["tasks"][0]["state"] = "disabled"
    _, answer = await mi.full()
    (probe,) = answer["commands"]
    assert json.loads(probe["payload"])["identity"]["userId"] == "control plane"


async def test_what_was_asked_once_of_a_critical_environment_is_not_repeated_unasked(
    runtime, admin, plane: ControlPlane, clock: FakeClock
) -> None:
    python = another(
        runtime, secret=await admin.secret("prod"), environment="prod", type="PY", extra={"capabilities": ABLE}
    )
    await python.full()
    restart = 'mutation ($id: ID!) { restartRuntime(id: $id, confirm: "prod") { id } }'
    asked = (await admin.ask(restart, id=await id_of(admin, python)))["restartRuntime"]
    clock.advance(301)
    await plane.expire()
    await python.delta()
    answer = await admin.try_asking("mutation ($id: ID!) { retryCommand(id: $id) { id } }", id=asked["id"])
    assert answer["errors"][0]["extensions"]["fix"] == "Ask for it anew, and confirm it."
