"""Uvicorn from within: closing and opening its sockets while its loop and its application live on.

None of what is touched here is promised by uvicorn; ``lacks`` looks for all of it before anything is begun, and a test
looks at each release. What is stopped keeps its lifespan: pools and caches survive a stop.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final, cast, final

from pilothouse_bridge._steering import SteeringError
from pilothouse_bridge.discover import _drain
from pilothouse_bridge.discover._bound import Bound, bound, is_held_by_parent
from pilothouse_bridge.discover._door import Drained
from pilothouse_bridge.discover._gate import AsgiGate

_CLOSE_HEADER: Final = (b"connection", b"close")
_OPEN_PATIENCE_S: Final = 5.0
_ATTRIBUTES: Final = (
    "config.backlog",
    "config.encoded_headers",
    "config.http_protocol_class",
    "config.loaded_app",
    "config.ssl",
    "lifespan.state",
    "server_state.connections",
    "server_state.default_headers",
    "server_state.tasks",
    "server_state.total_requests",
    "servers",
    "should_exit",
)


def lacks(server: Any) -> str | None:
    """The first attribute that this release of uvicorn does not have; None when it is one that we know."""
    for path in _ATTRIBUTES:
        found = server
        for name in path.split("."):
            if not hasattr(found, name):
                return path
            found = getattr(found, name)
    return None


@final
class UvicornEngine:
    """One listener of one ``uvicorn.Server``."""

    def __init__(self, server: Any, loop: Any, key: object, *, sockets_given: bool) -> None:
        """``key`` is the listener's port or path; ``sockets_given`` whether it was started with open sockets."""
        self._server = server
        self._loop = loop
        self._key = key
        self._sockets_given = sockets_given

    def bounds(self) -> list[Bound]:
        """Where it is open."""
        if not hasattr(self._server, "servers"):
            return []  # it has never run
        self._check()
        found = [bound(one) for server in self._server.servers for one in server.sockets]
        return [one for one in found if one.key == self._key]

    def is_held_elsewhere(self) -> bool:
        """Whether the parent has the socket: its descriptors say so, else how the server was started."""
        config = self._server.config
        mine = [one for server in self._server.servers for one in server.sockets if bound(one).key == self._key]
        seen = [is_held_by_parent(one) for one in mine]
        if any(seen):
            return True
        if None not in seen:
            return False
        is_worker = getattr(config, "workers", 1) > 1 or getattr(config, "should_reload", False)
        return bool(self._sockets_given or is_worker or getattr(config, "fd", None) is not None)

    def close(self, grace_s: float, draining: Callable[[], None]) -> Drained:
        """The drain."""
        return _drain.run(self._loop, _drain.close(self._on_loop(), grace_s, draining), grace_s)

    def open(self, bounds: list[Bound]) -> None:
        """Bind and listen again."""
        self._check()
        context = self._server.config.ssl
        fresh = [(one.bind(), context) for one in bounds]
        _drain.run(self._loop, _drain.open_again(self._on_loop(), fresh), _OPEN_PATIENCE_S)

    def gate(self, grace_s: float) -> Drained:
        """Put the gate before the application, for connections that are open, too."""
        self._check()

        async def shut() -> Drained:
            gate = AsgiGate(self._server.config.loaded_app)
            self._swap(gate)
            return await _drain.finish(self._on_loop(), grace_s)

        return _drain.run(self._loop, shut(), grace_s)

    def ungate(self) -> None:
        """Take the gate away."""

        async def lift() -> None:
            gate = self._server.config.loaded_app
            if isinstance(gate, AsgiGate):
                self._swap(gate.app)

        _drain.run(self._loop, lift(), _OPEN_PATIENCE_S)

    def end(self, patience_s: float) -> None:
        """The end of the application's lifespan, which survives a mere stop."""
        _drain.run(self._loop, asyncio.wait_for(self._server.lifespan.shutdown(), patience_s), patience_s)

    def _swap(self, app: Any) -> None:
        self._server.config.loaded_app = app
        for connection in list(self._server.server_state.connections):
            if hasattr(connection, "app"):
                connection.app = app

    def _on_loop(self) -> "_OnLoop":
        return _OnLoop(self._server, self._key)

    def _check(self) -> None:
        lacking = lacks(self._server)
        if lacking is not None:
            raise SteeringError(
                "NOT_SUPPORTED",
                501,
                f"This release of uvicorn has no {lacking}.",
                "Use a release that the bridge knows, or stop the program.",
            )
        if self._server.should_exit:
            raise SteeringError("NOT_SUPPORTED", 501, "The server is ending.", "Start the program again.")


