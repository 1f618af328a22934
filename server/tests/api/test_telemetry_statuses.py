"""Traces and lines of requests that were answered in some way: the ones that metrics count at that moment, and no others."""

import sys
from pathlib import Path

import pytest
from pilothouse.api.graphql import answered
from pilothouse.telemetry.model import SpanKind

sys.path.insert(0, str(Path(__file__).parent))

from telemetry_world import INSIGHTS, LOGS, World, in_memory, line, make_world, span

pytestmark = pytest.mark.anyio

TRACES = """query ($f: TraceFilter, $n: Int, $a: String) { traces(filter: $f, first: $n, after: $a) {
    nodes { traceId } pageInfo { endCursor hasNextPage } } }"""
LINES = """query ($f: LogFilter, $n: Int, $a: String) { logs(filter: $f, newestFirst: false, first: $n, after: $a) {
    totalCount nodes { message } pageInfo { endCursor hasNextPage } } }"""
LEVELS = "query ($f: LogFilter) { logLevels(filter: $f, stepS: 3600) { steps { levels { count } } } }"
CODE = "http.response.status_code"
MINUTE = {"from": "2026-09-21T14:10:00Z", "to": "2026-09-21T14:11:00Z"}
"""From 200 to 140 s before now."""


@pytest.fixture
def settings(settings):
    return in_memory(settings)


@pytest.fixture
async def world(plane, admin, runtime) -> World:
    return await make_world(plane, admin, runtime)


async def traces(person, **wanted) -> list[int]:
    return sorted(int(node["traceId"], 16) for node in (await person.ask(TRACES, f=wanted))["traces"]["nodes"])


async def lines(person, **wanted) -> list[str]:
    found = (await person.ask(LINES, f=wanted))["logs"]
    assert found["totalCount"] == len(found["nodes"])
    return [node["message"] for node in found["nodes"]]


def answer(seconds: float, trace: int, code: object, **more):
    return span(seconds, trace, trace, attributes={CODE: code}, **more)


async def test_traces_of_a_status_are_those_answered_so_within_the_time(world, admin) -> None:
    await world.spans(
        "orders",
        answer(190, 1, 500),
        answer(210, 2, 504, ms=30_000),  # begun before the minute, answered within
        answer(150, 3, 502, ms=20_000),  # begun within, answered after it
        answer(180, 4, 200),
        answer(170, 5, 500, kind=SpanKind.CLIENT),
        answer(205, 6, 500),
        answer(200, 7, 503, ms=0),
    )
    assert await traces(admin, scope=MINUTE, statuses=["5xx"]) == [1, 2, 7]
    assert await traces(admin, scope=MINUTE, statuses=["500"]) == [1]
    assert await traces(admin, scope=MINUTE, statuses=["500", "200"]) == [1, 4]
    assert await traces(admin, scope=MINUTE, statuses=["5xx"], outbound=True) == [5]
    assert await traces(admin, scope=MINUTE, statuses=["5xx"], durationMs=1_000) == [2]
    assert await traces(admin, scope=MINUTE, statuses=[]) == [1, 3, 4, 5, 7]


