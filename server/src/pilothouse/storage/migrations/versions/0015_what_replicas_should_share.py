"""in what replicas should be alike, and what of them failed

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op


revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Null until somebody has read the document: that is what housekeeping does, a part at a time.
    op.add_column('artifact_sets', sa.Column('likeness', sa.String(length=32), nullable=True))
    op.add_column('artifact_sets', sa.Column('failed_count', sa.Integer(), nullable=True))
