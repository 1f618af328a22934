"""Creating environments, projects and integrations, and finding free handles for them."""

from collections.abc import Generator
from contextlib import contextmanager
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
from pilothouse.domain.tenancy import Environment, Integration, Naming, Organization, Project, check_naming
from pilothouse.operations import project_admins
from pilothouse.operations.audit import audit, changed
from pilothouse.storage import tenancy
from pilothouse.storage.tenancy import HandleTaken
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
    with _unless_taken("environment", naming.handle):
        tenancy.add_environment(tx.connection, organization.id, environment)
    tx.emit(
        NewEvent(kind=EventKind.ENVIRONMENT_CREATED, at=now, environment_id=environment.id, detail=environment.handle)
    )
    after = {"displayName": environment.display_name, "critical": critical}
    place = Place(environment_id=environment.id)
    audit(tx, subject, "environment.create", environment.handle, now, after=after, at=place)
    return environment


def create_project(
    tx: Transaction, subject: Subject, organization: Organization, naming: Naming, *, now: Instant
) -> Project:
    """Create a project with the group of its admins, and put its creator into that.

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
    with _unless_taken("project", naming.handle):
        tenancy.add_project(tx.connection, organization.id, project)
    tx.emit(NewEvent(kind=EventKind.PROJECT_CREATED, at=now, project_id=project.id, detail=project.handle))
    place = Place(project_id=project.id)
    audit(tx, subject, "project.create", project.handle, now, after=_names(project), at=place)
    project_admins.put_creator_in(tx, subject, project, now)
    return project


def create_integration(
    tx: Transaction, subject: Subject, project_handle: str, naming: Naming, runtime_type: RuntimeType, *, now: Instant
) -> Integration:
    """Create an integration in a project.

    Raises: NotPermitted, NotFound, Conflict
    """
    project = find_project(tx.connection, subject, project_handle)
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
    with _unless_taken("integration", naming.handle):
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
    after = {**_names(integration), "runtimeType": runtime_type.value}
    place = Place(project_id=project.id, integration_id=integration.id)
    audit(tx, subject, "integration.create", f"{project.handle}/{integration.handle}", now, after=after, at=place)
    return integration


def update_project(
    tx: Transaction, subject: Subject, handle: str, *, display_name: str | None, description: str | None, now: Instant
) -> Project:
    """Change a project's names; None leaves one as it is. The group of its admins follows.

    Raises: NotPermitted, NotFound, InvalidInput
    """
    found = find_project(tx.connection, subject, handle)
    place = Place(project_id=found.id)
    require(subject, Permission.PROJECT_MGT_EDIT, at=place)
    naming = _renamed(found, display_name, description)
    project = msgspec.structs.replace(found, display_name=naming.display_name, description=naming.description)
    before, after = changed(_names(found), _names(project))
    if not after:
        return found
    tenancy.change_project(tx.connection, project)
    tx.emit(NewEvent(kind=EventKind.PROJECT_CHANGED, at=now, project_id=project.id, detail=handle))
    audit(tx, subject, "project.update", handle, now, before=before, after=after, at=place)
    if "displayName" in after:
        project_admins.follow_name(tx, subject, project, found.display_name, now)
    return project


def update_integration(
    tx: Transaction,
    subject: Subject,
    project: str,
    handle: str,
    *,
    display_name: str | None,
    description: str | None,
    now: Instant,
) -> Integration:
    """Change an integration's names; None leaves one as it is.

    Raises: NotPermitted, NotFound, InvalidInput
    """
    found = find_integration(tx.connection, subject, project, handle)
    place = Place(project_id=found.project_id, integration_id=found.id)
    require(subject, Permission.INTEGRATION_MGT_EDIT, at=place)
    naming = _renamed(found, display_name, description)
    integration = msgspec.structs.replace(found, display_name=naming.display_name, description=naming.description)
    before, after = changed(_names(found), _names(integration))
    if not after:
        return found
    tenancy.change_integration(tx.connection, integration)
    name = f"{found.project_handle}/{found.handle}"
    tx.emit(
        NewEvent(
            kind=EventKind.INTEGRATION_CHANGED,
            at=now,
            project_id=found.project_id,
            integration_id=found.id,
            detail=name,
        )
    )
    audit(tx, subject, "integration.update", name, now, before=before, after=after, at=place)
    return integration


def update_environment(
    tx: Transaction, subject: Subject, handle: str, *, display_name: str | None, critical: bool | None, now: Instant
) -> Environment:
    """Change an environment; None leaves a thing as it is.

    Whoever changes whether it is critical must be allowed to manage both what it was and what it becomes.
    Raises: NotPermitted, NotFound, InvalidInput
    """
    found = find_environment(tx.connection, subject, handle)
    becomes = found.critical if critical is None else critical
    require_environment(subject, found.id, critical=found.critical or becomes)
    name = check_naming(found.display_name if display_name is None else display_name, found.handle).display_name
    environment = msgspec.structs.replace(found, display_name=name, critical=becomes)
    before, after = changed(
        {"displayName": found.display_name, "critical": found.critical}, {"displayName": name, "critical": becomes}
    )
    if not after:
        return found
    tenancy.change_environment(tx.connection, environment)
    tx.emit(NewEvent(kind=EventKind.ENVIRONMENT_CHANGED, at=now, environment_id=found.id, detail=handle))
    place = Place(environment_id=found.id)
    audit(tx, subject, "environment.update", handle, now, before=before, after=after, at=place)
    return environment


def find_project(connection: Connection, subject: Subject, handle: str) -> Project:
    """Find a project that somebody may see.

    Raises: NotFound
    """
    found = tenancy.find_project(connection, handle, reach(subject, Permission.PROJECT_MGT_VIEW))
    if found is None:
        raise project_not_found(handle)
    return found


def find_integration(connection: Connection, subject: Subject, project: str, handle: str) -> Integration:
    """Find an integration that somebody may see.

    Raises: NotFound
    """
    found = tenancy.find_integration(connection, project, handle, reach(subject, Permission.INTEGRATION_MGT_VIEW))
    if found is None:
        raise integration_not_found(project, handle)
    return found


def find_environment(connection: Connection, subject: Subject, handle: str) -> Environment:
    """Find an environment that somebody may see.

    Raises: NotFound
    """
    found = tenancy.find_environment(connection, handle, reach(subject, Permission.SIGNED_IN))
    if found is None:
        raise environment_not_found(handle)
    return found


def handle_availability(
    connection: Connection, subject: Subject, kind: HandleKind, handle: str, project: str | None
) -> Availability:
    """Tell whether a handle is free, and if not, which close one is; in a project that one does not see, all are.

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
    seen = reach(subject, Permission.PROJECT_MGT_VIEW)
    if project is not None and tenancy.find_project(connection, project, seen) is None:
        return Availability(handle=handle, available=True)
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


@contextmanager
def _unless_taken(kind: str, handle: str) -> Generator[None]:
    """Say that a handle is taken when another process took it after it was found free."""
    try:
        yield
    except HandleTaken:
        raise _taken(kind, handle) from None


def _renamed(found: Project | Integration, display_name: str | None, description: str | None) -> Naming:
    return check_naming(
        found.display_name if display_name is None else display_name,
        found.handle,
        found.description if description is None else description,
    )


def _names(named: Project | Integration) -> dict[str, str]:
    return {"displayName": named.display_name, "description": named.description}


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
