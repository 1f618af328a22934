"""Commands as they leave: byte for byte the contract's; and results as they come: whatever they are, none is trusted."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pilothouse.domain.commands import WIRE_ACTIONS, Command, CommandAction
from pilothouse.domain.runtime import NodeFacts, ReportDocument
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.steering import Aspect, SteerableKind
from pilothouse.protocol.token import SigningKey
from pilothouse.protocol.wire_commands import InvalidResult, decode_result, sign, to_wire
from pilothouse.storage.commands import SteeredRuntime

GOLDENS = sorted((Path(__file__).parents[3] / "contracts" / "commands" / "v1").glob("*.json"))
LEAVES = [path for path in GOLDENS if not path.stem.startswith("bad-")]
T = 1_790_000_012.0


def instant_of(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def runtime_of(golden: dict[str, Any]) -> SteeredRuntime:
    return SteeredRuntime(
        key=1, id="x", runtime_id=golden["command"]["runtimeId"], name="n", runtime_type=RuntimeType(golden["to"]),
        project_id="p", integration_id="i", environment_id="e", key_id="k", artifact_digest="d",
        document=ReportDocument(node=NodeFacts()), tunnel_probed_at=None, tunnel_proved_at=None,
    )  # fmt: skip


def command_of(golden: dict[str, Any]) -> Command:
    """The command that this control plane keeps for what a golden file shows on the wire."""
    wire = golden["command"]
    payload = json.loads(wire.get("payload") or "{}")
    own: dict[str, Any] = {"id": wire["commandId"], "runtime_key": 1, "author": "operator", "queued_at": T}
    target = wire["targetArtifact"]
    if wire["action"] in {"MI_MGMT", "WORKFLOW_MGMT"}:
        own |= {"author": payload["identity"]["userId"], "deadline": instant_of(payload["deadline"])}
        if wire["action"] == "MI_MGMT":
            return Command(action=CommandAction.LIST_LOGGERS, **own)
        asked = {"operation": payload["operation"], "params": payload["params"], "isRead": True}
        return Command(action=CommandAction.WORKFLOW, payload=json.dumps(asked), **own)
    action = {wire: action for action, wire in WIRE_ACTIONS.items()}[wire["action"]]
    if action is CommandAction.LIST_LOGGERS:
        return Command(
            action=action, payload=json.dumps({"kind": None, "name": payload["search"], "type": None}), **own
        )
    if action is CommandAction.RESTART:
        return Command(action=action, value="1@0", **own)
    if "componentName" in payload:
        package = payload.get("componentPackage")
        name = payload["componentName"] if package is None else f"{package}:{payload['componentName']}"
        return Command(
            action=action, kind=SteerableKind.LOGGER, aspect=Aspect.LEVEL, name=name, value=payload.get("logLevel"), **own
        )  # fmt: skip
    kind = SteerableKind(payload.get("kind", "listener"))
    return Command(
        action=action, kind=kind, aspect=Aspect.STATE, name=target["name"], package=target["package"], **own
    )  # fmt: skip


@pytest.mark.parametrize("path", LEAVES, ids=lambda path: path.stem)
def test_a_command_leaves_as_the_contract_shows_it_to_the_last_byte_of_its_signature(path: Path) -> None:
    golden = json.loads(path.read_text())
    key = SigningKey(golden["key_material"].encode())
    told = to_wire(command_of(golden), runtime_of(golden), key, T)
    assert json.loads(msgspec.json.encode(told)) == {**golden["command"], "issuedAt": [int(T), 0.0]}


def test_there_are_goldens_for_every_type_of_runtime() -> None:
    assert {json.loads(path.read_text())["to"] for path in LEAVES} == {"PY", "BI", "MI"}


def test_the_signature_is_that_of_the_reference_case_65() -> None:
    key = SigningKey(b"key-material-that-is-at-least-32-bytes-long")
    signed = sign(key, "runtime-1", "cmd-1", "STOP", "greetingService", "hello/icp", "")
    assert signed == "W3lXJP/dtlfHIFCgTbMeQlTBF2tOpKIUmLUlKBWq210="


@given(st.lists(st.text(max_size=12), min_size=6, max_size=6), st.lists(st.text(max_size=12), min_size=6, max_size=6))
def test_different_commands_have_different_signatures(first: list[str], second: list[str]) -> None:
    key = SigningKey(b"k" * 32)
    assert (sign(key, *first) == sign(key, *second)) == (first == second)


@pytest.mark.parametrize(
    "path", [path for path in GOLDENS if json.loads(path.read_text()).get("result")], ids=lambda p: p.stem
)
def test_every_result_of_the_contract_is_read(path: Path) -> None:
    told = json.loads(path.read_text())["result"]
    result = decode_result(json.dumps(told).encode())
    assert (result.runtime_id, result.command_id) == (told["runtimeId"], told["commandId"])
    assert (result.completed, result.http_status) == (told["status"] == "COMPLETED", told["httpStatus"])
    assert json.loads(bytes(result.body)) == told["body"]


GOOD = {"runtimeId": "r", "commandId": "c", "status": "COMPLETED", "httpStatus": 200, "body": {"a": [1]}}


@pytest.mark.parametrize("body", [None, [], 1, "plain text", {"deep": [{}]}, ""])
def test_a_body_is_any_json(body: Any) -> None:
    assert json.loads(bytes(decode_result(json.dumps({**GOOD, "body": body}).encode()).body)) == body


@pytest.mark.parametrize(
    "changes",
    [
        {"runtimeId": ""},
        {"runtimeId": "x" * 101},
        {"commandId": None},
        {"commandId": "x" * 101},
        {"status": "MAYBE"},
        {"status": 200},
        {"httpStatus": "200"},
    ],
)
def test_what_is_no_result_is_refused_with_a_fix(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidResult) as caught:
        decode_result(json.dumps({**GOOD, **changes}).encode())
    assert caught.value.message.startswith("Invalid command result: ")
    assert caught.value.fix


@given(st.binary(max_size=200) | st.recursive(st.none() | st.text(), st.lists).map(lambda x: json.dumps(x).encode()))
@settings(max_examples=150, deadline=None)
def test_rubbish_is_refused_and_never_more_than_that(raw: bytes) -> None:
    with pytest.raises(InvalidResult):
        decode_result(raw)


def test_extra_members_and_missing_optional_ones_are_no_trouble() -> None:
    result = decode_result(json.dumps({"runtimeId": "r", "commandId": "c", "status": "FAILED", "more": 1}).encode())
    assert (result.completed, result.http_status, bytes(result.body)) == (False, 200, b"null")


def test_a_command_that_serves_a_wish_has_a_deadline_in_the_tunnel_from_its_delivery_on() -> None:
    command = Command(
        id="c", runtime_key=1, action=CommandAction.STOP, kind=SteerableKind.ENDPOINT, aspect=Aspect.STATE, name="EP",
        wish_number=1, author="ana", queued_at=T - 5_000, delivered_at=T,
    )  # fmt: skip
    mi = runtime_of({"to": "MI", "command": {"runtimeId": "r"}})
    told = to_wire(command, mi, SigningKey(b"k" * 32), T)
    record = json.loads(str(told["payload"]))
    assert instant_of(record["deadline"]) == T + 120
    assert record["identity"] == {"userId": "ana", "roles": []}


def test_an_escape_within_another_one_is_no_json_however_often_it_is_read() -> None:
    for inner in ("\\u\\u0000000", "\\u00\\u000000"):
        with pytest.raises(InvalidResult):
            decode_result(f'{{"runtimeId": "r", "commandId": "a{inner}b", "status": "COMPLETED"}}'.encode())
