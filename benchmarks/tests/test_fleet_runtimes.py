import json
import random

import pytest

from benchmarks.fleet.ballerina import Ballerina
from benchmarks.fleet.homes import Kind, make_homes
from benchmarks.fleet.micro_integrator import MicroIntegrator
from benchmarks.fleet.python_runtime import PythonRuntime
from benchmarks.fleet.runtimes import DELTA_PATH, FULL_PATH, RESULT_PATH, Runtime, Tally
from benchmarks.fleet.tokens import Secret

FIELDS = ["tryItHost", "openApiDefinitions", "workflowMetadata"]
MATERIAL = "key-material-that-is-at-least-32-bytes-long"


def runtime(kind: Kind) -> Runtime:
    home = make_homes(kind, 1, 7)[0]
    home.secret = Secret(f"a1b2c3d4.{MATERIAL}")
    made = {"BI": Ballerina, "MI": MicroIntegrator, "PY": PythonRuntime}[kind.value[:2].upper()]
    return made(home, "runtime-1", "node-1", 10.0, Tally(), random.Random(1))  # noqa: S311 - repeatable


def answer(**members: object) -> bytes:
    return json.dumps({"acknowledged": True, "supportedHeartbeatFields": FIELDS, **members}).encode()


def command(action: str, name: str, payload: object = None, **members: object) -> dict:
    made = {
        "commandId": "cmd-1",
        "runtimeId": "runtime-1",
        "targetArtifact": {"name": name, "package": "hello/icp"},
        "action": action,
        "issuedAt": [1790000012, 0.0],
        "status": "PENDING",
    }
    if payload is not None:
        made["payload"] = json.dumps(payload)
    return {**made, **members}


def said(send: object) -> dict:
    return json.loads(send.body(1_790_000_000.5))


def up(ballerina: Runtime) -> None:
    for _ in range(2):
        ballerina.answered(ballerina.beat(100.0), 200, answer(), 100.0)
    assert ballerina.beat(100.0).path is DELTA_PATH


def test_ballerina_starts_without_optional_fields_then_offers_what_is_supported_then_sends_deltas():
    bi = runtime(Kind.BI)
    first = bi.beat(0.0)
    bi.answered(first, 200, answer(), 0.0)
    second = bi.beat(10.0)
    bi.answered(second, 200, answer(), 10.0)
    third = bi.beat(20.0)

    assert (first.path, second.path, third.path) == (FULL_PATH, FULL_PATH, DELTA_PATH)
    assert "tryItHost" not in said(first)
    assert said(second)["tryItHost"] == "localhost"
    assert said(third)["runtimeHash"] == said(second)["runtimeHash"]
    assert said(first)["timestamp"] == [1_790_000_000, 0.5]


@pytest.mark.parametrize("fields", [[*FIELDS[::-1]], FIELDS[:2], None])
def test_ballerina_sends_a_full_heartbeat_when_the_ordered_list_of_fields_changes(fields):
    bi = runtime(Kind.BI)
    up(bi)
    changed = {"acknowledged": True} if fields is None else {"acknowledged": True, "supportedHeartbeatFields": fields}
    bi.answered(bi.beat(120.0), 200, json.dumps(changed).encode(), 120.0)

    assert bi.beat(130.0).path is FULL_PATH


@pytest.mark.parametrize(("status", "body"), [(503, b"{}"), (401, b'{"code":"X"}'), (200, b'{"acknowledged":false}')])
def test_the_failure_of_the_very_first_heartbeat_ends_old_ballerina_for_good_and_the_new_one_not(status, body):
    old, new = runtime(Kind.BI), runtime(Kind.BI_PLUS)
    for each in (old, new):
        each.answered(each.beat(0.0), status, body, 0.0)

    assert old.lost is not None
    assert list(old.tally.lost.values()) == [1]
    assert new.lost is None
    assert new.beat(10.0).path is FULL_PATH


def test_ballerina_tries_twice_more_within_the_call_and_then_gives_the_beat_up():
    bi = runtime(Kind.BI)
    first = bi.beat(0.0)

    assert [bi.unreachable(first, 0.0) for _ in range(3)] == [5.0, 10.0, None]
    assert bi.lost == "first heartbeat failed (unreachable)"


def test_an_established_ballerina_survives_refusals_and_keeps_its_ticks():
    bi = runtime(Kind.BI)
    bi.beat(100.0)
    up(bi)
    bi.answered(bi.beat(110.0), 401, b"{}", 110.4)

    assert bi.lost is None
    assert 120.0 <= bi.next_beat_at(110.4) <= 120.3
    assert bi.beat(120.0).path is DELTA_PATH


