"""Logs as people ask for them: within their reach, page by page, counted, around a line."""

import sys
from pathlib import Path

import pytest
from pilothouse.telemetry.errors import QuestionTimeout, StoreDown
from pilothouse.telemetry.model import Level
from pilothouse.telemetry.questions import ArrivalQuestion, Scope

sys.path.insert(0, str(Path(__file__).parent))

from telemetry_world import LOGS, NOW_S, World, in_memory, line, make_world

pytestmark = pytest.mark.anyio

LIST = """query ($f: LogFilter, $o: Boolean, $n: Int, $a: String) { logs(filter: $f, newestFirst: $o, first: $n, after: $a) {
    nodes { id message } pageInfo { endCursor hasNextPage } } }"""
WHOLE = """{ logs { totalCount arrival nodes { id at level message logger traceId spanId attributes { key value }
    origin { unclaimed runtimeId project { handle } integration { handle } environment { handle critical }
        runtime { name status } } } } }"""


@pytest.fixture
def settings(settings):
    return in_memory(settings)


@pytest.fixture
async def world(plane, admin, runtime) -> World:
    return await make_world(plane, admin, runtime)


async def said(person, newest_first=True, **wanted) -> list[str]:
    found = await person.ask(LIST, f=wanted, o=newest_first, n=500)
    return [node["message"] for node in found["logs"]["nodes"]]


async def test_a_line_is_shown_with_all_it_says_and_where_it_came_from(world, admin) -> None:
    told = line(60, "no stock", severity=18, logger="acme.stock", trace_id="ab" * 16, span_id="cd" * 8,
                attributes={"sku": "a-7", "left": 0, "deep": {"x": [1, None]}})  # fmt: skip
    await world.logs("orders", told)
    await world.logs("lost", line(120, "whose?"))
    found = (await admin.ask(WHOLE))["logs"]
    assert (found["totalCount"], found["arrival"]) == (2, "1")
    first, second = found["nodes"]
    assert first.pop("id")
    assert first == {
        "at": "2026-09-21T14:12:20.000Z", "level": "ERROR", "message": "no stock", "logger": "acme.stock",
        "traceId": "ab" * 16, "spanId": "cd" * 8,
        "attributes": [{"key": "deep", "value": '{"x":[1,null]}'}, {"key": "left", "value": "0"}, {"key": "sku", "value": "a-7"}],
        "origin": {
            "unclaimed": False, "runtimeId": "orders", "project": {"handle": "shop"}, "integration": {"handle": "orders"},
            "environment": {"handle": "dev", "critical": False}, "runtime": {"name": "orders-1", "status": "RUNNING"},
        },
    }  # fmt: skip
    assert second["origin"] == {
        "unclaimed": True, "runtimeId": None, "project": None, "integration": None, "environment": None, "runtime": None,
    }  # fmt: skip


