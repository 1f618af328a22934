"""Alembic's entry: runs the migrations on the connection that it was handed."""

from alembic import context
from pilothouse.storage import alert_tables, ingest_tables  # noqa: F401 - puts their tables onto the metadata
from pilothouse.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the caller's transaction holds everything
)
context.run_migrations()
