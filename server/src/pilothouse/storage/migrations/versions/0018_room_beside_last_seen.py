"""room on the pages of last-seen, so that PostgreSQL renews a row beside itself and tells no index

Revision ID: 0018
Revises: 0017
"""

from alembic import op


revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Rows that are there find room when they are next written.
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE runtime_presence SET (fillfactor = 45)")
