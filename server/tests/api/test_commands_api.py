"""Commands as people see them: lists, pages, the feed, and the removal and the moves of runtimes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from pilothouse.app.control_plane import ControlPlane
from pilothouse.base.clock import FakeClock
from sqlalchemy import event

pytestmark = pytest.mark.anyio

ABLE = ["START", "STOP", "SET_LOGGER_LEVEL", "LIST_LOGGERS", "TRIGGER", "RESTART"]
PLACE = {"project": "retail-core", "integration": "order-intake", "environment": "dev"}
CHANGE = "mutation ($input: ChangeArtifactInput!) { changeArtifact(input: $input) { waiting } }"
COMMANDS = """query ($filter: CommandFilter, $first: Int, $after: String) {
  commands(filter: $filter, first: $first, after: $after) { totalCount pageInfo { endCursor hasNextPage }
    nodes { id action state author value retryable nextAttemptAt deadline runtime { id runtimeId name } } } }"""
FEED = """subscription ($filter: RuntimeFilter, $after: Int) { runtimeChanged(filter: $filter, after: $after) {
    sequence resync kind runtimeKey runtime { name status } command { id state action runtime { runtimeId } } } }"""
TRIGGER = "mutation ($input: TriggerArtifactInput!) { triggerArtifact(input: $input) { id state } }"
RESTART = "mutation ($id: ID!) { restartRuntime(id: $id) { id } }"
ASK = "mutation ($input: AskRuntimeInput!) { askRuntime(input: $input) { id } }"
DELETE = "mutation ($id: ID!) { deleteRuntime(id: $id) { deleted orphanedKeyId } }"


@pytest.fixture
def python(runtime) -> Any:
    artifacts = {
        "listeners": [{"name": "http", "package": "uvicorn", "state": "enabled"}],
        "schedules": [{"name": "nightly", "package": "apscheduler", "state": "enabled"}],
    }
    return replace(
        runtime, type="PY", runtime_id="py-1", name="py-1", extra={"capabilities": ABLE}, artifacts=artifacts
    )  # fmt: skip


def another(runtime: Any, number: int, **changes: Any) -> Any:
    own = {"runtime_id": f"py-{number}", "name": f"py-{number}", "artifacts": deepcopy(runtime.artifacts)}
    return replace(runtime, **(own | changes))


async def wish(admin, value: str = "DISABLED", **more: Any) -> None:
    given = {**PLACE, "kind": "LISTENER", "name": "http", "aspect": "STATE", "value": value, **more}
    await admin.ask(CHANGE, input=given)


async def commands(admin, first: int | None = None, after: str | None = None, **wanted: Any) -> dict[str, Any]:
    return (await admin.ask(COMMANDS, filter=wanted, first=first, after=after))["commands"]


async def id_of(admin, runtime_id: str) -> str:
    rows = (await admin.ask("{ runtimes { nodes { id runtimeId } } }"))["runtimes"]["nodes"]
    return next(row["id"] for row in rows if row["runtimeId"] == runtime_id)


@asynccontextmanager
async def following(plane, admin, **variables) -> AsyncIterator[asyncio.Queue]:
    """Follow the feed over the ASGI application itself: httpx's transport would buffer it."""
    app = await plane.console_application()
    body = json.dumps({"query": FEED, "variables": variables}).encode()
    cookie = "; ".join(f"{name}={value}" for name, value in admin.client.cookies.items())
    headers = {
        "host": "testserver",
        "content-type": "application/json",
        "accept": "text/event-stream",
        "cookie": cookie,
    }
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "POST",
        "path": "/graphql", "raw_path": b"/graphql", "query_string": b"", "scheme": "https",
        "server": ("testserver", 443), "client": ("127.0.0.1", 4000),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    changes: asyncio.Queue = asyncio.Queue()
    opened, closing = asyncio.Event(), asyncio.Event()
    requests = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> dict:
        request = next(requests, None)
        if request is not None:
            return request
        await closing.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        for line in message.get("body", b"").decode().splitlines():
            if line.startswith(": "):
                opened.set()
            elif line.startswith("data: {"):
                changes.put_nowait(json.loads(line.removeprefix("data: ")))

    task = asyncio.create_task(app(scope, receive, send))
    await asyncio.wait_for(opened.wait(), 10)
    while not len(plane.bus):
        await asyncio.sleep(0.01)
    yield changes
    closing.set()
    await asyncio.wait_for(task, 10)


