"""What becomes of words over time: purged on their day, with proof, but for legal holds; refuses to touch figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from triage.service.originals import clear_reason
from triage.service.shared import Act, ConflictError, Services, add_audit, existing
from triage.store import originals, retention, schedules, sessions, tickets

PURGE_EVERY = timedelta(hours=1)
GRACE = timedelta(days=1)  # what is older than its day by more than this shows as a fault
_AT_ONCE = 200  # tickets in one transaction: no ticket waits long for the write lock


def hold(services: Services, ref: str, actor: str, reason: str, now: datetime, *, held: bool) -> None:
    """Put a ticket under legal hold, or free it. Raises NotFoundError, BadMessageError or ConflictError."""
    said = clear_reason(services, reason)

    def work(conn: Connection) -> None:
        row = existing(conn, ref)
        if not retention.hold(conn, row.id, held=held):
            raise ConflictError(f"{ref} is {'already' if held else 'not'} under legal hold")
        act = "hold" if held else "release"
        tickets.add_event(conn, row.id, now, act, actor, {})
        add_audit(conn, services, Act(now, actor, act), tickets.ref_of(row.id), {"reason": said})

    services.transactions.write(work)


def purge(services: Services, now: datetime) -> int:
    """Take away what has outlived its day, if it is this worker's turn; returns how many tickets lost something.

    Each portion is one transaction with its own audit row: the proof of what went, when and why.
    """
    if not services.transactions.write(lambda conn: schedules.claim(conn, "purge", PURGE_EVERY, now)):
        return 0
    privacy = services.policy.privacy
    before = now - timedelta(days=privacy.text_days)
    expired = partial(originals.expired, now=now, limit=_AT_ONCE)
    old = partial(retention.old_tickets, before=before, limit=_AT_ONCE)
    gone = _in_portions(services, Act(now, "triage", "purge"), "originals", expired, originals.remove)
    gone += _in_portions(services, Act(now, "triage", "purge"), "words", old, partial(_forget, now=now))
    sent = now - timedelta(days=privacy.notice_days)
    services.transactions.write(lambda conn: retention.forget_notices(conn, sent))
    services.transactions.write(lambda conn: sessions.forget_old(conn, now))
    services.transactions.overwrite_deleted()  # every time: the last try may have met a reader
    return gone


def _forget(conn: Connection, ticket_ids: Sequence[int], now: datetime) -> None:
    """Take the words of tickets, and with them the originals that would outlive them."""
    retention.forget_words(conn, ticket_ids, now)
    originals.remove(conn, ticket_ids)


def _in_portions(
    services: Services,
    act: Act,
    what: str,
    find: Callable[[Connection], list[int]],
    take: Callable[[Connection, Sequence[int]], None],
) -> int:
    def work(conn: Connection) -> int:
        if ids := find(conn):
            take(conn, ids)
            add_audit(conn, services, act, what, {"refs": [*map(tickets.ref_of, ids)]})
        return len(ids)

    total = 0
    while portion := services.transactions.write(work):
        total += portion
    return total


def overdue(services: Services, now: datetime) -> list[str]:
    """Return what should have been purged by now and was not, one sentence each."""
    late = now - GRACE
    before = late - timedelta(days=services.policy.privacy.text_days)

    def query(conn: Connection) -> tuple[int, int]:
        return len(originals.expired(conn, late, 1_000_000)), retention.count_old(conn, before)

    kept, words = services.transactions.read(query)
    found = [f"retention: {kept} originals have outlived their day"] if kept else []
    return found + ([f"retention: {words} closed tickets should have lost their words"] if words else [])
