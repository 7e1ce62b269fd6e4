"""One ticket: what it says, why it was decided so, what happened, and everything IT can do with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, abort, g, redirect, render_template, request, url_for

from triage import notices, service
from triage.store import decisions, tickets
from triage.ticket import Reason
from web.auth import looked, permission, product

blueprint = Blueprint("ticket", __name__)

Act = Callable[[str, str], None]  # ref, who


@blueprint.get("/t/<ref>")
@permission("queue:read")
def show(ref: str) -> str:
    """Show a ticket; a security ticket does not exist for those who may not see it."""
    page = _page(ref)
    looked(g.person.email, "view_ticket", [page["ref"]])
    return render_template("ticket.html", **page)


@blueprint.post("/t/<ref>/<act>")
@permission("tickets:work")
def do(ref: str, act: str) -> Any:
    """Do one thing with a ticket as it was shown; one that changed since is shown again, with the words kept."""
    page = _page(ref)
    if act not in _ACTS:
        abort(404)
    if request.form.get("version") != str(page["version"]):
        return _again(page, f"{page['changed_by']} changed this ticket meanwhile. Please look again.", 409)
    try:
        _ACTS[act](page["ref"], g.person.email)
    except service.ConflictError as error:
        return _again(_page(ref), f"{error}.", 409)
    except service.BadMessageError as error:
        return _again(page, f"{error.field.capitalize()} {error.reason}.", 400)
    return redirect(url_for("ticket.show", ref=page["ref"]), 303)


def _again(page: dict[str, Any], said: str, code: int) -> tuple[str, int]:
    kept = {name: request.form.get(name, "") for name in ("text", "note", "resolution")}
    return render_template("ticket.html", **(page | {"said": said, "kept": kept})), code


def _claim(ref: str, who: str) -> None:
    service.claim(product().services, ref, who, _now())


def _reply(ref: str, who: str) -> None:
    asks = bool(request.form.get("asks"))
    service.reply(product().services, ref, who, request.form.get("text", ""), _now(), asks=asks)


def _note(ref: str, who: str) -> None:
    service.add_note(product().services, ref, who, request.form.get("note", ""), _now())


def _resolve(ref: str, who: str) -> None:
    service.resolve(product().services, ref, who, request.form.get("resolution", ""), _now())


def _reopen(ref: str, who: str) -> None:
    service.reopen(product().services, ref, who, _now())


def _correct(ref: str, who: str) -> None:
    learn = bool(request.form.get("learn"))
    service.correct(product().services, ref, request.form.get("category", ""), who, _now(), learn=learn)


def _hand_over(ref: str, who: str) -> None:
    service.hand_over(product().services, ref, request.form.get("team", ""), who, _now())


_ACTS: dict[str, Act] = {
    "claim": _claim,
    "reply": _reply,
    "note": _note,
    "resolve": _resolve,
    "reopen": _reopen,
    "correct": _correct,
    "hand-over": _hand_over,
}


def _page(ref: str) -> dict[str, Any]:
    """Return all that the page shows. Answers 404 for no ticket, and for one that this person may not see."""
    ticket_id, policy = tickets.id_of(ref), product().services.policy

    def look(conn: Any) -> tuple[Any, Any, Any]:
        row = tickets.get(conn, ticket_id) if ticket_id is not None else None
        if row is None:
            return None, None, ()
        return row, decisions.last_decision(conn, row.id), tickets.events(conn, row.id)

    row, decided, timeline = product().services.transactions.read(look)
    if row is None or (row.restricted and not g.person.may("security:read")):
        abort(404)
    team = policy.teams.get(row.team)
    return {
        "ref": tickets.ref_of(row.id),
        "row": row,
        "version": row.version,
        "subject": notices.subject(row.text),
        "category": policy.categories[row.category].label.en if row.category in policy.categories else "",
        "team": team.label.en if team else "-",
        "reasons": [notices.sentence(Reason(*pair)) for pair in decided.reasons] if decided else [],
        "top": [(policy.categories[slug].label.en, p) for slug, p in decided.top if slug in policy.categories]
        if decided
        else [],
        "words": decided.words if decided else [],
        "model": decided.model_version if decided else "",
        "timeline": [
            {"at": e.at, "who": e.actor, "what": _KINDS.get(e.kind, e.kind), "said": _said(e)} for e in timeline
        ],
        "changed_by": timeline[-1].actor if timeline else "Somebody",
        "categories": {slug: one.label.en for slug, one in policy.categories.items()},
        "teams": {slug: one.label.en for slug, one in policy.teams.items()},
        "zone": policy.zone,
        "person": g.person,
        "works": g.person.may("tickets:work"),
        "kept": {},
    }


def _said(event: Any) -> str:
    """Return the masked words of an event, or where it moved the ticket to."""
    data = event.data
    if event.kind == "handed_over":
        return f"{data['was']} → {data['team']}"
    if event.kind == "corrected":
        return f"{data['was'] or '?'} → {data['label']}"
    return str(data.get("text") or data.get("note") or data.get("rating") or "")


def _now() -> datetime:
    return datetime.now(UTC)


_KINDS = {
    "filed": "wrote to IT",
    "decided": "sorted it",
    "claimed": "took it",
    "said": "added",
    "asked": "asked the reporter",
    "replied": "answered the reporter",
    "noted": "noted, for IT alone",
    "resolved": "resolved it",
    "confirmed_fixed": "confirmed the fix",
    "not_fixed": "said that the fix did not help",
    "continued": "had more to say than yes or no",
    "answered": "answered the question",
    "reopened": "opened it again",
    "corrected": "corrected the category",
    "handed_over": "handed it over",
    "affected": "said who is affected",
    "escalated": "called for help",
    "deleted": "deleted the message",
    "rated": "rated the help",
    "mended": "hid what the masker had missed",
    "hold": "put it under legal hold",
    "release": "lifted the legal hold",
}
