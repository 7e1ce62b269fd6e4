"""The seven nouns (Policy lives in `policy`) and the two ports; holds values, refuses behaviour.

Every other module imports from here and this one imports nothing of ours. All
times are timezone-aware UTC; all text is masked unless its name says `raw`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Route(StrEnum):
    """What happens to a ticket, in falling order of harm."""

    SECURITY = "security"
    INCIDENT = "incident"
    AUTO_RESOLVE = "auto_resolve"
    QUEUE = "queue"
    HUMAN_REVIEW = "human_review"


class Priority(StrEnum):
    """ITIL priority: P1 is the most pressing."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"


class Level(StrEnum):
    """A step of ITIL's impact (how many are hit) or urgency (how soon it hurts)."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Status(StrEnum):
    """Where a ticket stands. `NEW` is stored but not yet triaged."""

    NEW = "new"
    OPEN = "open"
    WAITING = "waiting"
    RESOLVED = "resolved"
    CLOSED = "closed"


LANGUAGES = ("en", "fr")
MAX_TEXT = 20_000  # characters kept of one message; the rest is cut, with a note


@dataclass(frozen=True, slots=True)
class ClinicalImpact:
    """The reporter's own answers; None means "not asked or not answered"."""

    affects_care: bool | None = None
    other_device: bool | None = None
    whole_unit: bool | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What a person wrote, before masking: never stored, logged or sent as it is.

    `external_id` is the sender's own id of the message; together with `channel`
    it makes filing idempotent.
    """

    raw_text: str
    channel: str
    external_id: str
    requester: str = ""
    unit: str = ""
    device: str = ""
    language: str | None = None
    impact: ClinicalImpact = ClinicalImpact()


@dataclass(frozen=True, slots=True)
class Span:
    """A masked stretch: offsets are Unicode code points of the original, end exclusive."""

    start: int
    end: int
    type: str


@dataclass(frozen=True, slots=True)
class Masked:
    """A text that may be stored. `failed` means the masker broke and the text was withheld."""

    text: str
    spans: tuple[Span, ...] = ()
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Ticket:
    """A stored message: masked text and who, where and when it came from.

    `hidden` names the kinds of patient data that were masked in it.
    """

    ref: str
    text: str
    channel: str
    received_at: datetime
    requester: str = ""
    unit: str = ""
    device: str = ""
    language: str = "en"
    impact: ClinicalImpact = ClinicalImpact()
    withheld: bool = False
    truncated: bool = False
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model thinks.

    `top` holds (slug, probability) in falling order over the policy's categories;
    `p_out_of_scope` is the probability that this is no IT request at all.
    Two detectors stand beside it: security, with one threshold for "danger" and a
    lower one for "a person should look", and harm (care stops or a patient is at
    risk), which never routes but forbids acting alone.
    `thresholds` holds what the model measured on held-out rows: "route" and
    "auto:<category>". `words` are the (word, weight) pairs that spoke most for the
    first guess. `error` is set when no model could answer; the rest is then empty.
    """

    top: tuple[tuple[str, float], ...] = ()
    p_out_of_scope: float = 0.0
    p_security: float = 0.0
    p_harm: float = 0.0
    security: bool = False
    maybe_security: bool = False
    maybe_harm: bool = False
    out_of_scope: bool = False
    thresholds: dict[str, float] = field(default_factory=dict)
    words: tuple[tuple[str, float], ...] = ()
    model_version: str = ""
    error: str = ""

    @property
    def category(self) -> str | None:
        """Return the first guess, or None when there is none."""
        return self.top[0][0] if self.top else None

    @property
    def confidence(self) -> float:
        """Return the calibrated probability of the first guess, 0 when there is none."""
        return self.top[0][1] if self.top else 0.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What the world says beside the text: cues, open incidents, switches.

    `incident` is the reference of a known outage that this ticket reports, or "";
    `similar_reports` counts recent tickets about the same device, unit or system.
    `article` is the guided fix of the first guess that fits the words best, or "".
    """

    security_cues: tuple[str, ...] = ()
    harm_cues: tuple[str, ...] = ()
    identity_cues: tuple[str, ...] = ()
    outage_cues: tuple[str, ...] = ()
    wide_cues: tuple[str, ...] = ()
    privacy_cues: tuple[str, ...] = ()
    incident: str = ""
    similar_reports: int = 0
    article: str = ""
    automation_on: bool = True


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a rule decided as it did: a stable code and what it saw."""

    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What will happen to a ticket and why.

    `category` is None when the model abstained; `top` then still holds the guesses.
    `action` names a real action or "guide"; `article` is the guided fix offered.
    `respond_by` and `resolve_by` are the promises of the team's SLA. `breach` says that
    patient data may be in wrong hands: the register takes it and the privacy officer hears.
    """

    route: Route
    category: str | None
    confidence: float
    priority: Priority
    team: str
    reasons: tuple[Reason, ...]
    top: tuple[tuple[str, float], ...] = ()
    words: tuple[tuple[str, float], ...] = ()
    action: str = ""
    article: str = ""
    incident: str = ""
    restricted: bool = False
    breach: bool = False
    respond_by: datetime | None = None
    resolve_by: datetime | None = None
    model_version: str = ""
    policy_hash: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell someone.

    `key` makes a repeat harmless: one key is one message, whatever is retried.
    `to` is a requester's address or a team's channel; notices to the same `to`
    arrive in order. `replaces` is the key of the notice whose place this one takes,
    `under` of the one it belongs to; where the other side has no such place, both are
    told like any other.
    """

    key: str
    kind: str
    to: str
    ref: str
    language: str
    text: str
    replaces: str = ""
    under: str = ""


class DeliveryError(Exception):
    """A notice could not be handed over.

    `permanent` says that a retry is hopeless, `untried` that nothing was attempted: its
    turn comes in `retry_after` seconds.
    """

    def __init__(
        self, message: str, *, permanent: bool = False, retry_after: float | None = None, untried: bool = False
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after
        self.untried = untried


class ModelUnavailableError(Exception):
    """No model can answer; the text says why and may be shown and logged (it never holds a ticket's words)."""


class Classifier(Protocol):
    """The model as the service sees it.

    Implementations are safe to call from several threads and may raise anything:
    the caller turns an exception into "a person will look".
    """

    def predict(self, text: str) -> Prediction:
        """Judge one masked text."""
        ...


class Notifier(Protocol):
    """Where notices go: a console, Slack, mail.

    `send` returns once the other side has taken the notice, with what that calls it (or
    None), and raises `DeliveryError` otherwise. `again` says that an earlier try may have
    arrived: look before you repeat.
    """

    def send(self, notice: Notice, *, again: bool = False) -> str | None:
        """Hand over one notice."""
        ...
