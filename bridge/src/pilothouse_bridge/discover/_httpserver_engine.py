"""What ``httpserver`` does to a server: exchanging what stands behind its descriptor, and seeing its requests off.

While a server is stopped, its descriptor is one end of a pair of sockets on which nothing arrives, so that
``serve_forever`` goes on. All of it is done on the server's own thread, in the moment when it asks for its next connection.
"""

import contextlib
import functools
import os
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, Final, final

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
from pilothouse_bridge.discover._door import Drained
from pilothouse_bridge.discover._drain import QUIESCE_S, Connection
from pilothouse_bridge.discover._gate import WsgiGate

#: Methods of a server whose frames show that a thread has one of its requests in hand.
_AT_WORK: Final = frozenset({"process_request_thread", "process_request", "finish_request"})
_SWITCH_PATIENCE_S: Final = 5.0


def is_listening(opened: Any) -> bool:
    """Whether a socket takes connections."""
    if not hasattr(socket, "SO_ACCEPTCONN"):
        return True
    try:
        return bool(opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False


@final
class Switch:
    """What stands behind a server's descriptor instead of a listening socket."""

    def __init__(self) -> None:
        """Nothing stands there yet: the server listens."""
        self.accepted: deque[socket.socket] = deque()
        self.original: Any = None
        """The server's own ``get_request``, where the program has put one on the instance."""
        self.handle: int | None = None
        """Our end of the pair: a byte on it wakes the server."""

    def wake(self) -> None:
        """Let the server ask for its next connection."""
        if self.handle is not None:
            os.write(self.handle, b"x")

    def close(self) -> None:
        """Give our end back."""
        handle, self.handle = self.handle, None
        if handle is not None:
            os.close(handle)

    def __del__(self) -> None:
        self.close()


@final
class HttpServerEngine:
    """One server and its connections."""

    def __init__(self, server: Any, switch: Switch) -> None:
        """Nothing is touched yet."""
        self._server = server
        self._switch = switch

    def bounds(self) -> list[Bound]:
        """Where it is open."""
        if os.name != "posix":
            raise SteeringError(
                "NOT_SUPPORTED", 501, "This server can be stopped on POSIX systems only.", "Stop the program."
            )
        if _native.are_threads_patched() or type(self._server.socket).__module__.startswith("gevent"):
            # Its requests are greenlets, in no thread's stack, and its hub watches the descriptor that we would exchange.
            raise SteeringError(
                "NOT_SUPPORTED",
                501,
                "This server runs in gevent's hub, where its requests cannot be seen off: some would be lost.",
                "Serve the application with gevent.pywsgi, which can be stopped without loss, or stop the program.",
            )
        return [bound(self._server.socket)] if is_listening(self._server.socket) else []

    def is_held_elsewhere(self) -> bool:
        """Whether the parent has the socket."""
        # Werkzeug's reloader: the parent holds the socket and hands it to each new child.
        return bool(is_held_by_parent(self._server.socket))

    def close(self, grace_s: float, draining: Callable[[], None]) -> Drained:
        """The drain."""
        handler_class = self._server.RequestHandlerClass
        work = _Work(self._server, self._switch)
        closing = _closing(handler_class)
        self._server.RequestHandlerClass = closing
        try:
            work.announce(closing)
            _native.sleep(QUIESCE_S)
            self._switch.original = self._server.__dict__.get("get_request")
            where, knocks = bound(self._server.socket), list[socket.socket]()
            try:
                self._on_server_thread(lambda: self._shut(knocks), lambda: knocks.append(where.knock()))
            finally:
                for one in knocks:
                    one.close()
            draining()
            return _threaded.see_off(work, grace_s)
        finally:
            self._server.RequestHandlerClass = handler_class

    def open(self, bounds: list[Bound]) -> None:
        """Listen again at the same address."""
        (one,) = bounds
        fresh = one.bind()
        fresh.setblocking(True)
        try:
            fresh.listen(self._server.request_queue_size)
            self._on_server_thread(lambda: self._replace(fresh), self._switch.wake)
        finally:
            fresh.close()
        self._switch.close()
        self._server.__dict__.pop("get_request", None)
        if self._switch.original is not None:
            self._server.get_request = self._switch.original

    def gate(self, grace_s: float) -> Drained:
        """Put the gate before the application, where there is one."""
        name = self._application_name()
        if name is None:
            raise SteeringError(
                "NOT_SUPPORTED",
                501,
                "The parent process holds the port, and this server has no application to stand in for.",
                "Stop the parent process.",
            )
        setattr(self._server, name, WsgiGate(getattr(self._server, name)))
        return _threaded.see_busy_off(_Work(self._server, self._switch), grace_s)

    def end(self, patience_s: float) -> None:
        """Nothing: WSGI applications know no end."""

    def ungate(self) -> None:
        """Take the gate away."""
        name = self._application_name()
        gate = None if name is None else getattr(self._server, name)
        if name is not None and isinstance(gate, WsgiGate):
            setattr(self._server, name, gate.app)

    def _application_name(self) -> str | None:
        return next((name for name in ("app", "application") if callable(getattr(self._server, name, None))), None)

    def _on_server_thread(self, work: Callable[[], None], wake: Callable[[], object]) -> None:
        """Do it when the server asks for its next connection; here, when it does not ask."""
        done = _native.Event()
        failure: list[OSError] = []
        lock = _native.lock()

        def do() -> None:
            with lock:
                if not done.is_set():
                    try:
                        work()
                    except OSError as error:
                        failure.append(error)
                    done.set()

        def get_request() -> tuple[Any, Any]:
            if not done.is_set():
                do()
            return self._next()

        self._server.get_request = get_request
        wake()
        if not done.wait(_SWITCH_PATIENCE_S):
            do()  # not serving, or one request at a time and that one takes long
        if failure:
            raise failure[0]

    def _shut(self, knocks: list[socket.socket]) -> None:
        """Exchange the listening socket for one end of a pair, and keep what the kernel had queued, but for our knock."""
        near, far = socket.socketpair()
        near.setblocking(False)
        if hold_off_newcomers(self._server.socket):
            _native.sleep(QUEUE_S)
        copy = duplicate(self._server.socket)
        self._replace(near)
        near.close()
        self._switch.handle = far.detach()
        names = [one.getsockname() for one in knocks]
        for one in take_the_rest(copy):
            one.setblocking(True)
            if _peer(one) in names:
                one.close()
                continue
            self._switch.accepted.append(one)
            self._switch.wake()

    def _replace(self, fresh: socket.socket) -> None:
        descriptor = self._server.socket.fileno()
        os.dup2(fresh.fileno(), descriptor, inheritable=os.get_inheritable(descriptor))

    def _next(self) -> tuple[Any, Any]:
        """A connection that had been queued.

        Raises: OSError when there is none, which every server of this kind takes for a client that has gone.
        """
        if is_listening(self._server.socket):
            raise BlockingIOError("listening again: ask the socket")
        os.read(self._server.socket.fileno(), 1)
        if not self._switch.accepted:
            raise BlockingIOError("stopped")
        opened = self._switch.accepted.popleft()
        try:
            address = opened.getpeername()
            context = getattr(self._server.socket, "context", None)
            return (opened if context is None else context.wrap_socket(opened, server_side=True)), address
        except OSError:
            opened.close()
            raise


def _peer(one: socket.socket) -> Any:
    try:
        return one.getpeername()
    except OSError:  # gone already
        return None


def _closing(handler_class: type[Any]) -> type[Any]:
    """The same handlers, which say that the connection ends with their answer."""

    def end_headers(handler: Any) -> None:
        said: list[bytes] = getattr(handler, "_headers_buffer", [])
        if handler.request_version != "HTTP/0.9" and not any(one.lower().startswith(b"connection:") for one in said):
            handler.send_header("Connection", "close")
        handler_class.end_headers(handler)

    return type(handler_class.__name__, (handler_class,), {"end_headers": end_headers})


@final
class _Work:
    """The requests in hand, seen by the threads that have them."""

    def __init__(self, server: Any, switch: Switch) -> None:
        self._server = server
        self._switch = switch
        self._in_hand: set[int] = set()

    def announce(self, closing: type[Any]) -> None:
        """Let handlers that are at work say so, too, with their next answer."""
        for handler, _ in self._handlers():
            handler.end_headers = functools.partial(closing.end_headers, handler)

    def idle(self) -> Sequence[Connection]:
        return [_Idle(handler) for handler, is_waiting in self._handlers() if is_waiting]

    def busy(self) -> int:
        """Requests in threads, in children, and queued."""
        at_work = {id(request) for request, is_waiting in self._requests() if not is_waiting}
        self._in_hand |= at_work
        children = len(getattr(self._server, "active_children", None) or ())
        return len(at_work) + children + len(self._switch.accepted)

    def finished(self) -> int:
        at_work = {id(request) for request, is_waiting in self._requests() if not is_waiting}
        return len(self._in_hand - at_work)

    def cut(self) -> None:
        while self._switch.accepted:
            self._switch.accepted.popleft().close()
        for request, _ in self._requests():
            with contextlib.suppress(OSError):  # gone already
                request.shutdown(socket.SHUT_RDWR)

    def _requests(self) -> Iterator[tuple[Any, bool]]:
        for stack in self._stacks():
            request = next((one.f_locals.get("request") for one in stack if one.f_code.co_name in _AT_WORK), None)
            if request is not None:
                yield request, _is_waiting(stack)

    def _handlers(self) -> Iterator[tuple[Any, bool]]:
        for stack in self._stacks():
            handler = next((one.f_locals.get("self") for one in stack if one.f_code.co_name == "handle"), None)
            if hasattr(handler, "connection"):
                yield handler, _is_waiting(stack)

    def _stacks(self) -> Iterator[list[FrameType]]:
        """From the server inwards: the stacks of threads that have a request of this server."""
        frames: dict[int, FrameType] = sys._current_frames()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - documented
        for frame in list(frames.values()):
            stack: list[FrameType] = []
            step: FrameType | None = frame
            while step is not None:
                stack.append(step)
                step = step.f_back
            stack.reverse()
            for number, one in enumerate(stack):
                if one.f_code.co_name in _AT_WORK and one.f_locals.get("self") is self._server:
                    yield stack[number:]
                    break


def _is_waiting(stack: list[FrameType]) -> bool:
    """Whether a handler waits for the first line of a request: it is in ``readinto``, called by ``handle_one_request``."""
    names = [frame.f_code.co_name for frame in stack]
    # wsgiref reads its one request in ``handle``, all others in ``handle_one_request``.
    where = next((name for name in ("handle_one_request", "handle") if name in names), None)
    if where is None:
        return False
    within = names[len(names) - names[::-1].index(where) :] if where == "handle" else names[names.index(where) + 1 :]
    return bool(within) and all(name in {"readinto", "read", "recv_into"} for name in within)


@final
class _Idle:
    """A connection whose handler waits for a request."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler

    def descriptor(self) -> int:
        return int(self._handler.connection.fileno())

    def quiet_since_s(self) -> float | None:
        return None

    def close(self) -> None:
        with contextlib.suppress(OSError):  # gone already
            self._handler.connection.shutdown(socket.SHUT_RD)
