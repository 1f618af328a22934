"""Hypercorn from within: a server is nothing but a coroutine, whose local variables are all there is to hold on to.

Source: hypercorn 0.18 (``hypercorn/asyncio/run.py``, ``tcp_server.py``).
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final, cast, final

from pilothouse_bridge._steering import SteeringError
from pilothouse_bridge.discover import _drain
from pilothouse_bridge.discover._bound import Bound, bound, is_held_by_parent
from pilothouse_bridge.discover._door import Drained, Memory
from pilothouse_bridge.discover._gate import AsgiGate, WsgiGate

_LOCALS: Final = ("servers", "context", "_server_callback")
_OPEN_PATIENCE_S: Final = 5.0
_CLOSE_HEADER: Final = (b"connection", b"close")


@final
class Run:
    """One server, for as long as its coroutine runs."""

    def __init__(
        self, app: Any, config: Any, work: Any, connections: dict[Any, "asyncio.Task[Any]"], *, sockets_given: bool
    ) -> None:
        """Made on the server's own loop; ``connections`` are those of every server of the process."""
        self.app = app
        self.config = config
        self.loop = asyncio.get_running_loop()
        self.sockets_given = sockets_given
        self.memories: dict[object, Memory] = {}
        self.addresses: dict[object, tuple[Bound, ssl.SSLContext | None]] = {}
        self._work = work
        self._connections = connections

    def local(self, name: str) -> Any:
        """A local variable of the server's coroutine; None before it has one."""
        frame = self._work.cr_frame
        return None if frame is None else frame.f_locals.get(name)

    def servers(self) -> list[Any]:
        """The event loop's servers: hypercorn's own list, which it closes at its end."""
        found: list[Any] | None = self.local("servers")
        return [] if found is None else found  # the very list, also when it is empty

    def connections(self, key: object) -> dict[Any, "asyncio.Task[Any]"]:
        """The open connections of one listener, with the tasks that serve them."""
        context = self.local("context")
        return {
            one: task for one, task in list(self._connections.items()) if one.context is context and _key_of(one) == key
        }

    def open_bounds(self) -> list[tuple[Bound, ssl.SSLContext | None]]:
        """Where it listens now, and with what it seals."""
        return [(bound(one), self.context_of(server)) for server in self.servers() for one in server.sockets]

    def context_of(self, server: Any) -> ssl.SSLContext | None:
        """What seals the connections of one of its servers: plain sockets may stand beside sealed ones."""
        if not self.config.ssl_enabled:
            return None
        plain = {str(one) for one in self.config.insecure_bind}
        named = {self._named(one.getsockname()) for one in server.sockets}
        return None if plain & {name for names in named for name in names} else self.local("ssl_context")

    def is_dynamic(self, port: int) -> bool:
        """Whether the number was not chosen by anyone."""
        binds = [*self.config.bind, *self.config.insecure_bind]
        chosen = {str(bind).rpartition(":")[2] for bind in binds}
        return "0" in chosen and str(port) not in chosen

    @staticmethod
    def _named(address: Any) -> tuple[str, ...]:
        if isinstance(address, str):
            return (f"unix:{address}",)
        host, port = cast("tuple[Any, ...]", address)[:2]
        return (f"{host}:{port}", f"[{host}]:{port}", f"localhost:{port}")


