"""Owns what somebody's Home shows: their tickets with the next step, and outages near them; refuses others' tickets."""

from __future__ import annotations

from typing import Any

from bot import blocks
from bot.words import say
from triage.commit import Transactions
from triage.notices import moment, subject
from triage.policy import Policy
from triage.store import incidents, tickets

OPEN_SHOWN, SOLVED_SHOWN, OUTAGES_SHOWN = 40, 5, 10


def draw(transactions: Transactions, policy: Policy, email: str, language: str) -> dict[str, Any]:
    """Return somebody's Home as it should look now."""

    def look(conn: Any) -> tuple[Any, Any]:
        mine = tickets.page(conn, filters={"requester": email}, see_restricted=True, limit=tickets.MAX_PAGE).rows
        return mine, incidents.open_incidents(conn)

    rows, outages = transactions.read(look)
    units = {row.unit for row in rows if row.unit}
    near = [one for one in outages if not one.unit or one.unit in units]
    return blocks.home(
        [_outage(policy, one, language) for one in near[:OUTAGES_SHOWN]],
        [_ticket(policy, row, language) for row in rows if row.is_open][:OPEN_SHOWN],
        [_ticket(policy, row, language) for row in rows if not row.is_open][:SOLVED_SHOWN],
        language,
    )


def _outage(policy: Policy, incident: Any, language: str) -> str:
    what = policy.categories[incident.category].label.in_(language)
    where = " ".join(filter(None, (incident.unit, incident.device))) or say("home_everywhere", language)
    since = moment(incident.opened_at, policy, language)
    return say("home_outage", language, what=what, where=where, since=since)


def _ticket(policy: Policy, row: Any, language: str) -> dict[str, str]:
    return {"ref": tickets.ref_of(row.id), "subject": subject(row.text), "state": _state(policy, row, language)}


def _state(policy: Policy, row: Any, language: str) -> str:
    """Return where an open ticket stands and what comes next, "" for a closed one."""
    if not row.is_open:
        return ""
    team = policy.teams[row.team if row.team in policy.teams else policy.review_team].label.in_(language)
    name = "taken" if row.assignee and row.status == "open" else row.status
    return say(f"state_{name}", language, team=team, by=moment(row.respond_by, policy, language))
