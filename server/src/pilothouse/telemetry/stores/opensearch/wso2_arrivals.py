"""Lines that arrive in WSO2's indices, for those who follow.

Nothing there says when a line arrived, but each shard counts what is written to it. What a shard has counted since the last
look is new; it is given a number of ours at the moment at which it is seen, and held for a while for those who are
a moment behind. So the order within a shard is the one in which lines arrived, and between shards it is the one of the looks.
What came while nobody in this process followed has no number, and is found by its time alone.
"""

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterator, Sequence

import msgspec

from pilothouse.base.errors import PilothouseError
from pilothouse.telemetry.errors import StoreDown
from pilothouse.telemetry.model import LogLine, Position
from pilothouse.telemetry.stores.opensearch.connection import Absent, Connection
from pilothouse.telemetry.stores.opensearch.documents import NS_A_MS
from pilothouse.telemetry.stores.opensearch.numbers import COUNT_BITS, Numbers
from pilothouse.telemetry.stores.opensearch.searching import filtered
from pilothouse.telemetry.stores.opensearch.templates import Json
from pilothouse.telemetry.stores.opensearch.wso2_documents import LOGS, MAY_BE_MISSING, Found, Hit, Origins, line_of

HELD_MAX = 20_000
"""Lines that are held; the oldest go first."""
LOOK_S = 0.5
"""Between two looks."""
FORGOTTEN_S = 60.0
"""When nobody asked for so long, what came meanwhile is not looked for."""
_PAGE = 1_000
BEHIND_MAX = 50_000
"""Documents of a shard that are read one by one; who is further behind goes on at the end, and it is logged."""
_LOG = logging.getLogger(__name__)
_STATS = {
    **MAY_BE_MISSING,
    "level": "shards",
    "filter_path": "indices.*.shards.*.routing.primary,indices.*.shards.*.seq_no",
}
Clock = Callable[[str], Awaitable[str]]
"""Names the field with the time of an index' documents."""
Shard = tuple[str, str, str]
"""Name and identity of an index, and which of its shards."""


class _Routing(msgspec.Struct, kw_only=True):
    primary: bool = False


class _Counted(msgspec.Struct, kw_only=True):
    local_checkpoint: int = -1


class _Copy(msgspec.Struct, kw_only=True):
    routing: _Routing
    counted: _Counted = msgspec.field(name="seq_no", default_factory=_Counted)


class _Index(msgspec.Struct, kw_only=True):
    uuid: str = ""
    shards: dict[str, list[_Copy]] = {}


class _Stats(msgspec.Struct, kw_only=True):
    indices: dict[str, _Index] = {}


