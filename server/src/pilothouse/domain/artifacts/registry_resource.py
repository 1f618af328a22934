"""Registry resources of Micro Integrator."""

from pilothouse.domain.artifacts.base import Base


class RegistryResource(Base, frozen=True, kw_only=True, tag="registry-resource"):
    """A file or a folder in the top level of the registry."""

    media_type: str | None = None
