"""Redis: end the reading loop between two reads, so that nothing is read that nobody handles; hand back what can be.

Lists and channels know no acknowledgement; streams leave what is not acknowledged pending for the consumer's name.
"""

import contextlib
from collections.abc import Callable
from typing import Any, Final, cast

from pilothouse_bridge.discover._broker_base import Broker
from pilothouse_bridge.discover._broker_hand import Hand, gate_reads, hand_of, is_gated

#: A read that may block for longer than this is ended by CLIENT UNBLOCK.
_PATIENCE_S: Final = 0.5
_LAST_SEQUENCE: Final = 2**64 - 1
_MANY: Final = 10_000
_READ: Final = "_pilothouse_redis"


def watch_lists(module: Any) -> None:
    """Gate what reads lists."""
    for name in ("ListSubscriber", "ListBatchSubscriber"):
        gate_reads(getattr(module, name), "_get_msgs", None)


def watch_channels(module: Any) -> None:
    """Gate what reads channels."""
    gate_reads(module.ChannelSubscriber, "_get_msgs", None)


def watch_streams(module: Any) -> None:
    """Gate what reads streams, and let what was left pending be read again first."""
    for name in ("StreamSubscriber", "StreamBatchSubscriber"):
        gate_reads(getattr(module, name), "_get_msgs", None)
    _read_left_over_first(module._StreamHandlerMixin)  # noqa: SLF001


class Redis(Broker):
    """Subscribers of ``faststream.redis``: streams, lists and channels."""

    protocol = "redis"

    def source(self, subscriber: Any) -> str:
        """The key or the channel."""
        return str(_what(subscriber).name)

    def group(self, subscriber: Any) -> str | None:
        """The consumer group of a stream."""
        return cast("str | None", getattr(_what(subscriber), "group", None))

    def is_known(self, subscriber: Any) -> bool:
        """Whether its reads can be held back."""
        return is_gated(subscriber, "_get_msgs")

    def keeps(self, subscriber: Any) -> bool:
        """Channels keep nothing."""
        return not hasattr(subscriber, "channel")

    async def refuse(self, subscriber: Any, hand: Hand) -> None:
        """The read under way is the last; where a subscriber has one worker, its handlers are part of the read."""
        if getattr(subscriber, "last_id", None) == "$":
            # "From now on" would mean after the start: pin it to where the stream is now, while reading goes on.
            subscriber.last_id = await _last_id(subscriber)
        hand.refusing = True
        if _longest_read_s(subscriber) > _PATIENCE_S and hand.reading and not hand.busy():
            await _unblock(subscriber)

    async def hand_back(self, subscriber: Any, cut: list[Any], unbegun: list[Any]) -> int:
        """Lists get their messages back in front; streams have them still; channels lose them."""
        messages = [*cut, *unbegun]
        if hasattr(subscriber, "list_sub"):
            # Pushed from the last to the first, each in front of the one before.
            for message in reversed(messages):
                data = message["data"]
                batch = cast("list[bytes]", data if isinstance(data, list) else [data])
                await subscriber._client.lpush(subscriber.list_sub.name, *reversed(batch))  # noqa: SLF001
            return len(unbegun)
        if not hasattr(subscriber, "stream_sub") or not messages:
            return 0
        stream = subscriber.stream_sub
        first = min((entry for one in messages for entry in one["message_ids"]), key=_as_number)
        if stream.group is None:
            subscriber.last_id = _before(first)
            return len(unbegun)
        if stream.min_idle_time is None and stream.claim_min_idle_time is None:  # else it claims them by itself
            hand_of(subscriber).parked = _before(first)
        # The rest of a batch whose handler was cut off was never looked at, and is pending like the others.
        pending = await subscriber._client.xpending_range(  # noqa: SLF001
            stream.name, stream.group, min=first, max="+", count=_MANY, consumername=stream.consumer
        )
        handled = {_text(entry) for one in cut for entry in one["message_ids"]}
        return len({_text(one["message_id"]) for one in pending} - handled)


def _what(subscriber: Any) -> Any:
    for name in ("stream_sub", "list_sub", "channel"):
        if hasattr(subscriber, name):
            return getattr(subscriber, name)
    raise AttributeError(type(subscriber).__name__)


def _longest_read_s(subscriber: Any) -> float:
    """How long one read may block; 0 means for ever, in Redis."""
    interval = float(_what(subscriber).polling_interval or 0)
    if hasattr(subscriber, "stream_sub"):
        interval /= 1000
    elif not hasattr(subscriber, "list_sub"):
        return 0.0  # a channel's time-out is ours, not the server's
    return interval or float("inf")


async def _unblock(subscriber: Any) -> None:
    """Let the server answer the blocked reads of this client with nothing; others of its subscribers just read again."""
    client = subscriber._client  # noqa: SLF001
    mine: set[str] = set()
    for connection in list(client.connection_pool._in_use_connections):  # noqa: SLF001
        with contextlib.suppress(AttributeError, TypeError):
            host, port = connection._writer.get_extra_info("sockname")[:2]  # noqa: SLF001
            mine.add(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    for other in await client.client_list():
        if other["addr"] in mine and other["cmd"] in {"xreadgroup", "xread", "blpop"} and "b" in other["flags"]:
            await client.client_unblock(int(other["id"]))


async def _last_id(subscriber: Any) -> str:
    client, name = subscriber._client, subscriber.stream_sub.name  # noqa: SLF001
    if not await client.exists(name):
        return "0-0"
    info = await client.xinfo_stream(name)
    last = info["last-generated-id"]
    return last.decode() if isinstance(last, bytes) else str(last)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _as_number(entry: bytes | str) -> tuple[int, int]:
    milliseconds, _, sequence = _text(entry).partition("-")
    return int(milliseconds), int(sequence or 0)


def _before(entry: bytes | str) -> str:
    """The id after which a plain read begins with this entry."""
    milliseconds, sequence = _as_number(entry)
    return f"{milliseconds}-{sequence - 1}" if sequence else f"{milliseconds - 1}-{_LAST_SEQUENCE}"


def _read_left_over_first(mixin: type[Any]) -> None:
    """After a stop that cut something off, the consumer's own pending entries come before new ones.

    ``Hand.parked`` is the id after which they are to be read; None when there is nothing left.
    """
    original: Callable[..., Any] = mixin._xreadgroup  # noqa: SLF001
    if hasattr(original, _READ):
        return

    async def _xreadgroup(self: Any, *, count: int | None, block: int | None, noack: bool = False) -> Any:
        hand = hand_of(self)
        if hand.parked is not None and not hand.draining:
            stream = self.stream_sub
            answer = await self._client.xreadgroup(
                groupname=stream.group,
                consumername=stream.consumer,
                streams={stream.name: hand.parked},
                count=count or 10,
                noack=noack,
            )
            # An entry that was deleted meanwhile has no fields.
            entries = [entry for entry in answer[0][1] if entry[1]] if answer else []
            if entries:
                hand.parked = _text(entries[-1][0])
                return ((answer[0][0], entries),)
            hand.parked = None
        return await original(self, count=count, block=block, noack=noack)

    setattr(_xreadgroup, _READ, True)
    mixin._xreadgroup = _xreadgroup  # noqa: SLF001
