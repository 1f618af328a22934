"""the first schema

Revision ID: 0001
Revises: 
"""

import sqlalchemy as sa
from alembic import op


revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('artifact_sets',
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('document', sa.LargeBinary(), nullable=False),
    sa.Column('service_count', sa.Integer(), nullable=False),
    sa.Column('listener_count', sa.Integer(), nullable=False),
    sa.Column('stored_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('digest', name=op.f('pk_artifact_sets'))
    )
    op.create_table('audit_records',
    sa.Column('number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('actor', sa.String(length=120), nullable=False),
    sa.Column('action', sa.String(length=60), nullable=False),
    sa.Column('target', sa.String(length=200), nullable=False),
    sa.Column('outcome', sa.String(length=20), nullable=False),
    sa.Column('address', sa.String(length=64), nullable=True),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_audit_records')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('audit_records', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_audit_records_at'), ['at'], unique=False)

    op.create_table('events',
    sa.Column('sequence', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('runtime_key', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('environment_id', sa.String(length=36), nullable=True),
    sa.Column('project_id', sa.String(length=36), nullable=True),
    sa.Column('integration_id', sa.String(length=36), nullable=True),
    sa.Column('key_id', sa.String(length=16), nullable=True),
    sa.Column('detail', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('sequence', name=op.f('pk_events')),
    sqlite_autoincrement=True
    )
    with op.batch_alter_table('events', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_events_at'), ['at'], unique=False)

    op.create_table('organizations',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('handle', sa.String(length=64), nullable=False),
    sa.Column('display_name', sa.String(length=100), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_organizations')),
    sa.UniqueConstraint('handle', name=op.f('uq_organizations_handle'))
    )
    op.create_table('users',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('username', sa.String(length=100), nullable=False),
    sa.Column('display_name', sa.String(length=100), nullable=False),
    sa.Column('password_hash', sa.String(length=255), nullable=False),
    sa.Column('role', sa.String(length=40), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_users')),
    sa.UniqueConstraint('username', name=op.f('uq_users_username'))
    )
    op.create_table('environments',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('handle', sa.String(length=64), nullable=False),
    sa.Column('display_name', sa.String(length=100), nullable=False),
    sa.Column('critical', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_environments_organization_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_environments')),
    sa.UniqueConstraint('organization_id', 'handle', name=op.f('uq_environments_organization_id_handle'))
    )
    op.create_table('projects',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('handle', sa.String(length=64), nullable=False),
    sa.Column('display_name', sa.String(length=100), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('created_by', sa.String(length=100), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_projects_organization_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_projects')),
    sa.UniqueConstraint('organization_id', 'handle', name=op.f('uq_projects_organization_id_handle'))
    )
    op.create_table('sessions',
    sa.Column('token_digest', sa.String(length=64), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_sessions_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('token_digest', name=op.f('pk_sessions'))
    )
    with op.batch_alter_table('sessions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_sessions_expires_at'), ['expires_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_sessions_user_id'), ['user_id'], unique=False)

    op.create_table('integrations',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('project_id', sa.String(length=36), nullable=False),
    sa.Column('handle', sa.String(length=64), nullable=False),
    sa.Column('display_name', sa.String(length=100), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('runtime_type', sa.String(length=2), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('created_by', sa.String(length=100), nullable=False),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_integrations_project_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_integrations')),
    sa.UniqueConstraint('project_id', 'handle', name=op.f('uq_integrations_project_id_handle'))
    )
    op.create_table('secrets',
    sa.Column('key_id', sa.String(length=16), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('environment_id', sa.String(length=36), nullable=False),
    sa.Column('integration_id', sa.String(length=36), nullable=True),
    sa.Column('sealed_material', sa.LargeBinary(), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('created_by', sa.String(length=100), nullable=False),
    sa.Column('bound_at', sa.BigInteger(), nullable=True),
    sa.Column('last_used_at', sa.BigInteger(), nullable=True),
    sa.Column('revoked_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['environment_id'], ['environments.id'], name=op.f('fk_secrets_environment_id')),
    sa.ForeignKeyConstraint(['integration_id'], ['integrations.id'], name=op.f('fk_secrets_integration_id')),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_secrets_organization_id')),
    sa.PrimaryKeyConstraint('key_id', name=op.f('pk_secrets'))
    )
    with op.batch_alter_table('secrets', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_secrets_environment_id'), ['environment_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_secrets_integration_id'), ['integration_id'], unique=False)

    op.create_table('runtimes',
    sa.Column('key', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('runtime_id', sa.String(length=100), nullable=False),
    sa.Column('integration_id', sa.String(length=36), nullable=False),
    sa.Column('environment_id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=True),
    sa.Column('runtime_type', sa.String(length=2), nullable=False),
    sa.Column('version', sa.String(length=50), nullable=True),
    sa.Column('key_id', sa.String(length=16), nullable=True),
    sa.Column('runtime_hash', sa.String(length=128), nullable=False),
    sa.Column('artifact_digest', sa.String(length=64), nullable=False),
    sa.Column('registered_at', sa.BigInteger(), nullable=False),
    sa.Column('retired_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['artifact_digest'], ['artifact_sets.digest'], name=op.f('fk_runtimes_artifact_digest')),
    sa.ForeignKeyConstraint(['environment_id'], ['environments.id'], name=op.f('fk_runtimes_environment_id')),
    sa.ForeignKeyConstraint(['integration_id'], ['integrations.id'], name=op.f('fk_runtimes_integration_id')),
    sa.ForeignKeyConstraint(['key_id'], ['secrets.key_id'], name=op.f('fk_runtimes_key_id')),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_runtimes')),
    sa.UniqueConstraint('id', name=op.f('uq_runtimes_id')),
    sa.UniqueConstraint('runtime_id', 'integration_id', 'environment_id', name=op.f('uq_runtimes_runtime_id_integration_id_environment_id'))
    )
    with op.batch_alter_table('runtimes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_runtimes_artifact_digest'), ['artifact_digest'], unique=False)
        batch_op.create_index('ix_runtimes_environment_id_name', ['environment_id', 'name'], unique=False)
        batch_op.create_index(batch_op.f('ix_runtimes_key_id'), ['key_id'], unique=False)
        batch_op.create_index('ix_runtimes_place', ['integration_id', 'environment_id', 'name'], unique=False)

    op.create_table('runtime_presence',
    sa.Column('runtime_key', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('seen_at', sa.BigInteger(), nullable=False),
    sa.Column('interval_s', sa.Float(), nullable=True),
    sa.Column('address', sa.String(length=64), nullable=True),
    sa.Column('running_since', sa.BigInteger(), nullable=False),
    sa.Column('status', sa.String(length=10), nullable=False),
    sa.ForeignKeyConstraint(['runtime_key'], ['runtimes.key'], name=op.f('fk_runtime_presence_runtime_key'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('runtime_key', name=op.f('pk_runtime_presence'))
    )
    op.create_table('runtime_reports',
    sa.Column('runtime_key', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('document', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['runtime_key'], ['runtimes.key'], name=op.f('fk_runtime_reports_runtime_key'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('runtime_key', name=op.f('pk_runtime_reports'))
    )
