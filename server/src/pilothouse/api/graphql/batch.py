"""Reading together what many fields of one request ask for, each for itself."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
_SLICE = 20
"""Answers that are given in one go: what waits for one takes some tenths of a millisecond to go on."""


class Batch(Generic[K, V]):
    """Collects keys for one turn of the loop, then asks once for all of them. Lives as long as its request."""

    def __init__(self, load: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._load = load
        self._answers: dict[K, asyncio.Future[V | None]] = {}
        self._wanted: list[K] = []

    async def get(self, key: K) -> V | None:
        """Read what belongs to a key; None when there is nothing."""
        if key not in self._answers:
            loop = asyncio.get_running_loop()
            self._answers[key] = loop.create_future()
            self._wanted.append(key)
            if len(self._wanted) == 1:
                loop.call_soon(lambda: asyncio.ensure_future(self._read_wanted()))
        return await self._answers[key]

    async def _read_wanted(self) -> None:
        keys, self._wanted = self._wanted, []
        try:
            found = await self._load(keys)
        except Exception as error:  # noqa: BLE001 - handed to every field that waits
            for key in keys:
                self._answers[key].set_exception(error)
            return
        for number, key in enumerate(keys):
            if number % _SLICE == 0 and number > 0:
                await asyncio.sleep(0)  # what waited for the last ones goes on, and then whatever else wants the loop
            self._answers[key].set_result(found.get(key))
