"""The telemetry intake at its port: who may send, what is answered, what becomes of bad input."""

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
import struct
from collections.abc import Awaitable
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE
from pilothouse.access.places import EVERYTHING
from pilothouse.base.errors import StorageFull
from pilothouse.config import Settings
from pilothouse.protocol.exchange import Inbound, Outbound
from pilothouse.telemetry.errors import StoreBusy, StoreDown
from pilothouse.telemetry.limits import CUT, DROPPED, TOLD_TIME
from pilothouse.telemetry.model import NS_A_SECOND, LogLine
from pilothouse.telemetry.questions import LogQuestion, MetricQuestion, Scope

pytestmark = pytest.mark.anyio

PROTOBUF = "application/x-protobuf"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, telemetry_store="memory")


class Answer(msgspec.Struct):
    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def told(self) -> Any:
        return json.loads(self.body)


def make_token(secret: str, now: float) -> str:
    key_id, _, material = secret.partition(".")
    claims = {"iss": "icp-runtime-jwt-issuer", "aud": "icp-server", "scope": "runtime_agent", "exp": int(now) + 3600}
    parts = ({"alg": "HS256", "typ": "JWT", "kid": key_id}, claims)
    signed = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    signature = hmac.digest(material.encode(), signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


async def post(
    runtime,
    sort: str,
    body: bytes | dict[str, Any],
    *,
    content_type: str = PROTOBUF,
    encoding: str | None = None,
    authorization: str | None = "",
) -> Answer:
    plane = runtime.plane
    if isinstance(body, dict):
        body, content_type = json.dumps(body).encode(), "application/json"
    if authorization == "":
        authorization = f"Bearer {make_token(runtime.secret, plane.clock.now())}"
    answer = plane.runtime_handler(
        Inbound("POST", f"/v1/{sort}", authorization, content_type, body, "10.0.3.7", encoding)
    )
    outbound: Outbound = await answer if isinstance(answer, Awaitable) else answer
    return Answer(outbound.status, outbound.body, dict(outbound.headers))


def logs(runtime, *messages: str, runtime_id: str | None = "", **line: Any) -> dict[str, Any]:
    named = runtime.runtime_id if runtime_id == "" else runtime_id
    resource = [{"key": "icp.runtimeId", "value": {"stringValue": named}}] if named else []
    now_ns = int(runtime.plane.clock.now() * NS_A_SECOND)
    lines = [
        {"timeUnixNano": str(now_ns + n), "body": {"stringValue": message}, **line}
        for n, message in enumerate(messages)
    ]
    return {"resourceLogs": [{"resource": {"attributes": resource}, "scopeLogs": [{"logRecords": lines}]}]}


async def stored(runtime) -> list[LogLine]:
    question = LogQuestion(scope=Scope.within(EVERYTHING), newest_first=False, limit=500)
    return list((await runtime.plane.telemetry.logs(question)).lines)


@pytest.fixture
async def known(runtime):
    """A runtime that has reported, so that its secret is bound."""
    status, _ = await runtime.full()
    assert status == 200
    return runtime


async def test_a_line_is_tied_to_the_runtime_that_says_it(known):
    answer = await post(known, "logs", logs(known, "took order", severityNumber=17, traceId=TRACE, spanId=SPAN))
    assert (answer.status, answer.told) == (200, {})
    (line,) = await stored(known)
    entry = known.plane.board.list_called(known.runtime_id)[0]
    assert line.origin.runtime_key == entry.runtime_key
    assert (line.origin.integration_id, line.origin.environment_id) == (entry.integration_id, entry.environment_id)
    record = line.record
    assert (record.message, record.severity, record.trace_id, record.span_id) == ("took order", 17, TRACE, SPAN)
    assert record.attributes == {}


async def test_a_line_may_name_its_runtime_itself_in_the_words_of_fluent_bit(known):
    attributes = [{"key": "icp_runtimeId", "value": {"stringValue": known.runtime_id}}]
    await post(known, "logs", logs(known, "x", runtime_id=None, attributes=attributes))
    (line,) = await stored(known)
    assert line.origin.runtime_key is not None


async def test_what_names_no_runtime_or_another_one_belongs_to_the_integration_of_the_secret(known):
    await post(known, "logs", logs(known, "nobody", runtime_id=None))
    await post(known, "logs", logs(known, "another", runtime_id="ffffffff-0b7e-4a55-9c1e-2f4b8f0f7a11"))
    entry = known.plane.board.list_called(known.runtime_id)[0]
    origins = {line.record.message: line.origin for line in await stored(known)}
    assert {origin.integration_id for origin in origins.values()} == {entry.integration_id}
    assert (origins["nobody"].runtime_id, origins["nobody"].runtime_key) == (None, None)
    assert origins["another"].runtime_id == "ffffffff-0b7e-4a55-9c1e-2f4b8f0f7a11"
    assert origins["another"].runtime_key is None


async def test_protobuf_is_answered_in_protobuf(known):
    request = ExportLogsServiceRequest()
    line = request.resource_logs.add().scope_logs.add().log_records.add()
    line.body.string_value = "hello"
    answer = await post(known, "logs", gzip.compress(request.SerializeToString()), encoding="gzip")
    assert (answer.status, answer.headers["content-type"]) == (200, PROTOBUF)
    assert not ExportLogsServiceResponse.FromString(answer.body).HasField("partial_success")
    assert [one.record.message for one in await stored(known)] == ["hello"]


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "TOKEN_MISSING"),
        ("Bearer nonsense", "TOKEN_MALFORMED"),
        ("Bearer phi_nonsense", "INGEST_TOKEN_REFUSED"),
    ],
)
async def test_who_shows_no_good_token_is_told_401_and_why(known, authorization, code):
    answer = await post(known, "logs", logs(known, "x"), authorization=authorization)
    assert (answer.status, answer.told["code"]) == (401, 16)
    assert answer.told["message"].startswith(code), answer.told
    assert answer.headers["www-authenticate"] == "Bearer"
    assert await stored(known) == []


