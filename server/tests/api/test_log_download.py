"""Logs as a file: whole or visibly broken off, of any size, harmless, and of nobody else's places."""

import asyncio
import csv
import io
import json
import sys
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pilothouse.api import rest_logs
from pilothouse.api.log_formats import Handles, LogFormat, write_lines
from pilothouse.api.rest_logs import DownloadBrokenOff
from pilothouse.telemetry.errors import QuestionTimeout, StoreDown
from pilothouse.telemetry.model import UNCLAIMED, Level, LogLine, LogRecord, Origin
from pilothouse.telemetry.questions import LogQuestion
from pilothouse.telemetry.stores.memory import MemoryStore

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff
from telemetry_staging import origin_of, say

pytestmark = pytest.mark.anyio

PATH = "/api/v1/logs"
ORIGIN = Origin(project_id="p", integration_id="i", environment_id="e", runtime_id="r", runtime_key=1)
HANDLES = Handles(projects={"p": "shop"}, integrations={"i": "till"}, environments={"e": "dev"})


@pytest.fixture
def settings(settings):
    return msgspec.structs.replace(settings, telemetry_store="memory")


@pytest.fixture
def staff(plane, admin) -> Staff:
    return Staff(plane, admin)


@pytest.fixture
async def shop(plane, staff) -> dict[str, Origin]:
    """Two projects that log in two environments."""
    await staff.project("Shop", "Till", "Stock")
    await staff.project("Bank", "Ledger")
    return {
        "till": await origin_of(plane, "shop", "till", "dev", runtime_id="till-1", runtime_key=1),
        "till-prod": await origin_of(plane, "shop", "till", "prod", runtime_id="till-9", runtime_key=9),
        "stock": await origin_of(plane, "shop", "stock", "dev", runtime_id="stock-1", runtime_key=2),
        "ledger": await origin_of(plane, "bank", "ledger", "dev", runtime_id="ledger-1", runtime_key=3),
    }


def line(message: str, **more: Any) -> LogLine:
    record = LogRecord(at_ns=1_700_000_000_123_456_789, message=message, **more)
    return LogLine(record=record, origin=ORIGIN, number=1)


async def messages(person, *pairs: tuple[str, str]) -> list[str]:
    answer = await person.client.get(PATH, params=[*pairs, ("format", "jsonl")])
    assert answer.status_code == 200, answer.text
    return [json.loads(each)["message"] for each in answer.text.splitlines()]


# ---------------------------------------------------------------- how lines are written


def test_a_line_of_json_tells_everything() -> None:
    told = line("hello", logger="orders", trace_id="ab" * 16, severity=Level.ERROR.value, attributes={"order": 7})
    assert json.loads(write_lines(LogFormat.JSONL, [told], HANDLES)) == {
        "at": "2023-11-14T22:13:20.123456789Z",
        "level": "ERROR",
        "message": "hello",
        "logger": "orders",
        "project": "shop",
        "integration": "till",
        "environment": "dev",
        "runtimeId": "r",
        "traceId": "ab" * 16,
        "spanId": None,
        "attributes": {"order": 7},
    }


def test_what_is_unknown_is_null_and_not_text() -> None:
    unknown = LogLine(record=LogRecord(at_ns=0, message=""), origin=UNCLAIMED, number=1)
    told = json.loads(write_lines(LogFormat.JSONL, [unknown], HANDLES))
    assert {name for name, value in told.items() if value is None} == {
        "logger", "project", "integration", "environment", "runtimeId", "traceId", "spanId",
    }  # fmt: skip


def test_text_keeps_a_message_from_passing_for_another_line() -> None:
    forged = line("ok\n2023-11-14T22:13:20Z ERROR shop/till dev r: forged\r\nmore", logger="a\nb")
    written = write_lines(LogFormat.TEXT, [forged, line("next")], HANDLES).decode()
    assert [each[:4] for each in written.splitlines()] == ["2023", "    ", "    ", "    ", "2023"]


