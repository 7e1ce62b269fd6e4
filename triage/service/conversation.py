"""What a reporter adds in their own thread: kept, told to the team, and "still broken" is heard; refuses to guess."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from triage import notices
from triage.cues import words
from triage.service.shared import Act, BadMessageError, Services, add_audit, as_work, existing
from triage.store import outbox, tickets
from triage.ticket import Priority, Status

_ANSWERED = (Status.WAITING, Status.RESOLVED)
LONGEST = 4000  # characters kept of one reply
# In the words of `cues.words`: lower case, no accents, no apostrophes.
_STILL_BROKEN = re.compile(
    r"\b(?:still (?:broken|not|down|dead|the same)|not (?:fixed|solved|working)|(?:did|does) ?nt (?:help|work)"
    r"|toujours (?:en panne|pas|le meme)|pas (?:regle|resolu)|marche pas|fonctionne pas|encore en panne)\b"
)


def hear(services: Services, ref: str, actor: str, raw: str, said_as: str, now: datetime) -> bool:
    """Keep what somebody answered in a ticket's thread; True when it opened the ticket again.

    `said_as` is the sender's own id of the words: the same id again does nothing. The words
    are masked before they are stored or told. Raises NotFoundError, or BadMessageError for nothing said.
    """
    said = services.mask(raw.strip()[:LONGEST])
    if not said.text:
        raise BadMessageError("text", "the message is empty")

    def work(conn: Connection) -> bool:
        row = existing(conn, ref)
        if any(event.data.get("said_as") == said_as for event in tickets.events(conn, row.id)):
            return False
        tickets.add_event(conn, row.id, now, "said", actor, {"text": said.text, "said_as": said_as})
        again = _open_again(conn, services, row, actor, said.text, now)
        team, priority = row.team or services.policy.review_team, Priority(row.priority or Priority.P3)
        told = notices.added(ref, said.text, said_as=said_as, team=team, priority=priority, policy=services.policy)
        outbox.enqueue(conn, [as_work(told)], now)
        return again

    return services.transactions.write(work)


def _open_again(conn: Connection, services: Services, row: Row[Any], actor: str, text: str, now: datetime) -> bool:
    """Take "still broken" for what it says: a guided fix or a solution that did not help."""
    if not _STILL_BROKEN.search(" ".join(words(text))):
        return False
    if not tickets.set_status(conn, row.id, Status.OPEN, _ANSWERED, resolved_at=None, answered_at=None):
        return False
    tickets.add_event(conn, row.id, now, "reopened", actor, {})
    add_audit(conn, services, Act(now, actor, "reopen"), tickets.ref_of(row.id), {})
    return True
