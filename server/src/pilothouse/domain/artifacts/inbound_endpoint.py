"""Inbound endpoints of Micro Integrator: where messages come from."""

from pilothouse.domain.artifacts.base import ArtifactState, Base


class InboundEndpoint(Base, frozen=True, kw_only=True, tag="inbound-endpoint"):
    """A source of messages: a port, a poller, a consumer."""

    protocol: str | None = None
    """None for a class of the user's own."""
    state: ArtifactState = ArtifactState.UNKNOWN
    tracing: ArtifactState = ArtifactState.UNKNOWN
    statistics: ArtifactState = ArtifactState.UNKNOWN
    sequence: str | None = None
    on_error: str | None = None
    carbon_app: str | None = None
