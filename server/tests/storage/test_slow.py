"""Statements that take long are told by their text, and by nothing that was in them."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from pilothouse.observe import requests
from pilothouse.observe.figures import Figures
from pilothouse.observe.requests import name_request
from pilothouse.observe.traffic import histogram
from pilothouse.storage.engine import open_writer
from pilothouse.storage.migrate import upgrade
from pilothouse.storage.slow import Statements
from pilothouse.storage.unit import Store, Transaction
from sqlalchemy import event, text

pytestmark = pytest.mark.anyio

SLEEP = text("select slept(:s), :secret")
ADD = text("insert into organizations (id, handle, display_name) values (:n, :n, slept(:s))")


def slept(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs([name_request]) as written:
        yield written


@pytest.fixture
async def watched(tmp_path: Path) -> Any:
    engine = open_writer(tmp_path / "pilothouse.db")
    upgrade(engine)
    engine.dispose()
    store = Store(tmp_path / "pilothouse.db", lambda _: None)
    for one in (store.reader_engine, store.writer_engine):
        event.listen(one, "connect", lambda connection, _: connection.create_function("slept", 1, slept))

    def watch(threshold_ms: int) -> tuple[Store, Statements]:
        return store, Statements.of(threshold_ms, store.reader_engine, store.writer_engine)

    yield watch
    store.close()


def slow_ones(lines: list[Any]) -> list[Any]:
    return [line for line in lines if line["event"] == "database.slow_statement"]


async def test_a_slow_question_is_told_with_its_request_and_without_its_values(watched, lines) -> None:
    store, statements = watched(250)
    requests.begin()
    await store.read(lambda c: c.execute(SLEEP, {"s": 0.0, "secret": "hush"}).all())
    assert slow_ones(lines) == []
    await store.read(lambda c: c.execute(SLEEP, {"s": 0.3, "secret": "hush"}).all())
    (line,) = slow_ones(lines)
    assert (line["log_level"], line["access"], line["request_id"]) == ("warning", "read", requests.current_id())
    assert line["statement"] == "select slept(?), ?"
    assert line["ms"] >= 300
    assert "hush" not in str(line)
    assert statements.slow == {"read": 1, "write": 0}
    told = histogram("x", "y", ("access",), statements.durations)
    counts = {(s.labels["access"]): s.value for s in told.samples if s.name == "x_count"}
    assert counts["read"] >= 2


async def test_a_slow_change_tells_how_many_rows_it_changed(watched, lines) -> None:
    store, statements = watched(250)
    requests.begin()

    def operation(tx: Transaction) -> None:
        tx.connection.execute(ADD, {"n": "n1", "s": 0.3})

    await store.write(operation)
    (line,) = [line for line in slow_ones(lines) if "organizations" in line["statement"]]
    assert (line["access"], line["rows"], line["request_id"]) == ("write", 1, requests.current_id())
    assert "n1" not in str(line)
    assert sum(statements.durations["commit",].counts) == 1


async def test_with_0_nothing_is_slow_and_everything_is_timed(watched, lines) -> None:
    store, statements = watched(0)
    await store.read(lambda c: c.execute(SLEEP, {"s": 0.06, "secret": ""}).all())
    assert slow_ones(lines) == []
    assert statements.slow == {"read": 0, "write": 0}
    assert sum(statements.durations["read",].counts) >= 1


async def test_a_very_long_statement_is_cut_and_written_on_one_line(watched, lines) -> None:
    store, _ = watched(400)
    await store.read(lambda c: c.execute(text("select slept(0.5),\n " + ", ".join(["1"] * 900))).all())
    (line,) = slow_ones(lines)
    assert "\n" not in line["statement"]
    assert len(line["statement"]) == 2_000


async def test_slow_statements_are_in_the_figures(plane) -> None:
    assert isinstance(plane.figures, Figures)
    plane.statements.slow["read"] = 3
    assert b'pilothouse_database_slow_statements_total{access="read"} 3.0' in plane.figures.render()
    assert b'pilothouse_database_statement_seconds_count{access="commit"}' in plane.figures.render()
