"""What the board knows of one runtime, and what it says of many."""

import msgspec

from pilothouse.base.instants import Instant
from pilothouse.domain.liveness import Departure, Status, Verdict
from pilothouse.domain.presence import More
from pilothouse.domain.runtime_type import RuntimeType


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a runtime lives."""

    project_id: str
    integration_id: str
    environment_id: str


class Entry(msgspec.Struct, kw_only=True, gc=False):
    """What is known of one runtime's heartbeats. Changed in place by every beat."""

    runtime_key: int
    runtime_id: str
    project_id: str
    integration_id: str
    environment_id: str
    runtime_type: RuntimeType
    runtime_hash: str
    seen_at: Instant
    interval_s: float | None
    interval_is_reported: bool
    address: str | None
    running_since: Instant
    status: Status
    """The last verdict that was announced."""
    told: bytes = b""
    """Sum of what the last full heartbeat said; empty when it is not known, as after a restart of ours."""
    dirty: bool = False
    """Whether it must be flushed: the board says so (`Board.mark_dirty`), which knows where to find it then."""
    stored: More | None = None
    """What a flush stored last beside when it was seen; None when that is not known."""
    own_interval_s: float | None = None
    """The interval that it keeps unless it is told another one."""
    channel_since: Instant | None = None
    """Since when it holds a channel; None when it does not."""
    channel_at: Instant | None = None
    """When its newest channel was opened, here or at another replica."""
    departure: Departure | None = None
    """Set when its channel ended, until its next beat."""
    is_calm: bool = False
    """Whether nothing is to be said of it unless it falls silent or leaves: the rota says so."""
    slot: int = 0
    """The slot of time in which the rota has it looked at; 0 when none has it."""
    counted: Status | None = None
    """The verdict under which it is counted: the tallies say so. None: it is not yet."""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict that changed and is to be announced."""

    entry: Entry
    verdict: Verdict
    at: Instant


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many runtimes are in which state."""

    running: int = 0
    offline: int = 0
    unknown: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.running + self.offline + self.unknown
