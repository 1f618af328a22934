"""people, groups, roles and tokens; organizations in every row; audit records are chained

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op


revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Everybody signs in anew: sessions have another shape.
    op.drop_table('sessions')
    op.create_table('sessions',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('kind', sa.String(length=10), nullable=False),
    sa.Column('method', sa.String(length=10), nullable=False),
    sa.Column('access_digest', sa.String(length=64), nullable=False),
    sa.Column('access_expires_at', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.Column('last_used_at', sa.BigInteger(), nullable=False),
    sa.Column('address', sa.String(length=64), nullable=True),
    sa.Column('user_agent', sa.String(length=200), nullable=False),
    sa.Column('ended_at', sa.BigInteger(), nullable=True),
    sa.Column('ended_because', sa.String(length=40), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_sessions_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sessions')),
    sa.UniqueConstraint('access_digest', name=op.f('uq_sessions_access_digest'))
    )
    op.create_index(op.f('ix_sessions_expires_at'), 'sessions', ['expires_at'], unique=False)
    op.create_index(op.f('ix_sessions_user_id'), 'sessions', ['user_id'], unique=False)
    op.create_table('audit_anchors',
    sa.Column('number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('at', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_audit_anchors'))
    )
    op.create_table('roles',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('built_in', sa.String(length=20), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('created_by', sa.String(length=100), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_roles_organization_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_roles')),
    sa.UniqueConstraint('organization_id', 'name', name=op.f('uq_roles_organization_id_name'))
    )
    op.create_table('api_tokens',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('hint', sa.String(length=16), nullable=False),
    sa.Column('permissions', sa.Text(), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('created_by', sa.String(length=100), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=True),
    sa.Column('last_used_at', sa.BigInteger(), nullable=True),
    sa.Column('last_used_address', sa.String(length=64), nullable=True),
    sa.Column('revoked_at', sa.BigInteger(), nullable=True),
    sa.Column('revoked_by', sa.String(length=100), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_api_tokens_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_tokens')),
    sa.UniqueConstraint('digest', name=op.f('uq_api_tokens_digest'))
    )
    op.create_index(op.f('ix_api_tokens_user_id'), 'api_tokens', ['user_id'], unique=False)

    op.create_table('device_grants',
    sa.Column('device_digest', sa.String(length=64), nullable=False),
    sa.Column('user_code', sa.String(length=12), nullable=False),
    sa.Column('client', sa.String(length=100), nullable=False),
    sa.Column('address', sa.String(length=64), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.BigInteger(), nullable=False),
    sa.Column('polled_at', sa.BigInteger(), nullable=True),
    sa.Column('decided_at', sa.BigInteger(), nullable=True),
    sa.Column('allowed', sa.Boolean(), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=True),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_device_grants_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('device_digest', name=op.f('pk_device_grants')),
    sa.UniqueConstraint('user_code', name=op.f('uq_device_grants_user_code'))
    )
    op.create_index(op.f('ix_device_grants_expires_at'), 'device_grants', ['expires_at'], unique=False)

    op.create_table('groups',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('built_in', sa.String(length=20), nullable=True),
    sa.Column('project_id', sa.String(length=36), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('created_by', sa.String(length=100), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_groups_organization_id')),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_groups_project_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_groups')),
    sa.UniqueConstraint('organization_id', 'name', name=op.f('uq_groups_organization_id_name'))
    )
    op.create_index(op.f('ix_groups_project_id'), 'groups', ['project_id'], unique=False)

    op.create_table('role_permissions',
    sa.Column('role_id', sa.String(length=36), nullable=False),
    sa.Column('permission', sa.String(length=60), nullable=False),
    sa.ForeignKeyConstraint(['role_id'], ['roles.id'], name=op.f('fk_role_permissions_role_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('role_id', 'permission', name=op.f('pk_role_permissions'))
    )
    op.create_table('group_members',
    sa.Column('group_id', sa.String(length=36), nullable=False),
    sa.Column('user_id', sa.String(length=36), nullable=False),
    sa.Column('source', sa.String(length=10), nullable=False),
    sa.Column('added_at', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['group_id'], ['groups.id'], name=op.f('fk_group_members_group_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_group_members_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('group_id', 'user_id', name=op.f('pk_group_members'))
    )
    op.create_index(op.f('ix_group_members_user_id'), 'group_members', ['user_id'], unique=False)

    op.create_table('refresh_tokens',
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('session_id', sa.String(length=36), nullable=False),
    sa.Column('issued_at', sa.BigInteger(), nullable=False),
    sa.Column('used_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['session_id'], ['sessions.id'], name=op.f('fk_refresh_tokens_session_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('digest', name=op.f('pk_refresh_tokens'))
    )
    op.create_index(op.f('ix_refresh_tokens_session_id'), 'refresh_tokens', ['session_id'], unique=False)

    op.create_table('role_mappings',
    sa.Column('number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('group_id', sa.String(length=36), nullable=False),
    sa.Column('role_id', sa.String(length=36), nullable=False),
    sa.Column('project_id', sa.String(length=36), nullable=True),
    sa.Column('integration_id', sa.String(length=36), nullable=True),
    sa.Column('environment_id', sa.String(length=36), nullable=True),
    sa.Column('scope', sa.String(length=120), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('created_by', sa.String(length=100), nullable=False),
    sa.ForeignKeyConstraint(['environment_id'], ['environments.id'], name=op.f('fk_role_mappings_environment_id')),
    sa.ForeignKeyConstraint(['group_id'], ['groups.id'], name=op.f('fk_role_mappings_group_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['integration_id'], ['integrations.id'], name=op.f('fk_role_mappings_integration_id')),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_role_mappings_organization_id')),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_role_mappings_project_id')),
    sa.ForeignKeyConstraint(['role_id'], ['roles.id'], name=op.f('fk_role_mappings_role_id')),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_role_mappings')),
    sa.UniqueConstraint('group_id', 'role_id', 'scope', name=op.f('uq_role_mappings_group_id_role_id_scope')),
    sqlite_autoincrement=True
    )
    op.create_index(op.f('ix_role_mappings_environment_id'), 'role_mappings', ['environment_id'], unique=False)
    op.create_index(op.f('ix_role_mappings_integration_id'), 'role_mappings', ['integration_id'], unique=False)
    op.create_index(op.f('ix_role_mappings_project_id'), 'role_mappings', ['project_id'], unique=False)
    op.create_index(op.f('ix_role_mappings_role_id'), 'role_mappings', ['role_id'], unique=False)

    op.create_table('sso_group_mappings',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('issuer', sa.String(length=255), nullable=False),
    sa.Column('claim', sa.String(length=128), nullable=False),
    sa.Column('value', sa.String(length=255), nullable=False),
    sa.Column('group_id', sa.String(length=36), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('created_by', sa.String(length=100), nullable=False),
    sa.ForeignKeyConstraint(['group_id'], ['groups.id'], name=op.f('fk_sso_group_mappings_group_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_sso_group_mappings_organization_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sso_group_mappings')),
    sa.UniqueConstraint('digest', name=op.f('uq_sso_group_mappings_digest'))
    )
    op.create_index(op.f('ix_sso_group_mappings_group_id'), 'sso_group_mappings', ['group_id'], unique=False)
    _give_organization('integrations')
    _give_organization('runtimes')
    _alter_users()
    _alter_audit_records()


def _give_organization(table: str) -> None:
    op.add_column(table, sa.Column('organization_id', sa.String(length=36), nullable=True))
    op.execute(f'UPDATE {table} SET organization_id = (SELECT min(id) FROM organizations)')
    # A key of a runtime is never given twice from now on: events outlive it.
    kwargs = {'sqlite_autoincrement': True} if table == 'runtimes' else {}
    with op.batch_alter_table(table, schema=None, table_kwargs=kwargs) as batch_op:
        batch_op.alter_column('organization_id', existing_type=sa.String(length=36), nullable=False)
        batch_op.create_foreign_key(batch_op.f(f'fk_{table}_organization_id'), 'organizations', ['organization_id'], ['id'])


def _alter_users() -> None:
    op.add_column('users', sa.Column('organization_id', sa.String(length=36), nullable=True))
    op.add_column('users', sa.Column('email', sa.String(length=255), nullable=True))
    op.add_column('users', sa.Column('kind', sa.String(length=10), nullable=True))
    op.add_column('users', sa.Column('password_changed_at', sa.BigInteger(), nullable=True))
    op.add_column('users', sa.Column('must_change_password', sa.Boolean(), nullable=True))
    op.add_column('users', sa.Column('issuer', sa.String(length=255), nullable=True))
    op.add_column('users', sa.Column('external_subject', sa.String(length=255), nullable=True))
    op.add_column('users', sa.Column('disabled_at', sa.BigInteger(), nullable=True))
    op.add_column('users', sa.Column('created_by', sa.String(length=100), nullable=True))
    op.add_column('users', sa.Column('last_sign_in_at', sa.BigInteger(), nullable=True))
    # Whoever there is was an administrator: the groups are made at the next start, and they become Super Admins.
    users = sa.table(
        'users', *(sa.column(name, sa.String()) for name in ('organization_id', 'kind', 'created_by', 'username')),
        sa.column('must_change_password', sa.Boolean()),
    )
    first = sa.text('(SELECT min(id) FROM organizations)')
    op.execute(sa.update(users).values(
        organization_id=first, kind='person', must_change_password=sa.false(), created_by='pilothouse',
        username=sa.func.lower(users.c.username),
    ))
    with op.batch_alter_table('users', schema=None) as batch_op:
        for name, kind in (
            ('organization_id', sa.String(length=36)),
            ('kind', sa.String(length=10)),
            ('must_change_password', sa.Boolean()),
            ('created_by', sa.String(length=100)),
        ):
            batch_op.alter_column(name, existing_type=kind, nullable=False)
        batch_op.alter_column('password_hash', existing_type=sa.String(length=255), nullable=True)
        batch_op.create_unique_constraint(batch_op.f('uq_users_issuer_external_subject'), ['issuer', 'external_subject'])
        batch_op.create_foreign_key(batch_op.f('fk_users_organization_id'), 'organizations', ['organization_id'], ['id'])
        batch_op.drop_column('role')


def _alter_audit_records() -> None:
    for column in (
        sa.Column('organization_id', sa.String(length=36), nullable=True),
        sa.Column('actor_id', sa.String(length=36), nullable=True),
        sa.Column('via', sa.String(length=12), nullable=True),
        sa.Column('credential_id', sa.String(length=36), nullable=True),
        sa.Column('before', sa.Text(), nullable=True),
        sa.Column('after', sa.Text(), nullable=True),
        sa.Column('project_id', sa.String(length=36), nullable=True),
        sa.Column('integration_id', sa.String(length=36), nullable=True),
        sa.Column('environment_id', sa.String(length=36), nullable=True),
        sa.Column('digest', sa.String(length=64), nullable=True),
    ):
        op.add_column('audit_records', column)
    # What was recorded before stays outside of the chain, which begins with the next record.
    op.execute(
        "UPDATE audit_records SET organization_id = coalesce((SELECT min(id) FROM organizations), ''), via = '', digest = ''"
    )
    with op.batch_alter_table('audit_records', schema=None, table_kwargs={'sqlite_autoincrement': True}) as batch_op:
        batch_op.alter_column('organization_id', existing_type=sa.String(length=36), nullable=False)
        batch_op.alter_column('via', existing_type=sa.String(length=12), nullable=False)
        batch_op.alter_column('digest', existing_type=sa.String(length=64), nullable=False)
    op.create_index(op.f('ix_audit_records_action'), 'audit_records', ['action'], unique=False)
    op.create_index(op.f('ix_audit_records_project_id'), 'audit_records', ['project_id'], unique=False)
    op.create_index(op.f('ix_audit_records_actor'), 'audit_records', ['actor'], unique=False)
