"""Alembic's entry: runs the migrations on the connection that it was handed."""

from alembic import context
from pilothouse.storage import alert_tables, counter_tables, ingest_tables, telemetry_origin_tables
from pilothouse.storage.tables import metadata

_ON_THE_METADATA = (alert_tables, counter_tables, ingest_tables, telemetry_origin_tables)
"""Rooms whose tables are put onto the metadata by being imported."""

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the caller's transaction holds everything
)
context.run_migrations()