def test_text_steers_no_terminal() -> None:
    written = write_lines(LogFormat.TEXT, [line("\x1b[2Jgone\x07 \x9b2J\ttab")], HANDLES)
    assert b"\x1b" not in written
    assert "\x9b" not in written.decode()
    assert written.decode().endswith("\\x1b[2Jgone\\x07 \\x9b2J\ttab\n")


def test_text_shows_where_an_exception_was_raised() -> None:
    told = line("it failed", attributes={"exception.stacktrace": "Traceback:\n  File x\nValueError: no\n"})
    assert write_lines(LogFormat.TEXT, [told], HANDLES).decode().splitlines()[1:] == [
        "    Traceback:", "      File x", "    ValueError: no",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "message", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", '=HYPERLINK("x")', "\uff1d1", "\uff0b1"]
)
def test_csv_holds_no_formula(message: str) -> None:
    (row,) = csv.reader(io.StringIO(write_lines(LogFormat.CSV, [line(message)], HANDLES).decode(), newline=""))
    assert row[2] == f"'{message}"


@pytest.mark.parametrize("message", ["plain", 'a "quoted", thing', "two\nlines", "1+1=2", "", "ünïcode 🚢"])
def test_csv_gives_back_what_was_said(message: str) -> None:
    told = line(message, attributes={"a": '"', "b": [1]})
    (row,) = csv.reader(io.StringIO(write_lines(LogFormat.CSV, [told], HANDLES).decode(), newline=""))
    assert row[2] == message
    assert json.loads(row[10]) == {"a": '"', "b": [1]}


# ---------------------------------------------------------------- what is asked for


async def test_the_whole_result_comes_oldest_first(admin, plane, shop) -> None:
    await say(plane, shop["till"], *(f"n{number}" for number in range(2_345)))
    assert await messages(admin) == [f"n{number}" for number in range(2_345)]
    assert (await messages(admin, ("newestFirst", "true")))[0] == "n2344"


async def test_filters_are_those_of_the_api(admin, plane, shop) -> None:
    await say(plane, shop["till"], "till says Hello")
    await say(plane, shop["till-prod"], "in production", level=Level.ERROR)
    await say(plane, shop["stock"], "stock 4711 low", attributes={"sku": "a=b"}, logger="stock.levels")
    await say(plane, shop["ledger"], "booked", trace_id="cd" * 16)
    assert len(await messages(admin)) == 4
    assert await messages(admin, ("project", "bank")) == ["booked"]
    assert await messages(admin, ("project", "shop"), ("integration", "stock")) == ["stock 4711 low"]
    both = await messages(admin, ("project", "shop"), ("integration", "stock"), ("integration", "till"))
    assert len(both) == 3
    assert await messages(admin, ("environment", "prod")) == ["in production"]
    assert await messages(admin, ("runtimeId", "ledger-1")) == ["booked"]
    assert await messages(admin, ("level", "ERROR"), ("level", "FATAL")) == ["in production"]
    assert await messages(admin, ("phrase", "hello")) == ["till says Hello"]
    assert await messages(admin, ("phrase", "hello"), ("ignoreCase", "false")) == []
    assert await messages(admin, ("word", "4711")) == ["stock 4711 low"]
    assert await messages(admin, ("regex", "s[a-z]+ H")) == ["till says Hello"]
    assert await messages(admin, ("traceId", "cd" * 16)) == ["booked"]
    assert await messages(admin, ("attribute", "sku=a=b")) == ["stock 4711 low"]
    assert await messages(admin, ("logger", "stock.levels")) == ["stock 4711 low"]
    assert await messages(admin, ("from", "2001-01-01T00:00:00Z"), ("to", "2001-01-02T00:00:00Z")) == []
    assert await messages(admin, ("project", "nowhere")) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("colour=red", "colour"),
        ("format=xml", "format"),
        ("level=LOUD", "level"),
        ("project=a&project=b", "project"),
        ("integration=till", "project"),
        ("from=yesterday", "from"),
        ("attribute=sku", "attribute"),
        ("regex=(", "regex"),
        ("unclaimed=perhaps", "unclaimed"),
        ("token=4711", "token"),
    ],
)
async def test_what_cannot_be_meant_is_refused_by_name(admin, query: str, field: str) -> None:
    answer = await admin.client.get(f"{PATH}?{query}")
    assert (answer.status_code, answer.json()["field"]) == (400, field), answer.text
    assert answer.json()["fix"] or field == "regex"


