"""What the tests of several workers share: a PostgreSQL of their own, and two workers on it."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from database_servers import running
from pilothouse.base.place import Database

sys.path.extend(str(Path(__file__).parents[up] / room) for up, room in ((0, ""), (1, "faults"), (3, "acceptance")))

from several import Machine, environment_of, serving


@pytest.fixture(scope="session")
def database() -> Database:
    return running("postgresql").fresh(name="workers")


@pytest.fixture
def empty_database() -> Database:
    """A database of a test's own, with the schema alone."""
    return running("postgresql").fresh(name="workers_alone")


@pytest.fixture(scope="session")
def machine(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Two workers, for all tests that leave them as they were."""
    home = tmp_path_factory.mktemp("workers") / "home"
    with serving(environment_of(home, database), "serve", "--workers", "2") as machine:
        machine.wait_until_all_serve()
        yield machine


@pytest.fixture
def is_gone() -> Callable[[int], bool]:
    def ask(process: int) -> bool:
        try:
            return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    return ask
