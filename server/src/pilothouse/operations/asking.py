"""How something is asked of one runtime once: who may, of whom it can be, the command for it, and its entry in the audit."""

from collections.abc import Callable

from pilothouse.access.grants import Subject, require
from pilothouse.access.permissions import Permission
from pilothouse.base.errors import Conflict, NotFound
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.domain.commands import Command, CommandAction, can
from pilothouse.domain.steering import Target
from pilothouse.operations.audit import audit
from pilothouse.operations.reconciling import queue
from pilothouse.operations.seeing import find_runtime, place_of
from pilothouse.operations.steering import check_confirmation
from pilothouse.storage import commands
from pilothouse.storage.commands import SteeredRuntime
from pilothouse.storage.unit import Transaction

IsRunning = Callable[[int], bool]


class RuntimeNotRunning(Conflict):
    """The runtime is not running: nothing can be asked of it now."""

    code = "RUNTIME_NOT_RUNNING"


class CapabilityMissing(Conflict):
    """The runtime did not say that it can do this."""

    code = "CAPABILITY_MISSING"


def find_to_ask(
    tx: Transaction,
    subject: Subject,
    id: str,  # noqa: A002
    permission: Permission,
    confirm: str | None,
    is_running: IsRunning,
    *,
    is_change: bool = True,
) -> SteeredRuntime:
    """Find a runtime that runs, for somebody who may; a change in a critical environment is confirmed.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict
    """
    row, place = find_runtime(tx.connection, subject, id)
    require(subject, permission, at=place)
    runtime = commands.find_steered(tx.connection, row.key)
    if runtime is None:
        raise NotFound("The runtime was retired.", field="id", fix="Look at the list of runtimes.")
    if is_change:
        check_confirmation(row.environment_handle, critical=row.environment_critical, confirm=confirm)
    require_running(runtime, is_running)
    return runtime


def require_running(runtime: SteeredRuntime, is_running: IsRunning) -> None:
    """Refuse to ask one that does not run.

    Raises: RuntimeNotRunning
    """
    if not is_running(runtime.key):
        raise RuntimeNotRunning(
            f"The runtime {runtime.name or runtime.runtime_id} is not running.", fix="Try again when it is back."
        )


def require_capability(runtime: SteeredRuntime, action: CommandAction) -> None:
    """Refuse what a runtime does not know.

    Raises: CapabilityMissing
    """
    if not can(runtime.runtime_type, runtime.document.capabilities, action):
        raise CapabilityMissing(
            f"The runtime {runtime.name or runtime.runtime_id} did not declare that it knows {action.value}.",
            fix="Update its bridge; a program without a supervisor may have switched restarts off."
            if action is CommandAction.RESTART
            else "Update its bridge, or ask a runtime of another type.",
        )


def asked_once(
    runtime: SteeredRuntime,
    action: CommandAction,
    subject: Subject,
    now: Instant,
    within_s: float,
    *,
    target: Target | None = None,
    value: str | None = None,
    payload: str | None = None,
) -> Command:
    """Make a command that serves no wish: it is tried once, unless it only reads."""
    return Command(
        id=new_id(),
        runtime_key=runtime.key,
        action=action,
        kind=None if target is None else target.kind,
        name="" if target is None else target.name,
        package="" if target is None else target.package,
        aspect=None if target is None else target.aspect,
        value=value,
        payload=payload,
        author=subject.username,
        reason="It waits for the runtime's next heartbeat, or for its channel.",
        queued_at=now,
        deadline=now + within_s,
    )


def queue_asked(
    tx: Transaction, subject: Subject, runtime: SteeredRuntime, command: Command, what: str, now: Instant
) -> Command:
    """Queue what somebody asked for, and note in the audit that they did."""
    queue(tx, runtime, [command], now)
    told = f"{runtime.name or runtime.runtime_id} {what}".strip()
    audit(tx, subject, f"command.{command.action.value}", told, now, at=place_of(runtime))
    return command
