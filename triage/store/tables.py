"""Owns the shape of the database, the same on SQLite and PostgreSQL; refuses queries.

*Model* means a classifier here; these are tables. Times are UTC. Every column that
holds words of a requester holds masked words only.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy import text as sql
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class Utc(TypeDecorator[datetime]):
    """An aware UTC time; refuses naive ones. SQLite keeps no zone, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware time into what the database stores."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return an aware UTC time."""
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite counts up by itself only in a column declared INTEGER.
BigId = BigInteger().with_variant(Integer, "sqlite")

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """All tables of the product."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads this name as a plain dict
        datetime: Utc,
        dict[str, Any]: JSON,
        list[Any]: JSON,
        str: String,
        bool: Boolean,
        float: Float,
    }


class TicketRow(Base):
    """A stored message and where it stands now. `version` counts up with every write.

    `card` is the key of the notice that its team sees, "" while no team was told of it.
    """

    __tablename__ = "tickets"
    __table_args__ = (
        UniqueConstraint("channel", "external_id"),
        Index("ix_tickets_work", "is_open", "restricted", "priority", "resolve_by", "id"),
        Index("ix_tickets_all_work", "is_open", "priority", "resolve_by", "id"),
        Index("ix_tickets_route", "is_open", "route", "restricted", "id"),
        Index("ix_tickets_requester", "requester", "id"),
        Index("ix_tickets_category", "category", "id"),
        Index("ix_tickets_recent", "category", "received_at"),
        Index("ix_tickets_untriaged", "status", "id"),
        Index("ix_tickets_words", "is_open", "words_gone_at", "received_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    channel: Mapped[str]
    external_id: Mapped[str]
    requester: Mapped[str]
    unit: Mapped[str]
    device: Mapped[str]
    language: Mapped[str]
    text: Mapped[str] = mapped_column(Text)
    spans: Mapped[list[Any]]
    impact: Mapped[dict[str, Any]]
    withheld: Mapped[bool]
    truncated: Mapped[bool]
    received_at: Mapped[datetime]
    status: Mapped[str]
    is_open: Mapped[bool]
    restricted: Mapped[bool]
    route: Mapped[str | None]
    category: Mapped[str | None]
    confidence: Mapped[float | None]
    priority: Mapped[str | None]
    team: Mapped[str | None]
    action: Mapped[str | None]
    article: Mapped[str | None]
    incident_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("incidents.id"))
    respond_by: Mapped[datetime | None]
    resolve_by: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    escalated: Mapped[int]
    assignee: Mapped[str] = mapped_column(default="", server_default=sql("''"))
    card: Mapped[str] = mapped_column(default="", server_default=sql("''"))
    resolved_at: Mapped[datetime | None]
    held: Mapped[bool] = mapped_column(default=False, server_default=false())
    words_gone_at: Mapped[datetime | None]
    version: Mapped[int]


class OriginalRow(Base):
    """What a ticket said before masking, sealed for the holders of a data key; only where a site keeps it."""

    __tablename__ = "originals"
    __table_args__ = (Index("ix_originals_expiry", "keep_until"),)

    ticket_id: Mapped[int] = mapped_column(BigId, ForeignKey("tickets.id"), primary_key=True, autoincrement=False)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    keep_until: Mapped[datetime]


class MissRow(Base):
    """A ticket in which a person found what the masker had missed, with made-up words in its place: a masker's test."""

    __tablename__ = "masker_misses"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    ticket_id: Mapped[int] = mapped_column(BigId, ForeignKey("tickets.id"))
    at: Mapped[datetime]
    actor: Mapped[str]
    language: Mapped[str]
    marked: Mapped[str] = mapped_column(Text)


