"""What people see of a ticket follows each change of it, in place of what they saw before; refuses to change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from triage import followups, notices
from triage.notices import Standing
from triage.service.shared import Services, as_work
from triage.store import decisions, marks, outbox, tickets
from triage.ticket import Notice, Priority, Reason, Route, Status

_VERDICTS = ("confirmed_fixed", "resolved", "reopened")  # who said last whether it is solved
_SINCE = {"not_fixed": Reason("fix_failed"), "continued": Reason("more_to_say")}
HOMES_KEPT = timedelta(days=90)  # a Home that nobody opened for so long is not drawn anew


def tell(conn: Connection, told: Sequence[Notice], now: datetime) -> None:
    """Queue notices, but for those to nobody: a ticket may have no reporter."""
    outbox.enqueue(conn, [as_work(notice) for notice in told if notice.to != "requester:"], now)


def team_of(services: Services, row: Row[Any]) -> str:
    """Return the team that has a ticket, the one that reads what is not yet decided included."""
    return row.team if row.team in services.policy.teams else services.policy.review_team


def to_team(services: Services, row: Row[Any]) -> dict[str, Any]:
    """Return where the team of a ticket reads what is said of it: its channel, its card, how pressing it is."""
    channel = services.policy.teams[team_of(services, row)].slack_channel
    return {"channel": channel, "under": row.card, "priority": Priority(row.priority or Priority.P3)}


def show_card(conn: Connection, services: Services, ticket_id: int, now: datetime) -> None:
    """Queue a ticket's card as it stands now: in place of the old one, or as the first that its team sees."""
    row = _row(conn, ticket_id)
    ticket, standing = tickets.to_ticket(row), standing_of(conn, services, row)
    if row.card:
        key = f"{row.card}:{row.version}"
        tell(conn, [notices.card(ticket, standing, services.policy, key=key, replaces=row.card)], now)
    else:
        key = f"{ticket.ref}:card:{row.version}"
        tickets.set_card(conn, ticket_id, key)
        tell(conn, [notices.card(ticket, standing, services.policy, key=key)], now)


def show_answer(conn: Connection, services: Services, ticket_id: int, now: datetime) -> None:
    """Queue the reporter's answer as it stands now, in place of the old one."""
    row = _row(conn, ticket_id)
    ticket, standing = tickets.to_ticket(row), standing_of(conn, services, row)
    first = f"{ticket.ref}:answer"
    key = f"{first}:{row.version}"
    tell(conn, [notices.answer(ticket, standing, services.policy, services.knowledge, key=key, replaces=first)], now)


def show_solution(conn: Connection, ticket_id: int, now: datetime) -> bool:
    """Queue what the reporter heard of the last solution once more, in its place; False when they heard of none."""
    row = _row(conn, ticket_id)
    last = next(
        (e for e in reversed(tickets.events(conn, ticket_id)) if e.kind in ("resolved", "confirmed_fixed")), None
    )
    if last is None or last.kind != "resolved":
        return False
    told = followups.resolved(tickets.to_ticket(row), last.data["note"], turn=last.data["turn"])
    tell(conn, [replace(told, key=f"{told.key}:{row.version}", replaces=told.key)], now)
    return True


def show_home(conn: Connection, row: Row[Any], now: datetime) -> None:
    """Queue the reporter's Home, if they ever look at it."""
    opened = marks.last_seen(conn, f"home:{row.requester}")
    if opened and now - opened < HOMES_KEPT:
        tell(conn, [followups.home(row.requester, tickets.ref_of(row.id), turn=row.version)], now)


def show(conn: Connection, services: Services, ticket_id: int, now: datetime) -> None:
    """Queue all that shows a ticket: card, answer and Home; what was settled before a team saw it gets no card."""
    row = _row(conn, ticket_id)
    if row.card or row.is_open:
        show_card(conn, services, ticket_id, now)
    show_answer(conn, services, ticket_id, now)
    show_home(conn, _row(conn, ticket_id), now)


def standing_of(conn: Connection, services: Services, row: Row[Any]) -> Standing:
    """Return where a ticket stands now."""
    decided = decisions.last_decision(conn, row.id)
    timeline = [event.kind for event in tickets.events(conn, row.id)]
    verdicts = [kind for kind in timeline if kind in _VERDICTS]
    reasons = [Reason(*pair) for pair in decided.reasons] if decided else []
    reasons += [_SINCE[kind] for kind in dict.fromkeys(timeline) if kind in _SINCE]
    return Standing(
        route=Route.QUEUE if row.route == Route.AUTO_RESOLVE and row.card else Route(row.route or Route.HUMAN_REVIEW),
        category=row.category,
        priority=Priority(row.priority or Priority.P3),
        team=team_of(services, row),
        restricted=row.restricted,
        article=row.article or "",
        incident=f"INC-{row.incident_id}" if row.incident_id else "",
        reasons=tuple(reasons),
        respond_by=row.respond_by,
        status=Status(row.status),
        assignee=row.assignee,
        confirmed=verdicts[-1:] == ["confirmed_fixed"],
    )


def _row(conn: Connection, ticket_id: int) -> Row[Any]:
    row = tickets.get(conn, ticket_id)
    if row is None:
        raise LookupError(f"there is no ticket {ticket_id}")
    return row
