"""What keeps the cluster in order: templates, indices that are begun and removed, how full it is."""

import asyncio
import contextlib
import time
from collections.abc import Sequence

import msgspec

from pilothouse.base.errors import CannotStart, InvalidInput
from pilothouse.telemetry.errors import StoreDown
from pilothouse.telemetry.model import NS_A_SECOND
from pilothouse.telemetry.questions import EnvironmentUsage, Usage
from pilothouse.telemetry.store import RecordSort, Retentions
from pilothouse.telemetry.stores.opensearch.connection import Absent, Connection
from pilothouse.telemetry.stores.opensearch.documents import NS_A_MS
from pilothouse.telemetry.stores.opensearch.searching import Fresh, Grouped, Hits
from pilothouse.telemetry.stores.opensearch.templates import ADDED, SORTS, Json, stream_of, streams_of, template

INDEX_S = 86_400.0
"""An index is followed by another one after so long."""
INDEX_BYTES = 20 * 1024**3
USAGE_S = 4.0
"""How long the cluster may take to tell how full it is."""
_SIZE_PARTS = 8
"""Into so many indices an environment's allowance is cut at least: what is removed is a part of it."""
_ENVIRONMENTS_MAX = 10_000
_MAY_BE_MISSING = {"ignore_unavailable": "true"}
_LISTING = {
    "format": "json",
    "bytes": "b",
    "h": "index,docs.count,store.size,creation.date",
    "expand_wildcards": "all",
}


class _Backing(msgspec.Struct, kw_only=True):
    index_name: str


class _Stream(msgspec.Struct, kw_only=True):
    name: str
    indices: list[_Backing]


class _Streams(msgspec.Struct, kw_only=True):
    data_streams: list[_Stream] = []


class _IndexRow(msgspec.Struct, kw_only=True):
    """One index, as `_cat/indices` tells it."""

    index: str
    docs: str | None = msgspec.field(name="docs.count", default=None)
    size: str | None = msgspec.field(name="store.size", default=None)
    created: str | None = msgspec.field(name="creation.date", default=None)


