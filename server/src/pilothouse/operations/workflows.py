"""Operations on workflows, which a Ballerina runtime carries out: which there are, and sending one."""

from typing import Final

import msgspec

from pilothouse.access.grants import Subject, require
from pilothouse.access.permissions import Permission
from pilothouse.base.errors import InvalidInput
from pilothouse.base.instants import Instant
from pilothouse.domain.commands import (
    READ_DEADLINE_S,
    WORKFLOW_CAPABILITY,
    WORKFLOW_WRITE_DEADLINE_S,
    Command,
    CommandAction,
    can,
)
from pilothouse.operations.asking import CapabilityMissing, IsRunning, asked_once, queue_asked
from pilothouse.operations.seeing import find_place
from pilothouse.operations.steering import Where, check_confirmation
from pilothouse.storage import commands
from pilothouse.storage.unit import Transaction

PARAMS_LENGTH_MAX: Final = 65_536
_READS: Final = frozenset(
    {
        "definitions.list",
        "humanTasks.get",
        "humanTasks.list",
        "humanTasks.pendingCount",
        "instances.activityTree",
        "instances.executionGraph",
        "instances.get",
        "instances.history",
        "instances.list",
        "instances.resetPoints",
        "reviewActivities.get",
        "reviewActivities.list",
        "workItems.list",
    }
)
_WRITES: Final = frozenset(
    {
        "humanTasks.complete",
        "humanTasks.fail",
        "instances.cancel",
        "instances.reset",
        "instances.resume",
        "instances.start",
        "instances.suspend",
        "instances.terminate",
        "instances.wake",
        "reviewActivities.bulkRetry",
        "reviewActivities.decide",
        "tasks.extendDeadline",
        "tasks.reassign",
    }
)
"""Source: reference/runtime-protocol.md section 6.7."""


def run(
    tx: Transaction,
    subject: Subject,
    where: Where,
    operation: str,
    params: str,
    *,
    is_running: IsRunning,
    now: Instant,
) -> Command:
    """Send a workflow operation to a Ballerina runtime that can carry it out.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict
    """
    integration, environment, place = find_place(
        tx.connection, subject, where.project, where.integration, where.environment
    )
    is_read = operation in _READS
    if not is_read and operation not in _WRITES:
        known = ", ".join(sorted(_READS | _WRITES))
        raise InvalidInput(f"'{operation[:60]}' is no workflow operation.", field="operation", fix=f"One of {known}.")
    document = _json_object(params)
    needed = Permission.WORKFLOW_MGT_VIEW_WORKFLOWS if is_read else Permission.WORKFLOW_MGT_MANAGE_WORKFLOWS
    require(subject, needed, at=place)
    if not is_read:
        check_confirmation(environment.handle, critical=environment.critical, confirm=where.confirm)
    runtime = next(
        (
            each
            for each in commands.list_steered(tx.connection, integration.id, environment.id)
            if is_running(each.key) and can(each.runtime_type, each.document.capabilities, CommandAction.WORKFLOW)
        ),
        None,
    )
    if runtime is None:
        raise CapabilityMissing(
            f"No running runtime of this integration declared the capability {WORKFLOW_CAPABILITY}.",
            fix="Start one whose program has a workflow executor.",
        )
    payload = msgspec.json.encode({"operation": operation, "params": document, "isRead": is_read}).decode()
    deadline_s = READ_DEADLINE_S if is_read else WORKFLOW_WRITE_DEADLINE_S
    command = asked_once(runtime, CommandAction.WORKFLOW, subject, now, deadline_s, payload=payload)
    return queue_asked(tx, subject, runtime, command, operation, now)


def _json_object(text: str) -> object:
    problem = InvalidInput(
        f"Params are a JSON object of at most {PARAMS_LENGTH_MAX} characters.", field="params", fix='E.g. "{}".'
    )
    if len(text) > PARAMS_LENGTH_MAX:
        raise problem
    try:
        return msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise problem from None
