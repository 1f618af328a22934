"""Proxy services of Micro Integrator."""

from pilothouse.domain.artifacts.base import ArtifactState, Base


class ProxyService(Base, frozen=True, kw_only=True, tag="proxy-service"):
    """A service that stands before another one."""

    proxy_type: str | None = None
    state: ArtifactState = ArtifactState.UNKNOWN
    tracing: ArtifactState = ArtifactState.UNKNOWN
    statistics: ArtifactState = ArtifactState.UNKNOWN
    carbon_app: str | None = None
    endpoints: tuple[str, ...] = ()
    """Addresses at which it is called."""
