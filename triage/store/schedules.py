"""Owns when periodic work is due next; refuses to run it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, update

from triage.store.dialect import insert_new
from triage.store.tables import ScheduleRow


def claim(conn: Connection, name: str, every: timedelta, now: datetime) -> bool:
    """Take the turn of some periodic work: True for exactly one caller per `every`."""
    conn.execute(insert_new(conn, ScheduleRow, ["name"]).values(name=name, due=now))
    due = update(ScheduleRow).where(ScheduleRow.name == name, ScheduleRow.due <= now)
    return conn.execute(due.values(due=now + every)).rowcount == 1
