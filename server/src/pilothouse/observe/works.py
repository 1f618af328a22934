"""Work that comes round again and again: when it was done last, since when it fails, and why."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import final

import msgspec


class Work(msgspec.Struct):
    """How one kind of work goes."""

    done_s: float | None = None
    """When it was done last, by the clock of `Works`; None before the first time."""
    failing_since_s: float | None = None
    """Since when it fails; None while it goes well."""
    cause: str = ""
    """Why it failed last."""
    failures: int = 0
    """How often it failed since the start."""


@final
class Works(Mapping[str, Work]):
    """All work of one process, by name. As many entries as there are kinds of work."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.clock_s = clock_s
        self._works: dict[str, Work] = {}

    def __getitem__(self, name: str) -> Work:
        return self._works[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._works)

    def __len__(self) -> int:
        return len(self._works)

    def of(self, name: str) -> Work:
        """Tell how work goes; one that was never done goes well."""
        return self._works.get(name) or Work()

    def done(self, name: str) -> None:
        """Note that work was done."""
        work = self._works.setdefault(name, Work())
        work.done_s, work.failing_since_s, work.cause = self.clock_s(), None, ""

    def failed(self, name: str, cause: str) -> None:
        """Note that work failed."""
        work = self._works.setdefault(name, Work())
        work.failures += 1
        work.cause = cause
        if work.failing_since_s is None:
            work.failing_since_s = self.clock_s()

    def age_s(self, name: str) -> float | None:
        """Tell how long ago work was done last; None when it never was."""
        done_s = self.of(name).done_s
        return None if done_s is None else self.clock_s() - done_s

    def failing_s(self, name: str) -> float:
        """Tell for how long work fails; 0 while it goes well."""
        since_s = self.of(name).failing_since_s
        return 0.0 if since_s is None else self.clock_s() - since_s