class _Index(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    records: int
    bytes: int
    created_ms: int


class _Place(msgspec.Struct, kw_only=True):
    at_ns: int
    environment_id: str | None = None


class _Edge(msgspec.Struct, kw_only=True):
    hits: Hits[_Place]


class _Environment(msgspec.Struct, kw_only=True):
    key: str
    doc_count: int
    oldest: _Edge
    newest: _Edge


class _Environments(msgspec.Struct, kw_only=True):
    buckets: list[_Environment] = []


class _ByEnvironment(msgspec.Struct, kw_only=True):
    environments: _Environments


class _Newest(msgspec.Struct, kw_only=True):
    value: float | None = None


class _NewestOfIndex(msgspec.Struct, kw_only=True):
    key: str
    newest: _Newest
    owner: _Edge


class _NewestBuckets(msgspec.Struct, kw_only=True):
    buckets: list[_NewestOfIndex] = []


class _ByIndex(msgspec.Struct, kw_only=True):
    indices: _NewestBuckets


class Upkeep:
    """Looks after the indices of one prefix."""

    def __init__(self, connection: Connection, prefix: str, fresh: Fresh) -> None:
        self._connection, self._prefix, self._fresh = connection, prefix, fresh
        self.removed_early = 0

    async def prepare(self) -> None:
        """Put the templates into the cluster.

        Raises: StoreDown, CannotStart
        """
        for sort in SORTS:
            path = f"/_index_template/{self._prefix}-{sort}"
            try:
                await self._connection.ask("PUT", path, msgspec.Raw, template(self._prefix, sort))
                if sort in ADDED:
                    await self._tell(sort)
            except InvalidInput as error:
                raise CannotStart(
                    f"OpenSearch refuses the template of {sort}: {error.message}",
                    fix="Pilothouse needs OpenSearch 2.15 or newer, and no other template for the same names.",
                ) from None

    async def _tell(self, sort: RecordSort) -> None:
        """Tell the streams that are there of what their template has since they were begun."""
        path = f"/{streams_of(self._prefix, sort)}/_mapping"
        with contextlib.suppress(Absent):  # there is none yet
            await self._connection.ask("PUT", path, msgspec.Raw, {"properties": ADDED[sort]})

    async def retain(self, now_ns: int, retentions: Retentions) -> int:
        """Begin new indices where it is time, and remove those that hold nothing but what is too old, or too much."""
        gone = 0
        for sort in SORTS:
            await self._fresh.of(sort)
            for stream in await self._streams(sort):
                gone += await self._retain_stream(sort, stream, now_ns, retentions)
        return gone

    async def _streams(self, sort: RecordSort) -> Sequence[_Stream]:
        try:
            path = f"/_data_stream/{streams_of(self._prefix, sort)}"
            return (await self._connection.ask("GET", path, _Streams)).data_streams
        except Absent:
            return []

    async def _retain_stream(self, sort: RecordSort, stream: _Stream, now_ns: int, retentions: Retentions) -> int:
        indices = await self._indices(stream)
        newest_ns, environment_id = await self._newest(stream)
        kept = retentions.of(sort, environment_id)
        cutoff_ns = now_ns - int(kept.age_s * NS_A_SECOND)
        last = indices[-1] if indices else None
        if last is not None and last.records and self._is_full(last, newest_ns, cutoff_ns, kept.size_bytes):
            await self._roll(stream)
            old = indices
        else:
            old = indices[:-1]
        gone = 0
        total = sum(index.bytes for index in indices)
        for index in old:
            too_old = newest_ns.get(index.name, 0) < cutoff_ns
            too_much = kept.size_bytes is not None and total > kept.size_bytes
            if too_old or too_much:
                await self._remove(index)
                total -= index.bytes
                gone += index.records > 0
                self.removed_early += too_much and not too_old
        return gone

    def _is_full(self, index: _Index, newest_ns: dict[str, int], cutoff_ns: int, size_bytes: int | None) -> bool:
        bytes_max = INDEX_BYTES if size_bytes is None else min(INDEX_BYTES, size_bytes // _SIZE_PARTS)
        return (
            newest_ns.get(index.name, 0) < cutoff_ns
            or index.bytes > bytes_max
            or time.time() - index.created_ms / 1_000 > INDEX_S
        )

    async def _indices(self, stream: _Stream) -> list[_Index]:
        rows = {
            row.index: row
            for row in await self._connection.ask(
                "GET",
                f"/_cat/indices/{stream.name}",
                list[_IndexRow],
                parameters=_LISTING,
            )
        }
        found = [(one.index_name, rows.get(one.index_name)) for one in stream.indices]
        return [
            _Index(
                name=name,
                records=int(row.docs or 0),
                bytes=int(row.size or 0),
                created_ms=int(row.created or 0),
            )
            for name, row in found
            if row is not None
        ]

    async def _newest(self, stream: _Stream) -> tuple[dict[str, int], str | None]:
        """Tell the newest time in each index, to the whole ms above, and whose the stream is."""
        owner: Json = {"top_hits": {"size": 1, "_source": ["at_ns", "environment_id"]}}
        body: Json = {
            "size": 0,
            "aggs": {
                "indices": {
                    "terms": {"field": "_index", "size": len(stream.indices) + 1},
                    "aggs": {"newest": {"max": {"field": "@timestamp"}}, "owner": owner},
                }
            },
        }
        answer = await self._connection.ask("POST", f"/{stream.name}/_search", Grouped[_ByIndex], body)
        rows = answer.aggregations.indices.buckets if answer.aggregations else []
        owners = [hit.source.environment_id for row in rows for hit in row.owner.hits.hits]
        newest = {row.key: (int(row.newest.value) + 1) * NS_A_MS for row in rows if row.newest.value is not None}
        return newest, owners[0] if owners else None

    async def _roll(self, stream: _Stream) -> None:
        path = f"/{stream.name}/_rollover"
        await self._connection.ask("POST", path, msgspec.Raw, {"conditions": {"max_docs": 1}})

    async def _remove(self, index: _Index) -> None:
        try:
            await self._connection.ask("DELETE", f"/{index.name}", msgspec.Raw)
        except Absent:
            return  # another control plane was first

    async def usage(self) -> Usage:
        """Tell how full it is.

        Raises: StoreDown; soon, because whoever asks wants to know how it does
        """
        try:
            async with asyncio.timeout(USAGE_S):
                return await self._usage()
        except TimeoutError:
            raise StoreDown(
                f"OpenSearch did not answer within {USAGE_S:g} s.", fix="See whether the cluster is overloaded."
            ) from None

    async def _usage(self) -> Usage:
        parts: list[EnvironmentUsage] = []
        total = 0
        for sort in SORTS:
            await self._fresh.of(sort)
            sizes = {
                stream.name: sum(index.bytes for index in await self._indices(stream))
                for stream in await self._streams(sort)
            }
            total += sum(sizes.values())
            parts += [
                _part(sort, one, sizes.get(stream_of(self._prefix, sort, one.key or None), 0))
                for one in await self._environments(sort)
            ]
        return Usage(
            bytes_on_disk=total,
            budget_bytes=0,
            memory_bytes=0,
            waiting_bytes=0,
            removed_early=self.removed_early,
            restarts=0,
            parts=parts,
        )

    async def _environments(self, sort: RecordSort) -> Sequence[_Environment]:
        def edge(order: str) -> Json:
            return {"top_hits": {"size": 1, "sort": [{"at_ns": order}], "_source": ["at_ns"]}}

        body: Json = {
            "size": 0,
            "aggs": {
                "environments": {
                    "terms": {"field": "environment_id", "missing": "", "size": _ENVIRONMENTS_MAX},
                    "aggs": {"oldest": edge("asc"), "newest": edge("desc")},
                }
            },
        }
        path = f"/{streams_of(self._prefix, sort)}/_search"
        try:
            answer = await self._connection.ask("POST", path, Grouped[_ByEnvironment], body, parameters=_MAY_BE_MISSING)
        except Absent as error:
            raise StoreDown(error.message) from None
        return answer.aggregations.environments.buckets if answer.aggregations else []


def _part(sort: RecordSort, found: _Environment, bytes_: int) -> EnvironmentUsage:
    oldest, newest = (
        edge.hits.hits[0].source.at_ns if edge.hits.hits else None for edge in (found.oldest, found.newest)
    )
    return EnvironmentUsage(
        sort=sort,
        environment_id=found.key or None,
        bytes_on_disk=bytes_,
        records=found.doc_count,
        oldest_ns=oldest,
        newest_ns=newest,
    )
