"""FastStream on MQTT: a session that lasts keeps what is sent while its consumer is stopped; the program publishes on."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import zmqtt
from faststream.middlewares import AckPolicy
from faststream.mqtt import MQTTBroker
from pilothouse_bridge._inventory import ListenerState
from pilothouse_bridge._steering import Change, SteeringError
from pilothouse_bridge.discover.faststream import FastStream

from . import brokers
from .brokers import Loop, Traffic, cycle, eventually, shown, steer

pytestmark = [pytest.mark.xdist_group("mqtt"), pytest.mark.slow]
AT_LEAST_ONCE = zmqtt.QoS.AT_LEAST_ONCE


@pytest.fixture(scope="session")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with brokers.mosquitto(tmp_path_factory.mktemp("mosquitto")) as number:
        yield number


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
def publisher(port: int, loop: Loop) -> Iterator[MQTTBroker]:
    made = MQTTBroker(f"mqtt://127.0.0.1:{port}", logger=None)
    loop.run(made.connect())
    yield made
    loop.run(made.stop())


class Brokers:
    """Brokers of one test, ended after it."""

    def __init__(self, loop: Loop, port: int) -> None:
        self._loop = loop
        self._port = port
        self.made: list[MQTTBroker] = []

    def __call__(self, **options: Any) -> MQTTBroker:
        made = MQTTBroker(f"mqtt://127.0.0.1:{self._port}", logger=None, graceful_timeout=1, **options)
        self.made.append(made)
        return made


@pytest.fixture
def broker_with(loop: Loop, port: int, source: FastStream) -> Iterator[Brokers]:
    made = Brokers(loop, port)
    yield made
    for one in made.made:
        loop.run(one.stop())


def lasting(version: str, name: str) -> dict[str, Any]:
    if version == "3.1.1":
        return {"version": version, "client_id": name, "clean_session": False}
    return {"version": version, "client_id": name, "clean_session": False, "session_expiry_interval": 600}


@pytest.mark.parametrize(("version", "workers"), [("5.0", 1), ("5.0", 5), ("3.1.1", 1)])
def test_a_session_that_lasts_loses_nothing(
    source: FastStream, loop: Loop, broker_with: Brokers, publisher: MQTTBroker, version: str, workers: int
) -> None:
    traffic = Traffic()
    topic = f"orders/{version.replace('.', '')}/{workers}"
    broker = broker_with(**lasting(version, topic.replace("/", "-")))

    @broker.subscriber(topic, qos=AT_LEAST_ONCE, max_workers=workers)
    async def reserve(number: int) -> None:
        await traffic.handle(number)

    loop.run(broker.start())
    cycled = cycle(
        loop,
        source,
        f"{topic}:reserve",
        traffic,
        lambda number: publisher.publish(number, topic, qos=AT_LEAST_ONCE),
    )
    print(f"mqtt {version} workers {workers}: {cycled}")  # noqa: T201 - the figures of this run
    assert (traffic.missing, traffic.repeated, traffic.in_quiet) == (set(), 0, 0)
    assert not any("keeps nothing" in outcome.message for outcome in cycled.stops)


def test_a_session_whose_messages_are_acknowledged_at_once_loses_nothing(
    source: FastStream, loop: Loop, broker_with: Brokers, publisher: MQTTBroker
) -> None:
    traffic = Traffic()
    broker = broker_with(**lasting("5.0", "hasty"))

    @broker.subscriber("hasty", qos=AT_LEAST_ONCE, ack_policy=AckPolicy.ACK_FIRST)
    async def reserve(number: int) -> None:
        await traffic.handle(number)

    loop.run(broker.start())
    cycled = cycle(loop, source, "hasty:reserve", traffic, lambda n: publisher.publish(n, "hasty", qos=AT_LEAST_ONCE))
    print(f"mqtt ack first: {cycled}")  # noqa: T201 - as above
    assert (traffic.missing, traffic.repeated, traffic.in_quiet) == (set(), 0, 0)


def test_a_plain_subscription_handles_what_came_and_says_that_nothing_is_kept(
    source: FastStream, loop: Loop, broker_with: Brokers, publisher: MQTTBroker
) -> None:
    traffic = Traffic()
    broker = broker_with()

    @broker.subscriber("plain/#")
    async def hear(number: int) -> None:
        await traffic.handle(number)

    loop.run(broker.start())
    cycled = cycle(loop, source, "plain/#:hear", traffic, lambda n: publisher.publish(n, "plain/a"), settle_s=1)
    print(f"mqtt plain: {cycled}")  # noqa: T201 - as above
    assert (traffic.repeated, traffic.in_quiet) == (0, 0)
    assert all("Its source keeps nothing" in outcome.message for outcome in cycled.stops)


def test_the_program_publishes_while_its_session_is_left(
    source: FastStream, loop: Loop, broker_with: Brokers, publisher: MQTTBroker
) -> None:
    heard: list[str] = []
    broker = broker_with(**lasting("5.0", "publisher-too"))
    other = broker_with()

    @broker.subscriber("in", qos=AT_LEAST_ONCE)
    async def work(body: str) -> None: ...

    @other.subscriber("out", qos=AT_LEAST_ONCE)
    async def listen(body: str) -> None:
        heard.append(body)

    loop.run(broker.start())
    loop.run(other.start())
    steer(source, "in:work").stop(1)
    assert loop.run(broker.ping(2))
    loop.run(broker.publish("while stopped", "out", qos=AT_LEAST_ONCE))
    steer(source, "in:work").start()
    loop.run(broker.publish("after", "out", qos=AT_LEAST_ONCE))
    eventually(lambda: heard == ["while stopped", "after"])


def test_what_outlasts_the_grace_is_cut_and_sent_again(
    source: FastStream, loop: Loop, broker_with: Brokers, publisher: MQTTBroker
) -> None:
    began: list[int] = []
    is_patient = threading.Event()
    broker = broker_with(**lasting("5.0", "stuck"))

    @broker.subscriber("stuck", qos=AT_LEAST_ONCE)
    async def stuck(number: int) -> None:
        began.append(number)
        while not is_patient.is_set():
            await asyncio.sleep(0.01)

    loop.run(broker.start())
    for number in range(3):
        loop.run(publisher.publish(number, "stuck", qos=AT_LEAST_ONCE))
    eventually(lambda: began == [0])
    outcome = steer(source, "stuck:stuck").stop(0.1)
    assert (outcome.finished, outcome.cut) == (0, 1)
    is_patient.set()
    steer(source, "stuck:stuck").start()
    eventually(lambda: began == [0, 0, 1, 2])


def test_a_session_with_others_in_it_is_not_left(
    source: FastStream, loop: Loop, broker_with: Brokers, publisher: MQTTBroker
) -> None:
    broker = broker_with(**lasting("5.0", "crowded"))

    @broker.subscriber("crowd/a", qos=AT_LEAST_ONCE)
    async def one(body: str) -> None: ...

    @broker.subscriber("crowd/b", qos=AT_LEAST_ONCE)
    async def other(body: str) -> None: ...

    loop.run(broker.start())
    with pytest.raises(SteeringError, match="shares its MQTT session with 1 others") as refused:
        steer(source, "crowd/a:one").stop(1)
    assert (refused.value.code, refused.value.http_status) == ("NOT_SUPPORTED", 501)
    assert shown(source, "crowd/a:one").state is ListenerState.ENABLED


def test_a_shared_subscription_is_shown_with_its_group(source: FastStream, loop: Loop, broker_with: Brokers) -> None:
    broker = broker_with()

    @broker.subscriber("jobs/+", shared="crew")
    async def share(body: str) -> None: ...

    loop.run(broker.start())
    found = shown(source, "jobs/+:share")
    assert (found.protocol, found.source, found.group, found.state) == (
        "mqtt",
        "jobs/+",
        "crew",
        ListenerState.ENABLED,
    )
    assert steer(source, "jobs/+:share").stop(1).change is Change.STOPPED


def test_a_broker_that_goes_away_is_a_failure_and_a_stop_still_works(
    source: FastStream, loop: Loop, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with brokers.mosquitto(tmp_path_factory.mktemp("gone")) as address:
        broker = MQTTBroker(f"mqtt://127.0.0.1:{address}", logger=None, graceful_timeout=1, **lasting("5.0", "gone"))

        @broker.subscriber("gone-mqtt.a", qos=AT_LEAST_ONCE)
        async def work(body: str) -> None: ...

        loop.run(broker.start())
        assert shown(source, "gone-mqtt.a:work").state is ListenerState.ENABLED
    eventually(lambda: shown(source, "gone-mqtt.a:work").state is ListenerState.FAILED)
    assert shown(source, "gone-mqtt.a:work").state_reason == "The connection to the MQTT broker is lost."
    assert steer(source, "gone-mqtt.a:work").stop(1).change is Change.STOPPED
    assert shown(source, "gone-mqtt.a:work").state is ListenerState.DISABLED
    with contextlib.suppress(Exception):  # the broker is gone
        loop.run(broker.stop())
