"""Full heartbeats, whole: recorded, and what they change for commands, in one transaction."""

from collections.abc import Callable, Sequence

import msgspec

from pilothouse.base.errors import PilothouseError
from pilothouse.base.instants import Instant
from pilothouse.domain.commands import STANDARD_RULES, CommandRoute, CommandRules
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.operations import reconciling
from pilothouse.operations.heartbeats import Incoming, Recorded, record_all
from pilothouse.operations.reconciling import Handover, Look
from pilothouse.storage import commands
from pilothouse.storage.desired import Place
from pilothouse.storage.unit import Transaction


class TakenIn(msgspec.Struct, frozen=True, kw_only=True):
    """What a full heartbeat came to."""

    recorded: Recorded
    handover: Handover


def take_in_all(
    tx: Transaction,
    incoming: Sequence[Incoming],
    *,
    is_offline: Callable[[int, Instant], bool],
    running_since: Callable[[int, Instant], Instant],
    rules: CommandRules = STANDARD_RULES,
    may_create: bool = True,
) -> list[TakenIn | PilothouseError]:
    """Record full heartbeats, and look at what is asked of their runtimes: what each came to, or why it is refused.

    Of a runtime that is among them twice, the later one is taken in after all others.
    """
    found: dict[int, TakenIn | PilothouseError] = {}
    left = dict(enumerate(incoming))
    while left:
        first: dict[tuple[str, str], int] = {}
        for number, one in left.items():
            first.setdefault((one.sender.key_id, one.heartbeat.runtime_id), number)
        these = {number: left.pop(number) for number in first.values()}
        taken = _take_in_each(
            tx,
            list(these.values()),
            is_offline=is_offline,
            running_since=running_since,
            rules=rules,
            may_create=may_create,
        )
        found.update(zip(these, taken, strict=True))
    return [found[number] for number in range(len(incoming))]


def _take_in_each(
    tx: Transaction,
    incoming: Sequence[Incoming],
    *,
    is_offline: Callable[[int, Instant], bool],
    running_since: Callable[[int, Instant], Instant],
    rules: CommandRules,
    may_create: bool,
) -> list[TakenIn | PilothouseError]:
    """Take in full heartbeats of different runtimes."""
    outcomes = record_all(tx, incoming, is_offline=is_offline, may_create=may_create)
    recorded = [
        (one, outcome) for one, outcome in zip(incoming, outcomes, strict=True) if isinstance(outcome, Recorded)
    ]
    _probe(tx, recorded)
    places = {
        each.presence.runtime_key: Place(each.presence.integration_id, each.presence.environment_id)
        for _, each in recorded
    }
    to_settle = reconciling.list_to_settle(tx.connection, places)
    looks = [
        Look(
            runtime_key=key,
            now=one.now,
            observed_at=one.now,
            running_since=one.now if is_offline(key, one.now) else running_since(key, one.now),
            route=CommandRoute.TUNNEL if one.heartbeat.runtime_type is RuntimeType.MI else CommandRoute.HEARTBEAT,
        )
        for one, each in recorded
        if (key := each.presence.runtime_key) in to_settle
    ]
    settled = reconciling.settle_all(tx, looks, rules=rules)
    handovers = {look.runtime_key: handover for look, handover in zip(looks, settled, strict=True)}
    return [
        TakenIn(recorded=each, handover=handovers.get(each.presence.runtime_key, Handover(runtime=None)))
        if isinstance(each, Recorded)
        else each
        for each in outcomes
    ]


def _probe(tx: Transaction, recorded: Sequence[tuple[Incoming, Recorded]]) -> None:
    integrators = {
        each.presence.runtime_key: one.now for one, each in recorded if one.heartbeat.runtime_type is RuntimeType.MI
    }
    steered = commands.list_steered_of(tx.connection, integrators.keys())
    reconciling.probe(tx, [(runtime, integrators[key]) for key, runtime in steered.items()])
