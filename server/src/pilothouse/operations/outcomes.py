"""What becomes of commands that were handed over: answers, failures, deadlines, runtimes that went away."""

from collections.abc import Sequence
from typing import Final

import msgspec

from pilothouse.base.instants import Instant
from pilothouse.domain.artifacts import ArtifactState
from pilothouse.domain.commands import (
    ATTEMPTS_MAX,
    GRACE_S,
    RESULT_BYTES_MAX,
    SEALED,
    STANDARD_RULES,
    USER_CHANGES,
    Command,
    CommandAction,
    CommandResult,
    CommandRules,
    CommandState,
)
from pilothouse.domain.mi_users import FIXES, SENTENCES, NewUser, hide, refusal_of
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.secrets import SecretFacts
from pilothouse.domain.steering import observe
from pilothouse.operations.reconciling import ArtifactReader, end, note_silence
from pilothouse.operations.sealed_payloads import reveal
from pilothouse.storage import commands
from pilothouse.storage.commands import SteeredRuntime
from pilothouse.storage.sealing import CannotUnseal, Vault
from pilothouse.storage.unit import Transaction

_OVERDUE_AT_ONCE: Final = 500
_REASON_LENGTH_MAX: Final = 400
_GOOD_STATUSES: Final = range(200, 300)


class _Told(msgspec.Struct, frozen=True):
    """What a runtime says in a result, as far as it says anything."""

    message: str = ""
    error: str = msgspec.field(default="", name="Error")
    code: str = ""
    fix: str = ""


def note_result(
    tx: Transaction,
    sender: SecretFacts,
    result: CommandResult,
    vault: Vault,
    now: Instant,
    rules: CommandRules = STANDARD_RULES,
) -> int | None:
    """Take in what a runtime posts about a command; returns the runtime's key. The secret of a sealed command is kept from it.

    Late, unknown, foreign and repeated results change nothing (section 6.7).
    """
    found = _find_own(tx, sender, result)
    if found is None:
        return None
    command, runtime = found
    told = _read_words(_without_secret(result.body, command, vault))
    good = result.completed and result.http_status in _GOOD_STATUSES
    if command.action in USER_CHANGES and told.error:
        good = False  # it says so with a status of 200, too
    if len(result.body) <= RESULT_BYTES_MAX and _is_worth_keeping(command):
        commands.keep_result(tx.connection, command.id, bytes(result.body))
    if not good:
        _fail(tx, runtime, command, _failure(result, told, command), now, rules, is_final=told.code != "BUSY")
    elif command.action is CommandAction.PROBE:
        commands.note_tunnel(tx.connection, runtime.key, now)
        end(tx, runtime, command, CommandState.CONFIRMED, "It answered through the tunnel.", now)
    elif command.action is CommandAction.RESTART:
        _note(tx, command, told.message or "The program restarts.", None)
    elif command.wish_number is not None and not is_unobservable(tx, runtime, command):
        _note(tx, command, _until_seen(told), now + GRACE_S)
    else:
        end(tx, runtime, command, CommandState.CONFIRMED, told.message[:_REASON_LENGTH_MAX] or "It answered.", now)
    return runtime.key


def note_call(
    tx: Transaction,
    command_id: str,
    *,
    failure: str | None,
    is_final: bool,
    answer: bytes | None,
    now: Instant,
    rules: CommandRules = STANDARD_RULES,
) -> Instant | None:
    """Take in what came of a call of the management API; returns when it is to be looked at again."""
    command = commands.find(tx.connection, command_id)
    runtime = None if command is None else commands.find_steered(tx.connection, command.runtime_key)
    if command is None or runtime is None or not command.is_open:
        return None
    if answer is not None and len(answer) <= RESULT_BYTES_MAX and _is_worth_keeping(command):
        commands.keep_result(tx.connection, command.id, answer)
    if failure is not None:
        return _fail(tx, runtime, command, failure, now, rules, is_final=is_final)
    if command.wish_number is not None and not is_unobservable(tx, runtime, command):
        return _note(tx, command, "The management API accepted it; its heartbeat will show the effect.", now + GRACE_S)
    end(tx, runtime, command, CommandState.CONFIRMED, "The management API accepted it.", now)
    return None


def expire_overdue(tx: Transaction, now: Instant) -> int:
    """End the commands whose deadline has passed."""
    overdue = commands.list_overdue(tx.connection, now, _OVERDUE_AT_ONCE)
    for command in overdue:
        runtime = commands.find_steered(tx.connection, command.runtime_key)
        if runtime is not None:
            end(tx, runtime, command, CommandState.EXPIRED, _too_late(command), now)
            note_silence(tx, runtime, command)
    return len(overdue)


