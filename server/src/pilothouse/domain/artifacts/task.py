"""Scheduled tasks of Micro Integrator."""

from pilothouse.domain.artifacts.base import ArtifactState, Base


class Task(Base, frozen=True, kw_only=True, tag="task"):
    """Something that runs on a schedule."""

    state: ArtifactState = ArtifactState.UNKNOWN
    group: str = ""
    task_class: str = ""
    carbon_app: str | None = None
