"""secrets expire, are revoked with grace, and replace each other

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Plain ADD COLUMN, no batch: a batch rewrites the table, and runtimes point to it.
    op.add_column('secrets', sa.Column('expires_at', sa.BigInteger(), nullable=True))
    op.add_column('secrets', sa.Column('revoked_from', sa.BigInteger(), nullable=True))
    op.add_column('secrets', sa.Column('revoked_by', sa.String(length=100), nullable=True))
    op.add_column('secrets', sa.Column('rotates', sa.String(length=16), nullable=True))
    op.create_index(op.f('ix_secrets_rotates'), 'secrets', ['rotates'], unique=False)
    # What was revoked before was revoked at once.
    op.execute('UPDATE secrets SET revoked_from = revoked_at WHERE revoked_at IS NOT NULL')
