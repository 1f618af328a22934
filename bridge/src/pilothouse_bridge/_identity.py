"""Who this process is, over restarts: a runtimeId kept in a file that one live process holds locked.

A second copy in the same directory finds the first file locked and takes the next (``.2``, ``.3`` …), so ids are stable
over restarts and never shared by two live processes.
"""

import hashlib
import os
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

MAXIMUM_SLOTS: Final = 1000  # a directory with more live copies than this falls back to an id in memory
_ID: Final = re.compile(
    r"[A-Za-z0-9._:-]{1,100}"
)  # what the server accepts; the original bridge writes such files, too


class _SlotTakenError(Exception):
    """Another live process holds this file."""


@final
@dataclass(slots=True)
class Identity:
    """An id, and the lock that makes it ours; ``trouble`` says why it will not survive a restart."""

    runtime_id: str
    path: Path | None = None
    trouble: str | None = None
    _descriptor: int | None = None

    def release(self) -> None:
        """Give the id back: closing the file frees its lock."""
        self._close()

    def abandon_in_child(self) -> None:
        """Forget the parent's file after a fork.

        flock belongs to the open file description, which parent and child share: closing our copy leaves the parent's
        lock in place, whereas LOCK_UN would take it away from the parent.
        """
        self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def claim(file: Path, label: str | None) -> Identity:
    """Take the first free id of this directory and label, making one when there is none."""
    base = file if label is None else file.with_name(f"{file.name}.{slug(label)}")
    try:
        for slot in range(1, MAXIMUM_SLOTS + 1):
            path = base if slot == 1 else base.with_name(f"{base.name}.{slot}")
            try:
                return _claim_slot(path)
            except _SlotTakenError:
                continue
    except OSError as error:
        return Identity(str(uuid.uuid4()), trouble=f"cannot keep it in '{base}': {error.strerror or error}")
    return Identity(str(uuid.uuid4()), trouble=f"all {MAXIMUM_SLOTS} files '{base}*' are taken")


def slug(label: str) -> str:
    """A file name for a label; two labels never share one, also on file systems that ignore case."""
    plain = re.sub(r"[^a-z0-9_-]+", "-", label.lower()).strip("-")[:60]
    if plain == label and not plain.isdigit():  # a bare number would look like a slot
        return plain
    mark = hashlib.sha256(label.encode()).hexdigest()[:8]
    return f"{plain}-{mark}" if plain else mark


def _claim_slot(path: Path) -> Identity:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    while True:
        descriptor = os.open(path, flags, 0o600)
        try:
            _lock(descriptor)
            if not _is_still_at(descriptor, path):
                os.close(descriptor)
                continue
            return Identity(_read_or_write_id(descriptor), path, _descriptor=descriptor)
        except BaseException:
            os.close(descriptor)
            raise


def _lock(descriptor: int) -> None:
    if fcntl is None:
        # Without flock two copies could share an id; an id in memory is the lesser evil.
        raise OSError("file locks of this platform are not supported")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _SlotTakenError from None


def _is_still_at(descriptor: int, path: Path) -> bool:
    """Whether nobody replaced the file between our open and our lock."""
    held = os.fstat(descriptor)
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino)


def _read_or_write_id(descriptor: int) -> str:
    kept = os.read(descriptor, 200).decode("ascii", errors="replace").strip()
    if _ID.fullmatch(kept):
        return kept
    fresh = str(uuid.uuid4())
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, f"{fresh}\n".encode("ascii"))
    return fresh
