"""Owns the queue of work for outside a transaction: enqueue, claim by lease, finish, retry; refuses to do the work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from triage.store.dialect import insert_new
from triage.store.tables import OutboxRow

LEASE = timedelta(seconds=60)
MAX_ATTEMPTS = 8
PATIENCE = timedelta(hours=24)  # an outage of the other side is no fault of a notice: wait it out
_BACKOFF_SECONDS = (2, 5, 15, 30, 60)


@dataclass(frozen=True, slots=True)
class Work:
    """Something to do: `key` makes enqueueing it twice harmless, `lane` keeps its order.

    `replaces` is the key of earlier work whose result this one takes the place of.
    """

    key: str
    topic: str
    lane: str
    payload: dict[str, Any]
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A row that is ours until `lease_until`; `attempts` counts this one."""

    id: int
    key: str
    topic: str
    payload: dict[str, Any]
    attempts: int
    worker: str
    lease_until: datetime
    created_at: datetime


def enqueue(conn: Connection, work: Sequence[Work], now: datetime) -> None:
    """Store work, to be done once this transaction is committed; a known key is left alone.

    What waits to replace the same thing is dropped: only the newest state is worth showing.
    """
    for item in work:
        if item.replaces:
            _drop_waiting(conn, item, now)
        row = {"key": item.key, "topic": item.topic, "lane": item.lane, "payload": item.payload}
        fresh = {"created_at": now, "due": now, "pending": True, "attempts": 0, "replaces": item.replaces}
        conn.execute(insert_new(conn, OutboxRow, ["key"]).values(**row, **fresh))


def _drop_waiting(conn: Connection, newer: Work, now: datetime) -> None:
    older = and_(OutboxRow.replaces == newer.replaces, OutboxRow.key != newer.key)
    waiting = and_(OutboxRow.pending, older, OutboxRow.lease_until.is_(None))
    done = {"pending": False, "done_at": now, "error": "a newer one took its place"}
    conn.execute(update(OutboxRow).where(waiting).values(**done))


def claim(conn: Connection, worker: str, now: datetime, lease: timedelta = LEASE) -> Claim | None:
    """Take the oldest due row whose lane is free, or return None.

    A lane is free when no earlier row of it is pending, so notices to one channel
    stay in order even while the first of them waits for its retry.
    """
    earlier = aliased(OutboxRow)
    blocked = exists().where(earlier.pending, earlier.lane == OutboxRow.lane, earlier.id < OutboxRow.id)
    free = and_(
        OutboxRow.pending,
        OutboxRow.due <= now,
        or_(OutboxRow.lease_until.is_(None), OutboxRow.lease_until < now),
    )
    oldest = select(OutboxRow.id).where(free, ~blocked).order_by(OutboxRow.due, OutboxRow.id).limit(1)
    row_id = conn.execute(oldest.with_for_update(skip_locked=True)).scalar()
    if row_id is None:
        return None
    taken = (
        update(OutboxRow)
        .where(OutboxRow.id == row_id, free)
        .values(worker=worker, lease_until=now + lease, attempts=OutboxRow.attempts + 1)
        .returning(
            OutboxRow.id, OutboxRow.key, OutboxRow.topic, OutboxRow.payload, OutboxRow.attempts, OutboxRow.created_at
        )
    )
    row = conn.execute(taken).first()
    if row is None:
        return None
    return Claim(row.id, row.key, row.topic, row.payload, row.attempts, worker, now + lease, row.created_at)


def extend(conn: Connection, claim: Claim, until: datetime) -> bool:
    """Keep a long job's lease alive; False when it was lost to another worker."""
    return _mine(conn, claim, lease_until=until)


def finish(conn: Connection, claim: Claim, now: datetime, receipt: str | None = None) -> bool:
    """Mark a row done, with what the other side called it; False when the lease was lost meanwhile."""
    return _mine(conn, claim, pending=False, done_at=now, lease_until=None, error=None, receipt=receipt)


def receipt(conn: Connection, key: str) -> str | None:
    """Return what the other side called a delivered notice, such as a message's channel and time."""
    return conn.execute(select(OutboxRow.receipt).where(OutboxRow.key == key)).scalar()


def moved(conn: Connection, key: str, receipt: str) -> None:
    """Note where a notice stands now that another has taken its place."""
    conn.execute(update(OutboxRow).where(OutboxRow.key == key).values(receipt=receipt))


def shown_as(conn: Connection, receipt: str) -> dict[str, Any] | None:
    """Return the notice that stands where the other side says, the first of those that took the place."""
    query = select(OutboxRow.payload).where(OutboxRow.receipt == receipt).order_by(OutboxRow.id).limit(1)
    return conn.execute(query).scalar()


def dead(conn: Connection, limit: int = 200) -> Sequence[Row[Any]]:
    """Return the dead letters, newest first."""
    table = OutboxRow.__table__
    gone = select(table).where(OutboxRow.dead_at.is_not(None)).order_by(OutboxRow.id.desc()).limit(limit)
    return conn.execute(gone).all()


def retry(conn: Connection, claim: Claim, now: datetime, error: str, after: float | None = None) -> bool:
    """Try again later, or give up after MAX_ATTEMPTS and PATIENCE; False when the lease was lost."""
    if claim.attempts >= MAX_ATTEMPTS and now - claim.created_at >= PATIENCE:
        return bury(conn, claim, now, error)
    wait = _BACKOFF_SECONDS[min(claim.attempts, len(_BACKOFF_SECONDS)) - 1]
    due = now + timedelta(seconds=max(wait, after or 0))
    return _mine(conn, claim, due=due, lease_until=None, worker=None, error=error)


def put_off(conn: Connection, claim: Claim, now: datetime, after: float) -> bool:
    """Let a row's turn come later, without counting this as a try; False when the lease was lost."""
    due = now + timedelta(seconds=after)
    return _mine(conn, claim, due=due, lease_until=None, worker=None, attempts=OutboxRow.attempts - 1)


def bury(conn: Connection, claim: Claim, now: datetime, error: str) -> bool:
    """Give up on a row, visibly: it stays as a dead letter that a person can revive."""
    return _mine(conn, claim, pending=False, dead_at=now, lease_until=None, error=error)


def revive(conn: Connection, row_id: int, now: datetime) -> bool:
    """Queue a dead letter once more; False when it is not dead."""
    dead = update(OutboxRow).where(OutboxRow.id == row_id, OutboxRow.dead_at.is_not(None))
    fresh = {"pending": True, "dead_at": None, "attempts": 0, "due": now, "worker": None, "lease_until": None}
    return conn.execute(dead.values(**fresh)).rowcount == 1


def _mine(conn: Connection, claim: Claim, **values: Any) -> bool:
    """Change the row if it still is this worker's: a lease that ran out belongs to the next one."""
    mine = update(OutboxRow).where(OutboxRow.id == claim.id, OutboxRow.worker == claim.worker, OutboxRow.pending)
    return conn.execute(mine.where(OutboxRow.attempts == claim.attempts).values(**values)).rowcount == 1


def oldest_waiting(conn: Connection) -> datetime | None:
    """Return when the oldest pending row was created, or None."""
    return conn.execute(select(func.min(OutboxRow.created_at)).where(OutboxRow.pending)).scalar()


def counts(conn: Connection) -> dict[str, int]:
    """Return how many rows are pending and dead."""
    pending = select(func.count()).where(OutboxRow.pending)
    dead = select(func.count()).where(OutboxRow.dead_at.is_not(None))
    return {"pending": conn.execute(pending).scalar_one(), "dead": conn.execute(dead).scalar_one()}
