"""The connections of gevent's servers: which of them wait for a request, and which have one in hand."""

import contextlib
import functools
import socket
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Final, Protocol, final

from pilothouse_bridge.discover._drain import Connection
from pilothouse_bridge.discover._hooks import Roster

_WAITS_SINCE: Final = "_pilothouse_waits_since_s"
_IN_HAND: Final = "handle_request"
OnHub = Callable[[Callable[[], Any]], Any]
"""Runs something in the server's hub and answers what it answers, of any type."""


class Work(Protocol):
    """What the drain needs of a server; called on the command thread."""

    def idle(self) -> Sequence[Connection]:
        """Connections without a request in hand."""
        ...

    def busy(self) -> int:
        """How many requests are in hand."""
        ...

    def finished(self) -> int:
        """How many of those that were ever in hand are so no more."""
        ...

    def cut(self) -> None:
        """End what is still in hand."""


def watch_reading(handler_class: type[Any]) -> None:
    """Let each of pywsgi's handlers say since when it waits for the first line of a request."""
    original: Callable[[Any], Any] = handler_class.read_requestline

    @functools.wraps(original)
    def read_requestline(handler: Any) -> Any:
        handler.__dict__[_WAITS_SINCE] = time.monotonic()
        try:
            return original(handler)
        finally:
            handler.__dict__[_WAITS_SINCE] = None

    handler_class.read_requestline = read_requestline


@final
class Handlers:
    """What pywsgi's handlers have in hand."""

    def __init__(self, server: Any, roster: Roster, on_hub: OnHub) -> None:
        """Nothing was in hand yet."""
        self._server = server
        self._roster = roster
        self._on_hub = on_hub
        self._in_hand: set[Any] = set()
        self.queued: list[tuple[Any, Any]] = []
        """Connections that the kernel had accepted, which have no handler yet."""

    def announce(self) -> None:
        """Let every answer end its connection from now on; in the hub."""
        original: type[Any] = self._server.handler_class

        def finalize_headers(handler: Any) -> None:
            headers: list[tuple[bytes, bytes]] = handler.response_headers
            if not any(name.lower() == b"connection" for name, _ in headers):
                headers.append((b"Connection", b"close"))
            handler.close_connection = True
            original.finalize_headers(handler)

        self._server.handler_class = type(original.__name__, (original,), {"finalize_headers": finalize_headers})
        for handler in self._open():
            handler.finalize_headers = functools.partial(finalize_headers, handler)

    def idle(self) -> Sequence[Connection]:
        """Those that wait for a request."""
        return [_Idle(one) for one in self._open() if _waits_since_s(one) is not None]

    def busy(self) -> int:
        """Those that have one, and those that nobody has looked at."""
        at_work = self._at_work()
        self._in_hand |= at_work
        return len(at_work) + len(self.queued)

    def finished(self) -> int:
        """Of those that were ever seen at work."""
        return len(self._in_hand - self._at_work())

    def cut(self) -> None:
        """Hang up."""

        def hang_up() -> None:
            while self.queued:
                self.queued.pop()[0].close()
            for one in self._at_work():
                one.close_connection = True
                with contextlib.suppress(OSError, AttributeError):  # gone already
                    one.socket.shutdown(socket.SHUT_RDWR)

        self._on_hub(hang_up)

    def _at_work(self) -> set[Any]:
        return {one for one in self._open() if _waits_since_s(one) is None}

    def _open(self) -> list[Any]:
        # A handler that has ended gives up its socket; until then it is one of ours.
        return [
            one
            for one, _ in self._roster.live()
            if getattr(one, "server", None) is self._server and "socket" in one.__dict__
        ]


@final
class Pooled:
    """What gunicorn's gevent worker has in hand: greenlets of a pool, idle connections among them."""

    def __init__(self, server: Any, on_hub: OnHub) -> None:
        """Nothing was in hand yet."""
        self._server = server
        self._on_hub = on_hub
        self._in_hand: set[Any] = set()

    def idle(self) -> Sequence[Connection]:
        """None that could be told: the port is the parent's, so they stay."""
        return []

    def busy(self) -> int:
        """Those that are about a request."""
        at_work = self._at_work()
        self._in_hand |= at_work
        return len(at_work)

    def finished(self) -> int:
        """Of those that were ever seen at work."""
        return len(self._in_hand - self._at_work())

    def cut(self) -> None:
        """Nothing: behind a gate nobody is cut off."""

    def _at_work(self) -> set[Any]:
        def look() -> set[Any]:
            return {one for one in list(self._server.pool.greenlets) if _is_about(one.gr_frame, _IN_HAND)}

        found: set[Any] = self._on_hub(look)
        return found


@final
class _Idle:
    """A connection whose handler waits for a request."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler

    def descriptor(self) -> int:
        opened: Any = self._handler.__dict__.get("socket")
        return -1 if opened is None else int(opened.fileno())

    def quiet_since_s(self) -> float | None:
        return _waits_since_s(self._handler)

    def close(self) -> None:
        with contextlib.suppress(OSError, AttributeError):  # gone already
            # Below gevent's own socket, whose methods belong to the hub's thread: the kernel tells the hub that it ended.
            self._handler.socket._sock.shutdown(socket.SHUT_RD)  # noqa: SLF001


def _waits_since_s(handler: Any) -> float | None:
    since_s: float | None = handler.__dict__.get(_WAITS_SINCE)
    return since_s


def _is_about(frame: FrameType | None, name: str) -> bool:
    while frame is not None:
        if frame.f_code.co_name == name:
            return True
        frame = frame.f_back
    return False
