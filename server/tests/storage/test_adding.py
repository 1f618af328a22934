"""Many rows are added as one by one, and their numbers are told in their order. Any: column values."""

from collections.abc import Iterator
from typing import Any

import pytest
from pilothouse.base.place import Database
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.storage import events, reported
from pilothouse.storage.adding import AT_ONCE, add_all
from pilothouse.storage.counter_tables import counters
from pilothouse.storage.engine import open_writer
from pilothouse.storage.tables import artifact_sets, runtimes
from sqlalchemy import Connection, Engine, event, func, select, text


@pytest.fixture
def connection(writer: Engine) -> Iterator[Connection]:
    with writer.connect() as opened, opened.begin() as whole:
        yield opened
        whole.rollback()


def artifacts(count: int) -> list[dict[str, Any]]:
    return [
        {
            "digest": f"{number:064x}",
            "document": bytes([number % 256]) * (number % 9),
            "service_count": number,
            "listener_count": 0,
            "stored_at": 1_790_000_000.1234 + number,
            "likeness": None if number % 3 else "é'\"?%s:x",
            "failed_count": number % 2,
        }
        for number in range(1, count + 1)
    ]


@pytest.mark.parametrize("count", [1, 3, AT_ONCE - 1, AT_ONCE, 2 * AT_ONCE + 13])
def test_rows_are_added_as_they_are(connection: Connection, count: int) -> None:
    wanted = artifacts(count)
    add_all(connection, artifact_sets, wanted)
    found = [dict(row) for row in connection.execute(select(artifact_sets).order_by(artifact_sets.c.digest)).mappings()]
    stored = [{**row, "stored_at": round(row["stored_at"], 3)} for row in wanted]
    assert [{**row, "document": bytes(row["document"])} for row in found] == stored


def test_nothing_is_added_of_nothing(connection: Connection) -> None:
    add_all(connection, artifact_sets, [])
    assert connection.execute(select(func.count()).select_from(artifact_sets)).scalar() == 0


def test_what_the_database_finds_itself_is_the_same_for_all(connection: Connection) -> None:
    add_all(connection, counters, [{"name": "its", "number": 41}])
    its = select(counters.c.number).where(counters.c.name == "its").scalar_subquery()
    rows = [{name: value for name, value in row.items() if name != "service_count"} for row in artifacts(70)]
    add_all(connection, artifact_sets, rows, {"service_count": its + 1})
    assert connection.execute(select(artifact_sets.c.service_count)).scalars().all() == [42] * 70


def test_numbers_are_told_in_the_order_of_the_rows(connection: Connection) -> None:
    new = [NewEvent(kind=EventKind.PROJECT_CREATED, at=1.0, detail=f"the {n}th") for n in range(3 * AT_ONCE + 7)]
    told = events.append_all(connection, new)
    asked = text("select sequence, detail from events order by sequence")
    assert [(one.sequence, one.detail) for one in told] == [tuple(row) for row in connection.execute(asked)]


def test_who_bears_a_name_is_looked_up_and_not_searched_for(database: Database) -> None:
    if database.kind != "sqlite":
        pytest.skip("other databases know how many rows there are, and choose by that")
    engine = open_writer(database)
    asked: list[tuple[str, Any]] = []
    report = _Named()
    with engine.connect() as connection:
        event.listen(engine, "before_cursor_execute", lambda *told: asked.append((told[2], told[3])))
        assert reported.list_bearing_names(connection, [report]) == []  # pyright: ignore[reportArgumentType] - has what is looked at
        statement, values = asked[-1]
        plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    engine.dispose()
    (index,) = [one for one in runtimes.indexes if one.name == "ix_runtimes_place"]
    looked_up = " AND ".join(f"{column.name}=?" for column in index.columns)
    assert plan == [f"SEARCH runtimes USING INDEX ix_runtimes_place ({looked_up})"]


class _Named:
    integration_id, environment_id, name = "i", "e", "n"
