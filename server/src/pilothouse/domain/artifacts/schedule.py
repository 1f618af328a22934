"""Schedules: jobs that run by the clock."""

from pilothouse.domain.artifacts.base import ArtifactState, Base


class Schedule(Base, frozen=True, kw_only=True, tag="schedule"):
    """A job that a Python program runs by the clock."""

    package: str = ""
    state: ArtifactState = ArtifactState.UNKNOWN
    trigger: str | None = None
    """As people read it."""
    handler: str | None = None
    """file:line"""
    state_reason: str | None = None
