"""Notices that replace earlier ones, the card of a ticket, and marks of what was last seen."""

import sqlalchemy as sa
from alembic import op
import triage.store.tables

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('tickets', sa.Column('card', sa.String(), server_default=sa.text("''"), nullable=False))
    op.add_column('outbox', sa.Column('replaces', sa.String(), nullable=True))
    op.create_index('ix_outbox_replaces', 'outbox', ['pending', 'replaces'], unique=False)
    op.create_index('ix_outbox_receipt', 'outbox', ['receipt'], unique=False)
    op.create_table('marks',
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('at', triage.store.tables.Utc(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_marks'))
    )


def downgrade() -> None:
    op.drop_table('marks')
    op.drop_index('ix_outbox_receipt', table_name='outbox')
    op.drop_index('ix_outbox_replaces', table_name='outbox')
    op.drop_column('outbox', 'replaces')
    op.drop_column('tickets', 'card')
