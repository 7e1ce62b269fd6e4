"""Values with working defaults: a test names only what it is about."""

from datetime import UTC, datetime

from triage import policy
from triage.ticket import (
    ClinicalImpact,
    Decision,
    Facts,
    Masked,
    Message,
    Notice,
    Prediction,
    Priority,
    Reason,
    Route,
    Ticket,
)

NOON = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)  # a Tuesday, noon in Toronto
POLICY = policy.load()

MINOR = "printer"
NOT_MINOR = "clinical_application"


def a_message(text="zebra printer on 4W prints blank labels", **changes) -> Message:
    defaults = {"channel": "test", "external_id": "m-1", "requester": "nurse.sample@example.org"}
    return Message(raw_text=text, **(defaults | changes))


def a_ticket(text="zebra printer on 4W prints blank labels", **changes) -> Ticket:
    defaults = {"ref": "IT-1", "channel": "test", "received_at": NOON, "requester": "nurse.sample@example.org"}
    return Ticket(text=text, **(defaults | changes))


def a_prediction(category=MINOR, confidence=0.99, **changes) -> Prediction:
    """A sure prediction, unless told otherwise; thresholds are 0.6 to route and 0.9 to act alone."""
    thresholds = {"route": 0.6} | {f"auto:{slug}": 0.9 for slug in POLICY.categories}
    others = [slug for slug in POLICY.categories if slug != category][:2]
    rest = (1 - confidence) / 2
    top = ((category, confidence), *((slug, rest) for slug in others))
    return Prediction(**({"top": top, "thresholds": thresholds, "model_version": "test-1"} | changes))


def some_facts(**changes) -> Facts:
    return Facts(**({"article": "printer-first-checks"} | changes))


def a_decision(route=Route.QUEUE, **changes) -> Decision:
    defaults = {
        "category": MINOR,
        "confidence": 0.97,
        "priority": Priority.P3,
        "team": "workplace",
        "reasons": (Reason("routed", "97%"),),
        "respond_by": NOON,
        "resolve_by": NOON,
        "model_version": "test-1",
        "policy_hash": POLICY.hash,
    }
    return Decision(route=route, **(defaults | changes))


def a_notice(**changes) -> Notice:
    defaults = {"key": "IT-1:card", "kind": "card", "to": "channel:it-workplace", "ref": "IT-1"}
    return Notice(**(defaults | {"language": "en", "text": "P3 IT-1 printer"} | changes))


def masked(text) -> Masked:
    return Masked(text)


def impact(**answers) -> ClinicalImpact:
    return ClinicalImpact(**answers)
