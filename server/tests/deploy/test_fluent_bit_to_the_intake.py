"""What Fluent Bit would send, read as the intake reads it: from a line in a file to a log line or a metric.

Not run inside Fluent Bit: its OpenTelemetry output is stood in for here, by what its options in fluent-bit.yaml say it does.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from pilothouse.telemetry.model import Level, LogRecord, MetricPoint
from pilothouse.telemetry.otlp.logs import LogReader
from pilothouse.telemetry.otlp.logs_json import read_json
from pilothouse.telemetry.wso2_lines import Parting

HERE = Path(__file__).parent
FOLDER = HERE.parents[2] / "deploy" / "fluent-bit"
RUNTIME, TRACE = "r-1", "4bf92f3577b34da6a3ce929d0e0e4736"
AT_S = 1_777_464_082


def any_value(value: object) -> dict:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
        case list():
            return {"arrayValue": {"values": [any_value(each) for each in value]}}
        case dict():
            return {"kvlistValue": {"values": [{"key": key, "value": any_value(each)} for key, each in value.items()]}}
    raise TypeError(value)


def arrived(call: str, line: str) -> tuple[list[LogRecord], list[MetricPoint]]:
    """Send a line through the script, the output and the intake's reader; it comes with its runtime."""
    luajit = shutil.which("luajit")
    if luajit is None:
        pytest.skip("luajit is not installed")  # its own test fails where everything is required
    done = subprocess.run(  # noqa: S603 - our own script
        [luajit, str(HERE / "fluent_bit.lua"), str(FOLDER)],
        input=json.dumps({"call": call, "record": {"log": line, "log.file.path": "/var/log/x"}}) + "\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env={"TZ": "UTC"},
    )
    answer = json.loads(done.stdout)
    (output,) = yaml.safe_load((FOLDER / "fluent-bit.yaml").read_text(encoding="utf-8"))["pipeline"]["outputs"]
    record, time = answer["record"], answer["time"]
    keys = {
        name: output[f"logs_{name}_key"].removeprefix("$")
        for name in ("body", *(f"{k}_message" for k in ("severity_text", "trace_id", "span_id")))
    }
    assert output["logs_body_key_attributes"] is True
    sent = {
        "timeUnixNano": str(time["sec"] * 10**9 + int(time["nsec"])),
        "body": any_value(record[keys["body"]]),
        "severityText": record.get(keys["severity_text_message"], ""),
        "traceId": record.get(keys["trace_id_message"], ""),
        "spanId": record.get(keys["span_id_message"], ""),
        "attributes": [{"key": key, "value": any_value(each)} for key, each in record.items() if key != keys["body"]],
    }
    reader = LogReader((AT_S + 5) * 10**9)
    body = {"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": {}, "logRecords": [sent]}]}]}
    for _ in read_json(reader, json.dumps(body).encode()):
        pass
    parting = Parting()
    for _ in parting.part(reader.told):
        pass
    assert [one.runtime_id for one in (*parting.lines, *parting.points)] == [RUNTIME]
    return [each for one in parting.lines for each in one.records], [
        each for one in parting.points for each in one.records
    ]


def test_a_line_of_bi_arrives_whole() -> None:
    (record,), points = arrived(
        "read_bi",
        'time=2026-04-29T12:01:22.874Z level=WARN module=acme/shop message="Sold out" '
        f'error={{"message":"none left"}} sku=7 traceId={TRACE} icp.runtimeId="{RUNTIME}"',
    )

    assert points == []
    assert (record.at_ns, record.level, record.logger) == (AT_S * 10**9 + 874_000_000, Level.WARN, "acme/shop")
    assert (record.message, record.trace_id) == ("Sold out", TRACE)
    assert (record.attributes["sku"], record.attributes["exception.message"]) == ("7", "none left")
    assert record.attributes.keys().isdisjoint({"level", "traceId", "icp.runtimeId", "module", "message"})


def test_a_line_of_mi_arrives_with_its_trace() -> None:
    (record,), _ = arrived(
        "read_mi",
        f"[2026-04-29 12:01:22,874] ERROR {{a.B}} - Cannot send. [icp.runtimeId={RUNTIME}]\njava.io.IOException: no\n\tat a.B.c(B.java:1)",
    )

    assert (record.message, record.level, record.logger) == ("Cannot send.", Level.ERROR, "a.B")
    assert str(record.attributes["exception.stacktrace"]).endswith("at a.B.c(B.java:1)")


def test_a_metrics_line_of_bi_arrives_as_a_request() -> None:
    lines, (point,) = arrived(
        "read_bi",
        'time=2026-04-29T12:01:22.874Z level=INFO module=x message="" logger=metrics protocol=http http.method=GET '
        'http.url=/orders/7 http.status_code_group=5xx src.object.name=/orders src.resource.path="/orders/[string id]" '
        f'response_time_seconds=0.25 icp.runtimeId="{RUNTIME}"',
    )

    assert lines == []
    assert (point.name, point.resource, point.failed) == (
        "http.server.request.duration",
        "GET /orders/[string id]",
        True,
    )
    assert (point.at_ns, point.values.sum) == (AT_S * 10**9 + 874_000_000, 0.25)


def test_analytics_of_mi_arrive_as_a_request() -> None:
    payload = {
        "entityType": "API",
        "latency": 12,
        "failure": True,
        "apiDetails": {"api": "Orders", "apiContext": "/orders", "method": "GET"},
    }
    data = json.dumps({"timestamp": "2026-04-29T12:01:22.874Z", "schemaVersion": 1, "payload": payload})

    lines, (point,) = arrived(
        "read_mi_analytics", f"12:01:22,874 INFO SYNAPSE_ANALYTICS_DATA {data} [icp.runtimeId={RUNTIME}]"
    )

    assert lines == []
    assert (point.service, point.resource, point.failed) == ("Orders", "GET /orders", True)
    assert point.values.sum == pytest.approx(0.012)
