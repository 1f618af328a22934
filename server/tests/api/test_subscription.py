"""The change feed: live, resumed after a gap, and honest when the gap cannot be bridged."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from pilothouse.api.graphql.endpoint import GraphQLEndpoint
from pilothouse.api.graphql.subscriptions import CATCH_UP_MAX
from pilothouse.app.control_plane import open_control_plane
from pilothouse.base.clock import FakeClock
from pilothouse.config import Settings
from pilothouse.identity.passwords import Passwords
from pilothouse.operations import bus as buses

pytestmark = pytest.mark.anyio

FEED = """subscription ($filter: RuntimeFilter, $after: Int) { runtimeChanged(filter: $filter, after: $after) {
    sequence resync kind runtimeKey runtime { name status } } }"""


@asynccontextmanager
async def following(plane, admin, **variables) -> AsyncIterator[asyncio.Queue]:
    """Follow the feed as the console does, over the ASGI application itself: httpx's transport would buffer it."""
    app = await plane.console_application()
    body = json.dumps({"query": FEED, "variables": variables}).encode()
    cookie = "; ".join(f"{name}={value}" for name, value in admin.client.cookies.items())
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "scheme": "https",
        "server": ("testserver", 443),
        "client": ("127.0.0.1", 4000),
        "headers": [
            (b"host", b"testserver"),
            (b"content-type", b"application/json"),
            (b"accept", b"text/event-stream"),
            (b"cookie", cookie.encode()),
        ],
    }
    changes: asyncio.Queue = asyncio.Queue()
    opened, closing = asyncio.Event(), asyncio.Event()
    sent = False

    async def receive() -> dict:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}
        await closing.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
        for line in message.get("body", b"").decode().splitlines():
            if line.startswith(": "):
                opened.set()
            elif line.startswith("data: {"):
                answer = json.loads(line.removeprefix("data: "))
                assert "errors" not in answer, answer
                changes.put_nowait(answer["data"]["runtimeChanged"])

    task = asyncio.create_task(app(scope, receive, send))
    await asyncio.wait_for(opened.wait(), 5)
    while not len(plane.bus):
        await asyncio.sleep(0.01)
    yield changes
    closing.set()
    await asyncio.wait_for(task, 5)


async def next_change(changes: asyncio.Queue) -> dict:
    return await asyncio.wait_for(changes.get(), 5)


async def test_registering_and_falling_silent_arrive_by_themselves(plane, admin, runtime, clock: FakeClock) -> None:
    async with following(plane, admin) as changes:
        await runtime.full()
        change = await next_change(changes)
        assert (change["kind"], change["runtime"]) == ("REGISTERED", {"name": "orders-node-1", "status": "RUNNING"})
        clock.advance(200)
        plane._watched_at = clock.now()
        await plane.watch()
        change = await next_change(changes)
        assert (change["kind"], change["runtime"]["status"]) == ("OFFLINE", "OFFLINE")


async def test_a_client_that_was_away_is_told_what_it_missed(plane, admin, runtime) -> None:
    page = await admin.ask("{ runtimes { sequence } }")
    await runtime.full()
    async with following(plane, admin, after=page["runtimes"]["sequence"]) as changes:
        assert (await next_change(changes))["kind"] == "REGISTERED"


async def test_a_client_that_saw_everything_is_told_nothing_twice(plane, admin, runtime) -> None:
    await runtime.full()
    page = await admin.ask("{ runtimes { sequence } }")
    async with following(plane, admin, after=page["runtimes"]["sequence"]) as changes:
        runtime.hash, runtime.artifacts = "hash-2", {}
        await runtime.full()
        assert (await next_change(changes))["kind"] == "REPORTED"
        assert changes.empty()