class BreachRow(Base):
    """One entry of the breach register: what a privacy law asks to be written down. Its words are masked.

    `notified` maps a duty ("hipaa:persons") to the day it was done.
    """

    __tablename__ = "breaches"
    __table_args__ = (UniqueConstraint("ticket_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    ticket_id: Mapped[int] = mapped_column(BigId, ForeignKey("tickets.id"))
    aware_at: Mapped[datetime]
    happened: Mapped[str]
    state: Mapped[str]
    information: Mapped[str]
    circumstances: Mapped[str] = mapped_column(Text)
    persons: Mapped[int | None]
    risk: Mapped[str]
    risk_reasons: Mapped[str] = mapped_column(Text)
    measures: Mapped[str] = mapped_column(Text)
    notified: Mapped[dict[str, Any]]
    version: Mapped[int]


class EventRow(Base):
    """One thing that happened to a ticket. Append-only."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_ticket", "ticket_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    ticket_id: Mapped[int] = mapped_column(BigId, ForeignKey("tickets.id"))
    at: Mapped[datetime]
    kind: Mapped[str]
    actor: Mapped[str]
    data: Mapped[dict[str, Any]]


class DecisionRow(Base):
    """One decision with everything needed to explain it later. Append-only."""

    __tablename__ = "decisions"
    __table_args__ = (Index("ix_decisions_ticket", "ticket_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    ticket_id: Mapped[int] = mapped_column(BigId, ForeignKey("tickets.id"))
    at: Mapped[datetime]
    route: Mapped[str]
    category: Mapped[str | None]
    confidence: Mapped[float]
    priority: Mapped[str]
    team: Mapped[str]
    top: Mapped[list[Any]]
    reasons: Mapped[list[Any]]
    words: Mapped[list[Any]]
    model_version: Mapped[str]
    policy_hash: Mapped[str]


class CorrectionRow(Base):
    """A person's verdict on a ticket's category; `label` is a slug or "out_of_scope"."""

    __tablename__ = "corrections"
    __table_args__ = (Index("ix_corrections_ticket", "ticket_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    ticket_id: Mapped[int] = mapped_column(BigId, ForeignKey("tickets.id"))
    at: Mapped[datetime]
    actor: Mapped[str]
    was: Mapped[str | None]
    label: Mapped[str]
    learn: Mapped[bool]


class IncidentRow(Base):
    """Several tickets about one outage."""

    __tablename__ = "incidents"
    __table_args__ = (Index("ix_incidents_open", "is_open", "category"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    category: Mapped[str]
    unit: Mapped[str]
    device: Mapped[str]
    is_open: Mapped[bool]
    opened_at: Mapped[datetime]
    last_report_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class OutboxRow(Base):
    """Work to be done outside a transaction: a notice to deliver or a job to run.

    `topic` says who does it; rows of one `lane` are done in order. A row is claimed
    by a lease, so a dead worker's row comes back by itself. `replaces` is the key of the
    notice that this one takes the place of; `receipt` what the other side calls it.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("key"),
        Index("ix_outbox_due", "pending", "due", "id"),
        Index("ix_outbox_lane", "pending", "lane", "id"),
        Index("ix_outbox_replaces", "pending", "replaces"),
        Index("ix_outbox_receipt", "receipt"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    key: Mapped[str]
    topic: Mapped[str]
    lane: Mapped[str]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    due: Mapped[datetime]
    pending: Mapped[bool]
    attempts: Mapped[int]
    worker: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    dead_at: Mapped[datetime | None]
    error: Mapped[str | None]
    receipt: Mapped[str | None]
    replaces: Mapped[str | None]


class AuditRow(Base):
    """One link of the audit chain: `hash` covers the row and the link before it."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_actor", "actor", "id"), Index("ix_audit_subject", "subject", "id"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    data: Mapped[dict[str, Any]]
    hash: Mapped[str]


class AuditHeadRow(Base):
    """The single row that says how long the chain is, so that a cut-off tail shows."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    length: Mapped[int] = mapped_column(BigId)
    hash: Mapped[str]
    seal: Mapped[str]


class ModelRow(Base):
    """A trained classifier: its bytes, their keyed digest, and its card."""

    __tablename__ = "models"

    version: Mapped[str] = mapped_column(String, primary_key=True)
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    blob: Mapped[bytes] = mapped_column(LargeBinary)
    digest: Mapped[str]
    card: Mapped[dict[str, Any]]


class PromotionRow(Base):
    """Which model became live, when and why; the last row is the live one."""

    __tablename__ = "promotions"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    version: Mapped[str] = mapped_column(ForeignKey("models.version"))
    at: Mapped[datetime]
    actor: Mapped[str]
    reason: Mapped[str]


class UserRow(Base):
    """A local account."""

    __tablename__ = "users"

    email: Mapped[str] = mapped_column(String, primary_key=True)
    role: Mapped[str]
    password_hash: Mapped[str]
    active: Mapped[bool]
    created_at: Mapped[datetime]


class SessionRow(Base):
    """Somebody signed in on the web: only the SHA-256 of what their cookie holds is kept."""

    __tablename__ = "sessions"
    __table_args__ = (Index("ix_sessions_email", "email"), Index("ix_sessions_age", "created_at"))

    digest: Mapped[str] = mapped_column(String, primary_key=True)
    email: Mapped[str]
    created_at: Mapped[datetime]


class TokenRow(Base):
    """An API token: only its SHA-256 is kept."""

    __tablename__ = "tokens"
    __table_args__ = (UniqueConstraint("digest"),)

    name: Mapped[str] = mapped_column(String, primary_key=True)
    digest: Mapped[str]
    scopes: Mapped[list[Any]]
    created_at: Mapped[datetime]
    active: Mapped[bool]


class SwitchRow(Base):
    """A setting that takes effect at once in every process, such as the automation kill switch."""

    __tablename__ = "switches"

    name: Mapped[str] = mapped_column(String, primary_key=True)
    on: Mapped[bool]
    at: Mapped[datetime]
    actor: Mapped[str]


class ScheduleRow(Base):
    """Periodic work: claimed like an outbox row, so that two workers never run it twice."""

    __tablename__ = "schedules"

    name: Mapped[str] = mapped_column(String, primary_key=True)
    due: Mapped[datetime]


class MarkRow(Base):
    """When something was last seen, such as a line to Slack or somebody's Home."""

    __tablename__ = "marks"

    name: Mapped[str] = mapped_column(String, primary_key=True)
    at: Mapped[datetime]
