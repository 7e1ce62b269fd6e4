"""The plain queue: open tickets, most pressing first; refuses to change any."""

from __future__ import annotations

from flask import Blueprint, g, render_template

from triage import notices
from triage.store import tickets
from web.auth import looked, permission, product

blueprint = Blueprint("queue", __name__)

ROWS = 50


@blueprint.get("/")
@permission("queue:read")
def index() -> str:
    """List what is open; security tickets only for those who may see them."""
    see = g.person.may("security:read")
    rows = product().services.transactions.read(lambda conn: tickets.worklist(conn, see_restricted=see, limit=ROWS))
    policy = product().services.policy
    listed = [
        {
            "ref": tickets.ref_of(row.id),
            "priority": row.priority or "-",
            "subject": notices.subject(row.text),
            "category": policy.categories[row.category].label.en if row.category in policy.categories else None,
            "confidence": row.confidence or 0.0,
            "route": row.route or "new",
            "team": policy.teams[row.team].label.en if row.team in policy.teams else "-",
            "where": " ".join(filter(None, (row.unit, row.device))),
            "received": row.received_at,
            "respond_by": row.respond_by,
        }
        for row in rows
    ]
    looked(g.person.email, "list_tickets", [row["ref"] for row in listed])
    return render_template("queue.html", rows=listed, zone=policy.zone, person=g.person, limit=ROWS)
