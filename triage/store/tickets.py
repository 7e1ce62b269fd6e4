"""Owns tickets and their timeline; refuses to decide and to commit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, insert, or_, select, update

from triage.store.dialect import insert_new
from triage.store.tables import EventRow, TicketRow
from triage.ticket import ClinicalImpact, Masked, Message, Route, Status, Ticket

REF_PREFIX = "IT-"
MAX_PAGE = 200
_TABLE = TicketRow.__table__


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that is ready to be stored: masked, cleaned and cut to size."""

    message: Message
    masked: Masked
    language: str
    at: datetime
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Filed:
    """A stored ticket and whether this very call stored it."""

    id: int
    ticket: Ticket
    created: bool
    triaged: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list and the cursor of the next ones, None at the end."""

    rows: Sequence[Row[Any]]
    next: int | None


def ref_of(ticket_id: int) -> str:
    """Return the reference people use."""
    return f"{REF_PREFIX}{ticket_id}"


def id_of(ref: str) -> int | None:
    """Return the id behind a reference, or None when it is not one."""
    digits = ref.upper().removeprefix(REF_PREFIX)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 15 else None


def add(conn: Connection, arrivals: Sequence[Arrival]) -> list[Filed]:
    """Store messages as tickets, once per channel and external id; a known id gives back the first ticket.

    One statement for the tickets and one for their events, however many there are.
    """
    new = insert_new(conn, TicketRow, ["channel", "external_id"])
    inserted = conn.execute(
        new.returning(TicketRow.id, TicketRow.channel, TicketRow.external_id), [_new_row(one) for one in arrivals]
    )
    # The statement may return its rows in any order: the channel's own id tells whose they are.
    ids = {(channel, external_id): ticket_id for ticket_id, channel, external_id in inserted}
    filed, timeline = [], []
    for one in arrivals:
        ticket_id = ids.pop((one.message.channel, one.message.external_id), None)
        if ticket_id is None:
            filed.append(_first(conn, one.message))
        else:
            filed.append(Filed(ticket_id, _arrived(ticket_id, one), created=True, triaged=False))
            data = {"channel": one.message.channel, "truncated": one.truncated}
            timeline.append(_event(ticket_id, one.at, "filed", one.message.requester, data))
    if timeline:
        conn.execute(insert(EventRow), timeline)
    return filed


def _new_row(arrival: Arrival) -> dict[str, Any]:
    message, masked = arrival.message, arrival.masked
    return {
        "channel": message.channel,
        "external_id": message.external_id,
        "requester": message.requester,
        "unit": message.unit,
        "device": message.device,
        "language": arrival.language,
        "text": masked.text,
        "spans": [[span.start, span.end, span.type] for span in masked.spans],
        "impact": asdict(message.impact),
        "withheld": masked.failed,
        "truncated": arrival.truncated,
        "received_at": arrival.at,
        "status": Status.NEW.value,
        "is_open": True,
        "restricted": False,
        "escalated": 0,
        "version": 1,
    }


def _arrived(ticket_id: int, arrival: Arrival) -> Ticket:
    message = arrival.message
    return Ticket(
        ref=ref_of(ticket_id),
        text=arrival.masked.text,
        channel=message.channel,
        received_at=arrival.at,
        requester=message.requester,
        unit=message.unit,
        device=message.device,
        language=arrival.language,
        impact=message.impact,
        withheld=arrival.masked.failed,
        truncated=arrival.truncated,
        hidden=_kinds(span.type for span in arrival.masked.spans),
    )


def _first(conn: Connection, message: Message) -> Filed:
    """Return the ticket that a message with this channel and external id became before."""
    known = and_(TicketRow.channel == message.channel, TicketRow.external_id == message.external_id)
    first = conn.execute(select(_TABLE).where(known)).one()
    return Filed(first.id, to_ticket(first), created=False, triaged=first.status != Status.NEW)


def add_many(conn: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Store finished rows in bulk, without events: for synthetic tickets only."""
    conn.execute(insert(TicketRow), rows)


def to_ticket(row: Row[Any]) -> Ticket:
    """Turn a row into the noun."""
    return Ticket(
        ref=ref_of(row.id),
        text=row.text,
        channel=row.channel,
        received_at=row.received_at,
        requester=row.requester,
        unit=row.unit,
        device=row.device,
        language=row.language,
        impact=ClinicalImpact(**row.impact),
        withheld=row.withheld,
        truncated=row.truncated,
        hidden=_kinds(kind for _, _, kind in row.spans),
    )


def _kinds(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(found)))


def get(conn: Connection, ticket_id: int) -> Row[Any] | None:
    """Return one ticket's row, or None."""
    return conn.execute(select(_TABLE).where(TicketRow.id == ticket_id)).first()


def offers_fix(row: Row[Any]) -> bool:
    """Tell whether a ticket waits for its reporter's word on a guided fix, and no team has seen it yet."""
    return bool(row.route == Route.AUTO_RESOLVE and row.status == Status.WAITING and not row.card)


def ref_said_as(conn: Connection, channel: str, external_id: str) -> str | None:
    """Return the ticket that a message of a channel became."""
    known = and_(TicketRow.channel == channel, TicketRow.external_id == external_id)
    found = conn.execute(select(TicketRow.id).where(known)).scalar()
    return None if found is None else ref_of(found)


def add_event(conn: Connection, ticket_id: int, at: datetime, kind: str, actor: str, data: dict[str, Any]) -> None:
    """Append to a ticket's timeline."""
    conn.execute(insert(EventRow), _event(ticket_id, at, kind, actor, data))


