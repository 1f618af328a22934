"""Bringing a database to this release's schema: forward only; by itself on SQLite, when asked to elsewhere."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pilothouse.base.errors import CannotStart
from pilothouse.storage.dialects import KINDS, Trouble
from pilothouse.storage.engine import first_cause, told_by, translate, trouble_of

_HERE = Path(__file__).parent / "migrations"
_COMMITS_TABLES = frozenset({"mysql", "mariadb", "oracle"})
"""Dialects of databases that commit each change of a table by itself: an upgrade that stops leaves what it did."""


class SchemaStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Where a database stands."""

    current: str | None
    """The revision of its schema; None when it has none yet."""
    newest: str
    """The revision that this release works with."""
    pending: tuple[str, ...]
    """What an upgrade would do, in order: revisions with their titles."""
    is_known: bool
    """False when a newer release wrote it."""

    @property
    def is_current(self) -> bool:
        """Tell whether there is nothing to do."""
        return self.current == self.newest


def status(engine: Engine) -> SchemaStatus:
    """Tell where a database stands, changing nothing.

    Raises: CannotStart when the server is too old; StorageUnavailable
    """
    try:
        with engine.connect() as connection:
            return _status(connection, _scripts())
    except (DBAPIError, PoolTimeout, OSError) as error:
        raise translate(error, KINDS[engine.dialect.name]) from error


def require_current(engine: Engine) -> None:
    """Check that a database has this release's schema, changing nothing.

    Raises: CannotStart, which names the command that mends it; StorageUnavailable
    """
    found = status(engine)
    if found.is_current:
        return
    if not found.is_known:
        raise _newer(found)
    is_empty = found.current is None
    raise CannotStart(
        "The database has no schema yet."
        if is_empty
        else f"The database's schema ({found.current}) is older than this release's ({found.newest}).",
        fix="Run: pilothouse db upgrade" + ("" if is_empty else " - after a backup; see pilothouse db status"),
    )


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

    Of two that come at once, one waits for the other and finds nothing to do.

    Raises: CannotStart when the database is newer than this release, or an upgrade was interrupted there; StorageUnavailable when
        it cannot be written
    """
    config = _config()
    kind = KINDS[engine.dialect.name]
    try:
        with engine.connect() as connection, _unchecked(connection), connection.begin(), kind.migrating(connection):
            found = _status(connection, _scripts())
            if found.is_current:
                return
            if not found.is_known:
                raise _newer(found)
            config.attributes["connection"] = connection
            with _told_of_halves(connection, found):
                command.upgrade(config, to)
            _check_references(connection)
    except CommandError as error:
        raise CannotStart(f"The database cannot be migrated: {error}.", fix="Report this.") from error
    except (DBAPIError, PoolTimeout, OSError) as error:
        raise translate(error, kind) from error


def _status(connection: Connection, known: ScriptDirectory) -> SchemaStatus:
    _require_supported(connection)
    current = MigrationContext.configure(connection).get_current_revision()
    newest = known.get_current_head() or ""
    steps = list(reversed(list(known.walk_revisions())))
    names = [script.revision for script in steps]
    is_known = current is None or current in names
    after = names.index(current) + 1 if current in names else 0
    return SchemaStatus(
        current=current,
        newest=newest,
        pending=tuple(f"{step.revision} {step.doc.splitlines()[0]}" for step in steps[after:]) if is_known else (),
        is_known=is_known,
    )


def _require_supported(connection: Connection) -> None:
    """Look at the server's release before anything is done there that an older one would fail in the middle of."""
    dialect = connection.dialect
    found: tuple[int, ...] = tuple(getattr(dialect, "server_version_info", None) or ())
    oldest = KINDS[dialect.name].oldest(dialect)
    if found and found < oldest:
        told = ".".join(str(part) for part in found[:3])
        raise CannotStart(
            f"The database server is of release {told}, which is too old.",
            fix=f"Upgrade it to {'.'.join(str(part) for part in oldest)} or newer, or name another in PILOTHOUSE_DATABASE_URL.",
        )


@contextmanager
def _told_of_halves(connection: Connection, found: SchemaStatus) -> Generator[None]:
    """Say how it is mended where an upgrade stops and what it did stays: to look at the server would not help."""
    try:
        yield
    except DBAPIError as error:
        kind, first = KINDS[connection.dialect.name], first_cause(error)
        driver = first.orig if isinstance(first, DBAPIError) and first.orig is not None else first
        is_of_schema = trouble_of(first, kind) in {Trouble.OURS, Trouble.STATEMENT} and kind.refusal(driver) is None
        if connection.dialect.name not in _COMMITS_TABLES or not is_of_schema:
            raise
        anew = "Make a new, empty database, name it in PILOTHOUSE_DATABASE_URL, and run: pilothouse db upgrade"
        raise CannotStart(
            f"An upgrade of the database's schema ({found.current or 'none'}) stopped halfway, now or before: {told_by(first)}.",
            fix=anew if found.current is None else f"{anew}; then restore there the backup from before that upgrade.",
        ) from error


def _newer(found: SchemaStatus) -> CannotStart:
    return CannotStart(
        f"The database's schema ({found.current}) is not known to this release.",
        fix="It was written by a newer Pilothouse: start that release, or restore a backup of this one.",
    )


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
