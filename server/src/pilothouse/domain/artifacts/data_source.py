"""Data sources of Micro Integrator."""

from pilothouse.domain.artifacts.base import Base


class DataSource(Base, frozen=True, kw_only=True, tag="data-source"):
    """A configured connection to a database."""

    source_type: str | None = None
    driver: str | None = None
    url: str | None = None
    """The runtime masks the password in it."""
    has_username: bool | None = None
