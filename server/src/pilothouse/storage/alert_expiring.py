"""Secrets whose end is near."""

import msgspec
from sqlalchemy import Connection, select

from pilothouse.access.places import Place
from pilothouse.base.instants import Instant
from pilothouse.storage.tables import integrations, secrets

LISTED_MAX = 1_000


class Expiring(msgspec.Struct, frozen=True, kw_only=True):
    """A secret that ends soon, or ended lately."""

    key_id: str
    expires_at: Instant
    place: Place


def list_secrets(connection: Connection, after: Instant, before: Instant) -> list[Expiring]:
    """List the secrets that end within a time and that nobody ends before: those that end first."""
    c = secrets.c
    statement = (
        select(c.key_id, c.expires_at, c.environment_id, c.integration_id, integrations.c.project_id)
        .join(integrations, integrations.c.id == c.integration_id, isouter=True)
        .where(c.expires_at > after, c.expires_at <= before, c.revoked_at.is_(None), c.revoked_from.is_(None))
        .order_by(c.expires_at, c.key_id)
        .limit(LISTED_MAX)
    )
    return [
        Expiring(
            key_id=row.key_id,
            expires_at=row.expires_at,
            place=Place(
                project_id=row.project_id, integration_id=row.integration_id, environment_id=row.environment_id
            ),
        )
        for row in connection.execute(statement)
    ]
