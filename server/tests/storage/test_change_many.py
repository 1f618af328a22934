"""Many rows are changed at once, on every database, with values as they are stored one by one."""

from typing import Any

from pilothouse.storage import statements
from pilothouse.storage.statements import change_many
from pilothouse.storage.tables import runtime_presence
from sqlalchemy import Engine, ForeignKeyConstraint, delete, event, insert, select, text

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
        | {"seen_at": 1_790_000_000.123, "interval_s": 0.1 + 0.2, "address": 'a"b\\c 日本', "status": "OFFLINE"},
        ROWS[1] | {"interval_s": None, "address": None},
        ROWS[2] | {"runtime_key": 99},
    ]
    with writer.connect() as connection, connection.begin():
        connection.execute(insert(runtime_presence), ROWS)
        change_many(connection, runtime_presence, changed)
        change_many(connection, runtime_presence, [])
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
        change_many(
            connection,
            runtime_presence,
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
                change_many(connection, runtime_presence, [told[number]], newest)
            wanted = select(*(runtime_presence.c[name] for name in newest)).where(runtime_presence.c.runtime_key == 1)
            assert tuple(connection.execute(wanted).one()) == (20.0, "new", 15.0, "goodbye"), order