async def test_pages_of_a_status_stay_in_the_time_of_the_first(world, admin) -> None:
    await world.spans("orders", *(answer(190 - number, number + 1, 500) for number in range(7)), answer(206, 99, 500))
    seen, after = [], None
    while True:
        page = (await admin.ask(TRACES, f={"scope": MINUTE, "statuses": ["500"]}, n=3, a=after))["traces"]
        seen += [int(node["traceId"], 16) for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert sorted(seen) == list(range(1, 8))
    first = (await admin.ask(TRACES, f={"scope": MINUTE, "statuses": ["500"]}, n=3))["traces"]["pageInfo"]["endCursor"]
    assert await world.staff.refusal(admin, TRACES, f={"scope": MINUTE, "statuses": ["404"]}, a=first) == (
        "INVALID_INPUT",
        "after",
    )


async def test_lines_of_a_status_are_those_of_its_requests_and_those_that_tell_it_themselves(world, admin) -> None:
    await world.spans("orders", answer(190, 1, 500), answer(180, 2, 200), answer(210, 3, 500, ms=15_000))
    await world.spans("orders", answer(205, 4, 500, ms=1_000), answer(185, 5, 502, kind=SpanKind.CLIENT))
    await world.logs(
        "orders",
        line(190, "one", trace_id=f"{1:032x}"),
        line(179, "two", trace_id=f"{2:032x}"),
        line(198, "three", trace_id=f"{3:032x}"),
        line(204, "before the minute", trace_id=f"{3:032x}"),
        line(197, "over before the minute", trace_id=f"{4:032x}"),
        line(160, "access", attributes={CODE: 502}),
        line(150, "nothing"),
        line(149, "five", trace_id=f"{5:032x}"),
    )
    assert await lines(admin, scope=MINUTE, statuses=["5xx"]) == ["three", "one", "access"]
    assert await lines(admin, scope=MINUTE, statuses=["500"]) == ["three", "one"]
    assert await lines(admin, scope=MINUTE, statuses=["5xx"], outbound=True) == ["five"]
    assert await lines(admin, scope=MINUTE, statuses=["5xx"], phrase="cess") == ["access"]
    assert await lines(admin, scope=MINUTE, statuses=["404"]) == []
    steps = (await admin.ask(LEVELS, f={"scope": MINUTE, "statuses": ["5xx"]}))["logLevels"]["steps"]
    assert sum(each["count"] for step in steps for each in step["levels"]) == 3
    page = (await admin.ask(LINES, f={"scope": MINUTE, "statuses": ["5xx"]}, n=2))["logs"]
    after = page["pageInfo"]["endCursor"]
    rest = (await admin.ask(LINES, f={"scope": MINUTE, "statuses": ["5xx"]}, n=2, a=after))["logs"]
    assert [node["message"] for node in rest["nodes"]] == ["access"]


async def test_a_download_has_the_lines_of_a_status(world, admin) -> None:
    await world.spans("orders", answer(190, 1, 500))
    await world.logs("orders", line(190, "mine", trace_id=f"{1:032x}"), line(189, "other", trace_id=f"{2:032x}"))
    query = f"from={MINUTE['from']}&to={MINUTE['to']}&format=csv"
    whole = await admin.client.get(f"/api/v1/logs?{query}&status=4xx&status=500")
    assert ("mine" in whole.text, "other" in whole.text) == (True, False)
    refused = await admin.client.get(f"/api/v1/logs?{query}&status=50x")
    assert (refused.status_code, refused.json()["field"]) == (400, "status")


async def test_who_may_read_lines_alone_learns_of_no_status_from_traces(world) -> None:
    await world.spans("orders", answer(190, 1, 500))
    await world.spans("bills", answer(190, 2, 500))
    for of, number in (("orders", 1), ("bills", 2)):
        await world.logs(of, line(190, of, trace_id=f"{number:032x}"), line(180, f"{of} says", attributes={CODE: 500}))
    await world.staff.holder("lina", LOGS)
    async with world.staff.signed_in("lina") as lina:
        assert await lines(lina, scope=MINUTE, statuses=["500"]) == ["orders says", "bills says"]
    seeing = await world.staff.group("Seeing")
    await world.staff.mapped(seeing, await world.staff.role("Sees lines", LOGS))
    await world.staff.mapped(seeing, await world.staff.role("Sees traces", INSIGHTS), project="shop")
    await world.staff.user("ines", seeing)
    async with world.staff.signed_in("ines") as ines:
        assert await lines(ines, scope=MINUTE, statuses=["500"]) == ["orders", "orders says", "bills says"]


@pytest.mark.parametrize("told", ["50x", "6xx", "", "12345"])
async def test_what_is_no_status_is_refused_by_its_field(world, admin, told) -> None:
    for query in (TRACES, LINES, LEVELS):
        assert await world.staff.refusal(admin, query, f={"statuses": [told]}) == ("INVALID_INPUT", "statuses")


async def test_more_requests_than_can_be_told_apart_are_refused_and_never_a_part_of_them(
    world, admin, monkeypatch
) -> None:
    monkeypatch.setattr(answered, "TRACES_MAX", 3)
    monkeypatch.setattr(answered, "_PAGE", 2)
    await world.spans("orders", *(answer(190 - number, number, 500) for number in range(1, 4)))
    await world.logs("orders", *(line(150, f"m{number}", trace_id=f"{number:032x}") for number in range(1, 5)))
    assert await lines(admin, scope=MINUTE, statuses=["500"]) == ["m1", "m2", "m3"]
    await world.spans("orders", answer(160, 4, 500))
    refused = await world.staff.refusal(admin, LINES, f={"scope": MINUTE, "statuses": ["500"]})
    assert refused == ("INVALID_INPUT", "statuses")
