"""Events on their way to whoever listens in this process: subscriptions, caches."""

import asyncio
from collections.abc import Callable, Sequence

from pilothouse.domain.events import Event

QUEUE_MAX = 2_000
"""Events that wait for one subscriber. When it is full the subscriber is told to read its page again."""


class Subscription:
    """One listener's queue."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event] = asyncio.Queue(QUEUE_MAX)
        self._missed = False
        self._wake = asyncio.Event()
        self.closed = False
        """True once the control plane stops: there is nothing more to wait for."""

    @property
    def waiting(self) -> int:
        """Events in the queue."""
        return self._queue.qsize()

    def close(self) -> None:
        """End the wait."""
        self.closed = True
        self._wake.set()

    def offer(self, event: Event) -> bool:
        """Put an event into the queue; False when there is no room and the listener must read again."""
        self._wake.set()
        if self._missed or self._queue.full():
            self._missed = True
            return False
        self._queue.put_nowait(event)
        return True

    def miss(self) -> None:
        """Tell the listener that something happened which has no event."""
        self._missed = True
        self._wake.set()

    async def take(self, gather_s: float) -> tuple[Sequence[Event], bool]:
        """Wait for events and take what came within a moment; the flag says that some were missed."""
        await self._wake.wait()
        await asyncio.sleep(gather_s)
        self._wake.clear()
        taken: list[Event] = []
        while not self._queue.empty():
            taken.append(self._queue.get_nowait())
        missed, self._missed = self._missed, False
        return taken, missed


class Bus:
    """Hands every committed event to every listener, in order."""

    def __init__(self, count_lost: Callable[[], None]) -> None:
        self._subscriptions: set[Subscription] = set()
        self._followers: list[Callable[[Event], None]] = []
        self._count_lost = count_lost
        self._closed = False

    def __len__(self) -> int:
        return len(self._subscriptions)

    @property
    def waiting(self) -> int:
        """Events that wait for the slowest subscription."""
        return max((subscription.waiting for subscription in self._subscriptions), default=0)

    @property
    def closed(self) -> bool:
        """Whether the control plane stops."""
        return self._closed

    def follow(self, follower: Callable[[Event], None]) -> None:
        """Call a function for every event, at once; for caches."""
        self._followers.append(follower)

    def publish(self, happened: Sequence[Event]) -> None:
        """Hand out events that were committed."""
        self.tell_followers(happened)
        self.tell_subscriptions(happened)

    def tell_followers(self, happened: Sequence[Event]) -> None:
        """Bring the caches up to date, and nobody else."""
        for event in happened:
            for follower in self._followers:
                follower(event)

    def tell_subscriptions(self, happened: Sequence[Event]) -> None:
        """Tell the listeners, whose events are in the order of their numbers."""
        for event in happened:
            for subscription in self._subscriptions:
                if not subscription.offer(event):
                    self._count_lost()

    def publish_unknown(self) -> None:
        """Tell every listener to read again: something changed that could not be written as an event."""
        for subscription in self._subscriptions:
            subscription.miss()

    def close(self) -> None:
        """Let every listener go: the control plane stops."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.close()

    def subscribe(self) -> Subscription:
        """Begin to listen."""
        subscription = Subscription()
        if self._closed:
            subscription.close()
        self._subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop listening."""
        self._subscriptions.discard(subscription)
