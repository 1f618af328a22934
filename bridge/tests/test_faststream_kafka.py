"""FastStream on Kafka by confluent: stops lose nothing; a short one keeps the place in the group, a long one leaves it.

The cluster is the one that librdkafka has inside for tests: real protocol, real group, no disk.
"""

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import confluent_kafka
import pytest
from faststream.confluent import KafkaBroker
from faststream.middlewares import AckPolicy
from pilothouse_bridge._inventory import ListenerState
from pilothouse_bridge._steering import Change
from pilothouse_bridge.discover import faststream as discoverer
from pilothouse_bridge.discover._broker_kafka import Confluent
from pilothouse_bridge.discover.faststream import FastStream

from . import brokers
from .brokers import Loop, Traffic, cycle, eventually, shown, steer

pytestmark = [pytest.mark.xdist_group("kafka"), pytest.mark.slow]


class Cluster:
    """A mock cluster, held by a producer that sends to it."""

    def __init__(self) -> None:
        self.producer = confluent_kafka.Producer(
            {"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0, "linger.ms": 0}
        )
        (node,) = self.producer.list_topics(timeout=10).brokers.values()
        self.address = f"{node.host}:{node.port}"

    def create(self, topic: str) -> None:
        """A topic is made by whoever asks for it."""
        deadline = time.monotonic() + 10
        while self.producer.list_topics(topic, timeout=10).topics[topic].error is not None:
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def committed(self, topic: str, group: str = "shop") -> list[int | None]:
        """How far the group has told that it came, in each partition."""
        places = [confluent_kafka.TopicPartition(topic, partition) for partition in range(4)]
        asker = confluent_kafka.Consumer({"bootstrap.servers": self.address, "group.id": group, "log_level": 0})
        try:
            return [None if one.offset < 0 else one.offset for one in asker.committed(places, timeout=20)]
        finally:
            asker.close()

    async def send(self, topic: str, number: int) -> None:
        self.producer.produce(topic, json.dumps(number).encode(), partition=number % 4)
        self.producer.poll(0)


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture(scope="module")
def source() -> FastStream:
    made = FastStream()
    made.install(lambda: None)
    return made


@pytest.fixture
def loop() -> Iterator[Loop]:
    with brokers.looping() as made:
        yield made


@pytest.fixture
def broker(cluster: Cluster, source: FastStream, loop: Loop) -> Iterator[KafkaBroker]:
    made = KafkaBroker(cluster.address, logger=None, graceful_timeout=1, allow_auto_create_topics=False)
    yield made
    loop.run(made.stop())


@pytest.fixture
def hold_s() -> Iterator[Any]:
    """Set for how long a stopped consumer keeps its place."""
    kind = discoverer._BROKERS["faststream.confluent"]
    assert isinstance(kind, Confluent)
    before = kind.hold_s

    def set_to(seconds: float) -> None:
        kind.hold_s = seconds

    yield set_to
    kind.hold_s = before


#: The mock gives a place back after the session's time-out: the shortest that it takes.
JOINS: dict[str, Any] = {
    "group_id": "shop",
    "auto_offset_reset": "earliest",
    "session_timeout_ms": 6000,
    "heartbeat_interval_ms": 500,
}
KINDS: dict[str, dict[str, Any]] = {
    "single": {},
    "acked": {"ack_policy": AckPolicy.ACK},
    "workers": {"max_workers": 5},
    "batch": {"batch": True, "max_records": 20},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_short_stop_loses_nothing_and_goes_on_at_once(
    source: FastStream, loop: Loop, cluster: Cluster, broker: KafkaBroker, kind: str
) -> None:
    traffic = Traffic()
    topic = f"orders-{kind}"
    cluster.create(topic)
    options: dict[str, Any] = KINDS[kind] | JOINS

    if kind == "batch":

        @broker.subscriber(topic, **options)
        async def reserve(numbers: list[int]) -> None:
            for number in numbers:
                await traffic.handle(number)
    else:

        @broker.subscriber(topic, **options)
        async def reserve(number: int) -> None:
            await traffic.handle(number)

    loop.run(broker.start())
    cycled = cycle(loop, source, f"{topic}:reserve", traffic, lambda n: cluster.send(topic, n), pause_s=0.02)
    print(f"kafka {kind}: {cycled}")  # noqa: T201 - the figures of this run
    assert (traffic.missing, traffic.repeated, traffic.in_quiet) == (set(), 0, 0)


@pytest.mark.parametrize(("kind", "cycles"), [("single", 3), ("acked", 1)])
def test_a_long_stop_leaves_the_group_and_loses_nothing(
    source: FastStream, loop: Loop, cluster: Cluster, broker: KafkaBroker, hold_s: Any, kind: str, cycles: int
) -> None:
    hold_s(0)
    traffic = Traffic()
    topic = f"left-{kind}"
    cluster.create(topic)

    @broker.subscriber(topic, **JOINS, **KINDS[kind])
    async def reserve(number: int) -> None:
        await traffic.handle(number)

    loop.run(broker.start())
    cycled = cycle(
        loop,
        source,
        f"{topic}:reserve",
        traffic,
        lambda n: cluster.send(topic, n),
        cycles=cycles,
        pause_s=0.03,
        settle_s=90,
    )
    print(f"kafka leaving {kind}: {cycled}")  # noqa: T201 - as above
    assert (traffic.missing, traffic.repeated, traffic.in_quiet) == (set(), 0, 0)


def test_a_consumer_that_keeps_its_place_has_told_how_far_it_came(
    source: FastStream, loop: Loop, cluster: Cluster, broker: KafkaBroker
) -> None:
    handled: list[int] = []
    cluster.create("told")

    @broker.subscriber("told", **JOINS)
    async def work(number: int) -> None:
        handled.append(number)

    loop.run(broker.start())
    for _ in range(3):
        loop.run(cluster.send("told", 4))
    eventually(lambda: handled == [4, 4, 4])
    steer(source, "told:work").stop(5)
    (subscriber,) = broker.subscribers
    assert subscriber.consumer is not None
    # Long before the five seconds after which the client commits by itself.
    (place,) = subscriber.consumer.consumer.committed([confluent_kafka.TopicPartition("told", 0)], timeout=5)
    assert place.offset == 3


def test_a_stopped_consumer_leaves_its_group_after_a_while(
    source: FastStream, loop: Loop, cluster: Cluster, broker: KafkaBroker, hold_s: Any
) -> None:
    hold_s(0.3)
    handled: list[int] = []
    cluster.create("while")

    @broker.subscriber("while", **JOINS)
    async def work(number: int) -> None:
        handled.append(number)

    loop.run(broker.start())
    loop.run(cluster.send("while", 1))
    eventually(lambda: handled == [1])
    (subscriber,) = broker.subscribers
    steer(source, "while:work").stop(5)
    assert subscriber.consumer is not None
    eventually(lambda: subscriber.consumer is None)
    assert shown(source, "while:work").state is ListenerState.DISABLED
    loop.run(cluster.send("while", 2))
    assert steer(source, "while:work").start().change is Change.STARTED
    eventually(lambda: handled == [1, 2], 90)


@pytest.mark.parametrize("kind", ["single", "acked", "workers"])
def test_what_was_cut_off_is_handled_by_whoever_comes_next(
    source: FastStream, loop: Loop, cluster: Cluster, broker: KafkaBroker, kind: str
) -> None:
    began: list[int] = []
    is_patient = threading.Event()
    topic = f"stuck-{kind}"
    cluster.create(topic)

    @broker.subscriber(topic, **JOINS, **KINDS[kind])
    async def stuck(number: int) -> None:
        began.append(number)
        while number >= 4 and not is_patient.is_set():
            await asyncio.sleep(0.01)

    loop.run(broker.start())
    for number in range(12):
        loop.run(cluster.send(topic, number))
    eventually(lambda: max(began, default=0) >= 4, 90)
    loop.run(asyncio.sleep(0.3))
    outcome = steer(source, f"{topic}:stuck").stop(0.2)
    assert outcome.cut >= 1
    cut = set(began) - set(range(4))
    is_patient.set()
    steer(source, f"{topic}:stuck").start()

    def is_well() -> bool:
        return set(began) == set(range(12)) and all(began.count(number) > 1 for number in cut)

    with contextlib.suppress(AssertionError):
        eventually(is_well, 90)
    assert is_well(), f"began {began}, cut off {cut}, committed {cluster.committed(topic)}"


def test_an_acknowledgement_that_came_too_late_does_not_commit_past_what_was_cut_off(
    source: FastStream, loop: Loop, cluster: Cluster, broker: KafkaBroker
) -> None:
    began: list[int] = []
    cluster.create("late")

    @broker.subscriber("late", **JOINS, ack_policy=AckPolicy.ACK)
    async def stuck(number: int) -> None:
        began.append(number)
        while number == 4:
            await asyncio.sleep(0.01)

    loop.run(broker.start())
    for number in (0, 4, 8):
        loop.run(cluster.send("late", number))
    eventually(lambda: began == [0, 4], 90)
    (subscriber,) = broker.subscribers
    assert subscriber.consumer is not None
    # As librdkafka does, on a busy machine, when it gets to the acknowledgement of 0 after 4 was polled. Where it has done so
    # by itself, nothing is left to commit, and it says so.
    try:
        loop.run(subscriber.consumer.commit(asynchronous=False))
    except confluent_kafka.KafkaException as error:
        assert error.args[0].code() == confluent_kafka.KafkaError._NO_OFFSET
    assert cluster.committed("late") == [2, None, None, None]
    assert steer(source, "late:stuck").stop(0.1).cut == 1
    assert cluster.committed("late") == [1, None, None, None]


def test_subscribers_are_shown_with_their_topics_and_group(
    source: FastStream, loop: Loop, cluster: Cluster, broker: KafkaBroker
) -> None:
    for topic in ("a", "b"):
        cluster.create(topic)

    @broker.subscriber("a", "b", group_id="mine")
    async def both(body: str) -> None: ...

    loop.run(broker.start())
    found = shown(source, "a, b:both")
    assert (found.protocol, found.source, found.group, found.state) == (
        "confluent",
        "a, b",
        "mine",
        ListenerState.ENABLED,
    )
