"""Owns trained models as rows and which of them is live; refuses to load or trust their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from triage.store.tables import ModelRow, PromotionRow


def add(conn: Connection, version: str, blob: bytes, digest: str, card: dict[str, Any], by: str, now: datetime) -> None:
    """Store a trained model. Raises IntegrityError for a version that exists."""
    row = {"version": version, "created_at": now, "created_by": by, "blob": blob, "digest": digest, "card": card}
    conn.execute(insert(ModelRow), row)


def blob_of(conn: Connection, version: str) -> tuple[bytes, str] | None:
    """Return a model's bytes and their keyed digest."""
    row = conn.execute(select(ModelRow.blob, ModelRow.digest).where(ModelRow.version == version)).first()
    return (row.blob, row.digest) if row else None


def all_models(conn: Connection) -> Sequence[Row[Any]]:
    """Return version, age, author, digest and card of every model, newest first, without its bytes."""
    columns = (ModelRow.version, ModelRow.created_at, ModelRow.created_by, ModelRow.digest, ModelRow.card)
    return conn.execute(select(*columns).order_by(ModelRow.created_at.desc(), ModelRow.version.desc())).all()


def live_version(conn: Connection) -> str | None:
    """Return the live model's version, or None when none was ever promoted."""
    # Asked at every ticket: the text alone, without the expression's compilation, costs a quarter.
    return conn.exec_driver_sql("SELECT version FROM promotions ORDER BY id DESC LIMIT 1").scalar()


def promote(conn: Connection, version: str, actor: str, reason: str, now: datetime) -> None:
    """Make a model live. Every process picks it up on its next ticket."""
    conn.execute(insert(PromotionRow), {"version": version, "at": now, "actor": actor, "reason": reason})


def version_before(conn: Connection) -> str | None:
    """Return the model that was live before the live one, going past rollbacks to the same version."""
    versions = conn.execute(select(PromotionRow.version).order_by(PromotionRow.id)).scalars().all()
    stack: list[str] = []
    for version in versions:
        # Going back to an older version takes the newer ones off, so that a second
        # rollback goes further back instead of returning to what was rolled back.
        if version in stack:
            del stack[stack.index(version) + 1 :]
        else:
            stack.append(version)
    return stack[-2] if len(stack) > 1 else None
