"""The schema that the migrations make is the schema of the tables, and a newer database is not touched."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pilothouse.base.errors import CannotStart
from pilothouse.storage.engine import open_writer
from pilothouse.storage.migrate import upgrade
from pilothouse.storage.tables import metadata
from sqlalchemy import inspect, text


@pytest.fixture
def engine(tmp_path: Path):
    opened = open_writer(tmp_path / "pilothouse.db")
    yield opened
    opened.dispose()


def test_migrations_and_tables_give_one_schema(engine) -> None:
    upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_every_constraint_of_the_tables_is_in_the_migrated_schema(engine, tmp_path: Path) -> None:
    upgrade(engine)
    fresh = open_writer(tmp_path / "fresh.db")
    metadata.create_all(fresh)
    for table in metadata.tables:
        ours, theirs = inspect(engine), inspect(fresh)
        assert sorted(ours.get_foreign_keys(table), key=str) == sorted(theirs.get_foreign_keys(table), key=str)
        assert sorted(ours.get_unique_constraints(table), key=str) == sorted(
            theirs.get_unique_constraints(table), key=str
        )
        assert sorted(ours.get_indexes(table), key=str) == sorted(theirs.get_indexes(table), key=str)
    fresh.dispose()


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
