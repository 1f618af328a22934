"""Bringing one runtime closer to what is desired: load, decide, save, hand over. One transaction.

Source: reference/runtime-protocol.md sections 6.5, 6.7; contracts/commands/README.md.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec

from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.domain.artifacts import artifact_set
from pilothouse.domain.artifacts.artifact_set import ArtifactSet
from pilothouse.domain.commands import (
    READ_DEADLINE_S,
    STANDARD_RULES,
    Command,
    CommandAction,
    CommandRoute,
    CommandRules,
    CommandState,
    action_for,
    next_attempt_after,
)
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.steering import Wish, observe
from pilothouse.presence import Entry
from pilothouse.reconcile import Plan, Situation, plan
from pilothouse.storage import commands, desired
from pilothouse.storage.commands import SteeredRuntime
from pilothouse.storage.desired import Place
from pilothouse.storage.unit import Connection, Transaction

WRITES_AT_ONCE: Final = 10
READS_AT_ONCE: Final = 10
"""Commands in one answer; the others follow with the next one."""
PROBE_EVERY_S: Final = 86_400.0
CONTROL_PLANE: Final = "control plane"
"""Author of what nobody asked for."""
_NEVER_SEEN: Final = 0.0


class Handover(msgspec.Struct, frozen=True, kw_only=True):
    """What came of looking at a runtime."""

    runtime: SteeredRuntime | None
    delivered: tuple[Command, ...] = ()
    """To be handed over now: they count as delivered."""
    look_again_at: Instant | None = None
    """None when there is nothing left to do."""
    awaited_since: Instant | None = None
    """When a person last asked for something that is still open; None when nobody waits for an outcome."""


class ArtifactReader:
    """Reads artifact sets within one transaction, each once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sets: dict[str, ArtifactSet] = {}

    def read(self, digest: str) -> ArtifactSet:
        """Read a set; an empty one when it is not stored."""
        if digest not in self._sets:
            document = commands.find_artifacts(self._connection, digest)
            self._sets[digest] = ArtifactSet() if document is None else artifact_set.decode(document)
        return self._sets[digest]


def settle(
    tx: Transaction,
    runtime_key: int,
    *,
    now: Instant,
    observed_at: Instant | None,
    running_since: Instant,
    route: CommandRoute | None,
    rules: CommandRules = STANDARD_RULES,
) -> Handover:
    """Look at one runtime, and hand over what is due by a route; with None nothing is handed over."""
    runtime = commands.find_steered(tx.connection, runtime_key)
    if runtime is None:
        return Handover(runtime=None)
    wishes = desired.list_wishes(tx.connection, Place(runtime.integration_id, runtime.environment_id))
    return settle_known(
        tx,
        runtime,
        wishes,
        ArtifactReader(tx.connection),
        now=now,
        observed_at=observed_at,
        running_since=running_since,
        route=route,
        rules=rules,
    )


def settling(
    entry: Entry, route: CommandRoute, now: Instant, rules: CommandRules = STANDARD_RULES
) -> Callable[[Transaction], Handover]:
    """Make the operation that looks at a runtime that said nothing new, and hands over what is due by a route."""
    return partial(
        settle,
        runtime_key=entry.runtime_key,
        now=now,
        observed_at=None,
        running_since=entry.running_since,
        route=route,
        rules=rules,
    )


def settle_known(
    tx: Transaction,
    runtime: SteeredRuntime,
    wishes: Sequence[Wish],
    artifacts: ArtifactReader,
    *,
    now: Instant,
    observed_at: Instant | None,
    running_since: Instant,
    route: CommandRoute | None,
    rules: CommandRules = STANDARD_RULES,
) -> Handover:
    """Look at a runtime that was read already."""
    known = commands.list_relevant(tx.connection, runtime.key)
    if not wishes and not any(command.is_open for command in known):
        return Handover(runtime=runtime)
    situation = _situation(runtime, artifacts.read(runtime.artifact_digest), observed_at, running_since)
    decided = plan(wishes, situation, known, now)
    for ending in decided.endings:
        end(tx, runtime, ending.command, ending.state, ending.reason, now)
        if ending.state is CommandState.EXPIRED and ending.command.wish_number is None:
            note_silence(tx, runtime, ending.command)
    begun = begin(tx, runtime, decided.begin, now)
    ready = [*decided.due, *begun]
    handed = _choose(ready, runtime, route)
    delivered = [] if route is None else deliver(tx, runtime, handed, route, now, rules)
    return Handover(
        runtime=runtime,
        delivered=tuple(delivered),
        look_again_at=_look_again_at(decided, ready, delivered, now),
        awaited_since=_awaited_since([*ready, *decided.waiting], wishes),
    )


def begin(tx: Transaction, runtime: SteeredRuntime, wishes: Sequence[Wish], now: Instant) -> list[Command]:
    """Queue a command for each wish."""
    begun = [
        Command(
            id=new_id(),
            runtime_key=runtime.key,
            action=action_for(wish.target, wish.value),
            kind=wish.target.kind,
            name=wish.target.name,
            package=wish.target.package,
            aspect=wish.target.aspect,
            value=wish.value,
            wish_number=wish.number,
            author=wish.author,
            reason="It waits for the runtime's next heartbeat, or for its channel.",
            queued_at=now,
            next_attempt_at=now,
        )
        for wish in wishes
    ]
    queue(tx, runtime, begun, now)
    return begun


def queue(tx: Transaction, runtime: SteeredRuntime, begun: Sequence[Command], now: Instant) -> None:
    """Store new commands and tell of them."""
    commands.add(tx.connection, begun)
    for command in begun:
        tx.emit(_event(EventKind.COMMAND_QUEUED, runtime, command, now))


