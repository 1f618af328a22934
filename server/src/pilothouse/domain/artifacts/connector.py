"""Connectors of Micro Integrator."""

from pilothouse.domain.artifacts.base import ArtifactState, Base


class Connector(Base, frozen=True, kw_only=True, tag="connector"):
    """A library of operations on a foreign system."""

    package: str = ""
    """Empty where the runtime failed to read the connector."""
    description: str | None = None
    state: ArtifactState = ArtifactState.UNKNOWN
    error_message: str | None = None
    carbon_app: str | None = None

    @property
    def identity(self) -> tuple[str, ...]:
        """Libraries of different packages may share a name."""
        return (self.package, self.name)
