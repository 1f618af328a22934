"""Uvicorn's servers: what really listens, and which application answers there.

Source: the sockets are the truth; under gunicorn the configured port is not the one that is open.
"""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, cast

from pilothouse_bridge._inventory import Listener, ListenerState
from pilothouse_bridge.discover import Serving
from pilothouse_bridge.discover._hooks import Watch


class Uvicorn:
    """Follows every ``uvicorn.Server``, also those that gunicorn's workers make."""

    name = "uvicorn"

    def __init__(self) -> None:
        """Nothing is hooked yet."""
        self._watch = Watch("uvicorn.server", "Server", self._wrap)
        self._wake: Callable[[], None] = _nobody

    def install(self, wake: Callable[[], None]) -> None:
        """Begin to watch."""
        self._wake = wake
        self._watch.install()

    def find(self) -> list[Serving]:
        """Every server that has loaded its application, started or not."""
        self._watch.catch_up()
        return [serving for server, _ in self._watch.roster.live() for serving in _servings(server)]

    def after_fork(self) -> None:
        """Renew the lock."""
        self._watch.renew_lock()

    def _wrap(self, server_class: type[Any]) -> None:
        # startup() returns when the sockets listen, shutdown() when they are closed.
        for method in ("startup", "shutdown"):
            original = cast("Callable[..., Awaitable[object]]", getattr(server_class, method))
            setattr(server_class, method, self._waking(original))

    def _waking(self, original: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        @functools.wraps(original)
        async def wrapper(*args: Any, **kwargs: Any) -> object:
            try:
                return await original(*args, **kwargs)
            finally:
                self._wake()

        return wrapper


def _nobody() -> None:
    """Wake no one: not installed yet."""


def _servings(server: Any) -> list[Serving]:
    config = server.config
    if not config.loaded:
        # A supervisor (reload, workers) makes a Server that it never runs.
        return []
    addresses = _addresses(server) if server.started else []
    state = ListenerState.ENABLED if addresses else ListenerState.DISABLED
    protocol = "HTTPS" if config.is_ssl or getattr(config, "ssl", None) is not None else "HTTP"
    return [
        Serving(
            Listener(_listener_name(protocol, host, port, config), "uvicorn", state, protocol, host, port),
            config.loaded_app,
        )
        for host, port in addresses or [_configured_address(config)]
    ]


def _addresses(server: Any) -> list[tuple[str, int | None]]:
    """Distinct addresses of the open sockets; a port that is open on IPv4 and IPv6 is one listener."""
    import socket  # a program without uvicorn need not pay for it

    by_port: dict[object, tuple[str, int | None]] = {}
    for opened in server.servers:
        for one in opened.sockets:
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


def _listener_name(protocol: str, host: str, port: int | None, config: Any) -> str:
    """The same after a restart: made of what is configured, never of the order of discovery."""
    if port is None:
        return f"{protocol.lower()}-unix-{host.replace(chr(92), '/').rpartition('/')[2]}"
    # Port 0 means "any free one": the number differs after each start, the name may not.
    return f"{protocol.lower()}-dynamic" if config.port == 0 else f"{protocol.lower()}-{port}"
