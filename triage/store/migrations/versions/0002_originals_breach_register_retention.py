"""Originals, breach register, retention."""

import sqlalchemy as sa
from alembic import op
import triage.store.tables

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('breaches',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('ticket_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('aware_at', triage.store.tables.Utc(timezone=True), nullable=False),
    sa.Column('happened', sa.String(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('information', sa.String(), nullable=False),
    sa.Column('circumstances', sa.Text(), nullable=False),
    sa.Column('persons', sa.Integer(), nullable=True),
    sa.Column('risk', sa.String(), nullable=False),
    sa.Column('risk_reasons', sa.Text(), nullable=False),
    sa.Column('measures', sa.Text(), nullable=False),
    sa.Column('notified', sa.JSON(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['ticket_id'], ['tickets.id'], name=op.f('fk_breaches_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_breaches')),
    sa.UniqueConstraint('ticket_id', name=op.f('uq_breaches_ticket_id'))
    )
    op.create_table('masker_misses',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=True, nullable=False),
    sa.Column('ticket_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('at', triage.store.tables.Utc(timezone=True), nullable=False),
    sa.Column('actor', sa.String(), nullable=False),
    sa.Column('language', sa.String(), nullable=False),
    sa.Column('marked', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['ticket_id'], ['tickets.id'], name=op.f('fk_masker_misses_ticket_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_masker_misses'))
    )
    op.create_table('originals',
    sa.Column('ticket_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=False),
    sa.Column('keep_until', triage.store.tables.Utc(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['ticket_id'], ['tickets.id'], name=op.f('fk_originals_ticket_id')),
    sa.PrimaryKeyConstraint('ticket_id', name=op.f('pk_originals'))
    )
    op.create_index('ix_originals_expiry', 'originals', ['keep_until'])
    op.create_index('ix_audit_actor', 'audit', ['actor', 'id'])
    op.create_index('ix_audit_subject', 'audit', ['subject', 'id'])
    # No batch: it would copy the table, and the rows that point to it forbid that.
    op.add_column('tickets', sa.Column('held', sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column('tickets', sa.Column('words_gone_at', triage.store.tables.Utc(timezone=True), nullable=True))
    op.create_index('ix_tickets_words', 'tickets', ['is_open', 'words_gone_at', 'received_at'])


def downgrade() -> None:
    op.drop_index('ix_tickets_words', 'tickets')
    op.drop_column('tickets', 'words_gone_at')
    op.drop_column('tickets', 'held')
    op.drop_index('ix_audit_subject', 'audit')
    op.drop_index('ix_audit_actor', 'audit')
    op.drop_table('originals')
    op.drop_table('masker_misses')
    op.drop_table('breaches')
