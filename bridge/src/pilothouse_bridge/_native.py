"""Threads, locks and waits of the operating system, also where gevent has put greenlets in their place.

A program that is patched by gevent runs in one hub. Were our threads greenlets there, each of our pauses and computations
would be one of the program's, and a lock that was made before the patching could stop it for good. So they stay threads of
the system, and what they share with the program are locks that are held for a few instructions. They wait in nothing of
gevent's, in sockets neither: a thread that is in a hub of its own when the interpreter ends takes the process down with it.
Source: gevent 26.9, ``gevent.monkey.get_original``.
"""

import contextlib
import importlib
import queue
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast, final

_STEP_S: Final = 0.005
_Address = tuple[str, int]


def _genuine(module: str, name: str) -> Any:
    """What the standard library calls so, whatever was put in its place; any type."""
    monkey: Any = sys.modules.get("gevent.monkey")
    if monkey is not None:
        return monkey.get_original(module, name)
    return getattr(importlib.import_module(module), name)


if TYPE_CHECKING:
    SimpleQueue = queue.SimpleQueue
else:
    SimpleQueue = _genuine("queue", "SimpleQueue")

Lock = threading.Lock
RLock = threading.RLock
lock: Final = cast("Callable[[], threading.Lock]", _genuine("_thread", "allocate_lock"))
rlock: Final = cast("Callable[[], threading.RLock]", _genuine("_thread", "RLock"))
Empty: Final = queue.Empty
sleep: Final = cast("Callable[[float], None]", _genuine("time", "sleep"))
_find: Final[Any] = _genuine("socket", "getaddrinfo")  # its type has more overloads than a line has room
_Socket: Final = cast("type[socket.socket]", _genuine("socket", "socket"))
_ident: Final = cast("Callable[[], int]", _genuine("_thread", "get_ident"))
_begin: Final = cast("Callable[[Callable[[], None], tuple[()]], int]", _genuine("_thread", "start_new_thread"))


poll: Final[Any] = _genuine("select", "poll") if hasattr(importlib.import_module("select"), "poll") else None
"""``select.poll``, to look without waiting; None where there is none."""


def are_threads_patched() -> bool:
    """Whether ``threading`` makes greenlets at this moment."""
    monkey: Any = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def new_socket(family: int, kind: int = socket.SOCK_STREAM, descriptor: int | None = None) -> socket.socket:
    """A socket whose waits are the system's."""
    return _Socket(family, kind, fileno=descriptor)


def open_connection(address: _Address, timeout_s: float) -> socket.socket:
    """The same as ``socket.create_connection``.

    Raises: OSError.
    """
    trouble: OSError | None = None
    for family, kind, _, _, where in _find(address[0], address[1], 0, socket.SOCK_STREAM):
        opened = new_socket(family, kind)
        try:
            opened.settimeout(timeout_s)
            opened.connect(where)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            opened.close()
            trouble = error
        else:
            return opened
    raise trouble or OSError("the name leads to no address")


@final
class Event:
    """Like ``threading.Event``, for waits of our own threads."""

    def __init__(self) -> None:
        """Not set."""
        self._is_set = False
        self._waiting: deque[threading.Lock] = deque()

    def is_set(self) -> bool:
        """Whether it is."""
        return self._is_set

    def set(self) -> None:
        """Wake whoever waits; never waits itself."""
        self._is_set = True
        with contextlib.suppress(IndexError):
            while True:
                self._waiting.popleft().release()

    def clear(self) -> None:
        """Let the next ones wait."""
        self._is_set = False

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for it; answers whether it came."""
        if self._is_set:
            return True
        own = lock()
        own.acquire()
        self._waiting.append(own)
        if self._is_set:  # between the look and the append nobody knew of us
            self._forget(own)
            return True
        came = own.acquire(timeout=-1 if timeout_s is None else max(0.0, timeout_s))
        if not came:
            self._forget(own)
        return came or self._is_set

    def wait_politely(self, timeout_s: float) -> bool:
        """The same for a thread of the program's: where greenlets run in it, they go on meanwhile."""
        if time.sleep is sleep:
            return self.wait(timeout_s)
        until_s = time.monotonic() + timeout_s
        while not self._is_set and time.monotonic() < until_s:
            time.sleep(_STEP_S)
        return self._is_set

    def _forget(self, own: threading.Lock) -> None:
        with contextlib.suppress(ValueError):
            self._waiting.remove(own)


@final
class Thread:
    """One of the operating system's, which does not keep the process alive."""

    def __init__(self, target: Callable[[], object], name: str) -> None:
        """Not begun."""
        self._target = target
        self._name = name
        self._ended = Event()
        self._has_begun = False
        self._known_as = 0

    def start(self) -> None:
        """Begin.

        Raises: RuntimeError where there are no threads, or none any more.
        """
        if are_threads_patched():
            _begin(self._run_patched, ())
        else:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        self._has_begun = True

    @property
    def is_current(self) -> bool:
        """Whether this is asked by the thread itself."""
        return self._known_as == _ident()

    def is_alive(self) -> bool:
        """Whether it has begun and not ended."""
        return self._has_begun and not self._ended.is_set()

    def join(self, patience_s: float) -> None:
        """Wait for its end, so long at most."""
        self._ended.wait_politely(patience_s)

    def _run(self) -> None:
        self._known_as = _ident()
        try:
            self._target()
        finally:
            self._ended.set()
            if are_threads_patched():
                # Begun before the patching, it is known by another number now, under which ``threading`` forgets it.
                threading.current_thread()

    def _run_patched(self) -> None:
        with contextlib.suppress(Exception):  # a name is for people who look at threads, and no more
            threading.current_thread().name = self._name
        self._run()
