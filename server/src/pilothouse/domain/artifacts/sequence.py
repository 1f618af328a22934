"""Sequences of Micro Integrator."""

from pilothouse.domain.artifacts.base import ArtifactState, Base


class Sequence(Base, frozen=True, kw_only=True, tag="sequence"):
    """A chain of mediators; it has no state of its own."""

    tracing: ArtifactState = ArtifactState.UNKNOWN
    statistics: ArtifactState = ArtifactState.UNKNOWN
    carbon_app: str | None = None
