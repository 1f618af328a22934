"""The database at a start: brought to this release's schema, and seeded where it is empty."""

import os

from pilothouse.app.lock import lock_home, require_embedded
from pilothouse.app.restoring import is_cut_off, settle
from pilothouse.base.errors import NotFound
from pilothouse.base.ids import new_id
from pilothouse.base.place import Database
from pilothouse.config import Settings
from pilothouse.domain.tenancy import DEFAULT_ORGANIZATION_HANDLE, Environment, Organization
from pilothouse.storage import alert_rules_begun, built_in, migrate, project_admins, sealing_key, tenancy
from pilothouse.storage.alone import reading
from pilothouse.storage.engine import open_readers, open_writer
from pilothouse.storage.sealing import load_key, load_or_create_key
from pilothouse.storage.sealing_key import LOST_KEY, KeyMissing
from pilothouse.storage.unit import Transaction


def key_of(settings: Settings) -> bytes:
    """Read the key file, or make it where the database has none yet. Shape: as `load_or_create_key`.

    Raises: CannotStart, KeyMissing, WrongKey, StorageUnavailable
    """
    with reading(settings.database) as connection:
        number = sealing_key.find(connection)
    path = settings.secret_key_path
    if number is None:
        return load_or_create_key(path)
    if not path.exists():
        raise KeyMissing(
            f"The secrets in the database are sealed under a key, and {path} is not there.",
            fix=f"Copy the key file of the control plane that made this database, with mode 600. {LOST_KEY}",
        )
    keys = load_key(path)
    sealing_key.check(number, keys)
    return keys


def begin(tx: Transaction, keys: bytes, now: float) -> None:
    """Let a database be this control plane's: sealed under its key, and with what an empty one needs.

    Raises: WrongKey when its secrets are sealed under another key
    """
    sealing_key.claim(tx.connection, keys)
    seed(tx, now)


def seed(tx: Transaction, now: float) -> None:
    """Put the organization, its roles, groups and alert rules, and its first two environments into an empty database."""
    known = tenancy.find_organization(tx.connection, DEFAULT_ORGANIZATION_HANDLE)
    if known is not None:
        built_in.ensure_built_in(tx.connection, known.id, now)
        project_admins.ensure_all(tx.connection, known.id)
        alert_rules_begun.begin(tx.connection, known.id, now)
        return
    organization = Organization(id=new_id(), handle=DEFAULT_ORGANIZATION_HANDLE, display_name="Default organization")
    tenancy.add_organization(tx.connection, organization)
    built_in.ensure_built_in(tx.connection, organization.id, now)
    alert_rules_begun.begin(tx.connection, organization.id, now)
    for handle, name, critical, after_s in (("dev", "Development", False, 0.0), ("prod", "Production", True, 0.001)):
        environment = Environment(
            id=new_id(), handle=handle, display_name=name, critical=critical, created_at=now + after_s
        )
        tenancy.add_environment(tx.connection, organization.id, environment)


def bring_up_to_date(database: Database, to: str = "head") -> None:
    """Make the embedded database, or migrate it, to the newest schema or an older one; only its owner may read the file.

    Any other database must be up to date.

    Raises: CannotStart, which names the command that mends it; StorageUnavailable
    """
    if database.is_embedded:
        database.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = open_writer(database)
    try:
        if database.is_embedded:
            migrate.upgrade(engine, to)
            database.path.chmod(0o600)
        else:
            migrate.require_current(engine)
    finally:
        engine.dispose()


def require_database(settings: Settings) -> None:
    """Check that there is a control plane whose database may be worked on from here.

    Raises: NotFound, Conflict if the living one is on a server, CannotStart, HomeInUse while a restore is under way,
        RestoreCutOff, StorageUnavailable
    """
    if not settings.database.is_embedded:
        bring_up_to_date(settings.database)
        return
    if not settings.database_url:
        require_embedded(settings.home)
    if is_cut_off(settings.database_path):
        held = lock_home(settings.home)
        try:
            settle(settings.database_path)
        finally:
            os.close(held)
    if not settings.database_path.is_file():
        raise NotFound(
            f"There is no control plane in {settings.home}: {settings.database_path} is not there.",
            fix="Name its home directory with --home, or in PILOTHOUSE_HOME; pilothouse serve makes a new one."
            if not settings.database_url
            else "Name the file of its database in PILOTHOUSE_DATABASE_URL; pilothouse serve makes a new one.",
            field="--home" if not settings.database_url else "PILOTHOUSE_DATABASE_URL",
        )


def upgrade_of(settings: Settings) -> tuple[migrate.SchemaStatus, migrate.SchemaStatus]:
    """Bring a control plane's database to this release's schema; an embedded one must be there, and used by nobody.

    Raises: NotFound, HomeInUse, CannotStart, StorageUnavailable
    """
    if not settings.database.is_embedded:
        return upgrade_now(settings.database)
    require_database(settings)
    found = status_now(settings.database)
    if found.is_current:
        return found, found
    held = lock_home(settings.home)  # whoever serves it knows the older schema alone
    try:
        return upgrade_now(settings.database)
    finally:
        os.close(held)


def status_of(settings: Settings) -> migrate.SchemaStatus:
    """Tell where a control plane's database stands, changing nothing.

    Raises: NotFound when there is no file; CannotStart, StorageUnavailable
    """
    if settings.database.is_embedded:
        require_database(settings)
    return status_now(settings.database)


def upgrade_now(database: Database) -> tuple[migrate.SchemaStatus, migrate.SchemaStatus]:
    """Bring a database to this release's schema, whatever kind it is of; tells where it stood and where it stands.

    Raises: CannotStart, StorageUnavailable
    """
    engine = open_writer(database.patient)
    try:
        before = migrate.status(engine)
        if database.is_embedded:
            bring_up_to_date(database)
        else:
            migrate.upgrade(engine)
        return before, migrate.status(engine)
    finally:
        engine.dispose()


def status_now(database: Database) -> migrate.SchemaStatus:
    """Tell where a database stands, changing nothing.

    Raises: CannotStart, StorageUnavailable
    """
    engine = open_readers(database)
    try:
        return migrate.status(engine)
    finally:
        engine.dispose()
