# A foreign key takes the type of what it points to, which the checker cannot know:
# pyright: reportUnknownArgumentType=false
"""The table of ingest tokens: with one, a collector that is no runtime sends telemetry."""

from sqlalchemy import Column, ForeignKey, String, Table

from pilothouse.storage.columns import InstantMs
from pilothouse.storage.tables import metadata

ingest_tokens = Table(
    "ingest_tokens",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("organization_id", ForeignKey("organizations.id"), nullable=False),
    # A token goes with the place that it is for.
    Column("environment_id", ForeignKey("environments.id", ondelete="CASCADE"), nullable=False, index=True),
    # Null: runtimes of all projects in the environment may be sent for; likewise below.
    Column("project_id", ForeignKey("projects.id", ondelete="CASCADE"), index=True),
    Column("integration_id", ForeignKey("integrations.id", ondelete="CASCADE"), index=True),
    Column("name", String(100), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    # How it begins, so that people can tell theirs apart.
    Column("hint", String(16), nullable=False),
    Column("created_at", InstantMs, nullable=False),
    Column("created_by", String(100), nullable=False),
    Column("expires_at", InstantMs),
    Column("last_used_at", InstantMs),
    Column("revoked_at", InstantMs),
    Column("revoked_by", String(100)),
)
