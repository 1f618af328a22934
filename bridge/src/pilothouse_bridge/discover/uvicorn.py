"""Uvicorn's servers: what really listens, and which application answers there.

Source: the sockets are the truth; under gunicorn the configured port is not the one that is open.
"""

import functools
import weakref
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from pilothouse_bridge._inventory import Listener, ListenerState
from pilothouse_bridge.discover import Serving
from pilothouse_bridge.discover._hooks import Watch
from pilothouse_bridge.discover._naming import listener_name

if TYPE_CHECKING:
    from pilothouse_bridge._steering import Steerable
    from pilothouse_bridge.discover._door import Memory


class Uvicorn:
    """Follows every ``uvicorn.Server``, also those that gunicorn's workers make."""

    name = "uvicorn"

    def __init__(self) -> None:
        """Nothing is hooked yet."""
        self._watch = Watch("uvicorn.server", "Server", self._wrap)
        self._wake: Callable[[], None] = _nobody
        # What commands did, by the listener's port or path; a server that is steered has been there for a while.
        self._memories: weakref.WeakKeyDictionary[Any, dict[object, Memory]] = weakref.WeakKeyDictionary()
        self._loops: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
        self._given: weakref.WeakKeyDictionary[Any, list[tuple[str, int | None]]] = weakref.WeakKeyDictionary()

    def install(self, wake: Callable[[], None]) -> None:
        """Begin to watch."""
        self._wake = wake
        self._watch.install()

    def find(self) -> list[Serving]:
        """Every server that has loaded its application, started or not."""
        self._watch.catch_up()
        return [serving for server, _ in self._watch.roster.live() for serving in self._servings(server)]

    def after_fork(self) -> None:
        """Renew the lock; what was done to the parent's servers was not done here."""
        self._watch.renew_lock()
        self._memories.clear()

    def _wrap(self, server_class: type[Any]) -> None:
        # serve() is told of sockets that are open already; startup() returns when the sockets listen, shutdown() when they
        # are closed.
        server_class.serve = self._noting_sockets(server_class.serve)
        server_class.startup = self._noting_startup(server_class.startup)
        server_class.shutdown = self._noting_shutdown(server_class.shutdown)

    def _noting_sockets(self, original: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        @functools.wraps(original)
        def serve(server: Any, sockets: Any = None, *args: Any, **kwargs: Any) -> Awaitable[object]:
            if sockets is not None:
                self._given[server] = _addresses_of(sockets)
            return original(server, sockets, *args, **kwargs)

        return serve

    def _noting_startup(self, original: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        @functools.wraps(original)
        async def startup(server: Any, sockets: Any = None, *args: Any, **kwargs: Any) -> object:
            import asyncio  # uvicorn has it loaded

            self._memories.pop(server, None)
            self._loops[server] = asyncio.get_running_loop()
            if sockets is not None:
                self._given[server] = _addresses_of(sockets)
            try:
                return await original(server, sockets, *args, **kwargs)
            finally:
                self._wake()

        return startup

    def _noting_shutdown(self, original: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        @functools.wraps(original)
        async def shutdown(server: Any, *args: Any, **kwargs: Any) -> object:
            self._memories.pop(server, None)
            try:
                return await original(server, *args, **kwargs)
            finally:
                self._wake()

        return shutdown

    def _servings(self, server: Any) -> list[Serving]:
        config = server.config
        if not config.loaded:
            # A supervisor (reload, workers) makes a Server that it never runs.
            return []
        protocol = "HTTPS" if config.is_ssl or getattr(config, "ssl", None) is not None else "HTTP"
        memories = self._memories.get(server, {})
        servings: list[Serving] = []
        for (host, port), is_open in _addresses(server, memories, self._given.get(server)):
            memory = memories.get(port if port is not None else host)
            state = ListenerState.ENABLED if is_open else ListenerState.DISABLED
            name = listener_name(protocol, host, port, dynamic=config.port == 0)
            listener = Listener(
                name,
                "uvicorn",
                state if memory is None or memory.state is ListenerState.ENABLED else memory.state,
                protocol,
                host,
                port,
                None if memory is None else memory.reason,
            )
            servings.append(Serving(listener, config.loaded_app, self._steering(server)))
        return servings

    def _steering(self, server: Any) -> "Callable[[Listener], Steerable]":
        # Held for as long as one look takes, like the application.
        return lambda listener: self._door(server, listener)

    def _door(self, server: Any, listener: Listener) -> "Steerable":
        # A program that is never steered need not pay for it.
        from pilothouse_bridge.discover._door import Door, Memory
        from pilothouse_bridge.discover._uvicorn_engine import UvicornEngine

        key = listener.port if listener.port is not None else listener.host
        memory = self._memories.setdefault(server, {}).setdefault(key, Memory())
        if server not in self._loops and getattr(server, "servers", None):  # started before we came
            self._loops[server] = server.servers[0].get_loop()
        engine = UvicornEngine(server, self._loops.get(server), key, sockets_given=server in self._given)
        return Door(listener, memory, engine, self._wake)


def _nobody() -> None:
    """Wake no one: not installed yet."""


def _addresses(
    server: Any, memories: dict[object, "Memory"], given: list[tuple[str, int | None]] | None
) -> list[tuple[tuple[str, int | None], bool]]:
    """Where it listens, where it was stopped, or where it would listen; and whether it does."""
    opened = _addresses_of(one for each in server.servers for one in each.sockets) if server.started else []
    stopped = [
        ((str(one.address[0]), int(one.address[1])) if one.is_inet else (str(one.address), None))
        for memory in list(memories.values())  # two threads look
        if memory.state not in {ListenerState.ENABLED, ListenerState.GATED}
        for one in memory.bounds[:1]
    ]
    found = [(address, True) for address in opened]
    found += [(address, False) for address in stopped if address not in opened]
    # Where sockets were given, the configuration names an address that nobody will ever listen on.
    return found or [(address, False) for address in given or [_configured_address(server.config)]]


def _addresses_of(sockets: Iterable[Any]) -> list[tuple[str, int | None]]:
    """Distinct addresses of the sockets; a port that is open on IPv4 and IPv6 is one listener."""
    import socket  # a program without uvicorn need not pay for it

    by_port: dict[object, tuple[str, int | None]] = {}
    for one in sockets:
        address: Any = one.getsockname()
        if one.family in {socket.AF_INET, socket.AF_INET6}:
            host, port = str(address[0]), int(address[1])
            if port not in by_port or one.family == socket.AF_INET:
                by_port[port] = (host, port)
        else:
            by_port.setdefault(address, (str(address), None))  # a Unix socket's path
    return list(by_port.values())


def _configured_address(config: Any) -> tuple[str, int | None]:
    return (str(config.uds), None) if config.uds is not None else (str(config.host), int(config.port))
