"""The work of alerts: judging when something happens and as time goes by, sending, and forgetting what is old.

Of several processes that share a database one judges, as long as it goes on (`operations/chores.py`): two that see the fleet a moment
apart would open and end the same alert in turn. What only a process itself knows it judges itself. All of them send.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Final

import msgspec
import structlog

from pilothouse.alerting import figures, fleet
from pilothouse.alerting.expiring import Certificate, measure_expiring
from pilothouse.alerting.sending import Sender
from pilothouse.base.clock import Clock
from pilothouse.base.errors import PilothouseError
from pilothouse.base.instants import Instant
from pilothouse.domain.events import Event, EventKind
from pilothouse.observe.works import Works
from pilothouse.operations import alert_judging
from pilothouse.operations.alert_judging import Found, Known
from pilothouse.operations.chores import Claim, is_round_due
from pilothouse.presence.board import Board
from pilothouse.reconcile.alerts import GATHER_S, AlertCondition, Rule
from pilothouse.storage import alert_expiring, alert_outbox, alert_rules, alert_silences, alerts
from pilothouse.storage.unit import Store, Transaction
from pilothouse.telemetry.intake import Loss
from pilothouse.telemetry.store import TelemetryStore

JUDGE_EVERY_S: Final = 5.0
SEND_EVERY_S: Final = 2.0
KEPT_AT_ONCE: Final = 100
"""Changes of a transaction: each is several statements, and between two transactions other writers have their turn."""
TIDY_EVERY_S: Final = 3_600.0
LOOK_FOR_TIDYING_EVERY_S: Final = 300.0
JUDGING: Final = "alerts.judge"
"""What the work of judging is called among processes."""
KEEP_S: Final = 90 * 86_400.0
NOTED_EVERY_S: Final = 30.0
"""That a rule was judged is written this often, unless its trouble is another one."""
SETTLE_S: Final = 0.1
"""What happens together is judged together."""
LOOKS_BACK_SHARE: Final = 60
"""A rule that looks back far is judged seldom: once in a sixtieth of what it looks back, within these bounds."""
SELDOM_S: Final = 60.0
AGAIN_S: Final = 1.0
"""So long after an event it is judged once more: by then what another process heard of a runtime is known here, too."""
_AT_ONCE: Final = 4
"""Rules that ask the telemetry store at the same time."""

ON_RUNTIMES: Final = frozenset({AlertCondition.RUNTIME_OFFLINE, AlertCondition.REPLICAS_BELOW})
ON_TELEMETRY: Final = frozenset(
    {AlertCondition.ERROR_RATE, AlertCondition.LATENCY, AlertCondition.LOG_PATTERN, AlertCondition.NO_TRAFFIC}
)
QUICK: Final = frozenset(AlertCondition) - ON_TELEMETRY
"""What is judged without asking the telemetry store, which may be slow."""
OWN: Final = frozenset({AlertCondition.TELEMETRY_DROPPED})
"""What each process knows of itself alone."""
_WAKING: Final = frozenset(
    {
        EventKind.RUNTIME_REGISTERED,
        EventKind.RUNTIME_RUNNING,
        EventKind.RUNTIME_OFFLINE,
        EventKind.RUNTIME_RETIRED,
        EventKind.RUNTIME_REMOVED,
        EventKind.SECRET_GENERATED,
        EventKind.SECRET_REVOKED,
        EventKind.SECRET_CHANGED,
        EventKind.SECRET_ROTATED,
    }
)

_log = structlog.get_logger(__name__)


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """What rules look at."""

    board: Board
    telemetry: TelemetryStore
    losses: Callable[[], Sequence[Loss]]
    certificates: Callable[[], Sequence[Certificate]] = tuple


class Alerting:
    """Judges the rules of one control plane, and sends what they find."""

    def __init__(
        self, store: Store, sources: Sources, sender: Sender, clock: Clock, claim: Claim | None = None
    ) -> None:
        """Take the parts; claim: how processes that share the database agree who judges, none where there is only this one."""
        self._claim = claim or Claim(store, JUDGING, clock.now, is_alone=True)
        self._store = store
        self._sources = sources
        self.sender = sender
        self._clock = clock
        self._wake = asyncio.Event()
        self._send_soon = asyncio.Event()
        self._again: asyncio.TimerHandle | None = None
        # By rule: when it was judged last and as what, when that was written last, and its trouble then. Bounded by the number of rules.
        self._judged: dict[str, tuple[Instant, Rule]] = {}
        self._noted: dict[str, tuple[Instant, str | None]] = {}
        self.works = Works()
        """How judging, sending and forgetting go."""

    def follow(self, event: Event) -> None:
        """Judge soon when something happened that a rule may be about."""
        if event.kind not in _WAKING:
            return
        self._wake.set()
        if not self._claim.is_alone and (self._again is None or self._again.when() <= _loop_s()):
            self._again = asyncio.get_running_loop().call_later(AGAIN_S, self._wake.set)

    def wake(self) -> None:
        """Judge soon: rules, silences or channels were changed."""
        self._judged.clear()
        self._wake.set()

    async def run(self) -> None:
        """Judge, send and forget until cancelled."""
        await asyncio.gather(
            self._repeat("claim", self._hold, self._claim.renew_s, None),
            self._repeat("judge", partial(self._judge_ours, QUICK), JUDGE_EVERY_S, self._wake, settle_s=SETTLE_S),
            self._repeat("judge_telemetry", partial(self._judge_ours, ON_TELEMETRY), JUDGE_EVERY_S, None),
            self._repeat("send_due", self.sender.send_due, SEND_EVERY_S, self._send_soon, settle_s=GATHER_S),
            self._repeat("tidy", self._tidy_for_all, LOOK_FOR_TIDYING_EVERY_S, None),
        )

    async def _hold(self) -> None:
        """Keep judging, or take it over from a process that is gone, and begin at once."""
        was_held = self._claim.is_held
        if await self._claim.hold() and not was_held:
            self._wake.set()

    async def _judge_ours(self, conditions: frozenset[AlertCondition]) -> None:
        ours = conditions if self._claim.is_held else conditions & OWN
        if ours:
            await self.judge(ours)

    async def _tidy_for_all(self) -> None:
        if await is_round_due(self._store, "alerts.tidy", TIDY_EVERY_S, self._clock.now()):
            await self.tidy()

    async def judge(self, conditions: frozenset[AlertCondition]) -> None:
        """Judge the rules on some conditions once.

        Raises: Unavailable
        """
        now = self._clock.now()
        known = await self._store.read(partial(alert_judging.read, now=now))
        rules = [rule for rule in known.rules if rule.condition in conditions and self._is_due(rule, now)]
        if not rules:
            return
        found = await self._measure(rules, known, now)
        told = 0
        for rule, one in zip(rules, found, strict=True):
            changes = alert_judging.changes_of(rule, one, known, now)
            for start in range(0, len(changes), KEPT_AT_ONCE):
                some = changes[start : start + KEPT_AT_ONCE]
                told += await self._store.write(partial(alert_judging.keep, rule=rule, changes=some, now=now))
            self._judged[rule.id] = (now, rule)  # what could not be stored is judged again soon, and not in a minute
        await self._note(rules, found, now)
        if told:
            self._send_soon.set()

    async def tidy(self) -> None:
        """Forget what ended long ago.

        Raises: Unavailable
        """
        before = self._clock.now() - KEEP_S

        def forget(tx: Transaction) -> tuple[int, int, int]:
            return (
                alerts.forget_before(tx.connection, before),
                alert_outbox.forget_before(tx.connection, before),
                alert_silences.forget_before(tx.connection, before),
            )

        forgotten = await self._store.write(forget)
        if any(forgotten):
            _log.info("alerts.forgot", alerts=forgotten[0], notifications=forgotten[1], silences=forgotten[2])

    async def close(self) -> None:
        """Let go of connections, and leave judging to another process."""
        if self._again is not None:
            self._again.cancel()
        with contextlib.suppress(PilothouseError):
            await self._claim.let_go()
        await self.sender.close()

    def _is_due(self, rule: Rule, now: Instant) -> bool:
        if rule.condition not in ON_TELEMETRY:
            return True
        every_s = min(SELDOM_S, rule.window_s / LOOKS_BACK_SHARE)
        judged_at, judged = self._judged.get(rule.id, (0.0, None))
        return judged != rule or now - judged_at >= every_s - SETTLE_S  # another process may have been told of a change

    async def _measure(self, rules: Sequence[Rule], known: Known, now: Instant) -> list[Found]:
        seen = await fleet.look(self._sources.board, now)
        names = await self._names(rules, known, seen)
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(rule: Rule) -> Found:
            open_ = known.open.get(rule.id, {})
            if rule.condition in ON_RUNTIMES:
                return fleet.measure(rule, seen, names, frozenset(open_))
            if rule.condition is AlertCondition.TELEMETRY_DROPPED:
                others = () if self._claim.is_alone else [stored.alert for stored in open_.values()]
                return figures.measure_losses(rule, self._sources.losses, now, told_by_others=others)
            if rule.condition is AlertCondition.EXPIRING:
                after, before = alert_judging.expiry_bounds(rule, now)
                ending = await self._store.read(partial(alert_expiring.list_secrets, after=after, before=before))
                return measure_expiring(rule, ending, self._sources.certificates(), now)
            async with room:
                return await figures.measure(
                    rule,
                    self._sources.telemetry,
                    running=[place for place, counts in seen.counts.items() if counts.running],
                    known=seen.counts,
                    open_places=[stored.alert.place for stored in open_.values()],
                    now=now,
                )

        return list(await asyncio.gather(*(one(rule) for rule in rules)))

    async def _names(self, rules: Sequence[Rule], known: Known, seen: fleet.Fleet) -> dict[int, str]:
        """Read what people call the runtimes that are told of, and of no others."""
        watching = [rule for rule in rules if rule.condition is AlertCondition.RUNTIME_OFFLINE]
        if not watching:
            return {}
        keys = {
            entry.runtime_key
            for entry, _ in seen.offline
            if any(rule.watches(fleet.place_of(entry)) for rule in watching)
        }
        for rule in watching:
            opened = known.open.get(rule.id, {}).values()
            keys |= {stored.alert.runtime_key for stored in opened if stored.alert.runtime_key is not None}
        if not keys:
            return {}
        return await self._store.read(partial(alerts.runtime_names, keys=sorted(keys)))

    async def _note(self, rules: Sequence[Rule], found: Iterable[Found], now: Instant) -> None:
        judged: list[tuple[str, str | None]] = []
        for rule, one in zip(rules, found, strict=True):
            at, trouble = self._noted.get(rule.id, (0.0, None))
            if now - at >= NOTED_EVERY_S or trouble != one.trouble:
                judged.append((rule.id, one.trouble))
        if judged:
            await self._store.write(lambda tx: alert_rules.note_judged(tx.connection, judged, now))
            self._noted |= {rule_id: (now, trouble) for rule_id, trouble in judged}

    async def _repeat(
        self,
        name: str,
        job: Callable[[], Awaitable[object]],
        every_s: float,
        wake: asyncio.Event | None,
        *,
        settle_s: float = 0.0,
    ) -> None:
        """Do a job again and again, sooner when it is woken; a failure is logged and does not end it."""
        while True:
            try:
                if wake is None:
                    await asyncio.sleep(every_s)
                else:
                    async with asyncio.timeout(every_s):
                        await wake.wait()
                    wake.clear()
                    await asyncio.sleep(settle_s)
            except TimeoutError:
                pass
            try:
                await job()
                self.works.done(name)
            except PilothouseError as error:
                self.works.failed(name, error.message)
                _log.error("alerts.failed", cause=error.message, fix=error.fix)
            except Exception as error:  # noqa: BLE001 - an edge: the work goes on
                self.works.failed(name, type(error).__name__)
                _log.exception("alerts.failed")


def _loop_s() -> float:
    return asyncio.get_running_loop().time()
