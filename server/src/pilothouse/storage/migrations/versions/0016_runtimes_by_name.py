"""runtimes as lists are sorted: a name that the database keeps, and indexes, so that a page reads a page

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op
from pilothouse.storage.computed import lowered_or_last


revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The database computes it, also of what the release before writes, which does not know it.
    computed = lowered_or_last('name')
    op.add_column('runtimes', sa.Column('sort_name', sa.String(length=100), computed, nullable=True))
    op.create_index('ix_runtimes_by_name', 'runtimes', ['retired_at', 'sort_name', 'id'])
    op.create_index('ix_runtimes_by_age', 'runtimes', ['retired_at', 'registered_at', 'id'])
    op.create_index('ix_runtimes_environment_by_name', 'runtimes', ['environment_id', 'retired_at', 'sort_name', 'id'])
    # The one before it takes its place wherever that was of use.
    op.drop_index('ix_runtimes_environment_id_name', 'runtimes')