def deliver(
    tx: Transaction,
    runtime: SteeredRuntime,
    due: Sequence[Command],
    route: CommandRoute,
    now: Instant,
    rules: CommandRules = STANDARD_RULES,
) -> list[Command]:
    """Count commands as delivered: whatever carries them leaves after this transaction."""
    delivered = [
        msgspec.structs.replace(
            command,
            state=CommandState.DELIVERED,
            reason=_DELIVERED[route],
            route=route,
            attempts=command.attempts + 1,
            delivered_at=now,
            next_attempt_at=next_attempt_after(command, command.attempts + 1, route, now, rules),
        )
        for command in due
    ]
    commands.save(tx.connection, delivered)
    for command in delivered:
        tx.emit(_event(EventKind.COMMAND_DELIVERED, runtime, command, now))
    return delivered


def end(
    tx: Transaction, runtime: SteeredRuntime, command: Command, state: CommandState, reason: str, now: Instant
) -> Command:
    """End a command."""
    ended = msgspec.structs.replace(command, state=state, reason=reason, ended_at=now, next_attempt_at=None)
    commands.save(tx.connection, [ended])
    tx.emit(_event(EventKind.COMMAND_ENDED, runtime, ended, now))
    return ended


def note_silence(tx: Transaction, runtime: SteeredRuntime, command: Command) -> None:
    """Doubt a tunnel through which a command left that nobody answered in time."""
    if command.route is CommandRoute.TUNNEL and command.delivered_at is not None:
        commands.doubt_tunnel(tx.connection, runtime.key)


def is_anything_to_settle(connection: Connection, place: Place, runtime_key: int) -> bool:
    """Tell whether a runtime has wishes or open commands: two lookups, for the many that have neither."""
    return desired.is_any_wished(connection, place) or commands.is_any_open(connection, runtime_key)


def probe(tx: Transaction, runtime: SteeredRuntime, now: Instant) -> None:
    """Ask a Micro Integrator, once a day, something harmless through the tunnel: its answer proves the tunnel."""
    if runtime.tunnel_proved_at is not None or (runtime.tunnel_probed_at or _NEVER_SEEN) > now - PROBE_EVERY_S:
        return
    commands.note_probe(tx.connection, runtime.key, probed_at=now)
    asked = Command(
        id=new_id(),
        runtime_key=runtime.key,
        action=CommandAction.PROBE,
        author=CONTROL_PLANE,
        queued_at=now,
        deadline=now + READ_DEADLINE_S,
    )
    queue(tx, runtime, [asked], now)


def _situation(
    runtime: SteeredRuntime, artifacts: ArtifactSet, observed_at: Instant | None, running_since: Instant
) -> Situation:
    return Situation(
        runtime_type=runtime.runtime_type,
        capabilities=runtime.document.capabilities,
        observed=observe(runtime.runtime_type, artifacts, runtime.document.log_levels),
        observed_at=observed_at,
        running_since=running_since,
        process=runtime.process,
    )


def _choose(ready: Sequence[Command], runtime: SteeredRuntime, route: CommandRoute | None) -> list[Command]:
    """Choose what a route carries: changes first, then questions, a few at a time."""
    fits = _fits(runtime, route)
    able = [command for command in ready if fits(command)]
    writes = [command for command in able if not command.is_read]
    reads = [command for command in able if command.is_read]
    if route is CommandRoute.MANAGEMENT_API:
        # One by one: a command counts as delivered from now on, and the call of the last of many would begin long after.
        return [*writes, *reads][:1]
    return [*writes[:WRITES_AT_ONCE], *reads[:READS_AT_ONCE]]


def _fits(runtime: SteeredRuntime, route: CommandRoute | None) -> Callable[[Command], bool]:
    if route is None:
        return lambda _: False
    if runtime.runtime_type is not RuntimeType.MI:
        return lambda _: route in {CommandRoute.HEARTBEAT, CommandRoute.CHANNEL}
    is_proved = runtime.tunnel_proved_at is not None
    if route is CommandRoute.TUNNEL:
        return lambda command: is_proved or command.action is CommandAction.PROBE
    return lambda command: (
        route is CommandRoute.MANAGEMENT_API and not is_proved and command.action is not CommandAction.PROBE
    )


def _look_again_at(
    decided: Plan, ready: Sequence[Command], delivered: Sequence[Command], now: Instant
) -> Instant | None:
    gone = {command.id for command in delivered}
    left = [command for command in ready if command.id not in gone]
    moments = [command.next_attempt_at or command.deadline or now for command in (*decided.waiting, *delivered)]
    return min([now] if left else moments, default=None)


def _awaited_since(open_: Sequence[Command], wishes: Sequence[Wish]) -> Instant | None:
    """Tell when a person last asked for what is still open: that many processes look at one runtime, each knows by this."""
    set_at = {wish.number: wish.set_at for wish in wishes}
    asked = [
        command.queued_at if command.wish_number is None else set_at.get(command.wish_number, _NEVER_SEEN)
        for command in open_
        if command.action is not CommandAction.PROBE
    ]
    return max(asked, default=None)


def _event(kind: EventKind, runtime: SteeredRuntime, command: Command, now: Instant) -> NewEvent:
    return NewEvent(
        kind=kind,
        at=now,
        runtime_key=runtime.key,
        environment_id=runtime.environment_id,
        project_id=runtime.project_id,
        integration_id=runtime.integration_id,
        detail=command.id,
    )


_DELIVERED: Final = {
    CommandRoute.HEARTBEAT: "It left with the answer to a heartbeat; the outcome is not known yet.",
    CommandRoute.CHANNEL: "It left over the channel; the outcome is not known yet.",
    CommandRoute.MANAGEMENT_API: "The management API is being called.",
    CommandRoute.TUNNEL: "It left through the tunnel; the outcome is not known yet.",
}
