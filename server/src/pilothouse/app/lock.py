"""One process a home: two would write over each other's view of who is alive."""

import fcntl
import os
from pathlib import Path

from pilothouse.base.errors import CannotStart


class HomeInUse(CannotStart):
    """Another control plane runs on this home directory."""

    code = "HOME_IN_USE"


def lock_home(home: Path) -> int:
    """Hold a home directory for the life of this process; returns the file descriptor that holds it.

    Raises: HomeInUse, CannotStart
    """
    path = home / "pilothouse.lock"
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
        holder = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise HomeInUse(
            f"A control plane (process {holder}) runs on {home} already.",
            fix="Use that one, stop it first, or name another directory in PILOTHOUSE_HOME.",
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor
