"""Owns synthetic tickets for demos and load tests: each text is judged once, then stored in bulk; refuses real data."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from triage import service
from triage.store import tickets
from triage.ticket import Status

OPEN_SHARE = 0.02
REQUESTERS = 3000
UNITS = ("4 West", "5 East", "ICU", "Emergency", "Pharmacy", "Lab", "Imaging", "Registration", "Clinic B", "Maternity")
BATCH = 5000


def seed(services: service.Services, texts: Sequence[str], count: int, number: int, now: datetime) -> None:
    """Store `count` tickets drawn from `texts`, two in a hundred open, spread over the last year."""
    chance = random.Random(number)  # noqa: S311 - synthetic tickets, not secrets
    judged = [_columns(services, text, now) for text in chance.sample(list(texts), min(len(texts), count, 1000))]
    rows = _rows(chance, judged, count, number, now)
    while batch := [row for _, row in zip(range(BATCH), rows, strict=False)]:
        services.transactions.write(partial(tickets.add_many, rows=batch))


def _columns(services: service.Services, text: str, now: datetime) -> dict[str, Any]:
    ticket, _, decision = service.judge(services, text, None, now)
    return {
        "text": ticket.text,
        "language": ticket.language,
        "route": decision.route.value,
        "category": decision.category,
        "confidence": decision.confidence,
        "priority": decision.priority.value,
        "team": decision.team,
        "action": decision.action,
        "article": decision.article,
        "restricted": decision.restricted,
    }


def _rows(
    chance: random.Random, judged: list[dict[str, Any]], count: int, number: int, now: datetime
) -> Iterator[dict[str, Any]]:
    for i in range(count):
        is_open = chance.random() < OPEN_SHARE
        received = now - timedelta(minutes=chance.randrange(1, 60 * 24 * 365))
        yield {
            **chance.choice(judged),
            "channel": "seed",
            "external_id": f"{number}-{now.timestamp():.0f}-{i}",
            "requester": f"person{chance.randrange(REQUESTERS)}@example.org",
            "unit": chance.choice(UNITS),
            "device": "",
            "spans": [],
            "impact": {"affects_care": None, "other_device": None, "whole_unit": None},
            "withheld": False,
            "truncated": False,
            "received_at": received,
            "status": (Status.OPEN if is_open else Status.CLOSED).value,
            "is_open": is_open,
            "respond_by": received + timedelta(hours=4),
            "resolve_by": received + timedelta(hours=24),
            # Synthetic tickets are old: nobody is to be woken for them.
            "answered_at": received,
            "escalated": 0,
            "version": 2,
        }
