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
from pilothouse.storage.runtime_rows import Known, RuntimeListing, RuntimeScope, RuntimeSort
from sqlalchemy import Connection, Engine, event, insert, text, update

NAMES = ["Beta", "alpha", "Alpha", "same", "same", "same", "same", None, None, "zulu", "ßeta"]
ALL_RUN = Known(judge=lambda _key: Status.RUNNING, count=lambda *_: 0, few=lambda *_: None)
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
    known: Known = ALL_RUN,
) -> Page[RuntimeRow]:
    request = PageRequest(first=first, after=after)
    return runtime_rows.list_rows(connection, reach, listing, known, request)


def place_of(row: RuntimeRow, sort: RuntimeSort) -> tuple[str, ...]:
    """What a cursor behind a row holds; the names of these tests are lowered alike everywhere."""
    if sort is RuntimeSort.NAME:
        return ("\uffff" if row.name is None else row.name.lower(), row.id)
    return (str(round(row.registered_at * 1_000)), row.id)


def walk(
    connection: Connection, listing: RuntimeListing, size: int, reach: Reach = EVERYTHING, known: Known = ALL_RUN
) -> tuple[list[RuntimeRow], int | None]:
    """Read a list page by page."""
    seen: list[RuntimeRow] = []
    while True:
        page = read(connection, listing, size, place_of(seen[-1], listing.sort) if seen else None, reach, known)
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
                    ALL_RUN,
                    PageRequest(first=5),
                    counts=counts,
                )
            assert page.total == (20 if counts else None)
            assert len([one for one in statements if "count(" in one[0]]) == int(counts)


def one_in(count: int) -> Known:
    """One in so many is offline."""
    return Known(
        judge=lambda key: Status.RUNNING if key % count else Status.OFFLINE,
        count=lambda _reach, _place, _type, states: (
            9_000 * (Status.RUNNING in states) + 1_500 * (Status.OFFLINE in states)
        ),
        few=lambda *_: None,
    )


def test_pages_of_a_state_neither_skip_nor_repeat_whether_its_runtimes_are_named_or_found(writer: Engine) -> None:
    with writer.connect() as connection, connection.begin():
        prepare(connection)
        add(connection, 300, NAMES)
        known = one_in(9)
        named = msgspec.structs.replace(known, few=lambda *_: range(0, 301, 9))
        for scope, sort in product([RuntimeScope(), RuntimeScope(project="h1")], RuntimeSort):
            whole, _ = walk(connection, RuntimeListing(scope=scope, sort=sort), 500)
            offline = RuntimeListing(scope=scope, sort=sort, statuses=(Status.OFFLINE,))
            wanted = [row for row in whole if not row.key % 9]
            assert 10 < len(wanted) < 40
            for size, how in product([1, 4, 500], [known, named]):
                assert walk(connection, offline, size, known=how)[0] == wanted
        assert walk(connection, offline, 5, known=one_in(1_000))[0] == []


def test_a_page_of_a_state_that_many_are_in_reads_as_many_rows_as_it_takes(writer: Engine) -> None:
    judged: list[int] = []
    with writer.connect() as connection, connection.begin():
        prepare(connection)
        add(connection, 3_000)
        known = one_in(5)
        watched = msgspec.structs.replace(known, judge=lambda key: judged.append(key) or known.judge(key))
        listing = RuntimeListing(statuses=(Status.OFFLINE,))
        assert len(read(connection, listing, 20, None, known=watched).nodes) == 20
    assert len(judged) < 600


def test_long_lists_are_counted_in_memory_and_never_as_fewer_than_were_seen(writer: Engine) -> None:
    def count(
        number: int, listing: RuntimeListing, first: int = 5, reach: Reach = EVERYTHING
    ) -> tuple[int | None, bool]:
        known = msgspec.structs.replace(ALL_RUN, count=lambda *_: number)
        with told(writer) as statements:
            page = read(connection, listing, first, None, reach, known)
        return page.total, any("count(" in one[0] for one in statements)

    with writer.connect() as connection, connection.begin():
        prepare(connection)
        add(connection, 1_200)
        everybody, in_dev = RuntimeListing(), RuntimeListing(scope=RuntimeScope(environment="dev"))
        assert count(5_000, everybody) == count(5_000, in_dev) == (5_000, False)
        assert count(5_000, RuntimeListing(statuses=(Status.RUNNING,))) == (5_000, False)
        # What memory does not know, and what is no more than a thousand as far as it knows, the database counts.
        assert count(1_000, everybody) == (1_091, True)
        assert count(1_000, RuntimeListing(statuses=(Status.RUNNING,)))[0] == 1_091
        assert count(5_000, RuntimeListing(scope=RuntimeScope(search="node"))) == (1_091, True)
        # Who has seen the whole list has counted it.
        of_place = RuntimeListing(scope=RuntimeScope(project="h1", integration="h1", environment="dev"))
        whole = len(read(connection, of_place, 500, None).nodes)
        assert count(5_000, of_place, first=500) == (whole, False)
        assert count(5_000, RuntimeListing(scope=RuntimeScope(project="none"))) == (0, False)


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
