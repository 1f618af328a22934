"""PostgreSQL is asked for lists of every length by one text, and finds what a place for each value would find."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from database_servers import running
from pilothouse.storage.counter_tables import counters
from pilothouse.storage.engine import open_writer
from pilothouse.storage.tables import organizations, users
from sqlalchemy import Connection, bindparam, event, insert, select, tuple_

pytestmark = pytest.mark.xdist_group("postgresql")
NAMES = ["plain", "", "a,b", '"quoted"', "{braces}", "back\\slash", "NULL", " spaces ", "日本", "x\ufffd"]
"""What an array would read otherwise, were it not quoted."""


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = open_writer(running("postgresql").fresh())
    with engine.connect() as made:
        rows = [{"id": f"id-{number}", "handle": name, "display_name": name} for number, name in enumerate(NAMES)]
        made.execute(insert(organizations), rows)
        made.execute(insert(counters), [{"name": f"of-{number}", "number": 2**40 + number} for number in range(3)])
        yield made
    engine.dispose()


def found(connection: Connection, names: Sequence[str | None]) -> list[str]:
    rows = connection.execute(select(organizations.c.handle).where(organizations.c.handle.in_(names)))
    return sorted(rows.scalars())


def test_each_text_is_found_by_itself_and_nothing_else(connection: Connection) -> None:
    for name in NAMES:
        assert found(connection, [name]) == [name]


def test_nothing_is_found_by_nothing_and_by_null(connection: Connection) -> None:
    assert found(connection, []) == []
    assert found(connection, [None]) == []
    assert found(connection, [None, "plain"]) == ["plain"]


def test_a_text_with_nul_finds_what_is_stored_in_its_place(connection: Connection) -> None:
    assert found(connection, ["x\0"]) == ["x\ufffd"]


def test_numbers_are_found_by_a_list_that_is_given_with_the_question(connection: Connection) -> None:
    asked = select(counters.c.name).where(counters.c.number.in_(bindparam("numbers", expanding=True)))
    assert sorted(connection.execute(asked, {"numbers": [2**40, 2**40 + 2, 7]}).scalars()) == ["of-0", "of-2"]
    assert connection.execute(asked, {"numbers": []}).scalars().all() == []


def test_instants_are_compared_as_they_are_stored(connection: Connection) -> None:
    names = dict.fromkeys(("id", "username", "display_name", "kind", "created_by"), "u")
    user = {**names, "organization_id": "id-0", "must_change_password": False, "created_at": 1.5}
    connection.execute(insert(users).values(user))
    asked = select(users.c.id).where(users.c.created_at.in_([0.25, 1.5]))
    assert connection.execute(asked).scalars().all() == ["u"]


def test_lists_of_every_length_are_asked_by_one_text(connection: Connection) -> None:
    texts: set[str] = set()

    def note(_connection: Any, _cursor: Any, text: str, *_more: Any) -> None:  # Any: SQLAlchemy's
        texts.add(text)

    event.listen(connection, "before_cursor_execute", note)
    for length in range(len(NAMES) + 1):
        assert found(connection, NAMES[:length]) == sorted(NAMES[:length])
    assert len(texts) == 1


def test_the_same_list_in_two_places_is_given_to_both(connection: Connection) -> None:
    wanted = organizations.c.id.in_(["id-1", "id-3"])
    twice = select(organizations.c.id).where(wanted).union_all(select(organizations.c.id).where(wanted))
    for _ in range(2):
        assert sorted(connection.execute(twice).scalars()) == ["id-1", "id-1", "id-3", "id-3"]


def test_what_is_not_in_a_list_and_lists_of_pairs_are_found_too(connection: Connection) -> None:
    c = organizations.c
    others = select(c.handle).where(c.handle.not_in(NAMES[1:]))
    assert connection.execute(others).scalars().all() == ["plain"]
    pairs = select(c.handle).where(tuple_(c.id, c.handle).in_([("id-0", "plain"), ("id-0", "a,b")]))
    assert connection.execute(pairs).scalars().all() == ["plain"]
