"""Owns people's verdicts on what tickets really were, and what may be learned of them; refuses to learn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, and_, insert, select

from triage.store.tables import CorrectionRow, TicketRow
from triage.store.tickets import add_event


def add_correction(
    conn: Connection, ticket_id: int, *, actor: str, label: str, learn: bool, now: datetime
) -> str | None:
    """Store a person's verdict and return the category the ticket had before."""
    was = conn.execute(select(TicketRow.category).where(TicketRow.id == ticket_id)).scalar()
    row = {"ticket_id": ticket_id, "at": now, "actor": actor, "was": was, "label": label, "learn": learn}
    conn.execute(insert(CorrectionRow), row)
    add_event(conn, ticket_id, now, "corrected", actor, {"was": was, "label": label})
    return was


def reviewed_examples(conn: Connection) -> Sequence[Row[int, str, str, str, datetime]]:
    """Return (ticket id, masked text, language, label, at) of every ticket whose last verdict may be learned."""
    newer = CorrectionRow.__table__.alias()
    last = (
        ~select(newer.c.id).where(newer.c.ticket_id == CorrectionRow.ticket_id, newer.c.id > CorrectionRow.id).exists()
    )
    columns = (TicketRow.id, TicketRow.text, TicketRow.language, CorrectionRow.label, CorrectionRow.at)
    query = select(*columns).join(CorrectionRow, CorrectionRow.ticket_id == TicketRow.id)
    usable = and_(last, CorrectionRow.learn, TicketRow.withheld.is_(False), TicketRow.words_gone_at.is_(None))
    return conn.execute(query.where(usable).order_by(TicketRow.id)).all()
