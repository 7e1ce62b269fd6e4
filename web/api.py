"""The HTTP API: parse the request, call the service, translate the answer; decides nothing."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, jsonify, request, url_for

from triage import service
from triage.store import people, tickets
from triage.ticket import LANGUAGES, Message, Priority, Route, Status
from web.auth import looked, permission, product

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")

FIELDS = ("text", "requester", "external_id", "unit", "device", "language")
FILTERS = {
    "status": {status.value for status in Status},
    "route": {route.value for route in Route},
    "priority": {priority.value for priority in Priority},
    "category": None,
    "team": None,
    "requester": None,
    "unit": None,
    "device": None,
}


class Refusal(Exception):  # noqa: N818 - reads as what it is: an answer, not a crash
    """A request that cannot be served, and what to tell the client."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message} | ({"field": field} if field else {})


@blueprint.errorhandler(Refusal)
def _refused(refusal: Refusal) -> Any:
    return jsonify({"error": refusal.body}), refusal.status


@blueprint.post("/tickets")
@permission("token")
def create() -> Any:
    """File a ticket: 201, or 200 with the first one when the external id is known."""
    token = _token("tickets:write")
    body = _body()
    message = Message(
        raw_text=body["text"],
        # Ids are the sender's own: two systems may both have a ticket "17".
        channel=f"api:{token.name}"[:40],
        external_id=body.get("external_id") or secrets.token_hex(16),
        requester=body["requester"],
        unit=body.get("unit") or "",
        device=body.get("device") or "",
        language=body.get("language") or None,
    )
    services = product().services
    try:
        filed = service.receive(services, message, datetime.now(UTC))
    except service.BadMessageError as error:
        raise Refusal(422, "invalid", error.reason, error.field) from None
    answer = _public(service.summary(services, filed.id))
    return jsonify(answer), 201 if filed.created else 200


@blueprint.get("/tickets/<ref>")
@permission("token")
def show(ref: str) -> Any:
    """Return one ticket; a security ticket exists only for tokens that may read it."""
    token = _token("tickets:read")
    ticket_id = tickets.id_of(ref)
    try:
        found = service.summary(product().services, ticket_id) if ticket_id is not None else None
    except service.NotFoundError:
        found = None
    if found is None or (found["restricted"] and "security:read" not in token.scopes):
        raise Refusal(404, "not_found", "There is no such ticket.")
    looked(f"token:{token.name}", "view_ticket", [found["ref"]])
    return jsonify(_public(found))


@blueprint.get("/tickets")
@permission("token")
def index() -> Any:
    """List tickets, newest first, by cursor."""
    token = _token("tickets:read")
    filters = {}
    for name, value in request.args.items():
        if name in ("cursor", "limit"):
            continue
        if name not in FILTERS:
            raise Refusal(400, "unknown_filter", f"There is no filter {name[:40]!r}.", name[:40])
        allowed = FILTERS[name]
        if allowed is not None and value not in allowed:
            raise Refusal(400, "invalid", f"must be one of {', '.join(sorted(allowed))}", name)
        if "\x00" in value:
            raise Refusal(400, "invalid", "must not hold a NUL", name)
        filters[name] = value
    cursor, limit = _number("cursor"), _number("limit") or 25
    see = "security:read" in token.scopes
    page = product().services.transactions.read(
        lambda conn: tickets.page(conn, filters=filters, see_restricted=see, cursor=cursor, limit=limit)
    )
    listed = [_row(row) for row in page.rows]
    looked(f"token:{token.name}", "list_tickets", [row["ref"] for row in listed], filters=sorted(filters))
    return jsonify({"tickets": listed, "next": str(page.next) if page.next else None})


def _token(scope: str) -> Any:
    """Return the request's token, or refuse: 401 without one, 403 without the scope."""
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    found = None
    if kind.lower() == "bearer" and secret:
        found = product().services.transactions.read(lambda conn: people.token(conn, secret.strip()))
    if found is None:
        raise Refusal(401, "unauthorized", "A valid API token is needed: Authorization: Bearer <token>.")
    if scope not in found.scopes:
        raise Refusal(403, "forbidden", f"This token lacks the scope {scope}.")
    return found


def _body() -> dict[str, Any]:
    """Return the JSON body, checked: only known fields, all strings, text and requester present."""
    body = _json_object()
    for name, value in body.items():
        if name not in FIELDS:
            raise Refusal(422, "invalid", "unknown field", name[:40])
        if value is not None and not isinstance(value, str):
            raise Refusal(422, "invalid", "must be a string", name)
    for name in ("text", "requester"):
        if not body.get(name):
            raise Refusal(422, "invalid", "is needed", name)
    if body.get("language") and body["language"] not in LANGUAGES:
        raise Refusal(422, "invalid", f"must be one of {', '.join(LANGUAGES)}", "language")
    return body


def _json_object() -> dict[str, Any]:
    try:
        body = request.get_json(silent=True)
    except RecursionError:  # nested without end
        body = None
    if not isinstance(body, dict):
        raise Refusal(400, "invalid_json", "The body must be a JSON object.")
    return body


def _number(name: str) -> int | None:
    value = request.args.get(name)
    if value is None or value == "":
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 15 and int(value) > 0):
        raise Refusal(400, "invalid", "must be a positive number", name)
    return int(value)


def _row(row: Any) -> dict[str, Any]:
    names = ("status", "route", "category", "priority", "team", "text", "language", "requester", "unit", "device")
    times = {
        name: value.isoformat(timespec="seconds") if (value := getattr(row, name)) else None
        for name in ("received_at", "respond_by", "resolve_by")
    }
    ref = tickets.ref_of(row.id)
    return {"ref": ref, **{name: getattr(row, name) for name in names}, **times, "confidence": row.confidence}


def _public(found: dict[str, Any]) -> dict[str, Any]:
    """Add the address, and drop what only the product itself needs."""
    url = url_for("api.show", ref=found["ref"], _external=True)
    return {**{k: v for k, v in found.items() if k != "restricted"}, "url": url}
