"""A program with an OpenTelemetry SDK of its own: nothing is made twice, and its exporters find the way."""

import http.client
from typing import Any

import pilothouse_bridge
import pytest
from pilothouse_bridge import telemetry
from pilothouse_bridge.testing import FakePilothouse, ReceivedLog

OWN = """
    import pilothouse_bridge.auto
    import logging, sys
    import uvicorn
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from pilothouse_bridge import telemetry
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    provider = TracerProvider()
    exporter = OTLPSpanExporter(endpoint=telemetry.otlp_endpoint("traces"), session=telemetry.otlp_session())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    logging.basicConfig(level=logging.INFO)

    async def show(request):
        with trace.get_tracer("shop").start_as_current_span("own") as span:
            logging.getLogger("shop").info("%032x", span.get_span_context().trace_id)
        return PlainTextResponse(str(telemetry.makers()))

    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets)
            print(self.servers[0].sockets[0].getsockname()[1], flush=True)

    Server(uvicorn.Config(Starlette(routes=[Route("/", show)]), port=0, log_config=None)).run()
"""


def test_its_spans_are_its_own_and_log_lines_bear_their_ids(
    server: FakePilothouse, program: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported: list[bytes] = []
    take = server._take_telemetry

    def taking(body: bytes, encoding: str) -> Any:
        if body[:1] != b"{" and encoding != "gzip":  # the SDK's exporter speaks protobuf
            exported.append(body)
            return pilothouse_bridge.testing.FakeAnswer(200, b"")
        return take(body, encoding)

    monkeypatch.setattr(server, "_take_telemetry", taking)
    (tmp_path / "Config.toml").write_text(
        server.config_toml() + "heartbeatInterval = 1\ntelemetryMetricsInterval = 0.5\ntelemetrySampling = 1\n"
    )
    process = program.start(OWN)
    connection = http.client.HTTPConnection("127.0.0.1", int(process.stdout.readline()), timeout=10)
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"{'logs': 'bridge', 'metrics': 'bridge', 'traces': 'program'}"
    connection.close()

    def with_ids(line: ReceivedLog) -> bool:
        return line.logger == "shop"

    line = server.wait_for_log(with_ids)
    assert line.trace_id == line.message
    server.wait_for_point(lambda point: point.metric == "http.server.request.duration")
    assert not server.spans
    assert len(exported) == 1  # and the token was right, else it would not have come so far
    assert bytes.fromhex(line.trace_id) in exported[0]
    process.terminate()
    _, err = process.communicate(timeout=10)
    assert "This program's own OpenTelemetry makes its traces" in err


def test_exporters_are_told_where_and_as_whom(server: FakePilothouse, connect: Any) -> None:
    with pytest.raises(RuntimeError, match="not connected"):
        telemetry.otlp_endpoint()
    connect()
    assert telemetry.otlp_endpoint() == server.url
    assert telemetry.otlp_endpoint("logs") == f"{server.url}/v1/logs"
    answer = server.receive("/v1/logs", telemetry.otlp_headers()["Authorization"], b'{"resourceLogs": []}')
    assert answer.status == 200


def test_each_signal_can_be_switched(connect: Any) -> None:
    connect(telemetry_logs=False, telemetry_traces=True)
    assert telemetry.makers() == {"logs": "off", "metrics": "bridge", "traces": "bridge"}


def test_a_setting_that_cannot_be_is_refused_with_its_fix(connect: Any) -> None:
    with pytest.raises(pilothouse_bridge.errors.ConfigurationError, match="between 0 and 1"):
        connect(telemetry_sampling=2)
    with pytest.raises(pilothouse_bridge.errors.ConfigurationError, match="true, false or"):
        connect(telemetry_logs="maybe")
    with pytest.raises(pilothouse_bridge.errors.ConfigurationError, match="is no level"):
        connect(telemetry_log_level="LOUD")
