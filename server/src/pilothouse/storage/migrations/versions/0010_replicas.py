"""replicas; who saw a runtime last, and what changed since another replica looked

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op


revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "replicas",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("process", sa.BigInteger(), nullable=False),
        sa.Column("release", sa.String(length=40), nullable=False),
        sa.Column("key_number", sa.String(length=8), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("flushed_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_replicas")),
    )
    op.add_column("runtime_presence", sa.Column("via", sa.String(length=36), nullable=True))
    op.add_column("runtime_presence", sa.Column("seen_number", sa.BigInteger(), nullable=True))
    op.add_column("runtime_presence", sa.Column("change_number", sa.BigInteger(), nullable=True))
    op.add_column("runtime_presence", sa.Column("channel_at", sa.BigInteger(), nullable=True))
    op.add_column("runtime_presence", sa.Column("departed_at", sa.BigInteger(), nullable=True))
    op.add_column("runtime_presence", sa.Column("departed_how", sa.String(length=10), nullable=True))
    op.add_column("runtime_presence", sa.Column("told", sa.String(length=32), nullable=True))
    op.create_index(op.f("ix_runtime_presence_change_number"), "runtime_presence", ["change_number"], unique=False)
