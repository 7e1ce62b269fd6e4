"""Owns who may do what over HTTP: one permission per route, denied by default; refuses to know pages."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from flask import Blueprint, abort, current_app, g, redirect, render_template, request, session, url_for
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.wrappers import Response

from triage import service
from triage.bootstrap import Product
from triage.roles import may
from triage.store import people, sessions

blueprint = Blueprint("auth", __name__)

F = TypeVar("F", bound=Callable[..., Any])

SCOPES = ("tickets:read", "tickets:write", "security:read")
IDLE_SECONDS = 15 * 60
TRIES = 10  # wrong passwords per address and minute, counted in this process
# Checked when an account does not exist, so that both answers take the same time.
_NOBODY = generate_password_hash("nobody has this password")


@dataclass(frozen=True)
class Person:
    """Who is signed in."""

    email: str
    role: str

    def may(self, permission_name: str) -> bool:
        """Tell whether this person has a permission."""
        return may(self.role, permission_name)


def permission(name: str) -> Callable[[F], F]:
    """Mark a route: "anyone", "token" (checked in `api`), or a name in PERMISSIONS."""

    def mark(view: F) -> F:
        view.permission = name  # type: ignore[attr-defined]  # read by require_permission
        return view

    return mark


def product() -> Product:
    """Return the wired product behind this request."""
    return cast(Product, current_app.extensions["product"])


def require_permission() -> Response | None:
    """Refuse every request whose route has no permission or whose person lacks it."""
    if request.endpoint is None or request.endpoint == "static":
        return None  # a 404, or a public file
    needed = getattr(current_app.view_functions[request.endpoint], "permission", None)
    if needed in ("anyone", "token"):
        return None
    person = signed_in()
    if person is None:
        return redirect(url_for("auth.sign_in"))
    if needed is None or not person.may(needed):
        abort(403)
    g.person = person
    return None


def signed_in() -> Person | None:
    """Return the person of this session, if it is fresh and the account still active."""
    secret, seen = session.get("secret"), session.get("seen", 0)
    if not secret or time.time() - seen > IDLE_SECONDS:
        return None

    def look(conn: Any) -> Any:
        email = sessions.owner(conn, secret, datetime.now(UTC))
        return people.user(conn, email) if email else None

    row = product().services.transactions.read(look)
    if row is None:
        return None
    session["seen"] = int(time.time())
    return Person(row.email, row.role)


@blueprint.get("/sign-in")
@permission("anyone")
def sign_in() -> str:
    """Show the form."""
    return render_template("sign_in.html", wrong=False)


@blueprint.post("/sign-in")
@permission("anyone")
def do_sign_in() -> Any:
    """Sign in with a local account."""
    if not _may_try(request.remote_addr or ""):
        return render_template("sign_in.html", wrong=False, wait=True), 429
    email = request.form.get("email", "").strip().lower()
    password = request.form.get("password", "")
    row = product().services.transactions.read(lambda conn: people.user(conn, email))
    right = check_password_hash(row.password_hash if row else _NOBODY, password)
    if row is None or not right:
        # Whatever was typed into the e-mail field may be a password: only a known account is named.
        audit("sign_in_failed", row.email if row else "unknown")
        return render_template("sign_in.html", wrong=True), 401
    audit("sign_in", row.email)
    secret = secrets.token_urlsafe(32)  # a new one each time: a cookie from before signing in opens nothing
    product().services.transactions.write(lambda conn: sessions.begin(conn, secret, row.email, datetime.now(UTC)))
    session.clear()
    session.update(secret=secret, seen=int(time.time()))
    session.permanent = True
    at_work = may(row.role, "queue:read")
    return redirect(url_for("queue.index" if at_work else "reporting.mine"))


@blueprint.post("/sign-out")
@permission("anyone")
def sign_out() -> Response:
    """End the session wherever its cookie is; with `everywhere`, all others of this person too."""
    secret = session.get("secret", "")
    if person := signed_in():
        everywhere = bool(request.form.get("everywhere"))
        audit("sign_out_everywhere" if everywhere else "sign_out", person.email)
        if everywhere:
            product().services.transactions.write(lambda conn: sessions.end_all(conn, person.email))
    product().services.transactions.write(lambda conn: sessions.end(conn, secret))
    session.clear()
    return redirect(url_for("auth.sign_in"))


def audit(action: str, email: str) -> None:
    """Write down who came or went, from where."""
    act = service.Act(datetime.now(UTC), email, action)
    service.note(product().services, act, email, address=request.remote_addr or "")


def looked(actor: str, action: str, refs: Sequence[str], **data: Any) -> None:
    """Write down who was shown which tickets, if any."""
    if refs:
        service.note_look(product().services, service.Act(datetime.now(UTC), actor, action), refs, **data)


def _may_try(address: str) -> bool:
    """Count tries per address in a one-minute window."""
    minute = int(datetime.now(UTC).timestamp() // 60)
    tries: dict[tuple[str, int], int] = current_app.extensions.setdefault("sign_in_tries", {})
    for old in [key for key in tries if key[1] != minute]:
        tries.pop(old, None)
    tries[address, minute] = tries.get((address, minute), 0) + 1
    return tries[address, minute] <= TRIES
