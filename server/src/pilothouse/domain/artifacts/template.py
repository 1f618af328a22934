"""Templates of Micro Integrator."""

from pilothouse.domain.artifacts.base import ArtifactState, Base


class Template(Base, frozen=True, kw_only=True, tag="template"):
    """A sequence or an endpoint with parameters."""

    template_type: str | None = None
    """`endpoint` or `sequence`."""
    statistics: ArtifactState = ArtifactState.UNKNOWN
    carbon_app: str | None = None

    @property
    def identity(self) -> tuple[str, ...]:
        """An endpoint template and a sequence template may share a name."""
        return (self.name, self.template_type or "")
