"""The schema that the migrations make is the schema of the tables, and a newer database is not touched."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from database_servers import SERVED, running
from pilothouse.base.errors import CannotStart
from pilothouse.base.place import Database, embedded
from pilothouse.storage.engine import open_writer
from pilothouse.storage.migrate import require_current, status, upgrade
from pilothouse.storage.tables import artifact_sets, metadata, organizations
from sqlalchemy import Engine, Float, Inspector, insert, inspect, literal, select, text


@pytest.fixture
def engine(blank: Database):
    opened = open_writer(blank)
    yield opened
    opened.dispose()


# Alembic compares what is computed letter by letter, and MariaDB writes it in its own way; the next test compares both as told.
@pytest.mark.filterwarnings("ignore:Computed default on runtimes.sort_name")
def test_migrations_and_tables_give_one_schema(engine) -> None:
    upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_every_constraint_of_the_tables_is_in_the_migrated_schema(
    database: Database, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    fresh = embedded(tmp_path / "fresh.db") if database.is_embedded else running(database.kind).blank()
    engine, created = open_writer(database), open_writer(fresh)
    metadata.create_all(created)
    ours, theirs = inspect(engine), inspect(created)
    for table in metadata.tables:
        for ask in ("get_foreign_keys", "get_unique_constraints", "get_indexes", "get_pk_constraint", "get_columns"):
            assert told(ours, ask, table) == told(theirs, ask, table)
    engine.dispose()
    created.dispose()


@pytest.mark.xdist_group("postgresql")
def test_postgresql_has_room_beside_each_row_of_last_seen() -> None:
    """Both where migrations made the table and where the tables did: else every flush would write to its indexes."""
    asked = text("select reloptions from pg_class where relname = 'runtime_presence'")
    for make in (upgrade, metadata.create_all):
        opened = open_writer(running("postgresql").blank())
        make(opened)
        with opened.connect() as connection:
            assert connection.execute(asked).scalar_one() == ["fillfactor=45"]
        opened.dispose()


def told(inspector: Inspector, ask: str, table: str) -> list[str]:
    """Put what a database tells into one order; columns were added at the end by later migrations."""
    found = getattr(inspector, ask)(table)
    return sorted(str(sorted(one.items(), key=str)) for one in (found if isinstance(found, list) else [found]))


def test_upgrading_twice_changes_nothing(engine) -> None:
    upgrade(engine)
    upgrade(engine)
    with engine.connect() as connection:
        assert connection.execute(text("select count(*) from alembic_version")).scalar_one() == 1


def test_a_database_of_a_newer_release_is_refused_and_left_alone(engine) -> None:
    upgrade(engine)
    with engine.connect() as connection, connection.begin():
        connection.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(CannotStart, match="9999"):
        upgrade(engine)


def test_a_database_without_a_schema_is_refused_with_the_command_that_makes_it(engine) -> None:
    with pytest.raises(CannotStart, match="no schema yet") as refused:
        require_current(engine)
    assert "pilothouse db upgrade" in refused.value.fix
    found = status(engine)
    assert (found.current, len(found.pending), found.is_known) == (None, int(found.newest), True)
    upgrade(engine)
    require_current(engine)
    assert status(engine).pending == ()


def test_of_several_that_migrate_at_once_one_does_and_the_others_find_it_done(blank: Database) -> None:
    engines = [open_writer(blank) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(upgrade, engines))
    for engine in engines:
        require_current(engine)
        engine.dispose()


@pytest.mark.parametrize(
    ("to", "begun", "fix"), [("0003", "audit_anchors", "restore"), ("base", "organizations", "empty")]
)
@pytest.mark.parametrize("kind", SERVED[1:])  # PostgreSQL leaves nothing behind
def test_an_upgrade_that_was_interrupted_is_told_with_the_way_to_mend_it(
    kind: str, to: str, begun: str, fix: str
) -> None:
    engine = open_writer(running(kind).blank())
    if to != "base":
        upgrade(engine, to)
    with engine.connect() as connection:
        connection.execute(text(f"create table {begun} (id int)"))  # which stays, as of one that was killed
    with pytest.raises(CannotStart, match=f"stopped halfway.*'{begun}' already exists") as refused:
        upgrade(engine)
    assert fix in refused.value.fix
    assert status(engine).current == (None if to == "base" else to)
    engine.dispose()


def test_text_is_compared_by_its_octets_whatever_the_server_was_set_up_with(writer: Engine) -> None:
    words = ["a", "A", "é", "e", "Z", "ß", "a ", "日本", "😀"]
    with writer.connect() as connection, connection.begin():
        for word in words:
            connection.execute(insert(organizations).values(id=word, handle=word, display_name=""))
        found = connection.execute(select(organizations.c.handle).order_by(organizations.c.handle)).scalars().all()
        assert found == sorted(words)
        assert connection.execute(select(organizations.c.id).where(organizations.c.handle == "a")).scalars().all() == [
            "a"
        ]


def test_numbers_and_octets_come_back_as_they_went(writer: Engine) -> None:
    octets, fraction, instant = bytes(range(256)) * 1024, 0.1 + 0.2, 1_790_000_000.123
    with writer.connect() as connection, connection.begin():
        row = {"digest": "d", "document": octets, "service_count": 1, "listener_count": 2, "stored_at": instant}
        row |= {"likeness": None, "failed_count": None}
        connection.execute(insert(artifact_sets).values(row))
        assert dict(connection.execute(select(artifact_sets)).mappings().one()) == row
        cast_back = connection.execute(select(literal(fraction, Float))).scalar_one()
        assert cast_back == fraction
