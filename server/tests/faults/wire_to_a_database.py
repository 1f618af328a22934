"""A wire between a replica and its database that can be cut as networks are: nothing is refused or ended, it is just silent."""

import contextlib
import selectors
import socket
import threading


class Wire:
    """Carries connections to a server. While it is cut, octets and new connections wait, and nobody is told."""

    def __init__(self, port: int, host: str = "127.0.0.1", *, to_host: str = "127.0.0.1") -> None:
        self._to = (to_host, port)
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
            far = socket.create_connection(self._to)
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