@pytest.mark.parametrize(
    "members",
    [
        {"commands": [command("RESET_LOGGER_LEVEL", "root")]},
        {"commands": None},
        {"fullHeartbeatRequired": None},
        {"supportedHeartbeatFields": None},
        {"nextHeartbeatInSeconds": 1.5},
        {"commands": [command("STOP", "listener_1", status="NEW")]},
        {"commands": [{**command("STOP", "listener_1"), "targetArtifact": {"name": "listener_1"}}]},
    ],
)
def test_one_odd_member_breaks_the_whole_answer_for_ballerina(members):
    bi = runtime(Kind.BI)
    up(bi)
    bi.answered(bi.beat(120.0), 200, answer(**{"fullHeartbeatRequired": True, **members}), 120.0)

    assert sum(bi.tally.unbound.values()) == 1
    assert sum(bi.tally.unseen.values()) == len(members.get("commands") or [])
    assert bi.beat(130.0).path is DELTA_PATH  # not even the demand for a full one was used


def test_ballerina_shows_a_stopped_listener_in_its_next_full_heartbeat_and_a_new_hash_in_its_next_delta():
    bi = runtime(Kind.BI)
    up(bi)
    before = said(bi.beat(115.0))["runtimeHash"]
    stop = command("STOP", "listener_1")
    bi.answered(bi.beat(120.0), 200, answer(commands=[stop]), 120.0)
    delta = bi.beat(130.0)
    bi.answered(delta, 200, answer(fullHeartbeatRequired=True), 130.0)
    states = {each["name"]: each["state"] for each in said(bi.beat(140.0))["artifacts"]["listeners"]}

    assert delta.path is DELTA_PATH
    assert said(delta)["runtimeHash"] != before
    assert states["listener_1"] == "disabled"
    assert states["listener_2"] == "enabled"


def test_a_level_with_a_member_too_many_is_not_bound_by_ballerina():
    bi = runtime(Kind.BI)
    up(bi)
    good = {"componentName": "audit", "componentPackage": "acme/x", "logLevel": "DEBUG"}
    odd = command("SET_LOGGER_LEVEL", "audit", {**good, "actor": "admin"})
    bi.answered(bi.beat(120.0), 200, answer(commands=[odd]), 120.0)
    assert "acme/x:audit" not in bi._levels()
    bi.answered(bi.beat(130.0), 200, answer(commands=[command("SET_LOGGER_LEVEL", "audit", good)]), 130.0)
    assert bi._levels()["acme/x:audit"] == "DEBUG"


def test_new_ballerina_comes_back_sooner_only_when_the_hint_is_shorter_than_its_own_interval():
    bi = runtime(Kind.BI_PLUS)
    bi.answered(bi.beat(100.0), 200, answer(nextHeartbeatInSeconds=2), 100.0)
    assert bi.next_beat_at(100.0) == 102.0
    bi.answered(bi.beat(102.0), 200, answer(nextHeartbeatInSeconds=60), 102.0)
    assert 110.0 <= bi.next_beat_at(102.0) < 110.3


def test_micro_integrator_sends_a_delta_first_and_a_full_one_in_the_same_round_when_asked():
    mi = runtime(Kind.MI)
    first = mi.beat(5.0)
    follow = mi.answered(first, 200, answer(fullHeartbeatRequired=True), 5.0)

    assert mi.first_beat_after_s() == 5.0
    assert first.path is DELTA_PATH
    assert [each.path for each in follow] == [FULL_PATH]
    assert mi.answered(follow[0], 200, answer(), 5.1) == ()
    assert mi.beat(15.0).path is DELTA_PATH


@pytest.mark.parametrize("status", [400, 401, 409])
@pytest.mark.parametrize("kind", [Kind.MI, Kind.MI_PLUS])
def test_micro_integrator_stops_for_good_on_what_an_operator_must_mend(kind, status):
    mi = runtime(kind)
    mi.answered(mi.beat(5.0), status, b'{"code":"KEY_UNKNOWN"}', 5.0)

    assert mi.lost == f"{status} KEY_UNKNOWN"


@pytest.mark.parametrize("status", [403, 404, 429, 500, 503])
def test_micro_integrator_survives_every_other_status_and_reads_its_body_as_if_normal(status):
    mi = runtime(Kind.MI)
    follow = mi.answered(mi.beat(5.0), status, answer(fullHeartbeatRequired=True), 5.0)

    assert mi.lost is None
    assert [each.path for each in follow] == [FULL_PATH]


