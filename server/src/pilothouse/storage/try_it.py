"""Where services may be tried out: what somebody said of an environment."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from pilothouse.base.instants import Instant
from pilothouse.domain.try_it import Said
from pilothouse.storage.try_it_tables import try_it_settings


def list_said(connection: Connection, environment_ids: Sequence[str]) -> dict[str, Said]:
    """Read what was said of environments; those of which nothing was said are left out."""
    c = try_it_settings.c
    statement = select(c.environment_id, c.allowed, c.critical).where(c.environment_id.in_(environment_ids))
    return {
        row.environment_id: Said(allowed=row.allowed, critical=row.critical) for row in connection.execute(statement)
    }


def say(connection: Connection, environment_id: str, said: Said, by: str, now: Instant) -> None:
    """Keep what somebody says of an environment, in the place of what was said before."""
    connection.execute(delete(try_it_settings).where(try_it_settings.c.environment_id == environment_id))
    connection.execute(
        insert(try_it_settings).values(
            environment_id=environment_id,
            allowed=said.allowed,
            critical=said.critical,
            changed_at=now,
            changed_by=by[:100],
        )
    )
