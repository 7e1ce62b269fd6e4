"""The shell: gathers facts, asks the pure core, records the answer; the only part that says what one transaction holds.

    message -> file_ticket -> [commit 1] -> triage_ticket -> [commit 2] -> deliver -> notifier
                                              ^                               ^
                                              +------------ sweep ------------+  (what a crash left behind)

No transaction is open while a model or a notifier is asked. Everything may be called again.
"""

from triage.service.feedback import correct, settle
from triage.service.intake import (
    facts_from_text,
    file_ticket,
    judge,
    predict_or_abstain,
    receive,
    summary,
    triage_ticket,
)
from triage.service.promotion import promote, rollback
from triage.service.shared import BadMessageError, ConflictError, NotFoundError, Services
from triage.service.upkeep import LEFT_BEHIND, SWEEP_EVERY, deliver, sweep

__all__ = [
    "LEFT_BEHIND",
    "SWEEP_EVERY",
    "BadMessageError",
    "ConflictError",
    "NotFoundError",
    "Services",
    "correct",
    "deliver",
    "facts_from_text",
    "file_ticket",
    "judge",
    "predict_or_abstain",
    "promote",
    "receive",
    "rollback",
    "settle",
    "summary",
    "sweep",
    "triage_ticket",
]
