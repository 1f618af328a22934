"""The database at a start: brought to this release's schema, and seeded where it is empty."""

import os
from pathlib import Path

from pilothouse.app.lock import lock_home
from pilothouse.app.restoring import is_cut_off, settle
from pilothouse.base.errors import NotFound
from pilothouse.base.ids import new_id
from pilothouse.config import Settings
from pilothouse.domain.tenancy import DEFAULT_ORGANIZATION_HANDLE, Environment, Organization
from pilothouse.storage import alert_rules_begun, built_in, migrate, project_admins, tenancy
from pilothouse.storage.engine import open_writer
from pilothouse.storage.unit import Transaction


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


def bring_up_to_date(path: Path, to: str = "head") -> None:
    """Make the database, or migrate it, to the newest schema or an older one; only its owner may read the file."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = open_writer(path)
    try:
        migrate.upgrade(engine, to)
    finally:
        engine.dispose()
    path.chmod(0o600)


def require_database(settings: Settings) -> None:
    """Check that there is a control plane whose database may be worked on from here.

    Raises: NotFound, HomeInUse while a restore is under way, RestoreCutOff
    """
    if is_cut_off(settings.database_path):
        held = lock_home(settings.home)
        try:
            settle(settings.database_path)
        finally:
            os.close(held)
    if not settings.database_path.is_file():
        raise NotFound(
            f"There is no control plane in {settings.home}.",
            fix="Name its home directory with --home, or in PILOTHOUSE_HOME.",
        )
