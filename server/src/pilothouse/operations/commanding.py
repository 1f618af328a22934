"""What people ask of one runtime once: run a job, restart, answer a question, try again; and its removal."""

from enum import StrEnum, unique
from typing import Final

import msgspec

from pilothouse.access.grants import Subject, reach, require
from pilothouse.access.permissions import Permission
from pilothouse.base.errors import Conflict, InvalidInput, NotFound
from pilothouse.base.instants import Instant
from pilothouse.domain.artifacts.template import Template
from pilothouse.domain.commands import (
    READ_DEADLINE_S,
    RESTART_DEADLINE_S,
    SEALED,
    STANDARD_RULES,
    USER_CHANGES,
    WRITE_DEADLINE_S,
    Command,
    CommandAction,
    CommandRules,
    CommandState,
)
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.domain.runtime import RuntimeRow
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.steering import TRIGGERABLE, Aspect, SteerableKind, observe
from pilothouse.operations.asking import (
    CapabilityMissing,
    IsRunning,
    asked_once,
    find_to_ask,
    queue_asked,
    require_capability,
    require_running,
)
from pilothouse.operations.audit import audit
from pilothouse.operations.reconciling import ArtifactReader, begin, queue
from pilothouse.operations.seeing import find_runtime, place_of
from pilothouse.storage import commands, desired, runtime_rows, runtimes
from pilothouse.storage.commands import SteeredRuntime
from pilothouse.storage.desired import Place
from pilothouse.storage.unit import Transaction


@unique
class Question(StrEnum):
    """What can be asked."""

    LOGGERS = "loggers"
    SOURCE = "source"
    LOG_FILES = "log-files"
    LOG_FILE = "log-file"
    REGISTRY = "registry"
    REGISTRY_FILE = "registry-file"
    REGISTRY_PROPERTIES = "registry-properties"
    USERS = "users"


_ASKS: Final = {
    Question.LOGGERS: CommandAction.LIST_LOGGERS,
    Question.SOURCE: CommandAction.READ_SOURCE,
    Question.LOG_FILES: CommandAction.LIST_LOG_FILES,
    Question.LOG_FILE: CommandAction.READ_LOG_FILE,
    Question.REGISTRY: CommandAction.LIST_REGISTRY,
    Question.REGISTRY_FILE: CommandAction.READ_REGISTRY_FILE,
    Question.REGISTRY_PROPERTIES: CommandAction.REGISTRY_PROPERTIES,
    Question.USERS: CommandAction.LIST_USERS,
}
ANSWER_NEEDS: Final = {
    CommandAction.READ_LOG_FILE: Permission.OBSERVABILITY_MGT_VIEW_LOGS,
    CommandAction.LIST_USERS: Permission.INTEGRATION_MGT_EDIT,
}
"""What asking this, and seeing the answer that somebody else got, needs besides seeing the integration."""
NAME_NEEDS: Final = dict.fromkeys(USER_CHANGES, Permission.INTEGRATION_MGT_EDIT)
"""What seeing whom this is about needs: users are listed to nobody else."""


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """What the removal of a runtime left."""

    row: RuntimeRow
    orphaned_key_id: str | None


def trigger(
    tx: Transaction,
    subject: Subject,
    id: str,  # noqa: A002
    *,
    kind: SteerableKind,
    name: str,
    package: str | None,
    confirm: str | None,
    is_running: IsRunning,
    now: Instant,
    rules: CommandRules = STANDARD_RULES,
) -> Command:
    """Run a job once, now.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict
    """
    runtime = find_to_ask(tx, subject, id, Permission.INTEGRATION_MGT_EDIT, confirm, is_running)
    if TRIGGERABLE.get(runtime.runtime_type) is not kind:
        raise InvalidInput(
            f"A {kind.value} of a runtime of type {runtime.runtime_type.value} cannot be run once.",
            field="kind",
            fix="Tasks of Micro Integrator and schedules of Python runtimes can.",
        )
    require_capability(runtime, CommandAction.TRIGGER)
    artifacts = ArtifactReader(tx.connection).read(runtime.artifact_digest)
    hosted = observe(runtime.runtime_type, artifacts, {}).values
    found = [
        target
        for target in hosted
        if (target.kind, target.name, target.aspect) == (kind, name, Aspect.STATE) and package in {None, target.package}
    ]
    if not found:
        raise NotFound(
            f"The runtime hosts no {kind.value} '{name[:100]}'.", field="name", fix="Look at what it reports."
        )
    command = asked_once(runtime, CommandAction.TRIGGER, subject, now, rules.write_deadline_s, target=found[0])
    return queue_asked(tx, subject, runtime, command, f"{kind.value} {name}", now)


def restart(
    tx: Transaction,
    subject: Subject,
    id: str,  # noqa: A002
    *,
    confirm: str | None,
    is_running: IsRunning,
    now: Instant,
) -> Command:
    """Restart a Python runtime.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict
    """
    runtime = find_to_ask(tx, subject, id, Permission.INTEGRATION_MGT_EDIT, confirm, is_running)
    require_capability(runtime, CommandAction.RESTART)
    command = asked_once(runtime, CommandAction.RESTART, subject, now, RESTART_DEADLINE_S, value=runtime.process)
    return queue_asked(tx, subject, runtime, command, "", now)


