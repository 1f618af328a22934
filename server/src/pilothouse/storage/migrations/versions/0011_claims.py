"""what processes do not do twice: chores, failed sign-ins, round trips; and the access token that was replaced last

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op


revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('chores',
    sa.Column('name', sa.String(length=30), nullable=False),
    sa.Column('owner', sa.String(length=36), nullable=True),
    sa.Column('renewals', sa.BigInteger(), nullable=False),
    sa.Column('done_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_chores'))
    )
    op.create_table('sign_in_attempts',
    sa.Column('account', sa.String(length=64), nullable=False),
    sa.Column('place', sa.String(length=64), nullable=False),
    sa.Column('failures', sa.Integer(), nullable=False),
    sa.Column('since', sa.BigInteger(), nullable=False),
    sa.Column('seen_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('account', 'place', name=op.f('pk_sign_in_attempts'))
    )
    op.create_index('ix_sign_in_attempts_seen_at', 'sign_in_attempts', ['seen_at'], unique=False)
    op.create_table('round_trips',
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('ends_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('digest', name=op.f('pk_round_trips'))
    )
    op.create_index(op.f('ix_round_trips_ends_at'), 'round_trips', ['ends_at'], unique=False)
    op.add_column('sessions', sa.Column('replaced_digest', sa.String(length=64), nullable=True))
    op.add_column('sessions', sa.Column('replaced_at', sa.BigInteger(), nullable=True))
    op.create_index(op.f('ix_sessions_replaced_digest'), 'sessions', ['replaced_digest'], unique=False)
