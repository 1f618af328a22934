"""The journal of one sort: frames in files, on disk before they are acknowledged, and gone once their records are in a part.

A frame is its octets' length, their CRC-32, the number of its first record and how many it has, then MessagePack.
A file is called by the first number in it. The writer lives in the control plane, the reader in the store's process.
"""

import contextlib
import errno
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from itertools import pairwise
from pathlib import Path

import msgspec

from pilothouse.base.errors import StorageFull, StorageUnavailable
from pilothouse.telemetry.errors import StoreBusy

_HEADER = struct.Struct("<IIQI")
_SUFFIX = ".journal"
QUEUED_BYTES_MAX = 64 * 1024 * 1024
"""Frames that wait to be written, in memory. The writer empties it with one write; beyond it `StoreBusy` is raised."""
BUSY_WAIT_S = 1.0
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG})


class Frame(msgspec.Struct, frozen=True):
    """Records as they lie in a journal."""

    first_number: int
    count: int
    payload: bytes


def journal_files(folder: Path) -> list[tuple[int, Path]]:
    """List a journal's files by the first number in them."""
    return sorted((int(path.stem), path) for path in folder.glob(f"*{_SUFFIX}"))


def size_of(path: Path) -> int:
    """Return a file's octets; none when it has just gone."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def read_frames(path: Path, offset: int = 0) -> Iterator[tuple[Frame, int]]:
    """Give the whole frames of a file and where each ends; stop where one is torn."""
    with path.open("rb") as file:
        file.seek(offset)
        while len(head := file.read(_HEADER.size)) == _HEADER.size:
            length, crc, first, count = _HEADER.unpack(head)
            payload = file.read(length)
            if len(payload) < length or zlib.crc32(payload, first & 0xFFFFFFFF) != crc:
                return
            offset += _HEADER.size + length
            yield Frame(first, count, payload), offset


class JournalWriter:
    """Writes frames, several callers' with one `fdatasync`."""

    def __init__(
        self, folder: Path, *, file_bytes: int, bytes_max: int, free_bytes_min: int, advanced: Callable[[int], None]
    ) -> None:
        """`advanced` is called, in the writer's thread, with the next number once what is before it is on disk."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._file_bytes, self._bytes_max = folder, file_bytes, bytes_max
        self._free_bytes_min = free_bytes_min
        self._advanced = advanced
        self._waiting: list[tuple[bytes, int, Future[None]]] = []
        self._waiting_bytes = 0
        self._wake = threading.Condition()
        self._closed = False
        self._sizes: dict[int, int] = {}
        self._descriptor = -1
        self._anew = False
        self.next_number = self._recover()
        self._thread = threading.Thread(target=self._run, name=f"journal-{folder.parent.name}", daemon=True)
        self._thread.start()

    @property
    def bytes_on_disk(self) -> int:
        """Octets of all its files."""
        return sum(self._sizes.values())

    def append(self, payload: bytes, count: int) -> "Future[None]":
        """Put a frame in line; the future is done when it is on disk.

        Raises: StoreBusy; the future: StorageFull, StorageUnavailable
        """
        with self._wake:
            if self._closed:
                raise StorageUnavailable("The telemetry store is closed.")
            if self.bytes_on_disk + self._waiting_bytes + len(payload) > self._bytes_max + self._file_bytes:
                raise StoreBusy(wait_s=BUSY_WAIT_S)
            if self._waiting_bytes > QUEUED_BYTES_MAX:
                raise StoreBusy(wait_s=BUSY_WAIT_S)
            done: Future[None] = Future()
            self._waiting.append((payload, count, done))
            self._waiting_bytes += len(payload)
            self._wake.notify()
        return done

    def forget(self, number: int) -> None:
        """Remove the files in which everything is older than this number."""
        with self._wake:
            names = sorted(self._sizes)
            for name, following in pairwise(names):
                if following <= number:
                    (self._folder / f"{name:020d}{_SUFFIX}").unlink(missing_ok=True)
                    del self._sizes[name]

    def begin_at(self, number: int) -> None:
        """Go on at a number at least; used once, when the parts know of later records than the journal does."""
        with self._wake:
            if number > self.next_number:
                self.next_number = number
                self._let_go()
                self._sizes.pop(number, None)
                self._anew = True

    def close(self) -> None:
        """Write what waits and end."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()
        self._let_go()

    def _recover(self) -> int:
        following = 0
        for first, path in journal_files(self._folder):
            end, following = 0, max(following, first)
            for frame, until in read_frames(path):
                end, following = until, frame.first_number + frame.count
            if end < path.stat().st_size:
                os.truncate(path, end)  # what was torn was never acknowledged
            self._sizes[first] = end
        return following

    def _let_go(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._closed:
                    self._wake.wait()
                group, self._waiting, self._waiting_bytes = self._waiting, [], 0
            if not group:
                return
            try:
                self._write(group)
            except OSError as error:
                self._let_go()
                refusal = StorageFull() if error.errno in _FULL else StorageUnavailable(str(error))
                for _, _, done in group:
                    done.set_exception(refusal)
            else:
                for _, _, done in group:
                    with contextlib.suppress(Exception):  # its asker may have gone
                        done.set_result(None)
                self._advanced(self.next_number)

    def _write(self, group: "list[tuple[bytes, int, Future[None]]]") -> None:
        pieces: list[bytes] = []
        number = self.next_number
        for payload, count, _ in group:
            crc = zlib.crc32(payload, number & 0xFFFFFFFF)
            pieces += (_HEADER.pack(len(payload), crc, number, count), payload)
            number += count
        content = b"".join(pieces)
        space = os.statvfs(self._folder)
        if space.f_bavail * space.f_frsize < self._free_bytes_min + len(content):
            raise OSError(errno.ENOSPC, "little is left on the disk")
        name = self._file()
        before = self._sizes[name]
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(self._descriptor, view) :]
            os.fdatasync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, before)
            raise
        with self._wake:
            self._sizes[name] = before + len(content)
        self.next_number = number

    def _file(self) -> int:
        """Return the name of the file to write to, opened at its end."""
        last = max(self._sizes, default=None)
        if last is None or self._anew or self._sizes[last] >= self._file_bytes:
            self._let_go()
            self._anew = False
            last = self.next_number
            with self._wake:
                self._sizes[last] = 0
        if self._descriptor < 0:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._descriptor = os.open(self._folder / f"{last:020d}{_SUFFIX}", flags, 0o600)
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return last


