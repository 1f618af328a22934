"""How many calls may be under way at once: over all, and per runtime."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import final

from pilothouse.management.failures import Failure, ManagementFailure


class _Lane:
    """Calls of one runtime, under way and waiting."""

    __slots__ = ("calls", "places")

    def __init__(self, size: int) -> None:
        self.calls = 0
        self.places = asyncio.Semaphore(size)


@final
class Slots:
    """Places for calls, with a bounded queue before them.

    A runtime's own limit comes first: one that does not answer holds few of the places that all share.
    Whoever leaves makes room; when the queue is full, a call is refused at once and counted in `refused`.
    """

    def __init__(
        self, *, at_once_max: int, per_runtime_max: int, waiting_max: int, waiting_per_runtime_max: int
    ) -> None:
        self.refused = 0
        self._calls = 0
        self._calls_max = at_once_max + waiting_max
        self._lane_max = per_runtime_max + waiting_per_runtime_max
        self._per_runtime_max = per_runtime_max
        self._places = asyncio.Semaphore(at_once_max)
        self._lanes: dict[str, _Lane] = {}

    @asynccontextmanager
    async def place(self, runtime: str) -> AsyncGenerator[None]:
        """Wait for a place and hold it.

        Raises: ManagementFailure (BUSY)
        """
        lane = self._lanes.get(runtime)
        if self._calls >= self._calls_max or (lane is not None and lane.calls >= self._lane_max):
            self.refused += 1
            raise ManagementFailure(Failure.BUSY, "Too many calls of management APIs are waiting already.")
        if lane is None:
            lane = self._lanes[runtime] = _Lane(self._per_runtime_max)
        lane.calls += 1
        self._calls += 1
        try:
            async with lane.places, self._places:
                yield
        finally:
            self._calls -= 1
            lane.calls -= 1
            if lane.calls == 0:
                del self._lanes[runtime]
