"""Metrics as people ask for them: merged, never averaged; what is unknown is a gap."""

import sys
from pathlib import Path

import pytest
from pilothouse.api.graphql.metrics import POINTS_MAX, SERIES_MAX
from pilothouse.telemetry.errors import QuestionTimeout
from pilothouse.telemetry.histogram import PERCENTILE_ERROR

sys.path.insert(0, str(Path(__file__).parent))

from telemetry_world import INSIGHTS, World, in_memory, make_world, point

pytestmark = pytest.mark.anyio

FIGURES = "{ count rate mean min max percentiles { of value } }"
ASK = f"""query ($f: MetricFilter, $n: String, $by: [MetricDimension!], $s: Int, $p: [Float!]) {{
    metrics(filter: $f, name: $n, by: $by, stepS: $s, percentiles: $p) {{ name stepS from to left series {{
        key project {{ handle }} integration {{ handle }} environment {{ handle }} runtime {{ name }}
        total {{ at all {FIGURES} succeeded {{ count }} failed {{ count }} errorRate }}
        steps {{ at all {FIGURES} succeeded {{ count }} failed {{ count }} errorRate }} }} }} }}"""


@pytest.fixture
def settings(settings):
    return in_memory(settings)


@pytest.fixture
async def world(plane, admin, runtime) -> World:
    return await make_world(plane, admin, runtime)


async def tell(person, **asked) -> dict:
    return (await person.ask(ASK, **asked))["metrics"]


async def test_percentiles_come_from_merged_distributions(world, admin) -> None:
    await world.metrics("orders", point(600, *[0.1] * 90), point(500, *[2.0] * 5, failed=True))
    await world.metrics("bills", point(400, *[5.0] * 5))
    answer = await tell(admin, p=[0.5, 0.93, 1.0])
    assert (answer["name"], answer["stepS"], answer["left"]) == ("http.server.request.duration", None, 0)
    [series] = answer["series"]
    total = series["total"]
    assert (series["key"], series["steps"]) == ([], [])
    assert (total["all"]["count"], total["succeeded"]["count"], total["failed"]["count"]) == (100, 95, 5)
    assert total["errorRate"] == 0.05
    assert total["all"]["rate"] == pytest.approx(100 / 3_660)  # of the 61 minutes that the hour touches
    assert total["all"]["mean"] == pytest.approx((9 + 10 + 25) / 100)
    assert (total["all"]["min"], total["all"]["max"]) == (0.1, 5.0)
    assert [one["of"] for one in total["all"]["percentiles"]] == [0.5, 0.93, 1.0]
    for told, expected in zip(total["all"]["percentiles"], (0.1, 2.0, 5.0), strict=True):
        assert told["value"] == pytest.approx(expected, rel=PERCENTILE_ERROR)


async def test_a_step_without_points_is_unknown_and_one_with_an_empty_point_is_zero(world, admin) -> None:
    await world.metrics("orders", point(600, 0.1, 0.3), point(300))
    answer = await tell(admin, s=300, f={"scope": {"from": "2026-09-21T14:00:00Z"}})
    [series] = answer["series"]
    assert [step["at"][11:16] for step in series["steps"]] == ["14:00", "14:05", "14:10"]
    known, zero = series["steps"][0], series["steps"][1]
    assert (known["all"]["count"], known["all"]["rate"]) == (2, pytest.approx(2 / 300))
    assert (zero["all"]["count"], zero["all"]["mean"], zero["errorRate"]) == (0, None, None)
    assert all(one["value"] is None for one in zero["all"]["percentiles"])
    unknown = series["steps"][2]
    assert (unknown["all"], unknown["succeeded"], unknown["failed"], unknown["errorRate"]) == (None, None, None, None)


async def test_a_step_that_reaches_beyond_the_time_is_as_long_as_it_lies_within(world, admin) -> None:
    await world.metrics("orders", point(30, *[0.1] * 12))
    [series] = (await tell(admin, s=3_600, f={"scope": {"from": "2026-09-21T13:30:00Z"}}))["series"]
    last = series["steps"][-1]
    assert (last["at"], last["all"]["rate"]) == ("2026-09-21T14:00:00.000Z", pytest.approx(12 / (14 * 60)))


async def test_what_nothing_was_ever_told_of_has_no_series(world, admin) -> None:
    assert (await tell(admin, s=60))["series"] == []


async def test_series_are_told_apart_and_named(world, admin) -> None:
    await world.metrics("orders", point(60, 1, 1, 1, status="200"), point(60, 1, status="500", failed=True))
    await world.metrics("orders-prod", point(60, 1, 1, resource="", status="200"))
    await world.metrics("bills", point(60, 1))
    answer = await tell(admin, by=["INTEGRATION", "ENVIRONMENT", "RUNTIME"], s=60)
    told = [
        (one["project"]["handle"], one["integration"]["handle"], one["environment"]["handle"], one["runtime"]["name"],
         one["key"][2], one["total"]["all"]["count"], sum(step["all"]["count"] for step in one["steps"] if step["all"]))
        for one in answer["series"]
    ]  # fmt: skip
    assert told == [
        ("shop", "orders", "dev", "orders-1", "orders", 4, 4),
        ("shop", "orders", "prod", "orders-2", "orders-prod", 2, 2),
        ("money", "bills", "dev", "bills-1", "bills", 1, 1),
    ]
    assert {len(one["key"]) for one in answer["series"]} == {3}
    by_status = (await tell(admin, by=["RESOURCE", "STATUS"]))["series"]
    assert [one["key"] for one in by_status] == [["GET /a", "200"], [None, "200"], ["GET /a", None], ["GET /a", "500"]]
    assert by_status[0]["integration"] is None
    assert {one["project"] and one["project"]["handle"] for one in (await tell(admin, by=["PROJECT"]))["series"]} == {"shop", "money"}  # fmt: skip