async def test_pages_neither_skip_nor_repeat_at_equal_times_while_lines_arrive(world, admin) -> None:
    for of in ("orders", "bills"):
        await world.logs(of, *(line(60 + number // 4, f"{of} {number}") for number in range(11)))
    for newest_first in (True, False):
        expected = await said(admin, newest_first)
        seen, after = [], None
        while True:
            page = (await admin.ask(LIST, o=newest_first, n=4, a=after))["logs"]
            seen += [node["id"] for node in page["nodes"]]
            await world.logs("orders", line(1 if newest_first else 3_000, "behind the reader's back"))
            if not page["pageInfo"]["hasNextPage"]:
                break
            after = page["pageInfo"]["endCursor"]
        assert len(seen) == len(set(seen)) == len(expected)


async def test_what_the_last_hour_was_on_the_first_page_it_is_on_all_of_them(world, admin, clock) -> None:
    await world.logs("orders", *(line(3_000 - number, f"m{number}") for number in range(4)))
    page = (await admin.ask(LIST, n=2))["logs"]
    clock.advance(1_800)
    assert await said(admin) == []
    rest = (await admin.ask(LIST, n=2, a=page["pageInfo"]["endCursor"]))["logs"]
    assert [node["message"] for node in rest["nodes"]] == ["m1", "m0"]


async def test_a_cursor_belongs_to_its_filter_and_to_nothing_else(world, admin) -> None:
    await world.logs("orders", line(1), line(2))
    cursor = (await admin.ask(LIST, n=1))["logs"]["pageInfo"]["endCursor"]
    for variables in ({"f": {"phrase": "x"}}, {"o": False}, {"f": {"scope": {"project": "shop"}}}):
        assert await world.staff.refusal(admin, LIST, a=cursor, **variables) == ("INVALID_INPUT", "after")
    for nonsense in ("", "x", "WyJsb2dzIl0", "é"):
        assert await world.staff.refusal(admin, LIST, a=nonsense) == ("INVALID_INPUT", "after")


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ["bills", "orders", "orders-prod", "lost"]),
        ({"scope": {"project": "shop"}}, ["orders", "orders-prod"]),
        ({"scope": {"project": "shop", "integrations": ["orders", "bills"]}}, ["orders", "orders-prod"]),
        ({"scope": {"project": "money", "integrations": ["orders"]}}, []),
        ({"scope": {"project": "nowhere"}}, []),
        ({"scope": {"environments": ["prod"]}}, ["orders-prod"]),
        ({"scope": {"environments": ["nowhere"]}}, []),
        ({"scope": {"environments": ["nowhere", "prod"]}}, ["orders-prod"]),
        ({"scope": {"runtimes": ["$bills"]}}, ["bills"]),
        ({"scope": {"runtimes": ["$bills"], "project": "shop"}}, []),
        ({"scope": {"runtimes": ["nobody"]}}, []),
        ({"scope": {"runtimeIds": ["orders-prod", "bills"]}}, ["bills", "orders-prod"]),
        ({"scope": {"runtimeIds": ["orders-prod"], "runtimes": ["$bills"]}}, ["bills", "orders-prod"]),
        ({"scope": {"unclaimed": True}}, ["lost"]),
        ({"scope": {"unclaimed": False, "project": None, "integrations": []}}, ["bills", "orders", "orders-prod"]),
        ({"phrase": "RDERS"}, ["orders", "orders-prod"]),
        ({"phrase": "RDERS", "ignoreCase": False}, []),
        ({"token": "orders"}, ["orders"]),
        ({"regex": "^b.*s$"}, ["bills"]),
        ({"levels": ["WARN", "FATAL"]}, ["bills"]),
        ({"logger": "a.b"}, ["orders"]),
        ({"traceId": "AB" * 16}, ["orders-prod"]),
        ({"attributes": [{"key": "n", "value": "7"}]}, ["orders"]),
    ],
)
async def test_a_filter_keeps_what_it_names(world, admin, wanted, expected) -> None:
    await world.logs("bills", line(1, "bills", severity=Level.WARN))
    await world.logs("orders", line(2, "orders", logger="a.b", attributes={"n": 7}))
    await world.logs("orders-prod", line(3, "orders-prod", trace_id="ab" * 16))
    await world.logs("lost", line(4, "lost"), line(4_000, "of an earlier hour"))
    ids = await world.ids_of_runtimes()
    if "runtimes" in wanted.get("scope", {}):
        wanted["scope"]["runtimes"] = [ids.get(name[1:], name) for name in wanted["scope"]["runtimes"]]
    assert await said(admin, **wanted) == expected


async def test_a_time_begins_with_from_and_ends_before_to(world, admin) -> None:
    await world.logs("orders", *(line(seconds, f"m{seconds}") for seconds in (7_200, 7_100, 7_000)))
    span = {"from": "2026-09-21T12:13:20Z", "to": "2026-09-21T14:16:40+02:00"}
    assert await said(admin, scope=span) == ["m7100", "m7200"]


