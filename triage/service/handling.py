"""What IT staff do with a ticket: take it, answer, note, resolve it, open it again; refuses to judge who may."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from triage import followups
from triage.service.shared import Act, BadMessageError, ConflictError, Services, add_audit, existing
from triage.service.showing import show, show_card, show_home, show_solution, team_of, tell, to_team
from triage.store import assignments, tickets
from triage.ticket import Masked, Status

LONGEST_NOTE = 2000  # characters
_ACTIVE = (Status.NEW, Status.OPEN, Status.WAITING)


def claim(services: Services, ref: str, actor: str, now: datetime) -> None:
    """Take a ticket: it has an answer now, and escalation stops. Raises NotFoundError.

    Raises ConflictError when it is closed or somebody else has it; a second click of the same person does nothing.
    """

    def work(conn: Connection) -> None:
        row = existing(conn, ref)
        if row.assignee == actor and row.is_open:
            return
        if not assignments.assign(conn, row.id, actor, now):
            now_is = existing(conn, ref)  # somebody may have been quicker just now
            taken = now_is.is_open and now_is.assignee
            raise ConflictError(f"{taken} has {ref} already" if taken else f"{ref} is closed")
        tickets.add_event(conn, row.id, now, "claimed", actor, {})
        add_audit(conn, services, Act(now, actor, "claim"), tickets.ref_of(row.id), {})
        show_card(conn, services, row.id, now)
        ticket, team = tickets.to_ticket(row), team_of(services, row)
        tell(conn, [followups.taken(ticket, team, services.policy, turn=row.version)], now)
        show_home(conn, row, now)

    services.transactions.write(work)


def reply(
    services: Services, ref: str, actor: str, raw: str, now: datetime, *, asks: bool = False, said_as: str = ""
) -> None:
    """Write to the reporter, who reads it masked; a question makes the ticket wait for them.

    `said_as` is the sender's own id of words that the reporter has read already, such as a
    message in their thread: they are kept, once, and not told again. Raises NotFoundError,
    BadMessageError without words, ConflictError when the ticket is closed.
    """
    said = _words(services, "text", raw)

    def work(conn: Connection) -> None:
        row = existing(conn, ref)
        if said_as and tickets.is_said(conn, row.id, said_as):
            return
        if not row.is_open:
            raise ConflictError(f"{ref} is closed")
        tickets.set_status(conn, row.id, Status.WAITING if asks else Status(row.status), _ACTIVE)
        assignments.answered(conn, row.id, now)
        tickets.add_event(
            conn, row.id, now, "asked" if asks else "replied", actor, {"text": said.text, "said_as": said_as}
        )
        add_audit(conn, services, Act(now, actor, "reply"), tickets.ref_of(row.id), {})
        if not said_as:
            team, ticket = team_of(services, row), tickets.to_ticket(row)
            tell(conn, [followups.replied(ticket, said.text, team, services.policy, turn=row.version, asks=asks)], now)
        show_card(conn, services, row.id, now)
        show_home(conn, row, now)

    services.transactions.write(work)


def add_note(services: Services, ref: str, actor: str, raw: str, now: datetime, *, said_as: str = "") -> None:
    """Keep words for IT alone, masked: nobody outside is ever told. Raises NotFoundError or BadMessageError."""
    said = _words(services, "note", raw)

    def work(conn: Connection) -> None:
        row = existing(conn, ref)
        if not (said_as and tickets.is_said(conn, row.id, said_as)):
            tickets.add_event(conn, row.id, now, "noted", actor, {"text": said.text, "said_as": said_as})
            add_audit(conn, services, Act(now, actor, "note"), tickets.ref_of(row.id), {})

    services.transactions.write(work)


def resolve(services: Services, ref: str, actor: str, note: str, now: datetime) -> None:
    """Close a ticket with a note for its reporter, who is told and can open it again.

    The note is masked like all words. Raises NotFoundError, BadMessageError without a note,
    ConflictError when it is closed already.
    """
    said = _words(services, "note", note)

    def work(conn: Connection) -> None:
        row = existing(conn, ref)
        whose = row.assignee or actor
        if not tickets.set_status(conn, row.id, Status.RESOLVED, _ACTIVE, resolved_at=now, assignee=whose):
            raise ConflictError(f"{ref} is closed already")
        tickets.add_event(conn, row.id, now, "resolved", actor, {"note": said.text, "turn": row.version})
        add_audit(conn, services, Act(now, actor, "resolve"), tickets.ref_of(row.id), {})
        tell(conn, [followups.resolved(tickets.to_ticket(row), said.text, turn=row.version)], now)
        show(conn, services, row.id, now)

    services.transactions.write(work)


def reopen(services: Services, ref: str, actor: str, now: datetime) -> None:
    """Open a resolved ticket again and tell the team. Raises NotFoundError or ConflictError."""

    def work(conn: Connection) -> None:
        row = existing(conn, ref)
        if not open_again(conn, services, ref, actor, now):
            raise ConflictError(f"{ref} is not resolved")
        if actor == row.requester:
            tell(conn, [followups.opened_again(tickets.to_ticket(row), turn=row.version)], now)

    services.transactions.write(work)


def open_again(conn: Connection, services: Services, ref: str, actor: str, now: datetime) -> bool:
    """Open a resolved ticket in a transaction of the caller's; False when it is not resolved."""
    row = existing(conn, ref)
    fresh = {"resolved_at": None, "answered_at": None, "assignee": ""}
    if not tickets.set_status(conn, row.id, Status.OPEN, [Status.RESOLVED], **fresh):
        return False
    tickets.add_event(conn, row.id, now, "reopened", actor, {})
    add_audit(conn, services, Act(now, actor, "reopen"), tickets.ref_of(row.id), {})
    if row.card:
        tell(conn, [followups.reopened(tickets.ref_of(row.id), turn=row.version, **to_team(services, row))], now)
    show_solution(conn, row.id, now)
    show(conn, services, row.id, now)
    return True


def _words(services: Services, field: str, raw: str) -> Masked:
    said = services.mask(raw.strip())
    if said.failed or not 0 < len(raw.strip()) <= LONGEST_NOTE:
        raise BadMessageError(field, f"must have 1 to {LONGEST_NOTE} characters")
    return said
