"""Bringing runtimes closer to what is desired: load, decide, save, hand over. One transaction.

Runtimes that are looked at together cost a few statements for all of them.

Source: reference/runtime-protocol.md sections 6.5, 6.7; contracts/commands/README.md.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
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
from pilothouse.domain.events import EventKind
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.steering import Wish, observe
from pilothouse.operations.command_book import CommandBook
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


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One runtime that is to be looked at."""

    runtime_key: int
    now: Instant
    running_since: Instant
    observed_at: Instant | None = None
    """When it last said how it is, where it says so now."""
    route: CommandRoute | None = None
    """By what commands that are due leave; with None nothing is handed over."""


class Known(msgspec.Struct, frozen=True):
    """A runtime that was read already, with what is desired where it lives."""

    runtime: SteeredRuntime
    wishes: Sequence[Wish]
    look: Look


class ArtifactReader:
    """Reads artifact sets within one transaction, each once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sets: dict[str, ArtifactSet] = {}

    def load(self, digests: Iterable[str]) -> None:
        """Read sets that will be asked for, together."""
        wanted = set(digests) - self._sets.keys()
        documents = commands.list_artifacts(self._connection, wanted)
        for digest in wanted:
            document = documents.get(digest)
            self._sets[digest] = ArtifactSet() if document is None else artifact_set.decode(document)

    def read(self, digest: str) -> ArtifactSet:
        """Read a set; an empty one when it is not stored."""
        if digest not in self._sets:
            self.load([digest])
        return self._sets[digest]


def look_of(entry: Entry, route: CommandRoute, now: Instant) -> Look:
    """Say how a runtime that said nothing new is looked at, and by what commands that are due leave."""
    return Look(runtime_key=entry.runtime_key, now=now, running_since=entry.running_since, route=route)


def settle(tx: Transaction, look: Look, rules: CommandRules = STANDARD_RULES) -> Handover:
    """Look at one runtime, and hand over what is due."""
    (handover,) = settle_all(tx, [look], rules=rules)
    return handover


def settle_all(tx: Transaction, looks: Sequence[Look], *, rules: CommandRules = STANDARD_RULES) -> list[Handover]:
    """Look at runtimes, and hand over what is due to each; who is asked for twice is looked at once more, after the others."""
    found: dict[int, Handover] = {}
    left = dict(enumerate(looks))
    while left:
        first: dict[int, int] = {}
        for number, look in left.items():
            first.setdefault(look.runtime_key, number)
        these = {number: left.pop(number) for number in first.values()}
        found.update(zip(these, _settle_each(tx, list(these.values()), rules), strict=True))
    return [found[number] for number in range(len(looks))]


def _settle_each(tx: Transaction, looks: Sequence[Look], rules: CommandRules) -> list[Handover]:
    """Look at different runtimes."""
    steered = commands.list_steered_of(tx.connection, {look.runtime_key for look in looks})
    wishes = desired.list_wishes_of(tx.connection, {_place(runtime) for runtime in steered.values()})
    known = [
        Known(runtime, wishes.get(_place(runtime), ()), look)
        for look in looks
        if (runtime := steered.get(look.runtime_key)) is not None
    ]
    found = dict(zip((each.look.runtime_key for each in known), settle_known(tx, known, rules=rules), strict=True))
    return [found.get(look.runtime_key, Handover(runtime=None)) for look in looks]


def settle_known(
    tx: Transaction,
    known: Sequence[Known],
    artifacts: ArtifactReader | None = None,
    *,
    rules: CommandRules = STANDARD_RULES,
) -> list[Handover]:
    """Look at different runtimes that were read already."""
    relevant = commands.list_relevant_of(tx.connection, {each.runtime.key for each in known})
    idle = {
        each.runtime.key
        for each in known
        if not each.wishes and not any(command.is_open for command in relevant.get(each.runtime.key, ()))
    }
    reader = artifacts or ArtifactReader(tx.connection)
    reader.load(each.runtime.artifact_digest for each in known if each.runtime.key not in idle)
    book = CommandBook(tx)
    handovers = [
        Handover(runtime=each.runtime)
        if each.runtime.key in idle
        else _settle(book, each, relevant.get(each.runtime.key, []), reader, rules)
        for each in known
    ]
    book.write()
    return handovers


def _settle(
    book: CommandBook, known: Known, relevant: Sequence[Command], reader: ArtifactReader, rules: CommandRules
) -> Handover:
    runtime, wishes, look = known.runtime, known.wishes, known.look
    now = look.now
    situation = _situation(runtime, reader.read(runtime.artifact_digest), look.observed_at, look.running_since)
    decided = plan(wishes, situation, relevant, now)
    for ending in decided.endings:
        book.end(runtime, ending.command, ending.state, ending.reason, now)
        if ending.state is CommandState.EXPIRED and ending.command.wish_number is None:
            book.note_silence(runtime, ending.command)
    begun = _begun(runtime, decided.begin, now)
    book.queue(runtime, begun, now)
    ready = [*decided.due, *begun]
    delivered: list[Command] = []
    if look.route is not None:
        handed = _choose(ready, runtime, look.route)
        delivered = [_delivered(command, look.route, now, rules) for command in handed]
    for command in delivered:
        book.change(runtime, command, EventKind.COMMAND_DELIVERED, now)
    return Handover(
        runtime=runtime,
        delivered=tuple(delivered),
        look_again_at=_look_again_at(decided, ready, delivered, now),
        awaited_since=_awaited_since([*ready, *decided.waiting], wishes),
    )


def begin(tx: Transaction, runtime: SteeredRuntime, wishes: Sequence[Wish], now: Instant) -> list[Command]:
    """Queue a command for each wish."""
    begun = _begun(runtime, wishes, now)
    queue(tx, runtime, begun, now)
    return begun


def queue(tx: Transaction, runtime: SteeredRuntime, begun: Sequence[Command], now: Instant) -> None:
    """Store new commands and tell of them."""
    book = CommandBook(tx)
    book.queue(runtime, begun, now)
    book.write()


def list_to_settle(connection: Connection, places: Mapping[int, Place]) -> set[int]:
    """Tell which runtimes have wishes, where they live, or open commands: two lookups, for the many that have neither.

    places: of each runtime, by key
    """
    wished = desired.list_wished(connection, set(places.values()))
    return {key for key, place in places.items() if place in wished} | commands.list_having_open(
        connection, places.keys()
    )


def probe(tx: Transaction, asked: Sequence[tuple[SteeredRuntime, Instant]]) -> None:
    """Ask Micro Integrators, once a day, something harmless through the tunnel: the answer proves the tunnel."""
    due = [
        (runtime, now)
        for runtime, now in asked
        if runtime.tunnel_proved_at is None and (runtime.tunnel_probed_at or _NEVER_SEEN) <= now - PROBE_EVERY_S
    ]
    commands.note_probes(tx.connection, [(runtime.key, now) for runtime, now in due])
    book = CommandBook(tx)
    for runtime, now in due:
        asking = Command(
            id=new_id(),
            runtime_key=runtime.key,
            action=CommandAction.PROBE,
            author=CONTROL_PLANE,
            queued_at=now,
            deadline=now + READ_DEADLINE_S,
        )
        book.queue(runtime, [asking], now)
    book.write()


def _place(runtime: SteeredRuntime) -> Place:
    return Place(runtime.integration_id, runtime.environment_id)


def _begun(runtime: SteeredRuntime, wishes: Sequence[Wish], now: Instant) -> list[Command]:
    return [
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


def _delivered(command: Command, route: CommandRoute, now: Instant, rules: CommandRules) -> Command:
    """Count a command as delivered: whatever carries it leaves after this transaction."""
    return msgspec.structs.replace(
        command,
        state=CommandState.DELIVERED,
        reason=_DELIVERED[route],
        route=route,
        attempts=command.attempts + 1,
        delivered_at=now,
        next_attempt_at=next_attempt_after(command, command.attempts + 1, route, now, rules),
    )


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


_DELIVERED: Final = {
    CommandRoute.HEARTBEAT: "It left with the answer to a heartbeat; the outcome is not known yet.",
    CommandRoute.CHANNEL: "It left over the channel; the outcome is not known yet.",
    CommandRoute.MANAGEMENT_API: "The management API is being called.",
    CommandRoute.TUNNEL: "It left through the tunnel; the outcome is not known yet.",
}
