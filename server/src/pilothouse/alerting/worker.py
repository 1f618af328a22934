"""The work of alerts: judging when something happens and as time goes by, sending, and forgetting what is old."""

import asyncio
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
from pilothouse.operations import alert_judging
from pilothouse.operations.alert_judging import Found, Known
from pilothouse.presence.board import Board
from pilothouse.reconcile.alerts import GATHER_S, AlertCondition, Rule
from pilothouse.storage import alert_expiring, alert_outbox, alert_rules, alert_silences, alerts
from pilothouse.storage.unit import Store, Transaction
from pilothouse.telemetry.intake import Loss
from pilothouse.telemetry.store import TelemetryStore

JUDGE_EVERY_S: Final = 5.0
SEND_EVERY_S: Final = 2.0
TIDY_EVERY_S: Final = 3_600.0
KEEP_S: Final = 90 * 86_400.0
NOTED_EVERY_S: Final = 30.0
"""That a rule was judged is written this often, unless its trouble is another one."""
SETTLE_S: Final = 0.1
"""What happens together is judged together."""
LOOKS_BACK_SHARE: Final = 60
"""A rule that looks back far is judged seldom: once in a sixtieth of what it looks back, within these bounds."""
SELDOM_S: Final = 60.0
_AT_ONCE: Final = 4
"""Rules that ask the telemetry store at the same time."""

ON_RUNTIMES: Final = frozenset({AlertCondition.RUNTIME_OFFLINE, AlertCondition.REPLICAS_BELOW})
ON_TELEMETRY: Final = frozenset(
    {AlertCondition.ERROR_RATE, AlertCondition.LATENCY, AlertCondition.LOG_PATTERN, AlertCondition.NO_TRAFFIC}
)
QUICK: Final = frozenset(AlertCondition) - ON_TELEMETRY
"""What is judged without asking the telemetry store, which may be slow."""
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

    def __init__(self, store: Store, sources: Sources, sender: Sender, clock: Clock) -> None:
        self._store = store
        self._sources = sources
        self.sender = sender
        self._clock = clock
        self._wake = asyncio.Event()
        self._send_soon = asyncio.Event()
        # By rule: when it was judged last, when that was written last, and its trouble then. Bounded by the number of rules.
        self._judged: dict[str, Instant] = {}
        self._noted: dict[str, tuple[Instant, str | None]] = {}

    def follow(self, event: Event) -> None:
        """Judge soon when something happened that a rule may be about."""
        if event.kind in _WAKING:
            self._wake.set()

    def wake(self) -> None:
        """Judge soon: rules, silences or channels were changed."""
        self._judged.clear()
        self._wake.set()

    async def run(self) -> None:
        """Judge, send and forget until cancelled."""
        await asyncio.gather(
            self._repeat(partial(self.judge, QUICK), JUDGE_EVERY_S, self._wake, settle_s=SETTLE_S),
            self._repeat(partial(self.judge, ON_TELEMETRY), JUDGE_EVERY_S, None),
            self._repeat(self.sender.send_due, SEND_EVERY_S, self._send_soon, settle_s=GATHER_S),
            self._repeat(self.tidy, TIDY_EVERY_S, None),
        )

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
            self._judged[rule.id] = now
            changes = alert_judging.changes_of(rule, one, known, now)
            if changes:
                told += await self._store.write(partial(alert_judging.keep, rule=rule, changes=changes, now=now))
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
        """Let go of connections."""
        await self.sender.close()

    def _is_due(self, rule: Rule, now: Instant) -> bool:
        if rule.condition not in ON_TELEMETRY:
            return True
        every_s = min(SELDOM_S, rule.window_s / LOOKS_BACK_SHARE)
        return now - self._judged.get(rule.id, 0.0) >= every_s - SETTLE_S

    async def _measure(self, rules: Sequence[Rule], known: Known, now: Instant) -> list[Found]:
        seen = fleet.look(self._sources.board, now)
        names = await self._names(rules, known, seen)
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(rule: Rule) -> Found:
            open_ = known.open.get(rule.id, {})
            if rule.condition in ON_RUNTIMES:
                return fleet.measure(rule, seen, names, frozenset(open_))
            if rule.condition is AlertCondition.TELEMETRY_DROPPED:
                return figures.measure_losses(rule, self._sources.losses, now)
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

    @staticmethod
    async def _repeat(
        job: Callable[[], Awaitable[object]], every_s: float, wake: asyncio.Event | None, *, settle_s: float = 0.0
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
            except PilothouseError as error:
                _log.error("alerts.failed", cause=error.message, fix=error.fix)
            except Exception:  # noqa: BLE001 - an edge: the work goes on
                _log.exception("alerts.failed")
