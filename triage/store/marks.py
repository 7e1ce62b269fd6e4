"""Owns when something was last seen; refuses to say what follows."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from triage.store.dialect import upsert
from triage.store.tables import MarkRow


def seen(conn: Connection, name: str, now: datetime) -> None:
    """Remember that something was seen now."""
    conn.execute(upsert(conn, MarkRow, ["name"], {"name": name, "at": now}))


def last_seen(conn: Connection, name: str) -> datetime | None:
    """Return when something was last seen, or None for never."""
    return conn.execute(select(MarkRow.at).where(MarkRow.name == name)).scalar()
