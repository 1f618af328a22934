"""Listeners: where services hear calls."""

from pilothouse.domain.artifacts.base import ArtifactState, Base


class Listener(Base, frozen=True, kw_only=True, tag="listener"):
    """An open port, or a subscription to a broker."""

    package: str = ""
    state: ArtifactState = ArtifactState.ENABLED
    protocol: str | None = None
    host: str | None = None
    port: int | None = None
    http_version: str | None = None
    timeout_s: float | None = None
    state_reason: str | None = None
    """The runtime's own words on the state."""

    @property
    def takes_any_port(self) -> bool:
        """Whether the system chose the port: the Python bridge names such listeners without it, e.g. `http-dynamic`."""
        return self.name.endswith("-dynamic")

    @property
    def identity(self) -> tuple[str, ...]:
        """Names are generated per package."""
        return (self.package, self.name)
