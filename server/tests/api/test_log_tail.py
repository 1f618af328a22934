"""The live tail: at once, resumed without loss, within the rights that are held now, and shared."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pilothouse.api.graphql import log_tail
from pilothouse.telemetry.following import tails_of
from pilothouse.telemetry.model import UNCLAIMED, Level, Origin

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff
from telemetry_staging import origin_of, say

pytestmark = pytest.mark.anyio

TAIL = """subscription ($filter: LogFilter, $after: ID) { logTailed(filter: $filter, after: $after) {
    arrival skipped lines { message level origin { unclaimed runtimeId integration { handle } } } } }"""


@pytest.fixture
def settings(settings):
    return msgspec.structs.replace(settings, telemetry_store="memory")


@pytest.fixture
def staff(plane, admin) -> Staff:
    return Staff(plane, admin)


@pytest.fixture
async def shop(plane, staff) -> dict[str, Origin]:
    await staff.project("Shop", "Till", "Stock")
    return {
        "till": await origin_of(plane, "shop", "till", "dev", runtime_id="till-1"),
        "stock": await origin_of(plane, "shop", "stock", "prod", runtime_id="stock-1"),
    }


class Follower:
    """A client that follows over server-sent events."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.first: dict[str, Any] = {}
        self.seen: list[str] = []
        self.arrival = ""
        self.completed = asyncio.Event()

    async def part(self, wait_s: float = 5.0) -> dict[str, Any]:
        answer = await asyncio.wait_for(self.answers.get(), wait_s)
        assert "errors" not in answer, answer
        part = answer["data"]["logTailed"]
        self.arrival = part["arrival"]
        self.seen += [line["message"] for line in part["lines"]]
        return part

    async def until(self, message: str) -> None:
        while message not in self.seen:
            await self.part()

    async def refusal(self) -> str:
        while True:
            answer = await asyncio.wait_for(self.answers.get(), 5.0)
            if "errors" in answer:
                return answer["errors"][0]["extensions"]["code"]


@asynccontextmanager
async def opened(plane, person, **variables: Any) -> AsyncIterator[Follower]:
    app = await plane.console_application()
    body = json.dumps({"query": TAIL, "variables": variables}).encode()
    cookie = "; ".join(f"{name}={value}" for name, value in person.client.cookies.items())
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "POST",
        "path": "/graphql", "raw_path": b"/graphql", "query_string": b"", "scheme": "https", "root_path": "",
        "server": ("testserver", 443), "client": ("127.0.0.1", 4000),
        "headers": [
            (b"host", b"testserver"), (b"content-type", b"application/json"), (b"accept", b"text/event-stream"),
            (b"cookie", cookie.encode()),
        ],
    }  # fmt: skip
    follower, closing, sent = Follower(), asyncio.Event(), False

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}
        await closing.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        for told in message.get("body", b"").decode().splitlines():
            if told.startswith("data: {"):
                follower.answers.put_nowait(json.loads(told.removeprefix("data: ")))
            elif told == "event: complete":
                follower.completed.set()

    task = asyncio.create_task(app(scope, receive, send))
    yield follower
    closing.set()
    await asyncio.wait_for(task, 5)


@asynccontextmanager
async def following(plane, person, **variables: Any) -> AsyncIterator[Follower]:
    """Follow from now on."""
    async with opened(plane, person, **variables) as follower:
        follower.first = await follower.part()
        yield follower


async def test_a_line_is_shown_within_a_second_of_being_acknowledged(plane, admin, shop) -> None:
    async with following(plane, admin) as tail:
        assert tail.first == {"arrival": "-1", "skipped": 0, "lines": []}
        await say(plane, shop["till"], "it fell over", level=Level.ERROR)
        part = await tail.part(1.0)
    assert part == {
        "arrival": "0",
        "skipped": 0,
        "lines": [
            {
                "message": "it fell over",
                "level": "ERROR",
                "origin": {"unclaimed": False, "runtimeId": "till-1", "integration": {"handle": "till"}},
            }
        ],
    }
    assert len(tails_of(plane.telemetry)) == 0


async def test_a_late_line_is_shown_whatever_its_time(plane, admin, shop) -> None:
    async with following(plane, admin) as tail:
        await say(plane, shop["till"], "of last year", at_ns=1_750_000_000_000_000_000)
        await tail.until("of last year")


async def test_a_time_that_is_asked_for_is_kept_to(plane, admin, shop) -> None:
    wanted = {"scope": {"from": "2026-09-21T00:00:00Z"}}
    async with following(plane, admin, filter=wanted) as tail:
        await say(plane, shop["till"], "of last year", at_ns=1_750_000_000_000_000_000)
        await say(plane, shop["till"], "of now")
        await tail.until("of now")
    assert tail.seen == ["of now"]


async def test_a_broken_stream_goes_on_where_it_was(plane, admin, shop) -> None:
    async with following(plane, admin) as tail:
        await say(plane, shop["till"], "one")
        await tail.until("one")
    await say(plane, shop["till"], "two", "three")
    async with following(plane, admin, after=tail.arrival) as again:
        await say(plane, shop["till"], "four")
        await again.until("four")
    assert again.seen == ["two", "three", "four"]


async def test_it_goes_on_from_a_list(plane, admin, shop) -> None:
    await say(plane, shop["till"], "listed")
    listed = (await admin.ask("{ logs { arrival nodes { message } } }"))["logs"]
    await say(plane, shop["till"], "just after")
    async with following(plane, admin, after=listed["arrival"]) as tail:
        assert tail.seen == ["just after"]


