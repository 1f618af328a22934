"""Last seen, interval and verdict of every runtime: read whole at start, written in batches."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, select

from pilothouse.domain.liveness import Status
from pilothouse.domain.presence import PresenceRow
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.storage.statements import change_many
from pilothouse.storage.tables import integrations, runtime_presence, runtimes


def list_all(connection: Connection) -> Iterable[PresenceRow]:
    """Read every runtime that is not retired."""
    r, p = runtimes.c, runtime_presence.c
    statement = (
        select(
            p.runtime_key,
            r.runtime_id,
            integrations.c.project_id,
            r.integration_id,
            r.environment_id,
            r.runtime_type,
            r.runtime_hash,
            p.seen_at,
            p.interval_s,
            p.address,
            p.running_since,
            p.status,
        )
        .join(runtimes, r.key == p.runtime_key)
        .join(integrations, integrations.c.id == r.integration_id)
        .where(r.retired_at.is_(None))
    )
    for row in connection.execute(statement).mappings():
        values: dict[str, Any] = {  # Any: column values
            **row,
            "status": Status(row["status"]),
            "runtime_type": RuntimeType(row["runtime_type"]),
        }
        yield PresenceRow(**values)


def save(connection: Connection, rows: Sequence[PresenceRow]) -> None:
    """Store what changed since the last time, in one statement."""
    change_many(
        connection,
        runtime_presence,
        [
            {
                "runtime_key": row.runtime_key,
                "seen_at": row.seen_at,
                "interval_s": row.interval_s,
                "address": row.address,
                "running_since": row.running_since,
                "status": row.status.value,
            }
            for row in rows
        ],
    )
