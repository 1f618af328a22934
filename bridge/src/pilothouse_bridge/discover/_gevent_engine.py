"""What ``gevent`` does to a server: all of it in the server's hub, in greenlets of their own; we wait in our thread.

While a server is stopped it counts as started for gevent, so that ``serve_forever`` goes on; it has no socket meanwhile.
"""

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar, final

from pilothouse_bridge import _native
from pilothouse_bridge._steering import SteeringError
from pilothouse_bridge.discover import _threaded
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
from pilothouse_bridge.discover._door import Drained
from pilothouse_bridge.discover._drain import QUIESCE_S
from pilothouse_bridge.discover._gate import WsgiGate
from pilothouse_bridge.discover._gevent_work import Handlers, Pooled
from pilothouse_bridge.discover._hooks import Roster

_LONG_S: Final = 3600.0
_KEEPER: Final = "_pilothouse_keeper"
_ATTRIBUTES: Final = ("loop", "start_accepting", "stop_accepting", "do_handle", "_make_socket_stdlib")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Host:
    """Who holds the application of a server: pywsgi's server itself, or gunicorn's worker."""

    holder: Any
    attribute: str
    is_pywsgi: bool

    @property
    def application(self) -> Any:
        """What answers."""
        return getattr(self.holder, self.attribute, None)

    def replace(self, application: Any) -> None:
        """Let another one answer from now on."""
        setattr(self.holder, self.attribute, application)


def host_of(server: Any) -> Host | None:
    """Who holds the application; None for a server that does not speak HTTP."""
    if hasattr(server, "handler_class"):
        return Host(server, "application", is_pywsgi=True)
    handle: Any = server.__dict__.get("handle")
    if isinstance(handle, functools.partial):
        worker: Any = getattr(handle.func, "__self__", None)
        if hasattr(worker, "wsgi") and hasattr(worker, "handle_request"):
            return Host(worker, "wsgi", is_pywsgi=False)
    return None


@final
class GeventEngine:
    """One listening socket and its connections."""

    def __init__(self, server: Any, roster: Roster) -> None:
        """Nothing is touched yet; ``roster`` knows pywsgi's handlers."""
        self._server = server
        self._roster = roster

    def bounds(self) -> list[Bound]:
        """Where it is open."""
        lacking = next((name for name in _ATTRIBUTES if not hasattr(self._server, name)), None)
        if lacking is not None:
            raise SteeringError(
                "NOT_SUPPORTED",
                501,
                f"This release of gevent has no {lacking}.",
                "Use a release that the bridge knows, or stop the program.",
            )
        return [bound(self._server.socket)] if hasattr(self._server, "socket") else []

    def is_held_elsewhere(self) -> bool:
        """Whether the parent has the socket, as gunicorn's does."""
        seen = is_held_by_parent(self._server.socket)
        host = host_of(self._server)
        return seen or (seen is None and host is not None and not host.is_pywsgi)

    def close(self, grace_s: float, draining: Callable[[], None]) -> Drained:
        """The drain."""
        handler_class = getattr(self._server, "handler_class", None)
        if handler_class is None:
            raise SteeringError(
                "NOT_SUPPORTED", 501, "Gunicorn's worker cannot close a port by itself.", "Stop gunicorn."
            )
        handlers = Handlers(self._server, self._roster, self._on_hub)
        self._on_hub(handlers.announce)
        try:
            _native.sleep(QUIESCE_S)
            if hold_off_newcomers(self._server.socket):
                _native.sleep(QUEUE_S)
            self._on_hub(functools.partial(self._shut, handlers))
            draining()
            return _threaded.see_off(handlers, grace_s)
        finally:
            self._server.handler_class = handler_class

    def open(self, bounds: list[Bound]) -> None:
        """Listen again at the same address."""
        (one,) = bounds
        descriptor = one.bind().detach()

        def listen() -> None:
            server = self._server
            fresh = _socket(descriptor)
            fresh.listen(server.backlog)
            fresh.setblocking(0)
            server.socket = fresh
            server._make_socket_stdlib(fresh=True)  # noqa: SLF001 - as its own start does
            let_end(server)
            server.start_accepting()

        self._on_hub(listen)

    def gate(self, grace_s: float) -> Drained:
        """Put the gate before the application."""
        host = host_of(self._server)
        if host is None:
            return Drained()
        host.replace(WsgiGate(host.application))
        if host.is_pywsgi:
            return _threaded.see_busy_off(Handlers(self._server, self._roster, self._on_hub), grace_s)
        return _threaded.see_busy_off(Pooled(self._server, self._on_hub), grace_s)

    def end(self, patience_s: float) -> None:
        """Nothing: WSGI applications know no end."""

    def ungate(self) -> None:
        """Take the gate away."""
        host = host_of(self._server)
        if host is not None and isinstance(host.application, WsgiGate):
            host.replace(host.application.app)

    def _shut(self, handlers: Handlers) -> None:
        server = self._server
        copy = duplicate(server.socket)
        server.stop_accepting()
        # A pool that was full wakes the server when it has room again: it has nothing to accept from.
        server.start_accepting = _nothing
        # A hub that has nothing to wait for raises LoopExit where the program waits for the server's end.
        server.__dict__[_KEEPER] = keeper = server.loop.timer(_LONG_S, repeat=_LONG_S)
        keeper.start(_nothing)
        server.socket.close()
        del server.socket
        for one in take_the_rest(copy):
            peer = _peer(one)
            handlers.queued.append((_socket(one.detach()), peer))
        if handlers.queued:
            _spawn()(_adopt, server, handlers.queued)

    def _on_hub(self, work: Callable[[], _T]) -> _T:
        """Run it in a greenlet of the server's hub.

        Raises: SteeringError when it does not answer, and what the work raises.
        """

        def hand_over(run: Callable[[], None]) -> None:
            self._server.loop.run_callback_threadsafe(_spawn(), run)

        return carried_over(hand_over, work, where="The program's hub")


def _spawn() -> Callable[..., object]:
    """Begins a greenlet in the hub of whoever calls it."""
    spawn: Callable[..., object] = sys.modules["gevent"].spawn
    return spawn


def _socket(descriptor: int) -> Any:
    """A socket of gevent's, for the hub of whoever asks."""
    return sys.modules["gevent.socket"].socket(fileno=descriptor)


def let_end(server: Any) -> None:
    """It is open again, or the program itself has closed it: take away what stood in for its socket."""
    server.__dict__.pop("start_accepting", None)
    keeper: Any = server.__dict__.pop(_KEEPER, None)
    if keeper is not None:
        keeper.stop()
        keeper.close()


def _nothing() -> None:
    """Accept nothing."""


def _adopt(server: Any, queued: list[tuple[Any, Any]]) -> None:
    """Serve the connections that the kernel had queued; a full pool is waited for."""
    while queued:
        first = queued[0]
        server.do_handle(*first)
        if first in queued:
            queued.remove(first)


def _peer(one: Any) -> Any:
    try:
        return one.getpeername()
    except OSError:  # gone already
        return ("", 0)
