"""Telemetry end to end: a program of somebody's own says something through OpenTelemetry's SDK, and people see it."""

import asyncio
import contextlib
import csv
import io
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import httpx
import pytest
from stage import PASSWORD, ControlPlane, Program, ask, serve, trusted, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PROGRAM = """\
import os

from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource

provider = LoggerProvider(Resource({"service.name": "order-service", "icp.runtimeId": "order-service-1"}))
exporter = OTLPLogExporter(
    os.environ["INTAKE"] + "/v1/logs",
    certificate_file=os.environ["CA"],
    headers={"authorization": "Bearer " + os.environ["TOKEN"]},
)
provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
logger = provider.get_logger("orders.stock")
print("ready")
for said in iter(open("said").readline, ""):
    try:
        raise ValueError(said.strip())
    except ValueError as error:
        logger.emit(severity_number=SeverityNumber.ERROR, body=f"order refused: {said.strip()}", exception=error)
provider.shutdown()
"""
TAIL = """subscription ($filter: LogFilter, $after: ID) { logTailed(filter: $filter, after: $after) {
    arrival skipped lines { message level logger origin { unclaimed integration { handle } environment { handle } } } } }"""


@pytest.fixture(scope="module")
def plane(start: Callable[..., Program], tmp_path_factory: pytest.TempPathFactory) -> ControlPlane:
    """One with the store that everybody has who sets nothing."""
    return serve(start, tmp_path_factory.mktemp("telemetry") / "home", PILOTHOUSE_ADMIN_PASSWORD=PASSWORD)


@pytest.fixture(scope="module")
def console(plane: ControlPlane) -> Iterator[httpx.Client]:
    """Somebody who is signed in."""
    with httpx.Client(base_url=plane.console_url, verify=trusted(plane), trust_env=False, timeout=30) as client:
        assert client.post("/auth/sign-in", json={"username": "admin", "password": PASSWORD}).status_code == 200
        yield client


@pytest.fixture(scope="module")
def token(console: httpx.Client) -> str:
    """A token with which records of one integration are sent."""
    ask(console, 'mutation { createProject(input: {displayName: "Shop"}) { handle } }')
    ask(
        console,
        """mutation { createIntegration(input: {project: "shop", displayName: "Orders", runtimeType: PY}) { handle } }""",
    )
    made = ask(
        console,
        """mutation { createIngestToken(input: {
            name: "orders", environment: "dev", project: "shop", integration: "orders" }) { token } }""",
    )
    return made["createIngestToken"]["token"]


class Speaker:
    """The program, which says what it is told to."""

    def __init__(self, said: TextIO) -> None:
        self._said = said

    def say(self, what: str) -> None:
        """Have it say an error."""
        self._said.write(f"{what}\n")
        self._said.flush()


@pytest.fixture
def speaker(plane: ControlPlane, token: str, start: Callable[..., Program], tmp_path: Path) -> Iterator[Speaker]:
    os.mkfifo(tmp_path / "said")
    (tmp_path / "program.py").write_text(PROGRAM)
    program = start(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        INTAKE=plane.runtime_url,
        CA=str(plane.home / "tls" / "certificate.pem"),
        REQUESTS_CA_BUNDLE=str(
            plane.home / "tls" / "certificate.pem"
        ),  # where it is set, `requests` heeds nothing else
        TOKEN=token,
    )
    program.wait_for("ready")
    with (tmp_path / "said").open("w") as said:
        yield Speaker(said)
    assert program.process.wait(20) == 0, program.output


