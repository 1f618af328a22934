"""Opening a port: by ourselves alone, or a clear error."""

import errno
import socket
from pathlib import Path

from pilothouse.serving.errors import AddressNotOurs, PortForbidden, PortTaken

_LISTEN = "0A"
"""The state of a listening socket in /proc/net/tcp. Source: Linux, include/net/tcp_states.h."""
_TCP_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_COMMAND_LENGTH = 120


def open_port(host: str, port: int, *, backlog: int, setting: str) -> socket.socket:
    """Listen on a port, exclusively: no SO_REUSEPORT, so a second process can never share it by accident.

    Raises: PortTaken, PortForbidden, AddressNotOurs.
    """
    return _opened(host, port, backlog, setting)


def require_free(host: str, port: int, *, setting: str) -> None:
    """Look whether a port can be had, before anything is made that is told only once it is open; nobody is let in by it.

    Raises: PortTaken, PortForbidden, AddressNotOurs.
    """
    _opened(host, port, None, setting).close()


def _opened(host: str, port: int, backlog: int | None, setting: str) -> socket.socket:
    """Take a port, and listen on it where a backlog is given."""
    taken: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, kind, protocol)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of the last run in TIME_WAIT
        taken.setblocking(False)
        taken.bind(address)
        if backlog is not None:
            taken.listen(backlog)
    except OSError as error:
        if taken is not None:
            taken.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(port=port, setting=setting, holder=who_holds(port)) from error
        if error.errno in {errno.EACCES, errno.EPERM}:
            raise PortForbidden(port=port, setting=setting) from error
        raise AddressNotOurs(host=host, port=port, reason=error.strerror or str(error)) from error
    return taken


def who_holds(port: int) -> str | None:
    """Find who listens on a port, as far as this user may see: process id and command."""
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not wanted:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        try:
            holds = any(str(entry.readlink()) in wanted for entry in (process / "fd").iterdir())
            if holds:
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
                return f"process {process.name} ({command[:_COMMAND_LENGTH]})"
        except OSError:  # somebody else's process, or gone meanwhile
            continue
    return None


def _listening_inodes(port: int) -> set[str]:
    """Look up the inodes of the sockets that listen on a port."""
    inodes: set[str] = set()
    for table in _TCP_TABLES:
        try:
            rows = table.read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            columns = row.split()
            if columns[3] == _LISTEN and int(columns[1].rpartition(":")[2], 16) == port:
                inodes.add(columns[9])
    return inodes
