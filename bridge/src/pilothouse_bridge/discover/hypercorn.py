"""Hypercorn's servers on asyncio or uvloop: what listens, which application answers, stopping and starting it.

Source: hypercorn 0.18. A server is nothing but a coroutine, ``worker_serve``, whose local variables are all there is to
hold on to. Its trio workers are not shown.
"""

import asyncio
import functools
import ssl
import sys
from collections.abc import Callable, Coroutine, Sequence
from types import ModuleType
from typing import Any, Final, cast, final

from pilothouse_bridge._inventory import Listener, ListenerState
from pilothouse_bridge._steering import Steerable, SteeringError
from pilothouse_bridge.discover import Serving, _drain
from pilothouse_bridge.discover._bound import Bound, bound, is_held_by_parent
from pilothouse_bridge.discover._door import Door, Drained, Memory
from pilothouse_bridge.discover._gate import AsgiGate, WsgiGate
from pilothouse_bridge.discover._hooks import when_imported
from pilothouse_bridge.discover._naming import listener_name

_MODULE: Final = "hypercorn.asyncio.run"
_CONNECTION_MODULE: Final = "hypercorn.asyncio.tcp_server"
_LOCALS: Final = ("servers", "context", "_server_callback")
_OPEN_PATIENCE_S: Final = 5.0
_CLOSE_HEADER: Final = (b"connection", b"close")


class Hypercorn:
    """Follows every ``worker_serve`` of the process."""

    name = "hypercorn"

    def __init__(self) -> None:
        """Nothing is hooked yet."""
        self._wake: Callable[[], None] = _nobody
        self._runs: list[_Run] = []
        self._connections: dict[Any, asyncio.Task[Any]] = {}
        self._hooked: set[str] = set()

    def install(self, wake: Callable[[], None]) -> None:
        """Begin to watch; a server that runs already is not seen."""
        self._wake = wake
        for name, hook in ((_CONNECTION_MODULE, self._hook_connections), (_MODULE, self._hook)):
            module = sys.modules.get(name)
            if module is not None:
                hook(module)
            if name not in self._hooked:
                when_imported(name, hook)

    def find(self) -> list[Serving]:
        """Every server that runs."""
        return [serving for run in list(self._runs) for serving in self._servings(run)]

    def after_fork(self) -> None:
        """What ran in the parent does not run here."""
        self._runs.clear()
        self._connections.clear()

    def _hook_connections(self, module: ModuleType) -> None:
        if _CONNECTION_MODULE in self._hooked or not hasattr(module, "TCPServer"):
            return
        self._hooked.add(_CONNECTION_MODULE)
        original: Callable[[Any], Coroutine[Any, Any, None]] = module.TCPServer.run

        @functools.wraps(original)
        async def run(connection: Any) -> None:
            task = asyncio.current_task()
            if task is not None:
                self._connections[connection] = task
            try:
                await original(connection)
            finally:
                self._connections.pop(connection, None)

        module.TCPServer.run = run

    def _hook(self, module: ModuleType) -> None:
        if _MODULE in self._hooked or not hasattr(module, "worker_serve"):
            return
        self._hooked.add(_MODULE)
        original: Any = module.worker_serve
        noted = self._noted(original)
        # Where the name was bound already: the package binds it after the module has been imported.
        for one in (module, sys.modules.get("hypercorn.asyncio")):
            if one is not None and getattr(one, "worker_serve", None) is original:
                setattr(one, "worker_serve", noted)  # noqa: B010 - the type checker knows no such module

    def _noted(self, original: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Coroutine[Any, Any, None]]:
        @functools.wraps(original)
        async def worker_serve(app: Any, config: Any, *args: Any, **kwargs: Any) -> None:
            work = original(app, config, *args, **kwargs)
            run = _Run(app, config, work, self._connections, sockets_given=kwargs.get("sockets") is not None)
            self._runs.append(run)
            self._wake()  # it will listen in a moment; the bridge looks a few times
            try:
                await work
            finally:
                self._runs.remove(run)
                self._wake()

        return worker_serve

    def _servings(self, run: "_Run") -> list[Serving]:
        servings: list[Serving] = []
        for one, context in run.open_bounds():
            run.addresses.setdefault(one.key, (one, context))
        for key, (one, context) in list(run.addresses.items()):  # two threads look
            memory = run.memories.get(key)
            protocol = "HTTP" if context is None else "HTTPS"
            host, port = (str(one.address[0]), int(one.address[1])) if one.is_inet else (str(one.address), None)
            listener = Listener(
                listener_name(protocol, host, port, dynamic=port is not None and run.is_dynamic(port)),
                "hypercorn",
                ListenerState.ENABLED if memory is None else memory.state,
                protocol,
                host,
                port,
                None if memory is None else memory.reason,
            )
            servings.append(Serving(listener, run.app, functools.partial(self._door, run, key)))
        return servings

    def _door(self, run: "_Run", key: object, listener: Listener) -> Steerable:
        memory = run.memories.setdefault(key, Memory())
        return Door(listener, memory, _Engine(run, key), self._wake)


def _nobody() -> None:
    """Wake no one: not installed yet."""


@final
class _Run:
    """One server, for as long as its coroutine runs."""

    def __init__(
        self, app: Any, config: Any, work: Any, connections: dict[Any, "asyncio.Task[Any]"], *, sockets_given: bool
    ) -> None:
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
class _Engine:
    """One listener of one server."""

    def __init__(self, run: _Run, key: object) -> None:
        self._run = run
        self._key = key

    def bounds(self) -> list[Bound]:
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
        mine = [one for server in self._run.servers() for one in server.sockets if bound(one).key == self._key]
        seen = [is_held_by_parent(one) for one in mine]
        return any(seen) or (None in seen and self._run.sockets_given)

    def close(self, grace_s: float, draining: Callable[[], None]) -> Drained:
        return _drain.run(self._run.loop, _drain.close(_OnLoop(self._run, self._key), grace_s, draining), grace_s)

    def open(self, bounds: list[Bound]) -> None:
        context = self._run.addresses[self._key][1]
        fresh = [(one.bind(), context) for one in bounds]
        server = _OnLoop(self._run, self._key)
        _drain.run(self._run.loop, _drain.open_again(server, fresh), _OPEN_PATIENCE_S)

    def gate(self, grace_s: float) -> Drained:
        async def shut() -> Drained:
            gate = WsgiGate if type(self._run.app).__name__ == "WSGIWrapper" else AsgiGate
            self._run.app.app = gate(self._run.app.app)
            return Drained()

        del grace_s  # requests in hand go on behind the gate; hypercorn does not tell them from idle connections
        return _drain.run(self._run.loop, shut(), _OPEN_PATIENCE_S)

    def ungate(self) -> None:
        async def lift() -> None:
            if isinstance(self._run.app.app, AsgiGate | WsgiGate):
                self._run.app.app = self._run.app.app.app

        _drain.run(self._run.loop, lift(), _OPEN_PATIENCE_S)

    def end(self, patience_s: float) -> None:
        lifespan = self._run.local("lifespan")
        if lifespan is not None:
            _drain.run(self._run.loop, asyncio.wait_for(lifespan.wait_for_shutdown(), patience_s), patience_s)


@final
class _OnLoop:
    """What the drain asks of hypercorn; used on its loop only."""

    def __init__(self, run: _Run, key: object) -> None:
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
