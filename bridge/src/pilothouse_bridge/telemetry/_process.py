"""Figures of this process: CPU, memory, how late the event loop is, how long the garbage collector stopped the program."""

import gc
import os
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, final

CPU: Final = "process.cpu.utilization"
MEMORY: Final = "process.memory.usage"
LOOP_LAG: Final = "pilothouse.event_loop.lag"
GC_PAUSE: Final = "pilothouse.gc.pause"
UNITS: Final = {CPU: "1", MEMORY: "By", LOOP_LAG: "s", GC_PAUSE: "s"}
PROBE_EVERY_S: Final = 1.0


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


@final
class LoopLag:
    """How long an event loop takes to come to something new; asked from our thread, so that the loop keeps no timer of ours."""

    def __init__(self) -> None:
        """No loop is known yet."""
        self._loops: dict[int, Callable[[], Any]] = {}  # weak references
        self._asked_at_s: dict[int, float] = {}
        self._worst_s: float | None = None

    @property
    def is_watching(self) -> bool:
        """Whether there is a loop to ask."""
        return bool(self._loops)

    def meet(self, loop: Any) -> None:
        """Watch this loop from now on; called on it, with each request."""
        if id(loop) not in self._loops:
            try:
                self._loops[id(loop)] = weakref.ref(loop)
            except TypeError:  # a loop of another kind that nobody can refer to weakly is not watched
                return

    def probe(self) -> None:
        """Ask every loop that is not busy with our last question."""
        for key, reference in list(self._loops.items()):
            loop = reference()
            if loop is None or loop.is_closed():
                self._loops.pop(key, None)
                self._asked_at_s.pop(key, None)
            elif key not in self._asked_at_s:
                asked_at_s = time.monotonic()
                self._asked_at_s[key] = asked_at_s
                try:
                    loop.call_soon_threadsafe(self._hear, key)
                except RuntimeError:  # closed just now
                    self._asked_at_s.pop(key, None)

    def take(self) -> float | None:
        """The worst since the last time, seconds; None when no loop was asked. A question still open counts, too."""
        open_s = max((time.monotonic() - asked_at_s for asked_at_s in list(self._asked_at_s.values())), default=None)
        worst_s, self._worst_s = self._worst_s, None
        return worst_s if open_s is None else max(open_s, worst_s or 0.0)

    def _hear(self, key: int) -> None:
        asked_at_s = self._asked_at_s.pop(key, None)
        if asked_at_s is not None:
            self._worst_s = max(self._worst_s or 0.0, time.monotonic() - asked_at_s)


@final
class GcPauses:
    """How long the program stood still for the garbage collector."""

    def __init__(self) -> None:
        """Not listening yet."""
        self._began_s = 0.0
        self._worst_s = 0.0
        self._is_listening = False

    def listen(self) -> None:
        """Hear of every collection from now on."""
        if not self._is_listening:
            self._is_listening = True
            gc.callbacks.append(self._hear)

    def end(self) -> None:
        """Hear no more."""
        if self._is_listening:
            self._is_listening = False
            if self._hear in gc.callbacks:
                gc.callbacks.remove(self._hear)

    def take(self) -> float:
        """The longest since the last time, seconds."""
        worst_s, self._worst_s = self._worst_s, 0.0
        return worst_s

    def _hear(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._began_s = time.perf_counter()
        elif self._began_s:
            self._worst_s = max(self._worst_s, time.perf_counter() - self._began_s)


@final
class ProcessFigures:
    """All of them together; taken by one thread."""

    def __init__(self) -> None:
        """The use of processors is counted from here on."""
        self.loops: Final = LoopLag()
        self.pauses: Final = GcPauses()
        self.last: dict[str, float] = {}
        self._cpu_s = time.process_time()
        self._at_s = time.monotonic()
        self._page_bytes = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0

    def take(self) -> dict[str, float]:
        """The figures since the last time; what this system does not tell is not there."""
        cpu_s, at_s = time.process_time(), time.monotonic()
        elapsed_s = at_s - self._at_s
        figures: dict[str, float] = {GC_PAUSE: self.pauses.take()}
        if elapsed_s > 0:
            figures[CPU] = max(0.0, cpu_s - self._cpu_s) / elapsed_s / processors()
            self._cpu_s, self._at_s = cpu_s, at_s
        memory_bytes = self._memory_bytes()
        if memory_bytes is not None:
            figures[MEMORY] = float(memory_bytes)
        lag_s = self.loops.take()
        if lag_s is not None:
            figures[LOOP_LAG] = lag_s
        self.last = figures
        return figures

    def _memory_bytes(self) -> int | None:
        try:
            resident = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        except (OSError, IndexError):
            return None
        return int(resident) * self._page_bytes
