"""Message stores of Micro Integrator."""

from pilothouse.domain.artifacts.base import Base


class MessageStore(Base, frozen=True, kw_only=True, tag="message-store"):
    """A queue that holds messages between sequences."""

    store_type: str | None = None
    size_messages: int | None = None
    """At the time of the report."""
    carbon_app: str | None = None
