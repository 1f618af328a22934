"""desired states and commands

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('desired_changes',
    sa.Column('number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('integration_id', sa.String(length=36), nullable=False),
    sa.Column('environment_id', sa.String(length=36), nullable=False),
    sa.Column('target', sa.String(length=32), nullable=False),
    sa.Column('kind', sa.String(length=24), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('package', sa.String(length=255), nullable=False),
    sa.Column('aspect', sa.String(length=12), nullable=False),
    sa.Column('value', sa.String(length=40), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('author', sa.String(length=120), nullable=False),
    sa.Column('set_at', sa.BigInteger(), nullable=False),
    sa.Column('fingerprints', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['environment_id'], ['environments.id'], name=op.f('fk_desired_changes_environment_id')),
    sa.ForeignKeyConstraint(['integration_id'], ['integrations.id'], name=op.f('fk_desired_changes_integration_id')),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_desired_changes')),
    sqlite_autoincrement=True
    )
    op.create_index('ix_desired_changes_target', 'desired_changes', ['integration_id', 'environment_id', 'target', 'number'], unique=False)
    op.create_table('desired_states',
    sa.Column('integration_id', sa.String(length=36), nullable=False),
    sa.Column('environment_id', sa.String(length=36), nullable=False),
    sa.Column('target', sa.String(length=32), nullable=False),
    sa.Column('change_number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('absent_since', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['change_number'], ['desired_changes.number'], name=op.f('fk_desired_states_change_number')),
    sa.ForeignKeyConstraint(['environment_id'], ['environments.id'], name=op.f('fk_desired_states_environment_id')),
    sa.ForeignKeyConstraint(['integration_id'], ['integrations.id'], name=op.f('fk_desired_states_integration_id')),
    sa.PrimaryKeyConstraint('integration_id', 'environment_id', 'target', name=op.f('pk_desired_states'))
    )
    op.create_table('commands',
    sa.Column('number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('runtime_key', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('action', sa.String(length=24), nullable=False),
    sa.Column('kind', sa.String(length=24), nullable=True),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('package', sa.String(length=255), nullable=False),
    sa.Column('aspect', sa.String(length=12), nullable=True),
    sa.Column('value', sa.String(length=100), nullable=True),
    sa.Column('wish_number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('payload', sa.Text(), nullable=True),
    sa.Column('author', sa.String(length=120), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('route', sa.String(length=16), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('queued_at', sa.BigInteger(), nullable=False),
    sa.Column('delivered_at', sa.BigInteger(), nullable=True),
    sa.Column('ended_at', sa.BigInteger(), nullable=True),
    sa.Column('next_attempt_at', sa.BigInteger(), nullable=True),
    sa.Column('deadline', sa.BigInteger(), nullable=True),
    sa.Column('result', sa.LargeBinary(), nullable=True),
    sa.ForeignKeyConstraint(['runtime_key'], ['runtimes.key'], name=op.f('fk_commands_runtime_key'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_commands')),
    sa.UniqueConstraint('id', name=op.f('uq_commands_id')),
    sqlite_autoincrement=True
    )
    op.create_index('ix_commands_runtime_key_state', 'commands', ['runtime_key', 'state'], unique=False)
    op.create_index('ix_commands_state_ended_at', 'commands', ['state', 'ended_at'], unique=False)
    op.create_index(op.f('ix_commands_wish_number'), 'commands', ['wish_number'], unique=False)
    op.add_column('runtimes', sa.Column('tunnel_probed_at', sa.BigInteger(), nullable=True))
    op.add_column('runtimes', sa.Column('tunnel_proved_at', sa.BigInteger(), nullable=True))