async def test_a_token_that_expired_is_401_although_a_heartbeat_would_get_something_else(known):
    token = make_token(known.secret, known.plane.clock.now() - 10_000)
    assert (await post(known, "logs", logs(known, "x"), authorization=f"Bearer {token}")).status == 401


async def test_a_runtime_that_has_not_reported_yet_is_told_to_come_again(runtime):
    answer = await post(runtime, "logs", logs(runtime, "x"))
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")


@pytest.mark.parametrize(
    ("body", "content_type", "encoding", "status"),
    [
        (b"\x0a\xff\xff\xff\xff\x7f", PROTOBUF, None, 400),
        (b"\x0a\x04\x12\x7f\x00\x00", PROTOBUF, None, 400),
        (b"{", "application/json", None, 400),
        (b'{"resourceLogs": 7}', "application/json", None, 400),
        (b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"soon"}]}]}]}', "application/json", None, 400),
        (b'{"resourceLogs":' + b"[" * 100_000, "application/json", None, 400),
        (b"{}", "text/plain", None, 415),
        (b"{}", "application/json", "br", 415),
        (b"{}", "application/json", "deflate", 415),
        (b"{}", PROTOBUF, "zstd", 415),
        (gzip.compress(gzip.compress(b"{}")), "application/json", "gzip, gzip", 415),
        (gzip.compress(gzip.compress(bytes(64 * 1024 * 1024))), PROTOBUF, "gzip", 400),
        (gzip.compress(b"") * 100_000, PROTOBUF, "gzip", 400),
        (b"not gzip", "application/json", "gzip", 400),
        (gzip.compress(b"{}" * 1000)[:-9], "application/json", "gzip", 400),
        (gzip.compress(bytes(64 * 1024 * 1024)), PROTOBUF, "gzip", 413),
        (gzip.compress(b" " * 3 * 1024 * 1024), "application/json", "gzip", 400),
    ],
    ids=[
        "a length without an end",
        "a field beyond its message",
        "half of JSON",
        "JSON of another shape",
        "a time that is no number",
        "too deep",
        "another media type",
        "another packing",
        "deflate",
        "zstd",
        "packed twice",
        "a bomb within a pack",
        "packs without end",
        "not packed",
        "cut off",
        "a bomb",
        "blanks",
    ],
)
@pytest.mark.parametrize("sort", ["logs", "metrics", "traces"])
async def test_what_is_no_telemetry_is_refused(known, sort, body, content_type, encoding, status):
    body = body.replace(
        b"resourceLogs", b"resource" + {"logs": b"Logs", "metrics": b"Metrics", "traces": b"Spans"}[sort]
    )
    if b"soon" in body and sort != "logs":
        return
    answer = await post(known, sort, body, content_type=content_type, encoding=encoding)
    assert answer.status == status, answer.body
    assert await stored(known) == []


