"""Users of a Micro Integrator's own user store: adding one, removing one. Listing them is a question (`commanding`).

What a Micro Integrator is told of a new user holds a password. It is stored sealed, as part of a command, because a command may
have to wait: for the heartbeat that takes it through the tunnel, or for the process that carries out calls.
"""

import msgspec

from pilothouse.access.grants import Subject
from pilothouse.access.permissions import Permission
from pilothouse.base.errors import Conflict
from pilothouse.base.instants import Instant
from pilothouse.domain.commands import STANDARD_RULES, USER_CHANGES, Command, CommandAction, CommandRules
from pilothouse.domain.mi_users import OPEN_CHANGES_MAX, NewUser, check_new, split_name
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.operations.asking import (
    CapabilityMissing,
    IsRunning,
    asked_once,
    find_to_ask,
    queue_asked,
)
from pilothouse.operations.sealed_payloads import seal
from pilothouse.storage import commands
from pilothouse.storage.commands import SteeredRuntime
from pilothouse.storage.sealing import Vault
from pilothouse.storage.unit import Transaction


def add(
    tx: Transaction,
    subject: Subject,
    runtime_id: str,
    new: NewUser,
    *,
    vault: Vault,
    confirm: str | None,
    is_running: IsRunning,
    now: Instant,
    rules: CommandRules = STANDARD_RULES,
) -> Command:
    """Add a user to a Micro Integrator.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict
    """
    runtime = _find(tx, subject, runtime_id, confirm, is_running)
    check_new(new)
    _require_room(tx, runtime)
    plain = asked_once(runtime, CommandAction.ADD_USER, subject, now, rules.write_deadline_s)
    sealed = seal(vault, plain.id, msgspec.json.encode(new).decode())
    command = msgspec.structs.replace(plain, name=new.name, payload=sealed)
    what = f"{new.name} as administrator" if new.administrator else new.name
    return queue_asked(tx, subject, runtime, command, what, now)


def remove(
    tx: Transaction,
    subject: Subject,
    runtime_id: str,
    name: str,
    *,
    confirm: str | None,
    is_running: IsRunning,
    now: Instant,
    rules: CommandRules = STANDARD_RULES,
) -> Command:
    """Remove a user of a Micro Integrator; never the account that the control plane uses.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict
    """
    runtime = _find(tx, subject, runtime_id, confirm, is_running)
    split_name(name)
    _require_room(tx, runtime)
    plain = asked_once(runtime, CommandAction.REMOVE_USER, subject, now, rules.write_deadline_s)
    return queue_asked(tx, subject, runtime, msgspec.structs.replace(plain, name=name), name, now)


def _find(
    tx: Transaction, subject: Subject, runtime_id: str, confirm: str | None, is_running: IsRunning
) -> SteeredRuntime:
    runtime = find_to_ask(tx, subject, runtime_id, Permission.INTEGRATION_MGT_EDIT, confirm, is_running)
    if runtime.runtime_type is not RuntimeType.MI:
        raise CapabilityMissing(
            f"Runtimes of type {runtime.runtime_type.value} have no users of their own.",
            fix="Only Micro Integrator has.",
        )
    return runtime


def _require_room(tx: Transaction, runtime: SteeredRuntime) -> None:
    known = commands.list_relevant(tx.connection, runtime.key)
    if sum(command.action in USER_CHANGES and command.is_open for command in known) >= OPEN_CHANGES_MAX:
        raise Conflict(
            f"{OPEN_CHANGES_MAX} changes of users are under way to this runtime.", fix="Wait for what becomes of them."
        )
