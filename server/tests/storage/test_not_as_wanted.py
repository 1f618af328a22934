"""What is not as wanted is found out of an index, and is what a look at every runtime finds."""

import random
from collections import defaultdict

import test_pages_of_runtimes as pages
from pilothouse.access.places import EVERYTHING, Place, Reach
from pilothouse.base.pages import PageRequest
from pilothouse.storage import not_as_wanted
from pilothouse.storage import tables as t
from pilothouse.storage.not_as_wanted import Listing, NotAsWanted
from sqlalchemy import Connection, Engine, insert, update

SETS = {"d": ("one", 0), "like-d": ("one", 0), "other": ("two", 0), "broken": ("one", 2), "unread": (None, None)}
"""What replicas should share of each set, and what failed of it."""


def fill(connection: Connection, count: int, sets: list[str]) -> None:
    """Add runtimes with these sets, a quarter of them offline."""
    pages.prepare(connection)
    pages.add(connection, count)
    for digest, (likeness, failed) in SETS.items():
        values = {"document": b"", "service_count": 0, "listener_count": 0, "stored_at": 1.0}
        if digest != "d":
            connection.execute(insert(t.artifact_sets).values(digest=digest, **values))
        told = {"likeness": likeness, "failed_count": failed}
        connection.execute(update(t.artifact_sets).where(t.artifact_sets.c.digest == digest).values(**told))
    chance = random.Random(11)  # noqa: S311 - a fixed scatter, no secret
    rows = [
        {"runtime_key": key, "seen_at": 1.0, "running_since": 1.0, "status": chance.choice(["RUNNING"] * 3 + ["OFFLINE"])}
        for key in range(1, count + 1)
    ]  # fmt: skip
    connection.execute(insert(t.runtime_presence), rows)
    for key in range(1, count + 1):
        c = t.runtimes.c
        if (chosen := chance.choice(sets)) != "d":
            connection.execute(update(t.runtimes).where(c.key == key).values(artifact_digest=chosen))


def ask(connection: Connection, reach: Reach = EVERYTHING) -> list[NotAsWanted]:
    page, tally = not_as_wanted.list_places(connection, reach, Listing(), PageRequest(first=50), stalled_before=0.0)
    assert page.total == tally.places == len(page.nodes)
    assert tally.differing == sum(place.forms > 1 for place in page.nodes)
    assert tally.failed == sum(place.failed > 0 for place in page.nodes)
    return list(page.nodes)


def looked_at_one_by_one(connection: Connection) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Find the same by a look at every runtime: running, forms and failed by place."""
    r, p = t.runtimes, t.runtime_presence
    found = defaultdict(list)
    for row in connection.execute(r.join(p).select().where(r.c.retired_at.is_(None), p.c.status == "RUNNING")):
        found[row.integration_id, row.environment_id].append(SETS[row.artifact_digest])
    numbers = {
        place: (len(sets), len({each for each, _ in sets} - {None}), sum(failed or 0 for _, failed in sets))
        for place, sets in found.items()
    }
    return {place: told for place, told in numbers.items() if told[1] > 1 or told[2]}


def test_it_is_what_a_look_at_every_runtime_finds(writer: Engine) -> None:
    # Few of each place, so that some differ and some do not; other seeds of sets change which.
    for sets in (["d", "like-d"], ["d"] * 6 + ["other"], ["d"] * 6 + ["broken"], ["d", "unread"], list(SETS)):
        with writer.connect() as connection, connection.begin() as undone:
            fill(connection, 26, sets)
            found = {
                (place.integration_handle.replace("h", "i"), place.environment_handle): place
                for place in ask(connection)
            }
            numbers = {at: (place.running, place.forms, place.failed) for at, place in found.items()}
            assert numbers == looked_at_one_by_one(connection)
            in_dev = Reach([Place(environment_id="dev")])
            assert {place.environment_handle for place in ask(connection, in_dev)} <= {"dev"}
            undone.rollback()


def test_a_fleet_that_is_as_wanted_is_told_so_out_of_an_index_alone(writer: Engine) -> None:
    with writer.connect() as connection, connection.begin():
        fill(connection, 3_000, ["d"])
        said = "ANALYZE TABLE runtimes" if writer.dialect.name in {"mysql", "mariadb"} else "ANALYZE runtimes"
        connection.exec_driver_sql(said).close()
        with pages.told(writer) as statements:
            assert ask(connection) == []
        (asked,) = statements
        if writer.dialect.name == "postgresql":  # so few rows it would read as they lie
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        assert "ix_runtimes_artifacts" in pages.plan_of(connection, *asked)


def test_where_more_are_suspect_than_are_named_all_are_found(writer: Engine, monkeypatch) -> None:
    with writer.connect() as connection, connection.begin():
        fill(connection, 40, ["d", "other"])
        named = ask(connection)
        monkeypatch.setattr(not_as_wanted, "_NAMED_MAX", 1)
        assert ask(connection) == named
        assert len(named) == 4
