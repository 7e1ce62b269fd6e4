"""What the parts of the shell share: the services, the errors, and the two things every part writes; refuses steps."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from triage.commit import Transactions
from triage.knowledge import Knowledge
from triage.policy import Policy
from triage.redact import redact, redact_beside
from triage.seal import NO_KEYS, Keys
from triage.store import audit, outbox, tickets
from triage.ticket import Classifier, Masked, Notice, Notifier

NOTICE = "notice"  # the outbox topic of a notice


class BadMessageError(Exception):
    """A message that cannot become a ticket; `field` names what is wrong with it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class NotFoundError(Exception):
    """No such ticket or model."""


class ConflictError(Exception):
    """The thing asked for does not fit the state it is in now."""


@dataclass(frozen=True)
class Services:
    """Everything the shell needs; put together in `bootstrap`, or from fakes in tests.

    `key` signs (audit, models); `keys` seal originals, where the policy keeps them.
    """

    transactions: Transactions
    policy: Policy
    knowledge: Knowledge
    classifier: Classifier
    notifier: Notifier
    key: bytes
    keys: Keys = NO_KEYS

    def mask(self, text: str, *more: str) -> Masked:
        """Mask words with what this site never masks, and `more` of that kind."""
        return redact(text, (*self.policy.never_masked, *more))

    def mask_beside(self, field: str, raw: str, masked: Masked, *more: str) -> str:
        """Mask a short field of a ticket, and in it all that the ticket's text gave away."""
        return redact_beside(field, raw, masked, (*self.policy.never_masked, *more))


def as_work(notice: Notice) -> outbox.Work:
    """Return the outbox row that will deliver a notice: one lane per addressee keeps their order."""
    return outbox.Work(
        key=notice.key, topic=NOTICE, lane=notice.to, payload=asdict(notice), replaces=notice.replaces or None
    )


@dataclass(frozen=True, slots=True)
class Act:
    """Who does what, when: everything the audit needs beside the subject."""

    at: datetime
    actor: str
    action: str


def add_audit(conn: Connection, services: Services, act: Act, subject: str, data: dict[str, Any]) -> None:
    """Add a link to the audit chain."""
    audit.append(conn, services.key, audit.Entry(act.at, act.actor, act.action, subject, data))


def existing(conn: Connection, ref: str) -> Any:
    """Return a ticket's row. Raises NotFoundError."""
    ticket_id = tickets.id_of(ref)
    row = tickets.get(conn, ticket_id) if ticket_id is not None else None
    if row is None:
        raise NotFoundError(f"there is no ticket {ref}")
    return row
