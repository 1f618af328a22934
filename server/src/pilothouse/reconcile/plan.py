"""One runtime: its wishes, what it reports, its commands → what ends, what is begun, what is handed over now.

Level-based: the same question always gets the same answer, however it came to be asked, and asking twice changes nothing.
Source: reference/runtime-protocol.md section 6.5; contracts/commands/README.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from pilothouse.base.instants import Instant
from pilothouse.domain.artifacts import ArtifactState
from pilothouse.domain.commands import (
    ATTEMPTS_MAX,
    Command,
    CommandAction,
    CommandState,
    action_for,
    can,
)
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.steering import Observed, Target, Wish, is_met, is_suspended, is_under_way

_UNSEEN: Final = ArtifactState.UNKNOWN.value


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the runtime at this moment."""

    runtime_type: RuntimeType
    capabilities: tuple[str, ...]
    observed: Observed
    observed_at: Instant | None
    """When a full heartbeat told this, if that is why we ask; None when what is stored is looked at again."""
    running_since: Instant
    process: str | None
    """Tells one process from the next one under the same id; None where the runtime does not say."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a command."""

    command: Command
    state: CommandState
    reason: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done, in this order."""

    endings: tuple[Ending, ...]
    begin: tuple[Wish, ...]
    """Wishes that need a command, which they do not have."""
    due: tuple[Command, ...]
    """Open commands that are to be handed over now."""
    waiting: tuple[Command, ...]
    """Open commands that are not due yet."""


def plan(wishes: Sequence[Wish], situation: Situation, commands: Iterable[Command], now: Instant) -> Plan:
    """Decide.

    Shape: `commands` holds all open commands of the runtime, and of each wish's number the last one that ended.
    """
    by_target = {wish.target: wish for wish in wishes}
    endings: list[Ending] = []
    due: list[Command] = []
    waiting: list[Command] = []
    ended: dict[int, Command] = {}
    served: set[int] = set()
    # Those that ended first: what ends now is the latest word on its wish.
    for command in sorted(commands, key=_is_open):
        if not command.is_open:
            if command.wish_number is not None:
                ended[command.wish_number] = command
            continue
        ending = _ending(command, by_target, situation, now)
        if ending is not None:
            endings.append(ending)
            if command.wish_number is not None:
                ended[command.wish_number] = _as_ended(command, ending, now)
            continue
        if command.wish_number is not None:
            served.add(command.wish_number)
        (due if _is_due(command, by_target, situation, now) else waiting).append(command)
    begin = [
        wish
        for wish in wishes
        if wish.number not in served and needs_command(wish, situation) and not _is_settled(wish, ended, situation)
    ]
    return Plan(endings=tuple(endings), begin=tuple(begin), due=tuple(due), waiting=tuple(waiting))


def needs_command(wish: Wish, situation: Situation) -> bool:
    """Tell whether a runtime hosts what a wish is about, can be told, and reports something else."""
    observed = situation.observed.value_of(wish.target)
    return (
        observed is not None
        and not is_met(wish.value, observed)
        and not is_suspended(wish, situation.observed)
        and can(situation.runtime_type, situation.capabilities, action_for(wish.target, wish.value))
    )


def _is_settled(wish: Wish, ended: Mapping[int, Command], situation: Situation) -> bool:
    """Tell whether the last command for this very wish ended so that another one is not owed."""
    last = ended.get(wish.number)
    if last is None:
        return False
    if last.state is CommandState.FAILED:
        return True  # until the wish changes or somebody retries
    if last.state is CommandState.CONFIRMED and situation.observed.value_of(wish.target) == _UNSEEN:
        # Nothing shows whether it still holds: it was confirmed once in this life of the process.
        return (last.ended_at or 0.0) >= situation.running_since
    return False


def _ending(command: Command, wishes: Mapping[Target, Wish], situation: Situation, now: Instant) -> Ending | None:
    if command.wish_number is None:
        return _ending_of_request(command, situation, now)
    target = command.target
    wish = wishes.get(target) if target is not None else None
    outcome = _overtaken(wish, command) if wish is None or wish.number != command.wish_number else None
    if outcome is None and wish is not None:
        outcome = _outcome(wish, command, situation, now)
    return None if outcome is None else Ending(command=command, state=outcome[0], reason=outcome[1])


def _overtaken(wish: Wish | None, command: Command) -> tuple[CommandState, str]:
    if wish is None:
        return CommandState.SUPERSEDED, f"Nobody wishes for {command.value} any more."
    return CommandState.SUPERSEDED, f"{wish.author} asked for {wish.value} later."


def _outcome(wish: Wish, command: Command, situation: Situation, now: Instant) -> tuple[CommandState, str] | None:
    observed = situation.observed.value_of(wish.target)
    if observed is None:
        return CommandState.EXPIRED, "The runtime does not host it any more."
    if is_suspended(wish, situation.observed):
        return CommandState.EXPIRED, "Another listener bears the name now than when this was asked."
    if is_met(wish.value, observed):
        return CommandState.CONFIRMED, _confirmation(wish, observed, command)
    if not can(situation.runtime_type, situation.capabilities, command.action):
        return CommandState.EXPIRED, "The runtime does not declare any more that it can be told this."
    is_over = _told_since(command, situation) or (command.next_attempt_at or now) <= now
    if command.attempts >= ATTEMPTS_MAX and is_over and not is_under_way(wish.value, observed):
        return CommandState.FAILED, _failure(wish, observed, command, situation)
    return None


def _ending_of_request(command: Command, situation: Situation, now: Instant) -> Ending | None:
    if command.action is CommandAction.RESTART and _is_another_life(command, situation):
        return Ending(command=command, state=CommandState.CONFIRMED, reason="It went and came back under the same id.")
    if command.deadline is not None and now >= command.deadline:
        reason = (
            "It was not handed over in time." if command.delivered_at is None else "The runtime did not answer in time."
        )
        return Ending(command=command, state=CommandState.EXPIRED, reason=reason)
    return None


def _is_open(command: Command) -> bool:
    return command.is_open


def _is_another_life(command: Command, situation: Situation) -> bool:
    """Tell whether a runtime was restarted: another process reports, or the same one that executed itself anew."""
    if situation.process not in {None, command.value}:
        return True
    return command.delivered_at is not None and situation.running_since > command.delivered_at


def _is_due(command: Command, wishes: Mapping[Target, Wish], situation: Situation, now: Instant) -> bool:
    if not can(situation.runtime_type, situation.capabilities, command.action):
        return False
    if command.next_attempt_at is None:
        return command.delivered_at is None
    if command.attempts >= ATTEMPTS_MAX or command.next_attempt_at > now:
        return False
    wish = wishes.get(command.target) if command.target is not None and command.wish_number is not None else None
    return wish is None or not is_under_way(wish.value, situation.observed.value_of(wish.target))


def _told_since(command: Command, situation: Situation) -> bool:
    return (
        situation.observed_at is not None
        and command.delivered_at is not None
        and situation.observed_at > command.delivered_at
    )


def _confirmation(wish: Wish, observed: str | None, command: Command) -> str:
    if observed == ArtifactState.GATED.value and wish.value != observed:
        return "Its port cannot be closed: requests are answered 503 (gated)."
    if command.delivered_at is None:
        return f"The runtime reports {observed} by itself."
    return f"The runtime reports {observed}."


def _failure(wish: Wish, observed: str | None, command: Command, situation: Situation) -> str:
    told = situation.observed.reasons.get(wish.target)
    words = f" It says: {told}" if told else ""
    if observed == _UNSEEN:
        return f"Handed over {command.attempts} times without an answer.{words}"
    return f"Handed over {command.attempts} times, and the runtime still reports {observed} instead of {wish.value}.{words}"


def _as_ended(command: Command, ending: Ending, now: Instant) -> Command:
    return msgspec.structs.replace(command, state=ending.state, ended_at=now)