async def test_a_packed_body_in_several_parts_is_one(known):
    body = json.dumps(logs(known, "a", "b")).encode()
    packed = gzip.compress(body[:30]) + gzip.compress(body[30:])
    assert (await post(known, "logs", packed, content_type="application/json", encoding="gzip")).status == 200
    assert len(await stored(known)) == 2


async def test_times_that_cannot_be_are_replaced_by_the_arrival_and_kept_beside_it(known):
    now_ns = int(known.plane.clock.now() * NS_A_SECOND)
    year_ns = 365 * 86_400 * NS_A_SECOND
    for told in (now_ns + year_ns, now_ns - year_ns, 2**64 - 1, 1):
        await post(known, "logs", logs(known, str(told), timeUnixNano=str(told)))
    lines = await stored(known)
    assert {line.record.at_ns for line in lines} == {now_ns}
    assert all(line.record.attributes == {TOLD_TIME: line.record.message} for line in lines)


async def test_a_line_without_a_time_has_the_one_at_which_it_was_seen(known):
    now_ns = int(known.plane.clock.now() * NS_A_SECOND)
    await post(known, "logs", logs(known, "x", timeUnixNano="0", observedTimeUnixNano=str(now_ns - 5)))
    assert [line.record.at_ns for line in await stored(known)] == [now_ns - 5]


async def test_ten_thousand_attributes_and_a_line_of_a_megabyte_are_cut_and_it_is_said(known):
    attributes = [{"key": f"k{n}", "value": {"intValue": n}} for n in range(10_000)]
    await post(known, "logs", logs(known, "x" * 1_000_000, attributes=attributes))
    (line,) = await stored(known)
    assert len(line.record.message) == 65_536
    assert (line.record.attributes[DROPPED], line.record.attributes[CUT]) == (10_000 - 128, 1_000_000 - 65_536)


async def test_octets_that_are_no_text_are_taken_in_both_spellings(known):
    request = ExportLogsServiceRequest()
    line = request.resource_logs.add().scope_logs.add().log_records.add()
    line.body.string_value = "caf#"
    attribute = line.attributes.add()
    attribute.key, attribute.value.string_value = "k#", "v#"
    raw = request.SerializeToString().replace(b"#", b"\xe9")
    assert (await post(known, "logs", raw)).status == 200
    told = json.dumps(logs(known, "caf#")).encode().replace(b"#", b"\xe9")
    assert (await post(known, "logs", told, content_type="application/json")).status == 200
    assert [one.record.message for one in await stored(known)] == ["caf\N{REPLACEMENT CHARACTER}"] * 2


class Broken:
    """A store that cannot take anything."""

    def __init__(self, error: Exception) -> None:
        self.error: Exception | None = error
        self.appended = 0

    async def append_logs(self, _):
        self.appended += 1
        if self.error:
            raise self.error

    append_metrics = append_logs
    append_spans = append_logs


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (StoreBusy(wait_s=1.2), 429, "2"),
        (StorageFull(), 503, "60"),
        (StoreDown(), 503, "5"),
    ],
)
async def test_trouble_of_the_store_sends_senders_back_and_touches_no_heartbeat(known, error, status, retry_after):
    store = known.plane.intake._store = Broken(error)
    answer = await post(known, "logs", logs(known, "x"))
    assert (answer.status, answer.headers["retry-after"]) == (status, retry_after)
    assert (await known.delta())[0] == 200
    assert (known.plane.intake.degraded is None) is isinstance(error, StoreBusy)
    store.error = None
    assert (await post(known, "logs", logs(known, "x"))).status == 200
    assert known.plane.intake.degraded is None


