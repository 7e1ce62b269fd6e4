"""Owns incidents: several tickets about one outage; refuses to say which tickets belong together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from triage.store.tables import IncidentRow, TicketRow
from triage.ticket import Ticket


def open_incidents(conn: Connection, limit: int = 200) -> Sequence[Row[Any]]:
    """Return the open incidents, newest first."""
    table = IncidentRow.__table__
    return conn.execute(select(table).where(IncidentRow.is_open).order_by(IncidentRow.id.desc()).limit(limit)).all()


def open_new(conn: Connection, ticket: Ticket, category: str, since: datetime, now: datetime) -> int:
    """Open an incident and join the tickets that made it one."""
    row = {"category": category, "unit": ticket.unit, "device": ticket.device, "is_open": True}
    times = {"opened_at": now, "last_report_at": now}
    incident_id = conn.execute(insert(IncidentRow).returning(IncidentRow.id), row | times).scalar_one()
    alike = TicketRow.device == ticket.device if ticket.device else TicketRow.unit == ticket.unit
    members = update(TicketRow).where(TicketRow.category == category, TicketRow.received_at >= since, alike)
    conn.execute(members.where(TicketRow.is_open).values(incident_id=incident_id))
    return incident_id


def add_report(conn: Connection, incident_id: int, now: datetime) -> None:
    """Note that somebody reported a known incident again."""
    conn.execute(update(IncidentRow).where(IncidentRow.id == incident_id).values(last_report_at=now))


def close(conn: Connection, incident_id: int, now: datetime) -> bool:
    """Close an incident; False when it is not open."""
    mine = update(IncidentRow).where(IncidentRow.id == incident_id, IncidentRow.is_open)
    return conn.execute(mine.values(is_open=False, closed_at=now)).rowcount == 1
