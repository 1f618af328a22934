"""Lines side by side become the very documents that lines by themselves become; and every store keeps them alike."""

from contextlib import contextmanager

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pilothouse.access.places import EVERYTHING
from pilothouse.telemetry.model import NS_A_SECOND, Level, LogBatch, LogRecord, Origin
from pilothouse.telemetry.questions import LogFilter, LogQuestion, Scope
from pilothouse.telemetry.side_by_side import Lines
from pilothouse.telemetry.stores.opensearch.documents import log_document, origin_fields
from pilothouse.telemetry.stores.opensearch.line_documents import line_documents
from pilothouse.telemetry.stores.opensearch.numbers import COUNT_BITS
from pilothouse.telemetry.stores.opensearch.writing import Writer

T0 = 1_790_000_000 * NS_A_SECOND
ORDERS = Origin(project_id="shop", integration_id="orders", environment_id="prod", runtime_id='r-"1"', runtime_key=1)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
LINES = st.builds(
    LogRecord,
    at_ns=st.integers(-(2**62), 2**62),
    message=TEXT | st.integers(95, 450).map(lambda count: "x" * count + " end") | st.just("é" * 101 + "😀" * 101),
    severity=st.integers(0, 255),
    logger=TEXT,
    trace_id=st.just("") | st.binary(min_size=16, max_size=16).map(bytes.hex),
    span_id=st.just("") | st.binary(min_size=8, max_size=8).map(bytes.hex),
    attributes=st.just({}) | st.dictionaries(TEXT, VALUES, max_size=4),
)
PLAIN = LogRecord(at_ns=1, message="a")


def beside(records: list[LogRecord]) -> Lines:
    lines = Lines()
    for one in records:
        told = msgspec.json.encode(one.attributes) if one.attributes else b""
        lines.add(
            one.at_ns, one.severity, one.message.encode(), one.logger.encode(), bytes.fromhex(one.trace_id),
            bytes.fromhex(one.span_id), told,
        )  # fmt: skip
    return lines


@given(st.lists(LINES, max_size=8), st.integers(0, 3))
@example([PLAIN, msgspec.structs.replace(PLAIN, attributes={"k": None})], 0)
@example([PLAIN, msgspec.structs.replace(PLAIN, logger="a"), msgspec.structs.replace(PLAIN, logger="a"), PLAIN], 1)
def test_a_line_is_written_as_a_record_of_its_own_would_be(records, begin):
    begin = min(begin, len(records))
    numbers = range(7, 7 + len(records) - begin)
    written = list(line_documents(beside(records), begin, numbers, b"", b"}"))
    expected = [log_document(one, number) for one, number in zip(records[begin:], numbers, strict=True)]
    assert [msgspec.json.decode(one) for one in written] == [
        msgspec.json.decode(msgspec.json.encode(one)) for one in expected
    ]
    assert not any(b"\n" in one for one in written), "a line of a bulk request ends with it"


class Heard:
    """Takes bulk requests, and answers that all is well."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    @contextmanager
    def operation(self):
        yield

    async def ask(self, _method, _path, type_, body, **_more):
        self.lines += body.splitlines()
        return type_(errors=False)


class Counted:
    """Gives numbers."""

    def __init__(self) -> None:
        self.next, self.ended = 0, []

    async def ready(self) -> None:
        """At once."""

    def begin(self, count: int) -> range:
        self.next += count
        return range(self.next - count, self.next)

    def end(self, numbers: range) -> None:
        self.ended.append(numbers)


@pytest.mark.anyio
async def test_more_lines_than_have_numbers_at_once_are_written_each_once_in_order():
    heard, numbers = Heard(), Counted()
    count = (1 << COUNT_BITS) + 3
    records = [LogRecord(at_ns=at, message=f"m{at}", logger="ab"[at % 2]) for at in range(count)]
    batch = LogBatch(ORDERS, beside(records))
    await Writer(heard, numbers, "p").append("logs", [batch, LogBatch(Origin(), beside(records[:1]))], log_document)
    documents = [msgspec.json.decode(one) for one in heard.lines[1::2]]
    assert [one["message"] for one in documents] == [one.message for one in records] + ["m0"]
    assert [one["number"] for one in documents] == list(range(count + 1))
    assert [one["logger"] for one in documents[:3]] == ["a", "b", "a"]
    assert documents[0] | origin_fields(ORDERS) == documents[0]
    assert "project_id" not in documents[-1]
    actions = [msgspec.json.decode(one)["create"]["_index"] for one in heard.lines[::2]]
    assert actions == ["p-logs-env-prod"] * count + ["p-logs-unclaimed"]
    assert [len(one) for one in numbers.ended] == [1 << COUNT_BITS, 3, 1]


@pytest.mark.anyio
async def test_lines_side_by_side_come_back_as_they_were(store):
    told = {"a.b": "c", "n": 7, "deep": {"x": [1, None, True]}, "é": "ü"}
    records = [
        LogRecord(at_ns=T0 + 1, message="größer als 😀\x00 'quoted'\n\ttwice", severity=18, logger="a.b",
                  trace_id="ab" * 16, span_id="cd" * 8, attributes=told),
        LogRecord(at_ns=T0 + 2, message="x" * 450, severity=12),
        LogRecord(at_ns=T0 + 3, message="", logger="a.b", attributes={"none": None}),
    ]  # fmt: skip
    await store.append_logs([LogBatch(ORDERS, beside(records))])
    everything = Scope.within(EVERYTHING)
    page = await store.logs(LogQuestion(scope=everything, newest_first=False))
    assert [(line.record, line.origin) for line in page.lines] == [(one, ORDERS) for one in records]
    for wanted, count in (
        (LogFilter(attributes=(("a.b", "c"), ("n", "7"))), 1),
        (LogFilter(phrase="x" * 300), 1),
        (LogFilter(levels=(Level.INFO,)), 2),
        (LogFilter(logger="a.b"), 2),
        (LogFilter(trace_id="ab" * 16), 1),
    ):
        assert await store.count_logs(everything, wanted) == count, wanted
