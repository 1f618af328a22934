"""telemetry origins

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op


revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('telemetry_origins',
    sa.Column('runtime_key', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('runtime_id', sa.String(length=100), nullable=False),
    sa.Column('project_id', sa.String(length=36), nullable=False),
    sa.Column('integration_id', sa.String(length=36), nullable=False),
    sa.Column('environment_id', sa.String(length=36), nullable=False),
    sa.Column('gone_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('runtime_key', name=op.f('pk_telemetry_origins'))
    )
    op.create_index('ix_telemetry_origins_gone_at', 'telemetry_origins', ['gone_at'], unique=False)
