"""Deleting projects, integrations and environments: what hangs on them is told first, and goes only when that is confirmed."""

from collections.abc import Callable
from typing import Any

import msgspec

from pilothouse.access.grants import Place, Subject, require, require_environment
from pilothouse.access.permissions import Permission
from pilothouse.base.errors import Conflict, InvalidInput, NotFound
from pilothouse.base.instants import Instant
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.operations import project_admins
from pilothouse.operations.audit import audit
from pilothouse.operations.steering import ConfirmationNeeded, check_confirmation
from pilothouse.operations.tenancy import HandleKind, find_environment, find_integration, find_project
from pilothouse.storage import deleting
from pilothouse.storage.deleting import Hanging
from pilothouse.storage.unit import Connection, Transaction

_NAMED_MAX = 1_000
"""Key ids, and role mappings, that the audit record of a deletion names."""
_DELETED = {
    HandleKind.PROJECT: EventKind.PROJECT_DELETED,
    HandleKind.INTEGRATION: EventKind.INTEGRATION_DELETED,
    HandleKind.ENVIRONMENT: EventKind.ENVIRONMENT_DELETED,
}


class InUse(Conflict):
    """Something hangs on it."""

    code = "IN_USE"


class Deletion(msgspec.Struct, frozen=True, kw_only=True):
    """What hangs on something that is to be deleted, or what was deleted with it."""

    kind: HandleKind
    handle: str
    deleted: bool
    integrations: int
    runtimes: int
    running_runtimes: int
    secrets: int
    desired_states: int
    role_mappings: int
    groups: int
    message: str


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be deleted."""

    kind: HandleKind
    handle: str
    name: str
    """As events and audit records name it."""
    place: Place
    critical: bool = False
    before: dict[str, Any]  # Any: JSON values


def preview(
    connection: Connection,
    subject: Subject,
    kind: HandleKind,
    handle: str,
    project: str | None,
    *,
    is_running: Callable[[int], bool],
    now: Instant,
) -> Deletion | None:
    """Tell what hangs on something, to who may delete it; None when there is no such thing.

    Raises: NotPermitted, InvalidInput when an integration's project is not named
    """
    try:
        found = _find(connection, subject, kind, handle, project)
    except NotFound:
        return None
    hanging = deleting.hanging_on(connection, found.place, now)
    return _told(found, hanging, is_running, deleted=False)


def delete(
    tx: Transaction,
    subject: Subject,
    kind: HandleKind,
    handle: str,
    project: str | None = None,
    *,
    cascade: bool,
    confirm: str | None,
    is_running: Callable[[int], bool],
    now: Instant,
) -> Deletion:
    """Delete something; with `cascade`, and its handle to confirm it, everything that hangs on it too.

    Raises: NotPermitted, NotFound, ConfirmationNeeded, InUse, Conflict for the last environment
    """
    found = _find(tx.connection, subject, kind, handle, project)
    check_confirmation(found.handle, critical=found.critical, confirm=confirm)
    if kind is HandleKind.ENVIRONMENT and deleting.count_environments(tx.connection) <= 1:
        raise Conflict(
            f"'{handle}' is the last environment: runtimes could live nowhere.",
            field="handle",
            fix="Create another environment first, or rename this one.",
        )
    hanging = deleting.hanging_on(tx.connection, found.place, now)
    told = _told(found, hanging, is_running, deleted=True)
    if hanging.is_anything:
        _require_cascade(found, hanging, is_running, cascade=cascade)
        _require_contents(subject, found, hanging)
    if cascade and confirm != found.handle:
        raise ConfirmationNeeded(
            f"What hangs on '{found.handle}' is deleted with it, for good.",
            field="confirm",
            fix=f'Confirm with `confirm: "{found.handle}"`.',
        )
    lost = deleting.list_mappings(tx.connection, found.place, _NAMED_MAX)
    deleting.remove(tx.connection, found.place, hanging)
    _tell(tx, found, hanging, now)
    shown = [secret.key_id for secret in hanging.secrets if not secret.revoked]
    before = {
        **found.before,
        "integrations": [name for _, name in hanging.integrations],
        "groups": [name for _, name in hanging.groups],
        "runtimes": told.runtimes,
        "secrets": shown[:_NAMED_MAX],
        "ingestTokens": hanging.ingest_tokens,
        "desiredStates": told.desired_states,
        "roleMappings": lost,
    }
    audit(tx, subject, f"{kind.value}.delete", found.name, now, told.message, before=before, at=found.place)
    return told


def _find(connection: Connection, subject: Subject, kind: HandleKind, handle: str, project: str | None) -> _Found:
    """Find what somebody may see, and refuse who may not delete it.

    Raises: NotFound, NotPermitted, InvalidInput
    """
    if kind is HandleKind.PROJECT:
        row = find_project(connection, subject, handle)
        place = Place(project_id=row.id)
        require(subject, Permission.PROJECT_MGT_MANAGE, at=place)
        before = {"displayName": row.display_name, "description": row.description}
        return _Found(kind=kind, handle=handle, name=handle, place=place, before=before)
    if kind is HandleKind.ENVIRONMENT:
        where = find_environment(connection, subject, handle)
        require_environment(subject, where.id, critical=where.critical)
        return _Found(
            kind=kind,
            handle=handle,
            name=handle,
            place=Place(environment_id=where.id),
            critical=where.critical,
            before={"displayName": where.display_name, "critical": where.critical},
        )
    if project is None:
        raise InvalidInput(
            "An integration's handle is unique within its project, which is not named.",
            field="project",
            fix="Name the project's handle.",
        )
    found = find_integration(connection, subject, project, handle)
    place = Place(project_id=found.project_id, integration_id=found.id)
    require(subject, Permission.INTEGRATION_MGT_MANAGE, at=place)
    return _Found(
        kind=kind,
        handle=handle,
        name=f"{project}/{handle}",
        place=place,
        before={
            "displayName": found.display_name,
            "description": found.description,
            "runtimeType": found.runtime_type.value,
        },
    )


def _require_cascade(found: _Found, hanging: Hanging, is_running: Callable[[int], bool], *, cascade: bool) -> None:
    if not cascade:
        raise InUse(
            _told(found, hanging, is_running, deleted=False).message,
            field="cascade",
            fix=f'Delete that first, or all of it at once with `cascade: true, confirm: "{found.handle}"`.',
        )


def _require_contents(subject: Subject, found: _Found, hanging: Hanging) -> None:
    """Refuse who might not delete one by one what would go at once."""
    if hanging.integrations or hanging.runtimes_shown or hanging.desired_states:
        require(subject, Permission.INTEGRATION_MGT_MANAGE, at=found.place)


def _tell(tx: Transaction, found: _Found, hanging: Hanging, now: Instant) -> None:
    """Let it be known what is gone: the board, the agenda and the keys follow these events after the commit."""
    for runtime in hanging.runtimes:
        tx.emit(
            NewEvent(
                kind=EventKind.RUNTIME_REMOVED,
                at=now,
                runtime_key=runtime.key,
                environment_id=runtime.environment_id,
                project_id=runtime.project_id,
                integration_id=runtime.integration_id,
                key_id=runtime.key_id,
                detail=runtime.id,
            )
        )
    for secret in hanging.secrets:
        if secret.revoked:
            continue
        tx.emit(
            NewEvent(
                kind=EventKind.SECRET_REVOKED,
                at=now,
                environment_id=secret.environment_id,
                project_id=secret.project_id,
                integration_id=secret.integration_id,
                key_id=secret.key_id,
                detail=f"it was deleted with the {found.kind.value} {found.name}",
            )
        )
    for id_, handle in hanging.integrations:
        tx.emit(
            NewEvent(
                kind=EventKind.INTEGRATION_DELETED,
                at=now,
                project_id=found.place.project_id,
                integration_id=id_,
                detail=f"{found.handle}/{handle}",
            )
        )
    tx.emit(
        NewEvent(
            kind=_DELETED[found.kind],
            at=now,
            project_id=found.place.project_id,
            integration_id=found.place.integration_id,
            environment_id=found.place.environment_id,
            detail=found.name,
        )
    )
    if hanging.groups or hanging.role_mappings:
        project_admins.tell(tx, now, found.name)


def _told(found: _Found, hanging: Hanging, is_running: Callable[[int], bool], *, deleted: bool) -> Deletion:
    running = sum(not runtime.retired and is_running(runtime.key) for runtime in hanging.runtimes)
    counts = (
        (len(hanging.integrations), "integration"),
        (hanging.runtimes_shown, "runtime"),
        (hanging.secrets_shown, "secret"),
        (hanging.ingest_tokens, "ingest token"),
        (hanging.desired_states, "desired state"),
        (hanging.role_mappings, "role mapping"),
    )
    parts = [f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts if count]
    if running:
        of_runtimes = next(number for number, part in enumerate(parts) if " runtime" in part)
        parts[of_runtimes] += f" ({running} running)"
    what = " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)
    named = f"The {found.kind.value} '{found.handle}'"
    if deleted:
        message = f"{named} was deleted{f' with {what}' if what else ''}."
    elif what:
        message = f"{named} is in use: {what} hang{'s' if len(parts) == 1 and parts[0].startswith('1 ') else ''} on it."
    else:
        message = f"Nothing hangs on the {found.kind.value} '{found.handle}'."
    return Deletion(
        kind=found.kind,
        handle=found.handle,
        deleted=deleted,
        integrations=len(hanging.integrations),
        runtimes=hanging.runtimes_shown,
        running_runtimes=running,
        secrets=hanging.secrets_shown,
        desired_states=hanging.desired_states,
        role_mappings=hanging.role_mappings,
        groups=len(hanging.groups),
        message=message,
    )
