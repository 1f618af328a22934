"""Waitress's servers: what listens, which application answers, stopping and starting it.

Source: waitress 3.0. Its loop runs what is handed to it through a "trigger"; everything here is done there.
"""

import socket
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, cast, final

from pilothouse_bridge import _native
from pilothouse_bridge._inventory import Listener, ListenerState
from pilothouse_bridge._steering import Steerable, SteeringError
from pilothouse_bridge.discover import Serving, _threaded
from pilothouse_bridge.discover._bound import (
    QUEUE_S,
    Bound,
    bound,
    duplicate,
    hold_off_newcomers,
    is_held_by_parent,
    take_the_rest,
)
from pilothouse_bridge.discover._carried import carried_over
from pilothouse_bridge.discover._door import Door, Drained, Memory
from pilothouse_bridge.discover._drain import QUIESCE_S, Connection
from pilothouse_bridge.discover._gate import WsgiGate
from pilothouse_bridge.discover._hooks import Watch
from pilothouse_bridge.discover._naming import listener_name

_ATTRIBUTES: Final = ("_map", "active_channels", "adj", "application", "channel_class", "socket", "trigger")
_T = TypeVar("_T")


class Waitress:
    """Follows every listening socket of waitress: one server has one, or several that share a loop."""

    name = "waitress"

    def __init__(self) -> None:
        """Nothing is hooked yet."""
        self._watch = Watch("waitress.server", "BaseWSGIServer", self._wrap)
        self._wake: Callable[[], None] = _nobody
        self._memories: weakref.WeakKeyDictionary[Any, Memory] = weakref.WeakKeyDictionary()

    def install(self, wake: Callable[[], None]) -> None:
        """Begin to watch."""
        self._wake = wake
        self._watch.install()

    def find(self) -> list[Serving]:
        """Every server that listens, or was stopped by a command."""
        self._watch.catch_up()
        return [serving for server, _ in self._watch.roster.live() if (serving := self._serving(server)) is not None]

    def after_fork(self) -> None:
        """Renew the lock; what was done to the parent's servers was not done here."""
        self._watch.renew_lock()
        self._memories.clear()

    def _wrap(self, server_class: type[Any]) -> None:
        original: Callable[[Any], object] = server_class.accept_connections

        def accept_connections(server: Any) -> object:
            try:
                return original(server)
            finally:
                self._wake()

        server_class.accept_connections = accept_connections

    def _serving(self, server: Any) -> Serving | None:
        memory = self._memories.get(server)
        if memory is not None and memory.state not in {ListenerState.ENABLED, ListenerState.GATED}:
            address: Any = memory.bounds[0].address
        elif getattr(server, "socket", None) is not None and server.accepting:
            address = server.socket.getsockname()
        else:
            return None
        host, port = (str(address), None) if isinstance(address, str) else (str(address[0]), int(address[1]))
        listener = Listener(
            listener_name("HTTP", host, port, dynamic=_is_dynamic(server)),
            "waitress",
            ListenerState.ENABLED if memory is None else memory.state,
            "HTTP",
            host,
            port,
            None if memory is None else memory.reason,
        )
        return Serving(listener, server.application, lambda named: self._door(server, named))

    def _door(self, server: Any, listener: Listener) -> Steerable:
        return Door(listener, self._memories.setdefault(server, Memory()), _Engine(server), self._wake)


def _nobody() -> None:
    """Wake no one: not installed yet."""


def _is_dynamic(server: Any) -> bool:
    """Whether nobody chose the port."""
    address: object = server.sockinfo[3]
    return isinstance(address, tuple) and cast("tuple[object, ...]", address)[1] == 0


