"""RabbitMQ: cancel the consumer first, finish what came before the cancellation was confirmed, requeue the rest."""

import contextlib
from typing import Any

from pilothouse_bridge.discover._broker_base import Broker
from pilothouse_bridge.discover._broker_hand import Hand

_CANCEL_LIMIT_S = 5.0


class Rabbit(Broker):
    """Subscribers of ``faststream.rabbit``, over aio-pika.

    FastStream's own order (not running, wait, cancel) leaves what was prefetched unacknowledged until the channel closes.
    """

    protocol = "rabbitmq"

    def source(self, subscriber: Any) -> str:
        """The queue; where the server names it, exchange and routing key."""
        name = subscriber.queue.add_prefix(subscriber._outer_config.prefix).name  # noqa: SLF001
        return str(name or f"{subscriber.exchange.name}/{subscriber.routing()}")

    def trouble(self, subscriber: Any, hand: Hand) -> str | None:
        """A closed channel, because the connection is lost and aio-pika tries to restore it; or no consumer on it."""
        queue = subscriber._queue_obj  # noqa: SLF001
        if queue is None or queue.channel.is_closed:
            return "The channel to RabbitMQ is closed."
        if subscriber._consumer_tag is None:  # noqa: SLF001
            return "RabbitMQ has no consumer for it."
        return hand.trouble

    async def refuse(self, subscriber: Any, hand: Hand) -> None:
        """After the confirmation no delivery comes; those before it have handlers already."""
        del hand
        queue, tag = subscriber._queue_obj, subscriber._consumer_tag  # noqa: SLF001
        if queue is not None and tag is not None:
            subscriber._consumer_tag = None  # noqa: SLF001
            if not queue.channel.is_closed:
                await queue.cancel(tag, timeout=_CANCEL_LIMIT_S)

    async def hand_back(self, subscriber: Any, cut: list[Any], unbegun: list[Any]) -> int:
        """Requeue, unless the program settled it or took it without acknowledgement."""
        del subscriber
        returned = 0
        for number, message in enumerate([*cut, *unbegun]):
            if not message.processed:
                # The channel may be gone: then the server requeued it by itself.
                with contextlib.suppress(Exception):
                    await message.nack(requeue=True)
                returned += number >= len(cut)
        return returned
