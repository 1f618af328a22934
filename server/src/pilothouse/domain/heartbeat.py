"""What a full heartbeat says, in our words: decoded, but not yet trusted."""

from collections.abc import Mapping

import msgspec

from pilothouse.base.instants import Instant
from pilothouse.domain.artifacts.artifact_set import ArtifactSet
from pilothouse.domain.runtime import LogHandler, NodeFacts
from pilothouse.domain.runtime_type import RuntimeType


class FullHeartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a runtime reports about itself, within the wire's limits."""

    runtime_id: str
    runtime_name: str | None
    runtime_type: RuntimeType
    environment: str
    """The environment's handle, as the runtime writes it."""
    project: str
    integration: str
    version: str | None
    node: NodeFacts
    artifacts: ArtifactSet
    log_levels: Mapping[str, str] | None
    """By logger; None when the runtime says nothing about them, which is not the same as having none."""
    runtime_hash: str
    sent_at: Instant | None
    """The sender's clock."""
    interval_s: float | None
    """The interval that the sender keeps, where it tells."""
    try_it_host: str | None
    open_api_definitions: msgspec.Raw | None
    workflow_metadata: msgspec.Raw | None
    capabilities: tuple[str, ...]
    log_handlers: tuple[LogHandler, ...]
    flags: tuple[str, ...]
    """What was odd and was kept or cut, one sentence each."""


class DeltaHeartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of life: who, and the hash of what was last reported in full."""

    runtime_id: str
    runtime_hash: str
