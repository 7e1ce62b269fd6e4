"""Owns the entries of the breach register; refuses to judge them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, select, update

from triage.store.dialect import insert_new
from triage.store.tables import BreachRow


def add(conn: Connection, ticket_id: int, aware_at: datetime) -> bool:
    """Open an entry for a ticket; False when there is one already."""
    blank = dict.fromkeys(("happened", "information", "circumstances", "risk_reasons", "measures"), "")
    row = {"ticket_id": ticket_id, "aware_at": aware_at, "state": "assess", "risk": "unknown", "notified": {}}
    new = insert_new(conn, BreachRow, ["ticket_id"]).values(**row, **blank, persons=None, version=1)
    return conn.execute(new.returning(BreachRow.id)).first() is not None


def get(conn: Connection, ticket_id: int) -> Row[Any] | None:
    """Return a ticket's entry, or None."""
    return conn.execute(select(BreachRow.__table__).where(BreachRow.ticket_id == ticket_id)).first()


def everything(conn: Connection) -> Sequence[Row[Any]]:
    """Return the whole register, oldest first."""
    return conn.execute(select(BreachRow.__table__).order_by(BreachRow.id)).all()


def change(conn: Connection, row: Row[Any], **values: Any) -> bool:
    """Write fields of an entry; False when somebody else wrote it meanwhile."""
    same = and_(BreachRow.id == row.id, BreachRow.version == row.version)
    return conn.execute(update(BreachRow).where(same).values(**values, version=row.version + 1)).rowcount == 1
