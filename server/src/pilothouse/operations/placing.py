"""Where a heartbeat belongs: environment, project, integration; created and bound by the first one that a secret signs.

Source: reference/runtime-protocol.md section 3.
"""

import msgspec

from pilothouse.access.places import Place
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.domain.audit import AuditRecord
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.domain.handles import handle_from_name
from pilothouse.domain.heartbeat import FullHeartbeat
from pilothouse.domain.refusals import (
    EnvironmentMismatch,
    EnvironmentUnknown,
    IntegrationNameInvalid,
    KeyUnknown,
    PlaceUnknown,
    ProjectNameInvalid,
    TypeMismatch,
)
from pilothouse.domain.runtime import Notice, warn_of_names
from pilothouse.domain.secrets import Binding, SecretFacts
from pilothouse.domain.tenancy import Environment, Integration, Project
from pilothouse.storage import audit as records
from pilothouse.storage import secrets, tenancy
from pilothouse.storage.unit import Transaction


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Where a heartbeat was found to belong."""

    key_id: str
    environment_id: str
    binding: Binding
    notice: Notice | None


def place(
    tx: Transaction, sender: SecretFacts, heartbeat: FullHeartbeat, now: Instant, *, may_create: bool = True
) -> Placement:
    """Find the home of a heartbeat, or make it if heartbeats may.

    Raises: RuntimeRefused; then nothing was made
    """
    _check_environment(tx, sender, heartbeat.environment)
    facts = sender if sender.binding is not None else _read_again(tx, sender.key_id, now)
    binding = facts.binding if facts.binding is not None else _bind(tx, facts, heartbeat, now, may_create)
    place_name = f"{binding.project_handle}/{binding.integration_handle}"
    if binding.runtime_type is not heartbeat.runtime_type:
        raise TypeMismatch(heartbeat.runtime_type, binding.runtime_type, place_name)
    return Placement(
        key_id=facts.key_id,
        environment_id=facts.environment_id,
        binding=binding,
        notice=warn_of_names(
            (binding.project_handle, binding.integration_handle),
            (handle_from_name(heartbeat.project), handle_from_name(heartbeat.integration)),
        ),
    )


def _check_environment(tx: Transaction, sender: SecretFacts, told: str) -> None:
    """Refuse a heartbeat that means another environment than its secret: by handle, or by its display name turned into one.

    The secret's own comes first: a new environment that is called as this one is shown must not stop a fleet.
    """
    handle = handle_from_name(told)
    if handle == sender.environment_handle:
        return
    meant = [row for row in tenancy.all_environments(tx.connection) if handle in _names(row)] if handle else []
    if any(row.id == sender.environment_id for row in meant):
        return
    if len(meant) == 1 or any(row.handle == handle for row in meant):
        raise EnvironmentMismatch(told[:80], sender.environment_handle)
    raise EnvironmentUnknown(told[:80], sender.environment_handle)


def _names(environment: Environment) -> tuple[str | None, ...]:
    return environment.handle, handle_from_name(environment.display_name)


def _read_again(tx: Transaction, key_id: str, now: Instant) -> SecretFacts:
    """Read the secret inside of the transaction: another first heartbeat may have bound it meanwhile."""
    found = secrets.find(tx.connection, key_id)
    if found is None or found[1] is None or found[0].life.usable_until <= now:
        raise KeyUnknown(key_id)
    return found[0]


def _bind(tx: Transaction, sender: SecretFacts, heartbeat: FullHeartbeat, now: Instant, may_create: bool) -> Binding:
    project_handle = handle_from_name(heartbeat.project)
    if project_handle is None:
        raise ProjectNameInvalid(heartbeat.project)
    integration_handle = handle_from_name(heartbeat.integration)
    if integration_handle is None:
        raise IntegrationNameInvalid(heartbeat.integration)
    integration = tenancy.find_integration(tx.connection, project_handle, integration_handle)
    if integration is None:
        if not may_create:
            raise PlaceUnknown(project_handle, integration_handle)
        project = tenancy.find_project(tx.connection, project_handle) or _announce_project(
            tx, sender, project_handle, now
        )
        integration = _announce_integration(tx, sender, project, integration_handle, heartbeat, now)
    elif integration.runtime_type is not heartbeat.runtime_type:
        raise TypeMismatch(heartbeat.runtime_type, integration.runtime_type, f"{project_handle}/{integration_handle}")
    secrets.bind(tx.connection, sender.key_id, integration.id, now)
    tx.emit(
        NewEvent(
            kind=EventKind.SECRET_BOUND,
            at=now,
            key_id=sender.key_id,
            environment_id=sender.environment_id,
            project_id=integration.project_id,
            integration_id=integration.id,
            detail=f"{project_handle}/{integration_handle}",
        )
    )
    at = Place(project_id=integration.project_id, integration_id=integration.id, environment_id=sender.environment_id)
    _audit(tx, sender, "secret.bind", f"{project_handle}/{integration_handle}", now, at)
    return Binding(
        project_id=integration.project_id,
        integration_id=integration.id,
        project_handle=project_handle,
        integration_handle=integration_handle,
        runtime_type=integration.runtime_type,
    )


def _announce_project(tx: Transaction, sender: SecretFacts, handle: str, now: Instant) -> Project:
    project = Project(
        id=new_id(),
        handle=handle,
        display_name=handle,
        description="",
        created_at=now,
        created_by=f"secret {sender.key_id}",
    )
    tenancy.add_project(tx.connection, sender.organization_id, project)
    tx.emit(
        NewEvent(kind=EventKind.PROJECT_CREATED, at=now, project_id=project.id, key_id=sender.key_id, detail=handle)
    )
    _audit(tx, sender, "project.create", handle, now, Place(project_id=project.id))
    return project


def _announce_integration(
    tx: Transaction, sender: SecretFacts, project: Project, handle: str, heartbeat: FullHeartbeat, now: Instant
) -> Integration:
    integration = Integration(
        id=new_id(),
        handle=handle,
        display_name=handle,
        description="",
        runtime_type=heartbeat.runtime_type,
        project_id=project.id,
        project_handle=project.handle,
        project_display_name=project.display_name,
        created_at=now,
        created_by=f"secret {sender.key_id}",
    )
    tenancy.add_integration(tx.connection, sender.organization_id, integration)
    tx.emit(
        NewEvent(
            kind=EventKind.INTEGRATION_CREATED,
            at=now,
            project_id=project.id,
            integration_id=integration.id,
            key_id=sender.key_id,
            detail=f"{project.handle}/{handle}",
        )
    )
    at = Place(project_id=project.id, integration_id=integration.id)
    _audit(tx, sender, "integration.create", f"{project.handle}/{handle}", now, at)
    return integration


def _audit(tx: Transaction, sender: SecretFacts, action: str, target: str, now: Instant, at: Place) -> None:
    records.append(
        tx.connection,
        AuditRecord(
            at=now,
            organization_id=sender.organization_id,
            actor=f"secret:{sender.key_id}",
            via="heartbeat",
            action=action,
            target=target,
            credential_id=sender.key_id,
            project_id=at.project_id,
            integration_id=at.integration_id,
            environment_id=at.environment_id,
            detail=f"by the first heartbeat that this secret signed; it was generated by {sender.created_by}",
        ),
    )