def test_commands_in_an_answer_that_demands_a_full_heartbeat_are_thrown_away_by_micro_integrator_and_counted():
    mi = runtime(Kind.MI_PLUS)
    tunnel = command("MI_MGMT", "management", {"params": {"method": "GET", "path": "/management/logging"}})
    mi.answered(mi.beat(5.0), 200, answer(fullHeartbeatRequired=True, commands=[tunnel]), 5.0)
    assert sum(mi.tally.unseen.values()) == 1
    results = mi.answered(mi.beat(15.0), 200, answer(commands=[tunnel]), 15.0)
    assert [each.path for each in results] == [RESULT_PATH]
    assert said(results[0])["status"] == "COMPLETED"


def test_a_busy_message_store_makes_other_hashes():
    mi = runtime(Kind.MI)
    mi.is_busy = True
    hashes = {said(mi.beat(float(at)))["runtimeHash"] for at in range(20)}

    assert len(hashes) > 5
    assert said(mi.full())["artifacts"]["messageStores"][0]["size"] > 0


def signed(made: dict) -> dict:
    import base64
    import hashlib
    import hmac

    target = made["targetArtifact"]
    parts = ["v1", made["runtimeId"], made["commandId"], made["action"], target["name"], target["package"]]
    text = "".join(f"{len(part)}:{part}" for part in [*parts, made.get("payload", "")])
    mac = hmac.digest(MATERIAL.encode(), text.encode(), hashlib.sha256)
    return {**made, "signature": base64.b64encode(mac).decode()}


def test_the_signature_is_that_of_the_published_vector():
    made = command("STOP", "greetingService")
    vector = "W3lXJP/dtlfHIFCgTbMeQlTBF2tOpKIUmLUlKBWq210="

    assert signed(made)["signature"] == vector
    assert Secret(f"k.{MATERIAL}").has_signed({**made, "signature": vector})
    assert not Secret(f"k.{MATERIAL}").has_signed({**made, "action": "START", "signature": vector})
    assert not Secret(f"k.{MATERIAL}").has_signed(made)


def test_python_answers_a_command_with_a_full_heartbeat_and_its_result_and_an_offer_again_with_the_result_alone():
    py = runtime(Kind.PY)
    py.answered(py.beat(0.0), 200, answer(), 0.0)
    stop = signed(command("STOP", "http", {"kind": "listener", "graceSeconds": 30}))
    first = py.answered(py.beat(10.0), 200, answer(commands=[stop]), 10.0)
    again = py.answered(py.beat(20.0), 200, answer(commands=[stop]), 20.0)

    assert [each.path for each in first] == [FULL_PATH, RESULT_PATH]
    assert said(first[0])["artifacts"]["listeners"][0]["state"] == "disabled"
    assert said(first[1])["body"]["outcome"] == "stopped"
    assert [each.path for each in again] == [RESULT_PATH]


def test_python_refuses_an_unsigned_command():
    py = runtime(Kind.PY)
    py.answered(py.beat(0.0), 200, answer(), 0.0)
    results = py.answered(py.beat(10.0), 200, answer(commands=[command("STOP", "http")]), 10.0)

    assert said(results[0])["body"]["code"] == "SIGNATURE_WRONG"
    assert said(results[0])["httpStatus"] == 403
    assert sum(py.tally.unseen.values()) == 1


def test_python_obeys_a_longer_and_a_shorter_cadence_until_an_answer_says_nothing():
    py = runtime(Kind.PY)
    for hint, low, high in ((60, 57, 63), (2, 1.9, 2.1), (None, 9.5, 10.5), (1000, 9.5, 10.5)):
        members = {} if hint is None else {"nextHeartbeatInSeconds": hint}
        py.answered(py.beat(0.0), 200, answer(**members), 0.0)
        assert low <= py.next_beat_at(0.0) <= high


@pytest.mark.parametrize("status", [400, 401, 409, 503])
def test_python_comes_back_after_every_refusal(status):
    py = runtime(Kind.PY)
    for _ in range(6):
        py.answered(py.beat(0.0), status, b"{}", 0.0)

    assert py.lost is None
    assert py.next_beat_at(0.0) <= 66
    assert py.beat(1.0).path is FULL_PATH


@pytest.mark.parametrize(("kind", "keeps"), [(Kind.BI, False), (Kind.MI, True), (Kind.PY, True)])
def test_a_token_is_minted_for_each_request_by_ballerina_and_kept_until_five_minutes_before_its_end_by_the_others(
    kind, keeps
):
    one = runtime(kind)
    first = one.token(1_000.0)

    assert (one.token(1_001.0) == first) is keeps
    assert one.token(1_000.0 + 3_600 - 299) != first


def test_a_restarted_process_knows_nothing():
    py = runtime(Kind.PY)
    py.answered(py.beat(0.0), 200, answer(), 0.0)
    assert py.beat(10.0).path is DELTA_PATH
    py.start()
    assert py.beat(20.0).path is FULL_PATH
