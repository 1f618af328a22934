"""FastStream's subscribers: what each consumes from which broker, and stopping and starting one without losing a message.

Source: FastStream 0.7.8; what differs between brokers is in the modules ``_broker_*``.
"""

import asyncio
import sys
import weakref
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast, final

from pilothouse_bridge import _native, _say
from pilothouse_bridge._inventory import Consumer, ListenerState
from pilothouse_bridge._steering import Change, Kind, Outcome, Steerable, SteeringError
from pilothouse_bridge.discover import _broker_base, _broker_hand, _broker_kafka, _broker_redis
from pilothouse_bridge.discover._broker_base import Broker, Counts, ShownOnly, not_supported
from pilothouse_bridge.discover._broker_hand import Hand, hand_of, is_running, is_watched
from pilothouse_bridge.discover._broker_kafka import Aiokafka, Confluent
from pilothouse_bridge.discover._broker_mqtt import Mqtt
from pilothouse_bridge.discover._broker_nats import Nats
from pilothouse_bridge.discover._broker_rabbit import Rabbit
from pilothouse_bridge.discover._broker_redis import Redis
from pilothouse_bridge.discover._hooks import Watch, instances_of, when_imported
from pilothouse_bridge.discover._naming import source_of

_PACKAGE: Final = "faststream"
#: Beyond the grace: ending handlers, closing, committing.
_MARGIN_S: Final = 25.0
_START_LIMIT_S: Final = 25.0

_BROKERS: Final[dict[str, Broker]] = {
    "faststream.rabbit": Rabbit(),
    "faststream.redis": Redis(),
    "faststream.mqtt": Mqtt(),
    "faststream.nats": Nats(),
    "faststream.confluent": Confluent(),
    "faststream.kafka": Aiokafka(),
}
#: Modules, one class of each, and what is wrapped in them once they are there.
_WRAPPED: Final[tuple[tuple[str, str, Callable[[Any], None]], ...]] = (
    ("faststream._internal.endpoint.subscriber.mixins", "ConcurrentMixin", _broker_hand.watch_queues),
    ("faststream.redis.subscriber.usecases.list_subscriber", "ListBatchSubscriber", _broker_redis.watch_lists),
    ("faststream.redis.subscriber.usecases.channel_subscriber", "ChannelSubscriber", _broker_redis.watch_channels),
    ("faststream.redis.subscriber.usecases.stream_subscriber", "StreamBatchSubscriber", _broker_redis.watch_streams),
    ("faststream.confluent.subscriber.usecase", "BatchSubscriber", _broker_kafka.watch_reads),
)

_Result = TypeVar("_Result")


class FastStream:
    """Follows every broker of the process and the subscribers of each."""

    name = "faststream"

    def __init__(self) -> None:
        """Nothing is hooked yet."""
        self._wake: Callable[[], None] = _nobody
        self._brokers = Watch("faststream._internal.broker.broker", "BrokerUsecase")
        base = "faststream._internal.endpoint.subscriber.usecase"
        self._wrappings = [
            _Wrapping(base, "SubscriberUsecase", self._watch_subscribers),
            *(_Wrapping(*one) for one in _WRAPPED),
        ]
        self._lock = _native.lock()
        # A name once given stays with its subscriber, so that a command reaches what was shown.
        self._names: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()

    def install(self, wake: Callable[[], None]) -> None:
        """Begin to watch."""
        self._wake = wake
        self._brokers.install()
        for wrapping in self._wrappings:
            wrapping.install()

    def find(self) -> list[Consumer]:
        """Every subscriber of every broker."""
        return [one.described() for one in self._subscribers()]

    def steerables(self) -> list[Steerable]:
        """The same, to be stopped and started."""
        return list(self._subscribers())

    def after_fork(self) -> None:
        """Renew the locks."""
        self._lock = _native.lock()
        self._brokers.renew_lock()

    def _watch_subscribers(self, module: Any) -> None:
        _broker_hand.watch_subscribers(module.SubscriberUsecase, self._changed)

    def _changed(self) -> None:
        self._wake()

    def _subscribers(self) -> "list[_Subscriber]":
        self._brokers.catch_up()
        for wrapping in self._wrappings:
            wrapping.install()
        with self._lock:
            found: dict[int, tuple[Any, Any, Broker]] = {}
            for broker, _ in self._brokers.roster.live():
                for subscriber in cast("Any", broker).subscribers:
                    found.setdefault(id(subscriber), (broker, subscriber, _kind_of(subscriber)))
            taken = {name for one in found.values() if (name := self._names.get(one[1])) is not None}
            # Sorted, so that subscribers with one name are numbered alike whichever was found first.
            for plain, (_, subscriber, _) in sorted(
                ((_plain_name(*one[1:]), one) for one in found.values()), key=lambda pair: (pair[0], _line(pair[1][1]))
            ):
                if subscriber not in self._names:
                    self._names[subscriber] = _free_name(plain, taken)
                    taken.add(self._names[subscriber])
            return [_Subscriber(self._names[one[1]], *one) for one in found.values()]


