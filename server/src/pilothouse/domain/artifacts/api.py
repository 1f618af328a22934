"""REST APIs of Micro Integrator."""

from pilothouse.domain.artifacts.base import ArtifactState, Base
from pilothouse.domain.artifacts.service import Resource


class Api(Base, frozen=True, kw_only=True, tag="api"):
    """A REST API under a context; its runtime reports no state, deployed means enabled."""

    context: str = ""
    version: str = ""
    url: str | None = None
    urls: tuple[str, ...] = ()
    state: ArtifactState = ArtifactState.ENABLED
    tracing: ArtifactState = ArtifactState.UNKNOWN
    statistics: ArtifactState = ArtifactState.UNKNOWN
    carbon_app: str | None = None
    resources: tuple[Resource, ...] = ()
