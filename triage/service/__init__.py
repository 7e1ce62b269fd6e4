"""The shell: gathers facts, asks the pure core, records the answer; the only part that says what one transaction holds.

    message -> file_ticket -> [commit 1] -> triage_ticket -> [commit 2] -> deliver -> notifier
                                              ^                               ^
                                              +------------ sweep ------------+  (what a crash left behind)

No transaction is open while a model or a notifier is asked. Everything may be called again.
"""

from triage.service.access import note, note_look, what_did, who_saw
from triage.service.breaches import change_entry, note_duty, open_entry, register
from triage.service.conversation import amend, hear, is_follow_up, withdraw
from triage.service.feedback import RATINGS, rate, settle
from triage.service.handling import LONGEST_NOTE, add_note, claim, reopen, reply, resolve
from triage.service.intake import (
    facts_from_text,
    file_ticket,
    judge,
    predict_or_abstain,
    receive,
    summary,
    triage_ticket,
)
from triage.service.mending import Mended, mend, misses
from triage.service.originals import rekey, reveal
from triage.service.promotion import promote, rollback
from triage.service.retention import hold, overdue, purge
from triage.service.shared import Act, BadMessageError, ConflictError, NotFoundError, Services, add_audit
from triage.service.steering import affect, correct, hand_over
from triage.service.upkeep import LEFT_BEHIND, SWEEP_EVERY, deliver, revive, sweep

__all__ = [
    "LEFT_BEHIND",
    "LONGEST_NOTE",
    "RATINGS",
    "SWEEP_EVERY",
    "Act",
    "BadMessageError",
    "ConflictError",
    "Mended",
    "NotFoundError",
    "Services",
    "add_audit",
    "add_note",
    "affect",
    "amend",
    "change_entry",
    "claim",
    "correct",
    "deliver",
    "facts_from_text",
    "file_ticket",
    "hand_over",
    "hear",
    "hold",
    "is_follow_up",
    "judge",
    "mend",
    "misses",
    "note",
    "note_duty",
    "note_look",
    "open_entry",
    "overdue",
    "predict_or_abstain",
    "promote",
    "purge",
    "rate",
    "receive",
    "register",
    "rekey",
    "reopen",
    "reply",
    "resolve",
    "reveal",
    "revive",
    "rollback",
    "settle",
    "summary",
    "sweep",
    "triage_ticket",
    "what_did",
    "who_saw",
    "withdraw",
]
