"""Searches, with everything acknowledged in their answer."""

import asyncio
from typing import Generic, TypeVar

import msgspec

from pilothouse.telemetry.questions import Scope
from pilothouse.telemetry.store import RecordSort
from pilothouse.telemetry.stores.opensearch.connection import Connection
from pilothouse.telemetry.stores.opensearch.templates import Json, stream_of, streams_of

D = TypeVar("D")
T = TypeVar("T")
_ENVIRONMENTS_NAMED_MAX = 20
_REFRESH = {"ignore_unavailable": "true", "filter_path": "_shards.failed"}


class Hit(msgspec.Struct, Generic[D], kw_only=True):
    """One document found."""

    source: D = msgspec.field(name="_source")


class Hits(msgspec.Struct, Generic[D], kw_only=True):
    """Documents found."""

    hits: list[Hit[D]] = []


class Found(msgspec.Struct, Generic[D], kw_only=True):
    """An answer with documents."""

    hits: Hits[D]


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """How many there are."""

    value: int = 0


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an answer that counts."""

    total: Total = Total()


class Counted(msgspec.Struct, kw_only=True):
    """An answer with a count."""

    hits: Totals = Totals()


class CountedHits(msgspec.Struct, Generic[D], kw_only=True):
    """Documents found, and how many there are."""

    total: Total = Total()
    hits: list[Hit[D]] = []


class FoundOf(msgspec.Struct, Generic[D], kw_only=True):
    """An answer with the first documents and the number of all."""

    hits: CountedHits[D]


class Grouped(msgspec.Struct, Generic[D], kw_only=True):
    """An answer with figures; none where there is no index yet."""

    aggregations: D | None = None


class Fresh:
    """Makes what was acknowledged findable before a question is asked.

    Waiting for that at each write would hold it up by the whole interval of refreshes, and refreshing at each write would
    make it slow; a refresh that has nothing to do takes a millisecond. One runs at a time, and who asks meanwhile shares
    the next.
    """

    def __init__(self, connection: Connection, prefix: str) -> None:
        self._connection, self._prefix = connection, prefix
        self._running: dict[str, asyncio.Task[None]] = {}
        self._next: dict[str, asyncio.Task[None]] = {}

    async def of(self, sort: RecordSort) -> None:
        """Come back when everything that was acknowledged before can be found."""
        task = self._next.get(sort)
        if task is None:
            task = asyncio.create_task(self._after(self._running.get(sort), sort))
            task.add_done_callback(_looked_at)
            self._next[sort] = task
        await asyncio.shield(task)

    async def _after(self, before: "asyncio.Task[None] | None", sort: RecordSort) -> None:
        if before is not None:
            await asyncio.wait([before])
        self._running[sort] = self._next.pop(sort)
        path = f"/{streams_of(self._prefix, sort)}/_refresh"
        await self._connection.ask("POST", path, msgspec.Raw, parameters=_REFRESH)

    async def close(self) -> None:
        """Let what runs end."""
        tasks = [*self._running.values(), *self._next.values()]
        await asyncio.gather(*tasks, return_exceptions=True)


class Search:
    """Asks one sort of records."""

    def __init__(self, connection: Connection, prefix: str, fresh: Fresh) -> None:
        self.connection, self.prefix, self.fresh = connection, prefix, fresh

    def streams(self, sort: RecordSort, scope: Scope | None) -> str:
        """Name the data streams that can have what a scope asks for."""
        if scope is None or not 0 < len(scope.environment_ids) <= _ENVIRONMENTS_NAMED_MAX:
            return streams_of(self.prefix, sort)
        return ",".join(stream_of(self.prefix, sort, one) for one in dict.fromkeys(scope.environment_ids))

    async def ask(self, sort: RecordSort, type_: type[T], body: Json, *, scope: Scope | None, timeout_s: float) -> T:
        """Ask once; the cluster gives up when we do."""
        path = f"/{self.streams(sort, scope)}/_search"
        limit = {"cancel_after_time_interval": f"{max(1, int(timeout_s * 1_000))}ms"} if timeout_s > 0 else {}
        return await self.connection.ask(
            "POST",
            path,
            type_,
            body,
            timeout_s=timeout_s + 1,
            parameters={"ignore_unavailable": "true", "allow_partial_search_results": "false", **limit},
        )


def filtered(conditions: list[Json]) -> Json:
    """Write conditions that all must hold, without scores."""
    return {"bool": {"filter": conditions}}


def _looked_at(task: "asyncio.Task[None]") -> None:
    """Look at a failure that everybody who waited for it may have left alone."""
    if not task.cancelled():
        task.exception()
