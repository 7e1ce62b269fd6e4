"""The shell: files, triages, delivers, settles and sweeps; gathers facts, asks the pure core, records the answer.

    message -> file_ticket -> [commit 1] -> triage_ticket -> [commit 2] -> deliver -> notifier
                                              ^                               ^
                                              +------------ sweep ------------+  (what a crash left behind)

Only this module decides what goes into one transaction (`commit` runs it). None is
open while a model or a notifier is asked. Everything may be called again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection

from triage import escalate, incidents, language, notices
from triage.commit import Transactions
from triage.cues import find_cues
from triage.decide import decide
from triage.knowledge import Knowledge
from triage.policy import Policy
from triage.redact import redact
from triage.store import audit, classifiers, outbox, people, schedules, tickets
from triage.store import incidents as incident_rows
from triage.ticket import (
    LANGUAGES,
    MAX_TEXT,
    Classifier,
    Decision,
    DeliveryError,
    Facts,
    Masked,
    Message,
    ModelUnavailableError,
    Notice,
    Notifier,
    Prediction,
    Priority,
    Reason,
    Route,
    Status,
    Ticket,
)

log = structlog.get_logger()

NOTICE = "notice"
SWEEP_EVERY = timedelta(seconds=10)
LEFT_BEHIND = timedelta(seconds=20)  # older than any live triage: its process must have died
_LIMITS = {"channel": 40, "external_id": 200, "requester": 320, "unit": 100, "device": 100}
# Control characters (but tab and line breaks), and the marks that reorder text on screen.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


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
    """Everything the shell needs; put together in `bootstrap`, or from fakes in tests."""

    transactions: Transactions
    policy: Policy
    knowledge: Knowledge
    classifier: Classifier
    notifier: Notifier
    key: bytes


# --- from message to decision ---------------------------------------------------------


def file_ticket(services: Services, message: Message, now: datetime) -> tickets.Filed:
    """Mask a message and store it; returning means the ticket is committed.

    The same channel and external id return the first ticket. Raises BadMessageError for
    what is no message, StoreUnavailableError when it could not be stored.
    """
    message, masked, truncated = _prepare(message)
    spoken = message.language if message.language in LANGUAGES else language.guess(masked.text)

    def work(conn: Connection) -> tickets.Filed:
        return tickets.add(conn, message, masked, spoken, now, truncated=truncated)

    return services.transactions.write(work)


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
        if not tickets.record_decision(conn, filed.id, decision, incident_id, now):
            return None
        told = notices.notices_for(filed.ticket, decision, services.policy, services.knowledge)
        outbox.enqueue(conn, [_as_work(notice) for notice in told], now)
        _audit(conn, services, now, "triage", "decide", filed.ticket.ref, _gist(decision))
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
    _, masked, truncated = _prepare(Message(text, "dry-run", "-", language=spoken))
    known = spoken if spoken in LANGUAGES else language.guess(masked.text)
    ticket = Ticket("-", masked.text, "dry-run", now, language=known, withheld=masked.failed, truncated=truncated)
    prediction = predict_or_abstain(services.classifier, ticket)
    decision = decide(ticket, prediction, facts_from_text(ticket, prediction, services), services.policy)
    return ticket, prediction, decision


def predict_or_abstain(classifier: Classifier, ticket: Ticket) -> Prediction:
    """Ask the model; any failure of it becomes "no model could answer"."""
    if ticket.withheld:
        return Prediction(error="text withheld")
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
        article=services.knowledge.best(prediction.category or "", ticket.text, ticket.language),
    )


def _prepare(message: Message) -> tuple[Message, Masked, bool]:
    """Check and clean a message, cut it to size and mask it."""
    text = _clean(message.raw_text).strip()
    if not text:
        raise BadMessageError("text", "the message is empty")
    for field, limit in _LIMITS.items():
        if len(getattr(message, field)) > limit:
            raise BadMessageError(field, f"must have at most {limit} characters")
    if message.requester and not re.fullmatch(r"[^\s@]+@[^\s@]+", message.requester):
        raise BadMessageError("requester", "must be an e-mail address")
    if not message.external_id:
        raise BadMessageError("external_id", "must not be empty")
    truncated = len(text) > MAX_TEXT
    if truncated:
        # Cut between words: half an identifier would no longer look like one to the masker.
        text = text[:MAX_TEXT].rsplit(None, 1)[0]
    masked = redact(text)
    stored = replace(
        message,
        raw_text="",
        external_id=_clean(message.external_id),
        requester=_clean(message.requester),
        unit=redact(_clean(message.unit).strip()).text,
        device=redact(_clean(message.device).strip()).text,
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
    _audit(conn, services, now, "triage", "open_incident", _incident_name(incident_id), {"first": ticket.ref})
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


def _as_work(notice: Notice) -> outbox.Work:
    return outbox.Work(key=notice.key, topic=NOTICE, lane=notice.to, payload=asdict(notice))


def _audit(
    conn: Connection, services: Services, now: datetime, actor: str, action: str, subject: str, data: dict[str, Any]
) -> None:
    audit.append(conn, services.key, audit.Entry(now, actor, action, subject, data))


def summary(services: Services, ticket_id: int) -> dict[str, Any]:
    """Return one ticket as every interface shows it; undecided tickets have route "human_review".

    Raises NotFoundError.
    """

    def query(conn: Connection) -> tuple[Any, Any]:
        return tickets.get(conn, ticket_id), tickets.last_decision(conn, ticket_id)

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


# --- what people say afterwards -------------------------------------------------------


def settle(services: Services, ref: str, actor: str, now: datetime, *, fixed: bool) -> None:
    """Take the reporter's verdict on a guided fix: only "fixed" resolves, "not fixed" goes to the team.

    Raises NotFoundError, or ConflictError when the ticket does not wait for a verdict.
    """

    def work(conn: Connection) -> None:
        row = _existing(conn, ref)
        status = Status.RESOLVED if fixed else Status.OPEN
        if not tickets.set_status(conn, row.id, status, [Status.WAITING]):
            raise ConflictError(f"{ref} does not wait for an answer")
        kind = "confirmed_fixed" if fixed else "not_fixed"
        tickets.add_event(conn, row.id, now, kind, actor, {"article": row.article})
        if not fixed:
            notice = notices.still_broken(
                ref, team=row.team, priority=Priority(row.priority), policy=services.policy, turn=row.version
            )
            outbox.enqueue(conn, [_as_work(notice)], now)

    services.transactions.write(work)


def correct(services: Services, ref: str, label: str, actor: str, now: datetime, *, learn: bool = True) -> None:
    """Record a person's verdict on the category; it becomes a labelled example when `learn` is set.

    `label` is a category of the policy or "out_of_scope". Raises NotFoundError or BadMessageError.
    """
    if label not in services.policy.categories and label != "out_of_scope":
        raise BadMessageError("label", f"unknown category {label!r}")

    def work(conn: Connection) -> None:
        row = _existing(conn, ref)
        was = tickets.add_correction(conn, row.id, actor=actor, label=label, learn=learn, now=now)
        _audit(conn, services, now, actor, "correct", ref, {"was": was, "label": label})

    services.transactions.write(work)


def _existing(conn: Connection, ref: str) -> Any:
    ticket_id = tickets.id_of(ref)
    row = tickets.get(conn, ticket_id) if ticket_id is not None else None
    if row is None:
        raise NotFoundError(f"there is no ticket {ref}")
    return row


# --- models ---------------------------------------------------------------------------


def promote(services: Services, version: str, actor: str, reason: str, now: datetime) -> None:
    """Make a stored model live, in one transaction; every process serves it from its next ticket."""

    def work(conn: Connection) -> None:
        if classifiers.blob_of(conn, version) is None:
            raise NotFoundError(f"there is no model {version}")
        was = classifiers.live_version(conn)
        if was == version:
            raise ConflictError(f"{version} is live already")
        classifiers.promote(conn, version, actor, reason, now)
        _audit(conn, services, now, actor, "promote_model", version, {"was": was, "reason": reason})

    services.transactions.write(work)


def rollback(services: Services, actor: str, reason: str, now: datetime) -> str:
    """Make the model before the live one live again and return its version."""

    def work(conn: Connection) -> str:
        was, before = classifiers.live_version(conn), classifiers.version_before(conn)
        if before is None:
            raise ConflictError("there is no earlier model to go back to")
        classifiers.promote(conn, before, actor, reason, now)
        _audit(conn, services, now, actor, "rollback_model", before, {"was": was, "reason": reason})
        return before

    return services.transactions.write(work)


# --- work outside transactions --------------------------------------------------------


def deliver(services: Services, worker: str, clock: Callable[[], datetime], lease: timedelta = outbox.LEASE) -> bool:
    """Claim one piece of outbox work, do it, mark it done; False when nothing is due.

    1. claim a row with a lease (commit)  2. do the work, no transaction open
    3. mark it done, or due again later (commit). A death between 2 and 3 repeats it
    once the lease has run out: at least once, never lost.
    """
    claim = services.transactions.write(lambda conn: outbox.claim(conn, worker, clock(), lease))
    if claim is None:
        return False
    try:
        _do(services, claim)
    except DeliveryError as failure:
        _not_delivered(services, claim, clock(), str(failure), permanent=failure.permanent, after=failure.retry_after)
    except Exception as failure:  # noqa: BLE001 - a failed delivery becomes a row to retry, never a dead worker
        _not_delivered(services, claim, clock(), type(failure).__name__)
    else:
        services.transactions.write(lambda conn: outbox.finish(conn, claim, clock()))
    return True


def _do(services: Services, claim: outbox.Claim) -> None:
    if claim.topic != NOTICE:
        raise DeliveryError(f"nobody does work of the topic {claim.topic!r}", permanent=True)
    services.notifier.send(Notice(**claim.payload))


def _not_delivered(
    services: Services,
    claim: outbox.Claim,
    now: datetime,
    error: str,
    *,
    permanent: bool = False,
    after: float | None = None,
) -> None:
    log.warning("not_delivered", key=claim.key, attempts=claim.attempts, permanent=permanent)

    def work(conn: Connection) -> None:
        if permanent:
            outbox.bury(conn, claim, now, error)
        else:
            outbox.retry(conn, claim, now, error, after)

    services.transactions.write(work)


def sweep(services: Services, now: datetime) -> int:
    """Do what time alone makes necessary, if it is this worker's turn; returns how much was done.

    1. triage what a crash left behind  2. climb the escalation ladders.
    """
    if not services.transactions.write(lambda conn: schedules.claim(conn, "sweep", SWEEP_EVERY, now)):
        return 0
    left = services.transactions.read(lambda conn: tickets.untriaged(conn, now - LEFT_BEHIND))
    for row in left:
        triage_ticket(services, tickets.Filed(row.id, tickets.to_ticket(row), created=False, triaged=False), now)
    return len(left) + _escalate(services, now)


def _escalate(services: Services, now: datetime) -> int:
    rows = services.transactions.read(tickets.waiting_for_answer)
    waiting = (
        escalate.Waiting(row.id, row.team, Priority(row.priority), row.received_at, row.escalated) for row in rows
    )
    climbs = list(escalate.overdue(waiting, now, services.policy))
    for climb in climbs:
        services.transactions.write(partial(_climb, services=services, climb=climb, now=now))
    return len(climbs)


def _climb(conn: Connection, services: Services, climb: escalate.Climb, now: datetime) -> None:
    ticket = climb.ticket
    if not tickets.set_escalated(conn, ticket.id, ticket.escalated, climb.step):
        return
    team = services.policy.teams[ticket.team].label.en
    notice = notices.escalation(
        tickets.ref_of(ticket.id),
        step=climb.step,
        channel=climb.channel,
        minutes=climb.minutes,
        priority=ticket.priority,
        team=team,
    )
    outbox.enqueue(conn, [_as_work(notice)], now)
    tickets.add_event(conn, ticket.id, now, "escalated", "triage", {"to": climb.channel, "step": climb.step})
