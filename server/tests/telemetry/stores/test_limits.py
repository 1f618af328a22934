"""Records that are too large, too old, too new or not text: kept within the limits, with what was cut said on them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.access.places import EVERYTHING
from pilothouse.telemetry.limits import CUT, DEFAULT_LIMITS, DROPPED, TOLD_TIME, text_of, tidy_log, tidy_span
from pilothouse.telemetry.model import NS_A_SECOND, UNCLAIMED, LogBatch, LogRecord, SpanRecord
from pilothouse.telemetry.questions import LogQuestion, Scope

NOW_NS = 1_790_000_000 * NS_A_SECOND

nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@pytest.mark.parametrize("at_ns", [0, 1, -5, NOW_NS + 3600 * NS_A_SECOND, NOW_NS - 10**18, 2**64, 10**30])
def test_a_time_that_cannot_be_gives_way_to_that_of_arrival(at_ns):
    tidy = tidy_log(LogRecord(at_ns=at_ns, message="m"), NOW_NS)
    assert tidy.at_ns == NOW_NS
    assert tidy.attributes == ({TOLD_TIME: str(at_ns)} if at_ns else {})


def test_a_clock_that_differs_a_little_is_believed():
    assert tidy_log(LogRecord(at_ns=NOW_NS + 60 * NS_A_SECOND, message="m"), NOW_NS).at_ns == NOW_NS + 60 * NS_A_SECOND


def test_a_line_of_a_megabyte_and_ten_thousand_attributes_are_cut_and_it_is_said():
    told = LogRecord(at_ns=NOW_NS, message="x" * 1_000_000, attributes={f"k{n}": "v" * 9_000 for n in range(10_000)})
    tidy = tidy_log(told, NOW_NS)
    assert len(tidy.message) == DEFAULT_LIMITS.message_characters_max
    assert tidy.attributes[CUT] == 1_000_000 - DEFAULT_LIMITS.message_characters_max
    assert tidy.attributes[DROPPED] == 10_000 - DEFAULT_LIMITS.attributes_max
    assert len(tidy.attributes) == DEFAULT_LIMITS.attributes_max + 2
    assert len(tidy.attributes["k0"]) == DEFAULT_LIMITS.value_characters_max


def test_what_is_not_text_becomes_text():
    assert text_of(b"caf\xe9 \xff") == "caf\ufffd \ufffd"
    text_of("a\ud800b").encode()


@pytest.mark.parametrize("trace_id", ["", "0" * 32, "xyz", "a" * 31, "é" * 32])
def test_a_span_without_a_trace_is_none_and_a_line_without_one_is_a_line(trace_id):
    assert tidy_span(SpanRecord(at_ns=NOW_NS, duration_ns=1, trace_id=trace_id, span_id="a" * 16), NOW_NS) is None
    assert tidy_log(LogRecord(at_ns=NOW_NS, message="", trace_id=trace_id), NOW_NS).trace_id == ""


@given(
    st.lists(
        st.builds(
            LogRecord,
            at_ns=st.integers(),
            message=st.text() | st.characters(categories=["Cs"]),
            severity=st.integers(0, 24),
            logger=st.text(),
            trace_id=st.text(),
            span_id=st.text(),
            attributes=st.dictionaries(st.text() | st.characters(categories=["Cs"]), nested, max_size=5),
        ),
        max_size=20,
    )
)
@pytest.mark.slow
def test_whatever_is_told_can_be_written_after_tidying(records):
    import msgspec

    batch = LogBatch(UNCLAIMED, [tidy_log(one, NOW_NS) for one in records])
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(batch), type=LogBatch) == batch
    for one in batch.records:
        msgspec.json.encode(one.attributes)


@pytest.mark.anyio
async def test_the_worst_that_limits_let_through_is_kept_by_every_store(store):
    attributes = {f"k{n}": "\u2028'\"\\" * 2_000 for n in range(DEFAULT_LIMITS.attributes_max)}
    told = [
        tidy_log(LogRecord(at_ns=NOW_NS + n, message="\U0001f600\x00" * 32_768, attributes=attributes), NOW_NS)
        for n in range(3)
    ]
    await store.append_logs([LogBatch(UNCLAIMED, told)])
    page = await store.logs(LogQuestion(scope=Scope.within(EVERYTHING), newest_first=False))
    assert [one.record for one in page.lines] == told
