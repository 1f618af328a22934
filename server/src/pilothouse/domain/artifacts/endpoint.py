"""Endpoints of Micro Integrator: where messages go."""

from pilothouse.domain.artifacts.base import ArtifactState, Base, Member


class Attribute(Member, frozen=True, kw_only=True):
    """A named property of an endpoint, such as Method or Address."""

    name: str
    value: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        """One value a name."""
        return (self.name,)


class Endpoint(Base, frozen=True, kw_only=True, tag="endpoint"):
    """An address, or a group of them, that messages are sent to."""

    endpoint_type: str | None = None
    state: ArtifactState = ArtifactState.UNKNOWN
    tracing: ArtifactState = ArtifactState.UNKNOWN
    statistics: ArtifactState = ArtifactState.UNKNOWN
    carbon_app: str | None = None
    attributes: tuple[Attribute, ...] = ()
