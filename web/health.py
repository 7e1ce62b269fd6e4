"""Alive, ready, and figures for monitoring; shows no ticket's words to anyone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from triage.commit import StoreUnavailableError
from triage.store import engine, outbox, tickets
from triage.ticket import ModelUnavailableError
from web.auth import permission, product

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@permission("anyone")
def alive() -> Any:
    """Say that the process answers."""
    return {"status": "alive"}


@blueprint.get("/readyz")
@permission("anyone")
def ready() -> Any:
    """Say whether tickets can be stored and judged; 503 when not."""
    checks = {"database": "ok", "migrations": "ok", "model": "ok"}
    try:
        if not product().services.transactions.read(engine.is_current):
            checks["migrations"] = "the schema is not this version's"
        product().classifier.live()
    except StoreUnavailableError:
        checks["database"] = "unavailable"
    except ModelUnavailableError as error:
        checks["model"] = str(error)
    degraded = any(state != "ok" for state in checks.values())
    return jsonify({"status": "degraded" if degraded else "ready", **checks}), 503 if degraded else 200


@blueprint.get("/metrics")
@permission("anyone")
def metrics() -> Response:
    """Return gauges in Prometheus' text format, read from the database at each scrape."""
    registry = CollectorRegistry()

    def gauge(name: str, help_text: str, value: float) -> None:
        Gauge(f"triage_{name}", help_text, registry=registry).set(value)

    transactions = product().services.transactions
    waiting = transactions.read(outbox.counts)
    oldest = transactions.read(outbox.oldest_waiting)
    age = (datetime.now(UTC) - oldest).total_seconds() if oldest else 0.0
    gauge("outbox_pending", "Notices and jobs waiting", waiting["pending"])
    gauge("outbox_dead", "Notices and jobs given up, waiting for a person", waiting["dead"])
    gauge("outbox_oldest_seconds", "Age of the oldest waiting notice or job", age)
    gauge("tickets_untriaged", "Stored tickets without a decision", transactions.read(tickets.count_untriaged))
    try:
        product().classifier.live()
        gauge("model_ready", "1 when the live model answers", 1)
    except ModelUnavailableError:
        gauge("model_ready", "1 when the live model answers", 0)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
