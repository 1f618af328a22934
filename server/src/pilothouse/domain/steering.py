"""What can be steered, what is desired of it, and what is observed.

Source: reference/runtime-protocol.md sections 6.3-6.6; contracts/commands/README.md.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum, unique
from hashlib import blake2b
from typing import Final

import msgspec

from pilothouse.base.instants import Instant
from pilothouse.domain.artifacts import Artifact, ArtifactState
from pilothouse.domain.artifacts.artifact_set import ArtifactSet
from pilothouse.domain.artifacts.listener import Listener
from pilothouse.domain.runtime_type import RuntimeType


@unique
class SteerableKind(StrEnum):
    """Kinds of things that can be steered: artifacts by their tag, and loggers."""

    LISTENER = "listener"
    CONSUMER = "consumer"
    SCHEDULE = "schedule"
    LOGGER = "logger"
    API = "api"
    ENDPOINT = "endpoint"
    INBOUND_ENDPOINT = "inbound-endpoint"
    MESSAGE_PROCESSOR = "message-processor"
    PROXY_SERVICE = "proxy-service"
    SEQUENCE = "sequence"
    TASK = "task"
    TEMPLATE = "template"


@unique
class Aspect(StrEnum):
    """What of it can be desired."""

    STATE = "state"
    TRACING = "tracing"
    STATISTICS = "statistics"
    LEVEL = "level"


class Target(msgspec.Struct, frozen=True, order=True):
    """One aspect of one thing."""

    kind: SteerableKind
    name: str
    package: str
    aspect: Aspect


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """The desired state of one target in one integration and environment."""

    number: int
    """Of this very change, in the log of all changes: a command serves one number."""
    target: Target
    value: str
    version: int
    """Grows with each change of this target's wish."""
    author: str
    set_at: Instant
    fingerprints: tuple[str, ...] = ()
    """What bore the name when the wish was made; empty where names are no accident."""
    absent_since: Instant | None = None


ENABLED: Final = ArtifactState.ENABLED.value
DISABLED: Final = ArtifactState.DISABLED.value
UNSET_LEVEL: Final = "NOTSET"
"""What a Python logger has that the runtime does not list."""
SWITCHES: Final = (ENABLED, DISABLED)
ORPHAN_AFTER_S: Final = 7 * 86_400.0
"""A wish for something that nobody has hosted for so long is called an orphan."""