class ForeignArrivals:
    """Sees what is new in indices that others write. What is held is bounded by HELD_MAX lines; the oldest are dropped."""

    def __init__(self, connection: Connection, numbers: Numbers, origins: Origins, clock_of: Clock) -> None:
        self._connection, self._numbers, self._origins, self._clock_of = connection, numbers, origins, clock_of
        self._seen_until: dict[Shard, int] = {}
        self._held: deque[tuple[LogLine, Position]] = deque(maxlen=HELD_MAX)
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._looked_s = float("-inf")
        self._looking = asyncio.Lock()
        self._is_refused = False

    async def look(self) -> None:
        """See what is new, unless somebody has just looked.

        Raises: StoreDown, StoreBusy
        """
        async with self._looking:
            now_s = time.monotonic()
            if now_s - self._looked_s < LOOK_S:
                return
            if now_s - self._looked_s > FORGOTTEN_S:
                self._seen_until.clear()
                self._held.clear()
            is_first = not self._seen_until
            there = await self._counted()
            if there is None:
                return
            if is_first:
                self._seen_until = there or {("", "", ""): 0}
            elif any(until > self._seen_until.get(shard, -1) for shard, until in there.items()):
                await self._read_on(there)
            self._looked_s = time.monotonic()

    def after(self, after: int, until: int) -> Iterator[LogLine]:
        """List what arrived between two numbers, by number."""
        return (line for line, _ in self._held if after < line.number <= until)

    def place_of(self, at: Position) -> Position:
        """Find the place in the list by time of a line that was followed; of others it is what it was."""
        return next((place for line, place in self._held if line.position == at), at)

    async def _counted(self) -> dict[Shard, int] | None:
        """Tell of each shard up to where all that it counted is written; None when the cluster does not tell."""
        try:
            told = await self._connection.ask("GET", f"/{LOGS}/_stats/docs", _Stats, parameters=_STATS)
        except Absent:
            return {}
        except StoreDown as error:
            self._say(error)
            return None
        return {
            (name, index.uuid, number): copy.counted.local_checkpoint
            for name, index in told.indices.items()
            for number, copies in index.shards.items()
            for copy in copies
            if copy.routing.primary
        }

    async def _read_on(self, there: dict[Shard, int]) -> None:
        grown = {shard: until for shard, until in there.items() if until > self._seen_until.get(shard, -1)}
        # What was counted before is found after this; without it lines would be missed for good.
        names = ",".join(sorted({name for name, _, _ in grown}))
        try:
            await self._connection.ask("POST", f"/{names}/_refresh", msgspec.Raw, parameters=MAY_BE_MISSING)
        except PilothouseError as error:
            self._say(error)
            return
        for shard, until in sorted(grown.items()):
            await self._read_shard(shard, until)

    async def _read_shard(self, shard: Shard, until: int) -> None:
        after = self._seen_until.get(shard, -1)
        if until - after > BEHIND_MAX:
            _LOG.warning(
                "A live tail leaves out %d documents of %s: more come than can be followed.", until - after, shard[0]
            )
            after = until
        clock = await self._clock_of(shard[0])
        full = True
        while full and after < until:
            hits = await self._hits(shard, clock, after, until)
            self._number([hit for hit in hits if self._is_new(hit)], clock)
            full = len(hits) == _PAGE
            after = hits[-1].sort[0] if full else until
            self._seen_until[shard] = after
        self._seen_until[shard] = after

    async def _hits(self, shard: Shard, clock: str, after: int, until: int) -> Sequence[Hit]:
        body: Json = {
            "size": _PAGE,
            "track_total_hits": False,
            "query": filtered([{"range": {"_seq_no": {"gt": after, "lte": until}}}]),
            "sort": [{"_seq_no": "asc"}],
            "docvalue_fields": [{"field": each, "format": "epoch_millis"} for each in {clock, "@timestamp"}],
        }
        name, _, number = shard
        parameters = {**MAY_BE_MISSING, "preference": f"_shards:{number}|_primary"}
        return (await self._connection.ask("POST", f"/{name}/_search", Found, body, parameters=parameters)).hits.hits

    def _is_new(self, hit: Hit) -> bool:
        """Tell whether a document was not seen: one that its sender sent again is counted again by its shard."""
        name = hit.index, hit.id
        if name in self._known:
            return False
        self._known[name] = None
        if len(self._known) > HELD_MAX:
            self._known.popitem(last=False)
        return True

    def _number(self, hits: Sequence[Hit], clock: str) -> None:
        for begin in range(0, len(hits), 1 << COUNT_BITS):
            part = hits[begin : begin + (1 << COUNT_BITS)]
            numbers = self._numbers.begin(len(part))
            for hit, number in zip(part, numbers, strict=True):
                line = self._line(hit, clock)
                self._held.append((msgspec.structs.replace(line, number=number), line.position))
            self._numbers.end(numbers)

    def _line(self, hit: Hit, clock: str) -> LogLine:
        used = clock if hit.fields.get(clock) else "@timestamp"
        told_ms = hit.fields.get(used)
        at_ms = int(told_ms[0].partition(".")[0]) if told_ms else time.time_ns() // NS_A_MS
        return line_of(hit, used, self._origins, at_ms)

    def _say(self, error: PilothouseError) -> None:
        """Log once that these indices cannot be followed."""
        if not self._is_refused:
            self._is_refused = True
            _LOG.warning("Live tails show nothing of WSO2's indices: %s %s", error.message, error.fix)