@final
class _Wrapping:
    """Wraps something of a module once, as soon as it is there; what cannot be wrapped is shown and not steered."""

    def __init__(self, module_name: str, class_name: str, wrap: Callable[[Any], None]) -> None:
        self._module_name = module_name
        self._class_name = class_name
        self._wrap = wrap
        self._is_waiting = False
        self._is_done = False

    def install(self) -> None:
        module = sys.modules.get(self._module_name)
        if hasattr(module, self._class_name):
            self._hook(module)
        elif not self._is_waiting:
            self._is_waiting = True
            when_imported(self._module_name, self._hook)

    def _hook(self, module: Any) -> None:
        if not self._is_done:
            self._is_done = True
            try:
                self._wrap(module)
            except Exception as error:  # noqa: BLE001 - frameworks change; the program must not suffer
                _say.warning("%s is not as known; its consumers cannot be stopped: %r", self._module_name, error)


def _nobody() -> None:
    """Wake no one: not installed yet."""


def _kind_of(subscriber: Any) -> Broker:
    for cls in type(subscriber).__mro__:
        for prefix, broker in _BROKERS.items():
            if cls.__module__.startswith(f"{prefix}."):
                return broker
    return _Unknown(type(subscriber).__module__)


class _Unknown(ShownOnly):
    """A broker that we know nothing of: shown, not steered."""

    def __init__(self, module: str) -> None:
        parts = module.split(".")
        self.protocol = parts[1] if parts[0] == _PACKAGE and len(parts) > 1 else parts[0].removeprefix("faststream_")

    def source(self, subscriber: Any) -> str:
        return str(subscriber.specification.name).partition(":")[0]

    def check(self, subscriber: Any) -> None:
        raise not_supported(
            f"How to stop a subscriber of {self.protocol} ({type(subscriber).__name__}) without loss is not known.",
            "Stop the process instead.",
        )


def _plain_name(subscriber: Any, broker: Broker) -> str:
    """Source and handlers: the same after a restart, whatever was found first."""
    handlers = "+".join(call.name for call in subscriber.calls)
    source = _source(subscriber, broker)
    return f"{source}:{handlers}" if handlers else source


def _source(subscriber: Any, broker: Broker) -> str:
    try:
        return broker.source(subscriber)
    except Exception as error:  # noqa: BLE001 - a router that is in no broker yet, a release that names things anew
        _say.debug("The source of %s cannot be told: %r", type(subscriber).__name__, error)
        return type(subscriber).__name__


def _handler(subscriber: Any) -> str | None:
    calls = list(subscriber.calls)
    return source_of(calls[0].handler._declared_call) if calls else None  # noqa: SLF001


def _line(subscriber: Any) -> tuple[str, int]:
    file, _, line = (_handler(subscriber) or ":0").rpartition(":")
    return file, int(line)


def _free_name(name: str, taken: set[str]) -> str:
    number = 1
    candidate = name
    while candidate in taken:
        number += 1
        candidate = f"{name} #{number}"
    return candidate


