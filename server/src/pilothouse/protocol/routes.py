"""The two heartbeats: authenticate, decode, and answer from memory where that is enough.

A delta heartbeat of a known runtime is answered without waiting for anything: no SQL, no coroutine.
Source: reference/runtime-protocol.md sections 1-4; contracts/README.md.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec
import structlog

from pilothouse.base.clock import Clock
from pilothouse.base.errors import PilothouseError, Refused
from pilothouse.base.instants import Instant
from pilothouse.domain.heartbeat import FullHeartbeat
from pilothouse.domain.liveness import Status, next_interval_s
from pilothouse.domain.presence import PresenceRow
from pilothouse.observe.figures import Figures
from pilothouse.observe.often import worth_a_line
from pilothouse.observe.refusals import RefusalBook, RefusedSender
from pilothouse.operations.heartbeats import Recorded, fingerprint, prepare_artifacts, record_full
from pilothouse.presence import Board, Entry, Turn
from pilothouse.protocol import wire
from pilothouse.protocol.exchange import Inbound, Outbound
from pilothouse.protocol.keyring import Key, Keyring
from pilothouse.protocol.statuses import ACKNOWLEDGED_FALSE, RETRY_AFTER_S, UNAVAILABLE, status_of
from pilothouse.protocol.token import TokenReader
from pilothouse.storage.unit import Store

FULL_PATH = "/icp/heartbeat"
DELTA_PATH = "/icp/deltaHeartbeat"

_log = structlog.get_logger(__name__)

_KNOWN = Outbound(200, wire.ACKNOWLEDGED)
_FULL_REQUIRED = Outbound(200, wire.ACKNOWLEDGED_FULL_REQUIRED)


class RuntimeEdge(msgspec.Struct, kw_only=True, eq=False):
    """What answers runtimes."""

    store: Store
    board: Board
    keyring: Keyring
    tokens: TokenReader
    refusals: RefusalBook
    figures: Figures
    clock: Clock
    announce: Callable[[Sequence[Turn]], None]
    """Tells everybody that runtimes are back."""

    def handle(self, request: Inbound) -> Outbound | Awaitable[Outbound]:
        """Answer a request."""
        if request.path == DELTA_PATH:
            return self._delta(request) if request.method == "POST" else _not_allowed()
        if request.path == FULL_PATH:
            return self._full(request) if request.method == "POST" else _not_allowed()
        return _nothing_here(request.path)

    def _delta(self, request: Inbound) -> Outbound | Awaitable[Outbound]:
        try:
            key = self.keyring.peek(self.tokens.key_id(request.authorization))
            if key is None:
                return self._delta_of_unloaded_key(request)
            return self._delta_signed(request, key)
        except Refused as error:
            return self._refuse(error, request)

    async def _delta_of_unloaded_key(self, request: Inbound) -> Outbound:
        try:
            return self._delta_signed(request, await self._load_key(request))
        except PilothouseError as error:
            return self._refuse(error, request)

    def _delta_signed(self, request: Inbound, key: Key) -> Outbound:
        now = self.clock.now()
        self.tokens.verify(request.authorization, key.signing, now)
        heartbeat = wire.decode_delta(request.body)
        self.keyring.note_use(key, now)
        binding = key.facts.binding
        entry = (
            None
            if binding is None
            else self.board.find(binding.integration_id, key.facts.environment_id, heartbeat.runtime_id)
        )
        if entry is None:
            self.figures.full_required += 1
            return _FULL_REQUIRED
        if self.board.touch(entry, now, request.address):
            self._returned(entry, now)
        if entry.runtime_hash != heartbeat.runtime_hash:
            self.figures.full_required += 1
            return _FULL_REQUIRED
        self.figures.delta_heartbeats += 1
        return _KNOWN

    async def _full(self, request: Inbound) -> Outbound:
        heartbeat: FullHeartbeat | None = None
        try:
            key = await self._load_key(request)
            now = self.clock.now()
            self.tokens.verify(request.authorization, key.signing, now)
            heartbeat = wire.decode_full(request.body)
            self.keyring.note_use(key, now)
            prepared = prepare_artifacts(heartbeat)
            told = fingerprint(heartbeat, prepared, key.facts.key_id, now)
            if self._is_known(key, heartbeat, told, request.address, now):
                return _KNOWN
            recorded = await self.store.write(
                partial(
                    record_full,
                    sender=key.facts,
                    heartbeat=heartbeat,
                    prepared=prepared,
                    address=request.address,
                    now=now,
                    is_offline=partial(self.board.is_offline, now=now),
                )
            )
        except PilothouseError as error:
            return self._refuse(error, request, heartbeat)
        self._put_up(recorded, told)
        self.refusals.settle(key.facts.key_id, heartbeat.runtime_id)
        self.figures.full_heartbeats += 1
        return _KNOWN

    async def _load_key(self, request: Inbound) -> Key:
        return await self.keyring.load(self.tokens.key_id(request.authorization))

    def _is_known(self, key: Key, heartbeat: FullHeartbeat, told: bytes, address: str, now: Instant) -> bool:
        """Note a runtime that says in full what is stored already: a reconnect storm costs the database nothing."""
        binding = key.facts.binding
        entry = binding and self.board.find(binding.integration_id, key.facts.environment_id, heartbeat.runtime_id)
        if entry is None or entry.told != told or self.board.is_offline(entry.runtime_key, now):
            return False
        if self.board.touch(entry, now, address):
            self._returned(entry, now)
        self.refusals.settle(key.facts.key_id, heartbeat.runtime_id)
        self.figures.full_heartbeats += 1
        return True

    def _put_up(self, recorded: Recorded, told: bytes) -> None:
        """Show on the board what was stored, keeping what only the board knows."""
        for key in recorded.retired:
            self.board.take_down(key)
        row = recorded.presence
        before = self.board.find_key(row.runtime_key)
        entry = Entry(
            **{name: getattr(row, name) for name in PresenceRow.__struct_fields__},
            interval_is_reported=recorded.interval_is_reported,
            told=told,
        )
        if before is not None:
            if not recorded.interval_is_reported:
                gap_s = row.seen_at - before.seen_at
                entry.interval_s = next_interval_s(before.interval_s, gap_s, self.board.rules)
            if before.status is Status.RUNNING and not self.board.is_offline(row.runtime_key, row.seen_at):
                entry.running_since = before.running_since
        entry.dirty = True
        self.board.put(entry)

    def _returned(self, entry: Entry, now: Instant) -> None:
        turn = Turn(entry=entry, verdict=self.board.judge(entry, now), at=now)
        self.board.announce(turn)
        self.announce([turn])

    def _refuse(self, error: PilothouseError, request: Inbound, heartbeat: FullHeartbeat | None = None) -> Outbound:
        status = status_of(error)
        if status == UNAVAILABLE:
            self.figures.unavailable += 1
            _log.error("heartbeat.unavailable", code=error.code, cause=error.message, address=request.address)
            return Outbound(
                status,
                wire.refusal(
                    "UNAVAILABLE",
                    "The control plane cannot take heartbeats right now.",
                    "Nothing to do here: try again.",
                ),
                (("retry-after", str(RETRY_AFTER_S)),),
            )
        self.figures.refused[error.code] += 1
        sender = self._sender(request, heartbeat)
        count = self.refusals.note(error.code, error.message, error.fix, sender, self.clock.now())
        if worth_a_line(count):
            _log.warning(
                "heartbeat.refused",
                code=error.code,
                cause=error.message,
                fix=error.fix,
                times=count,
                **{name: value for name, value in msgspec.structs.asdict(sender).items() if value is not None},
            )
        if status == ACKNOWLEDGED_FALSE:
            return Outbound(
                status, wire.not_acknowledged([f"{error.message} {error.fix}"], code=error.code, fix=error.fix)
            )
        return Outbound(status, wire.refusal(error.code, error.message, error.fix))

    def _sender(self, request: Inbound, heartbeat: FullHeartbeat | None) -> RefusedSender:
        try:
            key_id = self.tokens.key_id(request.authorization)
        except Refused:
            key_id = None
        if heartbeat is None:
            return RefusedSender(address=request.address, key_id=key_id)
        return RefusedSender(
            address=request.address,
            key_id=key_id,
            runtime_id=heartbeat.runtime_id,
            runtime_name=heartbeat.runtime_name,
            environment=heartbeat.environment,
            project=heartbeat.project,
            integration=heartbeat.integration,
        )


def _not_allowed() -> Outbound:
    body = wire.refusal("METHOD_NOT_ALLOWED", "Heartbeats are sent with POST.", "Send a POST request.")
    return Outbound(405, body, (("allow", "POST"),))


def _nothing_here(path: str) -> Outbound:
    return Outbound(
        404,
        wire.refusal(
            "NOT_FOUND",
            f"Nothing is at {path[:200]} on the runtimes' port.",
            f"Runtimes send to {FULL_PATH} and {DELTA_PATH}; the console is on the other port (9446).",
        ),
    )
