"""Every kind of database that can be had here: what is tested on one of them is tested on all."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from database_servers import SERVED, Server, running
from pilothouse.base.place import Database, embedded
from pilothouse.storage import migrate
from pilothouse.storage.engine import open_writer
from sqlalchemy import Engine

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(params=["sqlite", *SERVED])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A database with the schema, and nothing else in it."""
    if request.param != "sqlite":
        return running(request.param).fresh()
    made = embedded(tmp_path / "pilothouse.db")
    engine = open_writer(made)
    migrate.upgrade(engine)
    engine.dispose()
    return made


@pytest.fixture(params=["sqlite", *SERVED])
def blank(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A database with nothing in it."""
    return embedded(tmp_path / "blank.db") if request.param == "sqlite" else running(request.param).blank()


@pytest.fixture(params=SERVED)
def server(request: pytest.FixtureRequest) -> Server:
    """A database server."""
    return running(request.param)


@pytest.fixture
def served(server: Server) -> Database:
    """A database with the schema on a server."""
    return server.fresh()


@pytest.fixture
def writer(database: Database) -> Iterator[Engine]:
    """What writes into it."""
    engine = open_writer(database)
    yield engine
    engine.dispose()
