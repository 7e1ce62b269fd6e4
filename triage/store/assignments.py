"""Owns who has a ticket; refuses to say who may."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, and_, func, update

from triage.store.tables import TicketRow


def assign(conn: Connection, ticket_id: int, actor: str, now: datetime) -> bool:
    """Give an open ticket that nobody has to a person; False when it is closed or taken."""
    free = and_(TicketRow.id == ticket_id, TicketRow.is_open, TicketRow.assignee == "")
    answered = func.coalesce(TicketRow.answered_at, now)
    values = {"assignee": actor, "answered_at": answered, "version": TicketRow.version + 1}
    return conn.execute(update(TicketRow).where(free).values(**values)).rowcount == 1


def answered(conn: Connection, ticket_id: int, now: datetime) -> None:
    """Note that a person has answered, if nobody had before."""
    first = func.coalesce(TicketRow.answered_at, now)
    conn.execute(update(TicketRow).where(TicketRow.id == ticket_id).values(answered_at=first))
