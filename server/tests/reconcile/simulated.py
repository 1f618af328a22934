"""A control plane's decisions and one runtime, simulated in memory, without a database and without a wire."""

from dataclasses import dataclass, field

import msgspec
from pilothouse.domain.commands import (
    Command,
    CommandRoute,
    CommandState,
    action_for,
    next_attempt_after,
)
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.steering import Aspect, Observed, SteerableKind, Target, Wish
from pilothouse.reconcile import Plan, Situation, plan

T = 1_790_000_000.0
ABLE = ("START", "STOP", "SET_LOGGER_LEVEL", "TRIGGER", "RESTART")


def listener(name: str = "http") -> Target:
    return Target(SteerableKind.LISTENER, name, "pkg", Aspect.STATE)


def logger(name: str = "root") -> Target:
    return Target(SteerableKind.LOGGER, name, "", Aspect.LEVEL)


def wish_for(target: Target, value: str, number: int = 1, prints: tuple[str, ...] = ()) -> Wish:
    return Wish(
        number=number, target=target, value=value, version=1, author="ana", set_at=T, fingerprints=prints
    )  # fmt: skip


def command_for(wish: Wish, **members: object) -> Command:
    target = wish.target
    command = Command(
        id=f"c{wish.number}",
        runtime_key=1,
        action=action_for(target, wish.value),
        kind=target.kind,
        name=target.name,
        package=target.package,
        aspect=target.aspect,
        value=wish.value,
        wish_number=wish.number,
        author=wish.author,
        queued_at=T,
        next_attempt_at=T,
    )
    return msgspec.structs.replace(command, **members)


def seen(
    values: dict[Target, str],
    *,
    runtime_type: RuntimeType = RuntimeType.PY,
    prints: dict[Target, str] | None = None,
    capabilities: tuple[str, ...] = ABLE,
    observed_at: float | None = None,
    running_since: float = T - 1_000,
    process: str | None = "1@0",
) -> Situation:
    return Situation(
        runtime_type=runtime_type,
        capabilities=capabilities,
        observed=Observed(runtime_type=runtime_type, values=values, fingerprints=prints or {}, reasons={}),
        observed_at=observed_at,
        running_since=running_since,
        process=process,
    )


@dataclass
class World:
    """What the control plane knows of one runtime, and the runtime itself."""

    now: float = T
    runtime_type: RuntimeType = RuntimeType.PY
    route: CommandRoute = CommandRoute.HEARTBEAT
    capabilities: tuple[str, ...] = ABLE
    wishes: dict[Target, Wish] = field(default_factory=dict)
    commands: list[Command] = field(default_factory=list)
    truth: dict[Target, str] = field(default_factory=dict)
    """What is so on the runtime."""
    reported: dict[Target, str] = field(default_factory=dict)
    """What its last full heartbeat said."""
    numbers: int = 0
    delivered: list[tuple[float, str]] = field(default_factory=list)
    """When what was handed over, whether it arrived or not."""

    def wish(self, target: Target, value: str | None) -> None:
        self.numbers += 1
        self.wishes.pop(target, None)
        if value is not None:
            self.wishes[target] = wish_for(target, value, self.numbers)

    def decide(self, observed_at: float | None = None) -> Plan:
        situation = seen(
            dict(self.reported),
            runtime_type=self.runtime_type,
            capabilities=self.capabilities,
            observed_at=observed_at,
        )
        return plan(list(self.wishes.values()), situation, self.relevant(), self.now)

    def relevant(self) -> list[Command]:
        """All open ones, and of each wish the last that ended, as the storage gives them."""
        last = {each.wish_number: each for each in self.commands if not each.is_open}
        return [each for each in self.commands if each.is_open or last[each.wish_number] is each]

    def look(self, observed_at: float | None = None, *, hands_over: bool = True) -> list[Command]:
        """Decide and do it; returns what leaves."""
        decided = self.decide(observed_at)
        for ending in decided.endings:
            self._put(msgspec.structs.replace(ending.command, state=ending.state, ended_at=self.now))
        due = list(decided.due)
        for wish in decided.begin:
            begun = command_for(
                wish, id=f"c{wish.number}-{len(self.commands)}", queued_at=self.now, next_attempt_at=self.now
            )
            self.commands.append(begun)
            due.append(begun)
        if not hands_over:
            return []
        left = [
            msgspec.structs.replace(
                command,
                state=CommandState.DELIVERED,
                route=self.route,
                attempts=command.attempts + 1,
                delivered_at=self.now,
                next_attempt_at=next_attempt_after(command, command.attempts + 1, self.route, self.now),
            )
            for command in due
        ]
        for command in left:
            self._put(command)
            self.delivered.append((self.now, command.id))
        return left

    def beat(self, *, arrives: bool = True, obeys: bool = True, full: bool = True) -> list[Command]:
        """One heartbeat, and what the runtime makes of its answer."""
        if full:
            self.reported = dict(self.truth)
        left = self.look(self.now if full else None)
        if arrives and obeys:
            for command in left:
                if command.target in self.truth and command.value is not None:
                    self.truth[command.target] = command.value
        return left

    def of(self, target: Target) -> list[Command]:
        return [command for command in self.commands if command.target == target]

    def _put(self, changed: Command) -> None:
        self.commands = [changed if command.id == changed.id else command for command in self.commands]
