"""Owns what time takes away: words of old tickets, delivered notices; refuses to touch figures and held tickets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, update

from triage.store.tables import DecisionRow, EventRow, MissRow, OutboxRow, TicketRow
from triage.store.tickets import ref_of

# What an event may hold of people's words; everything else in it is codes and figures.
WORDY = ("text", "note")


def _old(before: datetime) -> ColumnElement[bool]:
    closed = and_(TicketRow.is_open.is_(False), TicketRow.words_gone_at.is_(None))
    return and_(closed, TicketRow.received_at < before, TicketRow.held.is_(False))


def old_tickets(conn: Connection, before: datetime, limit: int) -> list[int]:
    """Return closed tickets from before a time that still have words and are under no legal hold, oldest first."""
    query = select(TicketRow.id).where(_old(before)).order_by(TicketRow.received_at).limit(limit)
    return list(conn.execute(query).scalars())


def count_old(conn: Connection, before: datetime) -> int:
    """Return how many tickets should have lost their words before a time and did not."""
    return conn.execute(select(func.count()).select_from(TicketRow).where(_old(before))).scalar_one()


def forget_words(conn: Connection, ticket_ids: Sequence[int], now: datetime) -> None:
    """Take the words of tickets from every table; categories, times and figures stay."""
    mine = TicketRow.id.in_(ticket_ids)
    conn.execute(update(TicketRow).where(mine).values(text="", spans=[], words_gone_at=now))
    conn.execute(update(DecisionRow).where(DecisionRow.ticket_id.in_(ticket_ids)).values(words=[]))
    conn.execute(delete(MissRow).where(MissRow.ticket_id.in_(ticket_ids)))
    for event in conn.execute(select(EventRow.id, EventRow.data).where(EventRow.ticket_id.in_(ticket_ids))).all():
        if any(name in event.data for name in WORDY):
            left = {name: value for name, value in event.data.items() if name not in WORDY}
            conn.execute(update(EventRow).where(EventRow.id == event.id).values(data=left))
    for ticket_id in ticket_ids:
        conn.execute(delete(OutboxRow).where(OutboxRow.key.like(f"{ref_of(ticket_id)}:%"), ~OutboxRow.pending))


def forget_notices(conn: Connection, before: datetime) -> int:
    """Delete notices delivered or given up before a time, but for those of held tickets; returns how many."""
    held = conn.execute(select(TicketRow.id).where(TicketRow.held)).scalars()
    kept = [OutboxRow.key.not_like(f"{ref_of(ticket_id)}:%") for ticket_id in held]
    over = func.coalesce(OutboxRow.done_at, OutboxRow.dead_at) < before
    return conn.execute(delete(OutboxRow).where(OutboxRow.pending.is_(False), over, *kept)).rowcount


def hold(conn: Connection, ticket_id: int, *, held: bool) -> bool:
    """Put a ticket under legal hold or free it; False when it is so already."""
    mine = and_(TicketRow.id == ticket_id, TicketRow.held.is_not(held))
    values: dict[str, Any] = {"held": held, "version": TicketRow.version + 1}
    return conn.execute(update(TicketRow).where(mine).values(**values)).rowcount == 1