async def test_each_format_says_what_it_is(admin, plane, shop) -> None:
    await say(plane, shop["till"], "hello")
    for format_, media_type, suffix in (
        ("text", "text/plain; charset=utf-8", "txt"),
        ("jsonl", "application/x-ndjson", "jsonl"),
        ("csv", "text/csv; charset=utf-8", "csv"),
    ):
        answer = await admin.client.get(PATH, params={"format": format_, "project": "shop", "environment": "dev"})
        name = f'attachment; filename="logs-shop-dev-20260921T141320Z.{suffix}"'
        assert (answer.headers["content-type"], answer.headers["content-disposition"]) == (media_type, name)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "hello" in answer.text
    assert answer.text.startswith("at,level,message,logger,project,")


async def test_an_address_names_no_file_of_its_own(admin) -> None:
    answer = await admin.client.get(PATH, params={"project": '../x"; y'})
    assert 'filename="logs-all-' in answer.headers["content-disposition"]


# ---------------------------------------------------------------- who may


async def test_lines_come_from_where_the_caller_may_read_logs(staff, plane, shop) -> None:
    for name, origin in shop.items():
        await say(plane, origin, name)
    await staff.holder("ann", "OBSERVABILITY_MGT_VIEW_LOGS", project="shop", environment="dev")
    await staff.holder("bob", "INTEGRATION_MGT_VIEW")
    async with staff.signed_in("ann") as ann:
        assert sorted(await messages(ann)) == ["stock", "till"]
        assert await messages(ann, ("project", "bank")) == []
    async with staff.signed_in("bob") as bob:
        answer = await bob.client.get(PATH)
        assert (answer.status_code, answer.json()["code"]) == (403, "NOT_PERMITTED")
    async with staff.stranger() as stranger:
        assert (await stranger.client.get(PATH)).status_code == 401


async def test_another_site_starts_no_download(admin) -> None:
    answer = await admin.client.get(PATH, headers={"sec-fetch-site": "cross-site"})
    assert (answer.status_code, answer.json()["code"]) == (403, "CROSS_ORIGIN")


async def test_who_downloaded_what_is_recorded_where_it_belongs(admin, staff, shop) -> None:
    await admin.client.get(PATH, params={"project": "shop", "phrase": "card", "format": "csv"})
    record = (await staff.audit())[-1]
    assert (record["action"], record["actor"]) == ("logs.download", "user:admin")
    assert record["detail"] == "as csv: project shop, phrase card"
    assert record["project_id"] == shop["till"].project_id


# ---------------------------------------------------------------- a large one, and what goes wrong in it


class Endless(MemoryStore):
    """A store whose answer is as long as it is told, and that notes how it is read."""

    def __init__(self, pieces: int, fails_after: int | None = None) -> None:
        super().__init__()
        self.pieces = pieces
        self.fails_after = fails_after
        self.given = 0
        self.closed = False

    async def export_logs(  # an answer that is made while it is read
        self, question: LogQuestion, *, timeout_s: float = 10.0
    ) -> AsyncIterator[Sequence[LogLine]]:
        assert timeout_s == rest_logs.PIECE_TIMEOUT_S
        try:
            while self.given < self.pieces:
                if self.given == self.fails_after:
                    raise StoreDown
                self.given += 1
                yield [line(f"{self.given} {number} " + "x" * 500) for number in range(question.limit)]
                await asyncio.sleep(0)
        finally:
            self.closed = True


