"""Steering as people see it: what is desired, what is seen, where replicas differ, and that nothing asked is lost."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from pilothouse.app.control_plane import ControlPlane
from pilothouse.base.clock import FakeClock
from sqlalchemy import event

pytestmark = pytest.mark.anyio

ABLE = ["START", "STOP", "SET_LOGGER_LEVEL", "RESET_LOGGER_LEVEL", "LIST_LOGGERS", "TRIGGER", "RESTART"]
PLACE = {"project": "retail-core", "integration": "order-intake", "environment": "dev"}
CHANGE = """mutation ($input: ChangeArtifactInput!) { changeArtifact(input: $input) {
  waiting desired { value version author } commands { id state runtime { runtimeId } } } }"""
FORGET = "mutation ($input: ForgetDesiredStateInput!) { forgetDesiredState(input: $input) }"
LEVEL = """mutation ($input: ChangeLogLevelInput!) { changeLogLevel(input: $input) {
  desired { value version } commands { id action value } } }"""
STEERING = """query ($kind: SteerableKind, $search: String, $only: Boolean, $first: Int, $after: String) {
  steering(project: "retail-core", integration: "order-intake", environment: "dev") {
    type differing runtimes { runtimeId }
    artifacts(kind: $kind, search: $search, onlyDiffering: $only, first: $first, after: $after) {
      totalCount pageInfo { endCursor hasNextPage }
      nodes { kind name package label triggerable missingOn { runtimeId }
        aspects { aspect values inSync observed { value reason runtimes { runtimeId } }
          desired { value version author suspendedReason absentSince history { value version author } }
          commands { state } } } } } }"""


@pytest.fixture
def python(runtime) -> Any:
    """A Python runtime that can be told everything, with a port, a queue, a job and two loggers."""
    return replace(
        runtime,
        type="PY",
        runtime_id="py-1",
        name="py-1",
        extra={"capabilities": ABLE, "logLevels": {"root": "WARN", "shop.orders": "INFO"}},
        artifacts={
            "listeners": [{"name": "http-8090", "package": "uvicorn", "state": "enabled", "host": "::", "port": 8090}],
            "consumers": [
                {"name": "orders", "package": "aiokafka", "state": "enabled", "protocol": "kafka", "source": "orders"}
            ],
            "schedules": [
                {"name": "nightly", "package": "apscheduler", "state": "enabled", "trigger": "cron: 0 3 * * *"}
            ],
        },
    )


def another(runtime: Any, number: int, **changes: Any) -> Any:
    own = {"runtime_id": f"py-{number}", "name": f"py-{number}", "artifacts": deepcopy(runtime.artifacts)}
    return replace(runtime, **(own | changes))


async def wish(admin, value: str = "DISABLED", **more: Any) -> dict[str, Any]:
    given = {**PLACE, "kind": "LISTENER", "name": "http-8090", "aspect": "STATE", "value": value, **more}
    return (await admin.ask(CHANGE, input=given))["changeArtifact"]


async def look(admin, **wanted: Any) -> dict[str, Any]:
    return (await admin.ask(STEERING, **wanted))["steering"]


async def aspect_of(admin, kind: str = "LISTENER") -> dict[str, Any]:
    (artifact,) = (await look(admin, kind=kind))["artifacts"]["nodes"]
    return artifact["aspects"][0]


@contextmanager
def counted(plane: ControlPlane) -> Iterator[list[str]]:
    """Count the statements that the database is asked meanwhile."""
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    engines = (plane.store.reader_engine, plane.store.writer_engine)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    yield statements
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)


async def test_what_can_be_steered_is_told_with_what_tells_it_apart(python, admin) -> None:
    await python.full()
    shown = await look(admin)
    artifacts = {(each["kind"], each["name"]): each for each in shown["artifacts"]["nodes"]}
    assert {key: each["label"] for key, each in artifacts.items() if key[0] != "LOGGER"} == {
        ("LISTENER", "http-8090"): ":::8090",
        ("CONSUMER", "orders"): "kafka orders",
        ("SCHEDULE", "nightly"): "cron: 0 3 * * *",
    }
    assert {key[0] for key, each in artifacts.items() if each["triggerable"]} == {"SCHEDULE"}
    assert artifacts["LISTENER", "http-8090"]["aspects"][0]["values"] == ["ENABLED", "DISABLED"]
    level = artifacts["LOGGER", "root"]["aspects"][0]
    assert level["values"] == ["DEBUG", "INFO", "WARN", "ERROR", "FATAL"]
    assert [seen["value"] for seen in level["observed"]] == ["WARN"]


async def test_pages_hold_everything_once_in_order(python, admin) -> None:
    python.artifacts["listeners"] = [
        {"name": f"http-{port}", "package": "uvicorn", "state": "enabled", "port": port} for port in range(8_000, 8_023)
    ]
    await python.full()
    names: list[tuple[str, str]] = []
    after, pages = None, 0
    while True:
        page = (await look(admin, first=7, after=after))["artifacts"]
        assert page["totalCount"] == 27
        names += [(node["kind"], node["name"]) for node in page["nodes"]]
        pages += 1
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert (pages, len(names), len(set(names))) == (4, 27, 27)
    assert names[:23] == [("LISTENER", f"http-{port}") for port in range(8_000, 8_023)]
    answer = await admin.try_asking(STEERING, first=0)
    assert answer["errors"][0]["extensions"]["code"] == "INVALID_INPUT"
    answer = await admin.try_asking(STEERING, after="rubbish")
    assert answer["errors"][0]["extensions"]["code"] == "INVALID_INPUT"


async def test_filters_choose_by_kind_by_name_and_by_difference(python, admin) -> None:
    await python.full()
    second = another(python, 2)
    second.artifacts["consumers"][0]["state"] = "disabled"
    await second.full()

    async def names(**wanted: Any) -> list[str]:
        return [node["name"] for node in (await look(admin, **wanted))["artifacts"]["nodes"]]

    assert await names(kind="LOGGER") == ["root", "shop.orders"]
    assert await names(search="ORDER") == ["orders", "shop.orders"]
    assert await names(only=True) == ["orders"]
    assert await names(kind="LISTENER", only=True) == []
    assert (await look(admin))["differing"] == 1


async def test_earlier_wishes_are_told_newest_first_with_their_end(python, admin) -> None:
    await python.full()
    for value in ("DISABLED", "ENABLED", "DISABLED"):
        await wish(admin, value)
    assert await admin.ask(FORGET, input={**PLACE, "kind": "LISTENER", "name": "http-8090", "aspect": "STATE"})
    again = await wish(admin, "ENABLED")
    assert again["desired"] == {"value": "ENABLED", "version": 5, "author": "admin"}
    desired = (await aspect_of(admin))["desired"]
    assert [(each["value"], each["version"]) for each in desired["history"]] == [
        (None, 4), ("DISABLED", 3), ("ENABLED", 2), ("DISABLED", 1),
    ]  # fmt: skip


async def test_the_history_has_an_end(python, admin) -> None:
    await python.full()
    for number in range(25):
        await wish(admin, "DISABLED" if number % 2 else "ENABLED")
    history = (await aspect_of(admin))["desired"]["history"]
    versions = [each["version"] for each in history]
    assert versions == list(range(24, 24 - len(versions), -1))
    assert 19 <= len(versions) <= 20


async def test_the_same_wish_again_is_no_new_one(python, admin) -> None:
    await python.full()
    first = await wish(admin)
    second = await wish(admin)
    assert first["desired"] == second["desired"]
    assert [command["id"] for command in first["commands"]] == [command["id"] for command in second["commands"]]


async def test_a_wish_for_what_nobody_hosts_any_more_says_since_when(
    python, admin, plane: ControlPlane, clock: FakeClock
) -> None:
    await python.full()
    await wish(admin)
    await plane.tidy()
    assert (await aspect_of(admin))["desired"]["absentSince"] is None
    listeners, python.artifacts["listeners"] = python.artifacts["listeners"], []
    python.hash = "bare"
    await python.full()
    clock.advance(60)
    await plane.tidy()
    shown = await aspect_of(admin)
    since = shown["desired"]["absentSince"]
    assert since is not None
    assert (shown["observed"], shown["inSync"]) == ([], False)
    clock.advance(3_600)
    await plane.tidy()
    assert (await aspect_of(admin))["desired"]["absentSince"] == since
    python.artifacts["listeners"], python.hash = listeners, "back"
    await python.full()
    await plane.tidy()
    assert (await aspect_of(admin))["desired"]["absentSince"] is None


async def test_only_replicas_that_run_are_compared(python, admin, plane: ControlPlane, clock: FakeClock) -> None:
    bare = another(python, 2, artifacts={})
    await bare.full()
    clock.advance(85)
    await python.full()
    clock.advance(20)
    (artifact,) = (await look(admin, kind="LISTENER"))["artifacts"]["nodes"]
    assert artifact["missingOn"] == []
    assert [row["runtimeId"] for row in (await look(admin))["runtimes"]] == ["py-1", "py-2"]
    await bare.full()
    (artifact,) = (await look(admin, kind="LISTENER"))["artifacts"]["nodes"]
    assert [row["runtimeId"] for row in artifact["missingOn"]] == ["py-2"]


async def test_why_something_failed_is_told_in_the_runtimes_own_words(python, admin) -> None:
    python.artifacts["listeners"][0] |= {"state": "failed", "stateReason": "Port 8090 is taken."}
    await python.full()
    (seen,) = (await aspect_of(admin))["observed"]
    assert (seen["value"], seen["reason"]) == ("FAILED", "Port 8090 is taken.")


async def test_a_wish_reaches_all_replicas_that_host_it_and_each_has_its_own_command(python, admin) -> None:
    for number in range(1, 6):
        await another(python, number).full()
    bare = another(python, 9, artifacts={})
    await bare.full()
    changed = await wish(admin)
    told = [command["runtime"]["runtimeId"] for command in changed["commands"]]
    assert sorted(told) == [f"py-{number}" for number in range(1, 6)]
    for number in range(1, 6):
        _, answer = await another(python, number).delta()
        assert [command["runtimeId"] for command in answer["commands"]] == [f"py-{number}"]


async def test_two_things_of_one_name_are_told_apart_by_their_package(python, admin) -> None:
    python.artifacts["listeners"].append({"name": "http-8090", "package": "hypercorn", "state": "enabled"})
    await python.full()
    given = {**PLACE, "kind": "LISTENER", "name": "http-8090", "aspect": "STATE", "value": "DISABLED"}
    answer = await admin.try_asking(CHANGE, input=given)
    extensions = answer["errors"][0]["extensions"]
    assert extensions["field"] == "package"
    assert "hypercorn, uvicorn" in extensions["fix"]
    changed = await wish(admin, package="uvicorn")
    assert len(changed["commands"]) == 1


async def test_a_level_that_was_reset_goes_back_to_the_programs_own(python, admin) -> None:
    await python.full()
    await admin.ask(LEVEL, input={**PLACE, "logger": "shop.orders", "level": "DEBUG"})
    await python.delta()
    reset = "mutation ($input: ResetLogLevelInput!) { resetLogLevel(input: $input) { desired { value } commands { action } } }"
    changed = (await admin.ask(reset, input={**PLACE, "logger": "shop.orders"}))["resetLogLevel"]
    assert changed == {"desired": None, "commands": [{"action": "RESET_LOGGER_LEVEL"}]}
    _, answer = await python.delta()
    (command,) = answer["commands"]
    assert (command["action"], command["payload"]) == ("RESET_LOGGER_LEVEL", '{"componentName":"shop.orders"}')
    shown = (await look(admin, search="shop"))["artifacts"]["nodes"][0]["aspects"][0]
    assert shown["desired"] is None


async def test_a_logger_that_a_python_program_does_not_list_can_be_given_a_level(python, admin) -> None:
    await python.full()
    changed = (await admin.ask(LEVEL, input={**PLACE, "logger": "asyncio", "level": "debug"}))["changeLogLevel"]
    assert [(each["action"], each["value"]) for each in changed["commands"]] == [("SET_LOGGER_LEVEL", "DEBUG")]
    python.extra["logLevels"]["asyncio"] = "DEBUG"
    python.hash = "hash-2"
    await python.full()
    shown = (await look(admin, search="asyncio"))["artifacts"]["nodes"][0]["aspects"][0]
    assert (shown["inSync"], shown["commands"]) == (True, [{"state": "CONFIRMED"}])


async def test_an_open_command_outlives_no_capability(python, admin) -> None:
    await python.full()
    await wish(admin)
    python.extra["capabilities"], python.hash = [], "hash-2"
    _, answer = await python.full()
    assert answer["commands"] == []
    assert (await aspect_of(admin))["commands"] == [{"state": "EXPIRED"}]
    changes = "{ runtimes { nodes { changes { state openCommands } } } }"
    assert (await admin.ask(changes))["runtimes"]["nodes"][0]["changes"]["openCommands"] == 0


async def test_a_wish_made_while_a_heartbeat_is_looked_at_is_not_lost(
    runtime, admin, plane: ControlPlane, clock
) -> None:
    await runtime.full()
    given = {**PLACE, "kind": "LISTENER", "name": "listener_1", "aspect": "STATE"}
    await admin.ask(CHANGE, input={**given, "value": "DISABLED"})
    await runtime.delta()
    await admin.ask(FORGET, input=given)
    gate = threading.Event()
    held = asyncio.create_task(plane.store.write(lambda _: gate.wait(10)))
    await asyncio.sleep(0.05)
    looking = asyncio.create_task(runtime.delta())  # it finds nothing to do any more
    await asyncio.sleep(0.05)
    wishing = asyncio.create_task(admin.ask(CHANGE, input={**given, "value": "DISABLED"}))
    await asyncio.sleep(0.05)
    gate.set()  # both are committed together, the look first
    await asyncio.gather(held, looking, wishing)
    clock.advance(10)
    _, answer = await runtime.delta()
    assert [command["action"] for command in answer["commands"]] == ["STOP"]


PAGE = """{ runtimes(first: 50) { nodes { runtimeId channel { connected } capabilities restartable
  changes { state reason openCommands failedCommands } } } }"""


async def test_whether_runtimes_do_as_they_are_told_is_read_for_a_whole_page_together(
    python, admin, plane: ControlPlane
) -> None:
    await python.full()
    await wish(admin)
    with counted(plane) as of_one:
        await admin.ask(PAGE)
    for number in range(2, 41):
        await another(python, number).full()
    await wish(admin, "ENABLED")
    await wish(admin, "DISABLED")
    with counted(plane) as of_forty:
        page = await admin.ask(PAGE)
    nodes = page["runtimes"]["nodes"]
    assert len(nodes) == 40
    assert {node["changes"]["state"] for node in nodes} == {"CHANGING"}
    assert len(of_forty) == len(of_one)


async def test_comparing_forty_replicas_asks_no_more_than_comparing_one(python, admin, plane: ControlPlane) -> None:
    await python.full()
    await wish(admin)
    with counted(plane) as of_one:
        await look(admin)
    for number in range(2, 41):
        await another(python, number).full()
    await wish(admin, "ENABLED")
    await wish(admin, "DISABLED")
    with counted(plane) as of_forty:
        shown = await look(admin)
    assert len(shown["runtimes"]) == 40
    assert len(of_forty) == len(of_one)


async def test_a_runtime_that_is_slow_to_obey_is_called_stalled_and_not_offline(
    python, admin, plane: ControlPlane, clock: FakeClock
) -> None:
    await python.full()
    await wish(admin)
    changes = "{ runtimes { nodes { status changes { state reason } } } }"

    async def told() -> tuple[str, str]:
        (node,) = (await admin.ask(changes))["runtimes"]["nodes"]
        return node["status"], node["changes"]["state"]

    assert await told() == ("RUNNING", "CHANGING")
    for _ in range(22):
        clock.advance(9)
        await python.delta()
    assert await told() == ("RUNNING", "STALLED")
    python.artifacts["listeners"][0]["state"], python.hash = "disabled", "hash-2"
    await python.full()
    assert await told() == ("RUNNING", "IN_SYNC")


@pytest.mark.parametrize(("interval_s", "told"), [(5, [1, 2, None, None, None]), (30, [1, 2, 5, 10, None])])
async def test_who_is_waited_for_comes_back_sooner_and_never_later_than_by_itself(
    python, admin, clock: FakeClock, interval_s: int, told: list[int | None]
) -> None:
    python.extra["heartbeatIntervalSeconds"] = interval_s
    await python.full()
    await wish(admin)
    heard = []
    for _ in range(5):
        _, answer = await python.delta()
        heard.append(answer.get("nextHeartbeatInSeconds"))
        clock.advance(8)
    assert heard == told


async def test_of_many_runtimes_those_are_told_that_are_asked_for_and_all_are_counted(python, admin) -> None:
    for number in (1, 2, 3):
        await another(python, number).full()
    lacking = another(python, 4, artifacts={"listeners": python.artifacts["listeners"]})
    await lacking.full()
    query = """{ steering(project: "retail-core", integration: "order-intake", environment: "dev") {
      runtimeCount runningCount runtimes(first: 3) { runtimeId } notRunning(first: 1) { runtimeId }
      drift { runtimeCount runtimes(first: 1) { runtimeId } }
      hosts(kind: SCHEDULE, name: "nightly") { runtimeId }
      ofAnother: hosts(kind: SCHEDULE, name: "nightly", package: "cron") { runtimeId }
      artifacts(kind: SCHEDULE) { nodes { missingCount missingOn(first: 1) { runtimeId }
        aspects { observed { runtimeCount runtimes(first: 2) { runtimeId } } } } } } }"""
    shown = (await admin.ask(query))["steering"]
    assert (shown["runtimeCount"], shown["runningCount"]) == (4, 4)
    assert len(shown["runtimes"]) == 3
    assert shown["notRunning"] == []
    assert sorted(each["runtimeId"] for each in shown["hosts"]) == ["py-1", "py-2", "py-3"]
    assert shown["ofAnother"] == []
    (artifact,) = shown["artifacts"]["nodes"]
    assert artifact["missingCount"] == 1
    assert artifact["missingOn"] == [{"runtimeId": "py-4"}]
    (seen,) = artifact["aspects"][0]["observed"]
    assert seen["runtimeCount"] == 3
    assert len(seen["runtimes"]) == 2
    assert {each["runtimeCount"] for each in shown["drift"]} == {1}


async def test_runtimes_that_fell_silent_are_told_apart(python, admin, clock) -> None:
    await python.full()
    clock.advance(3_600)
    await another(python, 2).full()
    query = """{ steering(project: "retail-core", integration: "order-intake", environment: "dev") {
      runtimeCount runningCount runtimes(first: 1) { runtimeId } notRunning { runtimeId }
      hosts(kind: SCHEDULE, name: "nightly") { runtimeId } } }"""
    assert (await admin.ask(query))["steering"] == {
        "runtimeCount": 2,
        "runningCount": 1,
        "runtimes": [{"runtimeId": "py-2"}],
        "notRunning": [{"runtimeId": "py-1"}],
        "hosts": [{"runtimeId": "py-2"}],
    }


@pytest.mark.parametrize("first", [0, 501, -1])
async def test_a_list_of_runtimes_has_a_limit(python, admin, first: int) -> None:
    await python.full()
    answer = await admin.try_asking(
        """query ($first: Int) { steering(project: "retail-core", integration: "order-intake", environment: "dev") {
        runtimes(first: $first) { id } } }""",
        first=first,
    )
    (error,) = answer["errors"]
    assert (error["extensions"]["code"], error["extensions"]["field"]) == ("INVALID_INPUT", "first")
