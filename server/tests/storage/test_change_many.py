"""Many rows are changed at once, on every database, with values as they are stored one by one."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pilothouse.domain.liveness import Status
from pilothouse.domain.presence import Heard, Seen
from pilothouse.storage import presence, statements
from pilothouse.storage.statements import change_many
from pilothouse.storage.tables import runtime_presence
from sqlalchemy import Connection, Engine, ForeignKeyConstraint, delete, event, insert, select, text

ROWS = [
    {"runtime_key": 1, "seen_at": 1.0, "interval_s": None, "address": None, "running_since": 1.0, "status": "RUNNING"},
    {
        "runtime_key": 2,
        "seen_at": 2.0,
        "interval_s": 1.5,
        "address": "10.0.0.2",
        "running_since": 2.0,
        "status": "RUNNING",
    },
    {"runtime_key": 3, "seen_at": 3.0, "interval_s": 2.5, "address": "::1", "running_since": 3.0, "status": "OFFLINE"},
]


def change(
    connection: Connection, rows: Sequence[Mapping[str, Any]], newest: Mapping[str, str] | None = None, **how: Any
) -> None:
    columns = {name: [row[name] for row in rows] for name in (rows or ROWS)[0]}
    change_many(connection, runtime_presence, columns, newest=newest or {}, **how)


def heard(*values: Any) -> Heard:
    names = Heard.__struct_fields__
    return Heard(**dict(zip(names, (*values, *[None] * (len(names) - len(values))), strict=True)))


def unbind(engine: Engine) -> None:
    """Let presence stand alone: this is about its statement."""
    with engine.connect() as connection, connection.begin():
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("DROP TABLE runtime_presence")
            connection.exec_driver_sql(
                "CREATE TABLE runtime_presence (runtime_key INTEGER PRIMARY KEY, seen_at BIGINT, interval_s FLOAT,"
                " address TEXT, running_since BIGINT, status TEXT, via TEXT, seen_number BIGINT, change_number BIGINT,"
                " channel_at BIGINT, departed_at BIGINT, departed_how TEXT, told TEXT)"
            )
            return
        names = [one.name for one in runtime_presence.constraints if isinstance(one, ForeignKeyConstraint)]
        word = "CONSTRAINT" if engine.dialect.name == "postgresql" else "FOREIGN KEY"
        for name in names:
            connection.execute(text(f"ALTER TABLE runtime_presence DROP {word} {name}"))


def test_values_arrive_as_they_were_given_and_who_is_not_named_keeps_theirs(writer: Engine) -> None:
    unbind(writer)
    changed = [
        ROWS[0]
        | {
            "seen_at": 1_790_000_000.123,
            "interval_s": 0.1 + 0.2,
            "address": "a\"b\\c'; %s\n\x1a\\' -- 日本",
            "status": "OFFLINE",
        },
        ROWS[1] | {"interval_s": None, "address": None},
        ROWS[2] | {"runtime_key": 99},
    ]
    with writer.connect() as connection, connection.begin():
        connection.execute(insert(runtime_presence), ROWS)
        change(connection, changed)
        change(connection, [])
        found = connection.execute(select(runtime_presence).order_by(runtime_presence.c.runtime_key)).mappings().all()
    assert [{name: row[name] for name in ROWS[0]} for row in found] == [changed[0], changed[1], ROWS[2]]


def test_more_rows_than_one_statement_changes_are_changed_by_several_of_bounded_size(writer: Engine) -> None:
    """A flush of very many runtimes is neither refused by the server for its size nor written in one breath."""
    unbind(writer)
    count = 2 * statements.ROWS_AT_ONCE + 1
    sizes: list[int] = []

    def note(*arguments: Any) -> None:
        values = arguments[3]
        sizes.append(sum(len(str(value)) for value in (values.values() if isinstance(values, dict) else values)))

    with writer.connect() as connection, connection.begin():
        connection.execute(
            insert(runtime_presence), [ROWS[0] | {"runtime_key": key, "address": "x" * 64} for key in range(count)]
        )
        event.listen(writer, "before_cursor_execute", note)
        change(
            connection,
            [ROWS[0] | {"runtime_key": key, "seen_at": key + 0.5, "address": "y" * 64} for key in range(count)],
        )
        event.remove(writer, "before_cursor_execute", note)
        found = connection.execute(
            select(runtime_presence.c.seen_at).order_by(runtime_presence.c.runtime_key)
        ).scalars()
        assert list(found) == [key + 0.5 for key in range(count)]
    assert len(sizes) == 3
    if writer.dialect.name != "sqlite":
        assert max(sizes) < 4 * 2**20


def test_of_a_column_that_goes_with_another_the_newest_stands_whichever_comes_last(writer: Engine) -> None:
    unbind(writer)
    newest = {"seen_at": "seen_at", "address": "seen_at", "departed_at": "departed_at", "departed_how": "departed_at"}
    told = [
        {"runtime_key": 1, "seen_at": 20.0, "address": "new", "departed_at": None, "departed_how": None},
        {"runtime_key": 1, "seen_at": 10.0, "address": "old", "departed_at": 15.0, "departed_how": "goodbye"},
        {"runtime_key": 1, "seen_at": 5.0, "address": "oldest", "departed_at": 12.0, "departed_how": "broken"},
    ]
    for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2)):
        with writer.connect() as connection, connection.begin():
            connection.execute(delete(runtime_presence))
            connection.execute(insert(runtime_presence), ROWS)
            for number in order:
                change(connection, [told[number]], newest)
            wanted = select(*(runtime_presence.c[name] for name in newest)).where(runtime_presence.c.runtime_key == 1)
            assert tuple(connection.execute(wanted).one()) == (20.0, "new", 15.0, "goodbye"), order


def test_what_is_the_same_in_all_rows_is_stored_in_those_that_do_not_become_older(writer: Engine) -> None:
    unbind(writer)
    told = [
        {"runtime_key": 3, "seen_at": 2.9, "address": "older"},
        {"runtime_key": 1, "seen_at": 1.0, "address": "as old"},
        {"runtime_key": 2, "seen_at": 2.1, "address": None},
    ]
    with writer.connect() as connection, connection.begin():
        connection.execute(insert(runtime_presence), ROWS)
        change(connection, told, same={"via": 'a"replica%', "seen_number": 2**40}, unless_older="seen_at")
        wanted = select(*(runtime_presence.c[name] for name in ("seen_at", "address", "via", "seen_number")))
        found = connection.execute(wanted.order_by(runtime_presence.c.runtime_key)).all()
    assert [tuple(row) for row in found] == [
        (1.0, "as old", 'a"replica%', 2**40),
        (2.1, None, 'a"replica%', 2**40),
        (3.0, "::1", None, None),
    ]


@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e-9, 1e20])
@pytest.mark.parametrize("apart", [1, 2, 3, 100])
def test_rows_whose_numbers_lie_close_together_or_far_apart_are_changed_alike(
    writer: Engine, apart: int, scale: float
) -> None:
    """Those between them, those that are not there and those that would become older stay as they are."""
    unbind(writer)
    there = [
        ROWS[0] | {"runtime_key": key, "seen_at": 10.0 + key % 3, "address": "before"} for key in range(1, 601, apart)
    ] + [
        ROWS[0] | {"runtime_key": key, "seen_at": 1.0, "address": "between"}
        for key in range(2, 600, 50 * apart)
        if apart > 1
    ]
    told = [
        {
            "runtime_key": key,
            "seen_at": 11.001,
            "interval_s": None if key % 5 else (0.1 + key) * scale,
            "address": f"it's \\ {key} %s, ' 日",
        }
        for key in range(1, 701, apart)
        if key % 7
    ]
    with writer.connect() as connection, connection.begin():
        connection.execute(insert(runtime_presence), there)
        change(connection, told, same={"via": "me", "seen_number": 7}, unless_older="seen_at")
        wanted = select(
            *(runtime_presence.c[name] for name in ("runtime_key", "seen_at", "interval_s", "address", "via"))
        )
        found = {row[0]: tuple(row) for row in connection.execute(wanted)}
    expected = {row["runtime_key"]: (row["runtime_key"], row["seen_at"], None, row["address"], None) for row in there}
    for row in told:
        if row["runtime_key"] in expected and expected[row["runtime_key"]][1] <= row["seen_at"]:
            expected[row["runtime_key"]] = (*row.values(), "me")
    assert found == expected


def test_of_a_runtime_of_which_only_beats_came_everything_else_stays_as_it_was_stored(writer: Engine) -> None:
    unbind(writer)
    told = [
        Seen(1, 7.0, 2.5, None),
        Seen(2, 8.0, None, ("10.0.0.9", 3.0, Status.OFFLINE)),
        Seen(99, 9.0, None, ("::9", 9.0, Status.RUNNING)),
    ]
    with writer.connect() as connection, connection.begin():
        connection.execute(insert(runtime_presence), ROWS)
        presence.save(connection, told)
        presence.save(connection, [])
        found = connection.execute(select(runtime_presence).order_by(runtime_presence.c.runtime_key)).mappings().all()
    assert [{name: row[name] for name in ROWS[0]} for row in found] == [
        ROWS[0] | {"seen_at": 7.0, "interval_s": 2.5},
        ROWS[1]
        | {"seen_at": 8.0, "interval_s": None, "address": "10.0.0.9", "running_since": 3.0, "status": "OFFLINE"},
        ROWS[2],
    ]


def test_beats_that_others_heard_later_stand_whether_or_not_a_channel_comes_with_what_was_heard_here(
    writer: Engine,
) -> None:
    unbind(writer)
    told = [
        heard(1, 10.0, 1.0, "a"),
        heard(2, 1.5, 9.0, "late"),
        heard(3, 2.5, 9.0, "late", 2.25, 2.5, "broken"),
    ]
    wanted = select(*(runtime_presence.c[name] for name in (*Heard.__struct_fields__, "via")))
    with writer.connect() as connection, connection.begin():
        connection.execute(insert(runtime_presence), ROWS)
        presence.save_shared(connection, told, "me", 11.0)
        found = connection.execute(wanted.order_by(runtime_presence.c.runtime_key)).all()
    assert [tuple(row) for row in found] == [
        (1, 10.0, 1.0, "a", None, None, None, "me"),
        (2, 2.0, 1.5, "10.0.0.2", None, None, None, None),
        (3, 3.0, 2.5, "::1", 2.25, 2.5, "broken", None),
    ]
