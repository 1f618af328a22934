# A foreign key takes the type of what it points to, which the checker cannot know:
# pyright: reportUnknownArgumentType=false
"""The table of environments for which somebody said whether services may be tried out there."""

from sqlalchemy import Boolean, Column, ForeignKey, String, Table

from pilothouse.storage.columns import InstantMs
from pilothouse.storage.tables import metadata

try_it_settings = Table(
    "try_it_settings",
    metadata,
    # Without a row the environment's kind decides; a row goes with its environment.
    Column("environment_id", ForeignKey("environments.id", ondelete="CASCADE"), primary_key=True),
    Column("allowed", Boolean, nullable=False),
    # What the environment was when it was said: of one that has become critical since, nobody said anything.
    Column("critical", Boolean, nullable=False),
    Column("changed_at", InstantMs, nullable=False),
    Column("changed_by", String(100), nullable=False),
)
