"""The OpenTelemetry Collector itself as the sender: a program speaks to it, it speaks to the control plane."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from stage import PASSWORD, TREE, Program, ask, serve, trusted, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

BUILT = TREE / ".make" / "collector" / "otelcol"
CONFIGURATION = """\
receivers:
  otlp:
    protocols:
      http:
        endpoint: 127.0.0.1:{port}
exporters:
  otlphttp:
    endpoint: {intake}
    tls:
      ca_file: {ca}
    headers:
      authorization: Bearer ${{env:INGEST_TOKEN}}
service:
  telemetry:
    metrics:
      level: none
  pipelines:
    logs: {{receivers: [otlp], exporters: [otlphttp]}}
    metrics: {{receivers: [otlp], exporters: [otlphttp]}}
    traces: {{receivers: [otlp], exporters: [otlphttp]}}
"""
PROGRAM = """\
import os

from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

at = os.environ["COLLECTOR"]
resource = Resource({"service.name": "orders", "icp.runtimeId": "orders-behind-a-collector"})
logs, traces = LoggerProvider(resource), TracerProvider(resource=resource)
logs.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(at + "/v1/logs")))
traces.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(at + "/v1/traces")))
metrics = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter(at + "/v1/metrics"))], resource)
with traces.get_tracer("orders").start_as_current_span("reserve stock"):
    logs.get_logger("orders.stock").emit(severity_number=SeverityNumber.WARN, body="little is left of a-7")
metrics.get_meter("orders").create_histogram("http.server.request.duration", unit="s").record(
    0.2, {"http.request.method": "GET", "http.route": "/stock/{item}", "http.response.status_code": 200}
)
for provider in (metrics, logs, traces):
    provider.shutdown()
"""
SEEN = """{
    logs(filter: {phrase: "little is left"}) { nodes { level logger traceId origin {
        runtimeId integration { handle } environment { handle } } } }
    traces(filter: {}) { nodes { traceId } }
    metricNames
}"""


def collector() -> str:
    """Find the Collector; no registry has it as a program, `.ci/run` builds it where there is a Go of today."""
    named = os.environ.get("OTELCOL") or (str(BUILT) if BUILT.exists() else None) or shutil.which("otelcol")
    if named is None:
        pytest.skip("the OpenTelemetry Collector is not on this machine: name it in OTELCOL")
    return named


def test_what_a_collector_passes_on_arrives_as_what_it_is(
    start: Callable[..., Program], tmp_path: Path, free_port: Callable[[], int]
) -> None:
    program = collector()
    plane = serve(start, tmp_path / "home", PILOTHOUSE_ADMIN_PASSWORD=PASSWORD)
    with httpx.Client(base_url=plane.console_url, verify=trusted(plane), trust_env=False, timeout=30) as console:
        assert console.post("/auth/sign-in", json={"username": "admin", "password": PASSWORD}).status_code == 200
        ask(console, 'mutation { createProject(input: {displayName: "Shop"}) { handle } }')
        ask(
            console,
            'mutation { createIntegration(input: {project: "shop", displayName: "Orders", runtimeType: PY}) { handle } }',
        )
        token = ask(
            console,
            """mutation { createIngestToken(input: {
                name: "collector", environment: "dev", project: "shop", integration: "orders" }) { token } }""",
        )["createIngestToken"]["token"]
        port = free_port()
        told = CONFIGURATION.format(port=port, intake=plane.runtime_url, ca=plane.home / "tls" / "certificate.pem")
        (tmp_path / "collector.yaml").write_text(told)
        running = start([program, "--config", "collector.yaml"], cwd=tmp_path, INGEST_TOKEN=token)
        running.wait_for("Everything is ready")
        (tmp_path / "program.py").write_text(PROGRAM)
        spoken = start([sys.executable, "program.py"], cwd=tmp_path, COLLECTOR=f"http://127.0.0.1:{port}")
        assert spoken.process.wait(60) == 0, spoken.output

        def arrived() -> dict | None:
            seen = ask(console, SEEN)
            return seen if seen["logs"]["nodes"] and seen["traces"]["nodes"] and seen["metricNames"] else None

        seen = until(arrived, 30, lambda: running.output)
        (line,) = seen["logs"]["nodes"]
        assert (line["level"], line["logger"]) == ("WARN", "orders.stock")
        assert line["origin"] == {
            "runtimeId": "orders-behind-a-collector",
            "integration": {"handle": "orders"},
            "environment": {"handle": "dev"},
        }
        assert [trace["traceId"] for trace in seen["traces"]["nodes"]] == [line["traceId"]]
        assert token not in plane.program.output
        running.stop()
