"""Alembic's entry: runs the migrations on the connection that it was handed."""

from typing import Any

from alembic import context
from pilothouse.storage import (
    alert_tables,
    claim_tables,
    counter_tables,
    ingest_tables,
    kept_tables,
    replica_tables,
    statements,
    telemetry_origin_tables,
    try_it_tables,
)
from pilothouse.storage.tables import metadata

_ON_THE_METADATA = (
    alert_tables,
    claim_tables,
    counter_tables,
    ingest_tables,
    kept_tables,
    replica_tables,
    statements,
    telemetry_origin_tables,
    try_it_tables,
)
"""Rooms whose tables are put onto the metadata by being imported."""

# Either a connection, or, to have the migrations only written down, a dialect and where to write.
given = context.config.attributes
where: dict[str, Any] = (  # Any: arguments of Alembic's
    {"connection": given["connection"]}
    if "connection" in given
    else {"dialect_name": given["dialect"].name, "as_sql": True, "output_buffer": given["buffer"]}
)
context.configure(
    **where,
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the caller's transaction holds everything
)
if "dialect" in given:  # Alembic makes one of its own from the name: ours knows our types
    context.get_context().impl.dialect = context.get_context().dialect = given["dialect"]
context.run_migrations()
