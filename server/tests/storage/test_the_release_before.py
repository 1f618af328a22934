"""The release before this one works on this one's schema: it writes what it knows, and what it does not know fills itself."""

import pytest
from pilothouse.base.place import embedded
from pilothouse.storage.engine import open_writer
from pilothouse.storage.migrate import upgrade
from sqlalchemy import Column, Engine, MetaData, String

RELEASED = "0008"
"""The schema of the last release."""


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> tuple[MetaData, MetaData]:
    """The released schema, and the one that an upgrade makes of it."""
    engine = open_writer(embedded(tmp_path_factory.mktemp("released") / "pilothouse.db"))
    upgrade(engine, RELEASED)
    before = told(engine)
    upgrade(engine)
    after = told(engine)
    engine.dispose()
    return before, after


def told(engine: Engine) -> MetaData:
    metadata = MetaData()
    metadata.reflect(engine)
    return metadata


def test_no_table_and_no_column_that_it_reads_is_gone_or_narrower(schemas: tuple[MetaData, MetaData]) -> None:
    before, after = schemas
    assert len(before.tables) > 20
    for name, table in before.tables.items():
        for column in table.columns:
            now: Column = after.tables[name].columns[column.name]
            assert isinstance(now.type, type(column.type)), f"{name}.{column.name}"
            assert now.nullable or not column.nullable, f"{name}.{column.name} refuses nulls that it writes"
            if isinstance(column.type, String) and now.type.length is not None:
                assert now.type.length >= (column.type.length or 0), f"{name}.{column.name} is shorter"


def test_every_column_that_it_does_not_know_fills_itself(schemas: tuple[MetaData, MetaData]) -> None:
    before, after = schemas
    for name, table in before.tables.items():
        for column in after.tables[name].columns:
            if column.name not in table.columns:
                assert column.nullable or column.server_default is not None, f"{name}.{column.name} must be written"


def test_nothing_is_unique_now_that_it_writes_twice(schemas: tuple[MetaData, MetaData]) -> None:
    def unique(metadata: MetaData, name: str) -> set[tuple[str, ...]]:
        table = metadata.tables[name]
        found = {tuple(index.columns.keys()) for index in table.indexes if index.unique}
        return found | {
            tuple(one.columns.keys()) for one in table.constraints if type(one).__name__ == "UniqueConstraint"
        }

    before, after = schemas
    for name in before.tables:
        assert unique(after, name) <= unique(before, name), name
