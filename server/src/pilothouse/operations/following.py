"""One order of events for all processes that share a database: each hears what every other commits, once.

Where only this process writes, what it commits is handed on at once. Where others write too, the table of events is read
beyond the last number that was handed on, and everything is handed on in the order of the numbers, our own commits included:
a subscription drops what is older than what it saw, so an event that came out of step would be lost to it.

Numbers are given out before a commit, so a smaller one may become visible after a larger one. A missing number is therefore
waited for, at most `GAP_WAIT_S`: longer than any commit takes, and short enough that a number that was given out to a
transaction that failed, and will never come, holds nobody up for long. Should it come after all, it is not handed on out of
step: the caches are told of it, and the subscriptions that they missed something and must read again.

Caches are told of our own commits at once, so that who writes reads what was written; of everybody else's in order.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec
import structlog

from pilothouse.base.errors import PilothouseError
from pilothouse.domain.events import Event
from pilothouse.observe.works import Works
from pilothouse.operations.bus import Bus
from pilothouse.storage import events
from pilothouse.storage.unit import Store

_log = structlog.get_logger(__name__)

GAP_WAIT_S: Final = 5.0
"""Unit: seconds. So long a missing number holds up those after it."""
GAP_LOOK_S: Final = 0.05
"""Unit: seconds between two looks for a missing number."""
LATE_S: Final = 300.0
"""Unit: seconds. So long a number that was given up is still looked for."""
READ_MAX: Final = 1_000
"""Events that are read at once."""
HELD_MAX: Final = 20_000
"""Events that wait for a missing number; with more, it is given up."""
GAPS_MAX: Final = 100
"""Gaps that are still looked for; the oldest goes first."""
_LOOK: Final = "look"


class _Gap(msgspec.Struct, frozen=True):
    """Numbers that were given up."""

    low: int
    high: int
    since_s: float


class Following:
    """Hands events on to the bus: at once, or in step with what other processes commit."""

    def __init__(self, bus: Bus, every_s: float) -> None:
        self._bus = bus
        self._every_s = every_s
        self._position: int | None = None
        """The last number that was handed on; None while nobody else is followed."""
        self._published = 0
        """The last number of our own that was handed on before others were followed."""
        # Events by number that are known and not handed on yet; None: of a kind that is not ours. Cap: HELD_MAX.
        self._held: dict[int, Event | None] = {}
        # Our own among them: the caches know them already.
        self._own: set[int] = set()
        self._gap_since_s: float | None = None
        self._given_up: list[_Gap] = []
        self._wake = asyncio.Event()
        self._works = Works()
        self.handed_on = 0
        """Events of other processes that were handed on."""

    @property
    def held(self) -> int:
        """Events that wait for a missing number."""
        return len(self._held)

    @property
    def failure(self) -> str:
        """Why the last look failed; empty when it went well."""
        return self._works.of(_LOOK).cause

    def failing_s(self) -> float:
        """Tell for how long nothing could be read; 0 while all is well."""
        return self._works.failing_s(_LOOK)

    def age_s(self) -> float | None:
        """Tell how long ago the last look was that went well; None before the first."""
        return self._works.age_s(_LOOK)

    @property
    def position(self) -> int | None:
        """The last number that was handed on; None where nobody else writes."""
        return self._position

    def committed(self, happened: Sequence[Event]) -> None:
        """Take what this process committed."""
        if self._position is None:
            self._bus.publish(happened)
            self._published = max([self._published, *(event.sequence for event in happened)])
            return
        for event in happened:
            if event.sequence > self._position:
                self._bus.tell_followers([event])
                self._held[event.sequence] = event
                self._own.add(event.sequence)
            elif self._take_from_given_up(event.sequence):
                self._bus.tell_followers([event])
                self._bus.publish_unknown()
            # else it was read, and handed on, before the writer came to tell of it
        self._hand_on()
        if self._held:
            self._wake.set()

    async def begin(self, store: Store) -> None:
        """Follow from here on; what is older is read from the database by whoever needs it.

        Raises: Unavailable
        """
        if self._every_s > 0:
            _, newest = await store.read(events.bounds)
            self._position = max(newest, self._published)  # one of ours may have come while that was read

    async def run(self, store: Store) -> None:
        """Follow until cancelled."""
        while self._every_s > 0:
            try:
                await self.look(store)
                self._works.done(_LOOK)
            except PilothouseError as error:
                self._works.failed(_LOOK, error.message)
                _log.error("events.not_followed", cause=error.message, fix=error.fix)
            wait_s = min(self._every_s, GAP_LOOK_S) if self._held else self._every_s
            try:
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
                if self._held:
                    await asyncio.sleep(GAP_LOOK_S / 10)
            except TimeoutError:
                pass
            self._wake.clear()

    async def look(self, store: Store) -> None:
        """Read what was committed since the last look and hand it on.

        Raises: Unavailable
        """
        while self._position is not None:
            low = self._position + 1
            found = await store.read(partial(events.list_between, low=low, high=None, limit=READ_MAX))
            for sequence, event in found:
                if sequence > self._position and sequence not in self._held:
                    self._held[sequence] = event
            self._hand_on()
            self._wait_for_the_missing()
            if len(found) < READ_MAX or self._position < low:
                break
        await self._look_for_late_ones(store)

    def _hand_on(self) -> None:
        """Hand on everything up to the first missing number."""
        if self._position is None:
            return
        while self._position + 1 in self._held:
            self._position += 1
            event = self._held.pop(self._position)
            is_own = self._position in self._own
            self._own.discard(self._position)
            if event is not None:
                if not is_own:
                    self.handed_on += 1
                    self._bus.tell_followers([event])
                self._bus.tell_subscriptions([event])
            self._gap_since_s = None

    def _wait_for_the_missing(self) -> None:
        """Give up a missing number that did not come in time."""
        if not self._held or self._position is None:
            return
        now_s = asyncio.get_running_loop().time()
        if self._gap_since_s is None:
            self._gap_since_s = now_s
        if now_s - self._gap_since_s < GAP_WAIT_S and len(self._held) < HELD_MAX:
            return
        first = min(self._held)
        self._given_up = [*self._given_up, _Gap(self._position + 1, first - 1, now_s)][-GAPS_MAX:]
        self._position = first - 1
        self._gap_since_s = None
        self._hand_on()

    async def _look_for_late_ones(self, store: Store) -> None:
        """Tell of numbers that came after they were given up."""
        now_s = asyncio.get_running_loop().time()
        self._given_up = [gap for gap in self._given_up if now_s - gap.since_s < LATE_S]
        for gap in list(self._given_up):
            late = await store.read(partial(events.list_between, low=gap.low, high=gap.high, limit=READ_MAX))
            if not late:
                continue
            _log.warning("events.came_late", first=late[0][0], count=len(late))
            for sequence, _ in late:
                self._take_from_given_up(sequence)
            self._bus.tell_followers([event for _, event in late if event is not None])
            self._bus.publish_unknown()

    def _take_from_given_up(self, sequence: int) -> bool:
        """Look no more for a number; False when it was not given up."""
        for gap in self._given_up:
            if gap.low <= sequence <= gap.high:
                self._given_up.remove(gap)
                around = (_Gap(gap.low, sequence - 1, gap.since_s), _Gap(sequence + 1, gap.high, gap.since_s))
                self._given_up += [part for part in around if part.low <= part.high]
                return True
        return False
