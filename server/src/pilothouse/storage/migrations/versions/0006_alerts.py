"""alerts: rules, what they found, silences, channels, and the outbox

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op


revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('alert_channels',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('kind', sa.String(length=12), nullable=False),
    sa.Column('target', sa.String(length=500), nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('created_by', sa.String(length=100), nullable=False),
    sa.Column('last_sent_at', sa.BigInteger(), nullable=True),
    sa.Column('last_failed_at', sa.BigInteger(), nullable=True),
    sa.Column('last_failure', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_alert_channels_organization_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alert_channels'))
    )
    op.create_table('alert_notifications',
    sa.Column('number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('channel_id', sa.String(length=36), nullable=True),
    sa.Column('gather_key', sa.String(length=120), nullable=False),
    sa.Column('rule_id', sa.String(length=36), nullable=True),
    sa.Column('kind', sa.String(length=10), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('alert_count', sa.Integer(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('sent_at', sa.BigInteger(), nullable=True),
    sa.Column('next_attempt_at', sa.BigInteger(), nullable=True),
    sa.Column('lease_owner', sa.String(length=36), nullable=True),
    sa.Column('lease_until', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['channel_id'], ['alert_channels.id'], name=op.f('fk_alert_notifications_channel_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_alert_notifications')),
    sa.UniqueConstraint('id', name=op.f('uq_alert_notifications_id')),
    sqlite_autoincrement=True
    )
    op.create_index(op.f('ix_alert_notifications_channel_id'), 'alert_notifications', ['channel_id'], unique=False)
    op.create_index('ix_alert_notifications_state_next_attempt_at', 'alert_notifications', ['state', 'next_attempt_at'], unique=False)
    op.create_table('alert_rules',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('condition', sa.String(length=24), nullable=False),
    sa.Column('severity', sa.String(length=10), nullable=False),
    sa.Column('enabled', sa.Boolean(), nullable=False),
    sa.Column('project_id', sa.String(length=36), nullable=True),
    sa.Column('integration_id', sa.String(length=36), nullable=True),
    sa.Column('environment_id', sa.String(length=36), nullable=True),
    sa.Column('threshold', sa.Float(), nullable=True),
    sa.Column('percentile', sa.Float(), nullable=True),
    sa.Column('window_s', sa.Integer(), nullable=False),
    sa.Column('pattern', sa.Text(), nullable=True),
    sa.Column('levels', sa.String(length=100), nullable=False),
    sa.Column('for_s', sa.Integer(), nullable=False),
    sa.Column('remind_s', sa.Integer(), nullable=True),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('created_by', sa.String(length=100), nullable=False),
    sa.Column('trouble', sa.Text(), nullable=True),
    sa.Column('judged_at', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['environment_id'], ['environments.id'], name=op.f('fk_alert_rules_environment_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['integration_id'], ['integrations.id'], name=op.f('fk_alert_rules_integration_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_alert_rules_organization_id')),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_alert_rules_project_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alert_rules'))
    )
    op.create_index(op.f('ix_alert_rules_environment_id'), 'alert_rules', ['environment_id'], unique=False)
    op.create_index(op.f('ix_alert_rules_integration_id'), 'alert_rules', ['integration_id'], unique=False)
    op.create_index(op.f('ix_alert_rules_project_id'), 'alert_rules', ['project_id'], unique=False)
    op.create_table('alerts',
    sa.Column('number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('rule_id', sa.String(length=36), nullable=False),
    sa.Column('rule_name', sa.String(length=100), nullable=False),
    sa.Column('subject', sa.String(length=200), nullable=False),
    sa.Column('open_key', sa.String(length=64), nullable=False),
    sa.Column('severity', sa.String(length=10), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('message', sa.Text(), nullable=False),
    sa.Column('project_id', sa.String(length=36), nullable=True),
    sa.Column('integration_id', sa.String(length=36), nullable=True),
    sa.Column('environment_id', sa.String(length=36), nullable=True),
    sa.Column('runtime_key', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('value', sa.Float(), nullable=True),
    sa.Column('since', sa.BigInteger(), nullable=False),
    sa.Column('fired_at', sa.BigInteger(), nullable=True),
    sa.Column('resolved_at', sa.BigInteger(), nullable=True),
    sa.Column('told_at', sa.BigInteger(), nullable=True),
    sa.Column('told_count', sa.Integer(), nullable=False),
    sa.Column('measured_at', sa.BigInteger(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['environment_id'], ['environments.id'], name=op.f('fk_alerts_environment_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['integration_id'], ['integrations.id'], name=op.f('fk_alerts_integration_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_alerts_organization_id')),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_alerts_project_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_alerts')),
    sa.UniqueConstraint('id', name=op.f('uq_alerts_id')),
    sa.UniqueConstraint('open_key', name=op.f('uq_alerts_open_key')),
    sqlite_autoincrement=True
    )
    op.create_index(op.f('ix_alerts_environment_id'), 'alerts', ['environment_id'], unique=False)
    op.create_index(op.f('ix_alerts_integration_id'), 'alerts', ['integration_id'], unique=False)
    op.create_index(op.f('ix_alerts_project_id'), 'alerts', ['project_id'], unique=False)
    op.create_index('ix_alerts_rule_id_state', 'alerts', ['rule_id', 'state'], unique=False)
    op.create_index('ix_alerts_state_resolved_at', 'alerts', ['state', 'resolved_at'], unique=False)
    op.create_table('alert_notices',
    sa.Column('alert_number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('notification_number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('channel_id', sa.String(length=36), nullable=False),
    sa.Column('transition', sa.String(length=24), nullable=False),
    sa.ForeignKeyConstraint(['alert_number'], ['alerts.number'], name=op.f('fk_alert_notices_alert_number'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['notification_number'], ['alert_notifications.number'], name=op.f('fk_alert_notices_notification_number'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('alert_number', 'notification_number', name=op.f('pk_alert_notices')),
    sa.UniqueConstraint('alert_number', 'channel_id', 'transition', name=op.f('uq_alert_notices_alert_number_channel_id_transition'))
    )
    op.create_index(op.f('ix_alert_notices_notification_number'), 'alert_notices', ['notification_number'], unique=False)
    op.create_table('alert_rule_channels',
    sa.Column('rule_id', sa.String(length=36), nullable=False),
    sa.Column('channel_id', sa.String(length=36), nullable=False),
    sa.ForeignKeyConstraint(['channel_id'], ['alert_channels.id'], name=op.f('fk_alert_rule_channels_channel_id')),
    sa.ForeignKeyConstraint(['rule_id'], ['alert_rules.id'], name=op.f('fk_alert_rule_channels_rule_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('rule_id', 'channel_id', name=op.f('pk_alert_rule_channels'))
    )
    op.create_index(op.f('ix_alert_rule_channels_channel_id'), 'alert_rule_channels', ['channel_id'], unique=False)
    op.create_table('alert_silences',
    sa.Column('id', sa.String(length=36), nullable=False),
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('rule_id', sa.String(length=36), nullable=True),
    sa.Column('project_id', sa.String(length=36), nullable=True),
    sa.Column('integration_id', sa.String(length=36), nullable=True),
    sa.Column('environment_id', sa.String(length=36), nullable=True),
    sa.Column('reason', sa.String(length=500), nullable=False),
    sa.Column('from_at', sa.BigInteger(), nullable=False),
    sa.Column('to_at', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.BigInteger(), nullable=False),
    sa.Column('created_by', sa.String(length=100), nullable=False),
    sa.ForeignKeyConstraint(['environment_id'], ['environments.id'], name=op.f('fk_alert_silences_environment_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['integration_id'], ['integrations.id'], name=op.f('fk_alert_silences_integration_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_alert_silences_organization_id')),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_alert_silences_project_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['rule_id'], ['alert_rules.id'], name=op.f('fk_alert_silences_rule_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alert_silences'))
    )
    op.create_index(op.f('ix_alert_silences_environment_id'), 'alert_silences', ['environment_id'], unique=False)
    op.create_index(op.f('ix_alert_silences_integration_id'), 'alert_silences', ['integration_id'], unique=False)
    op.create_index(op.f('ix_alert_silences_project_id'), 'alert_silences', ['project_id'], unique=False)
    op.create_index(op.f('ix_alert_silences_rule_id'), 'alert_silences', ['rule_id'], unique=False)
    op.create_index(op.f('ix_alert_silences_to_at'), 'alert_silences', ['to_at'], unique=False)
