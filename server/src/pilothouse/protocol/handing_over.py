"""Handing commands over: with the answer to a heartbeat, or over the channel as soon as they are queued.

A command counts as delivered once that is durable; only then does it leave. A heartbeat does not wait for that longer than
`LOOK_S`: what became durable later leaves with the next one.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final, final

import msgspec
import structlog

from pilothouse.base.clock import Clock
from pilothouse.base.errors import PilothouseError
from pilothouse.base.instants import Instant
from pilothouse.domain.commands import BI_ACTIONS, STANDARD_RULES, Command, CommandRoute, CommandRules
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.operations.reconciling import Handover, Look, look_of, settle_all
from pilothouse.operations.sealed_payloads import reveal
from pilothouse.presence import Agenda, Board, Entry
from pilothouse.presence.agenda import BOOST_S, Item
from pilothouse.protocol import wire
from pilothouse.protocol.channel import ChannelDesk
from pilothouse.protocol.exchange import Outbound
from pilothouse.protocol.keyring import Key, Keyring
from pilothouse.protocol.wire_commands import to_wire
from pilothouse.storage.commands import SteeredRuntime
from pilothouse.storage.sealing import CannotUnseal, Vault
from pilothouse.storage.unit import Store, Transaction

PUSHED_AT_ONCE: Final = 100
"""Runtimes whose commands are settled in one transaction."""

LOOK_S: Final = 2.0
"""Unit: seconds. So long a heartbeat waits for its commands; then it is acknowledged without them, and they stay due."""
LATE_S: Final = 30.0
"""Unit: seconds. What counts as delivered for longer leaves no more: it is offered again when its time has come."""

_log = structlog.get_logger(__name__)
_OBSERVED_BY_HEARTBEAT: Final = BI_ACTIONS


class _Look(msgspec.Struct, frozen=True, eq=False):
    """A look at a runtime's commands."""

    began_at: Instant
    asked: int
    """The agenda's count from before."""
    handover: asyncio.Task[Handover | None]

    def is_over(self, now: Instant) -> bool:
        """Tell whether it was of no use."""
        return self.handover.done() and now - self.began_at > LATE_S


