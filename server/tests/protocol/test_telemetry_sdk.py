"""The real OpenTelemetry SDK sends to a real control plane over TLS."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import time

import msgspec
import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
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
from opentelemetry.trace import SpanKind
from pilothouse.access.places import EVERYTHING
from pilothouse.app.running import tls_files
from pilothouse.base.clock import SystemClock
from pilothouse.config import Settings
from pilothouse.protocol.exchange import Exchange, ExchangeSettings
from pilothouse.serving.carrier import Carrier, Listener
from pilothouse.serving.settings import CarrierSettings
from pilothouse.telemetry.model import NS_A_SECOND
from pilothouse.telemetry.questions import LogQuestion, MetricQuestion, Scope

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, telemetry_store="memory", public_host="localhost")


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


def token_of(secret: str) -> str:
    key_id, _, material = secret.partition(".")
    claims = {
        "iss": "icp-runtime-jwt-issuer",
        "aud": "icp-server",
        "scope": "runtime_agent",
        "exp": int(time.time()) + 600,
    }
    parts = ({"alg": "HS256", "typ": "JWT", "kid": key_id}, claims)
    signed = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    signature = hmac.digest(material.encode(), signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def send(url: str, certificate: str, token: str, runtime_id: str) -> str:
    """Log, count and trace with the SDK; returns the trace's id."""
    resource = Resource.create({"service.name": "orders", "icp.runtimeId": runtime_id})
    common = {
        "certificate_file": certificate,
        "headers": {"Authorization": f"Bearer {token}"},
        "compression": Compression.Gzip,
        "timeout": 10,
    }
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces", **common)))
    loggers = LoggerProvider(resource=resource)
    loggers.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(endpoint=f"{url}/v1/logs", **common)))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{url}/v1/metrics", **common), 3_600_000)
    meters = MeterProvider([reader], resource=resource)
    durations = meters.get_meter("t").create_histogram("http.server.request.duration", unit="s")
    with tracers.get_tracer("t").start_as_current_span("GET /orders/{id}", kind=SpanKind.SERVER) as span:
        durations.record(
            0.25, {"http.request.method": "GET", "http.route": "/orders/{id}", "http.response.status_code": 500}
        )
        loggers.get_logger("orders.api").emit(
            timestamp=time.time_ns(),
            severity_number=SeverityNumber.ERROR,
            body="order failed",
            attributes={"order": "17"},
        )
        span.add_event("order refused", {"sku": "rope"})
        trace_id = f"{span.get_span_context().trace_id:032x}"
    for provider in (tracers, loggers, meters):
        provider.shutdown()
    return trace_id


async def test_the_sdk_sends_logs_metrics_and_traces_over_tls(plane, runtime, settings, caplog, monkeypatch):
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # the library lets them overrule what it was told
        monkeypatch.delenv(variable, raising=False)
    assert (await runtime.full())[0] == 200
    certificate = tls_files(settings)
    carrier = Carrier(
        [
            Listener(
                name="runtimes",
                app=Exchange(plane.runtime_handler, ExchangeSettings()),
                host="127.0.0.1",
                port=0,
                setting="none",
                tls=certificate,
            )
        ],
        CarrierSettings(grace_s=1.0),
    )
    await carrier.start()
    try:
        url = f"https://localhost:{carrier.ports['runtimes']}"
        with caplog.at_level(logging.WARNING, "opentelemetry"):
            trace_id = await asyncio.to_thread(
                send, url, str(certificate.certificate), token_of(runtime.secret), runtime.runtime_id
            )
        assert not [record for record in caplog.records if record.name.startswith("opentelemetry")]
    finally:
        await carrier.stop()
    now_ns = time.time_ns()
    scope = Scope.within(EVERYTHING, from_ns=now_ns - 600 * NS_A_SECOND, to_ns=now_ns + 600 * NS_A_SECOND)
    (line,) = (await plane.telemetry.logs(LogQuestion(scope=scope))).lines
    assert (line.record.message, line.record.logger, line.record.level.name) == ("order failed", "orders.api", "ERROR")
    assert (line.record.trace_id, line.record.attributes) == (trace_id, {"order": "17"})
    (span,) = (await plane.telemetry.trace(scope, trace_id)).spans
    assert (span.record.name, span.record.service) == ("GET /orders/{id}", "orders")
    (event,) = span.record.attributes["pilothouse.events"]
    assert (event["name"], event["attributes"]) == ("order refused", {"sku": "rope"})
    assert 0 <= int(event["at_ns"]) - span.record.at_ns <= span.record.duration_ns
    (series,) = await plane.telemetry.metrics(MetricQuestion(scope=scope, name="http.server.request.duration"))
    (figures,) = series.steps.values()
    assert (figures.failed.count, figures.succeeded.count, figures.failed.percentile(0.5)) == (
        1,
        0,
        pytest.approx(0.25, rel=0.7),
    )
    entry = plane.board.list_called(runtime.runtime_id)[0]
    assert {line.origin.runtime_key, span.origin.runtime_key} == {entry.runtime_key}
