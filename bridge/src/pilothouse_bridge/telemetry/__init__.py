"""Logs, metrics and traces of this program: sent by themselves once it is connected; the names below say and take more.

from pilothouse_bridge import telemetry

telemetry.makers()  # {"logs": "bridge", "metrics": "bridge", "traces": "program"}
telemetry.event("order accepted", sku="rope")  # within the request that is being served
app.mount("/metrics", telemetry.prometheus_asgi)  # Starlette, FastAPI
OTLPSpanExporter(endpoint=telemetry.otlp_endpoint("traces"), session=telemetry.otlp_session())
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

__all__ = [
    "event",
    "flush",
    "makers",
    "otlp_endpoint",
    "otlp_headers",
    "otlp_session",
    "prometheus_asgi",
    "prometheus_text",
    "prometheus_wsgi",
]


def makers() -> dict[str, str]:
    """Who makes logs, metrics and traces: ``bridge``, ``program`` (its own OpenTelemetry), or ``off``."""
    from pilothouse_bridge.telemetry import _ignition

    return _ignition.ignite().makers()


def event(name: str, /, **attributes: object) -> bool:
    """Note that something happened within the request that is being served; answers whether there is one to note it on.

    It is sent with the request's span, if that is: one that is not sampled and does not fail is forgotten, events and all.
    The first 64 of a request are kept. Where the program's own OpenTelemetry makes the spans, it is that one's. Never raises.
    """
    from pilothouse_bridge.telemetry import _ignition

    return _ignition.ignite().note_event(name, attributes)


def flush(timeout_s: float = 5.0) -> bool:
    """Send what waits now; answers whether the control plane has all of it. At exit the bridge does so by itself."""
    from pilothouse_bridge.telemetry import _ignition

    return _ignition.ignite().flush(timeout_s)


def prometheus_text() -> str:
    """Requests, process figures and losses since the process began, in Prometheus' text format."""
    from pilothouse_bridge.telemetry import _ignition, _prometheus

    hub = _ignition.ignite()
    return _prometheus.text(hub.meter.totals(), hub.process.last or hub.process.take(), hub.drops.totals())


async def prometheus_asgi(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    """An ASGI application that answers every request with ``prometheus_text()``: mount it where it shall be read."""
    from pilothouse_bridge.telemetry._prometheus import CONTENT_TYPE

    del receive
    if scope["type"] != "http":
        return
    body = prometheus_text().encode()
    headers = [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def prometheus_wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A WSGI application that answers every request with ``prometheus_text()``."""
    from pilothouse_bridge.telemetry._prometheus import CONTENT_TYPE

    del environ
    body = prometheus_text().encode()
    start_response("200 OK", [("Content-Type", CONTENT_TYPE), ("Content-Length", str(len(body)))])
    return [body]


def otlp_endpoint(signal: str | None = None) -> str:
    """Where an OTLP/HTTP exporter of the program's own sends to: ``logs``, ``metrics`` or ``traces``, or their base.

    Raises: RuntimeError when the bridge is not connected by configuration.
    """
    from pilothouse_bridge.telemetry._access import access

    base = str(access().server)
    return base if signal is None else f"{base}/v1/{signal}"


def otlp_headers() -> dict[str, str]:
    """The headers that say who this runtime is; valid for five minutes at least, so ask again for each connection.

    Raises: RuntimeError when the bridge is not connected by configuration.
    """
    from pilothouse_bridge.telemetry._access import access

    return {"Authorization": f"Bearer {access().tokens.current()}"}


def otlp_session() -> "requests.Session":
    """A session for OpenTelemetry's OTLP/HTTP exporters that signs every request with a token that is fresh.

    Raises: RuntimeError when the bridge is not connected by configuration; ImportError without requests.
    """
    from pilothouse_bridge.telemetry import _access

    return _access.session()
