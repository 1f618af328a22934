"""SQL Server and Oracle, which no test has, and MySQL, which few have: schema, migrations and statements are written for them, and looked at."""

import io
from collections import defaultdict

import compiling
import pytest
from alembic import command
from pilothouse.storage import (
    alert_tables,
    archive_numbers,
    claim_tables,
    counter_tables,
    ingest_tables,
    kept_tables,
    migrate,
    replica_tables,
    statements,
    telemetry_origin_tables,
    try_it_tables,
)
from pilothouse.storage.tables import group_members, metadata, runtime_reports, users
from sqlalchemy import UniqueConstraint, case, delete, exists, func, select, true, update
from sqlalchemy.schema import CreateIndex, CreateTable

ROOMS = (
    alert_tables,
    claim_tables,
    counter_tables,
    ingest_tables,
    kept_tables,
    replica_tables,
    telemetry_origin_tables,
    try_it_tables,
)
NAMES = sorted(compiling.DIALECTS)
ENTRY_BYTES = {"mssql": 1_700, "mysql": 3_072, "mariadb": 3_072, "oracle": 6_398, "postgresql": 2_700}
"""How long an entry of an index may be."""
OCTETS = {"mssql": 2, "mysql": 4, "mariadb": 4, "oracle": 4, "postgresql": 4}
"""Of one letter, at most."""


@pytest.mark.parametrize("name", NAMES)
def test_every_table_and_index_is_written_for_it(name: str) -> None:
    dialect = compiling.DIALECTS[name]
    assert ROOMS
    for table in metadata.sorted_tables:
        assert f"CREATE TABLE {table.name}" in str(CreateTable(table).compile(dialect=dialect)).replace(
            '"', ""
        ).replace("`", "").replace("[", "").replace("]", "")
        for index in table.indexes:
            assert index.name
            assert str(CreateIndex(index).compile(dialect=dialect))
            assert len(index.name) <= compiling.LIMITS[name], index.name
        for constraint in table.constraints:
            assert len(str(constraint.name or "")) <= compiling.LIMITS[name], constraint.name


@pytest.mark.parametrize("name", NAMES)
def test_no_index_is_longer_than_it_takes(name: str) -> None:
    for table in metadata.sorted_tables:
        sets = [table.primary_key.columns, *(index.columns for index in table.indexes)]
        sets += [one.columns for one in table.constraints if isinstance(one, UniqueConstraint)]
        for columns in sets:
            length = sum((getattr(column.type, "length", None) or 8) * OCTETS[name] for column in columns)
            assert length <= ENTRY_BYTES[name], (table.name, [column.name for column in columns])


@pytest.mark.parametrize("name", NAMES)
def test_every_migration_is_written_for_it(name: str) -> None:
    told = migrations(name)
    for table in metadata.tables:
        assert f"CREATE TABLE {table} " in told.replace('"', "").replace("`", "").replace("[", "").replace("]", "")
    if name in {"mysql", "mariadb"}:
        assert " TEXT" not in told
        assert " BLOB" not in told
        assert " FLOAT" not in told


def test_no_row_is_deleted_by_two_ways_at_once() -> None:
    """SQL Server refuses a schema in which one deletion reaches a table by two cascades."""
    ways: dict[str, list[str]] = defaultdict(list)
    for table in metadata.tables.values():
        for key in table.foreign_keys:
            if key.ondelete in {"CASCADE", "SET NULL"} and not statements.is_left_to_us(key.constraint):
                ways[key.column.table.name].append(table.name)

    def count(start: str, into: dict[str, int]) -> None:
        for table in ways[start]:
            into[table] += 1
            count(table, into)

    for start in list(ways):
        reached: dict[str, int] = defaultdict(int)
        count(start, reached)
        assert not {table for table, times in reached.items() if times > 1}, start


def test_what_other_databases_refuse_is_noticed() -> None:
    also, known = users.alias(), group_members
    bad = [
        (select(exists().where(users.c.id == "a")), "a condition is no value"),
        (select(users.c.id).where(users.c.email.is_(None) == true()), "a condition is no value"),
        (select(func.coalesce(users.c.email.is_(None), False)), "a condition is no value"),
        (select(runtime_reports.c.document).distinct(), "DISTINCT"),
        (delete(users).where(users.c.id.in_(select(users.c.id))), "changes no table"),
        (update(users).where(users.c.id.in_(select(also.c.id))).values(email="a"), "changes no table"),
        (delete(users).where(users.c.id.in_(select(known.c.user_id).join(users))), "changes no table"),
    ]
    for statement, reason in bad:
        assert any(reason in told for told in compiling.refused_elsewhere(statement))
    good = [
        select(case((exists().where(users.c.id == "a"), 1), else_=0)),
        delete(users).where(~exists(select(known.c.user_id).where(known.c.user_id == users.c.id))),
    ]
    for statement in good:
        assert list(compiling.refused_elsewhere(statement)) == []


def test_what_may_be_null_is_unique_on_sql_server_only_where_it_is_known() -> None:
    """Two nulls are equal there: without this, one person with a password would be all that there may be."""
    dialect = compiling.DIALECTS["mssql"]
    (constraint,) = [one for one in users.constraints if one.name == "uq_users_issuer_external_subject"]
    known = "(issuer, external_subject) WHERE issuer IS NOT NULL AND external_subject IS NOT NULL"
    assert f"INDEX {constraint.name} UNIQUE {known}" in str(CreateTable(users).compile(dialect=dialect))
    assert f"CREATE UNIQUE INDEX {constraint.name} ON users {known}" in migrations("mssql")
    for table in metadata.sorted_tables:
        for one in table.constraints:
            if isinstance(one, UniqueConstraint) and not any(column.nullable for column in one.columns):
                assert f"CONSTRAINT {one.name} UNIQUE (" in str(CreateTable(table).compile(dialect=dialect))


def test_oracle_is_told_which_columns_it_numbers() -> None:
    growing = archive_numbers.growing()
    assert len(growing) > 5
    written = migrations("oracle").replace('"', "")
    for name, column in growing.items():
        (table,) = [part for part in written.split("CREATE TABLE ") if part.startswith(f"{name} (")]
        assert f"{column} NUMBER(19) GENERATED BY DEFAULT AS IDENTITY NOT NULL" in table
    assert written.count("IDENTITY") == len(growing)


def migrations(name: str) -> str:
    """Write all migrations down."""
    config, written = migrate._config(), io.StringIO()
    config.attributes |= {"dialect": compiling.DIALECTS[name], "buffer": written}
    command.upgrade(config, "head", sql=True)
    return written.getvalue()
