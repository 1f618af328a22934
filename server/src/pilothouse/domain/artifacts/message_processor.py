"""Message processors of Micro Integrator."""

from pilothouse.domain.artifacts.base import ArtifactState, Base


class MessageProcessor(Base, frozen=True, kw_only=True, tag="message-processor"):
    """What takes messages out of a store."""

    processor_type: str | None = None
    state: ArtifactState = ArtifactState.UNKNOWN
    message_store: str | None = None
    carbon_app: str | None = None
