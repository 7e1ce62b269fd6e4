"""What anyone who is signed in can do without Slack: report a problem in a plain form, and see their own tickets."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for

from triage import notices, service
from triage.store import tickets
from triage.ticket import ClinicalImpact, Message
from web.auth import permission, product

blueprint = Blueprint("reporting", __name__)

SHOWN = 50
FIELDS = ("text", "unit", "device", "care")


@blueprint.get("/new")
@permission("tickets:report")
def form() -> str:
    """Show the empty form; its key makes sending it twice one ticket."""
    return render_template("new.html", person=g.person, typed={"key": secrets.token_urlsafe(16)}, faults={})


@blueprint.post("/new")
@permission("tickets:report")
def send() -> Any:
    """File what was typed; what does not fit is said beside it, and nothing typed is lost."""
    typed = {name: request.form.get(name, "").strip() for name in (*FIELDS, "key")}
    care = {"yes": True, "no": False}.get(typed["care"])
    message = Message(
        raw_text=typed["text"],
        channel="web",
        external_id=f"{g.person.email}:{typed['key'][:64] or secrets.token_urlsafe(16)}",
        requester=g.person.email,
        unit=typed["unit"],
        device=typed["device"],
        impact=ClinicalImpact(affects_care=care),
    )
    try:
        filed = service.receive(product().services, message, datetime.now(UTC))
    except service.BadMessageError as error:
        faults = {error.field: error.reason}
        return render_template("new.html", person=g.person, typed=typed, faults=faults), 400
    return redirect(url_for("reporting.mine", filed=filed.ticket.ref), 303)


@blueprint.get("/my")
@permission("tickets:report")
def mine() -> str:
    """List somebody's own tickets, newest first, with what comes next."""
    policy = product().services.policy
    own = partial(tickets.page, filters={"requester": g.person.email}, see_restricted=True, limit=SHOWN)
    rows = product().services.transactions.read(own).rows
    listed = [
        {
            "ref": tickets.ref_of(row.id),
            "subject": notices.subject(row.text),
            "state": _state(row, policy),
            "received": row.received_at,
        }
        for row in rows
    ]
    filed = request.args.get("filed", "")
    told = next((row for row in listed if row["ref"] == filed), None)
    return render_template("my.html", person=g.person, rows=listed, told=told, zone=policy.zone)


def _state(row: Any, policy: Any) -> str:
    team = policy.teams[row.team if row.team in policy.teams else policy.review_team].label.en
    if not row.is_open:
        return "solved"
    if row.status == "waiting":
        return "waits for your word"
    if row.assignee:
        return f"somebody of {team} is looking at it"
    return f"{team} has it, answer by {notices.moment(row.respond_by, policy, 'en')}"
