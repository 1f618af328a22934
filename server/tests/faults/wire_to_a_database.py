"""A wire between a replica and its database that can be cut as networks are: nothing is refused or ended, it is just silent."""

import contextlib
import ctypes
import selectors
import socket
import threading
from pathlib import Path

_NETWORK = 0x40000000
"""What Linux calls CLONE_NEWNET."""


def enter(namespace: str) -> None:
    """Move this thread, and no other, into a network namespace."""
    with Path("/run/netns", namespace).open("rb") as place:
        if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), _NETWORK) != 0:
            raise OSError(ctypes.get_errno(), "setns")


class Wire:
    """Carries connections to a server. While it is cut, octets and new connections wait, and nobody is told."""

    def __init__(self, port: int, host: str = "127.0.0.1", *, namespace: str | None = None) -> None:
        self._to = port
        self._namespace = namespace
        """The network namespace in whose loopback the other end lies; None: ours."""
        self._whole = threading.Event()
        self._whole.set()
        self._is_over = False
        self._listening = socket.create_server((host, 0))
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        return self._listening.getsockname()[1]

    def cut(self) -> None:
        """Fall silent."""
        self._whole.clear()

    def mend(self) -> None:
        """Carry on, also what was sent meanwhile."""
        self._whole.set()

    def close(self) -> None:
        """End every connection."""
        self._is_over = True
        self._whole.set()
        for each in [self._listening, *self._ends]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for each in self._threads:
            each.join(5)

    def _accept(self) -> None:
        while not self._is_over:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._carry, args=(near,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry(self, near: socket.socket) -> None:
        # A ValueError is what a selector says of a socket that was closed meanwhile.
        self._ends.append(near)
        with contextlib.suppress(OSError, ValueError), selectors.DefaultSelector() as ready:
            self._whole.wait()
            if self._namespace is not None:
                enter(self._namespace)
            far = socket.create_connection(("127.0.0.1", self._to))
            self._ends.append(far)
            with near, far:
                ready.register(near, selectors.EVENT_READ, far)
                ready.register(far, selectors.EVENT_READ, near)
                while not self._is_over:
                    for key, _ in ready.select():
                        self._whole.wait()
                        octets = key.fileobj.recv(65_536)  # type: ignore[union-attr]
                        if not octets:
                            return
                        key.data.sendall(octets)
