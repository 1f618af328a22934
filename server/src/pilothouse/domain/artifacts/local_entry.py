"""Local entries of Micro Integrator."""

from pilothouse.domain.artifacts.base import Base


class LocalEntry(Base, frozen=True, kw_only=True, tag="local-entry"):
    """A named text or document that mediators read; its value is not reported."""

    entry_type: str | None = None
    carbon_app: str | None = None
