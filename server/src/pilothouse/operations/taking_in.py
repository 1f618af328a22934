"""A full heartbeat, whole: recorded, and what it changes for commands, in one transaction."""

from collections.abc import Callable

import msgspec

from pilothouse.base.instants import Instant
from pilothouse.domain.commands import STANDARD_RULES, CommandRoute, CommandRules
from pilothouse.domain.heartbeat import FullHeartbeat
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.secrets import SecretFacts
from pilothouse.operations import reconciling
from pilothouse.operations.heartbeats import PreparedArtifacts, Recorded, record_full
from pilothouse.operations.reconciling import Handover
from pilothouse.storage import commands
from pilothouse.storage.desired import Place
from pilothouse.storage.unit import Transaction


class TakenIn(msgspec.Struct, frozen=True, kw_only=True):
    """What a full heartbeat came to."""

    recorded: Recorded
    handover: Handover


def take_in(
    tx: Transaction,
    sender: SecretFacts,
    heartbeat: FullHeartbeat,
    prepared: PreparedArtifacts,
    *,
    address: str | None,
    now: Instant,
    is_offline: Callable[[int], bool],
    running_since: Callable[[int], Instant],
    rules: CommandRules = STANDARD_RULES,
    may_create: bool = True,
    told: str | None = None,
) -> TakenIn:
    """Record a full heartbeat, and look at what is asked of its runtime.

    told: its sum in hexadecimal, for other replicas; None where there are none

    Raises: RuntimeRefused
    """
    recorded = record_full(
        tx,
        sender,
        heartbeat,
        prepared,
        address=address,
        now=now,
        is_offline=is_offline,
        may_create=may_create,
        told=told,
    )
    key = recorded.presence.runtime_key
    place = Place(recorded.presence.integration_id, recorded.presence.environment_id)
    is_mi = heartbeat.runtime_type is RuntimeType.MI
    if is_mi:
        runtime = commands.find_steered(tx.connection, key)
        if runtime is not None:
            reconciling.probe(tx, runtime, now)
    if not reconciling.is_anything_to_settle(tx.connection, place, key):
        return TakenIn(recorded=recorded, handover=Handover(runtime=None))
    handover = reconciling.settle(
        tx,
        key,
        now=now,
        observed_at=now,
        running_since=now if is_offline(key) else running_since(key),
        route=CommandRoute.TUNNEL if is_mi else CommandRoute.HEARTBEAT,
        rules=rules,
    )
    return TakenIn(recorded=recorded, handover=handover)
