"""sums of what replicas should share leave out ports that the system chose: they are computed anew

Revision ID: 0019
Revises: 0018
"""

from alembic import op


revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Null until somebody has read the document: that is what housekeeping does, a part at a time.
    op.execute("UPDATE artifact_sets SET likeness = NULL")
