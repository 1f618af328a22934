"""FastStream on NATS: JetStream consumers of every kind stop and start without loss; core subjects say that they keep nothing."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from faststream.nats import JStream, NatsBroker, PullSub
from nats.js.api import ConsumerConfig, DeliverPolicy
from pilothouse_bridge._inventory import ListenerState
from pilothouse_bridge._steering import Change
from pilothouse_bridge.discover.faststream import FastStream

from . import brokers
from .brokers import Loop, Traffic, cycle, eventually, shown, steer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("nats"),
    # FastStream advises against them; they exist all the same.
    pytest.mark.filterwarnings("ignore:The JetStream Push consumer with the `durable` option"),
]


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with brokers.nats(tmp_path_factory.mktemp("nats")) as address:
        yield address


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
def broker(url: str, source: FastStream, loop: Loop) -> Iterator[NatsBroker]:
    made = NatsBroker(url, logger=None, graceful_timeout=1)
    yield made
    loop.run(made.stop())


def unsettled(loop: Loop, broker: NatsBroker, stream: str, durable: str) -> tuple[int, int]:
    """How many messages wait for an answer, and how many were not delivered yet."""

    async def ask() -> tuple[int, int]:
        info = await broker.config.connection_state.stream.consumer_info(stream, durable)
        return int(info.num_ack_pending or 0), int(info.num_pending or 0)

    return loop.run(ask())


KINDS: dict[str, dict[str, Any]] = {
    "push-durable": {"durable": "d"},
    "push-queue": {"queue": "q"},
    "push-workers": {"durable": "d", "max_workers": 5},
    "push-nameless": {},
    "push-nameless-new": {"deliver_policy": DeliverPolicy.NEW},
    "pull": {"durable": "d", "pull_sub": True},
    "pull-many": {"durable": "d", "pull_sub": PullSub(batch_size=10, timeout=5)},
    "pull-workers": {"durable": "d", "pull_sub": PullSub(batch_size=5, timeout=5), "max_workers": 5},
    "pull-batch": {"durable": "d", "pull_sub": PullSub(batch_size=10, timeout=0.2, batch=True)},
    "pull-nameless": {"pull_sub": True},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_jetstream_consumer_loses_nothing(source: FastStream, loop: Loop, broker: NatsBroker, kind: str) -> None:
    traffic = Traffic()
    # What the server put on its way while the subscription ended is delivered anew after this time.
    options = {"config": ConsumerConfig(ack_wait=5)} | KINDS[kind]
    stream = JStream(f"stream-{kind}", subjects=[f"{kind}.*"])
    name = options.get("durable") or options.get("queue")

    if kind == "pull-batch":

        @broker.subscriber(f"{kind}.a", stream=stream, **options)
        async def reserve(numbers: list[int]) -> None:
            for number in numbers:
                await traffic.handle(number)
    else:

        @broker.subscriber(f"{kind}.a", stream=stream, **options)
        async def reserve(number: int) -> None:
            await traffic.handle(number)

    loop.run(broker.start())
    cycled = cycle(
        loop,
        source,
        f"{kind}.a:reserve",
        traffic,
        lambda number: broker.publish(number, f"{kind}.a", stream=stream.name),
    )
    print(f"nats {kind}: {cycled}")  # noqa: T201 - the figures of this run
    assert (traffic.missing, traffic.repeated, traffic.in_quiet) == (set(), 0, 0)
    if name is not None:
        eventually(lambda: unsettled(loop, broker, stream.name, name) == (0, 0))


def test_a_pull_that_waits_is_ended_at_once(source: FastStream, loop: Loop, broker: NatsBroker) -> None:
    handled: list[int] = []

    @broker.subscriber(
        "idle.a", stream=JStream("idle", subjects=["idle.*"]), durable="d", pull_sub=PullSub(batch_size=10, timeout=30)
    )
    async def work(number: int) -> None:
        handled.append(number)

    loop.run(broker.start())
    loop.run(asyncio.sleep(0.3))
    began = time.monotonic()
    outcome = steer(source, "idle.a:work").stop(10)
    assert time.monotonic() - began < 3
    assert (outcome.finished, outcome.returned, outcome.cut) == (0, 0, 0)
    loop.run(broker.publish(1, "idle.a", stream="idle"))
    time.sleep(0.2)
    assert handled == []
    steer(source, "idle.a:work").start()
    eventually(lambda: handled == [1])


@pytest.mark.parametrize("kind", ["push-durable", "pull-many", "push-nameless"])
def test_what_outlasts_the_grace_goes_back_and_comes_again_at_once(
    source: FastStream, loop: Loop, broker: NatsBroker, kind: str
) -> None:
    began: list[int] = []
    is_patient = threading.Event()
    subject = f"cut-{kind}.a"

    @broker.subscriber(subject, stream=JStream(f"cut-{kind}", subjects=[f"cut-{kind}.*"]), **KINDS[kind])
    async def stuck(number: int) -> None:
        began.append(number)
        while not is_patient.is_set():
            await asyncio.sleep(0.01)

    loop.run(broker.start())

    async def publish() -> None:
        for number in range(4):
            await broker.publish(number, subject, stream=f"cut-{kind}")

    loop.run(publish())
    eventually(lambda: began)
    loop.run(asyncio.sleep(0.2))
    outcome = steer(source, f"{subject}:stuck").stop(0.2)
    assert outcome.finished == 0
    assert outcome.cut >= 1
    assert outcome.cut == len(began)
    began.clear()
    is_patient.set()
    steer(source, f"{subject}:stuck").start()
    # Far less than the 30 s after which the server would send again by itself.
    eventually(lambda: sorted(began) == [0, 1, 2, 3], 5)


@pytest.mark.parametrize("workers", [1, 5])
def test_a_core_subject_handles_what_came_and_says_that_it_keeps_nothing(
    source: FastStream, loop: Loop, broker: NatsBroker, workers: int
) -> None:
    traffic = Traffic()

    @broker.subscriber(f"core-{workers}", max_workers=workers)
    async def hear(number: int) -> None:
        await traffic.handle(number)

    loop.run(broker.start())
    cycled = cycle(
        loop, source, f"core-{workers}:hear", traffic, lambda n: broker.publish(n, f"core-{workers}"), settle_s=2
    )
    print(f"nats core workers {workers}: {cycled}")  # noqa: T201 - as above
    assert (traffic.repeated, traffic.in_quiet) == (0, 0)
    assert all("Its source keeps nothing" in outcome.message for outcome in cycled.stops)


def test_subscribers_are_shown_with_their_subject_and_group(source: FastStream, loop: Loop, broker: NatsBroker) -> None:
    @broker.subscriber("plain", queue="crew")
    @broker.subscriber("js.a", stream=JStream("js", subjects=["js.*"]), durable="mine", pull_sub=True)
    async def both(body: str) -> None: ...

    loop.run(broker.start())
    found = {one.source: (one.protocol, one.group, one.state) for one in source.find() if one.name.endswith(":both")}
    assert found == {
        "plain": ("nats", "crew", ListenerState.ENABLED),
        "js.a": ("nats", "mine", ListenerState.ENABLED),
    }


def test_a_bucket_that_is_watched_stops_and_starts(source: FastStream, loop: Loop, broker: NatsBroker) -> None:
    seen: list[str] = []

    @broker.subscriber("key", kv_watch="bucket")
    async def watch(body: str) -> None:
        seen.append(body)

    loop.run(broker.start())

    async def put(value: bytes) -> None:
        bucket = await broker.key_value("bucket")
        await bucket.put("key", value)

    loop.run(put(b"one"))
    eventually(lambda: seen == ["one"])
    assert shown(source, "bucket:watch").state is ListenerState.ENABLED
    assert steer(source, "bucket:watch").stop(1).change is Change.STOPPED
    loop.run(put(b"two"))
    time.sleep(0.2)
    assert seen == ["one"]
    assert steer(source, "bucket:watch").start().change is Change.STARTED
    eventually(lambda: seen[-1] == "two")


def test_a_broker_that_goes_away_is_a_failure_and_a_stop_still_works(
    source: FastStream, loop: Loop, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with brokers.nats(tmp_path_factory.mktemp("gone")) as address:
        broker = NatsBroker(address, logger=None, graceful_timeout=1)

        @broker.subscriber("gone-nats.a", stream=JStream("gone", subjects=["gone-nats.*"]), durable="d", pull_sub=True)
        async def work(body: str) -> None: ...

        loop.run(broker.start())
        assert shown(source, "gone-nats.a:work").state is ListenerState.ENABLED
    eventually(lambda: shown(source, "gone-nats.a:work").state is ListenerState.FAILED)
    assert shown(source, "gone-nats.a:work").state_reason == "The connection to the NATS server is lost."
    assert steer(source, "gone-nats.a:work").stop(1).change is Change.STOPPED
    assert shown(source, "gone-nats.a:work").state is ListenerState.DISABLED
    with contextlib.suppress(Exception):  # the broker is gone
        loop.run(broker.stop())
