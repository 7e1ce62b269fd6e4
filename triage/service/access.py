"""Who saw what: notes every look at tickets and answers who had one; refuses to show a ticket itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import Row

from triage.commit import StoreUnavailableError
from triage.service.shared import Act, Services, add_audit, existing
from triage.store import audit, tickets

log = structlog.get_logger()


def note(services: Services, act: Act, subject: str, **data: Any) -> None:
    """Write an audit row for something a person did that changes nothing else, such as signing in."""
    services.transactions.write(lambda conn: add_audit(conn, services, act, subject, data))


def note_look(services: Services, act: Act, refs: Sequence[str], **data: Any) -> None:
    """Write down which tickets somebody was shown.

    Where the database cannot be written (a full disk), people must still read: then the log line is the record.
    """
    try:
        note(services, act, refs[0] if len(refs) == 1 else "tickets", refs=list(refs), **data)
    except StoreUnavailableError:
        log.error("look_not_audited", actor=act.actor, action=act.action, refs=list(refs))


def who_saw(services: Services, ref: str) -> Sequence[Row[Any]]:
    """Return every audit row about a ticket, oldest first: who was shown it, and who did what with it.

    Raises NotFoundError.
    """
    return services.transactions.read(lambda conn: audit.about(conn, tickets.ref_of(existing(conn, ref).id)))


def what_did(services: Services, actor: str) -> Sequence[Row[Any]]:
    """Return every audit row of one person or token, oldest first; e-mail addresses are kept in lower case."""
    known_as = actor if ":" in actor else actor.lower()
    return services.transactions.read(lambda conn: audit.by(conn, known_as))
