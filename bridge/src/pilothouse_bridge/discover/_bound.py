"""A listening socket as a thing to close, to open again at the same address, and to look at from outside."""

import array
import contextlib
import os
import socket
import stat
import struct
import sys
from dataclasses import dataclass
from typing import Any, Final, cast

from pilothouse_bridge import _native

_PROBE_PATIENCE_S: Final = 0.5
_SO_ATTACH_FILTER: Final = 26  # asm-generic/socket.h
#: Drop what has the SYN flag, let everything else pass: code, jump if true, jump if false, operand.
_NO_NEWCOMERS: Final = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))
QUEUE_S: Final = 0.02
"""For handshakes that are under way when newcomers are held off."""
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True)
class Bound:
    """Where a socket listens, and how it was bound."""

    family: int
    address: Any  # as getsockname() tells it: a path, or a tuple that differs between families
    reuse_port: bool
    ipv6_only: bool
    mode: int | None
    """Permissions of a Unix socket's file."""

    @property
    def key(self) -> object:
        """What tells listeners of one server apart: the port, else the path."""
        return self.address[1] if self.is_inet else self.address

    @property
    def is_inet(self) -> bool:
        """Whether it has a port."""
        return self.family in {socket.AF_INET, socket.AF_INET6}

    def __str__(self) -> str:
        return f"Port {self.address[1]}" if self.is_inet else f"Socket {self.address}"

    def bind(self) -> socket.socket:
        """A new socket at the same address, not listening yet, not blocking.

        Raises: OSError.
        """
        fresh = _native.new_socket(self.family)
        try:
            if self.is_inet and os.name == "posix":
                fresh.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self.reuse_port:
                fresh.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if self.family == socket.AF_INET6:
                fresh.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(self.ipv6_only))
            if not self.is_inet:
                _remove_stale(str(self.address))
            fresh.bind(self.address)
            if self.mode is not None:
                os.chmod(self.address, self.mode)  # noqa: PTH101 - the address is a text
            fresh.setblocking(False)
        except BaseException:
            fresh.close()
            raise
        return fresh

    def is_open(self) -> bool:
        """Whether somebody listens there, seen from outside."""
        with self.knock() as probe:
            try:
                probe.getpeername()
            except OSError:
                return False
        return True

    def knock(self) -> socket.socket:
        """A connection to it, or a socket that is not connected when nobody listens."""
        host = self.address[0] if self.is_inet else ""
        target = (_ANY.get(host, host), *self.address[1:]) if self.is_inet else self.address
        probe = _native.new_socket(self.family)
        probe.settimeout(_PROBE_PATIENCE_S)
        with contextlib.suppress(OSError):
            probe.connect(target)
        return probe


def bound(listening: Any) -> Bound:
    """What a listening socket is bound to, also one of an event loop's look-alikes."""
    with duplicate(listening) as copy:
        reuse_port = hasattr(socket, "SO_REUSEPORT") and bool(copy.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))
        ipv6_only = copy.family == socket.AF_INET6 and bool(copy.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
        address: Any = copy.getsockname()
        mode = None
        if isinstance(address, str):
            with contextlib.suppress(OSError):
                mode = stat.S_IMODE(os.stat(address).st_mode)  # noqa: PTH116 - the address is a text
        return Bound(copy.family, address, reuse_port, ipv6_only, mode)


def duplicate(listening: Any) -> socket.socket:
    """Another descriptor of the same socket: it stays open while the server closes its own."""
    return _native.new_socket(-1, -1, os.dup(listening.fileno()))


def hold_off_newcomers(listening: Any) -> bool:
    """Let the kernel drop requests for new connections, so that the queue can be emptied to its end; Linux only.

    Who comes now asks again a second later, and is refused then, or served when the port is open again. Without it
    there are some microseconds between the last accept and the close, and milliseconds where threads press on: whoever
    comes in between believes that it is connected, and is reset.
    Source: socket(7), SO_ATTACH_FILTER; the filter sees a packet from its TCP header on.
    """
    if sys.platform != "linux":
        return False
    try:
        with duplicate(listening) as copy:
            if copy.family not in {socket.AF_INET, socket.AF_INET6}:
                return False
            program = array.array("B", b"".join(struct.pack("=HBBI", *step) for step in _NO_NEWCOMERS))
            where = struct.pack("HP", len(_NO_NEWCOMERS), program.buffer_info()[0])
            copy.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, where)
    except OSError:  # a kernel that is none, in a sandbox
        return False
    return True


def take_the_rest(copy: socket.socket) -> list[socket.socket]:
    """Accept what the kernel has queued, then close the socket for everyone who holds it, at once after the last one."""
    accepted: list[socket.socket] = []
    try:
        copy.setblocking(False)
        while True:
            accepted.append(copy.accept()[0])
    except OSError:  # nothing more: would block, or was closed before
        pass
    with contextlib.suppress(OSError):  # on some systems a listening socket cannot be shut down: closing must do
        # Children that were forked while it listened hold it, too, and would keep the port open.
        copy.shutdown(socket.SHUT_RDWR)
    copy.close()
    for one in accepted:
        one.setblocking(False)
    return accepted


def is_readable(descriptor: int) -> bool:
    """Whether something has arrived that nobody has read yet, and whoever sent it is still there."""
    import select

    try:
        if _native.poll is not None:  # select() knows no descriptor above 1023
            gone = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR | select.POLLNVAL
            poller = _native.poll()
            poller.register(descriptor, select.POLLIN | gone)
            return any(not events & gone for _, events in poller.poll(0))
        return bool(select.select([descriptor], [], [], 0)[0])
    except (OSError, ValueError):
        return False


def is_held_by_parent(listening: Any) -> bool | None:
    """Whether the parent process has this very socket open; None where that cannot be seen.

    Source: proc(5); a socket is the same one when its inode is.
    """
    try:
        wanted = f"socket:[{os.fstat(listening.fileno()).st_ino}]"
        directory = f"/proc/{os.getppid()}/fd"
        descriptors = os.listdir(directory)  # noqa: PTH208 - names only
    except OSError:
        return None
    for descriptor in descriptors:
        with contextlib.suppress(OSError):  # closed in the meantime
            if os.readlink(f"{directory}/{descriptor}") == wanted:  # noqa: PTH115 - the target is no path
                return True
    return False


def _remove_stale(path: str) -> None:
    """Remove a Unix socket's file that nobody listens at, so that the path can be bound again."""
    with contextlib.suppress(OSError):
        if stat.S_ISSOCK(os.stat(path).st_mode):  # noqa: PTH116 - the address is a text
            with _native.new_socket(cast("int", getattr(socket, "AF_UNIX", 0))) as probe:
                try:
                    probe.connect(path)
                except OSError:
                    os.unlink(path)  # noqa: PTH108 - as above
