"""Who is signed in on the web, so that signing out ends it wherever its cookie was copied to."""

import sqlalchemy as sa
from alembic import op
import triage.store.tables

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('sessions',
    sa.Column('digest', sa.String(), nullable=False),
    sa.Column('email', sa.String(), nullable=False),
    sa.Column('created_at', triage.store.tables.Utc(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('digest', name=op.f('pk_sessions'))
    )
    op.create_index('ix_sessions_email', 'sessions', ['email'], unique=False)
    op.create_index('ix_sessions_age', 'sessions', ['created_at'], unique=False)


def downgrade() -> None:
    op.drop_index('ix_sessions_age', table_name='sessions')
    op.drop_index('ix_sessions_email', table_name='sessions')
    op.drop_table('sessions')
