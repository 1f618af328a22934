"""counters, by whose rows the writers of several processes take turns

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op


revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    counters = op.create_table('counters',
    sa.Column('name', sa.String(length=20), nullable=False),
    sa.Column('number', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_counters'))
    )
    records = sa.table('audit_records', sa.column('number', sa.BigInteger()))
    newest = sa.select(sa.func.coalesce(sa.func.max(records.c.number), 0)).scalar_subquery()
    op.execute(sa.insert(counters).values(name='writes', number=0))
    op.execute(sa.insert(counters).values(name='audit', number=newest))
