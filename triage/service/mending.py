"""What the masker missed: hidden everywhere at once and kept as the next masker's test; refuses to guess more."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, Row

from triage.notices import subject
from triage.redact import mend as words
from triage.service.shared import Act, BadMessageError, ConflictError, NotFoundError, Services, add_audit
from triage.service.showing import tell
from triage.store import mending, tickets
from triage.ticket import Notice, Span, Status


@dataclass(frozen=True, slots=True)
class Mended:
    """What was done: how often the words stood in the text, and what stands there now."""

    places: int
    placeholder: str


def mend(services: Services, ref: str, missed: str, kind: str, actor: str, now: datetime) -> Mended:
    """Mask words that the masker missed: in the ticket, its timeline, decisions, notices and incident.

    `kind` is a masked type such as NAME. The words themselves are written down nowhere, not
    even in the audit. Raises NotFoundError, BadMessageError when the words are not in the
    ticket, ConflictError while the ticket is still being sorted.
    """
    missed = " ".join(missed.split())
    if kind not in words.TYPES:
        raise BadMessageError("type", f"must be one of {', '.join(words.TYPES)}")
    if len(missed) < 2 or words.PLACEHOLDER.search(missed):
        raise BadMessageError("words", "must have two characters or more and hold no placeholder")

    def work(conn: Connection) -> Mended:
        row = _ticket(conn, ref)
        where = words.places(row.text, missed)
        if not any(words.places(text, missed) for text in (row.text, row.unit, row.device)):
            raise BadMessageError("words", f"are not in {ref} as whole words")
        placeholder = words.next_placeholder(f"{row.text} {row.unit} {row.device}", kind)
        spans = words.original_spans(row.text, [Span(*span) for span in row.spans], where, kind)
        text = words.hide(row.text, missed, placeholder)

        def change(told: str) -> str:
            # A card shows the first line, cut: half of the words may stand at its end.
            return words.hide(told.replace(subject(row.text), subject(text)), missed, placeholder)

        shown = mending.change_everywhere(conn, row.id, change, lambda word: words.holds_part(word, missed))
        for seen in shown:
            key = f"{seen['key']}:mended:{row.version}"
            tell(conn, [replace(Notice(**seen), key=key, replaces=seen["key"])], now)
        if where:
            mending.set_text(conn, row.id, text, spans)
            test = words.as_test(row.text, where, kind, random.SystemRandom())
            mending.add_miss(conn, row, test, actor, now)
        data = {"type": kind, "places": len(where)}
        tickets.add_event(conn, row.id, now, "mended", actor, data)
        add_audit(conn, services, Act(now, actor, "mend"), tickets.ref_of(row.id), data)
        return Mended(len(where), placeholder)

    mended = services.transactions.write(work)
    services.transactions.overwrite_deleted()
    return mended


def _ticket(conn: Connection, ref: str) -> Row[tuple[object, ...]]:
    ticket_id = tickets.id_of(ref)
    row = mending.locked(conn, ticket_id) if ticket_id is not None else None
    if row is None:
        raise NotFoundError(f"there is no ticket {ref}")
    if row.status == Status.NEW:  # its decision would bring the words back
        raise ConflictError(f"{ref} is still being sorted: try again in a moment")
    if row.withheld:
        raise ConflictError(f"the text of {ref} is withheld as a whole: there is nothing to mend")
    return row


def misses(services: Services) -> list[str]:
    """Return what people found missed, as marked tickets that teach and test a masker."""
    rows = services.transactions.read(mending.misses)
    return [f"=== {row.language if row.language in ('en', 'fr') else 'mixed'}\n{row.marked}\n" for row in rows]
