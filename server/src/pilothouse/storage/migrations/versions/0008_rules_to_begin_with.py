"""rules that every organization begins with; rules on critical environments alone

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op


revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('alert_rules', sa.Column('built_in', sa.String(length=40), nullable=True))
    op.add_column('alert_rules', sa.Column('critical_only', sa.Boolean(), nullable=True))
    op.execute(sa.text('UPDATE alert_rules SET critical_only = false'))
    with op.batch_alter_table('alert_rules', schema=None) as batch_op:
        batch_op.alter_column('critical_only', existing_type=sa.Boolean(), nullable=False)
    op.create_table('alert_rules_begun',
    sa.Column('organization_id', sa.String(length=36), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.ForeignKeyConstraint(['organization_id'], ['organizations.id'], name=op.f('fk_alert_rules_begun_organization_id')),
    sa.PrimaryKeyConstraint('organization_id', 'code', name=op.f('pk_alert_rules_begun'))
    )
