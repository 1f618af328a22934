"""A small organization on a real SQLite: two projects with two integrations each, two environments, a runtime in every place."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from pilothouse.access.grants import EVERYWHERE, Grant, Place
from pilothouse.access.permissions import GRANTABLE
from pilothouse.storage.engine import open_writer
from pilothouse.storage.tables import environments, integrations, metadata, organizations, projects, runtimes
from sqlalchemy import Connection, Table, insert

ORGANIZATION = "org"
PROJECTS = ("p1", "p2")
INTEGRATIONS = {"p1": ("p1-a", "p1-b"), "p2": ("p2-a", "p2-b")}
ENVIRONMENTS = ("dev", "prod")
LEAVES = [
    Place(project_id=project, integration_id=integration, environment_id=environment)
    for project in PROJECTS
    for integration, environment in product(INTEGRATIONS[project], ENVIRONMENTS)
]
"""Where runtimes live."""

_trees = [
    EVERYWHERE,
    *(Place(project_id=project) for project in PROJECTS),
    *(Place(project_id=project, integration_id=each) for project in PROJECTS for each in INTEGRATIONS[project]),
]
PLACES = [
    Place(project_id=tree.project_id, integration_id=tree.integration_id, environment_id=environment)
    for tree in _trees
    for environment in (None, *ENVIRONMENTS)
]
"""Every place that can be named."""

places = st.sampled_from(PLACES)
permissions = st.sampled_from(sorted(GRANTABLE))
grants = st.lists(
    st.builds(
        Grant,
        mapping_id=st.integers(1, 99),
        group_id=st.just("g"),
        group_name=st.just("Group"),
        role_id=st.just("r"),
        role_name=st.just("Role"),
        permissions=st.frozensets(permissions, min_size=1, max_size=3),
        scope=places,
    ),
    max_size=6,
)


def fill(connection: Connection) -> None:
    """Make the tables and the tree."""
    metadata.create_all(connection)
    _add(connection, organizations, id=ORGANIZATION, handle="org", display_name="Org")
    for environment in ENVIRONMENTS:
        _add(connection, environments, id=environment, organization_id=ORGANIZATION, handle=environment, critical=False)
    for project in PROJECTS:
        _add(connection, projects, id=project, organization_id=ORGANIZATION, handle=project, display_name=project)
        for integration in INTEGRATIONS[project]:
            _add(
                connection,
                integrations,
                id=integration,
                organization_id=ORGANIZATION,
                project_id=project,
                handle=integration,
                runtime_type="BI",
            )


def add_runtimes(connection: Connection) -> None:
    """Put a runtime into every place; what it hosts does not matter."""
    connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")  # never committed
    for number, leaf in enumerate(LEAVES, 1):
        _add(
            connection,
            runtimes,
            key=number,
            id=f"id-{number}",
            runtime_id=f"runtime-{number}",
            integration_id=leaf.integration_id,
            environment_id=leaf.environment_id,
        )


@contextmanager
def opened(path: Path) -> Iterator[Connection]:
    """Open a database; what is not committed is forgotten."""
    engine = open_writer(path)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _add(connection: Connection, table: Table, **values: Any) -> None:
    """Store a row; what is not given and must be there is empty."""
    given = {name: value for name, value in values.items() if name in table.c}
    for column in table.columns:
        if column.name not in given and not column.nullable and column.autoincrement is not True:
            given[column.name] = _empty(column.type)
    connection.execute(insert(table).values(given))


def _empty(kind: Any) -> Any:
    return kind.python_type() if kind.python_type in (str, bytes, bool, int, float) else 0
