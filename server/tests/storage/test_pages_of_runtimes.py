"""A page of runtimes reads a page, in every order and from every cursor, and finds what the release before this one wrote."""

import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import product
from typing import Any

import msgspec
from pilothouse.access.places import EVERYTHING, Place, Reach
from pilothouse.base.pages import Page, PageRequest
from pilothouse.base.place import Database
from pilothouse.domain.liveness import Status
from pilothouse.domain.runtime import NodeFacts, ReportDocument, RuntimeRow
from pilothouse.storage import runtime_rows
from pilothouse.storage import tables as t
from pilothouse.storage.engine import open_writer
from pilothouse.storage.migrate import upgrade
from pilothouse.storage.runtime_rows import RuntimeListing, RuntimeScope, RuntimeSort
from sqlalchemy import Connection, Engine, event, insert, text, update

NAMES = ["Beta", "alpha", "Alpha", "same", "same", "same", "same", None, None, "zulu", "ßeta"]
BY_SORTING = {"sqlite": "TEMP B-TREE FOR ORDER", "postgresql": "Sort", "mysql": "filesort", "mariadb": "filesort"}
"""What a plan says that sorts what it has read."""


def prepare(connection: Connection) -> None:
    """Two environments, and two projects of an integration each."""
    connection.execute(insert(t.organizations).values(id="o", handle="o", display_name="O"))
    made: dict[str, Any] = {"organization_id": "o", "created_at": 1.0}
    for name in ("dev", "prod"):
        values = {"id": name, "handle": name, "display_name": name, "critical": False, **made}
        connection.execute(insert(t.environments).values(values))
    made |= {"description": "", "created_by": "somebody"}
    for number in (1, 2):
        named = {"handle": f"h{number}", "display_name": f"H{number}", **made}
        connection.execute(insert(t.projects).values(id=f"p{number}", **named))
        placed = {"project_id": f"p{number}", "runtime_type": "BI", **named}
        connection.execute(insert(t.integrations).values(id=f"i{number}", **placed))
    stored = {"document": b"", "service_count": 0, "listener_count": 0, "stored_at": 1.0}
    connection.execute(insert(t.artifact_sets).values(digest="d", **stored))


