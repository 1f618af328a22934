"""A live tail of lines that others write into WSO2's indices, with a real OpenSearch."""

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from conftest_stores import client_of, corner
from opensearch_server import RunningOpenSearch
from pilothouse.access.places import EVERYTHING, Place, Reach
from pilothouse.telemetry.following import Tail, tails_of
from pilothouse.telemetry.model import Level, LogBatch, LogRecord, Origin
from pilothouse.telemetry.questions import ArrivalQuestion, LogFilter, Scope
from pilothouse.telemetry.stores.opensearch.client import OpenSearchStore

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.xdist_group("opensearch"), pytest.mark.timeout(900)]
ALL = Scope.within(EVERYTHING)
ORDERS = Origin(project_id="shop", integration_id="orders", environment_id="prod", runtime_id="r-1")
BILLS = Origin(project_id="money", integration_id="bills", environment_id="prod", runtime_id="r-2")
MAPPED = {
    "time": {"type": "date"},
    "@timestamp": {"type": "date"},
    "level": {"type": "keyword"},
    "icp_runtimeId": {"type": "keyword"},
    "message": {"type": "text"},
}


def owner(runtime_id: str) -> Origin:
    return {"r-1": ORDERS, "r-2": BILLS}.get(runtime_id, Origin(runtime_id=runtime_id))


class Others:
    """Fluent Bit, as far as the cluster sees it."""

    def __init__(self, client: Any, suffix: str) -> None:  # Any: an HTTP client
        self.client, self.suffix = client, suffix
        self.made: set[str] = set()

    async def say(self, kind: str, *messages: str, day: str = "", runtime: str = "r-1", level: str = "INFO") -> None:
        name = f"{kind}-application-logs-{self.suffix}{day}"
        if name not in self.made:
            body = {"settings": {"number_of_shards": 2}, "mappings": {"properties": MAPPED}}
            (await self.client.put(f"/{name}", json=body)).raise_for_status()
            self.made.add(name)
        body = b""
        for number, message in enumerate(messages):
            at = f"2026-03-31T23:34:{59 - number % 50:02d}.000Z"  # as if the last came first: time tells no arrival
            document = {"@timestamp": at, "message": message, "icp_runtimeId": runtime, "level": level}
            # All of one index in one of its shards: there the order is known.
            body += msgspec.json.encode({"index": {"_id": f"{name}-{message}", "routing": "one"}}) + b"\n"
            body += msgspec.json.encode(document if kind == "mi" else {**document, "time": at}) + b"\n"
        answer = await self.client.post(
            f"/{name}/_bulk", content=body, headers={"content-type": "application/x-ndjson"}
        )
        assert not answer.raise_for_status().json()["errors"], answer.text


@pytest.fixture
async def others(opensearch: RunningOpenSearch):
    async with client_of(opensearch) as client:
        made = Others(client, secrets.token_hex(4))
        yield made
        for name in made.made:
            await client.delete(f"/{name}")


@pytest.fixture
async def store(opensearch: RunningOpenSearch):
    async with corner(opensearch, wso2=True) as settings:
        opened = await OpenSearchStore.open(settings, owner)
        yield opened
        await opened.close()


async def followed(tail: Tail, how_many: int) -> list[str]:
    lines: list[str] = []
    async with asyncio.timeout(60):
        while len(lines) < how_many:
            part = await tail.take(1.0)
            assert part.skipped == 0
            lines += [line.record.message for line in part.lines]
    return lines


def of(lines: Sequence[str], begin: str) -> list[str]:
    return [line for line in lines if line.startswith(begin)]


async def test_what_others_write_is_followed_once_and_in_the_order_of_each_index(store, others) -> None:
    await others.say("ballerina", *(f"old {n}" for n in range(20)))
    tails = tails_of(store)
    tail = await tails.open(ALL, LogFilter())
    quick = await tails.open(Scope.within(Reach([Place(project_id="money")])), LogFilter(levels=(Level.ERROR,)))
    assert (await tail.take(0)).lines == []
    await quick.take(0)
    for turn in range(3):
        await others.say("ballerina", *(f"bi {turn}{n}" for n in range(10)))
        await others.say("mi", *(f"mi {turn}{n}" for n in range(10)), runtime="r-2", level="ERROR")
        await store.append_logs([LogBatch(ORDERS, [LogRecord(at_ns=1, message=f"own {turn}")])])
        await asyncio.sleep(0.3)
    lines = await followed(tail, 63)
    await others.say("ballerina", "bi 25", "bi 26")  # sent again: the sender heard nothing of it
    await others.say("ballerina", "bi 30", day=".next-day")
    lines += await followed(tail, 1)
    assert of(lines, "bi") == [*(f"bi {turn}{n}" for turn in range(3) for n in range(10)), "bi 30"]
    assert of(lines, "mi") == [f"mi {turn}{n}" for turn in range(3) for n in range(10)]
    assert of(lines, "own") == ["own 0", "own 1", "own 2"]
    assert of(await followed(quick, 30), "mi") == of(lines, "mi")
    later = await tail.take(1.5)
    assert (later.lines, later.skipped) == ([], 0)
    for one in (tail, quick):
        one.close()


async def test_who_comes_again_goes_on_where_it_was_and_can_look_around_a_line(store, others) -> None:
    await others.say("mi", "old")
    begin = await tails_of(store).newest()
    await others.say("mi", *(f"m{n}" for n in range(30)), runtime="r-2")
    seen: list[str] = []
    after, last = begin, None
    async with asyncio.timeout(60):
        while len(seen) < 30:
            arrived = await store.arrivals(ArrivalQuestion(scope=ALL, after=after, limit=7))
            seen += [line.record.message for line in arrived.lines]
            after, last = arrived.looked_until, (arrived.lines or [last])[-1]
            await asyncio.sleep(0.05)
    assert seen == [f"m{n}" for n in range(30)]
    assert last is not None
    around = await store.context(ALL, last.position, before=2, after=2)
    assert (around.line.record.message, around.line.origin) == ("m29", BILLS)
    assert len(around.before) + len(around.after) >= 2


async def test_a_control_plane_that_starts_again_tells_nothing_of_what_was_before(
    opensearch: RunningOpenSearch,
) -> None:
    async with corner(opensearch) as settings:
        store = await OpenSearchStore.open(settings)
        await store.append_logs([LogBatch(ORDERS, [LogRecord(at_ns=n, message=f"old {n}") for n in range(50)])])
        known = (await store.arrivals(ArrivalQuestion(scope=ALL, after=-1, limit=100))).looked_until
        await store.close()
        again = await OpenSearchStore.open(settings)
        newest = await tails_of(again).newest()
        tail = await tails_of(again).open(ALL, LogFilter())
        assert (await tail.take(0)).lines == []
        await again.append_logs([LogBatch(ORDERS, [LogRecord(at_ns=1, message="new")])])
        assert await followed(tail, 1) == ["new"]
        tail.close()
        resumed = await tails_of(again).open(ALL, LogFilter(), after=known)
        assert await followed(resumed, 1) == ["new"]
        assert newest > known
        resumed.close()
        await asyncio.sleep(1.0)  # who followed asks no more
        await again.close()
