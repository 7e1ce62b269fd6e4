"""What IT staff do with a ticket: take it, resolve it, open it again; refuses to judge who may."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from triage import notices
from triage.service.shared import Act, BadMessageError, ConflictError, Services, add_audit, as_work, existing
from triage.store import assignments, outbox, tickets
from triage.ticket import Priority, Status

LONGEST_NOTE = 2000  # characters
_ACTIVE = (Status.NEW, Status.OPEN, Status.WAITING)


def claim(services: Services, ref: str, actor: str, now: datetime) -> None:
    """Take a ticket: it has an answer now, and escalation stops. Raises NotFoundError.

    Raises ConflictError when it is closed or somebody else has it; a second click of the same person does nothing.
    """

    def work(conn: Connection) -> None:
        row = existing(conn, ref)
        if row.assignee == actor:
            return
        if not assignments.assign(conn, row.id, actor, now):
            taken_by = existing(conn, ref).assignee  # somebody may have been quicker just now
            raise ConflictError(f"{taken_by} has {ref} already" if taken_by else f"{ref} is closed")
        tickets.add_event(conn, row.id, now, "claimed", actor, {})
        add_audit(conn, services, Act(now, actor, "claim"), tickets.ref_of(row.id), {})

    services.transactions.write(work)


def resolve(services: Services, ref: str, actor: str, note: str, now: datetime) -> None:
    """Close a ticket with a note for its reporter, who is told and can open it again.

    The note is masked like all words. Raises NotFoundError, BadMessageError without a note,
    ConflictError when it is closed already.
    """
    said = services.mask(note.strip())
    if said.failed or not 0 < len(note.strip()) <= LONGEST_NOTE:
        raise BadMessageError("note", f"must have 1 to {LONGEST_NOTE} characters")

    def work(conn: Connection) -> None:
        row = existing(conn, ref)
        if not tickets.set_status(conn, row.id, Status.RESOLVED, _ACTIVE, resolved_at=now):
            raise ConflictError(f"{ref} is closed already")
        tickets.add_event(conn, row.id, now, "resolved", actor, {"note": said.text})
        add_audit(conn, services, Act(now, actor, "resolve"), tickets.ref_of(row.id), {})
        if told := notices.resolved(tickets.to_ticket(row), said.text, turn=row.version):
            outbox.enqueue(conn, [as_work(told)], now)

    services.transactions.write(work)


def reopen(services: Services, ref: str, actor: str, now: datetime) -> None:
    """Open a resolved ticket again and tell the team. Raises NotFoundError or ConflictError."""

    def work(conn: Connection) -> None:
        row = existing(conn, ref)
        if not tickets.set_status(conn, row.id, Status.OPEN, [Status.RESOLVED], resolved_at=None, answered_at=None):
            raise ConflictError(f"{ref} is not resolved")
        tickets.add_event(conn, row.id, now, "reopened", actor, {})
        add_audit(conn, services, Act(now, actor, "reopen"), tickets.ref_of(row.id), {})
        team = row.team or services.policy.review_team
        priority = Priority(row.priority or Priority.P3)
        told = notices.reopened(ref, team=team, priority=priority, policy=services.policy, turn=row.version)
        outbox.enqueue(conn, [as_work(told)], now)

    services.transactions.write(work)
