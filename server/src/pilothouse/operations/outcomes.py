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
from pilothouse.operations.command_book import CommandBook
from pilothouse.operations.reconciling import ArtifactReader
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


class Posted(msgspec.Struct, frozen=True):
    """What a runtime posted about a command, and under whose secret."""

    sender: SecretFacts
    result: CommandResult
    now: Instant


def note_results(
    tx: Transaction, posted: Sequence[Posted], *, vault: Vault, rules: CommandRules = STANDARD_RULES
) -> list[int | None]:
    """Take in what runtimes post about commands; tells of each the runtime's key. The secret of a sealed command is kept from it.

    Late, unknown, foreign and repeated results change nothing (section 6.7). Who posts twice is heard twice, one after the other.
    """
    known = commands.find_all(tx.connection, {each.result.command_id for each in posted})
    awaited = {id_: command for id_, command in known.items() if _is_awaited(command)}
    steered = commands.list_steered_of(tx.connection, {command.runtime_key for command in awaited.values()})
    reader, book = ArtifactReader(tx.connection), CommandBook(tx)
    reader.load(
        runtime.artifact_digest
        for command in awaited.values()
        if (runtime := steered.get(command.runtime_key)) is not None and _may_be_unobservable(runtime, command)
    )
    heard: list[int | None] = []
    for each in posted:
        command = awaited.get(each.result.command_id)
        runtime = None if command is None else steered.get(command.runtime_key)
        if command is None or runtime is None or not command.is_open or not _is_own(runtime, each):
            heard.append(None)
            continue
        awaited[command.id] = _take_in(book, reader, runtime, command, each, vault, rules)
        heard.append(runtime.key)
    book.write()
    return heard


def _take_in(
    book: CommandBook,
    reader: ArtifactReader,
    runtime: SteeredRuntime,
    command: Command,
    posted: Posted,
    vault: Vault,
    rules: CommandRules,
) -> Command:
    result, now = posted.result, posted.now
    told = _read_words(_without_secret(result.body, command, vault))
    good = result.completed and result.http_status in _GOOD_STATUSES
    if command.action in USER_CHANGES and told.error:
        good = False  # it says so with a status of 200, too
    if len(result.body) <= RESULT_BYTES_MAX and _is_worth_keeping(command):
        book.keep_result(command, bytes(result.body))
    if not good:
        return _fail(book, runtime, command, _failure(result, told, command), now, rules, is_final=told.code != "BUSY")
    if command.action is CommandAction.PROBE:
        book.note_tunnel(runtime, now)
        return book.end(runtime, command, CommandState.CONFIRMED, "It answered through the tunnel.", now)
    if command.action is CommandAction.RESTART:
        return _note(book, command, told.message or "The program restarts.", None)
    if command.wish_number is not None and not _is_unobservable(reader, runtime, command):
        return _note(book, command, _until_seen(told), now + GRACE_S)
    return book.end(runtime, command, CommandState.CONFIRMED, told.message[:_REASON_LENGTH_MAX] or "It answered.", now)


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
    book = CommandBook(tx)
    if answer is not None and len(answer) <= RESULT_BYTES_MAX and _is_worth_keeping(command):
        book.keep_result(command, answer)
    if failure is not None:
        noted = _fail(book, runtime, command, failure, now, rules, is_final=is_final)
    elif command.wish_number is not None and not _is_unobservable(ArtifactReader(tx.connection), runtime, command):
        words = "The management API accepted it; its heartbeat will show the effect."
        noted = _note(book, command, words, now + GRACE_S)
    else:
        noted = book.end(runtime, command, CommandState.CONFIRMED, "The management API accepted it.", now)
    book.write()
    return noted.next_attempt_at


def expire_overdue(tx: Transaction, now: Instant) -> int:
    """End the commands whose deadline has passed."""
    overdue = commands.list_overdue(tx.connection, now, _OVERDUE_AT_ONCE)
    steered = commands.list_steered_of(tx.connection, {command.runtime_key for command in overdue})
    book = CommandBook(tx)
    for command in overdue:
        runtime = steered.get(command.runtime_key)
        if runtime is not None:
            book.end(runtime, command, CommandState.EXPIRED, _too_late(command), now)
            book.note_silence(runtime, command)
    book.write()
    return len(overdue)


def expire_of(tx: Transaction, runtime_keys: Sequence[int], now: Instant) -> None:
    """End the open commands of runtimes that went away; what is desired of them is begun anew when they come back.

    A restart goes away on purpose.
    """
    ending = [
        command
        for command in commands.list_open_of(tx.connection, runtime_keys)
        if command.action is not CommandAction.RESTART
    ]
    steered = commands.list_steered_of(tx.connection, {command.runtime_key for command in ending})
    book = CommandBook(tx)
    for command in ending:
        runtime = steered.get(command.runtime_key)
        if runtime is not None:
            reason = "The runtime went offline before the outcome was known."
            if command.wish_number is not None:
                reason += " It is told again when it is back."
            book.end(runtime, command, CommandState.EXPIRED, reason, now)
    book.write()


def _may_be_unobservable(runtime: SteeredRuntime, command: Command) -> bool:
    return runtime.runtime_type is RuntimeType.MI and command.target is not None and command.wish_number is not None


def _is_unobservable(reader: ArtifactReader, runtime: SteeredRuntime, command: Command) -> bool:
    """Tell whether no heartbeat shows the effect: the answer itself is the confirmation then.

    Loggers of Micro Integrator never are in its heartbeats; tracing and statistics of some of its artifacts are not either.
    """
    target = command.target
    if target is None or not _may_be_unobservable(runtime, command):
        return False
    artifacts = reader.read(runtime.artifact_digest)
    observed = observe(runtime.runtime_type, artifacts, runtime.document.log_levels)
    return observed.value_of(target) == ArtifactState.UNKNOWN.value


def _is_awaited(command: Command) -> bool:
    return command.is_open and command.delivered_at is not None


def _is_own(runtime: SteeredRuntime, posted: Posted) -> bool:
    binding = posted.sender.binding
    if binding is None:
        return False
    place = (binding.integration_id, posted.sender.environment_id, posted.result.runtime_id)
    return place == (runtime.integration_id, runtime.environment_id, runtime.runtime_id)


def _fail(
    book: CommandBook,
    runtime: SteeredRuntime,
    command: Command,
    reason: str,
    now: Instant,
    rules: CommandRules,
    *,
    is_final: bool,
) -> Command:
    """End a command as failed, or have it tried again where that may help."""
    may_help = not is_final and command.wish_number is not None and command.attempts < ATTEMPTS_MAX
    if may_help:
        wait_s = max(GRACE_S, rules.wait_after_s(command.attempts))
        return _note(book, command, f"{reason} It is tried again in {wait_s:.0f} s.", now + wait_s)
    return book.end(runtime, command, CommandState.FAILED, reason[:_REASON_LENGTH_MAX], now)


def _note(book: CommandBook, command: Command, reason: str, next_attempt_at: Instant | None) -> Command:
    noted = msgspec.structs.replace(command, reason=reason[:_REASON_LENGTH_MAX], next_attempt_at=next_attempt_at)
    return book.note(noted)


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
