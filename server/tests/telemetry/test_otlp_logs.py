"""Our own reading of log records against protobuf's compiled messages, and both spellings against each other."""

import base64
from typing import Any

import msgspec
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as Told
from otlp_values import KEYS, VALUES
from pilothouse.telemetry.model import LogRecord
from pilothouse.telemetry.otlp.errors import OtlpUnreadable
from pilothouse.telemetry.otlp.logs import LogReader
from pilothouse.telemetry.otlp.logs_json import read_json
from pilothouse.telemetry.otlp.naming import RUNTIME_IDS
from pilothouse.telemetry.otlp.usual import BODY_MAX

NOW_NS = 1_790_000_000_000_000_000
RECORDS = st.builds(
    lambda attributes, **members: Told(
        attributes=[KeyValue(key=key, value=value) for key, value in attributes.items()], **members
    ),
    attributes=st.dictionaries(KEYS, VALUES, max_size=5),
    time_unix_nano=st.one_of(st.just(0), st.integers(NOW_NS - 10**12, NOW_NS)),
    observed_time_unix_nano=st.one_of(st.just(0), st.integers(NOW_NS - 10**12, NOW_NS)),
    severity_number=st.integers(0, 24),
    severity_text=st.sampled_from(["", "WARN", "error", "?"]),
    body=VALUES,
    trace_id=st.one_of(st.just(b""), st.binary(min_size=16, max_size=16), st.binary(max_size=20)),
    span_id=st.one_of(st.just(b""), st.binary(min_size=8, max_size=8)),
    flags=st.integers(0, 2**32 - 1),
    dropped_attributes_count=st.integers(0, 2**32 - 1),
    event_name=st.sampled_from(["", "happened"]),
)


def request_of(records: list[Told], logger: str) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    of_resource = request.resource_logs.add()
    of_resource.resource.attributes.add(key="service.name").value.string_value = "orders"
    of_scope = of_resource.scope_logs.add()
    of_scope.scope.name = logger
    of_scope.log_records.extend(records)
    return request


def read(raw: bytes) -> list[LogRecord]:
    reader = LogReader(NOW_NS)
    for _ in reader.protobuf(raw):
        pass
    return [record for told in reader.told for record in told.records]


def as_json(request: ExportLogsServiceRequest) -> bytes:
    told: Any = MessageToDict(request)
    for of_resource in told.get("resourceLogs", []):
        for of_scope in of_resource["scopeLogs"]:
            for line in of_scope.get("logRecords", []):
                for key in ("traceId", "spanId"):
                    if key in line:
                        line[key] = base64.b64decode(line[key]).hex()
                if isinstance(line.get("severityNumber"), str):
                    line["severityNumber"] = (
                        Told.DESCRIPTOR.fields_by_name["severity_number"]
                        .enum_type.values_by_name[line["severityNumber"]]
                        .number
                    )
    return msgspec.json.encode(told)


@settings(max_examples=150, deadline=None)
@given(st.lists(RECORDS, max_size=4), st.text(max_size=20))
def test_both_spellings_say_the_same(records, logger):
    request = request_of(records, logger)
    reader = LogReader(NOW_NS)
    for _ in read_json(reader, as_json(request)):
        pass
    assert read(request.SerializeToString()) == [record for told in reader.told for record in told.records]


@settings(max_examples=300, deadline=None)
@given(st.lists(RECORDS, min_size=1, max_size=3), st.data())
def test_octets_that_went_wrong_are_read_or_refused_and_nothing_else(records, data):
    raw = bytearray(request_of(records, "x").SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))]
    try:
        ours = len(read(bytes(raw)))
    except OtlpUnreadable:
        return
    try:
        theirs = ExportLogsServiceRequest.FromString(bytes(raw))
    except DecodeError:
        return  # what is no UTF-8, and messages that we step over unread
    lines = [line for of in theirs.resource_logs for scope in of.scope_logs for line in scope.log_records]
    assert ours == len(lines)


def test_a_field_that_is_not_known_is_stepped_over():
    line = Told(body=AnyValue(string_value="hello"), time_unix_nano=NOW_NS).SerializeToString()
    for unknown in (b"\xf8\x01\x07", b"\xfa\x01\x03abc", b"\xf9\x01" + bytes(8), b"\xfd\x01" + bytes(4)):
        length = len(line) + len(unknown)
        raw = bytes([0x0A, length + 4, 0x12, length + 2, 0x12, length]) + unknown + line
        assert [record.message for record in read(raw)] == ["hello"]


def test_a_level_is_taken_from_its_text_where_it_has_no_number():
    records = [Told(severity_text=said) for said in ("WARNING", "error", "Critical", "loud", "")]
    assert [record.severity for record in read(request_of(records, "").SerializeToString())] == [13, 17, 21, 9, 9]


def test_a_line_that_names_no_runtime_says_at_least_which_service_said_it():
    (record,) = read(request_of([Told()], "").SerializeToString())
    assert record.attributes == {"service.name": "orders"}


def test_an_exception_stays_on_its_line():
    told = Told(body=AnyValue(string_value="failed"))
    for key, value in (("exception.type", "KeyError"), ("exception.stacktrace", "Traceback …\n" * 100)):
        told.attributes.add(key=key).value.string_value = value
    (record,) = read(request_of([told], "").SerializeToString())
    assert record.attributes["exception.type"] == "KeyError"
    assert str(record.attributes["exception.stacktrace"]).count("Traceback") == 100


