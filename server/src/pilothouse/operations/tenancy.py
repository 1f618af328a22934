"""Creating environments, projects and integrations, and finding free handles for them."""

from enum import StrEnum, unique

import msgspec

from pilothouse.access.grants import EVERYWHERE, Place, Subject, reach, require, require_environment
from pilothouse.access.permissions import Permission
from pilothouse.base.errors import Conflict, InvalidInput, NotFound
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.domain.handles import HANDLE_LENGTH_MAX, check_handle, handle_from_name
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.tenancy import Environment, Integration, Naming, Organization, Project
from pilothouse.operations.audit import audit
from pilothouse.storage import tenancy
from pilothouse.storage.unit import Connection, Transaction

_SUGGESTIONS_TRIED = 1000


@unique
class HandleKind(StrEnum):
    """What a handle is for."""

    PROJECT = "project"
    INTEGRATION = "integration"
    ENVIRONMENT = "environment"


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a handle is free."""

    handle: str
    available: bool
    reason: str | None = None
    suggestion: str | None = None


def create_environment(
    tx: Transaction, subject: Subject, organization: Organization, naming: Naming, *, critical: bool, now: Instant
) -> Environment:
    """Create an environment.

    Raises: NotPermitted, Conflict
    """
    require_environment(subject, None, critical=critical)
    if tenancy.find_environment(tx.connection, naming.handle) is not None:
        raise _taken("environment", naming.handle)
    environment = Environment(
        id=new_id(), handle=naming.handle, display_name=naming.display_name, critical=critical, created_at=now
    )
    tenancy.add_environment(tx.connection, organization.id, environment)
    tx.emit(
        NewEvent(kind=EventKind.ENVIRONMENT_CREATED, at=now, environment_id=environment.id, detail=environment.handle)
    )
    audit(tx, subject, "environment.create", environment.handle, now)
    return environment


def create_project(
    tx: Transaction, subject: Subject, organization: Organization, naming: Naming, *, now: Instant
) -> Project:
    """Create a project.

    Raises: NotPermitted, Conflict
    """
    require(subject, Permission.PROJECT_MGT_MANAGE, at=EVERYWHERE)
    if tenancy.find_project(tx.connection, naming.handle) is not None:
        raise _taken("project", naming.handle)
    project = Project(
        id=new_id(),
        handle=naming.handle,
        display_name=naming.display_name,
        description=naming.description,
        created_at=now,
        created_by=subject.username,
    )
    tenancy.add_project(tx.connection, organization.id, project)
    tx.emit(NewEvent(kind=EventKind.PROJECT_CREATED, at=now, project_id=project.id, detail=project.handle))
    audit(tx, subject, "project.create", project.handle, now)
    return project


def create_integration(
    tx: Transaction, subject: Subject, project_handle: str, naming: Naming, runtime_type: RuntimeType, *, now: Instant
) -> Integration:
    """Create an integration in a project.

    Raises: NotPermitted, NotFound, Conflict
    """
    project = tenancy.find_project(tx.connection, project_handle, reach(subject, Permission.PROJECT_MGT_VIEW))
    if project is None:
        raise project_not_found(project_handle)
    require(subject, Permission.INTEGRATION_MGT_MANAGE, at=Place(project_id=project.id))
    if tenancy.find_integration(tx.connection, project_handle, naming.handle) is not None:
        raise _taken("integration", naming.handle)
    integration = Integration(
        id=new_id(),
        handle=naming.handle,
        display_name=naming.display_name,
        description=naming.description,
        runtime_type=runtime_type,
        project_id=project.id,
        project_handle=project.handle,
        project_display_name=project.display_name,
        created_at=now,
        created_by=subject.username,
    )
    tenancy.add_integration(tx.connection, subject.organization_id, integration)
    tx.emit(
        NewEvent(
            kind=EventKind.INTEGRATION_CREATED,
            at=now,
            project_id=project.id,
            integration_id=integration.id,
            detail=f"{project.handle}/{integration.handle}",
        )
    )
    audit(tx, subject, "integration.create", f"{project.handle}/{integration.handle}", now)
    return integration


def handle_availability(connection: Connection, kind: HandleKind, handle: str, project: str | None) -> Availability:
    """Tell whether a handle is free, and if not, which close one is.

    Raises: InvalidInput when an integration's project is not named
    """
    if kind is HandleKind.INTEGRATION and project is None:
        raise InvalidInput(
            "An integration's handle is unique within its project, which is not named.",
            field="project",
            fix="Name the project's handle.",
        )
    try:
        check_handle(handle)
    except InvalidInput as error:
        close = handle_from_name(handle)
        return Availability(handle=handle, available=False, reason=f"{error.message} {error.fix}", suggestion=close)
    taken = tenancy.handles_like(connection, kind.value, handle, project)
    if handle not in taken:
        return Availability(handle=handle, available=True)
    return Availability(
        handle=handle,
        available=False,
        reason=f"There is a{'n' if kind.value[0] in 'ie' else ''} {kind.value} with this handle already.",
        suggestion=_free_one(handle, taken),
    )


def project_not_found(handle: str) -> NotFound:
    """Make the error for a project that is not there."""
    return NotFound(
        f"There is no project with the handle '{handle[:HANDLE_LENGTH_MAX]}'.",
        field="project",
        fix="Look at the list of projects for its handle.",
    )


def integration_not_found(project: str, handle: str) -> NotFound:
    """Make the error for an integration that is not there."""
    return NotFound(
        f"There is no integration '{handle[:HANDLE_LENGTH_MAX]}' in the project '{project[:HANDLE_LENGTH_MAX]}'.",
        field="integration",
        fix="Look at the project's list of integrations for its handle.",
    )


def environment_not_found(handle: str) -> NotFound:
    """Make the error for an environment that is not there."""
    return NotFound(
        f"There is no environment with the handle '{handle[:HANDLE_LENGTH_MAX]}'.",
        field="environment",
        fix="Look at the list of environments for its handle.",
    )


def _taken(kind: str, handle: str) -> Conflict:
    return Conflict(
        f"The {kind} handle '{handle}' is taken.",
        field="handle",
        fix=f"Choose another handle, for example '{handle}-2'.",
    )


def _free_one(handle: str, taken: frozenset[str]) -> str | None:
    for number in range(2, _SUGGESTIONS_TRIED):
        ending = f"-{number}"
        candidate = handle[: HANDLE_LENGTH_MAX - len(ending)].rstrip("-") + ending
        if candidate not in taken:
            return candidate
    return None
