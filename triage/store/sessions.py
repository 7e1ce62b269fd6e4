"""Owns who is signed in on the web and since when; refuses to say what they may."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, delete, insert, select

from triage.store.tables import SessionRow

LONGEST = timedelta(hours=12)  # from signing in, however busy: one shift


def begin(conn: Connection, secret: str, email: str, now: datetime) -> None:
    """Remember that somebody signed in; only the digest of their secret is kept."""
    conn.execute(insert(SessionRow).values(digest=_digest(secret), email=email, created_at=now))


def owner(conn: Connection, secret: str, now: datetime) -> str | None:
    """Return whose session a secret opens; None when it ended or is too old."""
    mine = and_(SessionRow.digest == _digest(secret), SessionRow.created_at > now - LONGEST)
    return conn.execute(select(SessionRow.email).where(mine)).scalar()


def end(conn: Connection, secret: str) -> None:
    """End one session."""
    conn.execute(delete(SessionRow).where(SessionRow.digest == _digest(secret)))


def end_all(conn: Connection, email: str) -> int:
    """End every session of somebody; returns how many there were."""
    return conn.execute(delete(SessionRow).where(SessionRow.email == email)).rowcount


def forget_old(conn: Connection, now: datetime) -> None:
    """Delete what is too old to open anything."""
    conn.execute(delete(SessionRow).where(SessionRow.created_at <= now - LONGEST))


def _digest(secret: str) -> str:
    # A secret is 256 random bits: a plain hash is enough, there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()
