"""Runtimes that went, for the telemetry that comes after them."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select

from pilothouse.base.instants import Instant
from pilothouse.storage.telemetry_origin_tables import telemetry_origins


class GoneRuntime(msgspec.Struct, frozen=True, kw_only=True):
    """A runtime that was retired or removed, and where it lived."""

    runtime_key: int
    runtime_id: str
    project_id: str
    integration_id: str
    environment_id: str
    gone_at: Instant


def keep(connection: Connection, gone: Sequence[GoneRuntime]) -> None:
    """Remember runtimes; one that is known keeps its last departure."""
    if not gone:
        return
    connection.execute(
        delete(telemetry_origins).where(telemetry_origins.c.runtime_key == bindparam("of_key")),
        [{"of_key": one.runtime_key} for one in gone],
    )
    connection.execute(insert(telemetry_origins), [msgspec.structs.asdict(one) for one in gone])


def list_newest(connection: Connection, limit: int) -> list[GoneRuntime]:
    """List those that went last, the earliest of them first."""
    columns = telemetry_origins.c
    rows = connection.execute(select(telemetry_origins).order_by(columns.gone_at.desc()).limit(limit)).mappings()
    return [GoneRuntime(**row) for row in rows][::-1]


def forget_before(connection: Connection, instant: Instant) -> int:
    """Forget those of whom no telemetry is kept any more."""
    return connection.execute(delete(telemetry_origins).where(telemetry_origins.c.gone_at < instant)).rowcount
