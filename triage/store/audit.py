"""Owns the audit chain: every row's keyed hash covers the row before it; refuses updates and deletes."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Text, cast, func, insert, or_, select, update

from triage.store.dialect import insert_new
from triage.store.tables import AuditHeadRow, AuditRow

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """What happened, before it becomes a link of the chain."""

    at: datetime
    actor: str
    action: str
    subject: str
    data: dict[str, Any]


def append(conn: Connection, key: bytes, entry: Entry) -> None:
    """Add one link. Rows are written one after the other: the head row is locked until commit."""
    length, last = _locked_head(conn, key)
    row = {"id": length + 1, **_fields(entry)}
    link = _link(key, last, row)
    conn.execute(insert(AuditRow).values(**row, hash=link))
    conn.execute(update(AuditHeadRow).values(length=length + 1, hash=link, seal=_seal(key, length + 1, link)))


def _locked_head(conn: Connection, key: bytes) -> tuple[int, str]:
    head = select(AuditHeadRow.length, AuditHeadRow.hash).with_for_update()
    if (row := conn.execute(head).first()) is None:
        # Two processes may both be the first: one inserts, then both wait for the same row.
        first = {"id": 1, "length": 0, "hash": GENESIS, "seal": _seal(key, 0, GENESIS)}
        conn.execute(insert_new(conn, AuditHeadRow, ["id"]).values(**first))
        row = conn.execute(head).one()
    return row.length, row.hash


def _fields(entry: Entry) -> dict[str, Any]:
    return {
        "at": entry.at,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "data": entry.data,
    }


def _link(key: bytes, previous: str, row: dict[str, Any]) -> str:
    content = {**row, "at": row["at"].timestamp()}
    message = previous + json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hmac.new(key, message.encode(), hashlib.sha256).hexdigest()


def _seal(key: bytes, length: int, last: str) -> str:
    return hmac.new(key, f"{length}:{last}".encode(), hashlib.sha256).hexdigest()


def about(conn: Connection, ref: str) -> Sequence[Row[Any]]:
    """Return the rows whose subject is `ref` or that list it among others, oldest first."""
    listed = cast(AuditRow.data, Text).contains(json.dumps(ref), autoescape=True)
    rows = select(AuditRow.__table__).where(or_(AuditRow.subject == ref, listed))
    return conn.execute(rows.order_by(AuditRow.id)).all()


def by(conn: Connection, actor: str) -> Sequence[Row[Any]]:
    """Return the rows of one actor, oldest first."""
    return conn.execute(select(AuditRow.__table__).where(AuditRow.actor == actor).order_by(AuditRow.id)).all()


def faults(conn: Connection, key: bytes) -> list[str]:
    """Return one sentence per altered, missing, inserted or cut-off row; empty for a whole chain."""
    head = conn.execute(select(AuditHeadRow.length, AuditHeadRow.hash, AuditHeadRow.seal)).first()
    sealed = head is not None and head.seal == _seal(key, head.length, head.hash)
    # Rows may be missing up to the sealed end only: behind it a made-up number of a million proves no million rows.
    end = head.length if head is not None and sealed else conn.execute(select(func.count(AuditRow.id))).scalar_one()
    found: list[str] = []
    expected, last, behind = 1, GENESIS, 0
    rows = conn.execution_options(yield_per=1000).execute(select(AuditRow.__table__).order_by(AuditRow.id))
    for row in rows.mappings():
        found += [f"audit row {missing} is missing" for missing in range(expected, min(row["id"], end + 1))]
        content = {k: row[k] for k in ("id", "at", "actor", "action", "subject", "data")}
        if row["hash"] != _link(key, last, content):
            found.append(f"audit row {row['id']} was altered or inserted, or the row before it was")
        behind += row["id"] > end
        last, expected = row["hash"], row["id"] + 1
    return found + _head_faults(head, min(expected - 1, end) + behind, last, sealed=sealed)


def _head_faults(head: Row[int, str, str] | None, rows: int, last: str, *, sealed: bool) -> list[str]:
    if head is None:
        return ["the head of the audit chain is missing"] if rows else []
    if not sealed:
        return ["the head of the audit chain was altered"]
    if head.length != rows:
        return [f"the audit chain should have {head.length} rows and has {rows}"]
    return ["the head of the audit chain belongs to another chain"] if head.hash != last else []