@final
class _Engine:
    """One listening socket and its connections."""

    def __init__(self, server: Any) -> None:
        self._server = server

    def bounds(self) -> list[Bound]:
        lacking = next((name for name in _ATTRIBUTES if not hasattr(self._server, name)), None)
        if lacking is not None:
            raise SteeringError(
                "NOT_SUPPORTED",
                501,
                f"This release of waitress has no {lacking}.",
                "Use a release that the bridge knows, or stop the program.",
            )
        return [] if self._server.socket is None else [bound(self._server.socket)]

    def is_held_elsewhere(self) -> bool:
        seen = is_held_by_parent(self._server.socket)
        return bool(self._server.adj.sockets) if seen is None else seen

    def close(self, grace_s: float, draining: Callable[[], None]) -> Drained:
        channels = _Channels(self._server, self._on_loop)
        self._on_loop(lambda: _announce(self._server, closing=True))
        try:
            _native.sleep(QUIESCE_S)
            if hold_off_newcomers(self._server.socket):
                _native.sleep(QUEUE_S)
            self._on_loop(self._shut)
            draining()
            return _threaded.see_off(channels, grace_s)
        finally:
            self._on_loop(lambda: _announce(self._server, closing=False))

    def open(self, bounds: list[Bound]) -> None:
        (one,) = bounds

        def listen() -> None:
            fresh = one.bind()
            self._server.set_socket(fresh, self._server._map)  # noqa: SLF001 - its own parameter wants it
            self._server.accept_connections()

        self._on_loop(listen)

    def gate(self, grace_s: float) -> Drained:
        self._server.application = WsgiGate(self._server.application)
        return _threaded.see_busy_off(_Channels(self._server, self._on_loop), grace_s)

    def end(self, patience_s: float) -> None:
        """Nothing: WSGI applications know no end."""

    def ungate(self) -> None:
        if isinstance(self._server.application, WsgiGate):
            self._server.application = self._server.application.app

    def _shut(self) -> None:
        server = self._server
        copy = duplicate(server.socket)
        server.del_channel()
        server.accepting = False
        server.socket.close()
        server.socket = None
        for one in take_the_rest(copy):
            server.set_socket_options(one)
            server.channel_class(server, one, server.fix_addr(_peer(one)), server.adj, map=server._map)  # noqa: SLF001 - as above

    def _on_loop(self, work: Callable[[], _T]) -> _T:
        """Run it in waitress's loop.

        Raises: SteeringError when it does not answer, and what the work raises.
        """
        return carried_over(self._server.trigger.pull_trigger, work, where="The server's loop")


def _announce(server: Any, *, closing: bool) -> None:
    """Whether all answers end their connections."""
    if not closing:
        server.__dict__.pop("channel_class", None)
        for channel in list(server.active_channels.values()):
            channel.__dict__.pop("task_class", None)
        return
    original = server.channel_class.task_class

    def build_response_header(task: Any) -> bytes:
        task.set_close_on_finish()
        header: bytes = original.build_response_header(task)
        return header

    closing_task = type(original.__name__, (original,), {"build_response_header": build_response_header})
    for channel in list(server.active_channels.values()):
        channel.task_class = closing_task
    channel_class = server.channel_class
    server.channel_class = type(channel_class.__name__, (channel_class,), {"task_class": closing_task})


@final
class _Channels:
    """The connections of one server, for the drain."""

    def __init__(self, server: Any, on_loop: Callable[[Callable[[], None]], None]) -> None:
        self._server = server
        self._on_loop = on_loop
        self._in_hand: set[Any] = set()

    def idle(self) -> Sequence[Connection]:
        return [_Idle(one, self._server) for one in self._all() if not _is_busy(one) and not one.will_close]

    def busy(self) -> int:
        busy = {one for one in self._all() if _is_busy(one)}
        self._in_hand |= busy
        return len(busy)

    def finished(self) -> int:
        return sum(not _is_busy(one) or not one.connected for one in self._in_hand)

    def cut(self) -> None:
        def close() -> None:
            for one in self._all():
                one.handle_close()

        self._on_loop(close)

    def _all(self) -> list[Any]:
        return list(self._server.active_channels.values())


@final
class _Idle:
    """An idle connection of waitress's."""

    def __init__(self, channel: Any, server: Any) -> None:
        self._channel = channel
        self._server = server

    def descriptor(self) -> int:
        opened: socket.socket | None = self._channel.socket
        return -1 if opened is None else opened.fileno()

    def quiet_since_s(self) -> float | None:
        return time.monotonic() - max(0.0, time.time() - self._channel.last_activity)

    def close(self) -> None:
        self._channel.will_close = True
        self._server.pull_trigger()


def _is_busy(channel: Any) -> bool:
    return bool(channel.requests or channel.total_outbufs_len)


def _peer(one: socket.socket) -> Any:
    try:
        return one.getpeername()
    except OSError:  # gone already
        return ("", 0)