def _event(ticket_id: int, at: datetime, kind: str, actor: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"ticket_id": ticket_id, "at": at, "kind": kind, "actor": actor, "data": data}


def events(conn: Connection, ticket_id: int) -> Sequence[Row[Any]]:
    """Return a ticket's timeline, oldest first."""
    return conn.execute(select(EventRow.__table__).where(EventRow.ticket_id == ticket_id).order_by(EventRow.id)).all()


def untriaged(conn: Connection, before: datetime, limit: int = 100) -> Sequence[Row[Any]]:
    """Return tickets that a crash left without a decision, oldest first."""
    left = and_(TicketRow.status == Status.NEW.value, TicketRow.received_at < before)
    return conn.execute(select(_TABLE).where(left).order_by(TicketRow.id).limit(limit)).all()


def count_untriaged(conn: Connection) -> int:
    """Return how many tickets wait for a decision: none but the newest, or something is wrong."""
    return conn.execute(select(func.count()).where(TicketRow.status == Status.NEW.value)).scalar_one()


def recent_alike(conn: Connection, ticket: Ticket, category: str, since: datetime) -> int:
    """Count other people's open tickets of the category about the same device or unit since a time."""
    same = [getattr(TicketRow, name) == value for name in ("device", "unit") if (value := getattr(ticket, name))]
    if not same:
        return 0
    alike = and_(TicketRow.category == category, TicketRow.received_at >= since, TicketRow.is_open, or_(*same))
    rows = conn.execute(select(TicketRow.id, TicketRow.requester).where(alike).limit(100)).all()
    others = {row.requester or row.id for row in rows if ref_of(row.id) != ticket.ref}
    return len(others - {ticket.requester})


def page(
    conn: Connection,
    *,
    filters: dict[str, str],
    see_restricted: bool,
    cursor: int | None = None,
    limit: int = 25,
) -> Page:
    """Return tickets newest first, by exact `filters` (column name to value) and below `cursor`."""
    query: Select[Any] = select(_TABLE).order_by(TicketRow.id.desc()).limit(min(limit, MAX_PAGE) + 1)
    for name, value in filters.items():
        query = query.where(getattr(TicketRow, name) == value)
    if not see_restricted:
        query = query.where(TicketRow.restricted.is_(False))
    if cursor is not None:
        query = query.where(TicketRow.id < cursor)
    rows = conn.execute(query).all()
    more = len(rows) > min(limit, MAX_PAGE)
    rows = rows[: min(limit, MAX_PAGE)]
    return Page(rows, rows[-1].id if more else None)


def worklist(conn: Connection, *, see_restricted: bool, limit: int = 50) -> Sequence[Row[Any]]:
    """Return open tickets, most pressing first."""
    query = select(_TABLE).where(TicketRow.is_open)
    if not see_restricted:
        query = query.where(TicketRow.restricted.is_(False))
    order = (TicketRow.priority.asc().nulls_first(), TicketRow.resolve_by, TicketRow.id)
    return conn.execute(query.order_by(*order).limit(limit)).all()


def waiting_for_answer(conn: Connection, limit: int = 10_000) -> Sequence[Row[Any]]:
    """Return open, decided tickets that nobody has answered yet, most pressing and oldest promise first."""
    waiting = and_(TicketRow.is_open, TicketRow.status == Status.OPEN.value, TicketRow.answered_at.is_(None))
    return conn.execute(
        select(_TABLE).where(waiting).order_by(TicketRow.priority, TicketRow.respond_by).limit(limit)
    ).all()


def set_escalated(conn: Connection, ticket_id: int, was: int, step: int) -> bool:
    """Remember how far up the ladder a ticket has climbed; False when another worker was quicker."""
    mine = and_(TicketRow.id == ticket_id, TicketRow.escalated == was)
    return conn.execute(update(TicketRow).where(mine).values(escalated=step)).rowcount == 1


def set_status(conn: Connection, ticket_id: int, status: Status, allowed: Sequence[Status], **more: Any) -> bool:
    """Move a ticket from one of the `allowed` states; False when it is in none of them."""
    mine = and_(TicketRow.id == ticket_id, TicketRow.status.in_([s.value for s in allowed]))
    still_open = status not in (Status.RESOLVED, Status.CLOSED)
    values = {"status": status.value, "is_open": still_open, "version": TicketRow.version + 1, **more}
    return conn.execute(update(TicketRow).where(mine).values(**values)).rowcount == 1


def set_card(conn: Connection, ticket_id: int, key: str) -> None:
    """Note which notice is a ticket's card."""
    conn.execute(update(TicketRow).where(TicketRow.id == ticket_id).values(card=key))


def set_impact(conn: Connection, ticket_id: int, impact: dict[str, Any]) -> None:
    """Note what the reporter says of those affected."""
    conn.execute(update(TicketRow).where(TicketRow.id == ticket_id).values(impact=impact))


def touch(conn: Connection, ticket_id: int) -> None:
    """Count a change that no column shows."""
    conn.execute(update(TicketRow).where(TicketRow.id == ticket_id).values(version=TicketRow.version + 1))


def is_rated(conn: Connection, ticket_id: int) -> bool:
    """Tell whether the reporter has said how content they are since the ticket was solved last."""
    kinds = [event.kind for event in events(conn, ticket_id) if event.kind in ("rated", "reopened")]
    return kinds[-1:] == ["rated"]


def is_said(conn: Connection, ticket_id: int, said_as: str) -> bool:
    """Tell whether words with this id of their sender's are in the timeline already."""
    return any(event.data.get("said_as") == said_as for event in events(conn, ticket_id))
