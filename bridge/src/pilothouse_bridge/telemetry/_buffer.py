"""What waits to be sent: bounded in records and bytes; when it is full the oldest goes, and is counted."""

from collections import deque
from typing import Any, Final, Generic, TypeVar, final

from pilothouse_bridge import _native

BATCH_RECORDS: Final = 512
BATCH_BYTES: Final = 1_000_000
_T = TypeVar("_T")


@final
class Drops:
    """What was not sent, by signal and reason, since the last time somebody took the figures and since ever."""

    def __init__(self) -> None:
        """Nothing is lost."""
        # Re-entrant: a record may be made within another, by a finalizer or a signal handler.
        self._lock = _native.rlock()
        self._fresh: dict[tuple[str, str], int] = {}
        self._total: dict[tuple[str, str], int] = {}

    def add(self, signal: str, reason: str, count: int) -> None:
        """Count."""
        if count > 0:
            with self._lock:
                key = (signal, reason)
                self._fresh[key] = self._fresh.get(key, 0) + count
                self._total[key] = self._total.get(key, 0) + count

    @property
    def has_news(self) -> bool:
        """Whether something was lost since the last time."""
        return bool(self._fresh)

    def take(self) -> dict[tuple[str, str], int]:
        """What is new since the last time."""
        with self._lock:
            fresh, self._fresh = self._fresh, {}
            return fresh

    def totals(self) -> dict[tuple[str, str], int]:
        """All since the process began."""
        with self._lock:
            return dict(self._total)


@final
class Buffer(Generic[_T]):
    """Filled by the program's threads, emptied by the sender's."""

    def __init__(self, signal: str, records_max: int, bytes_max: int, drops: Drops) -> None:
        """Empty."""
        self._signal = signal
        self._records_max = records_max
        self._bytes_max = bytes_max
        self._drops = drops
        self._lock = _native.rlock()
        self._items: deque[tuple[_T, int]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: _T, size_bytes: int) -> bool:
        """Keep it; answers whether a batch is full. Never waits for anything but another thread's few instructions."""
        dropped = 0
        with self._lock:
            items = self._items
            items.append((item, size_bytes))
            self._bytes += size_bytes
            while len(items) > self._records_max or (self._bytes > self._bytes_max and items):
                self._bytes -= items.popleft()[1]
                dropped += 1
            is_full = len(items) >= BATCH_RECORDS or self._bytes >= BATCH_BYTES
        if dropped:
            self._drops.add(self._signal, "queue_full", dropped)
        return is_full

    def take(self) -> list[_T]:
        """The oldest ones, a batch at most."""
        taken: list[_T] = []
        size_bytes = 0
        with self._lock:
            while self._items and len(taken) < BATCH_RECORDS and size_bytes < BATCH_BYTES:
                item, size = self._items.popleft()
                taken.append(item)
                size_bytes += size
            self._bytes -= size_bytes
        return taken

    def discard(self, reason: str) -> None:
        """Throw all away, counted."""
        with self._lock:
            count = len(self._items)
            self._items.clear()
            self._bytes = 0
        self._drops.add(self._signal, reason, count)


AnyBuffer = Buffer[Any]  # of whatever a signal's records are