@final
class _OnLoop:
    """What the drain asks of uvicorn; used on its loop only."""

    def __init__(self, server: Any, key: object) -> None:
        self._server = server
        self._state = server.server_state
        self._key = key
        self._headers: list[tuple[bytes, bytes]] | None = None
        self._is_alone = all(bound(one).key == key for opened in server.servers for one in opened.sockets)

    def listening(self) -> list[tuple[Any, ssl.SSLContext | None]]:
        return [
            (server, self._server.config.ssl)
            for server in self._server.servers
            if any(bound(one).key == self._key for one in server.sockets)
        ]

    def forget(self, server: Any) -> None:
        self._server.servers = [one for one in self._server.servers if one is not server]

    def keep(self, server: Any) -> None:
        self._server.servers = [*self._server.servers, server]

    def factory(self) -> Callable[[], asyncio.Protocol]:
        config, state, app_state = self._server.config, self._state, self._server.lifespan.state

        def make() -> asyncio.Protocol:
            made: asyncio.Protocol = config.http_protocol_class(
                config=config, server_state=state, app_state=app_state, _loop=asyncio.get_running_loop()
            )
            return made

        return make

    def backlog(self) -> int:
        return int(self._server.config.backlog)

    def announce(self, *, closing: bool) -> None:
        config = self._server.config
        if closing:
            self._headers = config.encoded_headers
            # Both: uvicorn makes the one from the other once a second.
            config.encoded_headers = [*config.encoded_headers, _CLOSE_HEADER]
            self._state.default_headers = [*self._state.default_headers, _CLOSE_HEADER]
            for connection in self._mine():
                # Answers that have not begun: a connection that ends unannounced breaks a client's next request.
                cycle = getattr(connection, "cycle", None)
                if cycle is not None and not cycle.response_started:
                    cycle.default_headers = [*cycle.default_headers, _CLOSE_HEADER]
        elif self._headers is not None:
            config.encoded_headers = self._headers
            self._state.default_headers = [one for one in self._state.default_headers if one is not _CLOSE_HEADER]
            self._headers = None

    def idle(self) -> Sequence[_drain.Connection]:
        return [_Idle(one) for one in self._mine() if _is_idle(one)]

    def hurry(self) -> None:
        # Busy connections end after their answer, WebSockets at once with code 1012, "service restart".
        for connection in self._mine():
            if not _is_idle(connection):
                connection.shutdown()

    def busy(self) -> int:
        busy = sum(not _is_idle(one) for one in self._mine())
        # Tasks may outlive their connections (work after the answer), but do not say at which listener they began.
        return max(busy, len(self._state.tasks)) if self._is_alone else busy

    def finished(self) -> int:
        return int(self._state.total_requests)

    def cut(self) -> None:
        if self._is_alone:
            for task in list(self._state.tasks):
                task.cancel()
        for connection in self._mine():
            connection.transport.abort()

    def _mine(self) -> list[Any]:
        return [one for one in list(self._state.connections) if _key_of(one) in {self._key, None}]


@final
class _Idle:
    """An idle connection of uvicorn's."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    def descriptor(self) -> int:
        opened = self._protocol.transport.get_extra_info("socket")
        return -1 if opened is None else int(opened.fileno())

    def quiet_since_s(self) -> float | None:
        timer = getattr(self._protocol, "timeout_keep_alive_task", None)
        return None if timer is None else float(timer.when()) - float(self._protocol.timeout_keep_alive)

    def close(self) -> None:
        self._protocol.shutdown()


def _is_idle(connection: Any) -> bool:
    if hasattr(connection, "cycles"):  # HTTP/2
        return not connection.cycles
    if hasattr(connection, "cycle"):
        return connection.cycle is None or bool(connection.cycle.response_complete)
    # WebSockets are never idle; a connection that has not said yet what it speaks is.
    return hasattr(connection, "buffer")


def _key_of(connection: Any) -> object:
    """The port or path that a connection came in at."""
    address: object = connection.transport.get_extra_info("sockname")
    return cast("tuple[object, ...]", address)[1] if isinstance(address, tuple) else address or None
