"""What every telemetry store keeps about the statuses with which requests were answered."""

import msgspec
import pytest
from pilothouse.access.places import EVERYTHING
from pilothouse.base.errors import InvalidInput
from pilothouse.telemetry.model import NS_A_SECOND, LogBatch, LogRecord, Origin, SpanBatch, SpanKind, SpanRecord
from pilothouse.telemetry.questions import ArrivalQuestion, LogFilter, LogQuestion, Scope, TraceFilter, TraceQuestion
from pilothouse.telemetry.statuses import Answered, codes_of, read_statuses, status_of

pytestmark = pytest.mark.anyio

T0 = 1_790_000_000 // 3600 * 3600 * NS_A_SECOND
ORDERS = Origin(project_id="shop", integration_id="orders", environment_id="prod", runtime_id="r-1", runtime_key=1)
ALL = Scope.within(EVERYTHING)
NEW, OLD = "http.response.status_code", "http.status_code"


def request(number: int, attributes=None, kind=SpanKind.SERVER, **more) -> SpanRecord:
    return SpanRecord(
        at_ns=T0 + number, duration_ns=more.pop("duration_ns", 5), trace_id=f"{number:032x}",
        span_id=f"{number:016x}", kind=kind, attributes=attributes or {}, **more,
    )  # fmt: skip


async def found(store, codes=(), **more) -> list[int]:
    question = TraceQuestion(scope=ALL, filter=TraceFilter(codes=codes_of(codes), **more), limit=3)
    numbers: list[int] = []
    while True:
        page = await store.traces(question)
        numbers += [int(one.trace_id, 16) for one in page.traces]
        if not page.more:
            return sorted(numbers)
        question = msgspec.structs.replace(question, after=page.end)


async def test_a_trace_is_found_by_the_status_of_the_request_that_was_answered(store):
    spans = [
        request(1, {NEW: 200}),
        request(2, {NEW: 500, OLD: 200}),
        request(3, {OLD: "502"}),
        request(4, {"error.type": "ValueError", "n": 500}),
        request(5),
        request(6, {NEW: 500}, SpanKind.CLIENT),
        request(7, {NEW: 500}, SpanKind.INTERNAL),
        request(8, {"http.status_code_group": "5xx"}),
        request(9, {NEW: 404, "error.type": "500"}),
        request(10, {NEW: "", "rpc.grpc.status_code": 5}),
        request(11, {NEW: None, "other": 'a "quoted" http.status_code'}),
    ]
    await store.append_spans([SpanBatch(ORDERS, spans)])
    for asked, expected in (
        (["500"], [2]),
        (["5xx"], [2, 3, 8]),
        (["5XX", "404"], [2, 3, 8, 9]),
        (["502", "200"], [1, 3]),
        (["ValueError"], [4]),
        (["none"], [5, 11]),
        (["5"], [10]),
        (["499"], []),
    ):
        assert await found(store, asked) == expected, asked
    assert await found(store, ["5xx"], outbound=True) == [6]
    assert await found(store) == list(range(1, 12))


async def test_a_request_is_found_by_when_it_was_answered(store):
    spans = [request(at, {NEW: 504}, duration_ns=at * 10) for at in range(1, 30)]
    await store.append_spans([SpanBatch(ORDERS, spans)])
    expected = [at for at in range(1, 30) if 110 <= at * 11 < 220]
    assert await found(store, ["504"], ended_from_ns=T0 + 110, ended_to_ns=T0 + 220) == expected == list(range(10, 20))
    assert await found(store, ["504"], ended_from_ns=T0 + 29 * 11) == [29]


async def test_a_line_is_found_by_its_own_status_or_by_its_trace(store):
    lines = [
        LogRecord(at_ns=T0 + 1, message="its own", attributes={NEW: 500}),
        LogRecord(at_ns=T0 + 2, message="its own, as text", attributes={OLD: "503", "k": "v"}),
        LogRecord(at_ns=T0 + 3, message="of the trace", trace_id=f"{7:032x}"),
        LogRecord(at_ns=T0 + 4, message="of another trace", trace_id=f"{8:032x}", attributes={"status_code": 500}),
        LogRecord(at_ns=T0 + 5, message="500 of nobody", attributes={"text": "http.status_code 500"}),
        LogRecord(at_ns=T0 + 6, message="nothing"),
        LogRecord(at_ns=T0 + 7, message="both", trace_id=f"{7:032x}", attributes={NEW: 200}),
    ]
    await store.append_logs([LogBatch(ORDERS, lines)])
    for answered, expected in (
        (Answered(codes=codes_of(["5xx"]), trace_ids=(f"{7:032x}",)), ["its own", "its own, as text", "of the trace", "both"]),
        (Answered(codes=("500",)), ["its own"]),
        (Answered(trace_ids=(f"{8:032x}",)), ["of another trace"]),
        (Answered(codes=codes_of(["none"])), []),
        (Answered(), []),
    ):  # fmt: skip
        filter_ = LogFilter(answered=answered)
        page = await store.logs(LogQuestion(scope=ALL, filter=filter_, newest_first=False))
        assert [one.record.message for one in page.lines] == expected
        assert await store.count_logs(ALL, filter_) == len(expected)
        arrived = await store.arrivals(ArrivalQuestion(scope=ALL, filter=filter_, after=-1))
        assert [one.record.message for one in arrived.lines] == expected
    within = Scope.within(EVERYTHING, from_ns=T0, to_ns=T0 + 60 * NS_A_SECOND)
    levels = await store.levels(within, LogFilter(answered=Answered(codes=("500", "503"))), 60)
    assert sum(count for step in levels.values() for count in step.values()) == 2


async def test_ten_thousand_traces_can_be_named_at_once(store):
    await store.append_logs([LogBatch(ORDERS, [LogRecord(at_ns=T0, message="it", trace_id=f"{9_999:032x}")])])
    every = tuple(f"{number:032x}" for number in range(10_000))
    assert await store.count_logs(ALL, LogFilter(answered=Answered(trace_ids=every))) == 1


# Without a store


@pytest.mark.parametrize("told", ["", "6xx", "50x", "5000", "0x1f", "4xx5", "5" * 200, "e" * 101])
async def test_what_is_no_status_is_refused(told):
    with pytest.raises(InvalidInput) as refused:
        read_statuses([told])
    assert refused.value.field == "statuses"


async def test_a_hundred_statuses_are_asked_for_at_once_and_no_more():
    assert len(read_statuses([str(code) for code in range(100)] + ["0"])) == 100
    with pytest.raises(InvalidInput):
        read_statuses([str(code) for code in range(101)])


async def test_a_status_is_told_by_the_newer_name_first():
    assert status_of({OLD: 500, NEW: 404}) == "404"
    assert status_of({OLD: 500.0, NEW: ""}) == "500.0"
    assert status_of({}) == status_of({NEW: None}) == ""
