"""Owns what was decided about tickets, by the product and again after a person's word; refuses to decide."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, select, update

from triage.store.tables import DecisionRow, TicketRow
from triage.store.tickets import add_event
from triage.ticket import Decision, Route, Status


def record_decision(
    conn: Connection, ticket_id: int, decision: Decision, incident_id: int | None, now: datetime, card: str = ""
) -> bool:
    """Store a decision and move the ticket; False when the ticket was triaged already or a person has it.

    `card` is the key of the notice that tells the team.
    """
    fresh = and_(TicketRow.id == ticket_id, TicketRow.status == Status.NEW.value)
    moved = _moved(decision) | {
        "status": (Status.WAITING if decision.route is Route.AUTO_RESOLVE else Status.OPEN).value,
        "incident_id": incident_id,
        "card": card,
    }
    if conn.execute(update(TicketRow).where(fresh).values(**moved)).rowcount != 1:
        return False
    _add_decision(conn, ticket_id, decision, now)
    reasons = _pairs(decision)
    data = {"route": decision.route.value, "category": decision.category, "priority": decision.priority.value}
    add_event(conn, ticket_id, now, "decided", "triage", data | {"team": decision.team, "reasons": reasons})
    return True


def record_again(conn: Connection, row: Row[Any], decision: Decision, now: datetime, **more: Any) -> bool:
    """Store what follows from a person's word about a ticket; False when it was changed since `row` was read."""
    unchanged = and_(TicketRow.id == row.id, TicketRow.version == row.version)
    moved = _moved(decision) | more
    if conn.execute(update(TicketRow).where(unchanged).values(**moved)).rowcount != 1:
        return False
    _add_decision(conn, row.id, decision, now)
    return True


def _moved(decision: Decision) -> dict[str, Any]:
    return {
        "route": decision.route.value,
        "category": decision.category,
        "confidence": decision.confidence,
        "priority": decision.priority.value,
        "team": decision.team,
        "action": decision.action,
        "article": decision.article,
        "restricted": decision.restricted,
        "respond_by": decision.respond_by,
        "resolve_by": decision.resolve_by,
        "version": TicketRow.version + 1,
    }


def _pairs(decision: Decision) -> list[list[str]]:
    return [[reason.code, reason.detail] for reason in decision.reasons]


def _add_decision(conn: Connection, ticket_id: int, decision: Decision, now: datetime) -> None:
    conn.execute(
        insert(DecisionRow).values(
            ticket_id=ticket_id,
            at=now,
            route=decision.route.value,
            category=decision.category,
            confidence=decision.confidence,
            priority=decision.priority.value,
            team=decision.team,
            top=[list(guess) for guess in decision.top],
            reasons=_pairs(decision),
            words=[list(word) for word in decision.words],
            model_version=decision.model_version,
            policy_hash=decision.policy_hash,
        )
    )


def last_decision(conn: Connection, ticket_id: int) -> Row[Any] | None:
    """Return the newest decision about a ticket."""
    mine = select(DecisionRow.__table__).where(DecisionRow.ticket_id == ticket_id)
    return conn.execute(mine.order_by(DecisionRow.id.desc()).limit(1)).first()
