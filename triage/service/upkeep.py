"""Work outside transactions and what time makes necessary: delivers and sweeps; refuses to decide."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from triage import escalate, followups
from triage.service.intake import triage_ticket
from triage.service.retention import purge
from triage.service.shared import NOTICE, Act, Services, add_audit, as_work
from triage.store import outbox, schedules, tickets
from triage.ticket import DeliveryError, Notice, Priority

log = structlog.get_logger()

SWEEP_EVERY = timedelta(seconds=10)
LEFT_BEHIND = timedelta(seconds=20)  # older than any live triage: its process must have died


def deliver(services: Services, worker: str, clock: Callable[[], datetime], lease: timedelta = outbox.LEASE) -> bool:
    """Claim one piece of outbox work, do it, mark it done; False when nothing is due.

    1. claim a row with a lease (commit)  2. do the work, no transaction open
    3. mark it done, or due again later (commit). A death between 2 and 3 repeats it
    once the lease has run out: at least once, never lost.
    """
    claim = services.transactions.write(lambda conn: outbox.claim(conn, worker, clock(), lease))
    if claim is None:
        return False
    try:
        receipt = _do(services, claim)
    except DeliveryError as failure:
        if failure.untried:
            after = failure.retry_after or 0.0
            services.transactions.write(lambda conn: outbox.put_off(conn, claim, clock(), after))
            return True
        _not_delivered(services, claim, clock(), str(failure), permanent=failure.permanent, after=failure.retry_after)
    except Exception as failure:  # noqa: BLE001 - a failed delivery becomes a row to retry, never a dead worker
        _not_delivered(services, claim, clock(), type(failure).__name__)
    else:
        services.transactions.write(partial(_delivered, claim=claim, now=clock(), receipt=receipt))
    return True


def _delivered(conn: Connection, claim: outbox.Claim, now: datetime, receipt: str | None) -> None:
    outbox.finish(conn, claim, now, receipt)
    if receipt and (first := claim.payload.get("replaces")):
        outbox.moved(conn, first, receipt)


def _do(services: Services, claim: outbox.Claim) -> str | None:
    if claim.topic != NOTICE:
        raise DeliveryError(f"nobody does work of the topic {claim.topic!r}", permanent=True)
    return services.notifier.send(Notice(**claim.payload), again=claim.attempts > 1)


def _not_delivered(
    services: Services,
    claim: outbox.Claim,
    now: datetime,
    error: str,
    *,
    permanent: bool = False,
    after: float | None = None,
) -> None:
    log.warning("not_delivered", key=claim.key, attempts=claim.attempts, permanent=permanent)

    def work(conn: Connection) -> None:
        if permanent:
            outbox.bury(conn, claim, now, error)
        else:
            outbox.retry(conn, claim, now, error, after)

    services.transactions.write(work)


def revive(services: Services, which: str, actor: str, now: datetime) -> int:
    """Queue a dead letter by its key, or "all" of them, once more; returns how many."""

    def work(conn: Connection) -> int:
        letters = [row for row in outbox.dead(conn) if which in ("all", row.key)]
        for row in letters:
            outbox.revive(conn, row.id, now)
            add_audit(conn, services, Act(now, actor, "revive"), row.key, {})
        return len(letters)

    return services.transactions.write(work)


def sweep(services: Services, now: datetime) -> int:
    """Do what time alone makes necessary, if it is this worker's turn; returns how much was done.

    1. triage what a crash left behind  2. climb the escalation ladders  3. once an hour, purge.
    """
    if not services.transactions.write(lambda conn: schedules.claim(conn, "sweep", SWEEP_EVERY, now)):
        return 0
    left = services.transactions.read(lambda conn: tickets.untriaged(conn, now - LEFT_BEHIND))
    for row in left:
        triage_ticket(services, tickets.Filed(row.id, tickets.to_ticket(row), created=False, triaged=False), now)
    return len(left) + _escalate(services, now) + purge(services, now)


def _escalate(services: Services, now: datetime) -> int:
    rows = services.transactions.read(tickets.waiting_for_answer)
    waiting = (
        escalate.Waiting(row.id, row.team, Priority(row.priority), row.received_at, row.escalated) for row in rows
    )
    climbs = list(escalate.overdue(waiting, now, services.policy))
    for climb in climbs:
        services.transactions.write(partial(_climb, services=services, climb=climb, now=now))
    return len(climbs)


def _climb(conn: Connection, services: Services, climb: escalate.Climb, now: datetime) -> None:
    ticket = climb.ticket
    if not tickets.set_escalated(conn, ticket.id, ticket.escalated, climb.step):
        return
    team = services.policy.teams[ticket.team].label.en
    notice = followups.escalation(
        tickets.ref_of(ticket.id),
        step=climb.step,
        channel=climb.channel,
        minutes=climb.minutes,
        priority=ticket.priority,
        team=team,
    )
    outbox.enqueue(conn, [as_work(notice)], now)
    tickets.add_event(conn, ticket.id, now, "escalated", "triage", {"to": climb.channel, "step": climb.step})
