"""Data services of Micro Integrator."""

from pilothouse.domain.artifacts.base import Base, DeploymentState


class DataService(Base, frozen=True, kw_only=True, tag="data-service"):
    """A data source offered as a service."""

    state: DeploymentState = DeploymentState.UNKNOWN
    error_message: str | None = None
    description: str | None = None
    configs: tuple[str, ...] = ()
    """Identities of the data source configurations that it uses."""
    operation_count: int | None = None
    query_count: int | None = None
    carbon_app: str | None = None
