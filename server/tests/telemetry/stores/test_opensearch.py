"""What the OpenSearch store keeps beyond the contract."""

import asyncio
import contextlib
import copy
import re
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from conftest_stores import client_of, corner
from hypothesis import given
from hypothesis import strategies as st
from opensearch_server import RunningOpenSearch
from pilothouse.access.places import EVERYTHING, Place, Reach
from pilothouse.base.errors import CannotStart, StorageFull
from pilothouse.telemetry.errors import StoreBusy, StoreDown
from pilothouse.telemetry.model import NS_A_SECOND, Level, LogBatch, LogRecord, Origin, SpanBatch, SpanKind, SpanRecord
from pilothouse.telemetry.questions import (
    ArrivalQuestion,
    Dimension,
    LogFilter,
    LogQuestion,
    MetricQuestion,
    Scope,
    TraceFilter,
    TraceQuestion,
)
from pilothouse.telemetry.store import Retention, Retentions
from pilothouse.telemetry.stores.opensearch import connection as opensearch_connection
from pilothouse.telemetry.stores.opensearch.client import OpenSearchStore
from pilothouse.telemetry.stores.opensearch.connection import Connection, failure
from pilothouse.telemetry.stores.opensearch.regex import literals
from pilothouse.telemetry.stores.opensearch.settings import OpenSearchSettings, read_urls
from pilothouse.telemetry.stores.opensearch.templates import SORTS, Json, policy, stream_of, template

pytestmark = pytest.mark.anyio
REAL = [pytest.mark.slow, pytest.mark.xdist_group("opensearch"), pytest.mark.timeout(900)]
DEPLOY = Path(__file__).parents[4] / "deploy" / "opensearch"
ALL = Scope.within(EVERYTHING)
ORDERS = Origin(project_id="shop", integration_id="orders", environment_id="prod", runtime_id="r-1", runtime_key=1)
T0_MS = 1_775_000_040_000


def real(test):
    for mark in REAL:
        test = mark(test)
    return test


# Without a server


@pytest.mark.parametrize(
    ("regex", "expected"),
    [
        (r"ord-[0-9a-f]{5}\b", ["ord-"]),
        ("took order|nothing", []),
        ("abcd?efgh", ["abc", "efgh"]),
        ("abc(x|y)+def", ["abc", "def"]),
        (r"a\.b\.c", ["a.b.c"]),
        ("(?i)hello", []),
        ("abc[[:alpha:]]def", []),
        (r"\Qabc\E", []),
        ("abc{2,3}def", ["def"]),
        ("abc+", ["abc"]),
    ],
)
def test_what_an_expression_needs_is_found(regex, expected):
    assert literals(regex) == expected


PART = st.sampled_from(["abc", "d", r"\d", ".", "[xy]", "(ab|cd)", "(?:efg)", r"\.", " ", "order", r"\b", "-"])


