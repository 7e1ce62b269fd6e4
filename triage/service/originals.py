"""Unmasked texts, where a site keeps them: sealed, shown with a reason, sealed anew; refuses to store one open."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from triage import seal
from triage.service.shared import Act, BadMessageError, NotFoundError, Services, add_audit, existing
from triage.store import originals, tickets
from triage.ticket import Masked, Message

LONGEST_REASON = 500
LEAST_REASON = 8  # characters: "because" is no reason


def sealed(services: Services, message: Message, text: str, masked: Masked) -> bytes | None:
    """Return the text sealed, or None where the site keeps none or nothing was hidden.

    The message's own ids are sealed with it, so that one ticket's original cannot be put under another.
    """
    if not services.policy.privacy.original_days or not (masked.spans or masked.failed):
        return None
    whole = {"channel": message.channel, "external_id": message.external_id, "text": text}
    return seal.seal(json.dumps(whole).encode(), services.keys)


def keep(conn: Connection, filed: tickets.Filed, sealed: bytes, until: datetime) -> None:
    """Store a sealed text beside its new ticket."""
    originals.add(conn, [originals.Original(filed.id, sealed, until)])


def expiry(services: Services, now: datetime) -> datetime:
    """Return until when an original that is filed now may be kept."""
    return now + timedelta(days=services.policy.privacy.original_days)


def reveal(services: Services, ref: str, actor: str, reason: str, now: datetime) -> str:
    """Return what a ticket said before masking; the look is in the audit before anybody sees a word.

    Raises NotFoundError when nothing is kept, BadMessageError without a reason, SealError
    when no key here opens it.
    """
    said = clear_reason(services, reason)

    def work(conn: Connection) -> tuple[bytes, str, str]:
        row = existing(conn, ref)
        kept = originals.sealed(conn, row.id)
        if kept is None:
            raise NotFoundError(f"no original of {ref} is kept")
        add_audit(conn, services, Act(now, actor, "view_original"), tickets.ref_of(row.id), {"reason": said})
        return kept, row.channel, row.external_id

    kept, channel, external_id = services.transactions.write(work)
    whole = json.loads(seal.unseal(kept, services.keys))
    if (whole["channel"], whole["external_id"]) != (channel, external_id):
        raise seal.SealError(f"what is kept under {ref} belongs to another ticket")
    return str(whole["text"])


def clear_reason(services: Services, reason: str) -> str:
    """Return a reason fit for the audit: long enough to be one, and masked like all words. Raises BadMessageError."""
    said = services.mask(reason.strip())
    if said.failed or not LEAST_REASON <= len(reason.strip()) <= LONGEST_REASON:
        raise BadMessageError("reason", f"must have {LEAST_REASON} to {LONGEST_REASON} characters")
    return said.text


def rekey(services: Services, actor: str, now: datetime) -> tuple[int, int]:
    """Seal every kept original with the newest key; returns how many were, and how many no key here opens.

    May be stopped and run again.
    """
    newest = seal.Keys(services.keys.identities[:1], services.keys.recipients)
    changed, closed, last = 0, 0, 0
    while pairs := services.transactions.read(partial(originals.after, ticket_id=last)):
        last = pairs[-1][0]
        for ticket_id, old in pairs:
            if not _opens(newest, old):
                if not _opens(services.keys, old):
                    closed += 1
                    continue
                anew = seal.seal(seal.unseal(old, services.keys), newest)
                swap = partial(originals.seal_anew, ticket_id=ticket_id, was=old, sealed=anew)
                changed += services.transactions.write(swap)

    def done(conn: Connection) -> None:
        add_audit(conn, services, Act(now, actor, "rekey"), "originals", {"changed": changed, "closed": closed})

    services.transactions.write(done)
    return changed, closed


def _opens(keys: seal.Keys, sealed: bytes) -> bool:
    try:
        seal.unseal(sealed, keys)
    except seal.SealError:
        return False
    return True
