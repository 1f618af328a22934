"""Automations: programs that run and end."""

from pilothouse.domain.artifacts.base import Base


class Automation(Base, frozen=True, kw_only=True, tag="automation"):
    """A program that runs and ends, named after its package."""

    organization: str = ""
    version: str = ""

    @property
    def package(self) -> str:
        """The package that holds its `main`."""
        return self.name