def add(connection: Connection, count: int, names: list[str | None] | None = None) -> None:
    """Add runtimes, every eleventh of them retired; of a thousand, ten came at the same moment."""
    chance = random.Random(7)  # noqa: S311 - a fixed scatter, no secret
    report = msgspec.json.encode(ReportDocument(node=NodeFacts()))
    rows = [
        {
            "key": number + 1, "id": f"{chance.randrange(16**8):08x}-{number}", "organization_id": "o", "runtime_id": f"r{number}",
            "integration_id": f"i{1 + number % 2}", "environment_id": ("dev", "prod")[number // 2 % 2],
            "name": f"Node-{chance.randrange(count)}" if names is None else names[number % len(names)], "runtime_type": "BI",
            "runtime_hash": "h", "artifact_digest": "d", "registered_at": float(1_000 + number // 10),
            "retired_at": 5.0 if number % 11 == 10 else None,
        }
        for number in range(count)
    ]  # fmt: skip
    connection.execute(insert(t.runtimes), rows)
    connection.execute(insert(t.runtime_reports), [{"runtime_key": row["key"], "document": report} for row in rows])


def read(
    connection: Connection,
    listing: RuntimeListing,
    first: int,
    after: tuple[str, ...] | None,
    reach: Reach = EVERYTHING,
) -> Page[RuntimeRow]:
    request = PageRequest(first=first, after=after)
    return runtime_rows.list_rows(connection, reach, listing, lambda _key: Status.RUNNING, request)


def place_of(row: RuntimeRow, sort: RuntimeSort) -> tuple[str, ...]:
    """What a cursor behind a row holds; the names of these tests are lowered alike everywhere."""
    if sort is RuntimeSort.NAME:
        return ("\uffff" if row.name is None else row.name.lower(), row.id)
    return (str(round(row.registered_at * 1_000)), row.id)


def walk(
    connection: Connection, listing: RuntimeListing, size: int, reach: Reach = EVERYTHING
) -> tuple[list[RuntimeRow], int | None]:
    """Read a list page by page."""
    seen: list[RuntimeRow] = []
    while True:
        page = read(connection, listing, size, place_of(seen[-1], listing.sort) if seen else None, reach)
        seen += page.nodes
        if not page.has_next:
            return seen, page.total


@contextmanager
def told(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """Collect statements with their values."""
    seen: list[tuple[str, Any]] = []

    def note(*arguments: Any) -> None:
        seen.append((arguments[2], arguments[3]))

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def test_pages_neither_skip_nor_repeat_nor_show_who_was_retired(writer: Engine) -> None:
    everything, in_prod, of_project = RuntimeScope(), RuntimeScope(environment="prod"), RuntimeScope(project="h1")
    of_place = RuntimeScope(project="h2", integration="h2", environment="dev")
    some = Reach([Place(project_id="p1"), Place(project_id="p2", integration_id="i2", environment_id="dev")])
    dev = Reach([Place(environment_id="dev")])
    parts = [(everything, EVERYTHING), (in_prod, EVERYTHING), (of_project, EVERYTHING), (of_place, EVERYTHING)]
    with writer.connect() as connection, connection.begin():
        prepare(connection)
        add(connection, 130, NAMES)
        for (scope, reach), sort in product([*parts, (everything, some), (everything, dev)], RuntimeSort):
            listing = RuntimeListing(scope=scope, sort=sort)
            whole, total = walk(connection, listing, 500, reach)
            assert total == len(whole) > 20
            assert all(row.retired_at is None for row in whole)
            places = [place_of(row, sort) for row in whole]
            assert places == sorted(places, reverse=sort is RuntimeSort.NEWEST)
            assert walk(connection, listing, 7, reach) == (whole, total)


def test_no_page_is_sorted_whatever_its_order_and_wherever_it_begins(writer: Engine) -> None:
    with writer.connect() as connection, connection.begin():
        prepare(connection)
        add(connection, 3_000)
        said = "ANALYZE TABLE runtimes" if writer.dialect.name in {"mysql", "mariadb"} else "ANALYZE runtimes"
        connection.exec_driver_sql(said).close()
        # In one environment an index by age would be one more for each row: there, a part of the fleet is sorted.
        lists = [RuntimeListing(sort=sort) for sort in RuntimeSort]
        for listing in [*lists, RuntimeListing(scope=RuntimeScope(environment="prod"))]:
            middle = place_of(read(connection, listing, 500, None).nodes[-1], listing.sort)
            for after in (None, middle):
                with told(writer) as statements:
                    assert len(read(connection, listing, 50, after).nodes) == 50
                reading = [one for one in statements if "ORDER BY" in one[0]]
                assert len(reading) == (1 if after is None else 2)
                plans = [plan_of(connection, *one) for one in reading]
                assert not [plan for plan in plans if BY_SORTING[writer.dialect.name] in plan]


def plan_of(connection: Connection, statement: str, values: Any) -> str:
    asking = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(asking + statement, values)
        return "\n".join(str(row) for row in cursor.fetchall())


def test_nobody_counts_who_is_not_asked_to(writer: Engine) -> None:
    with writer.connect() as connection, connection.begin():
        prepare(connection)
        add(connection, 22, NAMES)
        for counts in (False, True):
            with told(writer) as statements:
                page = runtime_rows.list_rows(
                    connection,
                    EVERYTHING,
                    RuntimeListing(),
                    lambda _key: Status.RUNNING,
                    PageRequest(first=5),
                    counts=counts,
                )
            assert page.total == (20 if counts else None)
            assert len([one for one in statements if "count(" in one[0]]) == int(counts)


def test_what_the_release_before_wrote_and_goes_on_writing_is_listed_in_its_place(blank: Database) -> None:
    """It writes names and knows nothing of what lists are sorted by."""
    engine = open_writer(blank)
    upgrade(engine, "0015")
    by_name = RuntimeListing()
    with engine.connect() as connection, connection.begin():
        prepare(connection)
        add(connection, 9, ["Delta", "bravo", None, "Charlie", "alpha"])
    upgrade(engine)
    with engine.connect() as connection, connection.begin():
        names = [row.name for row in walk(connection, by_name, 2)[0]]
        assert names == ["alpha", "bravo", "bravo", "Charlie", "Charlie", "Delta", "Delta", None, None]
        connection.execute(update(t.runtimes).where(t.runtimes.c.name == "alpha").values(name="ZULU"))
        connection.execute(text("UPDATE runtimes SET name = NULL WHERE name = 'bravo'"))
        connection.execute(text("UPDATE runtimes SET name = 'Bravo' WHERE name = 'Delta'"))
        names = [row.name for row in walk(connection, by_name, 2)[0]]
        assert names == ["Bravo", "Bravo", "Charlie", "Charlie", "ZULU", None, None, None, None]
    engine.dispose()
