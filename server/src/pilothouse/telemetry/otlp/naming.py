"""What OpenTelemetry and the runtimes call things."""

from collections.abc import Mapping
from typing import Final

from pilothouse.telemetry.model import Attributes, AttributeValue, Level

RUNTIME_IDS: Final = ("icp.runtimeId", "icp_runtimeId")
"""How senders name the runtime, as an attribute of the resource or of a record."""
RUNTIME_ID_CHARACTERS_MAX: Final = 100
_WHO: Final = ("service.name", "service.namespace", "service.instance.id", "host.name", "k8s.pod.name")
"""What of a resource is written on records that name no runtime: nothing else tells who said them."""

_LEVELS: Final = {
    "TRACE": Level.TRACE,
    "DEBUG": Level.DEBUG,
    "INFO": Level.INFO,
    "INFORMATION": Level.INFO,
    "NOTICE": Level.INFO,
    "WARN": Level.WARN,
    "WARNING": Level.WARN,
    "ERROR": Level.ERROR,
    "SEVERE": Level.ERROR,
    "CRITICAL": Level.FATAL,
    "FATAL": Level.FATAL,
}


def severity_of(number: int, said: str) -> int:
    """Return OTLP's severity number, from the text where there is none."""
    if 1 <= number <= 24:  # noqa: PLR2004 - OTLP's range
        return number
    return (_LEVELS.get(said.strip().upper(), Level.INFO) if said else Level.INFO).value


def runtime_id_of(attributes: Mapping[str, AttributeValue]) -> str | None:
    """Find which runtime attributes name."""
    for key in RUNTIME_IDS:
        value = attributes.get(key)
        if value and isinstance(value, str):
            return value[:RUNTIME_ID_CHARACTERS_MAX]
    return None


def who(resource: Mapping[str, AttributeValue]) -> Attributes:
    """Choose what of a resource is written on its records: nothing where it names a runtime."""
    if runtime_id_of(resource) is not None:
        return {}
    return {key: resource[key] for key in _WHO if resource.get(key)}


def service_of(resource: Mapping[str, AttributeValue]) -> str:
    """Find what a resource calls its service."""
    name = resource.get("service.name")
    return name if isinstance(name, str) and not name.startswith("unknown_service") else ""
