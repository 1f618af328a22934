"""Composite applications of Micro Integrator."""

from pilothouse.domain.artifacts.base import Base, DeploymentState, Member


class Part(Member, frozen=True, kw_only=True):
    """An artifact that a composite application brought."""

    name: str
    part_type: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        """Artifacts of different types may share a name."""
        return (self.part_type, self.name)


class CarbonApp(Base, frozen=True, kw_only=True, tag="carbon-app"):
    """An archive of artifacts that are deployed together."""

    version: str | None = None
    state: DeploymentState = DeploymentState.UNKNOWN
    error_message: str | None = None
    artifacts: tuple[Part, ...] = ()

    @property
    def identity(self) -> tuple[str, ...]:
        """Several versions of one application may be deployed."""
        return (self.name, self.version or "")
