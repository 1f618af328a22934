"""Whether the program has an OpenTelemetry SDK of its own at work: then what that makes is not made a second time.

Asked of the API's modules as they stand in memory: its functions would set up a provider where there is none yet. A
provider counts when it is the SDK's; the API's own stand-ins do nothing.
"""

import sys
from collections.abc import Mapping
from typing import Final

_HOLDERS: Final = {
    "traces": ("opentelemetry.trace", "_TRACER_PROVIDER"),
    "metrics": ("opentelemetry.metrics._internal", "_METER_PROVIDER"),
    "logs": ("opentelemetry._logs._internal", "_LOGGER_PROVIDER"),
}
#: The API's own packages: providers from there do nothing, or wait for a real one.
_STAND_INS: Final = ("opentelemetry.trace", "opentelemetry.metrics", "opentelemetry._logs")


def has_own(signal: str) -> bool:
    """Whether the program's own SDK makes this signal: ``logs``, ``metrics`` or ``traces``."""
    module_name, attribute = _HOLDERS[signal]
    module = sys.modules.get(module_name)
    provider = None if module is None else getattr(module, attribute, None)
    return provider is not None and not type(provider).__module__.startswith(_STAND_INS)


def current_ids() -> tuple[str, str, bool] | None:
    """Trace, span, and whether it is sampled, of the program's own current span."""
    trace = sys.modules.get("opentelemetry.trace")
    get_current_span = getattr(trace, "get_current_span", None)
    if get_current_span is None:
        return None
    context = get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"{context.trace_id:032x}", f"{context.span_id:016x}", bool(context.trace_flags & 1)


def add_event(name: str, attributes: Mapping[str, object]) -> bool:
    """Note it on the program's own current span; answers whether there is one that is recorded."""
    trace = sys.modules.get("opentelemetry.trace")
    get_current_span = getattr(trace, "get_current_span", None)
    if get_current_span is None:
        return False
    span = get_current_span()
    if not span.is_recording():
        return False
    span.add_event(name, dict(attributes))
    return True
