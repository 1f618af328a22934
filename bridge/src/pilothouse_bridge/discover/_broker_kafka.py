"""Kafka: stop polling, finish what was polled, keep the place in the group for a moment, then leave it.

To join a group again takes seconds; a consumer that is started again within the moment goes on at once. After it the
partitions go to the others of the group. Source: confluent-kafka 2.16.
"""

import asyncio
import contextlib
import functools
from typing import Any, Final, cast

from pilothouse_bridge import _say
from pilothouse_bridge.discover._broker_base import Broker, ShownOnly, not_supported
from pilothouse_bridge.discover._broker_hand import Hand, gate_reads, is_gated

#: A rebalance of the group waits for us that long at most, because we do not poll.
_HOLD_S: Final = 10.0
#: How long the group's record of what is committed is waited for.
_ASK_S: Final = 5.0


def watch_reads(module: Any) -> None:
    """Gate what polls."""
    for name in ("DefaultSubscriber", "BatchSubscriber"):
        gate_reads(getattr(module, name), "get_msg", None)


class Confluent(Broker):
    """Subscribers of ``faststream.confluent``."""

    protocol = "confluent"

    def __init__(self, hold_s: float = _HOLD_S) -> None:
        """Say for how long the place in the group is kept."""
        self.hold_s = hold_s

    def source(self, subscriber: Any) -> str:
        """The topics, or partitions that were assigned by hand."""
        return ", ".join(subscriber.topic_names)

    def group(self, subscriber: Any) -> str | None:
        """The consumer group."""
        return cast("str | None", subscriber.group_id)

    def is_known(self, subscriber: Any) -> bool:
        """Whether its polls can be held back."""
        return is_gated(subscriber, "get_msg")

    async def refuse(self, subscriber: Any, hand: Hand) -> None:
        """The poll under way is the last; where a subscriber has one worker, its handler runs before the next."""
        del subscriber
        hand.refusing = True

    async def hand_back(self, subscriber: Any, cut: list[Any], unbegun: list[Any]) -> int:
        """Go back to the first message of each partition that was not handled, in the group's record too."""
        messages = [
            one
            for message in (*cut, *unbegun)
            for one in cast("tuple[Any, ...]", message if isinstance(message, tuple) else (message,))
        ]
        consumer = subscriber.consumer
        if messages and consumer is not None:
            loop = asyncio.get_running_loop()
            # FastStream's own thread, behind whatever it does with the consumer now.
            await loop.run_in_executor(consumer._thread_pool, functools.partial(_rewind, consumer, messages))  # noqa: SLF001
        return len(unbegun)

    async def end(self, subscriber: Any, hand: Hand, *, is_drained: bool) -> None:
        """Keep the place for a moment when nothing was cut off, else leave at once."""
        if not is_drained or self.hold_s <= 0:
            await subscriber.stop()
            return
        if subscriber.consumer.config.get("enable.auto.commit", True):
            # The process may end while the place is kept: whoever comes next must not handle these again.
            with contextlib.suppress(Exception):  # nothing to commit is an error too
                await subscriber.consumer.commit(asynchronous=False)
        hand.held = True
        hand.parked = asyncio.get_running_loop().call_later(self.hold_s, _begin_to_leave, subscriber, hand)

    async def begin(self, subscriber: Any, hand: Hand) -> None:
        """Go on where it was held, else join the group again."""
        parked, hand.parked = hand.parked, None
        if isinstance(parked, asyncio.TimerHandle):
            parked.cancel()
        elif isinstance(parked, asyncio.Task):
            await cast("asyncio.Task[None]", parked)
        is_held, hand.held, hand.refusing = hand.held, False, False
        # The program may have stopped it meanwhile.
        if not is_held or subscriber.consumer is None:
            await subscriber.start()


class Aiokafka(ShownOnly):
    """Subscribers of ``faststream.kafka``: shown; how to stop them without loss is not proved with this release."""

    protocol = "kafka"

    def source(self, subscriber: Any) -> str:
        """The topics, a pattern, or partitions that were assigned by hand."""
        if subscriber.topics:
            return ", ".join(topic.name for topic in subscriber.topics)
        if subscriber.pattern is not None:
            return str(subscriber.pattern.broker_address)
        return ", ".join(f"{one.topic}-{one.partition}" for one in subscriber.partitions)

    def group(self, subscriber: Any) -> str | None:
        """The consumer group."""
        return cast("str | None", subscriber.group_id)

    def check(self, subscriber: Any) -> None:
        """Never."""
        raise not_supported(
            f"The consumer of {self.source(subscriber)} reads by aiokafka, for which stopping without loss is not proved.",
            "Use faststream.confluent, or stop the process instead.",
        )


def _begin_to_leave(subscriber: Any, hand: Hand) -> None:
    hand.parked = asyncio.get_running_loop().create_task(_leave(subscriber, hand))


async def _leave(subscriber: Any, hand: Hand) -> None:
    try:
        if subscriber.running:
            await subscriber.stop()
    except Exception as error:  # noqa: BLE001 - said below; the consumer takes no message either way
        _say.warning("A Kafka consumer could not leave its group in order: %r", error)
    finally:
        hand.held = hand.refusing = False


def _rewind(consumer: Any, messages: list[Any]) -> None:
    first: dict[tuple[str, int], int] = {}
    for message in messages:
        place = (message.topic(), message.partition())
        first[place] = min(first.get(place, message.offset()), message.offset())
    client: Any = consumer.consumer
    assigned = client.position(client.assignment())
    for partition in assigned:
        partition.offset = first.get((partition.topic, partition.partition), partition.offset)
    # An assignment anew forgets which offsets were to be committed: else leaving would commit past these messages.
    client.assign(assigned)
    back = [one for one in assigned if (one.topic, one.partition) in first]
    if not consumer.config.get("enable.auto.commit", True):
        # The program commits by itself. An acknowledgement of FastStream commits how far was polled when librdkafka gets
        # to it, which may be past a message that came meanwhile: that record, and no other, is put back.
        behind = {(one.topic, one.partition): one.offset for one in client.committed(back, timeout=_ASK_S)}
        back = [one for one in back if behind[one.topic, one.partition] > one.offset]
    if back:
        client.commit(offsets=back, asynchronous=False)