async def next_change(changes: asyncio.Queue) -> dict:
    answer = await asyncio.wait_for(changes.get(), 10)
    assert "errors" not in answer, answer
    return answer["data"]["runtimeChanged"]


async def until(changes: asyncio.Queue, kind: str) -> dict:
    """The next change of a kind; those before it are of other kinds."""
    while (change := await next_change(changes))["kind"] != kind:
        assert change["resync"] is False
    return change


async def test_commands_are_listed_newest_first_in_pages_that_hold_each_once(python, admin) -> None:
    members = [another(python, number) for number in range(1, 13)]
    for member in members:
        await member.full()
    await wish(admin)
    await wish(admin, "ENABLED")  # they report so already: the first ones are superseded
    await wish(admin, "DISABLED")
    ids: list[str] = []
    after = None
    while True:
        page = await commands(admin, first=5, after=after)
        assert page["totalCount"] == 24
        ids += [node["id"] for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert (len(ids), len(set(ids))) == (24, 24)
    states = [node["state"] for node in (await commands(admin, first=24))["nodes"]]
    assert states == ["QUEUED"] * 12 + ["SUPERSEDED"] * 12


async def test_commands_are_filtered_by_place_by_runtime_and_by_state(python, admin, runtime) -> None:
    await python.full()
    other = another(python, 2, secret=await admin.secret(), integration="billing")
    await other.full()
    await wish(admin)
    await wish(admin, integration="billing")
    await wish(admin, "ENABLED", integration="billing")

    async def found(**wanted: Any) -> list[tuple[str, str]]:
        return [(each["runtime"]["runtimeId"], each["state"]) for each in (await commands(admin, **wanted))["nodes"]]

    billing = {"project": "retail-core", "integration": "billing"}
    assert await found(project="retail-core") == [("py-2", "SUPERSEDED"), ("py-1", "QUEUED")]
    assert await found(**billing) == [("py-2", "SUPERSEDED")]
    assert await found(runtime=await id_of(admin, "py-1")) == [("py-1", "QUEUED")]
    assert await found(states=["QUEUED"]) == [("py-1", "QUEUED")]
    assert await found(states=["FAILED", "EXPIRED"]) == []
    assert await found(environment="prod") == []
    assert await found(project="nobody") == []
    answer = await admin.try_asking(COMMANDS, filter={"integration": "billing"})
    assert answer["errors"][0]["extensions"]["field"] == "project"


async def test_a_page_of_commands_of_many_runtimes_asks_no_more_than_one_of_one(
    python, admin, plane: ControlPlane
) -> None:
    async def statements() -> int:
        found: list[str] = []

        def note(*arguments: Any) -> None:
            found.append(arguments[2])

        event.listen(plane.store.reader_engine, "before_cursor_execute", note)
        await commands(admin, first=100)
        event.remove(plane.store.reader_engine, "before_cursor_execute", note)
        return len(found)

    await python.full()
    await wish(admin)
    of_one = await statements()
    for number in range(2, 41):
        await another(python, number).full()
    await wish(admin, "ENABLED")
    await wish(admin, "DISABLED")
    assert await statements() == of_one


async def test_a_command_that_waits_for_its_effect_says_when_it_is_offered_again(python, admin) -> None:
    await python.full()
    await wish(admin)
    (queued,) = (await commands(admin))["nodes"]
    assert (queued["nextAttemptAt"], queued["deadline"], queued["retryable"]) == (None, None, False)
    await python.delta()
    (delivered,) = (await commands(admin))["nodes"]
    assert delivered["nextAttemptAt"] is not None
    one = await admin.ask("query ($id: ID!) { command(id: $id) { id state } }", id=delivered["id"])
    assert one["command"] == {"id": delivered["id"], "state": "DELIVERED"}
    assert (await admin.ask('{ command(id: "nobody") { id } }'))["command"] is None


async def test_nothing_is_asked_once_of_a_runtime_that_does_not_run(python, admin, clock: FakeClock) -> None:
    await python.full()
    runtime_id = await id_of(admin, "py-1")
    clock.advance(500)
    for document, given in (
        (TRIGGER, {"input": {"runtime": runtime_id, "kind": "SCHEDULE", "name": "nightly"}}),
        (RESTART, {"id": runtime_id}),
        (ASK, {"input": {"runtime": runtime_id, "question": "LOGGERS"}}),
    ):
        answer = await admin.try_asking(document, **given)
        extensions = answer["errors"][0]["extensions"]
        assert (extensions["code"], bool(extensions["fix"])) == ("RUNTIME_NOT_RUNNING", True)
    assert (await commands(admin))["totalCount"] == 0


async def test_nothing_is_asked_of_a_runtime_that_did_not_say_that_it_can(python, admin) -> None:
    python.extra["capabilities"] = ["START", "STOP"]
    await python.full()
    runtime_id = await id_of(admin, "py-1")
    for document, given in (
        (TRIGGER, {"input": {"runtime": runtime_id, "kind": "SCHEDULE", "name": "nightly"}}),
        (RESTART, {"id": runtime_id}),
        (ASK, {"input": {"runtime": runtime_id, "question": "LOGGERS"}}),
        (ASK, {"input": {"runtime": runtime_id, "question": "SOURCE", "kind": "LISTENER", "name": "http"}}),
    ):
        answer = await admin.try_asking(document, **given)
        assert answer["errors"][0]["extensions"]["code"] == "CAPABILITY_MISSING"
    assert (await commands(admin))["totalCount"] == 0


async def test_a_job_is_run_once_and_its_result_is_shown(python, admin) -> None:
    await python.full()
    given = {"runtime": await id_of(admin, "py-1"), "kind": "SCHEDULE", "name": "nightly"}
    asked = (await admin.ask(TRIGGER, input=given))["triggerArtifact"]
    _, answer = await python.delta()
    (command,) = answer["commands"]
    assert (command["action"], command["payload"]) == ("TRIGGER", '{"kind":"schedule"}')
    body = {"outcome": "triggered", "message": "nightly runs now."}
    result = {"runtimeId": "py-1", "commandId": asked["id"], "status": "COMPLETED", "httpStatus": 200, "body": body}
    await python.send("/icp/commandResult", result)
    shown = (await admin.ask("query ($id: ID!) { command(id: $id) { state reason result } }", id=asked["id"]))[
        "command"
    ]
    assert (shown["state"], shown["reason"]) == ("CONFIRMED", "nightly runs now.")
    assert json.loads(shown["result"]) == body
    missing = await admin.try_asking(TRIGGER, input={**given, "name": "nobody"})
    assert missing["errors"][0]["extensions"]["field"] == "name"


async def test_the_life_of_a_command_is_followed_without_a_reload(python, admin, plane: ControlPlane) -> None:
    await python.full()
    async with following(plane, admin) as changes:
        await wish(admin)
        first = await next_change(changes)
        second = await next_change(changes)
        assert {first["kind"], second["kind"]} == {"COMMAND", "DESIRED"}
        queued = first if first["kind"] == "COMMAND" else second
        assert (queued["command"]["state"], queued["command"]["action"]) == ("QUEUED", "STOP")
        assert queued["runtime"]["name"] == "py-1"
        await python.delta()
        assert (await until(changes, "COMMAND"))["command"]["state"] == "DELIVERED"
        python.artifacts["listeners"][0]["state"], python.hash = "disabled", "hash-2"
        await python.full()
        assert (await until(changes, "COMMAND"))["command"]["state"] == "CONFIRMED"


async def test_who_was_away_is_told_of_each_command_once_as_it_is_now(python, admin, plane: ControlPlane) -> None:
    await python.full()
    sequence = (await admin.ask("{ runtimes { sequence } }"))["runtimes"]["sequence"]
    await wish(admin)
    await python.delta()
    async with following(plane, admin, after=sequence) as changes:
        found = [await next_change(changes), await next_change(changes)]
        assert sorted(change["kind"] for change in found) == ["COMMAND", "DESIRED"]
        (command,) = [change["command"] for change in found if change["command"]]
        assert command["state"] == "DELIVERED"
        assert changes.empty()
        assert [change["sequence"] for change in found] == sorted(change["sequence"] for change in found)


async def test_only_what_belongs_to_the_filter_is_told_also_of_wishes_and_removals(
    python, admin, plane: ControlPlane
) -> None:
    await python.full()
    other = another(python, 2, secret=await admin.secret(), integration="billing")
    await other.full()
    billing = {"project": "retail-core", "integration": "billing"}
    async with following(plane, admin, filter=billing) as changes:
        await wish(admin)
        await admin.ask(DELETE, id=await id_of(admin, "py-1"))
        await wish(admin, integration="billing")
        kinds = {(await next_change(changes))["kind"], (await next_change(changes))["kind"]}
        assert kinds == {"COMMAND", "DESIRED"}
        gone = await id_of(admin, "py-2")
        await admin.ask(DELETE, id=gone)
        removed = await until(changes, "REMOVED")
        assert (removed["runtimeKey"], removed["runtime"]) == (gone, None)


async def test_a_wish_is_told_with_its_environment_and_not_to_those_who_look_at_another(
    python, admin, plane: ControlPlane
) -> None:
    await python.full()
    async with following(plane, admin, filter={"environment": "prod"}) as changes:
        await wish(admin)
        await asyncio.sleep(0.3)
        assert changes.empty()


async def test_a_removed_runtime_takes_its_commands_along_and_comes_back_without_a_past(
    python, admin, plane: ControlPlane
) -> None:
    await python.full()
    await wish(admin)
    runtime_id = await id_of(admin, "py-1")
    assert (await admin.ask(DELETE, id=runtime_id))["deleteRuntime"]["deleted"] is True
    assert (await commands(admin))["totalCount"] == 0
    assert len(plane.agenda) == 0
    again = await admin.try_asking(DELETE, id=runtime_id)
    assert again["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    _, answer = await python.delta()
    assert (answer["fullHeartbeatRequired"], answer["commands"]) == (True, [])
    _, answer = await python.full()
    assert [command["action"] for command in answer["commands"]] == ["STOP"]  # it is desired in its place still
    assert await id_of(admin, "py-1") != runtime_id


async def test_a_result_of_a_removed_runtimes_command_is_taken_and_dropped(python, admin) -> None:
    await python.full()
    await wish(admin)
    _, answer = await python.delta()
    await admin.ask(DELETE, id=await id_of(admin, "py-1"))
    result = {
        "runtimeId": "py-1", "commandId": answer["commands"][0]["commandId"], "status": "COMPLETED",
        "httpStatus": 200, "body": {},
    }  # fmt: skip
    assert await python.send("/icp/commandResult", result) == (202, {"accepted": True})


async def test_a_runtime_that_moved_is_linked_and_its_open_commands_end_case_36(
    python, admin, plane: ControlPlane, clock: FakeClock
) -> None:
    await python.full()
    await wish(admin)
    await python.delta()
    for _ in range(30):
        clock.advance(4)
        await plane.watch()
    moved = replace(python, secret=await admin.secret(), integration="billing", hash="hash-2")
    await moved.full()
    rows = (
        await admin.ask("{ runtimes { nodes { integration { handle } status movedTo { integration { handle } } } } }")
    )["runtimes"]["nodes"]
    by_place = {row["integration"]["handle"]: row for row in rows}
    assert by_place["order-intake"]["status"] == "OFFLINE"
    assert by_place["order-intake"]["movedTo"] == {"integration": {"handle": "billing"}}
    assert by_place["billing"]["movedTo"] is None
    assert [node["state"] for node in (await commands(admin))["nodes"]] == ["EXPIRED"]
    _, answer = await moved.delta()
    assert answer["commands"] == []


async def test_a_runtime_that_is_succeeded_ends_its_commands_in_the_open_and_leaves_nothing_to_do(
    python, admin, plane: ControlPlane, clock: FakeClock
) -> None:
    await python.full()
    await wish(admin)
    await python.delta()
    async with following(plane, admin) as changes:
        clock.advance(4)
        await plane.watch()
        successor = another(python, 2, name="py-1")  # the same node, without its id file
        await successor.full()
        for _ in range(30):
            clock.advance(4)
            await plane.watch()
            await successor.delta()
        retired = None
        states: dict[str, str] = {}
        while retired is None or states.get("py-1") != "EXPIRED":
            change = await next_change(changes)
            if change["kind"] == "RETIRED":
                retired = change
            if change["command"] is not None:
                states[change["command"]["runtime"]["runtimeId"]] = change["command"]["state"]
        assert retired["runtime"] is None
    assert plane.agenda.find(1) is None
