"""Bringing a database to this release's schema: forward only, automatic on SQLite."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from pilothouse.base.errors import CannotStart
from pilothouse.storage.engine import translate

_HERE = Path(__file__).parent / "migrations"


def newest() -> str:
    """Return the name of this release's schema."""
    return _scripts().get_current_head() or ""


def is_known(revision: str) -> bool:
    """Tell whether a schema is this release's or an older one's."""
    return any(one.revision == revision for one in _scripts().walk_revisions())


def revision_of(connection: Connection) -> str | None:
    """Return the name of the schema that a database has; None of an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine, to: str = "head") -> None:
    """Bring the database to the newest schema, or to an older one that it is not beyond yet.

    Raises: CannotStart when the database is newer than this release; StorageUnavailable when it cannot be written
    """
    config = _config()
    try:
        with engine.connect() as connection, _unchecked(connection), connection.begin():
            known = ScriptDirectory.from_config(config)
            current = MigrationContext.configure(connection).get_current_revision()
            if current == known.get_current_head():
                return
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, to)
            except CommandError as error:
                raise CannotStart(
                    f"The database's schema ({current}) is not known to this release.",
                    fix="It was written by a newer Pilothouse: start that release, or restore a backup of this one.",
                ) from error
            _check_references(connection)
    except DBAPIError as error:
        raise translate(error) from error


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


@contextmanager
def _unchecked(connection: Connection) -> Generator[None]:
    """Let SQLite rewrite tables that others point to: a table is copied there, dropped, and its copy takes its name."""
    if connection.dialect.name != "sqlite":
        yield
        return
    # Below SQLAlchemy, which would begin a transaction first: inside one, the pragma does nothing.
    raw = connection.connection.driver_connection
    if raw is None:
        raise CannotStart("The database's connection is gone.", fix="Start again.")
    raw.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys = ON")


def _check_references(connection: Connection) -> None:
    """Make up for what was not checked meanwhile, before anything is committed."""
    if connection.dialect.name == "sqlite" and (
        broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    ):
        raise CannotStart(
            f"The migration would leave a row of {broken[0]} that points to nothing.",
            fix="Nothing was changed. Keep the database file and report this.",
        )