@pytest.mark.parametrize(
    ("scope", "field"),
    [
        ({"integrations": ["orders"]}, "project"),
        ({"from": "2026-09-21T14:00:00Z", "to": "2026-09-21T14:00:00Z"}, "from"),
        ({"from": "2026-09-21T15:00:00Z"}, "from"),
        ({"from": "2025-08-01T00:00:00Z"}, "from"),
        ({"from": "2026-09-21T14:00:00"}, "from"),
        ({"to": "yesterday"}, "to"),
        ({"to": "9999-12-31T23:59:59Z"}, "to"),
        ({"from": "0001-01-01T00:00:00+23:59"}, "from"),
        ({"environments": ["e"] * 101}, "environments"),
    ],
)
async def test_a_scope_that_cannot_be_meant_is_refused_by_its_field(world, admin, scope, field) -> None:
    assert await world.staff.refusal(admin, LIST, f={"scope": scope}) == ("INVALID_INPUT", field)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"regex": "(a+"}, "regex"),
        ({"regex": "x" * 1_001}, "regex"),
        ({"phrase": "x" * 1_001}, "phrase"),
        ({"attributes": [{"key": "k", "value": "v"}] * 11}, "attributes"),
    ],
)
async def test_a_filter_that_cannot_be_meant_is_refused_by_its_field(world, admin, wanted, field) -> None:
    assert await world.staff.refusal(admin, LIST, f=wanted) == ("INVALID_INPUT", field)


async def test_lines_are_counted_only_where_it_is_asked_for(world, admin, monkeypatch) -> None:
    async def refuse(*_: object, **__: object) -> int:
        raise AssertionError

    await world.logs("orders", line(1), line(2))
    monkeypatch.setattr(type(world.plane.telemetry), "count_logs", refuse)
    monkeypatch.setattr(type(world.plane.telemetry), "arrivals", refuse)
    assert await said(admin) == ["hello", "hello"]


async def test_who_follows_from_a_lists_arrival_misses_nothing(world, admin, monkeypatch) -> None:
    store = world.plane.telemetry
    read = store.logs

    async def logs_and_one_more(question, **more):
        found = await read(question, **more)
        await world.logs("orders", line(1, "meanwhile"))
        return found

    monkeypatch.setattr(store, "logs", logs_and_one_more)
    found = await admin.ask("{ logs { ...part } } fragment part on LogConnection { ... on LogConnection { arrival } }")
    following = ArrivalQuestion(scope=Scope(places=(), unclaimed=None), after=int(found["logs"]["arrival"]))
    assert (await store.arrivals(following)).looked_until == 0
    assert found["logs"]["arrival"] == "-1"


async def test_origins_of_a_page_are_read_together(world, admin) -> None:
    for of in ("orders", "orders-prod", "bills", "lost"):
        await world.logs(of, *(line(number, of) for number in range(1, 101)))
    with world.staff.counted() as statements:
        found = await admin.ask(WHOLE.replace("logs {", "logs(first: 400) {"))
    assert {node["origin"]["runtimeId"] for node in found["logs"]["nodes"]} == {"orders", "orders-prod", "bills", None}
    assert len([one for one in statements if "SELECT" in one]) <= 6, statements


async def test_what_was_deleted_or_retired_has_no_ref_and_its_lines_stay(world, admin) -> None:
    await world.logs("bills", line(1, "last words"))
    await admin.ask('mutation { deleteProject(handle: "money", cascade: true, confirm: "money") { deleted } }')
    [node] = (await admin.ask(WHOLE))["logs"]["nodes"]
    assert node["message"] == "last words"
    assert node["origin"] == {
        "unclaimed": False, "runtimeId": "bills", "project": None, "integration": None,
        "environment": {"handle": "dev", "critical": False}, "runtime": None,
    }  # fmt: skip


LEVELS = """query ($f: LogFilter, $s: Int) { logLevels(filter: $f, stepS: $s) {
    stepS from to steps { at levels { level count } } } }"""


async def test_levels_are_counted_for_every_step_of_the_time(world, admin) -> None:
    await world.logs("orders", line(30), line(31, severity=17), line(32, severity=17), line(3_590))
    found = (await admin.ask(LEVELS))["logLevels"]
    assert (found["stepS"], found["from"], found["to"]) == (60, "2026-09-21T13:13:20.000Z", "2026-09-21T14:13:20.000Z")
    assert len(found["steps"]) == 61
    assert (found["steps"][0]["at"], found["steps"][-1]["at"]) == (
        "2026-09-21T13:13:00.000Z",
        "2026-09-21T14:13:00.000Z",
    )
    told = {index: step["levels"] for index, step in enumerate(found["steps"]) if step["levels"]}
    assert told == {
        0: [{"level": "INFO", "count": 1}],
        59: [{"level": "INFO", "count": 1}, {"level": "ERROR", "count": 2}],
    }