_STATE = frozenset({Aspect.STATE})
_TRACED = frozenset({Aspect.TRACING, Aspect.STATISTICS})
_ALL = _STATE | _TRACED
_LEVEL = frozenset({Aspect.LEVEL})
STEERABLE: Final[Mapping[RuntimeType, Mapping[SteerableKind, frozenset[Aspect]]]] = {
    RuntimeType.PY: {
        SteerableKind.LISTENER: _STATE,
        SteerableKind.CONSUMER: _STATE,
        SteerableKind.SCHEDULE: _STATE,
        SteerableKind.LOGGER: _LEVEL,
    },
    RuntimeType.BI: {SteerableKind.LISTENER: _STATE, SteerableKind.LOGGER: _LEVEL},
    RuntimeType.MI: {
        SteerableKind.API: _TRACED,
        SteerableKind.ENDPOINT: _ALL,
        SteerableKind.INBOUND_ENDPOINT: _ALL,
        SteerableKind.MESSAGE_PROCESSOR: _STATE,
        SteerableKind.PROXY_SERVICE: _ALL,
        SteerableKind.SEQUENCE: _TRACED,
        SteerableKind.TASK: _STATE,
        SteerableKind.TEMPLATE: frozenset({Aspect.STATISTICS}),
        SteerableKind.LOGGER: _LEVEL,
    },
}
"""What a type of runtime lets itself be told."""
LEVELS: Final[Mapping[RuntimeType, tuple[str, ...]]] = {
    RuntimeType.PY: ("DEBUG", "INFO", "WARN", "ERROR", "FATAL"),
    RuntimeType.BI: ("DEBUG", "INFO", "WARN", "ERROR"),
    RuntimeType.MI: ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "OFF"),
}
"""Log levels that a type of runtime knows; Ballerina cannot parse any other (section 6.5, 7)."""
TRIGGERABLE: Final[Mapping[RuntimeType, SteerableKind]] = {
    RuntimeType.PY: SteerableKind.SCHEDULE,
    RuntimeType.MI: SteerableKind.TASK,
}


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What one runtime reports of everything that can be steered."""

    runtime_type: RuntimeType
    values: Mapping[Target, str]
    fingerprints: Mapping[Target, str]
    reasons: Mapping[Target, str]

    def value_of(self, target: Target) -> str | None:
        """Tell what is observed; None when the runtime does not host it, "unknown" when it does not say."""
        value = self.values.get(target)
        if value is None and target.kind is SteerableKind.LOGGER:
            if self.runtime_type is RuntimeType.PY:
                return UNSET_LEVEL
            return None if self.runtime_type is RuntimeType.BI else ArtifactState.UNKNOWN.value
        return value


def observe(runtime_type: RuntimeType, artifacts: ArtifactSet, log_levels: Mapping[str, str]) -> Observed:
    """Read from a report what can be steered."""
    steerable = STEERABLE[runtime_type]
    values: dict[Target, str] = {}
    reasons: dict[Target, str] = {}
    fingerprints: dict[Target, str] = {}
    by_tag = {kind.value: kind for kind in steerable}
    for artifact in artifacts.artifacts:
        kind = by_tag.get(str(artifact.__struct_config__.tag))
        if kind is None:
            continue
        for aspect in steerable[kind]:
            target = Target(kind, artifact.name, getattr(artifact, "package", ""), aspect)
            if kind is SteerableKind.TEMPLATE and getattr(artifact, "template_type", None) != "sequence":
                continue
            values[target] = str(getattr(artifact, aspect.value))
            reason = getattr(artifact, "state_reason", None)
            if reason and aspect is Aspect.STATE:
                reasons[target] = reason
            if runtime_type is RuntimeType.BI and isinstance(artifact, Listener):
                fingerprints[target] = fingerprint_of(artifact, artifacts)
    if SteerableKind.LOGGER in steerable:
        for logger, level in log_levels.items():
            values[Target(SteerableKind.LOGGER, logger, "", Aspect.LEVEL)] = level
    return Observed(runtime_type=runtime_type, values=values, fingerprints=fingerprints, reasons=reasons)


def fingerprint_of(listener: Listener, artifacts: ArtifactSet) -> str:
    """Tell a Ballerina listener by what it is: its name is an accident of the order of discovery (section 9, 18).

    Shape: 16 hexadecimal digits.
    """
    paths = sorted(service.base_path for service in artifacts.services if listener.name in service.listeners)
    told = (listener.package, listener.protocol, listener.port, paths)
    return blake2b(msgspec.json.encode(told), digest_size=8).hexdigest()


def is_met(desired: str, observed: str | None) -> bool:
    """Tell whether what is observed is what is desired. A gate is as near to closed as its process can come."""
    return observed == desired or (desired == DISABLED and observed == ArtifactState.GATED.value)


def is_under_way(desired: str, observed: str | None) -> bool:
    """Tell whether a runtime is seen on its way to what is desired."""
    return desired == DISABLED and observed == ArtifactState.DRAINING.value


def is_suspended(wish: Wish, observed: Observed) -> bool:
    """Tell whether another thing bears the name now than when the wish was made."""
    seen = observed.fingerprints.get(wish.target)
    return bool(wish.fingerprints) and seen is not None and seen not in wish.fingerprints


def values_of(runtime_type: RuntimeType, aspect: Aspect) -> Sequence[str]:
    """List what may be desired."""
    return LEVELS[runtime_type] if aspect is Aspect.LEVEL else SWITCHES


def label_of(artifact: Artifact) -> str:
    """Say what tells an artifact apart for people."""
    if isinstance(artifact, Listener):
        port = None if artifact.takes_any_port else artifact.port
        address = ":".join(str(part) for part in (artifact.host, port) if part is not None)
        return " ".join(part for part in (artifact.protocol, address) if part) or artifact.name
    for member in ("trigger", "source", "context", "protocol"):
        told = getattr(artifact, member, None)
        if told:
            protocol = getattr(artifact, "protocol", None) if member == "source" else None
            return f"{protocol} {told}" if protocol else str(told)
    kind_type = next((getattr(artifact, name) for name in artifact.__struct_fields__ if name.endswith("_type")), None)
    return str(kind_type) if kind_type else ""
