"""which artifact sets are in use where: an index out of which the database says where replicas may differ

Revision ID: 0017
Revises: 0016
"""

from alembic import op


revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index('ix_runtimes_artifacts', 'runtimes', ['retired_at', 'integration_id', 'environment_id', 'artifact_digest'])