class JournalReader:
    """Reads frames in their order, only what is known to be on disk."""

    def __init__(self, folder: Path, number: int) -> None:
        self._folder = folder
        self.number = number
        """The next one that is wanted; frames that end before it are passed over."""
        self._path: Path | None = None
        self._offset = 0

    def frames(self, durable: int) -> Iterator[Frame]:
        """Give the frames before a number."""
        while self.number < durable:
            before = self.number
            self._open()
            if self._path is None:
                return
            for frame, until in read_frames(self._path, self._offset):
                if frame.first_number >= durable:
                    return
                self._offset = until
                if frame.first_number + frame.count > self.number:
                    self.number = frame.first_number + frame.count
                    yield frame
            if self.number == before and not self._next_file():
                return

    def bytes_read(self) -> int:
        """Return the octets of the files that are there which it has read: what a flush can make room of."""
        if self._path is None:
            return 0
        current = int(self._path.stem)
        before = [path for first, path in journal_files(self._folder) if first < current]
        return self._offset + sum(size_of(path) for path in before)

    def _open(self) -> None:
        if self._path is None or not self._path.exists():
            files = journal_files(self._folder)
            begun = [path for first, path in files if first <= self.number]
            self._path = begun[-1] if begun else files[0][1] if files else None
            self._offset = 0

    def _next_file(self) -> bool:
        current = int(self._path.stem) if self._path else -1
        later = [path for first, path in journal_files(self._folder) if first > current]
        if not later:
            return False
        self._path, self._offset = later[0], 0
        return True