def in_a_request(line: bytes) -> bytes:
    request = request_of([], "orders")
    lines = request.resource_logs[0].scope_logs[0].SerializeToString() + b"\x12" + length_of(line) + line
    of_resource = b"\x0a" + length_of(b"") + b"\x12" + length_of(lines) + lines
    return b"\x0a" + length_of(of_resource) + of_resource


def length_of(octets: bytes) -> bytes:
    left, written = len(octets), b""
    while left > 0x7F:
        written += bytes([left & 0x7F | 0x80])
        left >>= 7
    return written + bytes([left])


@settings(max_examples=200, deadline=None)
@given(RECORDS, st.integers(0, 24), st.sampled_from(["", "x" * 127, "é" * 128, "y" * 20_000, "z" * 70_000]))
def test_a_line_matched_as_a_whole_is_read_as_one_read_field_by_field(record, severity, body):
    record.severity_number = severity
    record.time_unix_nano = record.time_unix_nano or NOW_NS
    if body:
        record.body.string_value = body
    line = record.SerializeToString()
    field_by_field = b"\xf8\x01\x07" + line  # a field that is not known comes first
    assert read(in_a_request(line)) == read(in_a_request(field_by_field))


def usual(number: int, message: str) -> Told:
    return Told(
        time_unix_nano=NOW_NS - number,
        observed_time_unix_nano=NOW_NS,
        severity_number=1 + number % 24,
        severity_text="INFO",
        body=AnyValue(string_value=message),
        attributes=[KeyValue(key="thread", value=AnyValue(string_value=f"worker-{number % 3}"))],
        trace_id=bytes([number % 7]) * 16,
        span_id=bytes([number % 5]) * 8 if number % 2 else b"",
    )


def request_with(lines: list[bytes], before: bytes = b"\x0a\x08\x0a\x06orders", after: bytes = b"") -> bytes:
    scope = before + b"".join(b"\x12" + length_of(line) + line for line in lines) + after
    of_resource = b"\x12" + length_of(scope) + scope
    return b"\x0a" + length_of(of_resource) + of_resource


def test_lines_read_many_at_once_are_those_read_field_by_field_in_their_order():
    told = [usual(number, f"line {number} " + "é" * (number % 90)) for number in range(1500)]
    told[40].ClearField("body")
    told[41].attributes.add(key="stack").value.string_value = "at …\n" * 200
    told[700].time_unix_nano = 7
    told[900].attributes.add(key=RUNTIME_IDS[0]).value.string_value = "another"
    lines = [line.SerializeToString() for line in told]
    lines[1200] = lines[1200].replace(b"line 1200", b"li\xff\xc3 1200")
    at_once = read(request_with(lines))
    assert at_once == read(request_with([b"\xf8\x01\x07" + line for line in lines]))
    assert len(at_once) == 1500
    assert {record.logger for record in at_once} == {"orders"}


def test_texts_and_attributes_of_every_length_are_read_many_at_once():
    told = [usual(size, "x" * size) for size in range(BODY_MAX + 20)]
    for size in range(300):
        told[size].attributes[0].value.string_value = "y" * size
    lines = [line.SerializeToString() for line in told]
    at_once = read(request_with(lines))
    assert [len(record.message) for record in at_once] == list(range(BODY_MAX + 20))
    assert [len(str(record.attributes["thread"])) for record in at_once[:300]] == list(range(300))
    assert at_once == read(request_with([b"\xf8\x01\x07" + line for line in lines]))


def test_the_time_of_observation_may_come_second_as_java_writes_it():
    line = usual(5, "hello").SerializeToString()
    observed = line[-9:]
    assert observed[:1] == b"\x59"
    told = read(request_with([line[:9] + observed + line[9:-9]] * 3))
    assert told == read(request_with([line] * 3))
    assert told[0].message == "hello"


def test_ids_of_zeros_are_none():
    (record,) = read(request_with([usual(35, "x").SerializeToString()]))
    assert (record.trace_id, record.span_id) == ("", "")


def test_who_said_the_lines_may_be_told_behind_them():
    lines = [usual(number, "x").SerializeToString() for number in range(300)]
    told = read(request_with(lines, before=b"", after=b"\x0a\x08\x0a\x06orders"))
    assert {record.logger for record in told} == {"orders"}


def test_a_line_that_says_a_wrong_length_is_refused():
    line = usual(5, "hello").SerializeToString()
    scope = b"\x12" + length_of(line[:-1]) + line + b"\x12" + length_of(line) + line
    of_resource = b"\x12" + length_of(scope) + scope
    with pytest.raises(OtlpUnreadable):
        read(b"\x0a" + length_of(of_resource) + of_resource)


def test_lines_side_by_side_are_records_to_who_looks_at_them():
    reader = LogReader(NOW_NS)
    for _ in reader.protobuf(
        request_with([usual(number, f"line {number}").SerializeToString() for number in range(450)])
    ):
        pass
    (told,) = reader.told
    records = list(told.records)
    assert [record.message for record in records] == [f"line {number}" for number in range(450)]
    assert told.records[7] == records[7]
    assert told.records[-1] == records[-1]
    assert told.records[190:260] == records[190:260]
    assert told.records[::100] == records[::100]
    assert (records[8].trace_id, records[9].span_id) == ("01" * 16, "04" * 8)
    with pytest.raises(IndexError):
        _ = told.records[450]