def ask(
    tx: Transaction,
    subject: Subject,
    id: str,  # noqa: A002
    question: Question,
    *,
    kind: str | None,
    name: str | None,
    is_running: IsRunning,
    now: Instant,
) -> Command:
    """Ask a runtime something that heartbeats do not carry.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict
    """
    runtime = find_to_ask(tx, subject, id, Permission.INTEGRATION_MGT_VIEW, None, is_running, is_change=False)
    action = _ASKS[question]
    if action in ANSWER_NEEDS:
        require(subject, ANSWER_NEEDS[action], at=place_of(runtime))
    if runtime.runtime_type is not RuntimeType.MI and question is not Question.LOGGERS:
        raise CapabilityMissing(
            f"Runtimes of type {runtime.runtime_type.value} do not answer that.", fix="Only Micro Integrator does."
        )
    require_capability(runtime, action)
    if question is Question.SOURCE and not (kind and name):
        raise InvalidInput("Which artifact?", field="name", fix="Give `kind` and `name`.")
    asked = {"kind": kind, "name": name, "type": _template_type(tx, runtime, kind, name)}
    payload = msgspec.json.encode(asked).decode()
    command = asked_once(runtime, action, subject, now, READ_DEADLINE_S, payload=payload)
    queue(tx, runtime, [command], now)
    return command


def _template_type(tx: Transaction, runtime: SteeredRuntime, kind: str | None, name: str | None) -> str | None:
    """Tell what sort of template bears a name: it cannot be read without."""
    if kind != str(Template.__struct_config__.tag):
        return None
    artifacts = ArtifactReader(tx.connection).read(runtime.artifact_digest)
    return next((each.template_type for each in artifacts.all(Template) if each.name == name), None)


def retry(tx: Transaction, subject: Subject, id: str, *, is_running: IsRunning, now: Instant) -> Command:  # noqa: A002
    """Try a command once more that failed or expired, as a new command.

    Raises: NotPermitted, NotFound, Conflict
    """
    old = commands.find(tx.connection, id)
    runtime = None if old is None else commands.find_steered(tx.connection, old.runtime_key)
    seen = (
        runtime_rows.find_row(tx.connection, reach(subject, Permission.INTEGRATION_MGT_VIEW), runtime.id)
        if runtime
        else None
    )
    if old is None or runtime is None or seen is None:
        raise NotFound("There is no such command.", field="id", fix="Look at the runtime's commands.")
    needed = (
        Permission.WORKFLOW_MGT_MANAGE_WORKFLOWS
        if old.action is CommandAction.WORKFLOW
        else Permission.INTEGRATION_MGT_EDIT
    )
    require(subject, needed, at=place_of(seen))
    if old.state not in {CommandState.FAILED, CommandState.EXPIRED}:
        raise Conflict(
            f"The command is {old.state.value}.", field="id", fix="Only what failed or expired can be tried again."
        )
    if old.action in SEALED:
        raise Conflict(
            "What it was told in secret was wiped when it ended.", field="id", fix="Ask for it anew, with the password."
        )
    require_running(runtime, is_running)
    if old.wish_number is None:
        if seen.environment_critical and not old.is_read:
            raise Conflict(
                f"'{seen.environment_handle}' is a critical environment: what was asked once is not repeated unasked.",
                field="id",
                fix="Ask for it anew, and confirm it.",
            )
        spent_s = WRITE_DEADLINE_S if old.deadline is None else old.deadline - old.queued_at
        again = asked_once(
            runtime, old.action, subject, now, spent_s, target=old.target, value=old.value, payload=old.payload
        )
        if old.action in USER_CHANGES:
            again = msgspec.structs.replace(again, name=old.name)
        if old.action is CommandAction.RESTART:
            again = msgspec.structs.replace(again, value=runtime.process)
        return queue_asked(tx, subject, runtime, again, "again", now)
    target = old.target
    place = Place(runtime.integration_id, runtime.environment_id)
    wish = None if target is None else desired.find(tx.connection, place, target)
    if wish is None or wish.number != old.wish_number:
        raise Conflict(
            "Something else is desired by now.",
            field="id",
            fix="Change the desired state instead of trying this again.",
        )
    if any(command.is_open and command.wish_number == wish.number for command in _relevant(tx, runtime)):
        raise Conflict("It is being tried again already.", field="id", fix="Wait for its outcome.")
    (again,) = begin(tx, runtime, [wish], now)
    told = f"{runtime.name or runtime.runtime_id}: {old.action.value} {old.name}"
    audit(tx, subject, "command.retry", told, now, at=place_of(seen))
    return again


def remove(tx: Transaction, subject: Subject, id: str, *, now: Instant) -> Removed:  # noqa: A002
    """Remove a runtime with all that is known of it.

    Raises: NotPermitted, NotFound
    """
    row, place = find_runtime(tx.connection, subject, id)
    require(subject, Permission.INTEGRATION_MGT_MANAGE, at=place)
    runtimes.remove(tx.connection, row.key)
    tx.emit(
        NewEvent(
            kind=EventKind.RUNTIME_REMOVED,
            at=now,
            runtime_key=row.key,
            environment_id=row.environment_id,
            project_id=row.project_id,
            integration_id=row.integration_id,
            key_id=row.key_id,
            detail=row.id,
        )
    )
    audit(tx, subject, "runtime.remove", f"{row.name or row.runtime_id} ({row.runtime_id})", now, at=place)
    orphaned = row.key_id is not None and not runtimes.is_key_used(tx.connection, row.key_id)
    return Removed(row=row, orphaned_key_id=row.key_id if orphaned else None)


def _relevant(tx: Transaction, runtime: SteeredRuntime) -> list[Command]:
    return commands.list_relevant(tx.connection, runtime.key)