def expire_of(tx: Transaction, runtime_keys: Sequence[int], now: Instant) -> None:
    """End the open commands of runtimes that went away; what is desired of them is begun anew when they come back.

    A restart goes away on purpose.
    """
    for command in commands.list_open_of(tx.connection, runtime_keys):
        if command.action is CommandAction.RESTART:
            continue
        runtime = commands.find_steered(tx.connection, command.runtime_key)
        if runtime is not None:
            reason = "The runtime went offline before the outcome was known."
            if command.wish_number is not None:
                reason += " It is told again when it is back."
            end(tx, runtime, command, CommandState.EXPIRED, reason, now)


def is_unobservable(tx: Transaction, runtime: SteeredRuntime, command: Command) -> bool:
    """Tell whether no heartbeat shows the effect: the answer itself is the confirmation then.

    Loggers of Micro Integrator never are in its heartbeats; tracing and statistics of some of its artifacts are not either.
    """
    target = command.target
    if runtime.runtime_type is not RuntimeType.MI or target is None:
        return False
    artifacts = ArtifactReader(tx.connection).read(runtime.artifact_digest)
    observed = observe(runtime.runtime_type, artifacts, runtime.document.log_levels)
    return observed.value_of(target) == ArtifactState.UNKNOWN.value


def _find_own(tx: Transaction, sender: SecretFacts, result: CommandResult) -> tuple[Command, SteeredRuntime] | None:
    command = commands.find(tx.connection, result.command_id)
    if command is None or not command.is_open or command.delivered_at is None or sender.binding is None:
        return None
    runtime = commands.find_steered(tx.connection, command.runtime_key)
    if runtime is None:
        return None
    place = (sender.binding.integration_id, sender.environment_id, result.runtime_id)
    own = (runtime.integration_id, runtime.environment_id, runtime.runtime_id)
    return (command, runtime) if place == own else None


def _fail(
    tx: Transaction,
    runtime: SteeredRuntime,
    command: Command,
    reason: str,
    now: Instant,
    rules: CommandRules,
    *,
    is_final: bool,
) -> Instant | None:
    """End a command as failed, or have it tried again where that may help."""
    may_help = not is_final and command.wish_number is not None and command.attempts < ATTEMPTS_MAX
    if may_help:
        wait_s = max(GRACE_S, rules.wait_after_s(command.attempts))
        return _note(tx, command, f"{reason} It is tried again in {wait_s:.0f} s.", now + wait_s)
    end(tx, runtime, command, CommandState.FAILED, reason[:_REASON_LENGTH_MAX], now)
    return None


def _note(tx: Transaction, command: Command, reason: str, next_attempt_at: Instant | None) -> Instant | None:
    noted = msgspec.structs.replace(command, reason=reason[:_REASON_LENGTH_MAX], next_attempt_at=next_attempt_at)
    commands.save(tx.connection, [noted])
    return next_attempt_at


def _is_worth_keeping(command: Command) -> bool:
    return command.wish_number is None and command.action not in {CommandAction.PROBE, *SEALED}


def _read_words(body: msgspec.Raw) -> _Told:
    try:
        return msgspec.json.decode(body, type=_Told)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _Told()


def _without_secret(body: msgspec.Raw, command: Command, vault: Vault) -> msgspec.Raw:
    """Keep the words that a runtime answers, and not the secret that it was told; nothing where that is not known any more."""
    if command.action not in SEALED:
        return body
    try:
        opened = reveal(vault, command)
    except CannotUnseal:
        opened = None
    if opened is None:
        return msgspec.Raw(b"null")
    return msgspec.Raw(hide(bytes(body), msgspec.json.decode(opened, type=NewUser).password))


def _failure(result: CommandResult, told: _Told, command: Command) -> str:
    words = told.message or told.error
    if command.action in {CommandAction.LIST_USERS, *USER_CHANGES}:
        refusal = refusal_of(result.http_status, words)
        if refusal is not None:
            return f"{SENTENCES[refusal]} ({refusal.value}) {FIXES[refusal]}"
    if not words:
        return f"The runtime answered {result.http_status}."
    code = f" ({told.code})" if told.code else ""
    return f"{words}{code}" + (f" {told.fix}" if told.fix else "")


def _until_seen(told: _Told) -> str:
    return f"The runtime says: {told.message} Its heartbeat will show it." if told.message else "It was carried out."


def _too_late(command: Command) -> str:
    if command.delivered_at is None:
        return "It was not handed over in time."
    return "The runtime did not answer in time."
