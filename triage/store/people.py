"""Owns local accounts, API tokens and switches; refuses to check permissions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from triage.store import sessions
from triage.store.dialect import upsert
from triage.store.tables import SwitchRow, TokenRow, UserRow

AUTOMATION = "automation"


def put_user(conn: Connection, email: str, role: str, password_hash: str, now: datetime) -> None:
    """Add a local account, or replace its role and password; a new password ends every session."""
    before = user(conn, email)
    if before is not None and before.password_hash != password_hash:
        sessions.end_all(conn, email)
    row = {"email": email, "role": role, "password_hash": password_hash, "active": True, "created_at": now}
    conn.execute(upsert(conn, UserRow, ["email"], row, keep=("created_at",)))


def user(conn: Connection, email: str) -> Row[Any] | None:
    """Return an active account."""
    if "\x00" in email:  # PostgreSQL takes no such text, and nobody has such an address
        return None
    mine = select(UserRow.__table__).where(UserRow.email == email, UserRow.active)
    return conn.execute(mine).first()


def has_users(conn: Connection) -> bool:
    """Tell whether anyone can sign in."""
    return conn.execute(select(func.count()).select_from(UserRow)).scalar_one() > 0


def put_token(conn: Connection, name: str, token: str, scopes: Sequence[str], now: datetime) -> None:
    """Add an API token, or replace the one of the same name; only its digest is kept."""
    row = {"name": name, "digest": _digest(token), "scopes": list(scopes), "created_at": now, "active": True}
    conn.execute(upsert(conn, TokenRow, ["name"], row))


def token(conn: Connection, secret: str) -> Row[Any] | None:
    """Return the active token behind a secret."""
    mine = select(TokenRow.__table__).where(TokenRow.digest == _digest(secret), TokenRow.active)
    return conn.execute(mine).first()


def _digest(secret: str) -> str:
    # A token is 256 random bits: a plain hash is enough, there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()


def switch(conn: Connection, name: str, *, default: bool) -> bool:
    """Return whether a switch is on."""
    found = conn.execute(select(SwitchRow.on).where(SwitchRow.name == name)).scalar()
    return default if found is None else found


def set_switch(conn: Connection, name: str, actor: str, now: datetime, *, on: bool) -> None:
    """Turn a switch; every process sees it on its next ticket."""
    conn.execute(upsert(conn, SwitchRow, ["name"], {"name": name, "on": on, "at": now, "actor": actor}))
