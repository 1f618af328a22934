"""FastStream on RabbitMQ: what is shown, and that no message is lost, stuck or handled while stopped."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from faststream.rabbit import Channel, RabbitBroker, RabbitExchange, RabbitQueue, RabbitRouter
from pilothouse_bridge._inventory import ListenerState
from pilothouse_bridge._steering import Change, SteeringError
from pilothouse_bridge.discover.faststream import FastStream

from . import brokers
from .brokers import Loop, Traffic, cycle, eventually, shown, steer

pytestmark = [pytest.mark.xdist_group("rabbitmq"), pytest.mark.slow]
HERE = Path(__file__).name


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with brokers.rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as address:
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
def broker(url: str, source: FastStream, loop: Loop) -> Iterator[RabbitBroker]:
    made = RabbitBroker(url, logger=None, graceful_timeout=1)
    yield made
    loop.run(made.stop())


async def ready(broker: RabbitBroker, queue: str) -> int:
    """How many messages wait at the server; those that a consumer holds are not among them."""
    async with broker._connection.channel() as channel:  # type: ignore[union-attr]
        declared = await channel.declare_queue(queue, passive=True)
        return int(declared.declaration_result.message_count or 0)


@pytest.mark.parametrize("prefetch", [1, 50])
def test_no_message_is_lost_or_stuck_over_stops_and_starts(
    source: FastStream, loop: Loop, broker: RabbitBroker, prefetch: int
) -> None:
    traffic = Traffic()
    queue = f"orders-{prefetch}"

    @broker.subscriber(queue, channel=Channel(prefetch_count=prefetch))
    async def reserve(number: int) -> None:
        await traffic.handle(number)

    loop.run(broker.start())
    name = f"{queue}:reserve"
    held: list[int] = []

    def nothing_is_held() -> None:
        # Whatever is not handled waits at the server: nothing is stranded with the stopped consumer.
        before = len(traffic.sent)
        waiting = loop.run(ready(broker, queue))
        held.append(max(0, before - len(traffic.handled) - waiting))

    cycled = cycle(
        loop, source, name, traffic, lambda number: broker.publish(number, queue), while_stopped=nothing_is_held
    )
    print(f"rabbitmq prefetch {prefetch}: {cycled}")  # noqa: T201 - the figures of this run
    assert (traffic.missing, traffic.repeated, traffic.in_quiet) == (set(), 0, 0)
    assert max(held) <= 1
    assert loop.run(ready(broker, queue)) == 0
    assert sum(outcome.cut + outcome.returned for outcome in cycled.stops) == 0


def test_a_subscriber_is_shown_with_its_queue_and_place(source: FastStream, loop: Loop, broker: RabbitBroker) -> None:
    router = RabbitRouter(prefix="eu-")

    @router.subscriber("stock")
    async def count(body: str) -> None: ...

    @broker.subscriber(RabbitQueue("bills", durable=False), RabbitExchange("shop"))
    async def bill(body: str) -> None: ...

    broker.include_router(router)
    before = shown(source, "eu-stock:count")
    assert (before.state, before.state_reason) == (ListenerState.DISABLED, "Its broker is not started.")
    with pytest.raises(SteeringError, match="its broker is not started"):
        steer(source, "eu-stock:count").start()
    loop.run(broker.start())
    for name, queue in (("eu-stock:count", "eu-stock"), ("bills:bill", "bills")):
        found = shown(source, name)
        assert (found.package, found.protocol, found.source, found.group) == ("faststream", "rabbitmq", queue, None)
        assert (found.state, found.state_reason) == (ListenerState.ENABLED, None)
    assert str(shown(source, "eu-stock:count").handler).rpartition("/")[2].startswith(f"{HERE}:")


def test_handlers_of_one_queue_have_names_of_their_own(source: FastStream, loop: Loop, broker: RabbitBroker) -> None:
    for _ in range(2):

        @broker.subscriber("twice")
        async def same(body: str) -> None: ...

    names = [one.name for one in source.find() if one.source == "twice"]
    assert sorted(names) == ["twice:same", "twice:same #2"]
    assert sorted(names) == sorted(one.name for one in source.steerables() if one.name.startswith("twice"))


def test_what_is_so_already_changes_nothing(source: FastStream, loop: Loop, broker: RabbitBroker) -> None:
    @broker.subscriber("calm")
    async def rest(body: str) -> None: ...

    loop.run(broker.start())
    assert steer(source, "calm:rest").start().change is Change.UNCHANGED
    assert steer(source, "calm:rest").stop(1).change is Change.STOPPED
    assert steer(source, "calm:rest").stop(1).change is Change.UNCHANGED
    assert shown(source, "calm:rest").state_reason == "Stopped."
    with pytest.raises(SteeringError) as refused:
        steer(source, "calm:rest").trigger()
    assert (refused.value.code, refused.value.http_status) == ("NOT_SUPPORTED", 501)


def test_one_stops_and_its_neighbour_goes_on(source: FastStream, loop: Loop, broker: RabbitBroker) -> None:
    one, other = Traffic(), Traffic()

    @broker.subscriber("left")
    async def left(number: int) -> None:
        await one.handle(number)

    @broker.subscriber("right")
    async def right(number: int) -> None:
        await other.handle(number)

    loop.run(broker.start())
    steer(source, "left:left").stop(1)
    for queue in ("left", "right"):
        loop.run(broker.publish(1, queue))
    eventually(lambda: other.handled)
    assert one.handled == []
    steer(source, "left:left").start()
    eventually(lambda: one.handled == [1])


def test_handlers_in_hand_are_finished_within_the_grace_and_the_state_says_so(
    source: FastStream, loop: Loop, broker: RabbitBroker
) -> None:
    began, done = threading.Event(), []

    @broker.subscriber("long", channel=Channel(prefetch_count=3))
    async def long(number: int) -> None:
        began.set()
        await asyncio.sleep(0.4)
        done.append(number)

    loop.run(broker.start())
    for number in range(3):
        loop.run(broker.publish(number, "long"))
    assert began.wait(10)
    states: list[ListenerState] = []
    watcher = threading.Thread(target=lambda: (time.sleep(0.15), states.append(shown(source, "long:long").state)))
    watcher.start()
    outcome = steer(source, "long:long").stop(10)
    watcher.join()
    assert (outcome.finished, outcome.returned, outcome.cut) == (3, 0, 0)
    assert sorted(done) == [0, 1, 2]
    assert states == [ListenerState.DRAINING]


def test_what_outlasts_the_grace_is_cut_and_goes_back_to_the_queue(
    source: FastStream, loop: Loop, broker: RabbitBroker
) -> None:
    began: list[int] = []
    is_patient = threading.Event()

    @broker.subscriber("stuck", channel=Channel(prefetch_count=2))
    async def stuck(number: int) -> None:
        began.append(number)
        while not is_patient.is_set():
            await asyncio.sleep(0.01)

    loop.run(broker.start())
    for number in range(3):
        loop.run(broker.publish(number, "stuck"))
    eventually(lambda: len(began) == 2)
    outcome = steer(source, "stuck:stuck").stop(0.1)
    assert (outcome.finished, outcome.returned, outcome.cut) == (0, 0, 2)
    assert "The grace of 0.1 s was over: 2 cut off." in outcome.message
    eventually(lambda: loop.run(ready(broker, "stuck")) == 3)
    is_patient.set()
    steer(source, "stuck:stuck").start()
    eventually(lambda: sorted(began) == [0, 0, 1, 1, 2])


def test_a_handler_in_a_thread_that_outlasts_the_grace_holds_nobody_up(
    source: FastStream, loop: Loop, broker: RabbitBroker
) -> None:
    began, may_end = threading.Event(), threading.Event()

    @broker.subscriber("threaded")
    def threaded(number: int) -> None:
        began.set()
        may_end.wait(20)

    loop.run(broker.start())
    loop.run(broker.publish(1, "threaded"))
    assert began.wait(10)
    outcome = steer(source, "threaded:threaded").stop(0.1)
    may_end.set()
    assert (outcome.change, outcome.cut) == (Change.STOPPED, 1)
    assert shown(source, "threaded:threaded").state is ListenerState.DISABLED


def test_a_subscriber_that_began_before_the_bridge_is_found_and_steered(loop: Loop, broker: RabbitBroker) -> None:
    traffic = Traffic()

    @broker.subscriber("early")
    async def early(number: int) -> None:
        await traffic.handle(number)

    loop.run(broker.start())
    late = FastStream()
    late.install(lambda: None)
    assert shown(late, "early:early").state is ListenerState.ENABLED
    assert steer(late, "early:early").stop(1).change is Change.STOPPED
    loop.run(broker.publish(1, "early"))
    time.sleep(0.1)
    assert traffic.handled == []
    assert steer(late, "early:early").start().change is Change.STARTED
    eventually(lambda: traffic.handled == [1])


def test_a_broker_that_goes_away_is_a_failure_and_a_stop_still_works(
    source: FastStream, loop: Loop, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with brokers.rabbitmq(tmp_path_factory.mktemp("gone")) as address:
        broker = RabbitBroker(address, logger=None, graceful_timeout=1)

        @broker.subscriber("gone-rabbit.a")
        async def work(body: str) -> None: ...

        loop.run(broker.start())
        assert shown(source, "gone-rabbit.a:work").state is ListenerState.ENABLED
    eventually(lambda: shown(source, "gone-rabbit.a:work").state is ListenerState.FAILED)
    assert shown(source, "gone-rabbit.a:work").state_reason == "The channel to RabbitMQ is closed."
    assert steer(source, "gone-rabbit.a:work").stop(1).change is Change.STOPPED
    assert shown(source, "gone-rabbit.a:work").state is ListenerState.DISABLED
    with contextlib.suppress(Exception):  # the broker is gone
        loop.run(broker.stop())
