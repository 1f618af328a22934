"""Finding out what this process runs: one framework, one file; a discoverer that fails is left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from pilothouse_bridge import _say
from pilothouse_bridge._inventory import Consumer, Inventory, Listener, Schedule, Service

if TYPE_CHECKING:  # a program that is never steered need not pay for it
    from pilothouse_bridge._steering import Steerable

_T = TypeVar("_T")
LogLevels = Callable[[Sequence[Service]], Sequence[tuple[str, str]]]
LogHandlers = Callable[[Sequence[tuple[str, str]]], Sequence[tuple[str, str, str]]]


@dataclass(frozen=True)
class Serving:
    """A listener and the application behind it, as long as one look takes: no strong reference is kept."""

    listener: Listener
    application: object
    steer: "Callable[[Listener], Steerable] | None" = None
    """Makes what stops and starts it, under the name that it finally bears."""


class ListenerSource(Protocol):
    """Finds listeners of one server."""

    name: str

    def install(self, wake: Callable[[], None]) -> None:
        """Begin to watch; ``wake`` says that something started or stopped just now."""

    def find(self) -> list[Serving]:
        """What listens at this moment."""
        ...

    def after_fork(self) -> None:
        """Renew locks in a forked child."""


class ServiceSource(Protocol):
    """Finds applications of one framework."""

    name: str

    def install(self, wake: Callable[[], None]) -> None:
        """Begin to watch."""

    def find(self, servings: Sequence[Serving]) -> list[Service]:
        """What is there at this moment."""
        ...

    def after_fork(self) -> None:
        """Renew locks in a forked child."""


class ConsumerSource(Protocol):
    """Finds consumers of one framework. It may be a ``SteeringSource`` too."""

    name: str

    def install(self, wake: Callable[[], None]) -> None:
        """Begin to watch; ``wake`` says that something started or stopped just now."""

    def find(self) -> list[Consumer]:
        """What is there at this moment."""
        ...

    def after_fork(self) -> None:
        """Renew locks in a forked child."""


class ScheduleSource(Protocol):
    """Finds scheduled jobs of one framework. It may be a ``SteeringSource`` too."""

    name: str

    def install(self, wake: Callable[[], None]) -> None:
        """Begin to watch; ``wake`` says that a job came, went, was paused or resumed."""

    def find(self) -> list[Schedule]:
        """What is there at this moment."""
        ...

    def after_fork(self) -> None:
        """Renew locks in a forked child."""


class Discovery:
    """All discoverers together."""

    def __init__(
        self,
        listeners: Sequence[ListenerSource],
        services: Sequence[ServiceSource],
        consumers: Sequence[ConsumerSource] = (),
        schedules: Sequence[ScheduleSource] = (),
    ) -> None:
        """Keep who is asked, in the order in which they are asked."""
        self._listeners: Final = tuple(listeners)
        self._services: Final = tuple(services)
        self._consumers: Final = tuple(consumers)
        self._schedules: Final = tuple(schedules)
        self._reported: set[str] = set()
        self._last_services: Sequence[Service] = ()

    def install(self, wake: Callable[[], None]) -> None:
        """Let each watch from now on."""
        for source in (*self._listeners, *self._services, *self._consumers, *self._schedules):
            try:
                source.install(wake)
            except Exception as error:  # noqa: BLE001 - frameworks change; the program must not suffer
                self._report(source.name, error)

    def look(self, log_levels: LogLevels, log_handlers: LogHandlers | None = None) -> Inventory:
        """What this process runs now."""
        servings = self._servings()
        services: list[Service] = []
        for service_source in self._services:
            services += self._asked(service_source.name, lambda source=service_source: source.find(servings))
        self._last_services = services
        levels = self._asked("loggers", lambda: list(log_levels(services)))
        handlers = [] if log_handlers is None else self._asked("log handlers", lambda: list(log_handlers(levels)))
        consumers = [one for source in self._consumers for one in self._asked(source.name, source.find)]
        schedules = [one for source in self._schedules for one in self._asked(source.name, source.find)]
        return Inventory(
            tuple(sorted((serving.listener for serving in servings), key=lambda listener: listener.name)),
            tuple(_with_unique_service_names(services)),
            tuple(levels),
            tuple(sorted(consumers, key=lambda one: (one.name, one.package))),
            tuple(sorted(schedules, key=lambda one: (one.name, one.package))),
            tuple(handlers),
        )

    def services(self) -> Sequence[Service]:
        """The services as they were found by the last look."""
        return self._last_services

    def steerables(self) -> "list[Steerable]":
        """What can be stopped and started at this moment, named as in the inventory."""
        found = [serving.steer(serving.listener) for serving in self._servings() if serving.steer is not None]
        for source in (*self._consumers, *self._schedules):
            steerables: Callable[[], list[Steerable]] | None = getattr(source, "steerables", None)
            if steerables is not None:
                found += self._asked(source.name, steerables)
        return found

    def after_fork(self) -> None:
        """Renew every lock in a forked child."""
        for source in (*self._listeners, *self._services, *self._consumers, *self._schedules):
            source.after_fork()

    def _servings(self) -> list[Serving]:
        found = [serving for source in self._listeners for serving in self._asked(source.name, source.find)]
        return _with_unique_names(found)

    def _asked(self, name: str, find: Callable[[], list[_T]]) -> list[_T]:
        try:
            return find()
        except Exception as error:  # noqa: BLE001 - frameworks change; the program must not suffer
            self._report(name, error)
            return []

    def _report(self, name: str, error: Exception) -> None:
        if name not in self._reported:
            self._reported.add(name)
            _say.warning("Discovery of %s failed; what it would have found is not shown: %r", name, error)


def _with_unique_names(servings: Sequence[Serving]) -> list[Serving]:
    """Where two listeners share a name, all of them take their host into it, then a number by sorted address."""
    for distinguish in (_with_host, _with_number):
        names = [serving.listener.name for serving in servings]
        if len(set(names)) == len(names):
            break
        servings = distinguish(servings, {name for name in names if names.count(name) > 1})
    return list(servings)


def _with_host(servings: Sequence[Serving], shared: set[str]) -> Sequence[Serving]:
    return [
        replace(serving, listener=replace(serving.listener, name=f"{serving.listener.name}-{serving.listener.host}"))
        if serving.listener.name in shared
        else serving
        for serving in servings
    ]


def _with_number(servings: Sequence[Serving], shared: set[str]) -> Sequence[Serving]:
    counts: dict[str, int] = {}
    numbered: list[Serving] = []
    for serving in sorted(servings, key=lambda serving: (serving.listener.name, serving.listener.port or 0)):
        name = serving.listener.name
        if name in shared:
            counts[name] = counts.get(name, 0) + 1
            numbered.append(replace(serving, listener=replace(serving.listener, name=f"{name}-{counts[name]}")))
        else:
            numbered.append(serving)
    return numbered


def _with_unique_service_names(services: Sequence[Service]) -> list[Service]:
    """Two services with one title are told apart by their base path, then by their module, then by a number."""
    ordered = sorted(
        services, key=lambda service: (service.name, service.base_path, service.package, service.listeners)
    )
    taken: set[str] = set()
    unique: list[Service] = []
    for service in ordered:
        candidates = [service.name, f"{service.name} ({service.base_path})", f"{service.name} ({service.package})"]
        name = next((candidate for candidate in candidates if candidate not in taken), None)
        number = 2
        while name is None:
            numbered = f"{service.name} #{number}"
            name = None if numbered in taken else numbered
            number += 1
        taken.add(name)
        unique.append(replace(service, name=name))
    return unique
