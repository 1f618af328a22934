"""Traces as people ask for them: lists, waterfalls, and who called whom."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.api.graphql import service_map, traces
from pilothouse.api.graphql.service_map import called_by
from pilothouse.api.graphql.traces import waterfall
from pilothouse.telemetry.errors import QuestionTimeout
from pilothouse.telemetry.model import UNCLAIMED, Span, SpanKind

sys.path.insert(0, str(Path(__file__).parent))

from telemetry_world import INSIGHTS, World, in_memory, make_world, span

CLIENT, PRODUCER, CONSUMER = SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER
LIST = """query ($f: TraceFilter, $n: Int, $a: String) { traces(filter: $f, first: $n, after: $a) {
    nodes { traceId span { id name kind offsetMs durationMs failed service } } pageInfo { endCursor hasNextPage } } }"""
ONE = """query ($id: ID!) { trace(id: $id) { id at durationMs failed left complete
    spans { id parentId offsetMs attributes { key value } origin { project { handle } } } } }"""
MAP = """query ($s: TelemetryScope) { serviceMap(scope: $s) { spansRead complete
    nodes { id name requests failed integration { handle } project { handle } } edges { from to calls failed p95Ms } } }"""


@pytest.fixture
def settings(settings):
    return in_memory(settings)


@pytest.fixture
async def world(plane, admin, runtime) -> World:
    return await make_world(plane, admin, runtime)


@pytest.mark.anyio
async def test_traces_are_listed_page_by_page_by_their_newest_matching_span(world, admin) -> None:
    await world.spans("orders", *(span(60, number, number * 10 + part) for number in range(1, 8) for part in (1, 2)))
    seen, after = [], None
    while True:
        page = (await admin.ask(LIST, n=3, a=after))["traces"]
        seen += [int(node["traceId"], 16) for node in page["nodes"]]
        await world.spans("orders", span(1, 99, 99))
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert sorted(seen) == list(range(1, 8))
    assert await world.staff.refusal(admin, LIST, a=after, f={"name": "x"}) == ("INVALID_INPUT", "after")


@pytest.mark.anyio
async def test_a_filter_keeps_traces_with_a_span_that_it_names(world, admin) -> None:
    await world.spans("orders", span(60, 1, 11, ms=5), span(60, 2, 21, ms=500, failed=True, name="POST /pay"))
    await world.spans("bills", span(50, 3, 31, service="bills"))

    async def found(**wanted) -> list[int]:
        return [int(node["traceId"], 16) for node in (await admin.ask(LIST, f=wanted))["traces"]["nodes"]]

    assert await found() == [3, 2, 1]
    assert await found(failed=True) == await found(name="/pay") == await found(durationMs=499.9) == [2]
    assert await found(services=["bills", "x"]) == await found(scope={"project": "money"}) == [3]
    assert await found(failed=False) == [3, 1]
    for wanted, field in (({"durationMs": -1}, "durationMs"), ({"name": "x" * 1_001}, "name")):
        assert await world.staff.refusal(admin, LIST, f=wanted) == ("INVALID_INPUT", field)


@pytest.mark.anyio
async def test_a_trace_is_a_waterfall(world, admin) -> None:
    await world.spans("orders", span(10, 7, 1, ms=900), span(9.9, 7, 2, 1, kind=CLIENT, ms=1_200), span(9.5, 7, 4, 1))
    await world.spans("bills", span(9.4, 7, 3, 2, failed=True, attributes={"n": 1}))
    found = (await admin.ask(ONE, id=f"{7:032X}"))["trace"]
    assert [(int(one["id"], 16), one["offsetMs"]) for one in found["spans"]] == [(1, 0), (2, 100), (3, 600), (4, 500)]
    assert (found["durationMs"], found["failed"], found["left"], found["complete"]) == (1_300, True, 0, True)
    assert (found["id"], found["at"]) == (f"{7:032x}", "2026-09-21T14:13:10.000Z")
    assert found["spans"][2]["attributes"] == [{"key": "n", "value": "1"}]
    assert (await admin.ask(ONE, id="nothing"))["trace"] is None


@pytest.mark.anyio
async def test_who_sees_a_part_of_a_trace_is_told_that_parents_are_missing(world) -> None:
    await world.spans("orders", span(10, 7, 1), span(9, 7, 3, 2))
    await world.spans("bills", span(9.5, 7, 2, 1), span(9.5, 8, 2))
    await world.staff.holder("olga", INSIGHTS, project="shop")
    async with world.staff.signed_in("olga") as olga:
        found = (await olga.ask(ONE, id=f"{7:032x}"))["trace"]
        assert {one["origin"]["project"]["handle"] for one in found["spans"]} == {"shop"}
        assert ([int(one["id"], 16) for one in found["spans"]], found["complete"]) == ([1, 3], False)
        assert (await olga.ask(ONE, id=f"{8:032x}"))["trace"] is None
        assert [int(one["traceId"], 16) for one in (await olga.ask(LIST))["traces"]["nodes"]] == [7]


@pytest.mark.anyio
async def test_of_a_long_trace_the_first_part_is_shown_and_the_rest_counted(world, admin, monkeypatch) -> None:
    monkeypatch.setattr(traces, "SPANS_MAX", 3)
    await world.spans("orders", *(span(100 - number, 7, number + 1, number) for number in range(5)))
    found = (await admin.ask(ONE, id=f"{7:032x}"))["trace"]
    assert ([int(one["id"], 16) for one in found["spans"]], found["left"]) == ([1, 2, 3], 2)


WHOLE = """query ($f: TraceFilter) { traces(filter: $f) { nodes { traceId trace { spanCount failedCount durationMs complete
    root { name } parties { service spans failed origin { integration { handle } } } } } } }"""


@pytest.mark.anyio
async def test_a_list_tells_of_each_trace_what_it_began_with_how_large_it_is_and_who_took_part(world, admin) -> None:
    await world.spans("orders", span(9.9, 7, 2, 1, kind=CLIENT), span(10, 7, 1, ms=900))
    await world.spans("bills", span(9.95, 7, 3, 2, failed=True, service="bills"))
    await world.spans("bills", span(8, 8, 4, 9, service="bills"))
    later, first = [node["trace"] for node in (await admin.ask(WHOLE))["traces"]["nodes"]]
    assert (first["root"]["name"], first["spanCount"], first["failedCount"], first["durationMs"]) == ("s1", 3, 1, 900)
    assert [(one["service"], one["spans"], one["failed"]) for one in first["parties"]] == [
        ("orders", 2, 0),
        ("bills", 1, 1),
    ]
    assert first["parties"][0]["origin"]["integration"] is not None
    assert (later["root"]["name"], later["complete"]) == ("s4", False)


@pytest.mark.anyio
async def test_a_list_of_traces_tells_no_more_of_them_than_the_caller_sees(world) -> None:
    await world.spans("orders", span(10, 7, 1))
    await world.spans("bills", span(9.5, 7, 2, 1, failed=True, service="bills"))
    await world.staff.holder("olga", INSIGHTS, project="shop")
    async with world.staff.signed_in("olga") as olga:
        (found,) = (await olga.ask(WHOLE))["traces"]["nodes"]
    assert (found["trace"]["spanCount"], found["trace"]["failedCount"]) == (1, 0)
    assert [one["service"] for one in found["trace"]["parties"]] == ["orders"]


@pytest.mark.anyio
async def test_a_trace_that_cannot_be_read_in_time_does_not_cost_the_list(world, admin, monkeypatch) -> None:
    await world.spans("orders", span(10, 7, 1))

    async def too_slow(*_: object) -> None:
        raise QuestionTimeout(timeout_s=1)

    monkeypatch.setattr(world.plane.telemetry, "trace", too_slow)
    (found,) = (await admin.ask(WHOLE))["traces"]["nodes"]
    assert (int(found["traceId"], 16), found["trace"]) == (7, None)


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6), st.integers(0, 3)), max_size=12))
def test_a_waterfall_has_every_span_once_behind_its_parent_whatever_was_sent(told) -> None:
    spans = [
        Span(record=span(100 - at, 1, id_, parent), origin=UNCLAIMED, number=number)
        for number, (id_, parent, at) in enumerate(told)
    ]
    shown = waterfall(spans)
    assert sorted(one.number for one in shown) == list(range(len(spans)))
    parents = {one.record.span_id: one.record.parent_id for one in spans}
    is_tree = len(parents) == len(spans) and not any(_leads_back(parents, id_) for id_ in parents)
    if is_tree:
        places = {one.record.span_id: place for place, one in enumerate(shown)}
        assert all(places[parent] < places[id_] for id_, parent in parents.items() if parent in places)


def _leads_back(parents: dict[str, str], id_: str) -> bool:
    seen = set()
    while id_ in parents and id_ not in seen:
        seen.add(id_)
        id_ = parents[id_]
    return id_ in seen


async def drawn(person, **asked) -> tuple[dict[str, tuple[int, int]], set[tuple[str, str, int, int]]]:
    found = (await person.ask(MAP, **asked))["serviceMap"]
    names = {node["id"]: node["name"] for node in found["nodes"]}
    assert len(names) == len(found["nodes"])
    nodes = {node["name"]: (node["requests"], node["failed"]) for node in found["nodes"]}
    return nodes, {(names[one["from"]], names[one["to"]], one["calls"], one["failed"]) for one in found["edges"]}


@pytest.mark.anyio
async def test_a_map_tells_who_called_whom_and_what_is_only_called(world, admin) -> None:
    for trace in (1, 2):
        failed = trace == 2
        await world.spans(
            "orders", span(60, trace, 1, failed=failed), span(60, trace, 2, 1, kind=CLIENT, failed=failed, ms=100 * trace),
            span(60, trace, 4, 1, kind=CLIENT, attributes={"db.system": "postgresql", "server.address": "db.local"}),
            span(60, trace, 5, 1, kind=PRODUCER), span(60, trace, 8, 1, kind=CLIENT), span(60, trace, 9, 1, kind=SpanKind.INTERNAL),
        )  # fmt: skip
        await world.spans(
            "bills", span(60, trace, 3, 2, service="bills", failed=failed), span(60, trace, 6, 5, kind=CONSUMER, service="bills"),
            span(60, trace, 7, 3, kind=CLIENT, service="bills", attributes={"server.address": "pay.example"}),
        )  # fmt: skip
    nodes, edges = await drawn(admin)
    assert nodes == {"orders": (2, 1), "bills": (4, 1), "postgresql db.local": (2, 0), "pay.example": (2, 0)}
    assert edges == {
        ("orders", "bills", 4, 1), ("orders", "postgresql db.local", 2, 0), ("bills", "pay.example", 2, 0),
    }  # fmt: skip
    found = (await admin.ask(MAP))["serviceMap"]
    assert (found["spansRead"], found["complete"]) == (16, True)
    [between] = [one for one in found["edges"] if one["calls"] == 4]
    assert between["p95Ms"] == 200
    owners = {node["name"]: node["integration"] and node["integration"]["handle"] for node in found["nodes"]}
    assert owners == {"orders": "orders", "bills": "bills", "postgresql db.local": None, "pay.example": None}


@pytest.mark.anyio
async def test_services_of_one_name_in_two_integrations_are_two(world, admin) -> None:
    await world.spans("orders", span(60, 1, 1, service="api"), span(60, 1, 2, 1, kind=CLIENT, service="api"))
    await world.spans("bills", span(60, 1, 3, 2, service="api"))
    found = (await admin.ask(MAP))["serviceMap"]
    assert [node["name"] for node in found["nodes"]] == ["api", "api"]
    assert found["edges"][0]["from"] != found["edges"][0]["to"]


@pytest.mark.anyio
async def test_a_map_of_more_spans_than_are_read_says_so_and_takes_no_known_call_for_another(
    world, admin, monkeypatch
) -> None:
    monkeypatch.setattr(service_map, "SPANS_MAX", 6)
    monkeypatch.setattr(service_map, "_SPANS_AT_ONCE", 3)
    called = {"server.address": "bills.local"}
    for trace in range(1, 6):
        await world.spans("orders", span(60 - trace, trace, 1, kind=CLIENT, attributes=called))
        await world.spans("bills", span(59.5 - trace, trace, 2, 1, service="bills"))
    found = (await admin.ask(MAP))["serviceMap"]
    assert (found["spansRead"], found["complete"]) == (6, False)
    assert await drawn(admin) == ({"orders": (0, 0), "bills": (3, 0)}, {("orders", "bills", 3, 0)})


@pytest.mark.anyio
async def test_a_map_that_cannot_be_read_to_its_end_is_an_error(world, admin, monkeypatch) -> None:
    store = world.plane.telemetry
    read = store.spans

    async def first_page_only(question, **more):
        if question.after is not None:
            raise QuestionTimeout(timeout_s=10)
        return await read(question, **more)

    monkeypatch.setattr(service_map, "_SPANS_AT_ONCE", 1)
    monkeypatch.setattr(store, "spans", first_page_only)
    await world.spans("orders", span(60, 1, 1), span(60, 1, 2))
    assert await world.staff.refusal(admin, MAP) == ("TELEMETRY_TIMEOUT", None)


@pytest.mark.anyio
async def test_a_developer_of_one_project_sees_no_service_of_another(world) -> None:
    await world.spans("orders", span(60, 1, 1, kind=CLIENT, attributes={"peer.service": "the till's bank"}))
    await world.spans("bills", span(60, 1, 2, 1, service="secret"))
    await world.staff.holder("olga", INSIGHTS, project="shop")
    async with world.staff.signed_in("olga") as olga:
        assert await drawn(olga) == (
            {"orders": (0, 0), "the till's bank": (1, 0)},
            {("orders", "the till's bank", 1, 0)},
        )
        assert await drawn(olga, s={"project": "money"}) == ({}, set())


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({}, None),
        ({"db.system.name": "mysql", "db.system": "x", "db.namespace": "shop"}, "mysql shop"),
        ({"db.system": "redis"}, "redis"),
        ({"messaging.system": "kafka", "messaging.destination.name": "orders"}, "kafka orders"),
        ({"peer.service": "bank", "server.address": "10.0.0.1"}, "bank"),
        ({"server.address": "10.0.0.1"}, "10.0.0.1"),
        ({"server.address": "", "net.peer.name": "old.example"}, "old.example"),
    ],
)
def test_what_is_only_called_is_named_by_what_its_callers_say(attributes, name) -> None:
    assert called_by(attributes) == name
