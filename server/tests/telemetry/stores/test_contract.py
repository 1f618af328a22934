"""What every telemetry store keeps."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import product

import msgspec
import pytest
from pilothouse.access.places import EVERYTHING, NOTHING, Place, Reach
from pilothouse.base.errors import InvalidInput, NotFound
from pilothouse.telemetry.composed import whole_traces
from pilothouse.telemetry.errors import QuestionTimeout
from pilothouse.telemetry.histogram import PERCENTILE_ERROR, of_values
from pilothouse.telemetry.model import (
    NS_A_SECOND,
    UNCLAIMED,
    Level,
    LogBatch,
    LogRecord,
    MetricBatch,
    MetricPoint,
    Origin,
    Position,
    SpanBatch,
    SpanKind,
    SpanRecord,
)
from pilothouse.telemetry.questions import (
    TRACE_SPANS_MAX,
    ArrivalQuestion,
    Dimension,
    LogFilter,
    LogQuestion,
    MetricQuestion,
    Scope,
    SpanQuestion,
    TraceFilter,
    TraceQuestion,
    TraceSpans,
)
from pilothouse.telemetry.store import Retention, Retentions, TelemetryStore

pytestmark = pytest.mark.anyio

HOUR_NS = 3600 * NS_A_SECOND
T0 = 1_790_000_000 // 3600 * HOUR_NS
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ORDERS = Origin(project_id="shop", integration_id="orders", environment_id="prod", runtime_id="r-1", runtime_key=1)
ORDERS_DEV = Origin(project_id="shop", integration_id="orders", environment_id="dev", runtime_id="r-2", runtime_key=2)
BILLS = Origin(project_id="money", integration_id="bills", environment_id="prod", runtime_id="r-3", runtime_key=3)
ALL = Scope.within(EVERYTHING)


def line(at: int, message: str = "hello", **more) -> LogRecord:
    return LogRecord(at_ns=T0 + at, message=message, **more)


async def messages(store, scope: Scope = ALL, newest_first=False, **wanted) -> list[str]:
    page = await store.logs(LogQuestion(scope=scope, filter=LogFilter(**wanted), newest_first=newest_first, limit=500))
    return [one.record.message for one in page.lines]


async def test_a_line_comes_back_as_it_was_with_its_origin(store):
    told = line(1, "größer als 😀\x00 'quoted'", severity=18, logger="a.b", trace_id=TRACE, span_id="00f067aa0ba902b7",
                attributes={"a.b": "c", "n": 7, "deep": {"x": [1, None, True]}, "é": "ü"})  # fmt: skip
    await store.append_logs([LogBatch(ORDERS, [told])])
    [found] = (await store.logs(LogQuestion(scope=ALL))).lines
    assert (found.record, found.origin) == (told, ORDERS)
    assert found.record.level is Level.ERROR


async def test_lines_are_listed_newest_first_or_oldest_first_up_to_the_limit(store):
    await store.append_logs(
        [LogBatch(ORDERS, [line(at, f"m{at}") for at in (3, 1, 2)]), LogBatch(BILLS, [line(4, "m4")])]
    )
    page = await store.logs(LogQuestion(scope=ALL, limit=3))
    assert ([one.record.message for one in page.lines], page.more) == (["m4", "m3", "m2"], True)
    assert await messages(store) == ["m1", "m2", "m3", "m4"]
    assert not (await store.logs(LogQuestion(scope=ALL, limit=4))).more


@pytest.mark.parametrize("newest_first", [True, False])
async def test_paging_neither_skips_nor_repeats_at_equal_times_while_more_arrives(store, newest_first):
    times = [5] * 7 + [6] * 4 + [4] * 3
    for origin in (ORDERS, ORDERS_DEV, BILLS):
        await store.append_logs(
            [LogBatch(origin, [line(at, f"{origin.runtime_id} {n}") for n, at in enumerate(times)])]
        )
    expected = (await store.logs(LogQuestion(scope=ALL, newest_first=newest_first, limit=500))).lines
    assert len(expected) == 42
    question, seen = LogQuestion(scope=ALL, newest_first=newest_first, limit=4), []
    while True:
        page = await store.logs(question)
        seen += page.lines
        # What arrives behind the reader's back, beyond what was read, changes nothing for it.
        await store.append_logs([LogBatch(ORDERS, [line(9 if newest_first else 1, "late")])])
        if not page.more:
            break
        question = msgspec.structs.replace(question, after=page.end)
    assert seen == expected


FILTERS = [
    ({"levels": (Level.WARN,)}, ["careful"]),
    ({"levels": (Level.WARN, Level.FATAL)}, ["careful", "the end"]),
    ({"phrase": "order ord-77aa"}, ["took order ord-77aab now"]),
    ({"phrase": "ORDER"}, []),
    ({"phrase": "TOOK Order", "ignore_case": True}, ["took order ord-77aab now"]),
    ({"phrase": "100%_[x"}, ["is 100%_[x] done"]),
    ({"phrase": "_[X] D", "ignore_case": True}, ["is 100%_[x] done"]),
    ({"phrase": "%"}, ["is 100%_[x] done"]),
    ({"phrase": "ar"}, ["careful"]),
    ({"phrase": "aref"}, ["careful"]),
    ({"phrase": "took  order"}, []),
    ({"phrase": "took now"}, []),
    ({"phrase": "order took"}, []),
    ({"token": "ord-77aab"}, ["took order ord-77aab now"]),
    ({"token": "ord-77aa"}, []),
    ({"token": TRACE}, ["with trace", f"says {TRACE}."]),
    ({"token": TRACE.upper()}, ["with trace"]),
    ({"trace_id": TRACE}, ["with trace"]),
    ({"trace_id": "nonsense"}, []),
    ({"regex": r"ord-[0-9a-f]{5}\b"}, ["took order ord-77aab now"]),
    ({"regex": "^(careful|the end)$"}, ["careful", "the end"]),
    ({"logger": "a.B"}, ["careful"]),
    ({"attributes": (("http.route", "/x/{id}"),)}, ["with trace"]),
    ({"attributes": (("n", "7"), ("http.route", "/x/{id}"))}, ["with trace"]),
    ({"attributes": (("a/b~c", "true"),)}, ["is 100%_[x] done"]),
    ({"attributes": (("n", "8"),)}, []),
    ({"phrase": "order", "levels": (Level.WARN,)}, []),
]


async def test_a_filter_keeps_what_it_names(store):
    await store.append_logs([
        LogBatch(ORDERS, [
            line(1, "careful", severity=14, logger="a.B"),
            line(2, "the end", severity=24),
            line(3, "took order ord-77aab now"),
            line(4, "is 100%_[x] done", attributes={"a/b~c": True}),
            line(5, "with trace", trace_id=TRACE, attributes={"http.route": "/x/{id}", "n": 7}),
            line(6, f"says {TRACE}."),
        ])
    ])  # fmt: skip
    for wanted, expected in FILTERS:
        assert (await messages(store, **wanted), wanted) == (expected, wanted)
        assert (await store.count_logs(ALL, LogFilter(**wanted)), wanted) == (len(expected), wanted)


LONG = "ab" * 200
SAID = [
    'failed to connect: no route (10.0.0.1) said <nginx> \\o/ "x"',
    "unfailed to connecting: nothing",
    "Größe 12,5 m² überschritten",
    "first line\n  second\tline",
    f"token={LONG}; {LONG[:9]}",
    "... " + "-" * 3 + "=" * 250 + ">",
]


PHRASES = [
    ("failed to connect", False, [0, 1]),
    ("FAILED TO CONNECT", True, [0, 1]),
    ("FAILED TO CONNECT", False, []),
    ("ed to con", False, [0, 1]),
    ("d to connect:", False, [0]),
    (": no", False, [0, 1]),
    ("(10.0.0.1) said <nginx>", False, [0]),
    ('NGINX> \\O/ "X', True, [0]),
    (" ", False, [0, 1, 2, 3, 4, 5]),
    ("öß", False, [2]),
    ("GRÖSSE", True, []),
    ("RöSSe", True, []),
    ("gröSSe", True, []),
    ("rÖßE 12,5 M² ÜBER", True, [2]),
    ("line\n  sec", False, [3]),
    ("bab", False, [4]),
    (LONG, False, [4]),
    (f"token={LONG[:100]}", False, [4]),
    (f"{LONG[-20:]}; aba", False, [4]),
    ("===>", False, [5]),
    (" ---=", False, [5]),
]


async def test_a_phrase_is_found_wherever_it_stands_and_counted(store):
    await store.append_logs([LogBatch(ORDERS, [line(at, message) for at, message in enumerate(SAID)])])
    hour = msgspec.structs.replace(ALL, from_ns=T0, to_ns=T0 + HOUR_NS)
    for phrase, ignore_case, places in PHRASES:
        expected = [SAID[at] for at in places]
        assert (await messages(store, phrase=phrase, ignore_case=ignore_case), phrase) == (expected, phrase)
        wanted = LogFilter(phrase=phrase, ignore_case=ignore_case)
        assert (await store.count_logs(ALL, wanted), phrase) == (len(expected), phrase)
        levels = await store.levels(hour, wanted, 3_600)
        assert (sum(number for step in levels.values() for number in step.values()), phrase) == (len(expected), phrase)
        arrived = await store.arrivals(ArrivalQuestion(scope=ALL, filter=wanted, after=-1))
        assert ([one.record.message for one in arrived.lines], phrase) == (expected, phrase)


async def test_a_word_is_found_however_long_it_is(store):
    await store.append_logs([LogBatch(ORDERS, [line(at, message) for at, message in enumerate(SAID)])])
    for token, expected in ((LONG, [4]), (LONG[:9], [4]), (LONG[:200], []), ("connect", [0]), ("connecting", [1])):
        assert await messages(store, token=token) == [SAID[at] for at in expected]


async def test_a_phrase_that_begins_and_ends_like_thousands_of_words_is_counted_too(store):
    said = [f"took id{number:05d} id{number:05d} away" for number in range(1_500)]
    await store.append_logs([LogBatch(ORDERS, [line(at, message) for at, message in enumerate(said)])])
    assert await store.count_logs(ALL, LogFilter(phrase="took id0"), timeout_s=30) == 1_500
    assert await store.count_logs(ALL, LogFilter(phrase="0 id0"), timeout_s=30) == 150
    assert len(await messages(store, phrase="7 id0100")) == 1


SCOPES = [
    ({}, ["bills", "lost", "orders", "orders dev"]),
    ({"project_ids": ("shop",)}, ["orders", "orders dev"]),
    ({"integration_ids": ("bills", "nothing")}, ["bills"]),
    ({"environment_ids": ("prod",)}, ["bills", "orders"]),
    ({"environment_ids": ("prod",), "project_ids": ("shop",)}, ["orders"]),
    ({"runtime_ids": ("r-2",)}, ["orders dev"]),
    ({"unclaimed": True}, ["lost"]),
    ({"unclaimed": False}, ["bills", "orders", "orders dev"]),
    ({"from_ns": T0 + 2, "to_ns": T0 + 4}, ["bills", "orders dev"]),
    ({"environment_ids": ("../..",)}, []),
]


async def test_a_scope_keeps_what_it_names(store):
    await four(store)
    for asked, expected in SCOPES:
        assert (sorted(await messages(store, Scope.within(EVERYTHING, **asked))), asked) == (expected, asked)


REACHES = [
    (NOTHING, []),
    (Reach([Place(project_id="shop")]), ["orders", "orders dev"]),
    (Reach([Place(project_id="shop", integration_id="orders", environment_id="dev")]), ["orders dev"]),
    (Reach([Place(environment_id="prod")]), ["bills", "orders"]),
    (Reach([Place(project_id="money"), Place(environment_id="dev")]), ["bills", "orders dev"]),
]


async def test_nobody_sees_beyond_their_reach_and_unclaimed_lines_only_who_sees_everything(store):
    await four(store)
    for reach, expected in REACHES:
        assert sorted(await messages(store, Scope.within(reach))) == expected
        assert await store.count_logs(Scope.within(reach), LogFilter()) == len(expected)
        assert await messages(store, Scope.within(reach), token="nothere") == []


async def four(store) -> None:
    await store.append_logs([
        LogBatch(ORDERS, [line(1, "orders")]), LogBatch(ORDERS_DEV, [line(2, "orders dev")]),
        LogBatch(BILLS, [line(3, "bills")]), LogBatch(UNCLAIMED, [line(4, "lost")]),
    ])  # fmt: skip


async def test_followers_get_every_arrival_once_in_order_however_late_its_time(store):
    await store.append_logs([LogBatch(ORDERS, [line(5, "a"), line(1, "b")])])
    first = await store.arrivals(ArrivalQuestion(scope=ALL, after=-1, limit=1))
    await store.append_logs([LogBatch(BILLS, [line(0, "c")])])
    second = await store.arrivals(ArrivalQuestion(scope=ALL, after=first.looked_until))
    third = await store.arrivals(ArrivalQuestion(scope=ALL, after=second.looked_until))
    assert [[one.record.message for one in part.lines] for part in (first, second, third)] == [["a"], ["b", "c"], []]
    assert third.looked_until == second.looked_until


async def test_levels_are_counted_by_step_and_empty_steps_left_out(store):
    records = [
        line(at * NS_A_SECOND, severity=severity) for at, severity in ((0, 9), (59, 17), (60, 9), (61, 12), (300, 9))
    ]
    await store.append_logs([LogBatch(ORDERS, records)])
    whole = Scope.within(EVERYTHING, from_ns=T0, to_ns=T0 + 600 * NS_A_SECOND)
    begin_s = T0 // NS_A_SECOND
    assert await store.levels(whole, LogFilter(), 60) == {
        begin_s: {Level.INFO: 1, Level.ERROR: 1},
        begin_s + 60: {Level.INFO: 2},
        begin_s + 300: {Level.INFO: 1},
    }


async def test_context_is_what_the_same_runtime_said_around_a_line(store):
    await store.append_logs(
        [LogBatch(ORDERS, [line(at, f"m{at}") for at in range(9)]), LogBatch(BILLS, [line(4, "other")])]
    )
    [middle] = (await store.logs(LogQuestion(scope=ALL, filter=LogFilter(phrase="m4")))).lines
    around = await store.context(ALL, middle.position, before=2, after=3)
    said = [[one.record.message for one in part] for part in (around.before, [around.line], around.after)]
    assert said == [["m2", "m3"], ["m4"], ["m5", "m6", "m7"]]
    with pytest.raises(NotFound):
        await store.context(Scope.within(Reach([Place(project_id="money")])), middle.position, before=1, after=1)
    with pytest.raises(NotFound):
        await store.context(ALL, Position(T0 + 4, 999), before=1, after=1)


async def test_an_export_gives_everything_in_pieces(store):
    await store.append_logs([LogBatch(ORDERS, [line(at // 3, f"m{at}") for at in range(25)])])
    pieces = [piece async for piece in store.export_logs(LogQuestion(scope=ALL, newest_first=False, limit=10))]
    assert [len(piece) for piece in pieces] == [10, 10, 5]
    assert [one.record.message for piece in pieces for one in piece] == [f"m{at}" for at in range(25)]


async def test_a_wrong_regular_expression_is_the_askers_fault(store):
    for regex in ("(a+", "a{1000}{1000}", "x" * 1_001):
        with pytest.raises(InvalidInput) as refused:
            await store.logs(LogQuestion(scope=ALL, filter=LogFilter(regex=regex)))
        assert refused.value.field == "regex", regex


async def test_a_regular_expression_that_explodes_elsewhere_does_not(store):
    await store.append_logs([LogBatch(ORDERS, [line(1, "a" * 5_000 + "!")])])
    for regex in ("(a+)+$", "(a|aa)+$", "(.*a){20}", "((a*)*)*b"):
        async with asyncio.timeout(5):
            await store.count_logs(ALL, LogFilter(regex=regex))


async def test_an_answer_has_a_size(store):
    for limit in (0, -1, 10_001):
        with pytest.raises(InvalidInput):
            await store.logs(LogQuestion(scope=ALL, limit=limit))


async def test_what_is_too_old_goes_and_the_rest_stays(store):
    await store.append_logs([LogBatch(ORDERS, [line(0, "old")])])
    await store.append_logs([LogBatch(ORDERS_DEV, [line(0, "kept longer")])])
    kept = Retentions(by_sort={"logs": Retention(age_s=50)}, by_environment={"dev": {"logs": Retention(age_s=500)}})
    gone = await store.retain(T0 + 100 * NS_A_SECOND, kept)
    assert (gone, await messages(store)) == (1, ["kept longer"])
    await store.append_logs([LogBatch(ORDERS, [line(101 * NS_A_SECOND, "new")])])
    assert await messages(store) == ["kept longer", "new"]


async def test_each_sort_has_its_own_age(store):
    await store.append_logs([LogBatch(ORDERS, [line(0, "old")])])
    await store.append_spans([SpanBatch(ORDERS, [span(0, 1)])])
    kept = Retentions(by_sort={"logs": Retention(age_s=50), "spans": Retention(age_s=500)})
    gone = await store.retain(T0 + 100 * NS_A_SECOND, kept)
    assert (gone, await messages(store), (await store.trace(ALL, f"{1:032x}")).count) == (1, [], 1)


# Metrics


def point(at_s: float, *values: float, **more) -> MetricPoint:
    return MetricPoint(
        **{"at_ns": T0 + int(at_s * NS_A_SECOND), "name": "duration", "values": of_values(values)} | more
    )


def spread(hours: float) -> Scope:
    return Scope.within(EVERYTHING, from_ns=T0, to_ns=T0 + int(hours * HOUR_NS))


async def test_figures_are_merged_with_failed_and_successful_apart(store):
    await store.append_metrics([
        MetricBatch(ORDERS, [point(10, 0.1, 0.2, resource="GET /a"), point(20, 3.0, failed=True, resource="GET /a", status="500")]),
        MetricBatch(BILLS, [point(30, 0.4, resource="GET /b"), point(30, 9.0, outbound=True), point(30, 7.0, name="other")]),
    ])  # fmt: skip
    rows = await store.metrics(
        MetricQuestion(scope=spread(1), name="duration", by=(Dimension.INTEGRATION, Dimension.RESOURCE))
    )
    assert [row.key for row in rows] == [("bills", "GET /b"), ("orders", "GET /a")]
    [orders] = rows[1].steps.values()
    assert (orders.count, orders.failed.count, round(orders.error_rate, 3)) == (3, 1, 0.333)
    assert orders.succeeded.sum == pytest.approx(0.3)
    assert (orders.all.low, orders.all.high) == (0.1, 3.0)
    assert orders.all.percentile(0.5) == pytest.approx(0.2, rel=PERCENTILE_ERROR)
    [out] = await store.metrics(MetricQuestion(scope=spread(1), name="duration", outbound=True))
    assert next(iter(out.steps.values())).count == 1


async def test_a_step_without_points_is_unknown_and_not_zero(store):
    await store.append_metrics([MetricBatch(ORDERS, [point(60, 1.0), point(61, 1.0), point(240, 1.0)])])
    [row] = await store.metrics(MetricQuestion(scope=spread(1), name="duration", step_s=60))
    begin_s = T0 // NS_A_SECOND
    assert {step - begin_s: figures.count for step, figures in row.steps.items()} == {0: 1, 60: 1, 180: 1}
    assert await store.metrics(MetricQuestion(scope=spread(1), name="unheard", step_s=60)) == []


BY = [(), (Dimension.RESOURCE,), (Dimension.RUNTIME,), (Dimension.STATUS,), (Dimension.SERVICE, Dimension.ENVIRONMENT)]


async def test_whole_hours_and_their_edges_add_up_whatever_is_asked(store):
    points = [
        point(at_s, 0.1, resource=f"r{at_s % 2}", status=str(200 + at_s % 3), failed=at_s % 5 == 0)
        for at_s in range(60, 4 * 3600, 1_111)
    ]
    await store.append_metrics([MetricBatch(ORDERS, points), MetricBatch(ORDERS_DEV, points)])
    scope = Scope.within(EVERYTHING, from_ns=T0 + 1800 * NS_A_SECOND, to_ns=T0 + 3 * HOUR_NS + 600 * NS_A_SECOND)
    inside = [one for one in points if 1800 < (one.at_ns - T0) / NS_A_SECOND <= 3 * 3600 + 600]
    for asked in product(BY, (None, 1800, 3600)):
        by, step_s = asked
        rows = await store.metrics(MetricQuestion(scope=scope, name="duration", by=by, step_s=step_s))
        found = [figures for row in rows for figures in row.steps.values()]
        assert (sum(one.count for one in found), asked) == (2 * len(inside), asked)
        assert (sum(one.failed.count for one in found), asked) == (2 * sum(one.failed for one in inside), asked)
        assert all(sum(one.all.buckets.values()) == one.count for one in found), asked


async def test_steps_are_whole_minutes(store):
    for step_s in (0, 59, 90):
        with pytest.raises(InvalidInput):
            await store.metrics(MetricQuestion(scope=spread(1), name="duration", step_s=step_s))


async def test_a_question_without_steps_may_be_about_a_year(store):
    await store.append_metrics([MetricBatch(ORDERS, [point(10, 0.1), point(24 * 3600, 0.2)])])
    [row] = await store.metrics(MetricQuestion(scope=spread(24 * 365), name="duration"))
    assert [one.count for one in row.steps.values()] == [2]


async def test_names_of_metrics_are_those_of_the_scope_and_of_the_time(store):
    await store.append_metrics([
        MetricBatch(ORDERS, [point(30, 1.0), point(31, 1.0, name="b"), point(3_700, 1.0, name="later")]),
        MetricBatch(BILLS, [point(30, 1.0, name="a")]), MetricBatch(UNCLAIMED, [point(30, 1.0, name="lost")]),
    ])  # fmt: skip
    assert await store.metric_names(spread(1)) == ["a", "b", "duration", "lost"]
    assert await store.metric_names(ALL) == ["a", "b", "duration", "later", "lost"]
    assert await store.metric_names(Scope.within(Reach([Place(project_id="money")]))) == ["a"]
    assert await store.metric_names(Scope.within(NOTHING)) == []


async def test_metrics_need_a_time(store):
    with pytest.raises(InvalidInput):
        await store.metrics(MetricQuestion(scope=ALL, name="duration"))


# Traces


def span(at: int, number: int, **more) -> SpanRecord:
    return SpanRecord(
        **{
            "at_ns": T0 + at,
            "duration_ns": 5,
            "trace_id": f"{number:032x}",
            "span_id": f"{at + 1:016x}",
            "name": f"s{at}",
        }
        | more
    )


async def test_a_trace_is_its_spans_by_their_begin_within_reach(store):
    root = span(1, 7, attributes={"k": ["v"]}, service="orders")
    await store.append_spans(
        [SpanBatch(ORDERS, [span(3, 7, parent_id=root.span_id), root]), SpanBatch(BILLS, [span(2, 7), span(2, 8)])]
    )
    assert [one.record.name for one in (await store.trace(ALL, f"{7:032x}")).spans] == ["s1", "s2", "s3"]
    found = (await store.trace(Scope.within(Reach([Place(project_id="shop")])), f"{7:032X}")).spans
    assert (found[0].record, [one.record.name for one in found]) == (root, ["s1", "s3"])
    for nobodys in ("not an id", "f" * 32):
        none = await store.trace(ALL, nobodys)
        assert (list(none.spans), none.count) == ([], 0)


@pytest.mark.slow
async def test_of_a_trace_that_is_too_large_the_first_spans_are_given_and_all_are_counted(store):
    every = [span(at, 9) for at in range(TRACE_SPANS_MAX + 7)]
    for first in range(0, len(every), 2_000):
        await store.append_spans([SpanBatch(ORDERS, every[first : first + 2_000])])
    found = await store.trace(ALL, f"{9:032x}", timeout_s=30)
    assert found.count == len(every)
    assert [one.record for one in found.spans] == every[:TRACE_SPANS_MAX]


async def test_traces_are_given_together_each_with_its_own_spans_within_reach(store):
    spans = [span(at, at % 3 + 1) for at in range(9)]
    await store.append_spans([SpanBatch(ORDERS, spans[::-1]), SpanBatch(BILLS, [span(20, 2), span(21, 5)])])
    asked = [f"{number:032X}" for number in (1, 2, 5, 77, 2)] + ["not an id"]
    found = await store.spans_of(ALL, asked)
    names = {int(id_, 16): ([one.record.name for one in each.spans], each.count) for id_, each in found.items()}
    assert names == {1: (["s0", "s3", "s6"], 3), 2: (["s1", "s4", "s7", "s20"], 4), 5: (["s21"], 1)}
    part = await store.spans_of(Scope.within(Reach([Place(project_id="shop")])), asked)
    assert {int(id_, 16): each.count for id_, each in part.items()} == {1: 3, 2: 3}
    assert await store.spans_of(ALL, []) == await store.spans_of(ALL, ["not an id"]) == {}
    assert await store.spans_of(Scope.within(NOTHING), asked) == {}


class Counted:
    """Counts how often a store is asked for spans."""

    def __init__(self, store: TelemetryStore) -> None:
        self._store, self.asked = store, []

    async def spans_of(self, scope: Scope, trace_ids: Sequence[str]) -> Mapping[str, TraceSpans]:
        self.asked.append(len(trace_ids))
        return await self._store.spans_of(scope, trace_ids, timeout_s=30)


async def test_a_page_of_whole_traces_is_one_read(store):
    await store.append_spans([SpanBatch(ORDERS, [span(at, at % 25 + 1) for at in range(100)])])
    ids, counted = [f"{number:032x}" for number in range(1, 26)], Counted(store)
    found = await whole_traces(counted, ALL, ids)
    assert counted.asked == [25]
    assert {id_: (len(one.spans), one.count) for id_, one in found.items()} == dict.fromkeys(ids, (4, 4))


@pytest.mark.slow
async def test_traces_that_are_too_many_spans_for_one_answer_are_read_by_their_size(store):
    long = TRACE_SPANS_MAX - 1_000
    every = [span(at, 9) for at in range(long)] + [span(long + at, at % 6) for at in range(1, 2_400)]
    for first in range(0, len(every), 2_000):
        await store.append_spans([SpanBatch(ORDERS, every[first : first + 2_000])])
    ids, counted = [f"{number:032x}" for number in (9, 1, 2, 3, 4, 5)], Counted(store)
    found = await whole_traces(counted, ALL, ids)
    assert counted.asked == [6, 5]
    assert {int(id_, 16): len(one.spans) for id_, one in found.items()} == {9: long} | dict.fromkeys(range(1, 6), 400)
    assert all(one.count == len(one.spans) for one in found.values())


async def test_traces_are_found_by_any_of_their_spans_newest_first(store):
    spans = [span(at, at // 3 + 1, service=f"s{at % 3}", failed=at == 4, duration_ns=at) for at in range(30)]
    await store.append_spans([SpanBatch(ORDERS, spans)])
    question, found = TraceQuestion(scope=ALL, limit=4), []
    while True:
        page = await store.traces(question)
        found += [int(one.trace_id, 16) for one in page.traces]
        if not page.more:
            break
        question = msgspec.structs.replace(question, after=page.end)
    assert found == list(range(10, 0, -1))
    for wanted, expected in (
        (TraceFilter(failed=True), [2]),
        (TraceFilter(duration_ns_min=27), [10]),
        (TraceFilter(services=("s1",), duration_ns_min=26), [10]),
        (TraceFilter(name="s29"), [10]),
        (TraceFilter(name="nothing"), []),
    ):
        page = await store.traces(TraceQuestion(scope=ALL, filter=wanted))
        assert [int(one.trace_id, 16) for one in page.traces] == expected


async def test_spans_are_listed_newest_first_without_skipping_or_repeating_at_equal_times(store):
    kinds = (SpanKind.SERVER, SpanKind.CLIENT, SpanKind.INTERNAL)
    spans = [span(at // 4, at, span_id=f"{at + 1:016x}", kind=kinds[at % 3]) for at in range(24)]
    await store.append_spans([SpanBatch(ORDERS, spans[:12]), SpanBatch(BILLS, spans[12:])])
    expected = (await store.spans(SpanQuestion(scope=ALL, limit=100))).spans
    assert len(expected) == 24
    assert [one.record.at_ns for one in expected] == sorted((one.at_ns for one in spans), reverse=True)
    question, seen = SpanQuestion(scope=ALL, limit=5), []
    while True:
        page = await store.spans(question)
        seen += page.spans
        await store.append_spans([SpanBatch(ORDERS, [span(30, 99)])])
        if not page.more:
            break
        question = msgspec.structs.replace(question, after=page.end)
    assert seen == expected
    part = await store.spans(SpanQuestion(scope=Scope.within(Reach([Place(project_id="money")])), kinds=kinds[:2]))
    assert {(one.origin, one.record.kind) for one in part.spans} == {(BILLS, SpanKind.SERVER), (BILLS, SpanKind.CLIENT)}
    assert (await store.spans(SpanQuestion(scope=Scope.within(NOTHING)))).spans == []


async def test_usage_says_what_there_is(store):
    await four(store)
    usage = await store.usage()
    assert sorted((one.environment_id or "", one.records) for one in usage.parts) == [("", 1), ("dev", 1), ("prod", 2)]
    assert min(one.oldest_ns for one in usage.parts) == T0 + 1


async def test_a_question_out_of_time_says_so(store):
    if type(store).__name__ == "MemoryStore":
        pytest.skip("answers at once")
    await store.append_logs([LogBatch(ORDERS, [line(1)])])
    with pytest.raises(QuestionTimeout):
        await store.logs(LogQuestion(scope=ALL), timeout_s=0.0)
    assert await messages(store) == ["hello"]
