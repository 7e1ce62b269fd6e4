"""What people say afterwards: whether a fix helped, and what a ticket really was; refuses to guess for them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from triage import notices
from triage.service.shared import Act, BadMessageError, ConflictError, Services, add_audit, as_work, existing
from triage.store import corrections, outbox, tickets
from triage.ticket import Priority, Status


def settle(services: Services, ref: str, actor: str, now: datetime, *, fixed: bool) -> None:
    """Take the reporter's verdict on a guided fix: only "fixed" resolves, "not fixed" goes to the team.

    Raises NotFoundError, or ConflictError when the ticket does not wait for a verdict.
    """

    def work(conn: Connection) -> None:
        row = existing(conn, ref)
        status = Status.RESOLVED if fixed else Status.OPEN
        if not tickets.set_status(conn, row.id, status, [Status.WAITING]):
            raise ConflictError(f"{ref} does not wait for an answer")
        kind = "confirmed_fixed" if fixed else "not_fixed"
        tickets.add_event(conn, row.id, now, kind, actor, {"article": row.article})
        if not fixed:
            notice = notices.still_broken(
                ref, team=row.team, priority=Priority(row.priority), policy=services.policy, turn=row.version
            )
            outbox.enqueue(conn, [as_work(notice)], now)

    services.transactions.write(work)


def correct(services: Services, ref: str, label: str, actor: str, now: datetime, *, learn: bool = True) -> None:
    """Record a person's verdict on the category; it becomes a labelled example when `learn` is set.

    `label` is a category of the policy or "out_of_scope". Raises NotFoundError or BadMessageError.
    """
    if label not in services.policy.categories and label != "out_of_scope":
        raise BadMessageError("label", f"unknown category {label!r}")

    def work(conn: Connection) -> None:
        row = existing(conn, ref)
        was = corrections.add_correction(conn, row.id, actor=actor, label=label, learn=learn, now=now)
        add_audit(conn, services, Act(now, actor, "correct"), tickets.ref_of(row.id), {"was": was, "label": label})

    services.transactions.write(work)