@contextmanager
def tail(
    plane: ControlPlane, console: httpx.Client, after: str | None = None
) -> Iterator["queue.Queue[tuple[float, dict[str, Any]]]"]:
    """Follow the integration's log over server-sent events; each part with the moment at which it came."""
    parts: queue.Queue[tuple[float, dict[str, Any]]] = queue.Queue()
    wanted = {"scope": {"project": "shop", "integrations": ["orders"]}, "levels": ["ERROR"]}
    body = {"query": TAIL, "variables": {"filter": wanted, "after": after}}
    cookie = "; ".join(f"{name}={value}" for name, value in console.cookies.items())
    headers = {"accept": "text/event-stream", "cookie": cookie}
    loop = asyncio.new_event_loop()

    async def read() -> None:
        async with (
            httpx.AsyncClient(base_url=console.base_url, verify=trusted(plane), trust_env=False, timeout=60) as client,
            client.stream("POST", "/graphql", json=body, headers=headers) as answer,
        ):
            assert answer.status_code == 200
            async for told in answer.aiter_lines():
                if told.startswith("data: {"):
                    parts.put((time.monotonic(), json.loads(told.removeprefix("data: "))["data"]["logTailed"]))

    def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(reading)

    reading = loop.create_task(read())
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield parts
    finally:
        loop.call_soon_threadsafe(reading.cancel)
        thread.join(10)
        loop.close()


def test_an_error_that_a_program_says_is_in_the_tail_within_a_second_and_in_the_download(
    plane: ControlPlane, console: httpx.Client, speaker: Speaker
) -> None:
    begun = datetime.now(UTC).isoformat()  # other tests may have spoken before
    with tail(plane, console) as parts:
        _, first = parts.get(timeout=10)
        assert first["lines"] == []
        speaker.say("warming up")  # connections are opened, and the store's process is started
        while not parts.get(timeout=20)[1]["lines"]:
            pass
        for what in ("no stock of a-7", "no stock of b-9"):
            said_s = time.monotonic()
            speaker.say(what)
            shown_s, part = parts.get(timeout=10)
            (line,) = part["lines"]
            assert line == {
                "message": f"order refused: {what}",
                "level": "ERROR",
                "logger": "orders.stock",
                "origin": {
                    "unclaimed": False,
                    "integration": {"handle": "orders"},
                    "environment": {"handle": "dev"},
                },
            }
            assert part["skipped"] == 0
            assert shown_s - said_s < 1.0
    asked = {"project": "shop", "integration": "orders", "environment": "dev", "level": "ERROR", "from": begun}
    lines = [json.loads(told) for told in console.get("/api/v1/logs", params=asked | {"format": "jsonl"}).iter_lines()]
    assert [line["message"] for line in lines] == [
        "order refused: warming up", "order refused: no stock of a-7", "order refused: no stock of b-9",
    ]  # fmt: skip
    assert lines[2]["attributes"]["exception.type"] == "ValueError"
    text = console.get("/api/v1/logs", params=asked).text
    assert "    ValueError: no stock of b-9" in text.splitlines()
    (_, *rows) = csv.reader(io.StringIO(console.get("/api/v1/logs", params=asked | {"format": "csv"}).text, newline=""))
    assert [row[2] for row in rows] == [line["message"] for line in lines]


def test_who_was_away_is_told_what_was_said_meanwhile(
    plane: ControlPlane, console: httpx.Client, speaker: Speaker
) -> None:
    with tail(plane, console) as parts:
        arrival = parts.get(timeout=10)[1]["arrival"]
    speaker.say("while nobody looked")
    listed = '{ logs(filter: {phrase: "while nobody looked"}) { nodes { message } } }'
    until(lambda: ask(console, listed)["logs"]["nodes"], 20)
    with tail(plane, console, after=arrival) as parts:
        _, part = parts.get(timeout=10)
        assert [line["message"] for line in part["lines"]] == ["order refused: while nobody looked"]


def test_scripts_of_the_originals_api_read_it_too(console: httpx.Client, speaker: Speaker) -> None:
    speaker.say("for a script")

    def read() -> list[dict[str, Any]]:
        asked = {"componentId": "orders", "environmentList": ["dev"], "searchPhrase": "for a script"}
        table = console.post("/icp/observability/logs", json=asked).json()
        names = [column["name"] for column in table["columns"]]
        return [dict(zip(names, row, strict=True)) for row in table["rows"]]

    (row,) = until(read, 20)
    assert (row["LogLevel"], row["ServiceType"], row["Error"]["type"]) == ("ERROR", "PY", "ValueError")
    assert (row["AppName"], row["IcpRuntimeId"]) == ("orders", "order-service-1")
