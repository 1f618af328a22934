"""Finding what somebody names, as far as they may see it: to who may not, it is not there."""

from pilothouse.access.grants import Subject, reach, sees
from pilothouse.access.permissions import Permission
from pilothouse.access.places import Place
from pilothouse.base.errors import NotFound
from pilothouse.domain.runtime import RuntimeRow
from pilothouse.domain.tenancy import Environment, Integration
from pilothouse.storage import runtime_rows, tenancy
from pilothouse.storage.commands import SteeredRuntime
from pilothouse.storage.unit import Connection

_VIEW = Permission.INTEGRATION_MGT_VIEW


def find_place(
    connection: Connection, subject: Subject, project: str, integration: str, environment: str
) -> tuple[Integration, Environment, Place]:
    """Find an integration in an environment.

    Raises: NotFound
    """
    found = tenancy.find_integration(connection, project, integration, reach(subject, _VIEW))
    if found is None:
        raise NotFound(
            f"There is no integration '{project[:64]}/{integration[:64]}'.",
            field="integration",
            fix="Look at the list of integrations.",
        )
    where = tenancy.find_environment(connection, environment, reach(subject, Permission.SIGNED_IN))
    if where is not None:
        place = Place(project_id=found.project_id, integration_id=found.id, environment_id=where.id)
        if sees(subject, _VIEW, place):
            return found, where, place
    raise NotFound(
        f"There is no environment '{environment[:64]}'.", field="environment", fix="Look at the list of environments."
    )


def find_runtime(connection: Connection, subject: Subject, id: str) -> tuple[RuntimeRow, Place]:  # noqa: A002
    """Find a runtime.

    Raises: NotFound
    """
    row = runtime_rows.find_row(connection, reach(subject, _VIEW), id)
    if row is None:
        raise NotFound("There is no such runtime.", field="id", fix="Look at the list of runtimes.")
    return row, place_of(row)


def place_of(row: RuntimeRow | SteeredRuntime) -> Place:
    """Tell where a runtime lives."""
    return Place(project_id=row.project_id, integration_id=row.integration_id, environment_id=row.environment_id)
