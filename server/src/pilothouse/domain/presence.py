"""What must survive a restart of what is known of a runtime's heartbeats."""

from typing import TypeAlias

import msgspec

from pilothouse.base.instants import Instant
from pilothouse.domain.liveness import Status
from pilothouse.domain.runtime_type import RuntimeType


class PresenceRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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


More: TypeAlias = tuple[str | None, Instant, Status]
"""Of a runtime: its address, since when it runs, and the last verdict that was announced."""


class Seen(msgspec.Struct, frozen=True, gc=False):
    """When a runtime was seen, to be stored; with the rest, where that is not stored already."""

    runtime_key: int
    seen_at: Instant
    interval_s: float | None
    more: More | None


class SharedRow(PresenceRow, frozen=True, kw_only=True, gc=False):
    """The same where several processes serve one database: with what the others know, and this one cannot."""

    via: str | None
    """The replica that heard the last beat."""
    channel_at: Instant | None
    """When its newest channel was opened, by whichever replica."""
    departed_at: Instant | None
    departed_how: str | None
    """`goodbye` or `broken`."""
    told: str | None
    """Sum of what its last full heartbeat said, in hexadecimal."""
    is_retired: bool


class Heard(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """What other replicas heard of one runtime. Stored packed, by the places of its fields: new ones come last, with defaults."""

    runtime_key: int
    seen_at: Instant
    interval_s: float | None
    address: str | None
    channel_at: Instant | None
    departed_at: Instant | None
    departed_how: str | None


class Announced(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What stands of one runtime when a verdict on it is to be written."""

    runtime_key: int
    seen_at: Instant
    status: Status
    channel_at: Instant | None
    departed_at: Instant | None
    departed_how: str | None
