"""Owns what time alone makes necessary: the rungs of the escalation ladder; pure, refuses clock and database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from triage.hours import due
from triage.policy import Policy
from triage.ticket import Priority

CLIMBING = frozenset({Priority.P1, Priority.P2})  # less pressing tickets wait for their SLA, not for a lead


@dataclass(frozen=True, slots=True)
class Waiting:
    """A ticket that nobody has answered; `escalated` counts the rungs already climbed."""

    id: int
    team: str
    priority: Priority
    received_at: datetime
    escalated: int


@dataclass(frozen=True, slots=True)
class Climb:
    """One rung that a ticket must climb now."""

    ticket: Waiting
    step: int
    channel: str
    minutes: int


def overdue(tickets: Iterable[Waiting], now: datetime, policy: Policy) -> Iterator[Climb]:
    """Yield the next due rung of each ticket's team ladder, one per ticket and call.

    Minutes count on the team's calendar. Only the next rung is returned even when
    several are due, so that after a night's outage nobody is called out of order.
    """
    for ticket in tickets:
        team = policy.teams.get(ticket.team)
        if team is None or ticket.escalated >= len(team.escalation):
            continue
        if ticket.priority not in CLIMBING and not team.restricted:
            continue
        step = team.escalation[ticket.escalated]
        if due(ticket.received_at, step.after_minutes, policy.calendar_of(ticket.team), policy.zone) <= now:
            yield Climb(ticket, ticket.escalated + 1, step.channel, step.after_minutes)