async def test_more_than_the_queue_holds_is_sent_back(known):
    edge = known.plane.edge.telemetry
    edge._limits = msgspec.structs.replace(edge._limits, queue_bytes_max=4_000)
    answer = await post(known, "logs", logs(known, "x" * 3_000))
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    assert (await post(known, "logs", logs(known, "x"))).status == 200
    assert edge.queue_bytes == 0
    assert b'pilothouse_telemetry_turned_away_total{code="TELEMETRY_BUSY"} 1.0' in known.plane.figures.render()


@pytest.mark.parametrize("sort", ["logs", "metrics", "traces"])
async def test_more_records_than_are_read_at_once_are_refused_for_good(known, sort):
    edge = known.plane.edge.telemetry
    edge._limits = msgspec.structs.replace(edge._limits, slices_max=5)
    answer = await post(known, sort, gzip.compress(b"\x0a\x00" * 5_000), encoding="gzip")
    assert answer.status == 413, answer.body
    assert b"Send smaller batches." in answer.body
    assert (await post(known, sort, b"\x0a\x00" * 100)).status == 200
    assert edge.queue_bytes == 0
    assert known.plane.intake.degraded is None


async def test_heartbeats_pass_while_a_few_octets_are_millions_of_records(known):
    edge = known.plane.edge.telemetry
    edge._limits = msgspec.structs.replace(edge._limits, slices_max=100, answer_s=120.0)
    bomb = gzip.compress(b"\x0a\x00" * 1_000_000)
    assert len(bomb) < 4_096
    sent = [asyncio.create_task(post(known, sort, bomb, encoding="gzip")) for sort in ("logs", "metrics", "traces")]
    beats = 0
    while not all(task.done() for task in sent):
        assert (await known.delta())[0] == 200
        beats += 1
        await asyncio.sleep(0)
    assert beats > 50
    assert {task.result().status for task in sent} == {413}


def requests_total(at_ns: int, start_ns: int, count: int) -> bytes:
    request = ExportMetricsServiceRequest()
    of_resource = request.resource_metrics.add()
    metric = of_resource.scope_metrics.add().metrics.add()
    metric.name, metric.unit = "http.server.request.duration", "s"
    metric.histogram.aggregation_temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
    point = metric.histogram.data_points.add()
    point.time_unix_nano, point.start_time_unix_nano = at_ns, start_ns
    point.explicit_bounds.extend([0.1, 1.0])
    point.bucket_counts.extend([count, 0, 0])
    point.count, point.sum = count, count * 0.05
    return request.SerializeToString()


async def test_totals_that_could_not_be_stored_count_when_they_come_again(known):
    now_ns = int(known.plane.clock.now() * NS_A_SECOND)
    start_ns = now_ns - 60 * NS_A_SECOND
    assert (await post(known, "metrics", requests_total(now_ns - 30 * NS_A_SECOND, start_ns, 10))).status == 200
    real = known.plane.intake._store
    known.plane.intake._store = Broken(StorageFull())
    assert (await post(known, "metrics", requests_total(now_ns, start_ns, 25))).status == 503
    known.plane.intake._store = real
    for _ in range(2):  # the second one says nothing new
        assert (await post(known, "metrics", requests_total(now_ns, start_ns, 25))).status == 200
    hour_ns = 3_600 * NS_A_SECOND
    scope = Scope.within(EVERYTHING, from_ns=now_ns - hour_ns, to_ns=now_ns + hour_ns)
    (series,) = await known.plane.telemetry.metrics(MetricQuestion(scope=scope, name="http.server.request.duration"))
    assert sum(step.count for step in series.steps.values()) == 25


