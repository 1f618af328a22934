"""What stands on the wire is what the contract says."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pilothouse_bridge import _node, _wire
from pilothouse_bridge._inventory import Consumer, Inventory, Listener, ListenerState, Resource, Schedule, Service
from pilothouse_bridge._wire import Report

NODE = _node.Node("python", "CPython 3.11.7", "/usr", "Linux", "6.1", "x86_64", "host-1", 4711, 1790000000.25)
INVENTORY = Inventory(
    (Listener("http-8290", "uvicorn", ListenerState.ENABLED, "HTTP", "127.0.0.1", 8290),),
    (Service("Orders", "/", "shop.app", ("http-8290",), (Resource(("GET",), "/orders/{id}", "shop/app.py:7"),)),),
    (("root", "INFO"),),
)
GOLDEN = Path(__file__).parents[2] / "contracts" / "heartbeat" / "v1" / "full-py.json"


def report(**more: Any) -> Report:
    members: dict[str, Any] = {
        "runtime_id": "id-1",
        "runtime": None,
        "environment": "dev",
        "project": "shop",
        "integration": "orders",
        "version": None,
        "heartbeat_interval_s": 10.0,
        "node": NODE,
        "inventory": INVENTORY,
    }
    return Report(**(members | more))


def test_a_full_heartbeat_says_everything() -> None:
    message = _wire.full(report(runtime="node-1", version="1.0"))
    assert json.loads(message.encode(1790000100.5)) == {
        "runtimeId": "id-1",
        "runtime": "node-1",
        "runtimeType": "PY",
        "heartbeatVersion": "v1.0",
        "heartbeatIntervalSeconds": 10,
        "status": "RUNNING",
        "environment": "dev",
        "project": "shop",
        "component": "orders",
        "version": "1.0",
        "nodeInfo": {
            "platformName": "python",
            "platformVersion": "CPython 3.11.7",
            "platformHome": "/usr",
            "osName": "Linux",
            "osVersion": "6.1",
            "osArch": "x86_64",
            "hostname": "host-1",
            "processId": 4711,
            "startedAt": [1790000000, 0.25],
        },
        "artifacts": {
            "listeners": [
                {
                    "name": "http-8290",
                    "package": "uvicorn",
                    "state": "enabled",
                    "protocol": "HTTP",
                    "host": "127.0.0.1",
                    "port": 8290,
                }
            ],
            "services": [
                {
                    "name": "Orders",
                    "basePath": "/",
                    "package": "shop.app",
                    "state": "enabled",
                    "listeners": [{"name": "http-8290"}],
                    "resources": [{"methods": ["GET"], "url": "/orders/{id}", "source": "shop/app.py:7"}],
                }
            ],
        },
        "logLevels": {"root": "INFO"},
        "runtimeHash": message.hash,
        "timestamp": [1790000100, 0.5],
    }


def test_what_can_be_steered_and_what_stands_in_the_way_is_said() -> None:
    inventory = Inventory(
        listeners=(Listener("http-1", "uvicorn", ListenerState.GATED, "HTTP", "::1", 1, "A parent holds it."),),
        consumers=(
            Consumer("orders", "faststream", ListenerState.ENABLED, "kafka", "orders", "shop", "shop/app.py:3"),
            Consumer("bare", "faststream", ListenerState.DRAINING, "nats", "bare.>", state_reason="2 in hand."),
        ),
        schedules=(Schedule("nightly", "apscheduler", ListenerState.DISABLED, "every day at 02:00"),),
        log_handlers=(("orders", "StreamHandler", "WARN"),),
    )
    body = json.loads(_wire.full(report(inventory=inventory, capabilities=("START", "STOP"))).encode(0))
    assert body["artifacts"] == {
        "listeners": [
            {
                "name": "http-1",
                "package": "uvicorn",
                "state": "gated",
                "stateReason": "A parent holds it.",
                "protocol": "HTTP",
                "host": "::1",
                "port": 1,
            }
        ],
        "services": [],
        "consumers": [
            {
                "name": "orders",
                "package": "faststream",
                "state": "enabled",
                "protocol": "kafka",
                "source": "orders",
                "group": "shop",
                "handler": "shop/app.py:3",
            },
            {
                "name": "bare",
                "package": "faststream",
                "state": "draining",
                "stateReason": "2 in hand.",
                "protocol": "nats",
                "source": "bare.>",
            },
        ],
        "schedules": [
            {"name": "nightly", "package": "apscheduler", "state": "disabled", "trigger": "every day at 02:00"}
        ],
    }
    assert body["logHandlers"] == [{"logger": "orders", "handler": "StreamHandler", "level": "WARN"}]
    assert body["capabilities"] == ["START", "STOP"]


def test_what_is_not_there_is_absent_and_never_null() -> None:
    body = json.loads(_wire.full(report(inventory=Inventory())).encode(0))
    assert "runtime" not in body
    assert "version" not in body
    assert not {"capabilities", "logHandlers"} & set(body)
    assert body["artifacts"] == {"listeners": [], "services": []}


def test_the_hash_tells_changes_and_nothing_else() -> None:
    base = _wire.full(report())
    assert _wire.full(report()).hash == base.hash
    assert base.encode(1) != base.encode(2)
    changed = [
        report(runtime="n"),
        report(version="2"),
        report(environment="prod"),
        report(inventory=Inventory()),
        report(heartbeat_interval_s=5.0),
    ]
    assert len({_wire.full(one).hash for one in changed} | {base.hash}) == len(changed) + 1
    assert len(base.hash) <= 44


@given(name=st.text(), now_s=st.floats(0, 4e9))
def test_any_text_arrives(name: str, now_s: float) -> None:
    body = json.loads(_wire.full(report(project=name)).encode(now_s))
    seconds, fraction = body["timestamp"]
    assert body["project"] == name
    assert isinstance(seconds, int)
    assert 0 <= fraction <= 1
    assert abs(seconds + fraction - now_s) < 1e-3


@given(junk=st.binary(max_size=200))
def test_no_answer_breaks_the_reader(junk: bytes) -> None:
    _wire.read_refusal(junk)
    try:
        _wire.read_answer(junk)
    except ValueError:
        return
    assert b"acknowledged" in junk


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@given(
    members=st.dictionaries(
        st.sampled_from(["fullHeartbeatRequired", "commands", "errors", "nextHeartbeatInSeconds", "message", "x"]),
        json_values,
    )
)
def test_an_acknowledgement_stands_whatever_else_is_said(members: dict[str, Any]) -> None:
    answer = _wire.read_answer(json.dumps(members | {"acknowledged": True}).encode())
    assert answer.acknowledged
    assert answer.next_heartbeat_s is None or answer.next_heartbeat_s > 0


def test_a_long_refusal_becomes_one_line() -> None:
    refusal = _wire.read_refusal(b"\x1b[31m" + b"no\n" * 5000)
    assert len(refusal.message) == 500
    assert "\n" not in refusal.message
    assert "\x1b" not in refusal.message


def shape(value: Any) -> Any:
    """Names and JSON types, without values: what a decoder depends on."""
    if isinstance(value, dict):
        return {key: shape(member) for key, member in value.items()}
    if isinstance(value, list):
        return "utc" if [type(one) for one in value] == [int, float] else [shape(one) for one in value[:1]]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def test_the_contracts_message_of_a_python_runtime_has_our_very_shape() -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))["body"]
    ours = json.loads(_wire.full(report(runtime="n", version="1")).encode(1.5))
    golden["logLevels"] = ours["logLevels"] = {}  # names of loggers are the program's
    assert shape(ours) == shape(golden)
