"""What this process runs: listeners, services with their resources, log levels."""

from dataclasses import dataclass
from enum import StrEnum, unique


@unique
class ListenerState(StrEnum):
    """Whether a listener takes requests."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    GATED = "gated"
    """A parent process holds the port; requests are answered 503."""
    DRAINING = "draining"
    FAILED = "failed"


@dataclass(frozen=True)
class Listener:
    """An open door: something that takes requests at an address; ``port`` is absent for a Unix socket."""

    name: str
    package: str
    state: ListenerState
    protocol: str
    host: str | None
    port: int | None
    state_reason: str | None = None


@dataclass(frozen=True)
class Consumer:
    """A subscription to a broker; ``source`` is the queue, topic or subject, ``handler`` the ``file:line`` of what it calls."""

    name: str
    package: str
    state: ListenerState
    protocol: str
    source: str
    group: str | None = None
    handler: str | None = None
    state_reason: str | None = None


@dataclass(frozen=True)
class Schedule:
    """A job that runs by the clock; ``trigger`` as people read it."""

    name: str
    package: str
    state: ListenerState
    trigger: str
    handler: str | None = None
    state_reason: str | None = None


@dataclass(frozen=True)
class Resource:
    """One path of a service; ``source`` is the ``file:line`` of its handler."""

    methods: tuple[str, ...]
    url: str
    source: str | None


@dataclass(frozen=True)
class Service:
    """An application at a base path; ``package`` is the module that made it."""

    name: str
    base_path: str
    package: str
    listeners: tuple[str, ...]
    resources: tuple[Resource, ...]
    definition: str | None = None
    """Its OpenAPI document, as JSON text."""


@dataclass(frozen=True)
class Inventory:
    """Everything, in an order that does not depend on who was found first."""

    listeners: tuple[Listener, ...] = ()
    services: tuple[Service, ...] = ()
    log_levels: tuple[tuple[str, str], ...] = ()
    consumers: tuple[Consumer, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    log_handlers: tuple[tuple[str, str, str], ...] = ()
    """Logger, handler, level of the handler."""
