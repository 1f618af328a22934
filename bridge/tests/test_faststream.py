"""FastStream without a broker: what is shown of subscribers that cannot be steered, why, and what we rely on in it."""

import asyncio
import gc
import inspect
import threading
import time
from collections.abc import Iterator
from typing import Any

import faststream._internal.broker.broker as broker_module
import faststream._internal.endpoint.subscriber.mixins as mixins_module
import faststream._internal.endpoint.subscriber.usecase as usecase_module
import faststream.confluent.subscriber.usecase as confluent_module
import faststream.mqtt.subscriber.usecase as mqtt_module
import faststream.redis.subscriber.usecases.channel_subscriber as channel_module
import faststream.redis.subscriber.usecases.list_subscriber as list_module
import faststream.redis.subscriber.usecases.stream_subscriber as stream_module
import nats.aio.client
import nats.aio.msg
import nats.aio.subscription
import nats.errors
import nats.js.api
import nats.js.client
import pytest
import zmqtt
from faststream.confluent.helpers.client import AsyncConfluentConsumer
from faststream.mqtt import MQTTBroker
from faststream.nats import NatsBroker
from faststream.rabbit import RabbitBroker, TestRabbitBroker
from faststream.redis import RedisBroker
from pilothouse_bridge._inventory import ListenerState
from pilothouse_bridge._steering import SteeringError
from pilothouse_bridge.discover import _broker_base
from pilothouse_bridge.discover import faststream as discoverer
from pilothouse_bridge.discover._broker_base import Broker
from pilothouse_bridge.discover._broker_hand import Hand, hand_of, is_gated, is_watched
from pilothouse_bridge.discover._broker_redis import _before
from pilothouse_bridge.discover.faststream import FastStream

from . import brokers
from .brokers import Loop, shown, steer


@pytest.fixture(scope="module")
def source() -> FastStream:
    made = FastStream()
    made.install(lambda: None)
    made.find()
    return made


@pytest.fixture(autouse=True)
def _no_brokers_of_other_tests() -> None:
    gc.collect()


@pytest.fixture
def loop() -> Iterator[Loop]:
    with brokers.looping() as made:
        yield made


def refusal(act: Any, *arguments: float) -> SteeringError:
    with pytest.raises(SteeringError) as refused:
        act(*arguments)
    return refused.value


def redis_broker(name: str) -> RedisBroker:
    broker = RedisBroker(logger=None)

    @broker.subscriber(name)
    async def hear(body: str) -> None: ...

    return broker


def test_a_subscriber_without_a_handler_is_shown_and_not_steered(source: FastStream) -> None:
    broker = RabbitBroker(logger=None)
    subscriber = broker.subscriber("fetched")
    found = shown(source, "fetched")
    assert (found.handler, found.source, found.state) == (None, "fetched", ListenerState.DISABLED)
    refused = refusal(steer(source, "fetched").stop, 1)
    assert (refused.code, refused.http_status) == ("NOT_SUPPORTED", 501)
    assert "no handler" in refused.message
    assert refused.fix
    assert subscriber in broker.subscribers


def test_a_broker_that_is_not_known_is_shown_and_not_steered(
    source: FastStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discoverer, "_BROKERS", {})
    broker = redis_broker("strange")
    (subscriber,) = broker.subscribers
    (found,) = [one for one in source.find() if one.name.startswith("strange")]
    assert (found.protocol, found.source) == ("redis", "strange")
    subscriber.running = True
    refused = refusal(steer(source, found.name).stop, 1)
    subscriber.running = False
    assert (refused.code, refused.http_status) == ("NOT_SUPPORTED", 501)
    assert "Stop the process" in refused.fix


