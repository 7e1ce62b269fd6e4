"""Owns which tickets belong to one outage; pure, refuses to store or to tell anyone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from triage.policy import SECURITY_CATEGORY
from triage.ticket import Ticket


@dataclass(frozen=True, slots=True)
class Incident:
    """An open outage: what is down and where; empty `unit` and `device` mean the whole site."""

    id: int
    category: str
    unit: str
    device: str


def known(ticket: Ticket, category: str | None, incidents: Iterable[Incident]) -> Incident | None:
    """Return the open incident that `ticket` reports again, the most specific first.

    A device says more than a unit, a unit more than a whole site. Security tickets
    never join an incident: each stays visible to security alone.
    """
    if category is None or category == SECURITY_CATEGORY:
        return None
    ranked = [(rank, i) for i in incidents if i.category == category and (rank := _closeness(ticket, i))]
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else None


def _closeness(ticket: Ticket, incident: Incident) -> int:
    if incident.device:
        return 3 if incident.device == ticket.device else 0
    if incident.unit:
        return 2 if incident.unit == ticket.unit else 0
    return 1
