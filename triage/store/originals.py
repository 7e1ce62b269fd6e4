"""Owns sealed originals: kept, fetched, sealed anew and deleted on their day; refuses to open them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from triage.store.tables import OriginalRow, TicketRow


@dataclass(frozen=True, slots=True)
class Original:
    """What a ticket said before masking, sealed, and until when it may be kept."""

    ticket_id: int
    sealed: bytes
    keep_until: datetime


def add(conn: Connection, found: Sequence[Original]) -> None:
    """Keep originals."""
    rows = [{"ticket_id": one.ticket_id, "sealed": one.sealed, "keep_until": one.keep_until} for one in found]
    if rows:
        conn.execute(insert(OriginalRow), rows)


def sealed(conn: Connection, ticket_id: int) -> bytes | None:
    """Return a ticket's sealed original, if one is kept."""
    return conn.execute(select(OriginalRow.sealed).where(OriginalRow.ticket_id == ticket_id)).scalar()


def after(conn: Connection, ticket_id: int, limit: int = 200) -> Sequence[tuple[int, bytes]]:
    """Return the next (ticket id, sealed original) pairs, to walk over all of them."""
    rows = select(OriginalRow.ticket_id, OriginalRow.sealed).where(OriginalRow.ticket_id > ticket_id)
    return [(row.ticket_id, row.sealed) for row in conn.execute(rows.order_by(OriginalRow.ticket_id).limit(limit))]


def seal_anew(conn: Connection, ticket_id: int, was: bytes, sealed: bytes) -> bool:
    """Replace a sealed original by the same one under another key; False when it is gone or was replaced."""
    same = and_(OriginalRow.ticket_id == ticket_id, OriginalRow.sealed == was)
    return conn.execute(update(OriginalRow).where(same).values(sealed=sealed)).rowcount == 1


def expired(conn: Connection, now: datetime, limit: int) -> list[int]:
    """Return the tickets whose original has outlived its day and is under no legal hold."""
    over = select(OriginalRow.ticket_id).join(TicketRow, TicketRow.id == OriginalRow.ticket_id)
    over = over.where(OriginalRow.keep_until <= now, TicketRow.held.is_(False)).order_by(OriginalRow.keep_until)
    return list(conn.execute(over.limit(limit)).scalars())


def remove(conn: Connection, ticket_ids: Sequence[int]) -> None:
    """Delete originals for good."""
    conn.execute(delete(OriginalRow).where(OriginalRow.ticket_id.in_(ticket_ids)))


def count(conn: Connection) -> int:
    """Return how many originals are kept."""
    return conn.execute(select(func.count()).select_from(OriginalRow)).scalar_one()
