"""Services: what answers calls, and the resources in it."""

from pilothouse.domain.artifacts.base import ArtifactState, Base, Member


class Resource(Member, frozen=True, kw_only=True):
    """One path of a service or an API, and the methods that it answers."""

    path: str
    methods: tuple[str, ...] = ()
    """Upper case, sorted: GET, POST, REMOTE …"""
    source: str | None = None
    """`file:line` of the handler."""

    @property
    def identity(self) -> tuple[str, ...]:
        """Several handlers may share a path."""
        return (self.path, self.source or "")


class Service(Base, frozen=True, kw_only=True, tag="service"):
    """A service under a base path, attached to listeners."""

    package: str = ""
    base_path: str = "/"
    state: ArtifactState = ArtifactState.ENABLED
    listeners: tuple[str, ...] = ()
    """Names of the listeners that it is attached to."""
    resources: tuple[Resource, ...] = ()

    @property
    def identity(self) -> tuple[str, ...]:
        """Names are generated per package."""
        return (self.package, self.name)
