"""How a FastStream subscriber is stopped without losing a message: the order, with what differs per broker left open."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from pilothouse_bridge._steering import SteeringError
from pilothouse_bridge.discover._broker_hand import Hand

_END_LIMIT_S = 10.0


@dataclass(frozen=True)
class Counts:
    """What became of the work in hand."""

    finished: int
    returned: int
    cut: int
    stubborn: int = 0
    """Handlers that could not be ended and go on."""


class Broker(ABC):
    """What differs between brokers. Coroutines run on the subscriber's own event loop."""

    protocol = ""
    #: Messages that are sent while nobody listens are gone: no order of stopping can keep them.
    forgets = False

    @abstractmethod
    def source(self, subscriber: Any) -> str:
        """The queue, topic, subject or channel."""

    def group(self, subscriber: Any) -> str | None:
        """The group that shares the source."""
        del subscriber
        return None

    def trouble(self, subscriber: Any, hand: Hand) -> str | None:
        """Why a running subscriber gets nothing; one sentence."""
        del subscriber
        return hand.trouble

    def keeps(self, subscriber: Any) -> bool:
        """Whether the broker keeps what is sent while the subscriber is stopped."""
        del subscriber
        return not self.forgets

    def is_known(self, subscriber: Any) -> bool:
        """Whether this release's subscriber is as this module knows it."""
        del subscriber
        return True

    def check(self, subscriber: Any) -> None:
        """Raise SteeringError when this one cannot be stopped without loss."""
        del subscriber

    @abstractmethod
    async def refuse(self, subscriber: Any, hand: Hand) -> None:
        """Let no new message come, while those that came are handled as before."""

    def waiting(self, subscriber: Any) -> int:
        """Messages that came and that neither a handler nor the hand's queue has yet."""
        del subscriber
        return 0

    def leftover(self, subscriber: Any) -> list[Any]:
        """Messages of ``waiting`` that are still there when the grace is over, taken out."""
        del subscriber
        return []

    @abstractmethod
    async def hand_back(self, subscriber: Any, cut: list[Any], unbegun: list[Any]) -> int:
        """Give back what was cut off and what no handler had yet; answers how many of the latter went back."""

    async def end(self, subscriber: Any, hand: Hand, *, is_drained: bool) -> None:
        """Stop for good, now that nothing is in hand."""
        del hand, is_drained
        await subscriber.stop()

    async def begin(self, subscriber: Any, hand: Hand) -> None:
        """Start again."""
        del hand
        await subscriber.start()


class ShownOnly(Broker):
    """A broker whose subscribers are visible and never stopped: ``check`` says why."""

    @abstractmethod
    def check(self, subscriber: Any) -> None: ...

    async def refuse(self, subscriber: Any, hand: Hand) -> None:
        """Never: as ``check`` says."""
        del hand
        self.check(subscriber)

    async def hand_back(self, subscriber: Any, cut: list[Any], unbegun: list[Any]) -> int:
        """Never: as ``check`` says."""
        del cut, unbegun
        self.check(subscriber)
        return 0


async def stop(broker: Broker, subscriber: Any, hand: Hand, grace_s: float) -> Counts:
    """Refuse, finish what is in hand, hand the rest back, end."""
    hand.draining = True
    before = hand.ended
    try:
        # A broker that is away gives nothing and takes nothing back: whatever is not acknowledged is its own again.
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await asyncio.wait_for(broker.refuse(subscriber, hand), _END_LIMIT_S)
        is_drained = await hand.drained(grace_s, lambda: broker.waiting(subscriber))
        counts = Counts(hand.ended - before, 0, 0)
        if not is_drained:
            counts = await _cut(broker, subscriber, hand, counts.finished)
        await asyncio.wait_for(broker.end(subscriber, hand, is_drained=is_drained), _END_LIMIT_S)
        return counts
    finally:
        hand.forget()
        hand.refusing = hand.held
        hand.draining = False


async def _cut(broker: Broker, subscriber: Any, hand: Hand, finished: int) -> Counts:
    unbegun = hand.unbegun()
    # From here on the library begins no handler, whatever it still has.
    subscriber.running = False
    cut = await hand.cut()
    await hand.read_to_the_end()
    unbegun += [one for one in hand.refused if not any(one is other for other in unbegun)]
    unbegun += broker.leftover(subscriber)
    returned = await broker.hand_back(subscriber, cut, unbegun)
    stubborn = hand.handlers()
    if stubborn:
        # The library would wait for them a second time.
        subscriber.lock = contextlib.nullcontext()
    return Counts(finished, returned, len(cut) + max(0, len(unbegun) - returned), stubborn)


async def start(broker: Broker, subscriber: Any, hand: Hand) -> None:
    """Start again; a start that fails half-way is undone, so that the next one can succeed."""
    # FastStream says so last of all, and drops what the broker sends before it: unacknowledged, stuck.
    subscriber.running = True
    try:
        await broker.begin(subscriber, hand)
    except BaseException:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(subscriber.stop(), _END_LIMIT_S)
        raise


def not_supported(message: str, fix: str) -> SteeringError:
    """This kind of subscriber is visible and cannot be steered."""
    return SteeringError("NOT_SUPPORTED", 501, message, fix)
