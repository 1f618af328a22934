"""Gevent's HTTP servers: ``gevent.pywsgi``, also within gunicorn, and what gunicorn's own gevent worker listens with.

Source: gevent 26.9, gunicorn 27.0.
"""

import weakref
from collections.abc import Callable
from typing import Any, Final, cast

from pilothouse_bridge._inventory import Listener, ListenerState
from pilothouse_bridge._steering import Steerable
from pilothouse_bridge.discover import Serving
from pilothouse_bridge.discover._door import Door, Memory
from pilothouse_bridge.discover._gevent_engine import GeventEngine, host_of, let_end
from pilothouse_bridge.discover._gevent_work import watch_reading
from pilothouse_bridge.discover._hooks import Watch
from pilothouse_bridge.discover._naming import listener_name

_SHUT: Final = frozenset({ListenerState.DISABLED, ListenerState.DRAINING, ListenerState.FAILED})


class Gevent:
    """Follows every server that answers HTTP; others that speak over streams are not listeners of ours."""

    name = "gevent"

    def __init__(self) -> None:
        """Nothing is hooked yet."""
        self._watch = Watch("gevent.server", "StreamServer", self._wrap)
        self._handlers = Watch("gevent.pywsgi", "WSGIHandler", watch_reading)
        self._wake: Callable[[], None] = _nobody
        self._memories: weakref.WeakKeyDictionary[Any, Memory] = weakref.WeakKeyDictionary()
        self._dynamic: weakref.WeakSet[Any] = weakref.WeakSet()

    def install(self, wake: Callable[[], None]) -> None:
        """Begin to watch."""
        self._wake = wake
        self._watch.install()
        self._handlers.install()

    def find(self) -> list[Serving]:
        """Every server that listens, or was stopped by a command."""
        self._watch.catch_up()
        self._handlers.catch_up()
        return [serving for server, _ in self._watch.roster.live() if (serving := self._serving(server)) is not None]

    def after_fork(self) -> None:
        """Renew the locks; what was done to the parent's servers was not done here."""
        self._watch.renew_lock()
        self._handlers.renew_lock()
        self._memories.clear()

    def _wrap(self, server_class: type[Any]) -> None:
        original_start: Callable[[Any], object] = server_class.start
        original_close: Callable[[Any], object] = server_class.close

        def start(server: Any) -> object:
            if not hasattr(server, "socket") and _port(server.address) == 0:
                self._dynamic.add(server)
            try:
                return original_start(server)
            finally:
                self._wake()

        def close(server: Any) -> object:
            try:
                return original_close(server)
            finally:
                let_end(server)
                self._wake()

        server_class.start, server_class.close = start, close

    def _serving(self, server: Any) -> Serving | None:
        host = host_of(server)
        if host is None or not server.started:
            return None
        memory = self._memories.get(server)
        if memory is not None and memory.state in _SHUT:
            address: Any = memory.bounds[0].address
        elif hasattr(server, "socket"):
            address = server.socket.getsockname()
        else:
            return None
        where, port = (str(address), None) if isinstance(address, str) else (str(address[0]), int(address[1]))
        protocol = "HTTPS" if server.ssl_enabled else "HTTP"
        listener = Listener(
            listener_name(protocol, where, port, dynamic=server in self._dynamic),
            "gevent",
            ListenerState.ENABLED if memory is None else memory.state,
            protocol,
            where,
            port,
            None if memory is None else memory.reason,
        )
        return Serving(listener, host.application, lambda named: self._door(server, named))

    def _door(self, server: Any, listener: Listener) -> Steerable:
        memory = self._memories.setdefault(server, Memory())
        return Door(listener, memory, GeventEngine(server, self._handlers.roster), self._wake)


def _nobody() -> None:
    """Wake no one: not installed yet."""


def _port(address: object) -> object:
    return cast("tuple[object, ...]", address)[1] if isinstance(address, tuple) else None
