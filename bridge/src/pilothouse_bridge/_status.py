"""What the program may ask about its own connection."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique


@unique
class State(StrEnum):
    """Where the connection stands."""

    DISABLED = "disabled"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    FAILING = "failing"
    CLOSED = "closed"


@dataclass(frozen=True)
class Status:
    """A snapshot of the connection; ``last_acknowledged_at`` is aware UTC."""

    state: State
    server_url: str | None
    runtime_id: str | None
    last_error: str | None
    last_acknowledged_at: datetime | None

    @property
    def connected(self) -> bool:
        """Whether the last heartbeat was acknowledged."""
        return self.state is State.CONNECTED
