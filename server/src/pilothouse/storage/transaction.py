"""What an operation works with."""

from sqlalchemy import Connection

from pilothouse.domain.events import Event, NewEvent
from pilothouse.storage import events


class Transaction:
    """What an operation works with: a connection, and the events that leave if it is committed."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._events: list[NewEvent] = []

    def emit(self, event: NewEvent) -> None:
        """Let an event happen with this transaction."""
        self._events.append(event)

    def write_events(self) -> list[Event]:
        """Store what was emitted, in order, and give each its number."""
        return events.append_all(self.connection, self._events)