@dataclass
class _Subscriber:
    """A subscriber as it is at this moment, under the name by which commands know it."""

    name: str
    owner: Any  # the broker; of a library that we do not import
    subscriber: Any
    broker: Broker
    kind: Kind = Kind.CONSUMER
    package: str = _PACKAGE

    def described(self) -> Consumer:
        state, reason = self._state()
        return Consumer(
            self.name,
            _PACKAGE,
            state,
            self.broker.protocol,
            _source(self.subscriber, self.broker),
            self._group(),
            _handler(self.subscriber),
            reason,
        )

    def stop(self, grace_s: float) -> Outcome:
        """Stop without loss; blocks until it is done, on the broker's own event loop, for the grace and a margin."""
        hand = self._check()
        if not is_running(self.subscriber):
            return Outcome(Change.UNCHANGED, f"{self._title()} was stopped already.")
        self.broker.check(self.subscriber)
        stopping = _broker_base.stop(self.broker, self.subscriber, hand, grace_s)
        counts = self._on_loop(hand, stopping, grace_s + _MARGIN_S)
        if is_running(self.subscriber):
            raise _failed(f"{self._title()} was started by the program while it was being stopped.", "Stop it again.")
        return Outcome(
            Change.STOPPED, self._told(counts, grace_s), counts.finished, counts.returned, counts.cut + counts.stubborn
        )

    def start(self) -> Outcome:
        """Start again, where it left off."""
        hand = self._check()
        if is_running(self.subscriber):
            return Outcome(Change.UNCHANGED, f"{self._title()} runs already.")
        if not self.owner.running:
            raise not_supported(
                f"{self._title()} cannot start: its broker is not started.", "Start the broker in the program."
            )
        self._on_loop(hand, _broker_base.start(self.broker, self.subscriber, hand), _START_LIMIT_S)
        state, reason = self._state()
        if state is not ListenerState.ENABLED:
            raise _failed(f"{self._title()} did not start: {reason}", "See the program's log.")
        return Outcome(Change.STARTED, f"{self._title()} takes messages again.")

    def trigger(self) -> Outcome:
        """A message cannot be made up."""
        raise not_supported("A consumer cannot be triggered.", "Send a message to its source.")

    def _state(self) -> tuple[ListenerState, str | None]:
        subscriber = self.subscriber
        hand = hand_of(subscriber) if is_watched(subscriber) else None
        if hand is not None and hand.draining:
            return ListenerState.DRAINING, f"{hand.busy()} in hand."
        if not is_running(subscriber):
            if not self.owner.running:
                return ListenerState.DISABLED, "Its broker is not started."
            return ListenerState.DISABLED, "Stopped."
        tasks: list[asyncio.Task[Any]] = getattr(subscriber, "tasks", [])
        if tasks and all(task.done() for task in tasks):
            return ListenerState.FAILED, "Its reading task ended."
        trouble = self.broker.trouble(subscriber, hand or Hand())
        return (ListenerState.ENABLED, None) if trouble is None else (ListenerState.FAILED, trouble)

    def _group(self) -> str | None:
        try:
            return self.broker.group(self.subscriber) or None
        except Exception as error:  # noqa: BLE001 - as in _source
            _say.debug("The group of %s cannot be told: %r", self.name, error)
            return None

    def _title(self) -> str:
        return f"The consumer of {_source(self.subscriber, self.broker)}"

    def _told(self, counts: Counts, grace_s: float) -> str:
        message = f"{self._title()} is stopped."
        if counts.cut:
            message += f" The grace of {grace_s:g} s was over: {counts.cut} cut off."
        if counts.stubborn:
            message += f" {counts.stubborn} could not be cut off and go on to their end."
        if not self.broker.keeps(self.subscriber):
            message += " Its source keeps nothing: what is sent while it is stopped is lost."
        return message

    def _check(self) -> Hand:
        if not (is_watched(self.subscriber) and self.broker.is_known(self.subscriber)):
            raise not_supported(
                "This release of FastStream is not known; its consumers are shown and cannot be steered.",
                "Use FastStream 0.7.8 or a later 0.7.",
            )
        if not self.subscriber.calls:
            raise not_supported(
                f"{self._title()} has no handler: the program fetches messages by itself.", "Use a handler."
            )
        return hand_of(self.subscriber)

    def _on_loop(self, hand: Hand, work: Coroutine[Any, Any, _Result], limit_s: float) -> _Result:
        loop = hand.loop or _only_loop()
        if loop is None or not loop.is_running():
            work.close()
            raise _failed(
                f"The event loop of {self._title().lower()} does not run.", "Start the broker in the program."
            )
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result(limit_s)
        except TimeoutError:
            future.cancel()
            raise _failed(
                f"{self._title()} did not come to rest within {limit_s:g} s.",
                "Look for code that blocks the event loop, and whether the broker answers.",
            ) from None
        except SteeringError:
            raise
        except Exception as error:
            raise _failed(f"{self._title()}: {type(error).__name__}: {error}", "See the program's log.") from error


def _only_loop() -> asyncio.AbstractEventLoop | None:
    """The one event loop of the process that runs: for a subscriber that began before we came."""
    every = cast("list[asyncio.AbstractEventLoop]", instances_of(asyncio.AbstractEventLoop))
    loops = [one for one in every if one.is_running()]
    return loops[0] if len(loops) == 1 else None


def _failed(message: str, fix: str) -> SteeringError:
    return SteeringError("FAILED", 500, message, fix)
