"""Consumers: where messages of a broker arrive."""

from pilothouse.domain.artifacts.base import ArtifactState, Base


class Consumer(Base, frozen=True, kw_only=True, tag="consumer"):
    """A subscription to a queue, a topic or a subject."""

    package: str = ""
    state: ArtifactState = ArtifactState.UNKNOWN
    protocol: str | None = None
    source: str | None = None
    """Queue, topic, subject or stream."""
    group: str | None = None
    handler: str | None = None
    """file:line"""
    state_reason: str | None = None
