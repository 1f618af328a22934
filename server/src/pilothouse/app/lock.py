"""One process a home: two would write over each other's view of who is alive."""

import fcntl
import os
from pathlib import Path
from typing import Final

from pilothouse.base.errors import CannotStart, Conflict

_FILE: Final = "pilothouse.lock"
"""Its first line is the process that held it last, its second the database on a server that was served, if it was one."""
_BYTES_MAX: Final = 4096


class HomeInUse(CannotStart):
    """Another control plane runs on this home directory."""

    code = "HOME_IN_USE"


def lock_home(home: Path) -> int:
    """Hold a home directory for the life of this process; returns the file descriptor that holds it.

    Raises: HomeInUse, CannotStart
    """
    path = home / _FILE
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CannotStart(
            f"The home directory {home} cannot be written: {error.strerror}.",
            fix="Make it writable for this user, or name another one in PILOTHOUSE_HOME.",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _read(descriptor)[0] or "unknown"
        os.close(descriptor)
        raise HomeInUse(
            f"A control plane (process {holder}) runs on {home} already.",
            fix="Use that one, stop it first, or name another directory in PILOTHOUSE_HOME.",
        ) from None
    note_served(descriptor, _read(descriptor)[1])
    return descriptor


def note_served(descriptor: int, server: str) -> None:
    """Keep which database on a server a held home is served with, for those who come later; empty: the embedded one."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n{server}\n".encode(), 0)


def require_embedded(home: Path) -> None:
    """Check that the embedded database of a home is the living one, and not what was left when people moved to a server.

    Raises: Conflict
    """
    path = home / _FILE
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # nobody served it yet, or it is not ours to read: then neither is the database
        return
    try:
        _, server = _read(descriptor)
    finally:
        os.close(descriptor)
    if server:
        raise Conflict(
            f"The control plane of {home} keeps everything in {server}, and no longer in its home.",
            fix=f"Name that database in PILOTHOUSE_DATABASE_URL. If the file from before is meant, remove {path} first.",
        )


def _read(descriptor: int) -> tuple[str, str]:
    lines = os.pread(descriptor, _BYTES_MAX, 0).decode(errors="replace").splitlines()
    holder, server, *_ = [*lines, "", ""]
    return holder.strip(), server.strip()
