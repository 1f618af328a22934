"""NATS: unsubscribe and wait for the server's answer, handle what came before it, send the rest back by a negative answer.

Source: nats-py 2.16. Core subjects keep nothing; JetStream does, and a consumer without a durable name goes on after the
last message that was acknowledged.
"""

import asyncio
import contextlib
import dataclasses
import sys
from typing import Any, Final, cast

from pilothouse_bridge import _say
from pilothouse_bridge.discover._broker_base import Broker
from pilothouse_bridge.discover._broker_hand import Hand

#: A fetch of nats-py asks twice at most before it gives up; see ``_end_fetch``.
_ENDINGS: Final = 3
_REQUEST_TIMEOUT: Final = "408"
_PAUSE_S: Final = 0.02


class Nats(Broker):
    """Subscribers of ``faststream.nats``: core, JetStream push and pull, key-value and object watchers."""

    protocol = "nats"

    def source(self, subscriber: Any) -> str:
        """The subject, or the bucket that is watched."""
        for watched in ("kv_watch", "obj_watch"):
            if hasattr(subscriber, watched):
                return str(getattr(subscriber, watched).name)
        return str(subscriber.subject.broker_address or ", ".join(subscriber.filter_subjects))

    def group(self, subscriber: Any) -> str | None:
        """The queue group, else the durable name."""
        return cast("str | None", getattr(subscriber, "queue", None) or subscriber.config.durable_name)

    def trouble(self, subscriber: Any, hand: Hand) -> str | None:
        """A lost connection: nats-py tries to restore it."""
        if not subscriber.connection.is_connected:
            return "The connection to the NATS server is lost."
        return hand.trouble

    def is_known(self, subscriber: Any) -> bool:
        """Whether nats-py has what is needed to wait for the server's answer."""
        inner = _inner(subscriber)
        if inner is None:
            return True
        needed = ("_id", "_conn", "_pending_queue", "_pending_next_msgs_calls")
        return all(hasattr(inner, name) for name in needed) and hasattr(inner._conn, "_send_unsubscribe")  # noqa: SLF001

    def keeps(self, subscriber: Any) -> bool:
        """Streams, buckets and stores keep; core subjects do not."""
        return hasattr(subscriber, "kv_watch") or hasattr(subscriber, "obj_watch") or _is_jetstream(subscriber)

    async def refuse(self, subscriber: Any, hand: Hand) -> None:
        """After the flush everything that the server sent is here, and it sends no more."""
        inner = _inner(subscriber)
        if inner is None:
            return
        is_pull = hasattr(subscriber, "pull_sub")
        if is_pull:
            hand.parked = subscriber.subscription
            subscriber.subscription = _Dry(subscriber.subscription)
        await inner._conn._send_unsubscribe(inner._id)  # noqa: SLF001
        await inner._conn.flush()  # noqa: SLF001
        if is_pull:
            _end_fetch(inner)

    def waiting(self, subscriber: Any) -> int:
        """What a push subscription has queued; whether a fetch is under way."""
        inner = _inner(subscriber)
        if inner is None:
            return 0
        if hasattr(subscriber, "pull_sub"):
            return len(inner._pending_next_msgs_calls or ())  # noqa: SLF001
        return cast("int", inner._pending_queue.qsize())  # noqa: SLF001

    def leftover(self, subscriber: Any) -> list[Any]:
        """What is still queued, without the server's notices."""
        inner, rest = _inner(subscriber), cast("list[Any]", [])
        while inner is not None and not inner._pending_queue.empty():  # noqa: SLF001
            message = inner._pending_queue.get_nowait()  # noqa: SLF001
            inner._pending_queue.task_done()  # noqa: SLF001
            if not (message.headers or {}).get("Status"):
                rest.append(message)
        return rest

    async def hand_back(self, subscriber: Any, cut: list[Any], unbegun: list[Any]) -> int:
        """A negative answer lets JetStream send again at once instead of after its time-out."""
        if not _is_jetstream(subscriber):
            return 0
        returned = 0
        for number, message in enumerate([*cut, *unbegun]):
            for one in cast("list[Any]", message if isinstance(message, list) else [message]):
                if not one._ackd:  # noqa: SLF001
                    with contextlib.suppress(Exception):  # without a connection the time-out does it
                        await one.nak()
                    returned += number >= len(cut)
        return returned

    async def end(self, subscriber: Any, hand: Hand, *, is_drained: bool) -> None:
        """Note where a consumer without a name is, then stop."""
        del is_drained
        if hand.parked is not None:
            subscriber.subscription, hand.parked = hand.parked, None
        subscription: Any = subscriber.subscription
        place = await _place(subscriber)
        hand.parked = place
        await subscriber.stop()
        if place is not None:
            # The server keeps it for a while, and both would deliver after a quick start: to one and the same inbox.
            with contextlib.suppress(Exception):
                await subscription._js.delete_consumer(subscription._stream, subscription._consumer)  # noqa: SLF001

    async def begin(self, subscriber: Any, hand: Hand) -> None:
        """Start; a consumer without a name is made anew by the server and told where to begin."""
        place = hand.parked
        if not isinstance(place, int):
            await subscriber.start()
            return
        config, options = subscriber.config, subscriber.extra_options
        policy: Any = sys.modules["nats.js.api"].DeliverPolicy.BY_START_SEQUENCE
        subscriber.config = dataclasses.replace(config, deliver_policy=policy, opt_start_seq=place, opt_start_time=None)
        # The one that the program gave would win over the configuration's.
        subscriber.extra_options = {key: None if key == "deliver_policy" else options[key] for key in options}
        try:
            await subscriber.start()
        finally:
            subscriber.config, subscriber.extra_options = config, options
        hand.parked = None


class _Dry:
    """Takes the place of a pull subscription: a fetch brings nothing, everything else is the subscription's."""

    def __init__(self, subscription: Any) -> None:
        self._subscription = subscription

    def __getattr__(self, name: str) -> Any:
        return getattr(self._subscription, name)

    async def fetch(self, *_: Any, **__: Any) -> list[Any]:
        await asyncio.sleep(_PAUSE_S)
        raise cast("Any", sys.modules["nats.errors"]).TimeoutError


def _inner(subscriber: Any) -> Any:
    """The plain subscription of nats-py; None for a watcher."""
    subscription = subscriber.subscription
    if subscription is None or hasattr(subscription, "obj"):
        return None
    return getattr(subscription, "_sub", subscription)


def _is_jetstream(subscriber: Any) -> bool:
    return hasattr(subscriber, "stream")


def _end_fetch(inner: Any) -> None:
    """Let the fetch under way end with what it has, as the server does when a request's time is over."""
    message_class: Any = sys.modules["nats.aio.msg"].Msg
    for _ in range(_ENDINGS):
        inner._pending_queue.put_nowait(  # noqa: SLF001
            message_class(inner._conn, headers={"Status": _REQUEST_TIMEOUT})  # noqa: SLF001
        )


async def _place(subscriber: Any) -> int | None:
    """The first message that is not settled, for a consumer that the server forgets."""
    if not _is_jetstream(subscriber) or subscriber.config.durable_name or getattr(subscriber, "queue", None):
        return None
    try:
        info = await subscriber.subscription.consumer_info()
    except Exception as error:  # noqa: BLE001 - a server that is away tells nothing; the program's own start is left then
        _say.debug("Where a NATS consumer is cannot be told: %r", error)
        return None
    never_acknowledges = str(getattr(info.config.ack_policy, "value", info.config.ack_policy)) == "none"
    settled = info.delivered if never_acknowledges else info.ack_floor
    return int(settled.stream_seq) + 1
