"""What must survive a restart of what is known of a runtime's heartbeats."""

import msgspec

from pilothouse.base.instants import Instant
from pilothouse.domain.liveness import Status
from pilothouse.domain.runtime_type import RuntimeType


class PresenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """What must survive a restart of what is known of a runtime's heartbeats."""

    runtime_key: int
    runtime_id: str
    project_id: str
    integration_id: str
    environment_id: str
    runtime_type: RuntimeType
    runtime_hash: str
    seen_at: Instant
    interval_s: float | None
    address: str | None
    running_since: Instant
    status: Status