async def test_what_a_sender_says_it_dropped_is_known_of_its_runtime(known):
    now_ns = int(known.plane.clock.now() * NS_A_SECOND)
    point = {
        "timeUnixNano": str(now_ns),
        "startTimeUnixNano": str(now_ns - NS_A_SECOND),
        "asInt": "7",
        "attributes": [{"key": "reason", "value": {"stringValue": "queue full"}}],
    }
    metric = {
        "name": "pilothouse.telemetry.dropped",
        "sum": {"dataPoints": [point], "aggregationTemporality": 1, "isMonotonic": True},
    }
    resource = {"attributes": [{"key": "icp.runtimeId", "value": {"stringValue": known.runtime_id}}]}
    body = {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]}
    assert (await post(known, "metrics", body)).status == 200
    (loss,) = known.plane.intake.losses()
    assert (loss.dropped_by_sender, loss.refused, loss.last_reason) == (7, 0, "queue full")
    assert loss.origin.runtime_id == known.runtime_id


async def test_spans_without_ids_are_counted_and_the_others_stored(known):
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    good = spans.add()
    good.trace_id, good.span_id, good.name = bytes.fromhex(TRACE), bytes.fromhex(SPAN), "GET /x"
    good.start_time_unix_nano = int(known.plane.clock.now() * NS_A_SECOND)
    spans.add().name = "without ids"
    answer = await post(known, "traces", request.SerializeToString())
    assert answer.status == 200
    partial = ExportLogsServiceResponse.FromString(answer.body).partial_success  # the same fields
    assert (partial.rejected_log_records, "trace" in partial.error_message) == (1, True)
    assert (await known.plane.telemetry.trace(Scope.within(EVERYTHING), TRACE)).count == 1
    assert [loss.refused for loss in known.plane.intake.losses()] == [1]


async def test_numbers_beyond_all_measure_break_nothing(known):
    point = {"asDouble": "NaN", "timeUnixNano": "9" * 30}
    buckets = {"count": str(2**70), "bucketCounts": [str(2**70)], "explicitBounds": [], "sum": 1e308}
    wide = {"scale": -10, "positive": {"offset": -(2**31), "bucketCounts": [1] * 1000}, "zeroCount": "1"}
    metrics = [
        {"name": "a", "gauge": {"dataPoints": [point]}},
        {"name": "b", "sum": {"dataPoints": [{"asDouble": 1e300}], "aggregationTemporality": 1, "isMonotonic": True}},
        {"name": "c", "histogram": {"dataPoints": [buckets], "aggregationTemporality": 1}},
        {"name": "d", "exponentialHistogram": {"dataPoints": [wide], "aggregationTemporality": 1}},
    ]
    body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}
    assert (await post(known, "metrics", body)).status == 200


@pytest.mark.parametrize(
    "histogram",
    [
        {"bucketCounts": [1, 2], "explicitBounds": [1.0, 2.0]},
        {"bucketCounts": [1, 2, 3], "explicitBounds": [2.0, 1.0]},
        {"bucketCounts": [1, 2], "explicitBounds": ["Infinity"]},
    ],
)
async def test_a_histogram_that_is_none_is_refused(known, histogram):
    metric = {"name": "c", "histogram": {"dataPoints": [histogram], "aggregationTemporality": 1}}
    body = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}
    assert (await post(known, "metrics", body)).status == 400


async def test_other_methods_are_told_which_one_it_is(known):
    answer = known.plane.runtime_handler(Inbound("GET", "/v1/logs", None, None, b"", "10.0.3.7"))
    assert (answer.status, dict(answer.headers)["allow"]) == (405, "POST")


async def test_a_number_that_ends_too_early_is_no_crash(known):
    line = b"\x09" + struct.pack("<I", 1)
    raw = b"\x0a" + bytes([len(line) + 4]) + b"\x12" + bytes([len(line) + 2]) + b"\x12" + bytes([len(line)]) + line
    assert (await post(known, "logs", raw)).status == 400
