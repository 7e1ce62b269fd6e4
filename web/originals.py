"""What a ticket said before masking: asked for with a reason and shown to few; refuses to show it by a link."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, abort, g, render_template, request

from triage import service
from triage.seal import SealError
from triage.store import tickets
from web.auth import permission, product

blueprint = Blueprint("originals", __name__)


@blueprint.get("/t/<ref>/original")
@permission("original:read")
def ask(ref: str) -> str:
    """Show the form that asks for the reason."""
    return render_template("original.html", ref=_visible(ref), person=g.person, text=None, refused="")


@blueprint.post("/t/<ref>/original")
@permission("original:read")
def reveal(ref: str) -> Any:
    """Show the words, once the look is in the audit."""
    ref, text, refused = _visible(ref), None, ""
    try:
        reason = request.form.get("reason", "")
        text = service.reveal(product().services, ref, g.person.email, reason, datetime.now(UTC))
    except service.BadMessageError as error:
        refused = error.reason
    except service.NotFoundError:
        refused = "no original is kept: it was never stored, or its days are over"
    except SealError:
        refused = "no key of this server opens it"
    page = render_template("original.html", ref=ref, person=g.person, text=text, refused=refused)
    return (page, 422) if refused else page


def _visible(ref: str) -> str:
    """Return a ticket's own reference, or 404 for one that this person may not know of."""
    ticket_id = tickets.id_of(ref)
    row = None
    if ticket_id is not None:
        row = product().services.transactions.read(lambda conn: tickets.get(conn, ticket_id))
    if row is None or (row.restricted and not g.person.may("security:read")):
        abort(404)
    return tickets.ref_of(row.id)
