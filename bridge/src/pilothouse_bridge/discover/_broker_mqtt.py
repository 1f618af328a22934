"""MQTT: a session that lasts is kept by leaving it without UNSUBSCRIBE; the program publishes by a stand-in meanwhile.

Source: zmqtt 0.2.5. A subscription that nothing is kept for is ended the plain way, after what came was handled.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any, cast

from pilothouse_bridge.discover._broker_base import Broker, not_supported
from pilothouse_bridge.discover._broker_hand import Hand, hand_of

_PING_LIMIT_S = 2.0


@dataclass
class _Parked:
    """A connection that was left while its session lasts on the server, and the one that publishes meanwhile."""

    session: Any
    stand_in: Any
    client_id: str


class Mqtt(Broker):
    """Subscribers of ``faststream.mqtt``."""

    protocol = "mqtt"

    def source(self, subscriber: Any) -> str:
        """The topic filter, without the prefix of a shared subscription."""
        return str(subscriber.address.broker_address)

    def group(self, subscriber: Any) -> str | None:
        """The name of a shared subscription."""
        return cast("str | None", subscriber._shared)  # noqa: SLF001

    def trouble(self, subscriber: Any, hand: Hand) -> str | None:
        """A lost connection: zmqtt tries to restore it for a while."""
        client = subscriber._outer_config._client  # noqa: SLF001
        if client is None or client._connection_info is None:  # noqa: SLF001
            return "The connection to the MQTT broker is lost."
        return hand.trouble

    def is_known(self, subscriber: Any) -> bool:
        """Whether zmqtt has what is needed to leave a session."""
        subscription = subscriber._subscription  # noqa: SLF001
        return subscription is None or all(
            hasattr(subscription, name) for name in ("detach", "get_message", "_queue", "_client", "_auto_ack")
        )

    def keeps(self, subscriber: Any) -> bool:
        """A session that outlasts its connection, with acknowledged messages."""
        return isinstance(hand_of(subscriber).parked, _Parked) or _is_kept(subscriber)

    def check(self, subscriber: Any) -> None:
        """A session is left as a whole: no other subscriber may be in it."""
        others = [one for one in _broker(subscriber).subscribers if one is not subscriber and one.running]
        if others and _is_kept(subscriber):
            raise not_supported(
                f"The consumer of {self.source(subscriber)} shares its MQTT session with {len(others)} others that run: "
                "to stop it alone would lose what is sent meanwhile, or stop the others too.",
                "Give the subscriber a broker with a client_id of its own.",
            )

    async def refuse(self, subscriber: Any, hand: Hand) -> None:
        """Leave the session, or unsubscribe where nothing is kept; what came is handled on."""
        subscription = subscriber._subscription  # noqa: SLF001
        if not _is_kept(subscriber):
            await subscription.stop()
            return
        await _stand_in(subscriber, hand)
        if subscription._auto_ack:  # noqa: SLF001
            # Everything that came is acknowledged already: it must be handled, and nothing more may come.
            await _leave(subscription._client)  # noqa: SLF001
        else:
            subscription.get_message = _never
            await subscription.detach()

    def waiting(self, subscriber: Any) -> int:
        """What the client has queued."""
        subscription = subscriber._subscription  # noqa: SLF001
        return 0 if subscription is None else subscription._queue.qsize()  # noqa: SLF001

    def leftover(self, subscriber: Any) -> list[Any]:
        """What is still in the client's queue."""
        queue, rest = subscriber._subscription._queue, cast("list[Any]", [])  # noqa: SLF001
        while not queue.empty():
            rest.append(queue.get_nowait())
        return rest

    async def hand_back(self, subscriber: Any, cut: list[Any], unbegun: list[Any]) -> int:
        """A session that is left sends again what was not acknowledged; else nobody does, and nothing may clog it."""
        if isinstance(hand_of(subscriber).parked, _Parked):
            return 0 if subscriber._subscription._auto_ack else len(unbegun)  # noqa: SLF001
        for message in [*cut, *unbegun]:
            with contextlib.suppress(Exception):  # QoS 0 has no acknowledgement, and the connection may be gone
                await message.ack()
        return 0

    async def end(self, subscriber: Any, hand: Hand, *, is_drained: bool) -> None:
        """Leave the session now that the last acknowledgements are sent."""
        del is_drained
        await subscriber.stop()
        if isinstance(hand.parked, _Parked):
            await _leave(hand.parked.session)

    async def begin(self, subscriber: Any, hand: Hand) -> None:
        """Take the session up again, then subscribe: what the server kept comes first."""
        parked = hand.parked
        if isinstance(parked, _Parked):
            broker = _broker(subscriber)
            await _resume(parked)
            _use(broker, parked.session)
            hand.parked = None
            if not parked.stand_in._subscriptions:  # noqa: SLF001 - another subscriber may have begun on it
                await _leave(parked.stand_in)
        await subscriber.start()


def _broker(subscriber: Any) -> Any:
    return subscriber._outer_config.extra_context["broker"]  # noqa: SLF001


def _is_kept(subscriber: Any) -> bool:
    """Whether the server keeps messages for this session while it has no connection."""
    client = subscriber._outer_config._client  # noqa: SLF001
    if client is None or int(subscriber._qos) == 0:  # noqa: SLF001
        return False
    if client._version == "5.0":  # noqa: SLF001
        info = client._connection_info  # noqa: SLF001
        return info is not None and bool(info.effective_session_expiry_interval)
    return not client._clean_session  # noqa: SLF001


async def _stand_in(subscriber: Any, hand: Hand) -> None:
    """Give the program a connection without a session, before the one with the session is left."""
    broker = _broker(subscriber)
    session = subscriber._outer_config._client  # noqa: SLF001
    client_id = session.connection_info.effective_client_id
    options = broker._connection_kwargs | {  # noqa: SLF001
        "client_id": "",
        "clean_session": True,
        "session_expiry_interval": 0,
        "will": None,
        "on_connection_recovery_failed": None,
    }
    stand_in = type(session)(**options)
    await stand_in.connect()
    hand.parked = _Parked(session, stand_in, client_id)
    _use(broker, stand_in)


def _use(broker: Any, client: Any) -> None:
    broker._connection = client  # noqa: SLF001
    broker.config.connect(client)


async def _resume(parked: _Parked) -> None:
    """Connect again without a clean start and under the name that the server knows, whatever the program's first was."""
    session = parked.session
    before = session._client_id, session._clean_session  # noqa: SLF001
    session._client_id, session._clean_session = parked.client_id, False  # noqa: SLF001
    try:
        await session.connect()
    finally:
        session._client_id, session._clean_session = before  # noqa: SLF001


async def _leave(client: Any) -> None:
    """Disconnect after what is under way: the server answers a ping after what was sent before it."""
    with contextlib.suppress(Exception):  # a connection that is gone needs no farewell
        await client.ping(timeout=_PING_LIMIT_S)
    with contextlib.suppress(Exception):
        await client.disconnect()


async def _never() -> Any:
    """A message that does not come: the reading task is cancelled when the subscriber stops."""
    await asyncio.get_running_loop().create_future()