class Client:
    """A client that takes a download byte by byte, over the application itself."""

    def __init__(self, plane, admin, query: str = "") -> None:
        self.plane = plane
        self.cookie = "; ".join(f"{name}={value}" for name, value in admin.client.cookies.items())
        self.query = query
        self.size = 0
        self.beginning = b""
        self.status = 0
        self.ended = False
        self.gone = asyncio.Event()
        self.leave_after = 10**12
        self.pause_s = 0.0

    async def refusal(self) -> tuple[int, str]:
        await self.run()
        return self.status, json.loads(self.beginning)["code"]

    async def run(self) -> None:
        app = await self.plane.console_application()
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
            "path": PATH, "raw_path": PATH.encode(), "query_string": self.query.encode(), "scheme": "https",
            "server": ("testserver", 443), "client": ("127.0.0.1", 4000), "root_path": "",
            "headers": [(b"host", b"testserver"), (b"cookie", self.cookie.encode())],
        }  # fmt: skip
        sent = False

        async def receive() -> dict:
            nonlocal sent
            if not sent:
                sent = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await self.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
                return
            self.size += len(message["body"])
            self.beginning = self.beginning or message["body"]
            self.ended = not message.get("more_body", False)
            if self.size >= self.leave_after:
                self.gone.set()
            await asyncio.sleep(self.pause_s)

        await app(scope, receive, send)


@pytest.mark.slow
async def test_a_hundred_thousand_lines_are_never_held(admin, plane) -> None:
    plane.telemetry = store = Endless(pieces=100)
    client = Client(plane, admin, "format=jsonl")
    tracemalloc.start()
    try:
        await client.run()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (store.given, client.ended) == (100, True)
    assert client.size > 60_000_000
    assert peak < 12_000_000


async def test_it_stops_when_the_client_goes(admin, plane) -> None:
    plane.telemetry = store = Endless(pieces=10_000)
    client = Client(plane, admin)
    client.leave_after, client.pause_s = 2_000_000, 0.001
    await asyncio.wait_for(client.run(), 20)
    assert store.given < 20
    assert store.closed
    assert not client.ended
    assert not rest_logs._under_way


async def test_a_failure_in_the_middle_is_no_end(admin, plane) -> None:
    plane.telemetry = Endless(pieces=10, fails_after=5)
    client = Client(plane, admin)
    with pytest.raises(BaseException) as broken:  # noqa: PT011 - by itself, or in a group
        await client.run()
    assert (
        broken.group_contains(DownloadBrokenOff)
        if isinstance(broken.value, BaseExceptionGroup)
        else isinstance(broken.value, DownloadBrokenOff)
    )
    assert (client.status, client.ended) == (200, False)
    assert client.size > 2_000_000


async def test_a_failure_at_the_beginning_is_an_answer(admin, plane) -> None:
    plane.telemetry = Endless(pieces=10, fails_after=0)
    assert await Client(plane, admin).refusal() == (503, "TELEMETRY_DOWN")


async def test_a_question_that_takes_too_long_is_told_apart(admin, plane, monkeypatch) -> None:
    async def late(*_args: Any, **_more: Any) -> AsyncIterator[Sequence[LogLine]]:
        raise QuestionTimeout(timeout_s=30.0)
        yield []

    plane.telemetry = Endless(pieces=1)
    monkeypatch.setattr(plane.telemetry, "export_logs", late)
    assert await Client(plane, admin).refusal() == (504, "TELEMETRY_TIMEOUT")


async def test_it_ends_when_the_rights_change(admin, plane, monkeypatch) -> None:
    async def gone(*_: Any) -> None:
        return None

    monkeypatch.setattr(rest_logs, "RECHECK_S", 0.0)
    monkeypatch.setattr(rest_logs, "still_open", gone)
    plane.telemetry = Endless(pieces=10)
    client = Client(plane, admin)
    with pytest.raises(BaseException):  # noqa: B017, PT011 - the kind is judged above
        await client.run()
    assert not client.ended
    assert client.size < 2_000_000


async def test_one_person_has_few_downloads_at_a_time(admin, plane) -> None:
    plane.telemetry = Endless(pieces=10_000)
    clients = [Client(plane, admin) for _ in range(rest_logs.OF_ONE_MAX)]
    for client in clients:
        client.pause_s = 0.05
    running = [asyncio.create_task(client.run()) for client in clients]
    while not all(client.size for client in clients):
        await asyncio.sleep(0.01)
    assert await Client(plane, admin).refusal() == (503, "UNAVAILABLE")
    for client in clients:
        client.gone.set()
    await asyncio.gather(*running)
    assert not rest_logs._under_way
