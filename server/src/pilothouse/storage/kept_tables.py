# A foreign key takes the type of what it points to, which the checker cannot know:
# pyright: reportUnknownArgumentType=false
"""The table of what people keep for themselves."""

from sqlalchemy import Column, ForeignKey, String, Table, Text, UniqueConstraint

from pilothouse.storage.columns import InstantMs
from pilothouse.storage.tables import metadata

kept_items = Table(
    "kept_items",
    metadata,
    Column("id", String(36), primary_key=True),
    # What somebody kept goes with them.
    Column("user_id", ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    # What it is for: log-query.
    Column("kind", String(30), nullable=False),
    Column("name", String(100), nullable=False),
    # As its kind writes it; nothing here reads it.
    Column("value", Text, nullable=False),
    Column("changed_at", InstantMs, nullable=False),
    UniqueConstraint("user_id", "kind", "name"),
)