async def test_a_gap_that_is_too_long_says_so(plane, admin, runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pilothouse.api.graphql.subscriptions.CATCH_UP_MAX", 2)
    assert CATCH_UP_MAX > 2
    for number in range(3):
        runtime.runtime_id = f"runtime-{number}"
        await runtime.full()
    async with following(plane, admin, after=0) as changes:
        change = await next_change(changes)
        assert change == {
            "sequence": change["sequence"], "resync": True, "kind": None, "runtimeKey": None, "runtime": None,
        }  # fmt: skip


async def test_a_sequence_from_another_life_of_the_database_asks_to_read_again(plane, admin, runtime) -> None:
    async with following(plane, admin, after=999_999) as changes:
        assert (await next_change(changes))["resync"] is True


async def test_a_listener_that_is_too_slow_is_told_to_read_again(
    plane, monkeypatch: pytest.MonkeyPatch, runtime
) -> None:
    monkeypatch.setattr(buses, "QUEUE_MAX", 1)
    feed = plane.bus.subscribe()
    for number in range(3):
        runtime.runtime_id = f"runtime-{number}"
        await runtime.full()
    happened, missed = await feed.take(0)
    assert (len(happened), missed) == (1, True)
    assert plane.figures.events_lost > 0


async def test_only_the_scope_that_was_asked_for_is_told(plane, admin, runtime) -> None:
    async with following(plane, admin, filter={"environment": "prod"}) as changes:
        await runtime.full()
        runtime.secret = await admin.secret("prod")
        runtime.environment, runtime.name = "prod", "production-node"
        await runtime.full()
        assert (await next_change(changes))["runtime"]["name"] == "production-node"


async def test_the_stream_ends_with_the_session(plane, admin, runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pilothouse.api.graphql.endpoint.RECHECK_S", 0.05)
    assert GraphQLEndpoint  # the constant is read by the endpoint at each turn
    async with following(plane, admin):
        assert len(plane.bus) == 1
        assert (await admin.client.post("/auth/sign-out")).status_code == 204
        for _ in range(100):
            await asyncio.sleep(0.02)
            if not len(plane.bus):
                break
        assert len(plane.bus) == 0


async def test_a_subscription_needs_the_event_stream(admin) -> None:
    answer = await admin.client.post("/graphql", json={"query": FEED})
    assert answer.status_code == 400
    assert "text/event-stream" in answer.json()["fix"]


async def test_a_stop_of_the_control_plane_does_not_wait_for_those_who_listen(plane, admin) -> None:
    async with following(plane, admin):
        plane.let_go()
        for _ in range(100):
            await asyncio.sleep(0.02)
            if not len(plane.bus):
                break
        assert len(plane.bus) == 0
    async with asyncio.timeout(2):  # and who comes in the meantime is let go as well
        feed = plane.bus.subscribe()
        await feed.take(0)
    assert feed.closed


async def test_a_runtime_that_is_heard_again_after_our_restart_is_seen_without_a_reload(
    plane, admin, runtime, clock: FakeClock
) -> None:
    status = "{ runtimes { nodes { status } } }"
    await runtime.full()
    clock.advance(10)
    plane.board.listening_since = clock.now()  # as after a start
    assert (await admin.ask(status))["runtimes"]["nodes"] == [{"status": "UNKNOWN"}]
    async with following(plane, admin) as changes:
        await runtime.delta()
        plane._watched_at = clock.now()
        await plane.watch()
        assert (await next_change(changes))["resync"] is True
    assert (await admin.ask(status))["runtimes"]["nodes"] == [{"status": "RUNNING"}]


async def test_a_client_that_is_cut_off_again_and_again_is_told_each_change_once(plane, admin, runtime) -> None:
    told: list[int] = []
    after = (await admin.ask("{ runtimes { sequence } }"))["runtimes"]["sequence"]
    for number in range(6):
        runtime.runtime_id = f"runtime-{number}"
        await runtime.full()
        async with following(plane, admin, after=after) as changes:
            after = (await next_change(changes))["sequence"]
            told.append(after)
            if number % 2:  # one that comes while the line is up
                number_before = len(told)
                runtime.hash, runtime.artifacts = f"hash-{number}", {}
                await runtime.full()
                after = (await next_change(changes))["sequence"]
                told.append(after)
                assert len(told) == number_before + 1
            assert changes.empty()
    assert len(told) == 9
    assert all(earlier < later for earlier, later in itertools.pairwise(told))


async def test_a_stream_that_is_never_quiet_ends_with_its_session_too(
    plane, admin, runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pilothouse.api.graphql.endpoint.RECHECK_S", 0.2)
    async with following(plane, admin) as changes:
        assert (await admin.client.post("/auth/sign-out")).status_code == 204
        heard = 0
        async with asyncio.timeout(10):
            for number in itertools.count():
                if not len(plane.bus):
                    break
                runtime.runtime_id = f"runtime-{number}"
                await runtime.full()
                await asyncio.sleep(0.02)
                heard = changes.qsize()
        assert heard < number


async def test_one_operation_over_the_event_stream_has_one_result_and_an_end(plane, admin) -> None:
    answer = await admin.client.post(
        "/graphql", json={"query": "{ viewer { username } }"}, headers={"Accept": "text/event-stream"}
    )
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [event.split("\n") for event in answer.text.split("\n\n") if event]
    assert events == [
        ["event: next", 'data: {"data":{"viewer":{"username":"admin"}}}'],
        ["event: complete", "data: "],
    ]
    wrong = await admin.client.post("/graphql", json={"query": "{ nothing }"}, headers={"Accept": "text/event-stream"})
    assert (wrong.status_code, wrong.json()["errors"][0]["extensions"]["code"]) == (400, "INVALID_QUERY")


async def test_a_subscriber_hears_what_another_replica_commits_and_goes_on_there(
    settings: Settings, clock: FakeClock, plane, admin, runtime
) -> None:
    one = await open_control_plane(Settings(home=settings.home, follow_events_s=0.02), clock, Passwords())
    try:
        await one.start()
        async with following(one, admin) as changes:
            await runtime.full()
            heard = await next_change(changes)
            assert (heard["kind"], heard["resync"]) == ("REGISTERED", False)
        runtime.hash, runtime.artifacts = "hash-2", {}
        await runtime.full()
        for replica in (plane, one):
            async with following(replica, admin, after=heard["sequence"]) as changes:
                assert (await next_change(changes))["kind"] == "REPORTED"
                assert changes.empty()
    finally:
        await one.stop()
