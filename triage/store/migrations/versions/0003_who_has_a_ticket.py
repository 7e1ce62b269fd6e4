"""Who has a ticket, when it was solved, and what the other side calls a delivered notice."""

import sqlalchemy as sa
from alembic import op
import triage.store.tables

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('tickets', sa.Column('assignee', sa.String(), server_default=sa.text("''"), nullable=False))
    op.add_column('tickets', sa.Column('resolved_at', triage.store.tables.Utc(timezone=True), nullable=True))
    op.add_column('outbox', sa.Column('receipt', sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column('outbox', 'receipt')
    op.drop_column('tickets', 'resolved_at')
    op.drop_column('tickets', 'assignee')
