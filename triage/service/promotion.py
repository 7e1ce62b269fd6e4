"""Which model is live: promotes and rolls back, each in one audited transaction; refuses to train or load."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from triage.service.shared import Act, ConflictError, NotFoundError, Services, add_audit
from triage.store import classifiers


def promote(services: Services, version: str, actor: str, reason: str, now: datetime) -> None:
    """Make a stored model live, in one transaction; every process serves it from its next ticket."""

    def work(conn: Connection) -> None:
        if classifiers.blob_of(conn, version) is None:
            raise NotFoundError(f"there is no model {version}")
        was = classifiers.live_version(conn)
        if was == version:
            raise ConflictError(f"{version} is live already")
        classifiers.promote(conn, version, actor, reason, now)
        add_audit(conn, services, Act(now, actor, "promote_model"), version, {"was": was, "reason": reason})

    services.transactions.write(work)


def rollback(services: Services, actor: str, reason: str, now: datetime) -> str:
    """Make the model before the live one live again and return its version."""

    def work(conn: Connection) -> str:
        was, before = classifiers.live_version(conn), classifiers.version_before(conn)
        if before is None:
            raise ConflictError("there is no earlier model to go back to")
        classifiers.promote(conn, before, actor, reason, now)
        add_audit(conn, services, Act(now, actor, "rollback_model"), before, {"was": was, "reason": reason})
        return before

    return services.transactions.write(work)
