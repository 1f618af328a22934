"""The table of runtimes that went: telemetry of them may still arrive, and is kept under the place where they lived."""

from sqlalchemy import Column, Index, String, Table

from pilothouse.storage.columns import BigKey, InstantMs
from pilothouse.storage.tables import metadata

telemetry_origins = Table(
    "telemetry_origins",
    metadata,
    # No foreign keys: it outlives all that it names.
    Column("runtime_key", BigKey, primary_key=True, autoincrement=False),
    Column("runtime_id", String(100), nullable=False),
    Column("project_id", String(36), nullable=False),
    Column("integration_id", String(36), nullable=False),
    Column("environment_id", String(36), nullable=False),
    Column("gone_at", InstantMs, nullable=False),
    Index("ix_telemetry_origins_gone_at", "gone_at"),
)
