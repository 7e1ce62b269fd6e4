"""From message to decision: files, triages, and answers dry runs; refuses to send anything itself."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection

from triage import incidents, language, notices
from triage.cues import find_cues
from triage.decide import decide
from triage.service import originals
from triage.service.breaches import add_entry
from triage.service.shared import Act, BadMessageError, NotFoundError, Services, add_audit, as_work
from triage.store import decisions, outbox, people, tickets
from triage.store import incidents as incident_rows
from triage.ticket import (
    LANGUAGES,
    MAX_TEXT,
    Classifier,
    Decision,
    Facts,
    Masked,
    Message,
    ModelUnavailableError,
    Prediction,
    Priority,
    Reason,
    Route,
    Ticket,
)

log = structlog.get_logger()

_LIMITS = {"channel": 40, "external_id": 200, "requester": 320, "unit": 100, "device": 100}
# Control characters (but tab and line breaks), and the marks that reorder text on screen.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")

# Letters and digits without a space: a name or a bare record number in the device field earns no trust.
_TAG = re.compile(r"(?=\S*[^\W\d_])(?=\S*\d)\S+")


def file_ticket(services: Services, message: Message, now: datetime) -> tickets.Filed:
    """Mask a message and store it; returning means the ticket is committed.

    The same channel and external id return the first ticket. Raises BadMessageError for
    what is no message, StoreUnavailableError when it could not be stored.
    """
    text = _clean(message.raw_text).strip()[:MAX_TEXT]
    message, masked, truncated = _prepare(services, message)
    if not masked.text:
        raise BadMessageError("text", "the message is empty")
    spoken = message.language if message.language in LANGUAGES else language.guess(masked.text)
    arrival = tickets.Arrival(message, masked, spoken, now, truncated)
    if sealed := originals.sealed(services, message, text, masked):
        until = originals.expiry(services, now)
        return services.transactions.write(partial(_file_with_original, arrival=arrival, sealed=sealed, until=until))
    return services.transactions.write_together(tickets.add, arrival)


def _file_with_original(conn: Connection, arrival: tickets.Arrival, sealed: bytes, until: datetime) -> tickets.Filed:
    (filed,) = tickets.add(conn, [arrival])
    if filed.created:
        originals.keep(conn, filed, sealed, until)
    return filed


def triage_ticket(services: Services, filed: tickets.Filed, now: datetime) -> Decision | None:
    """Decide what happens to a stored ticket; None when it was decided before or a person has it."""
    prediction = predict_or_abstain(services.classifier, filed.ticket)
    facts = facts_from_text(filed.ticket, prediction, services)

    def work(conn: Connection) -> Decision | None:
        known = _facts_from_store(conn, services, filed.ticket, prediction, facts)
        decision = decide(filed.ticket, prediction, known, services.policy)
        incident_id = _join_incident(conn, services, filed.ticket, decision, now)
        if incident_id and not decision.incident:
            decision = replace(decision, incident=_incident_name(incident_id))
        told = notices.notices_for(filed.ticket, decision, services.policy, services.knowledge)
        card = next((notice.key for notice in told if notice.kind in ("card", "security")), "")
        if not decisions.record_decision(conn, filed.id, decision, incident_id, now, card):
            return None
        outbox.enqueue(conn, [as_work(notice) for notice in told], now)
        add_audit(conn, services, Act(now, "triage", "decide"), filed.ticket.ref, _gist(decision))
        if decision.breach:
            add_entry(conn, services, filed.id, filed.ticket.received_at, Act(now, "triage", "open_breach"))
        return decision

    decision = services.transactions.write(work)
    if decision:
        log.info("decided", ref=filed.ticket.ref, route=decision.route.value, model=decision.model_version)
    return decision


def receive(services: Services, message: Message, now: datetime) -> tickets.Filed:
    """File a message and triage it at once: what every channel calls.

    When the second step fails the ticket is safe and `sweep` decides it later.
    """
    filed = file_ticket(services, message, now)
    if not filed.triaged:
        try:
            triage_ticket(services, filed, now)
        except Exception as error:  # noqa: BLE001 - the ticket is committed: never refuse it for what comes after
            log.error("triage_failed", ref=filed.ticket.ref, error=type(error).__name__)
    return filed


def judge(services: Services, text: str, spoken: str | None, now: datetime) -> tuple[Ticket, Prediction, Decision]:
    """Return what would happen to a text, storing nothing."""
    _, masked, truncated = _prepare(services, Message(text, "dry-run", "-", language=spoken))
    known = spoken if spoken in LANGUAGES else language.guess(masked.text)
    ticket = Ticket("-", masked.text, "dry-run", now, language=known, withheld=masked.failed, truncated=truncated)
    prediction = predict_or_abstain(services.classifier, ticket)
    decision = decide(ticket, prediction, facts_from_text(ticket, prediction, services), services.policy)
    return ticket, prediction, decision


def predict_or_abstain(classifier: Classifier, ticket: Ticket) -> Prediction:
    """Ask the model; any failure of it becomes "no model could answer"."""
    if ticket.withheld or not ticket.text:
        return Prediction()
    try:
        return classifier.predict(ticket.text)
    except ModelUnavailableError as error:
        log.warning("no_model", ref=ticket.ref, reason=str(error))
        return Prediction(error=str(error))
    except Exception as error:  # noqa: BLE001 - a broken model must never refuse a ticket
        log.warning("no_prediction", ref=ticket.ref, error=type(error).__name__)
        return Prediction(error=type(error).__name__)


def facts_from_text(ticket: Ticket, prediction: Prediction, services: Services) -> Facts:
    """Return what the words alone say."""
    found = find_cues(ticket.text, services.policy.cues)
    return Facts(
        security_cues=found.security,
        harm_cues=found.harm,
        identity_cues=found.identity,
        outage_cues=found.outage,
        wide_cues=found.wide,
        privacy_cues=found.privacy,
        article=services.knowledge.best(prediction.category or "", ticket.text, ticket.language),
    )


def _prepare(services: Services, message: Message) -> tuple[Message, Masked, bool]:
    """Check and clean a message, cut it to size and mask it."""
    text = _clean(message.raw_text).strip()
    for field, limit in _LIMITS.items():
        if len(getattr(message, field)) > limit:
            raise BadMessageError(field, f"must have at most {limit} characters")
    if message.requester and not re.fullmatch(r"[^\s@]+@[^\s@]+", _clean(message.requester)):
        raise BadMessageError("requester", "must be an e-mail address")
    if not message.external_id:
        raise BadMessageError("external_id", "must not be empty")
    truncated = len(text) > MAX_TEXT
    if truncated:
        # Cut between words: half an identifier would no longer look like one to the masker.
        text = text[:MAX_TEXT].rsplit(None, 1)[0]
    unit, device = _clean(message.unit).strip(), _clean(message.device).strip()
    # A machine's tag by the field it stands in, however much it looks like a record number.
    tags = [device] if _TAG.fullmatch(device) else []
    masked = services.mask(text, *tags)
    stored = replace(
        message,
        raw_text="",
        external_id=_clean(message.external_id),
        requester=_clean(message.requester),
        unit=services.mask_beside(unit, text, masked, *tags),
        device=services.mask_beside(device, text, masked, *tags),
    )
    return stored, masked, truncated


def _clean(text: str) -> str:
    """Return text that any database and screen can hold."""
    return _UNPRINTABLE.sub(" ", text.encode("utf-8", "replace").decode("utf-8"))


def _facts_from_store(
    conn: Connection, services: Services, ticket: Ticket, prediction: Prediction, facts: Facts
) -> Facts:
    """Add what the database knows: open incidents, similar reports, the automation switch."""
    automation = people.switch(conn, people.AUTOMATION, default=True)
    category = prediction.category
    rows = incident_rows.open_incidents(conn)
    found = incidents.known(
        ticket, category, (incidents.Incident(row.id, row.category, row.unit, row.device) for row in rows)
    )
    similar = 0
    if category and not found:
        since = ticket.received_at - services.policy.incident.window
        similar = tickets.recent_alike(conn, ticket, category, since)
    return replace(
        facts,
        incident=_incident_name(found.id) if found else "",
        similar_reports=similar,
        automation_on=automation,
    )


def _join_incident(
    conn: Connection, services: Services, ticket: Ticket, decision: Decision, now: datetime
) -> int | None:
    if decision.route is not Route.INCIDENT or decision.category is None:
        return None
    if decision.incident:
        incident_id = int(decision.incident.removeprefix(_INCIDENT))
        incident_rows.add_report(conn, incident_id, now)
        return incident_id
    since = ticket.received_at - services.policy.incident.window
    incident_id = incident_rows.open_new(conn, ticket, decision.category, since, now)
    add_audit(conn, services, Act(now, "triage", "open_incident"), _incident_name(incident_id), {"first": ticket.ref})
    return incident_id


_INCIDENT = "INC-"


def _incident_name(incident_id: int) -> str:
    return f"{_INCIDENT}{incident_id}"


def _gist(decision: Decision) -> dict[str, Any]:
    return {
        "route": decision.route.value,
        "category": decision.category,
        "confidence": round(decision.confidence, 4),
        "priority": decision.priority.value,
        "model": decision.model_version,
        "policy": decision.policy_hash,
    }


def summary(services: Services, ticket_id: int) -> dict[str, Any]:
    """Return one ticket as every interface shows it; undecided tickets have route "human_review".

    Raises NotFoundError.
    """

    def query(conn: Connection) -> tuple[Any, Any]:
        return tickets.get(conn, ticket_id), decisions.last_decision(conn, ticket_id)

    row, decision = services.transactions.read(query)
    if row is None:
        raise NotFoundError(f"there is no ticket {tickets.ref_of(ticket_id)}")
    reasons = [Reason(*pair) for pair in decision.reasons] if decision else []
    return {
        "ref": tickets.ref_of(row.id),
        "status": row.status,
        "route": row.route or Route.HUMAN_REVIEW.value,
        "category": row.category,
        "confidence": round(row.confidence or 0.0, 6),
        "priority": row.priority or Priority.P3.value,
        "team": row.team or services.policy.review_team,
        "article": row.article or None,
        "action": row.action or None,
        "text": row.text,
        "truncated": row.truncated,
        "language": row.language,
        "requester": row.requester,
        "unit": row.unit,
        "device": row.device,
        "received_at": row.received_at.isoformat(timespec="seconds"),
        "respond_by": row.respond_by.isoformat(timespec="seconds") if row.respond_by else None,
        "resolve_by": row.resolve_by.isoformat(timespec="seconds") if row.resolve_by else None,
        "reasons": [notices.sentence(reason) for reason in reasons],
        "top": decision.top if decision else [],
        "words": decision.words if decision else [],
        "model_version": decision.model_version if decision else "",
        "restricted": row.restricted,
    }
