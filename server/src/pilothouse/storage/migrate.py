"""Bringing a database to this release's schema: forward only, automatic on SQLite."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pilothouse.base.errors import CannotStart
from pilothouse.storage.engine import translate

_HERE = Path(__file__).parent / "migrations"


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest schema.

    Raises: CannotStart when the database is newer than this release; StorageUnavailable when it cannot be written
    """
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    try:
        with engine.connect() as connection, connection.begin():
            known = ScriptDirectory.from_config(config)
            current = MigrationContext.configure(connection).get_current_revision()
            if current == known.get_current_head():
                return
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except CommandError as error:
                raise CannotStart(
                    f"The database's schema ({current}) is not known to this release.",
                    fix="It was written by a newer Pilothouse: start that release, or restore a backup of this one.",
                ) from error
    except DBAPIError as error:
        raise translate(error) from error