@pytest.mark.parametrize(
    ("from_", "step_s"),
    [("14:13:00", 1), ("14:09:00", 5), ("13:13:20", 60), ("02:13:20", 900), ("00:00:00", 900)],
)
async def test_without_a_step_a_nice_one_is_chosen(world, admin, from_, step_s) -> None:
    scope = {"from": f"2026-09-21T{from_}Z", "to": "2026-09-21T14:13:20Z"}
    found = (await admin.ask(LEVELS, f={"scope": scope}))["logLevels"]
    assert found["stepS"] == step_s
    assert len(found["steps"]) <= 61


@pytest.mark.parametrize("step_s", [0, -1, 2])
async def test_a_step_is_neither_too_short_nor_nothing(world, admin, step_s) -> None:
    assert await world.staff.refusal(admin, LEVELS, s=step_s) == ("INVALID_INPUT", "stepS")


CONTEXT = """query ($id: ID!, $b: Int, $a: Int) { logContext(id: $id, before: $b, after: $a) {
    before { message } line { id message } after { message } } }"""


async def test_context_is_what_the_same_runtime_said_around_a_line(world, admin) -> None:
    await world.logs("orders", *(line(3_700 - number, f"m{number}") for number in range(9)))
    await world.logs("bills", line(3_696, "other"))
    nodes = (await admin.ask(LIST, f={"phrase": "m4", "scope": {"from": "2026-09-21T12:00:00Z"}}))["logs"]["nodes"]
    await world.logs("orders", *(line(1, "later") for _ in range(3)))
    found = (await admin.ask(CONTEXT, id=nodes[0]["id"], b=2, a=1))["logContext"]
    assert [one["message"] for one in found["before"]] == ["m2", "m3"]
    assert found["line"] == nodes[0]
    assert [one["message"] for one in found["after"]] == ["m5"]
    for id_ in ("", "x", "1.1", "f" * 40, "8000000000000000.0"):
        assert (await admin.ask(CONTEXT, id=id_))["logContext"] is None
    for many in ({"b": -1}, {"a": 501}):
        assert (await world.staff.refusal(admin, CONTEXT, id=nodes[0]["id"], **many))[0] == "INVALID_INPUT"


async def test_a_line_one_may_not_see_has_no_context(world, admin) -> None:
    await world.logs("bills", line(1, "secret"))
    id_ = (await admin.ask(LIST))["logs"]["nodes"][0]["id"]
    await world.staff.holder("olga", LOGS, project="shop")
    async with world.staff.signed_in("olga") as olga:
        assert (await olga.ask(CONTEXT, id=id_))["logContext"] is None


@pytest.mark.parametrize(
    ("error", "code"), [(QuestionTimeout(timeout_s=10), "TELEMETRY_TIMEOUT"), (StoreDown(), "TELEMETRY_DOWN")]
)
async def test_a_store_that_cannot_answer_is_an_error_and_never_a_part_of_an_answer(
    world, admin, monkeypatch, error, code
) -> None:
    async def fail(*_: object, **__: object) -> int:
        raise error

    await world.logs("orders", line(1))
    for method, query in (
        ("logs", "{ logs { nodes { id } } }"),
        ("count_logs", "{ logs { nodes { id } totalCount } }"),
        ("arrivals", "{ logs { nodes { id } arrival } }"),
        ("levels", "{ logLevels { stepS } }"),
    ):
        with monkeypatch.context() as broken:
            broken.setattr(world.plane.telemetry, method, fail)
            answer = await admin.try_asking(query)
        assert answer["data"] is None
        assert answer["errors"][0]["extensions"]["code"] == code


def test_the_tests_know_what_time_it_is(clock) -> None:
    assert clock.now() == NOW_S