async def test_filters_and_scopes_choose_the_lines(plane, admin, shop) -> None:
    wanted = {"scope": {"project": "shop", "integrations": ["till"]}, "levels": ["ERROR"], "phrase": "FELL"}
    async with following(plane, admin, filter=wanted) as tail:
        await say(plane, shop["stock"], "stock fell", level=Level.ERROR)
        await say(plane, shop["till"], "till fell")
        await say(plane, shop["till"], "till stood", level=Level.ERROR)
        await say(plane, shop["till"], "till fell over", level=Level.ERROR)
        await tail.until("till fell over")
    assert tail.seen == ["till fell over"]


async def test_what_is_beyond_five_hundred_a_second_is_counted(plane, admin, shop) -> None:
    async with following(plane, admin) as tail:
        began_s = time.monotonic()
        await say(plane, shop["till"], *(f"n{number}" for number in range(1_700)))
        skipped = 0
        while len(tail.seen) + skipped < 1_700:
            skipped += (await tail.part())["skipped"]
        seconds = 1 + int(time.monotonic() - began_s)
    assert len(tail.seen) + skipped == 1_700
    assert tail.seen[:500] == [f"n{number}" for number in range(500)]
    assert len(set(tail.seen)) == len(tail.seen) <= 500 * seconds


async def test_many_followers_of_one_thing_ask_once(plane, admin, shop) -> None:
    tails = tails_of(plane.telemetry)
    async with following(plane, admin), following(plane, admin), following(plane, admin, filter={"phrase": "x"}):
        await asyncio.sleep(0.05)
        assert (len(tails), tails.questions) == (3, 2)
    assert (len(tails), tails.questions) == (0, 0)


async def test_only_lines_of_ones_own_places_are_shown(plane, admin, staff, shop) -> None:
    await staff.holder("ann", "OBSERVABILITY_MGT_VIEW_LOGS", project="shop", environment="dev")
    async with staff.signed_in("ann") as ann, following(plane, ann) as hers, following(plane, admin) as all_:
        await say(plane, UNCLAIMED, "nobody's")
        await say(plane, shop["stock"], "in production")
        await say(plane, shop["till"], "hers")
        await hers.until("hers")
        await all_.until("hers")
    assert hers.seen == ["hers"]
    assert all_.seen == ["nobody's", "in production", "hers"]


async def test_rights_that_change_count_at_once(plane, staff, shop) -> None:
    group = await staff.group("Readers")
    role = await staff.role("Reads logs", "OBSERVABILITY_MGT_VIEW_LOGS")
    dev = await staff.mapped(group, role, environment="dev")
    await staff.user("ann", group)
    async with staff.signed_in("ann") as ann, following(plane, ann) as tail:
        await say(plane, shop["till"], "before")
        await tail.until("before")
        await staff.mapped(group, role, environment="prod")
        await say(plane, shop["stock"], "now too")
        await tail.until("now too")
        await staff.admin.ask("mutation ($i: ID!) { unmapRole(id: $i) }", i=dev)
        await say(plane, shop["till"], "not any more")
        await say(plane, shop["stock"], "still")
        await tail.until("still")
    assert tail.seen == ["before", "now too", "still"]


async def test_who_may_read_nothing_any_more_is_told_so(plane, staff, shop) -> None:
    group = await staff.group("Readers")
    mapping = await staff.mapped(group, await staff.role("Reads logs", "OBSERVABILITY_MGT_VIEW_LOGS"))
    await staff.user("ann", group)
    async with staff.signed_in("ann") as ann, following(plane, ann) as tail:
        await staff.admin.ask("mutation ($i: ID!) { unmapRole(id: $i) }", i=mapping)
        await say(plane, shop["till"], "not for you")
        assert await tail.refusal() == "NOT_PERMITTED"
    assert tail.seen == []


async def test_a_project_that_comes_to_be_is_followed_as_it_was_named(plane, admin, staff, monkeypatch) -> None:
    monkeypatch.setattr(log_tail, "LOOK_AGAIN_S", 0.0)
    async with following(plane, admin, filter={"scope": {"project": "later"}}) as tail:
        await staff.project("Later", "Job")
        origin = await origin_of(plane, "later", "job", "dev", runtime_id="j")
        await asyncio.sleep(0.7)
        await say(plane, origin, "born")
        await tail.until("born")


async def test_a_quiet_tail_tells_how_far_it_has_come(plane, admin, shop, monkeypatch) -> None:
    monkeypatch.setattr(log_tail, "LOOK_AGAIN_S", 0.0)
    async with following(plane, admin, filter={"phrase": "never said"}) as tail:
        await say(plane, shop["till"], "something else")
        assert await tail.part() == {"arrival": "0", "skipped": 0, "lines": []}


@pytest.mark.parametrize(
    "variables",
    [
        {"after": "yesterday"},
        {"after": "7"},
        {"filter": {"regex": "("}},
        {"filter": {"statuses": ["500"]}},
        {"filter": {"regex": "x" * 2_000}},
        {"filter": {"scope": {"integrations": ["till"]}}},
    ],
)
async def test_what_cannot_be_followed_is_refused(plane, admin, variables: dict[str, Any]) -> None:
    async with opened(plane, admin, **variables) as tail:
        assert await tail.refusal() == "INVALID_INPUT"
    assert len(tails_of(plane.telemetry)) == 0


async def test_it_ends_with_the_control_plane(plane, admin) -> None:
    async with following(plane, admin) as tail:
        plane.bus.close()
        await asyncio.wait_for(tail.completed.wait(), 2)
