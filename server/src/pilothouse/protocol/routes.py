"""The runtimes' edge: authenticate, decode, and answer from memory where that is enough.

A delta heartbeat of a known runtime of which nothing is asked is answered without waiting: no SQL, no coroutine.
Source: reference/runtime-protocol.md sections 1-6; contracts/README.md; contracts/commands/README.md.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from pilothouse.base.clock import Clock
from pilothouse.base.errors import PilothouseError, Refused, Unavailable
from pilothouse.base.instants import Instant
from pilothouse.domain.commands import CommandRules
from pilothouse.domain.heartbeat import DeltaHeartbeat, FullHeartbeat
from pilothouse.domain.liveness import Status, next_interval_s
from pilothouse.domain.presence import PresenceRow
from pilothouse.domain.refusals import RuntimeNotRegistered
from pilothouse.observe.figures import Figures
from pilothouse.operations.heartbeats import Incoming, Recorded, fingerprint, prepare_artifacts
from pilothouse.operations.outcomes import Posted, note_results
from pilothouse.operations.taking_in import TakenIn, take_in_all
from pilothouse.presence import Agenda, Board, Entry, Turn
from pilothouse.protocol import wire
from pilothouse.protocol.channel import ChannelDesk
from pilothouse.protocol.exchange import Inbound, Outbound
from pilothouse.protocol.handing_over import HandingOver
from pilothouse.protocol.keyring import Key, Keyring
from pilothouse.protocol.refusing import Refuser, no_runtime, not_allowed, nothing_here
from pilothouse.protocol.telemetry_routes import TELEMETRY_PATHS, TelemetryEdge
from pilothouse.protocol.token import TokenReader
from pilothouse.protocol.wire_commands import decode_result
from pilothouse.storage.sealing import Vault
from pilothouse.storage.unit import Store, Transaction

FULL_PATH = "/icp/heartbeat"
DELTA_PATH = "/icp/deltaHeartbeat"
RESULT_PATH = "/icp/commandResult"
CHANNEL_PATH = "/icp/channel/"
FIGURED: Mapping[str, str] = {
    **{path: path for path in (FULL_PATH, DELTA_PATH, RESULT_PATH, *TELEMETRY_PATHS)},
    CHANNEL_PATH: "/icp/channel",
}
"""What the figures call each path, or each folder."""

_KNOWN = Outbound(200, wire.ACKNOWLEDGED)
_FULL_REQUIRED = Outbound(200, wire.ACKNOWLEDGED_FULL_REQUIRED)
_RESULT_TAKEN = Outbound(202, b'{"accepted":true}')
_NOT_REGISTERED = no_runtime(RuntimeNotRegistered())
"""In the course of things, so that nobody is told of a refusal: it reports in full, and comes back."""


LARGE_BODY_BYTES = 262_144
"""A full heartbeat from this size on is read beside the loop: 80,000 artifacts take 0.6 s, and others beat meanwhile."""


async def _decode(body: bytes) -> FullHeartbeat:
    return wire.decode_full(body) if len(body) < LARGE_BODY_BYTES else await asyncio.to_thread(wire.decode_full, body)


class RuntimeEdge(msgspec.Struct, kw_only=True, eq=False):
    """What answers runtimes."""

    store: Store
    board: Board
    agenda: Agenda
    keyring: Keyring
    tokens: TokenReader
    refuser: Refuser
    figures: Figures
    clock: Clock
    desk: ChannelDesk
    handing_over: HandingOver
    telemetry: TelemetryEdge
    announce: Callable[[Sequence[Turn]], None]
    """Tells everybody that runtimes are back."""
    command_rules: CommandRules
    vault: Vault
    may_create: bool
    """Whether heartbeats make projects and integrations."""
    is_anything_desired: Callable[[Entry], bool]
    """Whether anything is desired where a runtime lives."""
    look_up: Callable[[str, str, str], Awaitable[Entry | None]] | None = None
    """Asks what other replicas know of a runtime, by integration, environment and runtimeId; None where there are no others."""

    def handle(self, request: Inbound) -> Outbound | Awaitable[Outbound]:
        """Answer a request."""
        path = request.path
        if path == DELTA_PATH:
            return self._delta(request) if request.method == "POST" else not_allowed("POST")
        if path == FULL_PATH:
            return self._full(request) if request.method == "POST" else not_allowed("POST")
        if path == RESULT_PATH:
            return self._result(request) if request.method == "POST" else not_allowed("POST")
        if path in TELEMETRY_PATHS:
            return self.telemetry.take(request) if request.method == "POST" else not_allowed("POST")
        if path.startswith(CHANNEL_PATH):
            return self._channel(request) if request.method in {"GET", "DELETE"} else not_allowed("GET, DELETE")
        return nothing_here(path)

    def _delta(self, request: Inbound) -> Outbound | Awaitable[Outbound]:
        try:
            key = self.keyring.peek(self.tokens.key_id(request.authorization))
            if key is None:
                return self._delta_of_unloaded_key(request)
            return self._delta_signed(request, key)
        except Refused as error:
            return self.refuser.refuse(error, request)

    async def _delta_of_unloaded_key(self, request: Inbound) -> Outbound:
        try:
            answer = self._delta_signed(request, await self._load_key(request))
        except PilothouseError as error:
            return self.refuser.refuse(error, request)
        return answer if isinstance(answer, Outbound) else await answer

    def _delta_signed(self, request: Inbound, key: Key) -> Outbound | Awaitable[Outbound]:
        now = self.clock.now()
        self.tokens.verify(request.authorization, key.signing, now)
        heartbeat = wire.decode_delta(request.body)
        self.keyring.note_use(key, now)
        entry = self._find(key, heartbeat.runtime_id)
        if self.look_up is not None and (entry is None or entry.runtime_hash != heartbeat.runtime_hash):
            return self._delta_elsewhere(key, heartbeat, request.address, now)
        return self._delta_of(entry, key, heartbeat, request.address, now)

    async def _delta_elsewhere(self, key: Key, heartbeat: DeltaHeartbeat, address: str, now: Instant) -> Outbound:
        """Answer a runtime of which another replica may know more: it may have reported in full there."""
        binding = key.facts.binding
        entry = None
        if self.look_up is not None and binding is not None:
            entry = await self.look_up(binding.integration_id, key.facts.environment_id, heartbeat.runtime_id)
        answer = self._delta_of(entry, key, heartbeat, address, now)
        return answer if isinstance(answer, Outbound) else await answer

    def _delta_of(
        self, entry: Entry | None, key: Key, heartbeat: DeltaHeartbeat, address: str, now: Instant
    ) -> Outbound | Awaitable[Outbound]:
        if entry is None:
            self.figures.full_required += 1
            return _FULL_REQUIRED
        self.board.see(entry, heartbeat.runtime_hash, address, now)
        if self.board.touch(entry, now, address):
            self._returned(entry, now)
        is_known = entry.runtime_hash == heartbeat.runtime_hash
        if is_known:
            self.figures.delta_heartbeats += 1
        else:
            self.figures.full_required += 1
        item = self.agenda.find(entry.runtime_key)
        if item is None and not self.board.pace.is_slower:
            return _KNOWN if is_known else _FULL_REQUIRED
        # With a demand for a full heartbeat nothing else is told: Micro Integrator would not read it (section 6.5, 6).
        if is_known and item is not None and item.is_due(now):
            return self.handing_over.look(key, entry, now)
        next_s = self.handing_over.next_beat_s(entry, item, now)
        return Outbound(200, wire.acknowledged(full_required=not is_known, next_s=next_s))

    async def _full(self, request: Inbound) -> Outbound:
        heartbeat: FullHeartbeat | None = None
        try:
            key, now = await self._authenticate(request)
            heartbeat = await _decode(request.body)
            self.keyring.note_use(key, now)
            prepared = prepare_artifacts(heartbeat)
            told = fingerprint(heartbeat, prepared, key.facts.key_id, now)
            known = self._find_known(key, heartbeat, told, request.address, now)
            if known is not None:
                next_s = self.handing_over.next_beat_s(known, self.agenda.find(known.runtime_key), now)
                return (
                    _KNOWN if next_s is None else Outbound(200, wire.acknowledged(full_required=False, next_s=next_s))
                )
            asked = self.agenda.asked
            with self._heard_all_the_same(key, heartbeat, request.address, now):
                incoming = Incoming(
                    sender=key.facts,
                    heartbeat=heartbeat,
                    prepared=prepared,
                    address=request.address,
                    now=now,
                    told=None if self.look_up is None else told.hex(),
                )
                taken = await self.store.write_together(self._take_in_all, incoming)
        except PilothouseError as error:
            return self.refuser.refuse(error, request, heartbeat)
        entry = self._put_up(taken.recorded, told)
        self.refuser.refusals.settle(key.facts.key_id, heartbeat.runtime_id, now)
        self.figures.full_heartbeats += 1
        return self.handing_over.answer(taken.handover, key, entry, now, asked=asked)

    def _take_in_all(self, tx: Transaction, incoming: Sequence[Incoming]) -> list[TakenIn | PilothouseError]:
        return take_in_all(
            tx,
            incoming,
            is_offline=self.board.is_offline,
            running_since=self._running_since,
            rules=self.command_rules,
            may_create=self.may_create,
        )

    @contextmanager
    def _heard_all_the_same(self, key: Key, heartbeat: FullHeartbeat, address: str, now: Instant) -> Generator[None]:
        """Note that a runtime beat though we could not store what it said: our own trouble makes nobody OFFLINE."""
        try:
            yield
        except (Unavailable, asyncio.CancelledError):
            entry = self._find(key, heartbeat.runtime_id)
            if entry is not None and entry.status is Status.RUNNING and entry.seen_at < now:
                self.board.touch(entry, now, address)
            raise

    async def _result(self, request: Inbound) -> Outbound:
        """Take what a runtime posts about a command; whatever becomes of it, the runtime has done its part."""
        try:
            key, now = await self._authenticate(request)
            self.keyring.note_use(key, now)
            result = decode_result(request.body)
            runtime_key = await self.store.write_together(self._note_results, Posted(key.facts, result, now))
        except PilothouseError as error:
            return self.refuser.refuse(error, request)
        if runtime_key is not None:
            self.agenda.look_at(runtime_key, now)
        return _RESULT_TAKEN

    def _note_results(self, tx: Transaction, posted: Sequence[Posted]) -> list[int | None]:
        return note_results(tx, posted, vault=self.vault, rules=self.command_rules)

    async def _channel(self, request: Inbound) -> Outbound:
        """Open a runtime's channel, or take its goodbye."""
        try:
            key, now = await self._authenticate(request)
            self.keyring.note_use(key, now)
            entry = self._find(key, request.path.removeprefix(CHANNEL_PATH))
        except PilothouseError as error:
            return self.refuser.refuse(error, request)
        if entry is None:
            return _NOT_REGISTERED
        if request.method == "GET":
            return self.desk.answer(entry, key.facts.key_id)
        self.desk.say_goodbye(entry)
        return _KNOWN

    async def _authenticate(self, request: Inbound) -> tuple[Key, Instant]:
        key = await self._load_key(request)
        now = self.clock.now()
        self.tokens.verify(request.authorization, key.signing, now)
        return key, now

    async def _load_key(self, request: Inbound) -> Key:
        return await self.keyring.load(self.tokens.key_id(request.authorization))

    def _find(self, key: Key, runtime_id: str) -> Entry | None:
        """Find a runtime under its key's own binding, never elsewhere (section 3.4)."""
        binding = key.facts.binding
        if binding is None:
            return None
        return self.board.find(binding.integration_id, key.facts.environment_id, runtime_id)

    def _running_since(self, runtime_key: int, now: Instant) -> Instant:
        entry = self.board.find_key(runtime_key)
        return now if entry is None else entry.running_since

    def _find_known(self, key: Key, heartbeat: FullHeartbeat, told: bytes, address: str, now: Instant) -> Entry | None:
        """Note a runtime that says in full what is stored already: a reconnect storm costs the database nothing."""
        entry = self._find(key, heartbeat.runtime_id)
        if entry is None or entry.told != told or self.board.is_offline(entry.runtime_key, now):
            return None
        item = self.agenda.find(entry.runtime_key)
        if item is not None and item.due_at is not None:
            return None  # it may confirm a command, or not
        self.board.see(entry, heartbeat.runtime_hash, address, now)
        if self.board.touch(entry, now, address):
            self._returned(entry, now)
        self.refuser.refusals.settle(key.facts.key_id, heartbeat.runtime_id, now)
        self.figures.full_heartbeats += 1
        return entry

    def _put_up(self, recorded: Recorded, told: bytes) -> Entry:
        """Show on the board what was stored, keeping what only the board knows."""
        for key in recorded.retired:
            self.board.take_down(key)
            self.agenda.drop(key)
        row = recorded.presence
        before = self.board.find_key(row.runtime_key)
        entry = Entry(
            **{name: getattr(row, name) for name in PresenceRow.__struct_fields__},
            interval_is_reported=recorded.interval_is_reported,
            told=told,
            own_interval_s=row.interval_s if recorded.interval_is_reported else None,
        )
        if before is not None:
            self.board.see(before, row.runtime_hash, row.address, row.seen_at)
            entry.channel_since, entry.channel_at = before.channel_since, before.channel_at
            if before.departure is not None and before.departure.at > row.seen_at:
                entry.departure = before.departure  # it left while this was being stored
            if not recorded.interval_is_reported:
                gap_s = row.seen_at - before.seen_at
                entry.interval_s = next_interval_s(before.interval_s, gap_s, self.board.rules)
            if before.status is Status.RUNNING and not self.board.is_offline(row.runtime_key, row.seen_at):
                entry.running_since = before.running_since
        entry.dirty = True  # the board finds it by that
        self.board.put(entry)
        return entry

    def _returned(self, entry: Entry, now: Instant) -> None:
        turn = Turn(entry=entry, verdict=self.board.judge(entry, now), at=now)
        self.board.announce(turn)
        self.announce([turn])
        if self.is_anything_desired(entry):
            self.agenda.look_at(entry.runtime_key, now)