@final
class HypercornEngine:
    """One listener of one server."""

    def __init__(self, run: Run, key: object) -> None:
        """``key`` is the listener's port or path."""
        self._run = run
        self._key = key

    def bounds(self) -> list[Bound]:
        """Where it is open."""
        lacking = next((name for name in _LOCALS if self._run.local(name) is None), None)
        if lacking is not None:
            raise SteeringError(
                "NOT_SUPPORTED",
                501,
                f"This release of hypercorn has no {lacking}, or the server is just beginning or ending.",
                "Use a release that the bridge knows, or stop the program.",
            )
        return [one for one, _ in self._run.open_bounds() if one.key == self._key]

    def is_held_elsewhere(self) -> bool:
        """Whether the parent has the socket."""
        mine = [one for server in self._run.servers() for one in server.sockets if bound(one).key == self._key]
        seen = [is_held_by_parent(one) for one in mine]
        return any(seen) or (None in seen and self._run.sockets_given)

    def close(self, grace_s: float, draining: Callable[[], None]) -> Drained:
        """The drain."""
        return _drain.run(self._run.loop, _drain.close(_OnLoop(self._run, self._key), grace_s, draining), grace_s)

    def open(self, bounds: list[Bound]) -> None:
        """Bind and listen again."""
        context = self._run.addresses[self._key][1]
        fresh = [(one.bind(), context) for one in bounds]
        server = _OnLoop(self._run, self._key)
        _drain.run(self._run.loop, _drain.open_again(server, fresh), _OPEN_PATIENCE_S)

    def gate(self, grace_s: float) -> Drained:
        """Put the gate before the application."""

        async def shut() -> Drained:
            gate = WsgiGate if type(self._run.app).__name__ == "WSGIWrapper" else AsgiGate
            self._run.app.app = gate(self._run.app.app)
            return Drained()

        del grace_s  # requests in hand go on behind the gate; hypercorn does not tell them from idle connections
        return _drain.run(self._run.loop, shut(), _OPEN_PATIENCE_S)

    def ungate(self) -> None:
        """Take the gate away."""

        async def lift() -> None:
            if isinstance(self._run.app.app, AsgiGate | WsgiGate):
                self._run.app.app = self._run.app.app.app

        _drain.run(self._run.loop, lift(), _OPEN_PATIENCE_S)

    def end(self, patience_s: float) -> None:
        """The end of the application's lifespan, which survives a mere stop."""
        lifespan = self._run.local("lifespan")
        if lifespan is not None:
            _drain.run(self._run.loop, asyncio.wait_for(lifespan.wait_for_shutdown(), patience_s), patience_s)


@final
class _OnLoop:
    """What the drain asks of hypercorn; used on its loop only."""

    def __init__(self, run: Run, key: object) -> None:
        self._run = run
        self._key = key
        self._in_hand: set[Any] = set()

    def listening(self) -> list[tuple[Any, ssl.SSLContext | None]]:
        return [
            (server, self._run.context_of(server))
            for server in self._run.servers()
            if any(bound(one).key == self._key for one in server.sockets)
        ]

    def forget(self, server: Any) -> None:
        self._run.servers().remove(server)

    def keep(self, server: Any) -> None:
        self._run.servers().append(server)

    def factory(self) -> Callable[[], asyncio.Protocol]:
        callback, loop = self._run.local("_server_callback"), self._run.loop

        def make() -> asyncio.Protocol:
            return asyncio.StreamReaderProtocol(asyncio.StreamReader(loop=loop), callback, loop=loop)

        return make

    def backlog(self) -> int:
        return int(self._run.config.backlog)

    def announce(self, *, closing: bool) -> None:
        config = self._run.config
        if not closing:
            config.__dict__.pop("response_headers", None)
            return
        original = config.response_headers

        def response_headers(protocol: str) -> list[tuple[bytes, bytes]]:
            headers: list[tuple[bytes, bytes]] = original(protocol)
            return [*headers, _CLOSE_HEADER] if protocol == "h11" else headers

        config.response_headers = response_headers

    def idle(self) -> Sequence[_drain.Connection]:
        return [_Idle(one) for one in self._run.connections(self._key) if _is_idle(one)]

    def hurry(self) -> None:
        """Nothing: busy connections end after their answer, because all answers say so."""

    def busy(self) -> int:
        busy = {one for one in self._run.connections(self._key) if not _is_idle(one)}
        self._in_hand |= busy
        return len(busy)

    def finished(self) -> int:
        return sum(_is_idle(one) or one not in self._run.connections(self._key) for one in self._in_hand)

    def cut(self) -> None:
        for connection, task in self._run.connections(self._key).items():
            connection.writer.transport.abort()
            task.cancel()


@final
class _Idle:
    """An idle connection of hypercorn's."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def descriptor(self) -> int:
        opened = self._connection.writer.get_extra_info("socket")
        return -1 if opened is None else int(opened.fileno())

    def quiet_since_s(self) -> float | None:
        return None

    def close(self) -> None:
        self._connection.writer.close()
        # Else its task waits for the keep-alive time to pass.
        handle = self._connection.idle_task._handle  # noqa: SLF001 - nothing else ends it
        if handle is not None:
            handle.cancel()


def _is_idle(connection: Any) -> bool:
    """Whether it waits for a request: hypercorn runs a task then that ends it after a while."""
    handle = connection.idle_task._handle  # noqa: SLF001 - nothing else tells
    unread = getattr(connection.reader, "_buffer", b"")
    return handle is not None and not handle.done() and not unread


def _key_of(connection: Any) -> object:
    """The port or path that a connection came in at."""
    address: object = connection.writer.get_extra_info("sockname")
    return cast("tuple[object, ...]", address)[1] if isinstance(address, tuple) else address
