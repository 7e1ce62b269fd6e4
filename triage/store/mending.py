"""Owns the second masking of a stored ticket: every place its words reached; refuses to choose the words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, false, insert, or_, select, update

from triage.store.tables import BreachRow, DecisionRow, EventRow, IncidentRow, MissRow, OutboxRow, TicketRow
from triage.store.tickets import ref_of
from triage.ticket import Span

BREACH_WORDS = ("happened", "information", "circumstances", "risk_reasons", "measures")
Change = Callable[[str], str]


def locked(conn: Connection, ticket_id: int) -> Row[Any] | None:
    """Return a ticket's row, nobody else changing it until this transaction ends."""
    return conn.execute(select(TicketRow.__table__).where(TicketRow.id == ticket_id).with_for_update()).first()


def set_text(conn: Connection, ticket_id: int, text: str, spans: Sequence[Span]) -> None:
    """Store a ticket's newly masked text and where its placeholders stand for something in the original."""
    places = [[span.start, span.end, span.type] for span in spans]
    changed = {"text": text, "spans": places, "version": TicketRow.version + 1}
    conn.execute(update(TicketRow).where(TicketRow.id == ticket_id).values(**changed))


def change_everywhere(
    conn: Connection, ticket_id: int, change: Change, holds_part: Callable[[str], bool]
) -> list[dict[str, Any]]:
    """Change all other words that came from a ticket: fields, timeline, decisions, notices, incident, breach entry.

    Of the words that a model weighed, one by one, those go of which `holds_part` is true.
    Returns the changed notices that somebody can still see, as they read now.
    """
    weighed = select(DecisionRow.id, DecisionRow.words).where(DecisionRow.ticket_id == ticket_id)
    for decision_id, words in conn.execute(weighed).all():
        left = [pair for pair in words if not holds_part(pair[0])]
        conn.execute(update(DecisionRow).where(DecisionRow.id == decision_id).values(words=left))
    ticket = conn.execute(select(TicketRow.__table__).where(TicketRow.id == ticket_id)).one()
    # An incident has its words from its first ticket, which may have been corrected out of it since.
    named = (getattr(IncidentRow, name) == value for name in ("unit", "device") if (value := getattr(ticket, name)))
    about = or_(false(), *named)
    shown = []
    for table, mine, columns in (
        (TicketRow, TicketRow.id == ticket_id, ("unit", "device")),
        (IncidentRow, or_(IncidentRow.id == ticket.incident_id, about), ("unit", "device")),
        (EventRow, EventRow.ticket_id == ticket_id, ("data",)),
        (DecisionRow, DecisionRow.ticket_id == ticket_id, ("reasons",)),
        (OutboxRow, OutboxRow.key.like(f"{ref_of(ticket_id)}:%"), ("payload",)),
        (MissRow, MissRow.ticket_id == ticket_id, ("marked",)),
        (BreachRow, BreachRow.ticket_id == ticket_id, BREACH_WORDS),
    ):
        for row in conn.execute(select(table.__table__).where(mine)).mappings().all():
            new = {name: _deep(change, row[name]) for name in columns}
            if any(new[name] != row[name] for name in columns):
                conn.execute(update(table).where(table.__table__.c.id == row["id"]).values(**new))
                if table is OutboxRow and row["receipt"] and not row["replaces"]:
                    shown.append(new["payload"])
    return shown


def _deep(change: Change, value: Any) -> Any:
    """Apply a change to every string in a JSON value."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_deep(change, one) for one in value]
    if isinstance(value, dict):
        return {name: _deep(change, one) for name, one in value.items()}
    return value


def add_miss(conn: Connection, ticket: Row[Any], marked: str, actor: str, now: datetime) -> None:
    """Keep what the masker missed as a test of the next one."""
    row = {"ticket_id": ticket.id, "at": now, "actor": actor, "language": ticket.language, "marked": marked}
    conn.execute(insert(MissRow), row)


def misses(conn: Connection) -> Sequence[Row[Any]]:
    """Return all that people found missed, oldest first."""
    return conn.execute(select(MissRow.__table__).order_by(MissRow.id)).all()