def test_a_release_that_is_not_known_is_shown_and_not_steered(
    source: FastStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = redis_broker("newer")
    (subscriber,) = broker.subscribers
    subscriber.running = True
    monkeypatch.setattr(discoverer, "is_watched", lambda _: False)
    assert shown(source, "newer:hear").source == "newer"
    refused = refusal(steer(source, "newer:hear").stop, 1)
    subscriber.running = False
    assert (refused.code, refused.http_status) == ("NOT_SUPPORTED", 501)
    assert "This release of FastStream is not known" in refused.message


def test_a_subscriber_whose_reads_cannot_be_held_back_is_not_steered(
    source: FastStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = redis_broker("ungated")
    (subscriber,) = broker.subscribers

    async def get_msgs(*_: Any) -> None: ...

    monkeypatch.setattr(channel_module.ChannelSubscriber, "_get_msgs", get_msgs)
    subscriber.running = True
    refused = refusal(steer(source, "ungated:hear").stop, 1)
    subscriber.running = False
    assert refused.code == "NOT_SUPPORTED"


def test_a_loop_that_does_not_run_is_told(source: FastStream) -> None:
    broker = redis_broker("loopless")
    (subscriber,) = broker.subscribers
    ended = asyncio.new_event_loop()
    ended.close()
    hand_of(subscriber).loop = ended
    subscriber.running = True
    refused = refusal(steer(source, "loopless:hear").stop, 1)
    subscriber.running = False
    assert (refused.code, refused.http_status) == ("FAILED", 500)
    assert "does not run" in refused.message


def test_a_loop_that_is_blocked_holds_the_command_for_a_limited_time(
    source: FastStream, loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discoverer, "_MARGIN_S", 0.2)
    broker = redis_broker("blocked")
    (subscriber,) = broker.subscribers
    hand_of(subscriber).loop = loop.loop
    subscriber.running = True
    may_go_on = threading.Event()
    loop.loop.call_soon_threadsafe(may_go_on.wait, 20)
    began = time.monotonic()
    refused = refusal(steer(source, "blocked:hear").stop, 0.1)
    took = time.monotonic() - began
    may_go_on.set()
    subscriber.running = False
    assert took < 5
    assert refused.code == "FAILED"
    assert "did not come to rest" in refused.message


def test_a_reading_task_that_ended_is_a_failure(source: FastStream, loop: Loop) -> None:
    broker = redis_broker("dead")
    (subscriber,) = broker.subscribers

    async def end() -> None: ...

    async def add() -> None:
        subscriber.tasks.append(asyncio.create_task(end()))
        await asyncio.sleep(0.01)

    loop.run(add())
    subscriber.running = True
    found = shown(source, "dead:hear")
    subscriber.running = False
    subscriber.tasks.clear()
    assert (found.state, found.state_reason) == (ListenerState.FAILED, "Its reading task ended.")


def test_reads_that_fail_are_a_failure_until_one_succeeds(source: FastStream) -> None:
    broker = redis_broker("poor")
    (subscriber,) = broker.subscribers
    subscriber.running = True
    hand_of(subscriber).trouble = "Reading from the broker fails: ConnectionError."
    assert shown(source, "poor:hear").state is ListenerState.FAILED
    hand_of(subscriber).trouble = None
    assert shown(source, "poor:hear").state is ListenerState.ENABLED
    subscriber.running = False


def test_handlers_answer_as_before_and_leave_nothing_in_hand(source: FastStream) -> None:
    broker = RabbitBroker(logger=None)

    @broker.subscriber("echo")
    async def echo(body: str) -> str:
        assert sum(hand_of(one).handlers() for one in broker.subscribers) == 1
        return body.upper()

    async def program() -> Any:
        async with TestRabbitBroker(broker) as tested:
            answer = await tested.request("quiet", "echo")
            with pytest.raises(ValueError, match="loud"):
                await tested.publish("x", "fails")
            return await answer.decode()

    @broker.subscriber("fails")
    async def fail(body: str) -> None:
        raise ValueError("loud")

    assert asyncio.run(program()) == "QUIET"
    assert [hand_of(one).busy() for one in broker.subscribers] == [0, 0]


class Recorded(Broker):
    """A broker that notes what it is asked."""

    protocol = "recorded"

    def __init__(self, trouble: Exception | None = None, keeps_unbegun: int = 0) -> None:
        self.calls: list[str] = []
        self._trouble = trouble
        self._keeps_unbegun = keeps_unbegun

    def source(self, subscriber: Any) -> str:  # noqa: ARG002
        return "recorded"

    async def refuse(self, subscriber: Any, hand: Hand) -> None:  # noqa: ARG002
        self.calls.append("refuse")
        if self._trouble is not None:
            raise self._trouble

    async def hand_back(self, subscriber: Any, cut: list[Any], unbegun: list[Any]) -> int:  # noqa: ARG002
        self.calls.append(f"back {cut} {unbegun}")
        return self._keeps_unbegun

    async def end(self, subscriber: Any, hand: Hand, *, is_drained: bool) -> None:  # noqa: ARG002
        self.calls.append(f"end {is_drained}")
        subscriber.running = False


class Subject:
    running = True
    lock: Any = None


def test_a_stop_refuses_then_drains_then_ends() -> None:
    async def work() -> tuple[list[str], int]:
        broker, hand, subject = Recorded(), Hand(), Subject()
        mark = hand.handling("m")
        asyncio.get_running_loop().call_later(0.05, lambda: (broker.calls.append("handled"), hand.handled(mark)))
        counts = await _broker_base.stop(broker, subject, hand, 5)
        assert not hand.draining
        return broker.calls, counts.finished

    assert asyncio.run(work()) == (["refuse", "handled", "end True"], 1)


def test_a_broker_that_is_away_does_not_prevent_a_stop() -> None:
    async def work() -> list[str]:
        broker = Recorded(ConnectionResetError())
        await _broker_base.stop(broker, Subject(), Hand(), 5)
        return broker.calls

    assert asyncio.run(work()) == ["refuse", "end True"]


@pytest.mark.parametrize(("kept", "returned", "cut"), [(1, 1, 1), (0, 0, 2)])
def test_what_is_left_after_the_grace_is_returned_or_told_as_cut(kept: int, returned: int, cut: int) -> None:
    async def work() -> tuple[list[str], int, int, int]:
        broker, hand, subject = Recorded(keeps_unbegun=kept), Hand(), Subject()

        async def handle() -> None:
            mark = hand.handling("begun")
            try:
                await asyncio.sleep(60)
            finally:
                hand.handled(mark)

        task = asyncio.create_task(handle())
        hand.queue(waiting := "unbegun")
        await asyncio.sleep(0)
        counts = await _broker_base.stop(broker, subject, hand, 0.05)
        assert task.cancelled()
        assert waiting
        return broker.calls, counts.finished, counts.returned, counts.cut

    assert asyncio.run(work()) == (["refuse", "back ['begun'] ['unbegun']", "end False"], 0, returned, cut)


def test_a_handler_that_will_not_end_is_told_and_holds_nobody_up() -> None:
    async def work() -> int:
        hand, may_end = Hand(), asyncio.Event()

        async def handle() -> None:
            mark = hand.handling("stubborn")
            while not may_end.is_set():
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    continue
            hand.handled(mark)

        task = asyncio.create_task(handle())
        await asyncio.sleep(0)
        try:
            counts = await _broker_base.stop(Recorded(), Subject(), hand, 0.01)
        finally:
            may_end.set()
            task.cancel()
            await task
        return counts.stubborn

    assert asyncio.run(work()) == 1


@pytest.mark.parametrize(
    ("entry", "before"),
    [
        (b"5-3", "5-2"),
        ("5-1", "5-0"),
        ("5-0", "4-18446744073709551615"),
        ("1700000000000-0", f"1699999999999-{2**64 - 1}"),
    ],
)
def test_the_id_before_an_entry_lets_a_read_begin_with_it(entry: bytes | str, before: str) -> None:
    assert _before(entry) == before


def test_this_release_of_faststream_is_as_we_know_it(source: FastStream) -> None:
    """What we rely on that is not promised: a release that changes it must fail here first."""
    usecase = usecase_module.SubscriberUsecase
    assert is_watched(usecase)
    assert usecase.__dictoffset__
    for name in ("process_message", "consume", "stop"):
        assert inspect.iscoroutinefunction(getattr(usecase, name))
    assert "self.running" in inspect.getsource(inspect.unwrap(usecase.consume))
    assert "MultiLock" in inspect.getsource(inspect.unwrap(usecase.stop))
    assert {"_put_msg", "_consume_msg"} <= set(vars(mixins_module.ConcurrentMixin))
    assert isinstance(inspect.getattr_static(broker_module.BrokerUsecase, "subscribers"), property)
    for cls, method in (
        (list_module.ListSubscriber, "_get_msgs"),
        (list_module.ListBatchSubscriber, "_get_msgs"),
        (channel_module.ChannelSubscriber, "_get_msgs"),
        (stream_module.StreamSubscriber, "_get_msgs"),
        (stream_module.StreamBatchSubscriber, "_get_msgs"),
        (confluent_module.DefaultSubscriber, "get_msg"),
        (confluent_module.BatchSubscriber, "get_msg"),
    ):
        assert is_gated(cls, method), f"{cls.__name__}.{method}"
    assert inspect.iscoroutinefunction(stream_module._StreamHandlerMixin._xreadgroup)
    assert {"last_id", "read_id"} <= set(stream_module._StreamHandlerMixin.__slots__)
    assert "_subscription" in mqtt_module.MQTTBaseSubscriber.__slots__
    assert "_thread_pool" in AsyncConfluentConsumer.__slots__
    assert "broker" in MQTTBroker(logger=None).config.extra_context
    rabbit = RabbitBroker(logger=None).subscriber("q")
    assert (rabbit._consumer_tag, rabbit._queue_obj) == (None, None)
    pull = NatsBroker(logger=None).subscriber("s.a", stream="s", pull_sub=True)
    assert (pull.subscription, pull.config.durable_name) == (None, None)


def test_these_releases_of_the_clients_are_as_we_know_them() -> None:
    """As above, for what FastStream stands on."""
    assert {"detach", "get_message", "stop"} <= set(vars(zmqtt.Subscription))
    client = zmqtt.MQTTClient("localhost")
    for name in ("_client_id", "_clean_session", "_version", "_connection_info", "_subscriptions"):
        assert hasattr(client, name), name
    assert inspect.iscoroutinefunction(nats.aio.client.Client._send_unsubscribe)
    assert "_pending_next_msgs_calls" in inspect.getsource(nats.aio.subscription.Subscription.next_msg)
    pull = nats.js.client.JetStreamContext.PullSubscription
    assert "_sub" in inspect.getsource(pull.__init__)
    assert nats.js.client.JetStreamContext._is_temporary_error("408")
    assert nats.js.api.Header.STATUS.value == "Status"
    assert issubclass(nats.errors.TimeoutError, Exception)
    assert nats.js.api.DeliverPolicy.BY_START_SEQUENCE
    assert {"headers"} <= set(nats.aio.msg.Msg.__dataclass_fields__)
