"""What reporters say afterwards: whether a fix helped, and how content they are; refuses to guess for them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from triage.service.shared import BadMessageError, ConflictError, Services, existing
from triage.service.showing import show, show_answer, show_solution
from triage.store import tickets
from triage.ticket import Status

RATINGS = ("good", "fair", "poor")


def settle(services: Services, ref: str, actor: str, now: datetime, *, fixed: bool) -> None:
    """Take the reporter's verdict on a guided fix: only "fixed" resolves, "not fixed" goes to the team.

    Raises NotFoundError, or ConflictError when the ticket does not wait for a verdict.
    """
    take = confirm if fixed else give_to_team

    def work(conn: Connection) -> None:
        if not take(conn, services, ref, actor, now):
            raise ConflictError(f"{ref} does not wait for an answer")

    services.transactions.write(work)


def confirm(conn: Connection, services: Services, ref: str, actor: str, now: datetime) -> bool:
    """Resolve a ticket because its reporter says that it works; False when it does not wait for that."""
    row = existing(conn, ref)
    if not tickets.set_status(conn, row.id, Status.RESOLVED, [Status.WAITING], resolved_at=now):
        return False
    tickets.add_event(conn, row.id, now, "confirmed_fixed", actor, {"article": row.article})
    show(conn, services, row.id, now)
    return True


def give_to_team(
    conn: Connection, services: Services, ref: str, actor: str, now: datetime, kind: str = "not_fixed"
) -> bool:
    """Hand a ticket that waits for its reporter to its team; False when it does not wait."""
    row = existing(conn, ref)
    fresh = {} if kind == "answered" else {"answered_at": None}  # who asked a question has answered already
    if not tickets.set_status(conn, row.id, Status.OPEN, [Status.WAITING], **fresh):
        return False
    tickets.add_event(conn, row.id, now, kind, actor, {"article": row.article})
    show(conn, services, row.id, now)
    return True


def rate(services: Services, ref: str, actor: str, rating: str, now: datetime) -> None:
    """Keep how content the reporter is with a solved ticket; their last word counts.

    Raises NotFoundError, BadMessageError for an unknown rating, ConflictError when it is not solved.
    """
    if rating not in RATINGS:
        raise BadMessageError("rating", f"must be one of {', '.join(RATINGS)}")

    def work(conn: Connection) -> None:
        row = existing(conn, ref)
        if row.is_open:
            raise ConflictError(f"{ref} is open")
        tickets.add_event(conn, row.id, now, "rated", actor, {"rating": rating})
        tickets.touch(conn, row.id)
        if not show_solution(conn, row.id, now):
            show_answer(conn, services, row.id, now)

    services.transactions.write(work)