@given(
    st.lists(st.tuples(PART, st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{0,1}"])), min_size=1, max_size=8),
    st.text("abcdefgxy0123. order-", max_size=60),
)
def test_what_matches_has_all_that_the_expression_needs(parts, text):
    regex = "".join(part + count for part, count in parts if not (part == r"\b" and count))
    if re.search(regex, text):
        assert all(literal in text for literal in literals(regex))


@pytest.mark.parametrize(
    ("status", "kind", "reason", "expected"),
    [
        (429, "circuit_breaking_exception", "too much", StoreBusy),
        (503, "", "", StoreDown),
        (401, "", "", StoreDown),
        (429, "cluster_block_exception", "disk usage exceeded flood-stage watermark", StorageFull),
    ],
)
def test_the_clusters_failures_are_said_in_our_words(status, kind, reason, expected):
    assert type(failure(status, kind, reason)) is expected


@pytest.mark.parametrize("told", ["", "search:9200", "ftp://x", "https://user:secret@x"])
def test_a_wrong_address_keeps_it_from_starting(told):
    with pytest.raises(CannotStart):
        read_urls(told)


@pytest.mark.parametrize("sort", SORTS)
def test_the_shipped_files_are_what_the_store_puts_there(sort):
    days = {"logs": 14, "metrics": 90, "spans": 7}
    assert msgspec.json.decode((DEPLOY / f"template-{sort}.json").read_bytes()) == template("pilothouse", sort)
    shipped = msgspec.json.decode((DEPLOY / f"ism-policy-{sort}.json").read_bytes())
    assert shipped == policy("pilothouse", sort, age_days=days[sort])


def test_environments_whose_ids_cannot_be_names_do_not_meet():
    ids = [None, "prod", "Prod", "../..", "unclaimed", "é", "a" * 200]
    names = {stream_of("pilothouse", "logs", one) for one in ids}
    assert len(names) == len(ids)
    assert all(re.fullmatch(r"pilothouse-logs-[a-z0-9~._-]{1,100}", name) for name in names)


async def test_nodes_that_are_away_are_hung_up_too():
    connection = Connection(OpenSearchSettings(urls=("http://127.0.0.1:1", "http://127.0.0.1:2")))
    with pytest.raises(StoreDown, match="reached"):
        await connection.ask("GET", "/", object)
    nodes = connection._client.transport.connection_pool.orig_connections
    sessions = [node.session for node in nodes if node.session is not None]
    assert len(sessions) == 2
    await connection.close()
    assert [session.closed for session in sessions] == [True, True]


class Slow:
    """A node that answers when it is told to, or never."""

    def __init__(self, *, answers: bool) -> None:
        self._answers = answers
        self.asked, self.may_answer, self.left = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.url = ""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Slow"]:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield self

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked.set()
        if self._answers:
            await self.may_answer.wait()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n7")
            await writer.drain()
        await reader.read(1)
        self.left.set()
        writer.close()


async def test_closing_waits_for_what_is_under_way():
    async with Slow(answers=True).running() as node:
        connection = Connection(OpenSearchSettings(urls=(node.url,)))
        asking = asyncio.create_task(connection.ask("GET", "/", int))
        await node.asked.wait()
        settling = asyncio.create_task(connection.settle())
        await asyncio.sleep(0)
        assert not settling.done()
        node.may_answer.set()
        await settling
        assert await asking == 7
        await connection.close()
        with pytest.raises(StoreDown, match="stops"):
            await connection.ask("GET", "/", int)


async def test_what_does_not_end_in_time_is_given_up_and_says_so(monkeypatch, caplog):
    monkeypatch.setattr(opensearch_connection, "CLOSE_S", 0.05)
    async with Slow(answers=False).running() as node:
        connection = Connection(OpenSearchSettings(urls=(node.url,)))
        asking = asyncio.create_task(connection.ask("GET", "/", int, timeout_s=600))
        await node.asked.wait()
        await connection.settle()
        assert not asking.done()
        await connection.close()
        assert asking.done()
        with pytest.raises(StoreDown, match="stops"):
            await asking
        async with asyncio.timeout(30):
            await node.left.wait()
        assert caplog.records == []


async def test_who_gives_up_asking_is_not_told_anything_else():
    async with Slow(answers=False).running() as node:
        connection = Connection(OpenSearchSettings(urls=(node.url,)))
        asking = asyncio.create_task(connection.ask("GET", "/", int, timeout_s=600))
        await node.asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await connection.settle()
        await connection.close()


# With the real server


def said(at: int, message: str) -> LogBatch:
    return LogBatch(ORDERS, [LogRecord(at_ns=T0_MS * 1_000_000 + at, message=message)])


@real
async def test_two_control_planes_write_at_once_and_give_no_number_twice(opensearch: RunningOpenSearch):
    async with corner(opensearch) as settings:
        one, other = await OpenSearchStore.open(settings), await OpenSearchStore.open(settings)
        for at in range(5):
            await one.append_logs([said(at, f"one {at}")])
            await other.append_logs([said(at, f"other {at}")])
            # What the other one acknowledged is in the next answer too.
            page = await one.logs(LogQuestion(scope=ALL, newest_first=False))
            assert len({line.number for line in page.lines}) == len(page.lines) == 2 * (at + 1)
        await one.close()
        await other.close()


BEFORE: Json = {
    "settings": {
        "analysis": {
            "char_filter": {"pad": {"type": "pattern_replace", "pattern": r"(?s)\z", "replacement": "\x03\x03"}},
            "tokenizer": {
                "three": {"type": "ngram", "min_gram": 3, "max_gram": 3},
                "word": {"type": "simple_pattern", "pattern": "[A-Za-z0-9_\\-]+"},
            },
            "analyzer": {
                "grams": {"type": "custom", "tokenizer": "three", "char_filter": ["pad"]},
                "asked": {"type": "custom", "tokenizer": "three"},
                "words": {"type": "custom", "tokenizer": "word"},
            },
        }
    },
    "message": {
        "type": "text",
        "analyzer": "words",
        "norms": False,
        "index_options": "docs",
        "fields": {"grams": {"type": "text", "analyzer": "grams", "search_analyzer": "asked", "norms": False}},
    },
}
"""How version 1 of the template indexed messages."""


@real
async def test_lines_in_indices_of_the_template_before_are_found_with_the_others(opensearch: RunningOpenSearch):
    async with corner(opensearch) as settings, client_of(opensearch) as client:
        prefix = settings.prefix
        store = await OpenSearchStore.open(settings)
        made = copy.deepcopy(template(prefix, "logs"))
        made["version"] = 1
        made["template"]["settings"]["index"].pop("analysis")
        made["template"]["settings"] |= BEFORE["settings"]
        fields = made["template"]["mappings"]["properties"]
        fields.pop("overlong")
        fields["message"] = BEFORE["message"]
        (await client.put(f"/_index_template/{prefix}-logs", json=made)).raise_for_status()
        await store.append_logs([said(1, "took order ord-77aab, Customer 7"), said(2, "else")])
        await store.close()
        store = await OpenSearchStore.open(settings)
        (await client.post(f"/{prefix}-logs-env-prod/_rollover")).raise_for_status()
        await store.append_logs([said(3, "took order ord-77aab, Customer 8"), said(4, "else")])
        for wanted in (
            LogFilter(phrase="k order ord-77"),
            LogFilter(phrase="der"),
            LogFilter(phrase="CUSTOMER", ignore_case=True),
            LogFilter(phrase="RD-77AAB, c", ignore_case=True),
            LogFilter(token="ord-77aab"),
            LogFilter(token="ord-77aab, Customer"),
            LogFilter(regex="order .*Customer [78]"),
        ):
            page = await store.logs(LogQuestion(scope=ALL, filter=wanted))
            assert [line.record.message[-1] for line in page.lines] == ["8", "7"], wanted
            assert await store.count_logs(ALL, wanted) == 2
        await store.close()


@real
async def test_streams_from_before_learn_of_what_the_template_has_since(opensearch: RunningOpenSearch):
    async with corner(opensearch) as settings, client_of(opensearch) as client:
        store = await OpenSearchStore.open(settings)
        made = copy.deepcopy(template(settings.prefix, "spans"))
        made["template"]["mappings"]["properties"].pop("status")
        (await client.put(f"/_index_template/{settings.prefix}-spans", json=made)).raise_for_status()

        def answered(at: int) -> SpanBatch:
            own = {"trace_id": f"{at:032x}", "span_id": f"{at:016x}", "attributes": {"http.status_code": 500}}
            return SpanBatch(
                ORDERS, [SpanRecord(at_ns=T0_MS * 1_000_000 + at, duration_ns=1, kind=SpanKind.SERVER, **own)]
            )

        await store.append_spans([answered(1)])
        await store.close()
        store = await OpenSearchStore.open(settings)
        await store.append_spans([answered(2)])
        page = await store.traces(TraceQuestion(scope=ALL, filter=TraceFilter(codes=("500",))))
        assert [int(one.trace_id, 16) for one in page.traces] == [2]
        assert len((await store.traces(TraceQuestion(scope=ALL))).traces) == 2
        await store.close()


@real
async def test_too_much_of_an_environment_goes_oldest_first(opensearch: RunningOpenSearch):
    async with corner(opensearch) as settings:
        store = await OpenSearchStore.open(settings)
        small = Retentions(by_sort=dict.fromkeys(SORTS, Retention(age_s=1e9, size_bytes=20_000)))
        for at in range(4):
            await store.append_logs([said(at, f"m{at} " + "x" * 3_000)])
            await store.retain(T0_MS * 1_000_000, small)
        left = [
            line.record.message[:2] for line in (await store.logs(LogQuestion(scope=ALL, newest_first=False))).lines
        ]
        assert left == ["m0", "m1", "m2", "m3"][-len(left) :]
        assert len(left) < 4
        assert (await store.usage()).removed_early == 4 - len(left)
        await store.close()


@real
async def test_an_append_of_which_a_part_cannot_be_kept_leaves_nothing(opensearch: RunningOpenSearch):
    async with corner(opensearch) as settings:
        store = await OpenSearchStore.open(settings)
        wrong = LogBatch(ORDERS, [LogRecord(at_ns=2**70, message="beyond all time")])
        with pytest.raises(Exception, match="OpenSearch"):
            await store.append_logs([said(1, "good"), wrong])
        assert await store.count_logs(ALL, LogFilter()) == 0
        await store.append_logs([said(1, "good")])
        assert await store.count_logs(ALL, LogFilter()) == 1
        await store.close()


@real
async def test_a_certificate_that_nobody_vouches_for_is_not_believed(opensearch: RunningOpenSearch):
    async with corner(opensearch, ca_file=None) as settings:
        with pytest.raises(StoreDown, match="certificate"):
            await OpenSearchStore.open(settings)
        store = await OpenSearchStore.open(msgspec.structs.replace(settings, insecure=True))
        await store.close()


@real
async def test_a_wrong_password_and_a_node_that_is_away_are_told_apart(opensearch: RunningOpenSearch):
    async with corner(opensearch) as settings:
        with pytest.raises(StoreDown, match="refuses"):
            await OpenSearchStore.open(msgspec.structs.replace(settings, password="another"))
        with pytest.raises(StoreDown, match="reached"):
            await OpenSearchStore.open(msgspec.structs.replace(settings, urls=("https://127.0.0.1:1",)))
        both = msgspec.structs.replace(settings, urls=("https://127.0.0.1:1", *settings.urls))
        store = await OpenSearchStore.open(both)
        await store.append_logs([said(1, "by the node that answers")])
        await store.close()


@real
async def test_what_is_acknowledged_while_others_ask_reaches_followers_once(opensearch: RunningOpenSearch):
    async with corner(opensearch) as settings:
        store = await OpenSearchStore.open(settings)
        seen: list[str] = []
        after = -1
        for at in range(6):
            await store.append_logs([said(-at, f"m{at}")])
            arrived = await store.arrivals(ArrivalQuestion(scope=ALL, after=after, limit=1))
            after = arrived.looked_until
            seen += [line.record.message for line in arrived.lines]
        assert seen == [f"m{at}" for at in range(6)]
        await store.close()


# WSO2's indices

KEYWORD = {"type": "keyword"}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def fill_wso2(client, suffix: str) -> None:
    """Fill indices in the shapes of WSO2's set-up: the shipped template's keywords, the docs' dynamic text, the metrics' text."""
    template_of_logs = dict.fromkeys(("level", "icp_runtimeId", "module", "class", "app_name", "service_type"), KEYWORD)
    mapped = {"properties": {**template_of_logs, "message": {"type": "text"}, "time": {"type": "date"}}}
    (await client.put(f"/ballerina-application-logs-{suffix}", json={"mappings": mapped})).raise_for_status()
    iso = [f"2026-03-31T23:34:{second:02d}.000Z" for second in range(60)]
    bi = [
        {"@timestamp": iso[50], "time": iso[at], "level": level, "message": f"bi line {at}", "module": "shop/orders",
         "icp_runtimeId": runtime, "app_name": "orders", "service_type": "ballerina", "traceId": TRACE, "order": f"o-{at}"}
        for at, (level, runtime) in enumerate([("INFO", "r-1"), ("ERROR", "r-1"), ("WARN", "r-9")])
    ]  # fmt: skip
    mi = [
        {"@timestamp": iso[3], "time": "2026-03-31 23:34:03,000", "level": "ERROR", "message": "mi line 3", "class": "a.B",
         "icp_runtimeId": "r-2", "service_type": "MI", "artifact_container": "cap"},
        {"@timestamp": iso[3], "message": "mi line without level"},
    ]  # fmt: skip
    bi_metrics = [
        {"@timestamp": iso[at], "icp_runtimeId": "r-1", "response_time_seconds": seconds, "http_method": "GET",
         "http_url": "/orders/1", "src_resource_path": "/orders/[int id]", "http_status_code_group": group, "app_name": "orders"}
        for at, (seconds, group) in enumerate([(0.1, "2xx"), (0.2, "2xx"), (3.0, "5xx")])
    ]  # fmt: skip
    bi_metrics.append({**bi_metrics[0], "src_client_remote": "true"})
    mi_metrics = [
        {"@timestamp": iso[5], "icp_runtimeId": "r-2", "payload": {"entityType": "API", "latency": 400, "failure": False,
         "faultResponse": False, "apiDetails": {"api": "bills", "apiContext": "/bills", "method": "POST", "transport": "https"}}},
    ]  # fmt: skip
    for name, documents in (
        (f"ballerina-application-logs-{suffix}", bi), (f"mi-application-logs-{suffix}", mi),
        (f"ballerina-metrics-logs-{suffix}", bi_metrics), (f"mi-metrics-logs-{suffix}", mi_metrics),
    ):  # fmt: skip
        body = b"".join(b'{"index":{}}\n' + msgspec.json.encode(one) + b"\n" for one in documents)
        headers = {"content-type": "application/x-ndjson"}
        answer = await client.post(f"/{name}/_bulk?refresh=true", content=body, headers=headers)
        assert not answer.raise_for_status().json()["errors"], answer.text


def owner(runtime_id: str) -> Origin:
    places = {"r-1": ("shop", "orders"), "r-2": ("money", "bills")}
    if runtime_id not in places:
        return Origin(runtime_id=runtime_id)
    project_id, integration_id = places[runtime_id]
    return Origin(project_id=project_id, integration_id=integration_id, environment_id="prod", runtime_id=runtime_id)


@real
async def test_wso2s_lines_and_requests_are_merged_into_answers(opensearch: RunningOpenSearch):
    async with corner(opensearch, wso2=True) as settings, client_of(opensearch) as client:
        await fill_wso2(client, settings.prefix)
        try:
            store = await OpenSearchStore.open(settings, owner)
            await lines_are_merged(store)
            await requests_are_merged(store)
            await store.close()
        finally:
            names = [f"{one}-{settings.prefix}" for one in
                     ("ballerina-application-logs", "mi-application-logs", "ballerina-metrics-logs", "mi-metrics-logs")]  # fmt: skip
            await client.delete("/" + ",".join(names))


async def lines_are_merged(store: OpenSearchStore) -> None:
    await store.append_logs([LogBatch(ORDERS, [LogRecord(at_ns=1_775_000_041_500_000_000, message="own line")])])
    question = LogQuestion(scope=ALL, newest_first=False, limit=2)
    found: list[str] = []
    while True:
        page = await store.logs(question)
        found += [line.record.message for line in page.lines]
        if not page.more:
            break
        question = msgspec.structs.replace(question, after=page.end)
    assert found[:4] == ["bi line 0", "bi line 1", "own line", "bi line 2"]
    assert sorted(found[4:]) == ["mi line 3", "mi line without level"]
    assert found == [
        line.record.message for line in (await store.logs(LogQuestion(scope=ALL, newest_first=False))).lines
    ]
    assert await store.count_logs(ALL, LogFilter()) == 6
    for wanted, expected in (
        ({"levels": (Level.ERROR,)}, {"bi line 1", "mi line 3"}),
        ({"phrase": "i line"}, {"bi line 0", "bi line 1", "bi line 2", "mi line 3", "mi line without level"}),
        ({"regex": "line [12]$"}, {"bi line 1", "bi line 2"}),
        ({"attributes": (("order", "o-1"),)}, {"bi line 1"}),
        ({"trace_id": TRACE, "levels": (Level.INFO,)}, {"bi line 0"}),
        ({"logger": "a.B"}, {"mi line 3"}),
    ):
        page = await store.logs(LogQuestion(scope=ALL, filter=LogFilter(**wanted)))
        assert {line.record.message for line in page.lines} == expected
        assert await store.count_logs(ALL, LogFilter(**wanted)) == len(expected)
    shop = Scope.within(Reach([Place(project_id="shop")]))
    seen = (await store.logs(LogQuestion(scope=shop, newest_first=False))).lines
    assert [line.record.message for line in seen] == ["bi line 0", "bi line 1", "own line"]
    whole = Scope.within(EVERYTHING, from_ns=1_775_000_040 * NS_A_SECOND, to_ns=1_775_000_160 * NS_A_SECOND)
    assert await store.levels(whole, LogFilter(), 60) == {1_775_000_040: {Level.INFO: 3, Level.WARN: 1, Level.ERROR: 2}}


async def requests_are_merged(store: OpenSearchStore) -> None:
    whole = Scope.within(EVERYTHING, from_ns=1_775_000_040 * NS_A_SECOND, to_ns=1_775_000_160 * NS_A_SECOND)
    by = (Dimension.INTEGRATION, Dimension.RESOURCE)
    rows = await store.metrics(MetricQuestion(scope=whole, name="http.server.request.duration", by=by))
    assert [row.key for row in rows] == [("bills", "POST /bills"), ("orders", "GET /orders/[int id]")]
    [bills], [orders] = ([*row.steps.values()] for row in rows)
    assert (bills.count, bills.all.sum) == (1, pytest.approx(0.4))
    assert (orders.count, orders.failed.count) == (3, 1)
    assert orders.all.percentile(0.5) == pytest.approx(0.2, rel=0.03)
    [out] = await store.metrics(MetricQuestion(scope=whole, name="http.client.request.duration", outbound=True))
    assert next(iter(out.steps.values())).count == 1
    mine = Scope.within(Reach([Place(project_id="money")]), from_ns=whole.from_ns, to_ns=whole.to_ns)
    [only] = await store.metrics(MetricQuestion(scope=mine, name="http.server.request.duration", by=by))
    assert only.key[0] == "bills"


def test_settings_hold_what_the_cluster_needs():
    settings = OpenSearchSettings(urls=read_urls("https://a:9200, https://b:9200/search/"))
    assert settings.urls == ("https://a:9200", "https://b:9200/search")
