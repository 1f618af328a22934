"""Two projects with telemetry of their own, for tests: kept in the store as the intake would keep it."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from pilothouse.app.control_plane import ControlPlane
from pilothouse.config import Settings
from pilothouse.storage import tables
from pilothouse.telemetry.histogram import of_values
from pilothouse.telemetry.model import (
    NS_A_SECOND,
    UNCLAIMED,
    LogBatch,
    LogRecord,
    MetricBatch,
    MetricPoint,
    Origin,
    SpanBatch,
    SpanKind,
    SpanRecord,
)
from sqlalchemy import select

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff

NOW_S = 1_790_000_000
NOW_NS = NOW_S * NS_A_SECOND
INSIGHTS, LOGS = "OBSERVABILITY_MGT_VIEW_INSIGHTS", "OBSERVABILITY_MGT_VIEW_LOGS"


def ago(seconds: float) -> int:
    """When something happened. Units: ns since the epoch."""
    return NOW_NS - int(seconds * NS_A_SECOND)


def line(seconds: float, message: str = "hello", **more: Any) -> LogRecord:
    return LogRecord(at_ns=ago(seconds), message=message, **more)


def point(seconds: float, *values: float, **more: Any) -> MetricPoint:
    named = {"name": "http.server.request.duration", "resource": "GET /a"} | more
    return MetricPoint(at_ns=ago(seconds), values=of_values(values), **named)


def span(seconds: float, trace: int, id_: int, parent: int = 0, ms: float = 10.0, **more: Any) -> SpanRecord:
    named = {"name": f"s{id_}", "service": "orders", "kind": SpanKind.SERVER} | more
    return SpanRecord(
        at_ns=ago(seconds),
        duration_ns=int(ms * 1e6),
        trace_id=f"{trace:032x}",
        span_id=f"{id_:016x}",
        parent_id=f"{parent:016x}" if parent else "",
        **named,
    )


@dataclass
class World:
    """Where telemetry comes from, by the names that tests use."""

    plane: ControlPlane
    staff: Staff
    origins: dict[str, Origin]
    """`orders` and `orders-prod` of the project `shop`, `bills` of `money`, `lost` of nobody."""

    async def logs(self, of: str, *records: LogRecord) -> None:
        await self.plane.telemetry.append_logs([LogBatch(self.origins[of], list(records))])

    async def metrics(self, of: str, *points: MetricPoint) -> None:
        await self.plane.telemetry.append_metrics([MetricBatch(self.origins[of], list(points))])

    async def spans(self, of: str, *records: SpanRecord) -> None:
        await self.plane.telemetry.append_spans([SpanBatch(self.origins[of], list(records))])

    async def ids_of_runtimes(self) -> dict[str, str]:
        """Read our ids of runtimes, by what they call themselves."""
        c = tables.runtimes.c
        rows = await self.plane.store.read(lambda t: t.execute(select(c.runtime_id, c.id)).all())
        return {row[0]: row[1] for row in rows}


def in_memory(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, telemetry_store="memory")


async def make_world(plane: ControlPlane, admin: Any, runtime: Any) -> World:
    """Make two projects, with runtimes that have registered: the one of `orders` in dev, its twin in prod, and `bills`."""
    staff = Staff(plane, admin)
    await staff.project("Shop", "Orders")
    await staff.project("Money", "Bills")
    dev, prod, money = await admin.secret(), await admin.secret("prod"), await admin.secret()
    make = type(runtime)
    for made in (
        make(plane, dev, "orders", "orders-1", project="shop", integration="orders"),
        make(plane, prod, "orders-prod", "orders-2", environment="prod", project="shop", integration="orders"),
        make(plane, money, "bills", "bills-1", project="money", integration="bills"),
    ):
        status, _ = await made.full()
        assert status == 200
    rows = await plane.store.read(_places)
    return World(
        plane, staff, {**{row[3]: Origin(**dict(zip(_NAMES, row, strict=True))) for row in rows}, "lost": UNCLAIMED}
    )


_NAMES = ("project_id", "integration_id", "environment_id", "runtime_id", "runtime_key")


def _places(connection: Any) -> list[Any]:
    of = tables.runtimes.join(tables.integrations, tables.integrations.c.id == tables.runtimes.c.integration_id)
    c = tables.runtimes.c
    columns = (tables.integrations.c.project_id, c.integration_id, c.environment_id, c.runtime_id, c.key)
    return connection.execute(select(*columns).select_from(of)).all()