@final
class HandingOver:
    """What goes out to runtimes beyond the acknowledgement."""

    def __init__(
        self,
        store: Store,
        board: Board,
        agenda: Agenda,
        keyring: Keyring,
        desk: ChannelDesk,
        clock: Clock,
        rules: CommandRules = STANDARD_RULES,
        *,
        vault: Vault,
    ) -> None:
        self._vault = vault
        self._store = store
        self._board = board
        self._agenda = agenda
        self._keyring = keyring
        self._desk = desk
        self._clock = clock
        self._rules = rules
        # Runtimes with a channel whose commands are to leave, in the order of asking; emptied by `push_wanted`.
        self._wanted: dict[int, None] = {}
        self._wake = asyncio.Event()
        self.look_s = LOOK_S
        self._looks: dict[int, _Look] = {}
        """By runtime: looks that are under way, and those that ended after the heartbeat was answered; emptied by `sweep`."""

    def next_beat_s(self, entry: Entry, item: Item | None, now: Instant) -> int | None:
        """Tell a runtime when to come back, where that is not its own affair."""
        paced_s = self._board.next_beat_s(entry)
        boosted_s = None if item is None else item.next_beat_s(now)
        if boosted_s is None:
            return paced_s
        if paced_s is not None:
            return min(boosted_s, paced_s)
        own_s = entry.own_interval_s  # a longer one would have it come back later because somebody waits
        return None if own_s is not None and own_s <= boosted_s else boosted_s

    async def look(self, key: Key, entry: Entry, now: Instant) -> Outbound:
        """Answer a delta heartbeat of a runtime that has commands; the beat counts, whatever the database says."""
        known = self._looks.get(entry.runtime_key)
        if known is None or now - known.began_at > LATE_S:
            known = self._looks[entry.runtime_key] = self._begin(entry, now)
        await asyncio.wait((known.handover,), timeout=self.look_s)
        if self._looks.get(entry.runtime_key) is not known:
            return Outbound(200, wire.acknowledged(full_required=False))  # another answer had it
        if not known.handover.done():
            _log.warning("commands.late", runtime=entry.runtime_id, waited_s=self.look_s)
            return Outbound(200, wire.acknowledged(full_required=False))
        del self._looks[entry.runtime_key]
        handover = known.handover.result()
        if handover is None:
            return Outbound(200, wire.acknowledged(full_required=False))
        if handover.look_again_at is not None:  # it leaves so much later than it was looked at
            again_at = handover.look_again_at + (now - known.began_at)
            handover = msgspec.structs.replace(handover, look_again_at=again_at)
        return self.answer(handover, key, entry, now, asked=known.asked)

    def _begin(self, entry: Entry, now: Instant) -> "_Look":
        route = CommandRoute.TUNNEL if entry.runtime_type is RuntimeType.MI else CommandRoute.HEARTBEAT
        asked = self._agenda.asked
        settled = self._settled(entry.runtime_id, look_of(entry, route, now))
        return _Look(now, asked, asyncio.create_task(settled, name=f"pilothouse-look-{entry.runtime_key}"))

    async def _settled(self, runtime_id: str, look: Look) -> Handover | None:
        try:
            return await self._store.write_together(self._settle_all, look)
        except PilothouseError as error:
            _log.error("commands.not_handed_over", runtime=runtime_id, cause=error.message)
            return None

    def _late(self, runtime_key: int, now: Instant) -> tuple[Command, ...]:
        """Take what counts as delivered since a look that nobody waited for any longer."""
        known = self._looks.get(runtime_key)
        if known is None or not known.handover.done():
            return ()
        del self._looks[runtime_key]
        handover = known.handover.result()
        return () if handover is None or now - known.began_at > LATE_S else handover.delivered

    def sweep(self, now: Instant) -> None:
        """Forget looks whose runtimes did not come back for what they found: it is offered again when its time has come."""
        for key in [key for key, known in self._looks.items() if known.is_over(now)]:
            del self._looks[key]

    def _settle_all(self, tx: Transaction, looks: Sequence[Look]) -> list[Handover]:
        return settle_all(tx, looks, rules=self._rules)

    async def close(self) -> None:
        """End the looks that are under way."""
        looks = [known.handover for known in self._looks.values()]
        self._looks.clear()
        for each in looks:
            each.cancel()
        await asyncio.gather(*looks, return_exceptions=True)

    def answer(self, handover: Handover, key: Key, entry: Entry, now: Instant, *, asked: int) -> Outbound:
        """Acknowledge a heartbeat, with the commands that leave with it; `asked` is the agenda's count from before."""
        self._agenda.settle(entry.runtime_key, handover.look_again_at, now, asked=asked)
        if handover.awaited_since is not None and handover.awaited_since + BOOST_S > now:
            self._agenda.boost(entry.runtime_key, handover.awaited_since)  # whichever process was asked
        item = self._agenda.find(entry.runtime_key)
        delivered = {each.id: each for each in (*self._late(entry.runtime_key, now), *handover.delivered)}
        told = self._tell(handover.runtime, tuple(delivered.values()), key, now)
        # After these it reports in full, so that success and failure are known one interval later (section 6.5, 3).
        wants_full = any(each["action"] in _OBSERVED_BY_HEARTBEAT for each in told)
        return Outbound(200, wire.acknowledged(wants_full, told, self.next_beat_s(entry, item, now)))

    def push(self, runtime_key: int) -> None:
        """Have a runtime's commands leave over its channel, soon."""
        if runtime_key in self._desk:
            self._wanted[runtime_key] = None
            self._wake.set()

    async def push_wanted(self) -> None:
        """Send what is wanted over channels, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._wanted:
                keys = list(self._wanted)[:PUSHED_AT_ONCE]
                for key in keys:
                    del self._wanted[key]
                try:
                    await self._push_these(keys)
                except Exception:  # noqa: BLE001 - an edge: the work goes on
                    _log.exception("commands.not_pushed", runtimes=len(keys))

    async def _push_these(self, runtime_keys: Sequence[int]) -> None:
        now, asked = self._clock.now(), self._agenda.asked
        # Who lost its channel meanwhile is told by its next heartbeat, without a wait for an answer that cannot come.
        entries = [
            entry for key in runtime_keys if key in self._desk and (entry := self._board.find_key(key)) is not None
        ]

        looks = [look_of(entry, CommandRoute.CHANNEL, now) for entry in entries]
        try:
            handovers = await self._store.write(partial(self._settle_all, looks=looks))
        except PilothouseError as error:
            # They stay queued: the next heartbeat takes them.
            _log.error("commands.not_pushed", runtimes=len(entries), cause=error.message)
            return
        for entry, handover in zip(entries, handovers, strict=True):
            self._agenda.settle(entry.runtime_key, handover.look_again_at, now, asked=asked)
            try:
                await self._send(entry, handover, now)
            except PilothouseError as error:
                # They are offered again; those of the others leave.
                _log.error("commands.not_sent", runtime=entry.runtime_id, cause=error.message)

    async def _send(self, entry: Entry, handover: Handover, now: Instant) -> None:
        key_id = self._desk.key_id_of(entry.runtime_key)
        if key_id is None or not handover.delivered:
            return
        for told in self._tell(handover.runtime, handover.delivered, await self._keyring.load(key_id), now):
            self._desk.send_command(entry.runtime_key, told)

    def _tell(
        self, runtime: SteeredRuntime | None, delivered: Sequence[Command], key: Key, now: Instant
    ) -> list[dict[str, object]]:
        told: list[dict[str, object]] = []
        if runtime is None:
            return told
        for command in delivered:
            try:
                opened = reveal(self._vault, command)
            except CannotUnseal as error:
                # It expires; what else leaves with this answer does leave.
                _log.error("commands.not_opened", command=command.id, cause=error.message, fix=error.fix)
                continue
            told.append(to_wire(command, runtime, key.signing, now, opened))
        return told
