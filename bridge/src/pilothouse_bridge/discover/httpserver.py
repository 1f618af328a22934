"""The standard library's HTTP servers and their kin: wsgiref, werkzeug, and whatever else is made of ``HTTPServer``."""

import weakref
from collections.abc import Callable
from typing import Any, Final

from pilothouse_bridge._inventory import Listener, ListenerState
from pilothouse_bridge._steering import Steerable
from pilothouse_bridge.discover import Serving
from pilothouse_bridge.discover._door import Door, Memory
from pilothouse_bridge.discover._hooks import Watch
from pilothouse_bridge.discover._httpserver_engine import HttpServerEngine, Switch, is_listening
from pilothouse_bridge.discover._naming import listener_name

_OWN: Final = __name__.partition(".")[0]


class HttpServer:
    """Follows every ``http.server.HTTPServer``."""

    name = "http.server"

    def __init__(self) -> None:
        """Nothing is hooked yet."""
        self._watch = Watch("http.server", "HTTPServer", self._wrap)
        self._wake: Callable[[], None] = _nobody
        self._memories: weakref.WeakKeyDictionary[Any, Memory] = weakref.WeakKeyDictionary()
        self._switches: weakref.WeakKeyDictionary[Any, Switch] = weakref.WeakKeyDictionary()

    def install(self, wake: Callable[[], None]) -> None:
        """Begin to watch."""
        self._wake = wake
        self._watch.install()

    def find(self) -> list[Serving]:
        """Every server that listens, or was stopped by a command; not those that we ourselves make for tests."""
        self._watch.catch_up()
        return [
            serving
            for server, _ in self._watch.roster.live()
            if not type(server).__module__.startswith(_OWN) and (serving := self._serving(server)) is not None
        ]

    def after_fork(self) -> None:
        """Renew the lock; what was done to the parent's servers was not done here."""
        self._watch.renew_lock()
        self._memories.clear()
        self._switches.clear()

    def _wrap(self, server_class: type[Any]) -> None:
        for name in ("server_activate", "server_close"):
            setattr(server_class, name, self._waking(getattr(server_class, name)))

    def _waking(self, original: Callable[[Any], object]) -> Callable[[Any], object]:
        def method(server: Any) -> object:
            try:
                return original(server)
            finally:
                self._wake()

        method.__name__ = original.__name__
        method.__doc__ = original.__doc__
        return method

    def _serving(self, server: Any) -> Serving | None:
        memory = self._memories.get(server)
        if server.socket.fileno() < 0:
            return None
        if memory is not None and memory.state not in {ListenerState.ENABLED, ListenerState.GATED}:
            address: Any = memory.bounds[0].address
        elif is_listening(server.socket):
            address = server.socket.getsockname()
        else:
            return None
        host, port = (str(address), None) if isinstance(address, str) else (str(address[0]), int(address[1]))
        protocol = "HTTPS" if hasattr(server.socket, "context") else "HTTP"
        listener = Listener(
            listener_name(protocol, host, port, dynamic=False),
            _package(server),
            ListenerState.ENABLED if memory is None else memory.state,
            protocol,
            host,
            port,
            None if memory is None else memory.reason,
        )
        application = getattr(server, "app", None) or getattr(server, "application", None)
        return Serving(listener, application, lambda named: self._door(server, named))

    def _door(self, server: Any, listener: Listener) -> Steerable:
        memory = self._memories.setdefault(server, Memory())
        switch = self._switches.setdefault(server, Switch())
        return Door(listener, memory, HttpServerEngine(server, switch), self._wake)


def _nobody() -> None:
    """Wake no one: not installed yet."""


def _package(server: Any) -> str:
    """The library that the server comes from; the program's own classes go by the library's."""
    libraries = [cls.__module__.partition(".")[0] for cls in type(server).__mro__]
    return next((name for name in libraries if name in {"werkzeug", "wsgiref"}), "http.server")