async def test_a_series_that_says_nothing_of_a_dimension_has_its_steps_too(world, admin) -> None:
    await world.metrics("orders", point(60, 1, resource=""), point(60, 1, 1, resource="GET /b"))
    await world.metrics("lost", point(60, 1, 1, 1))
    for by in (["RESOURCE"], ["PROJECT"], ["RUNTIME", "RESOURCE"]):
        for one in (await tell(admin, by=by, s=600))["series"]:
            assert sum(step["all"]["count"] for step in one["steps"] if step["all"]) == one["total"]["all"]["count"]


async def test_a_filter_keeps_what_it_names(world, admin) -> None:
    await world.metrics("orders", point(60, 1, service="a"), point(60, 1, 1, service="b", resource="GET /b"))
    await world.metrics("orders", point(60, 1, 1, 1, name="http.client.request.duration", outbound=True))
    await world.metrics("orders", point(60, 0.5, name="process.cpu.utilization", resource=""))

    async def count(name=None, **wanted) -> int:
        series = (await tell(admin, f=wanted, n=name))["series"]
        return sum(one["total"]["all"]["count"] for one in series)

    assert await count() == 3
    assert await count(services=["a"]) == 1
    assert await count(resources=["GET /b", "GET /c"]) == 2
    assert await count(outbound=True) == 3
    assert await count("process.cpu.utilization") == 1
    assert await count(scope={"project": "money"}) == await count(scope={"project": "nowhere"}) == 0


async def test_the_busiest_series_are_shown_and_the_rest_is_counted(world, admin) -> None:
    points = [point(60, *[1.0] * (2 if number == 7 else 1), resource=f"GET /{number}") for number in range(230)]
    await world.metrics("orders", *points)
    answer = await tell(admin, by=["RESOURCE"], p=[])
    assert (len(answer["series"]), answer["left"]) == (SERIES_MAX, 30)
    assert answer["series"][0]["key"] == ["GET /7"]
    stepped = (
        await admin.ask("{ metrics(by: [RESOURCE], stepS: 60) { left series { steps { at } } } }")
    )["metrics"]  # fmt: skip
    assert len(stepped["series"]) == POINTS_MAX // 61
    assert stepped["left"] == 230 - POINTS_MAX // 61


async def test_a_year_can_be_asked_for_in_one_step_and_day_by_day(world, admin) -> None:
    await world.metrics("orders", point(60, 1), point(300 * 86_400, 1))
    year = {"scope": {"from": "2025-10-01T00:00:00Z"}}
    [series] = (await tell(admin, f=year, s=86_400))["series"]
    assert (series["total"]["all"]["count"], len(series["steps"])) == (2, 356)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"s": 59}, "stepS"),
        ({"s": 90}, "stepS"),
        ({"s": 0}, "stepS"),
        ({"s": 60, "f": {"scope": {"from": "2026-09-01T00:00:00Z"}}}, "stepS"),
        ({"by": ["PROJECT", "SERVICE", "RESOURCE", "STATUS"]}, "by"),
        ({"p": [1.01]}, "percentiles"),
        ({"p": [0.5] * 11}, "percentiles"),
        ({"n": "x" * 1_001}, "name"),
        ({"f": {"services": ["s"] * 101}}, "services"),
    ],
)
async def test_what_cannot_be_meant_is_refused_by_its_field(world, admin, asked, field) -> None:
    assert await world.staff.refusal(admin, ASK, **asked) == ("INVALID_INPUT", field)


async def test_names_are_those_of_the_time_and_of_the_scope(world, admin) -> None:
    await world.metrics("orders", point(60, 1), point(60, 1, name="b"), point(9_000, 1, name="earlier"))
    await world.metrics("bills", point(60, 1, name="a"))
    names = "query ($s: TelemetryScope) { metricNames(scope: $s) }"
    assert (await admin.ask(names))["metricNames"] == ["a", "b", "http.server.request.duration"]
    assert (await admin.ask(names, s={"project": "money"}))["metricNames"] == ["a"]
    assert (await admin.ask(names, s={"project": "nowhere"}))["metricNames"] == []
    assert "earlier" in (await admin.ask(names, s={"from": "2026-09-21T00:00:00Z"}))["metricNames"]


async def test_steps_that_cannot_be_read_are_an_error_and_not_gaps(world, admin, monkeypatch) -> None:
    store = world.plane.telemetry
    read = store.metrics

    async def totals_only(question, **more):
        if question.step_s is not None:
            raise QuestionTimeout(timeout_s=10)
        return await read(question, **more)

    await world.metrics("orders", point(60, 1))
    monkeypatch.setattr(store, "metrics", totals_only)
    assert await world.staff.refusal(admin, ASK, s=60) == ("TELEMETRY_TIMEOUT", None)


async def test_a_developer_of_one_project_has_no_figures_of_another(world) -> None:
    await world.metrics("orders", point(60, 1))
    await world.metrics("bills", point(60, 1, 1, name="a"), point(60, 1, 1))
    await world.staff.holder("olga", INSIGHTS, project="shop")
    ask = """query ($f: MetricFilter) { metrics(filter: $f, by: [PROJECT]) { series { project { handle } total { all { count } } } } }"""
    async with world.staff.signed_in("olga") as olga:
        [series] = (await olga.ask(ask))["metrics"]["series"]
        assert series == {"project": {"handle": "shop"}, "total": {"all": {"count": 1}}}
        assert (await olga.ask(ask, f={"scope": {"project": "money"}}))["metrics"]["series"] == []
        assert (await olga.ask("{ metricNames }"))["metricNames"] == ["http.server.request.duration"]
