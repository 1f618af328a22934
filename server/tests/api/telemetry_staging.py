"""A control plane with a store in memory, and lines in it that know where they come from."""

from typing import Any

from pilothouse.app.control_plane import ControlPlane
from pilothouse.storage import tenancy
from pilothouse.telemetry.model import (
    Level,
    LogBatch,
    LogRecord,
    Origin,
)


async def origin_of(plane: ControlPlane, project: str, integration: str, environment: str, **more: Any) -> Origin:
    """Stamp what a runtime of an integration says."""

    def read(connection: Any) -> Origin:
        found = tenancy.find_integration(connection, project, integration)
        where = tenancy.find_environment(connection, environment)
        assert found is not None
        assert where is not None
        return Origin(project_id=found.project_id, integration_id=found.id, environment_id=where.id, **more)

    return await plane.store.read(read)


async def say(plane: ControlPlane, origin: Origin, *messages: str, level: Level = Level.INFO, **more: Any) -> None:
    """Store lines that are said now."""
    at_ns = int(plane.clock.now()) * 1_000_000_000 - 1_000_000_000
    records = [
        LogRecord(**({"at_ns": at_ns + number, "message": message, "severity": level.value} | more))
        for number, message in enumerate(messages)
    ]
    await plane.telemetry.append_logs([LogBatch(origin, records)])
