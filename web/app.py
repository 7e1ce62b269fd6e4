"""Owns the Flask application: wires blueprints, security headers and errors; refuses business."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from flask import Flask, Response, jsonify, render_template, request
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from triage.bootstrap import Product
from triage.commit import StoreUnavailableError
from web import api, auth, health, originals, queue, reporting, ticket

log = structlog.get_logger()

MAX_BODY = 2_000_000  # bytes; a longer request is refused before it is read
RETRY_AFTER = 5  # seconds, told to clients when the database cannot be written
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def create_app(product: Product) -> Flask:
    """Return the web application over wired services."""
    app = Flask(__name__, template_folder=str(Path(__file__).with_name("templates")))
    in_production = product.settings.env == "production"
    app.config.update(
        SECRET_KEY=product.settings.key,
        MAX_CONTENT_LENGTH=MAX_BODY,
        SESSION_COOKIE_NAME="__Host-triage" if in_production else "triage",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=in_production,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=12),
    )
    app.extensions["product"] = product
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's default provider has it
    csrf = CSRFProtect(app)
    csrf.exempt(api.blueprint)  # bearer tokens, never cookies
    for module in (health, auth, queue, reporting, ticket, originals, api):
        app.register_blueprint(module.blueprint)
    app.before_request(auth.require_permission)
    app.after_request(_headers)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(CSRFError, _http_error)
    app.register_error_handler(StoreUnavailableError, _unavailable)
    app.register_error_handler(Exception, _unexpected)
    return app


def _headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    return response


def _http_error(error: HTTPException) -> Any:
    code = error.code or 500
    if error.response is not None:  # a redirect or a ready answer
        return error.response
    return _answer(code, error.name.lower().replace(" ", "_"), error.description or error.name)


def _unavailable(_error: StoreUnavailableError) -> Any:
    response, code = _answer(503, "unavailable", "The ticket could not be stored. Please try again in a moment.")
    response.headers["Retry-After"] = str(RETRY_AFTER)
    return response, code


def _unexpected(error: Exception) -> Any:
    # The type alone: a traceback's locals or a message may hold a ticket's words.
    log.error("unexpected", error=type(error).__name__, path=request.path)
    return _answer(500, "internal", "Something went wrong on our side. It was noted.")


def _answer(code: int, name: str, message: str) -> tuple[Response, int]:
    if request.path.startswith("/api/"):
        return jsonify({"error": {"code": name, "message": message}}), code
    page = render_template("error.html", code=code, message=message)
    return Response(page, mimetype="text/html"), code
