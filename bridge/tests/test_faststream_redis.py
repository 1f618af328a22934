"""FastStream on Redis: streams, lists and channels stop and start without losing or stranding what can be kept."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from faststream.redis import ListSub, PubSub, RedisBroker, StreamSub
from pilothouse_bridge._inventory import ListenerState
from pilothouse_bridge._steering import Change
from pilothouse_bridge.discover.faststream import FastStream

from . import brokers
from .brokers import Loop, Traffic, cycle, eventually, shown, steer

pytestmark = [pytest.mark.xdist_group("redis"), pytest.mark.slow]


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with brokers.redis(tmp_path_factory.mktemp("redis")) as address:
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
def broker(url: str, source: FastStream, loop: Loop) -> Iterator[RedisBroker]:
    made = RedisBroker(url, logger=None, graceful_timeout=1)
    yield made
    loop.run(made.stop())


async def client_of(broker: RedisBroker) -> Any:
    return await broker.connect()


def call(loop: Loop, broker: RedisBroker, act: Callable[[Any], Any]) -> Any:
    async def work() -> Any:
        return await act(await client_of(broker))

    return loop.run(work())


def pending(loop: Loop, broker: RedisBroker, stream: str, group: str) -> int:
    return int(call(loop, broker, lambda client: client.xpending(stream, group))["pending"])


STREAMS: dict[str, dict[str, Any]] = {
    "single": {},
    "batch": {"batch": True, "max_records": 20},
    "many": {"max_records": 50},
}


@pytest.mark.parametrize(("kind", "workers"), [("single", 1), ("batch", 1), ("many", 1), ("many", 5)])
def test_a_stream_with_a_group_loses_nothing_and_leaves_nothing_pending(
    source: FastStream, loop: Loop, broker: RedisBroker, kind: str, workers: int
) -> None:
    traffic = Traffic()
    key = f"orders-{kind}-{workers}"
    stream = StreamSub(key, group="shop", consumer="one", **STREAMS[kind])

    if kind == "batch":

        @broker.subscriber(stream=stream)
        async def reserve(numbers: list[int]) -> None:
            for number in numbers:
                await traffic.handle(number)
    else:

        @broker.subscriber(stream=stream, max_workers=workers)
        async def reserve(number: int) -> None:
            await traffic.handle(number)

    loop.run(broker.start())
    left: list[int] = []
    cycled = cycle(
        loop,
        source,
        f"{key}:reserve",
        traffic,
        lambda number: broker.publish(number, stream=key),
        while_stopped=lambda: left.append(pending(loop, broker, key, "shop")),
    )
    print(f"redis stream {kind} workers {workers}: {cycled}")  # noqa: T201 - the figures of this run
    assert (traffic.missing, traffic.repeated, traffic.in_quiet) == (set(), 0, 0)
    assert left == [0, 0, 0]
    assert pending(loop, broker, key, "shop") == 0


@pytest.mark.parametrize("last_id", ["$", "0"])
def test_a_stream_without_a_group_goes_on_where_it_left_off(
    source: FastStream, loop: Loop, broker: RedisBroker, last_id: str
) -> None:
    traffic = Traffic()
    key = f"plain-{last_id}"

    @broker.subscriber(stream=StreamSub(key, last_id=last_id, max_records=10))
    async def follow(number: int) -> None:
        await traffic.handle(number)

    loop.run(broker.start())
    time.sleep(0.2)
    cycled = cycle(loop, source, f"{key}:follow", traffic, lambda number: broker.publish(number, stream=key))
    print(f"redis plain stream {last_id}: {cycled}")  # noqa: T201 - as above
    # "From now on" misses what comes between two of FastStream's reads until the first message came.
    assert traffic.missing <= set(range(3 if last_id == "$" else 0))
    assert (traffic.repeated, traffic.in_quiet) == (0, 0)


def test_a_stream_that_was_told_from_now_on_keeps_what_comes_while_stopped(
    source: FastStream, loop: Loop, broker: RedisBroker
) -> None:
    handled: list[int] = []

    @broker.subscriber(stream="quiet")
    async def hear(number: int) -> None:
        handled.append(number)

    loop.run(broker.start())
    loop.run(asyncio.sleep(0.1))
    assert steer(source, "quiet:hear").stop(1).change is Change.STOPPED
    loop.run(broker.publish(1, stream="quiet"))
    steer(source, "quiet:hear").start()
    eventually(lambda: handled == [1])


@pytest.mark.parametrize(("batch", "workers"), [(False, 1), (True, 1), (False, 5)])
def test_a_list_loses_nothing(source: FastStream, loop: Loop, broker: RedisBroker, batch: bool, workers: int) -> None:
    traffic = Traffic()
    key = f"list-{batch}-{workers}"

    if batch:

        @broker.subscriber(list=ListSub(key, batch=True, max_records=20, polling_interval=0.05))
        async def pick(numbers: list[int]) -> None:
            for number in numbers:
                await traffic.handle(number)
    else:

        @broker.subscriber(list=key, max_workers=workers)
        async def pick(number: int) -> None:
            await traffic.handle(number)

    loop.run(broker.start())
    cycled = cycle(loop, source, f"{key}:pick", traffic, lambda number: broker.publish(number, list=key))
    print(f"redis list batch {batch} workers {workers}: {cycled}")  # noqa: T201 - as above
    assert (traffic.missing, traffic.repeated, traffic.in_quiet) == (set(), 0, 0)
    assert call(loop, broker, lambda client: client.llen(key)) == 0


def test_a_channel_drains_and_says_that_it_keeps_nothing(source: FastStream, loop: Loop, broker: RedisBroker) -> None:
    traffic = Traffic()

    @broker.subscriber(PubSub("news", polling_interval=0.05))
    async def read(number: int) -> None:
        await traffic.handle(number)

    loop.run(broker.start())
    cycled = cycle(loop, source, "news:read", traffic, lambda number: broker.publish(number, "news"), settle_s=1)
    print(f"redis channel: {cycled}")  # noqa: T201 - as above
    assert (traffic.repeated, traffic.in_quiet) == (0, 0)
    assert all("Its source keeps nothing" in outcome.message for outcome in cycled.stops)


def test_subscribers_are_shown_with_their_key_and_group(source: FastStream, loop: Loop, broker: RedisBroker) -> None:
    @broker.subscriber(stream=StreamSub("s", group="g", consumer="c"))
    @broker.subscriber(list="l")
    @broker.subscriber("c")
    async def any_of(body: str) -> None: ...

    loop.run(broker.start())
    found = {one.source: one for one in source.find() if one.name.endswith(":any_of")}
    assert set(found) == {"s", "l", "c"}
    assert {one.protocol for one in found.values()} == {"redis"}
    assert (found["s"].group, found["l"].group, found["c"].group) == ("g", None, None)
    assert all(one.state is ListenerState.ENABLED for one in found.values())


@pytest.mark.parametrize("workers", [1, 4])
def test_what_a_stream_had_in_hand_when_the_grace_was_over_comes_first_after_the_start(
    source: FastStream, loop: Loop, broker: RedisBroker, workers: int
) -> None:
    key, is_patient = f"stuck-{workers}", threading.Event()
    began: list[int] = []

    @broker.subscriber(stream=StreamSub(key, group="g", consumer="c", max_records=10), max_workers=workers)
    async def stuck(number: int) -> None:
        began.append(number)
        while not is_patient.is_set():
            await asyncio.sleep(0.01)

    loop.run(broker.start())

    async def publish() -> None:
        for number in range(6):
            await broker.publish(number, stream=key)

    loop.run(publish())
    eventually(lambda: len(began) == workers)
    outcome = steer(source, f"{key}:stuck").stop(0.3)
    assert (outcome.finished, outcome.cut) == (0, workers)
    loop.run(broker.publish(6, stream=key))
    held = pending(loop, broker, key, "g")
    assert outcome.returned == held - workers
    began.clear()
    is_patient.set()
    steer(source, f"{key}:stuck").start()
    eventually(lambda: len(began) == 7)
    assert sorted(began) == list(range(7))
    if workers == 1:
        assert began == list(range(7))
    eventually(lambda: pending(loop, broker, key, "g") == 0)


@pytest.mark.parametrize("workers", [1, 4])
def test_what_a_list_had_in_hand_when_the_grace_was_over_goes_back_to_its_front(
    source: FastStream, loop: Loop, broker: RedisBroker, workers: int
) -> None:
    key, is_patient = f"held-{workers}", threading.Event()
    began: list[int] = []

    @broker.subscriber(list=key, max_workers=workers)
    async def hold(number: int) -> None:
        began.append(number)
        while not is_patient.is_set():
            await asyncio.sleep(0.01)

    loop.run(broker.start())

    async def publish() -> None:
        for number in range(12):
            await broker.publish(number, list=key)

    loop.run(publish())
    eventually(lambda: len(began) == workers)
    loop.run(asyncio.sleep(0.1))
    outcome = steer(source, f"{key}:hold").stop(0.2)
    assert (outcome.finished, outcome.cut) == (0, workers)
    assert call(loop, broker, lambda client: client.llen(key)) == 12
    began.clear()
    is_patient.set()
    steer(source, f"{key}:hold").start()
    eventually(lambda: len(began) == 12)
    assert sorted(began) == list(range(12))


def test_a_stream_without_a_group_that_was_cut_off_reads_again_from_there(
    source: FastStream, loop: Loop, broker: RedisBroker
) -> None:
    is_patient = threading.Event()
    began: list[int] = []

    @broker.subscriber(stream=StreamSub("ungrouped", last_id="0", max_records=10))
    async def hold(number: int) -> None:
        began.append(number)
        while number == 2 and not is_patient.is_set():
            await asyncio.sleep(0.01)

    async def publish() -> None:
        for number in range(5):
            await broker.publish(number, stream="ungrouped")

    loop.run(publish_first(broker, publish))
    loop.run(broker.start())
    eventually(lambda: began == [0, 1, 2])
    steer(source, "ungrouped:hold").stop(0.1)
    is_patient.set()
    steer(source, "ungrouped:hold").start()
    eventually(lambda: began == [0, 1, 2, 2, 3, 4])


async def publish_first(broker: RedisBroker, publish: Callable[[], Any]) -> None:
    await broker.connect()
    await publish()


@pytest.mark.parametrize("kind", ["list", "stream"])
def test_a_read_that_blocks_for_ever_is_ended_without_loss(
    source: FastStream, loop: Loop, broker: RedisBroker, kind: str
) -> None:
    handled: list[int] = []
    key = f"patient-{kind}"
    what: dict[str, Any] = (
        {"list": ListSub(key, polling_interval=30)}
        if kind == "list"
        else {"stream": StreamSub(key, polling_interval=30_000, group="g", consumer="c")}
    )

    @broker.subscriber(**what)
    async def wait(number: int) -> None:
        handled.append(number)

    loop.run(broker.start())
    loop.run(asyncio.sleep(0.2))
    began = time.monotonic()
    assert steer(source, f"{key}:wait").stop(10).change is Change.STOPPED
    assert time.monotonic() - began < 5
    loop.run(broker.publish(1, **{kind: key}))
    time.sleep(0.1)
    assert handled == []
    steer(source, f"{key}:wait").start()
    eventually(lambda: handled == [1])


def test_whoever_starts_or_stops_a_subscriber_wakes_the_bridge(loop: Loop, broker: RedisBroker) -> None:
    wakes: list[str] = []
    waking = FastStream()
    waking.install(lambda: wakes.append("woken"))

    @broker.subscriber("stir")
    async def stir(body: str) -> None: ...

    for act in (
        lambda: loop.run(broker.start()),
        lambda: steer(waking, "stir:stir").stop(1),
        lambda: steer(waking, "stir:stir").start(),
        lambda: loop.run(broker.subscribers[0].stop()),
    ):
        wakes.clear()
        act()
        assert wakes


def test_a_broker_that_goes_away_is_a_failure_and_a_stop_still_works(
    source: FastStream, loop: Loop, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with brokers.redis(tmp_path_factory.mktemp("gone")) as address:
        broker = RedisBroker(address, logger=None, graceful_timeout=1)

        @broker.subscriber(stream=StreamSub("s", group="g", consumer="c"))
        async def work(body: str) -> None: ...

        loop.run(broker.start())
        assert shown(source, "s:work").state is ListenerState.ENABLED
    eventually(lambda: shown(source, "s:work").state is ListenerState.FAILED)
    assert shown(source, "s:work").state_reason == "Reading from the broker fails: ConnectionError."
    assert steer(source, "s:work").stop(1).change is Change.STOPPED
    assert shown(source, "s:work").state is ListenerState.DISABLED
    loop.run(broker.stop())
