"""What a person says a ticket is, who should have it and who is affected; refuses to loosen what harm demands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from triage import followups, notices
from triage.decide import Verdict, decide_again
from triage.policy import SECURITY_CATEGORY
from triage.service.breaches import add_entry
from triage.service.intake import facts_from_text, predict_or_abstain
from triage.service.shared import Act, BadMessageError, ConflictError, Services, add_audit, existing
from triage.service.showing import show, show_answer, show_home, team_of, tell, to_team
from triage.store import corrections, decisions, tickets
from triage.ticket import ClinicalImpact, Decision, Priority, Reason, Route, Status

OUT_OF_SCOPE = "out_of_scope"
_TRIES = 5  # of a change that met another one


class _ChangedError(Exception):
    """The ticket is not what it was when the change was thought out."""


def correct(services: Services, ref: str, label: str, actor: str, now: datetime, *, learn: bool = True) -> None:
    """Take a person's verdict on the category: the ticket goes where it belongs, and an example is kept.

    `label` is a category of the policy or "out_of_scope"; it becomes a labelled example when
    `learn` is set. A closed ticket is only labelled. Raises NotFoundError or BadMessageError.
    """
    if label not in services.policy.categories and label != OUT_OF_SCOPE:
        raise BadMessageError("label", f"unknown category {label!r}")

    def note(conn: Connection, row: Row[Any]) -> None:
        was = corrections.add_correction(conn, row.id, actor=actor, label=label, learn=learn, now=now)
        add_audit(conn, services, Act(now, actor, "correct"), tickets.ref_of(row.id), {"was": was, "label": label})

    def again(row: Row[Any]) -> Decision | None:
        known = row.category == (None if label == OUT_OF_SCOPE else label)
        if not row.is_open or (known and row.route != Route.HUMAN_REVIEW):
            return None
        return _decided(services, row, _verdict_on(services, label))

    _change(services, ref, again, note, Act(now, actor, "correct"), joined=False)


def hand_over(services: Services, ref: str, team: str, actor: str, now: datetime) -> None:
    """Give an open ticket to another team, who sees it as a new card. Raises NotFoundError or BadMessageError.

    Raises ConflictError when it is closed or theirs already, or when a security ticket would
    become visible to others: its category has to be corrected first.
    """
    if team not in services.policy.teams:
        raise BadMessageError("team", f"unknown team {team!r}")
    label = services.policy.teams[team].label.en

    def again(row: Row[Any]) -> Decision:
        if not row.is_open:
            raise ConflictError(f"{ref} is closed")
        if row.team == team:
            raise ConflictError(f"{label} has {ref} already")
        if row.route == Route.SECURITY and not services.policy.teams[team].restricted:
            raise ConflictError(f"{ref} is a security ticket; correct its category first")
        stands = _standing_verdict(services, row)
        route = Route.QUEUE if stands.route is Route.AUTO_RESOLVE else stands.route
        reasons = (Reason("handed_over", label), *stands.reasons)
        return _decided(services, row, replace(stands, route=route, reasons=reasons), team=team)

    def note(conn: Connection, row: Row[Any]) -> None:
        tickets.add_event(conn, row.id, now, "handed_over", actor, {"was": row.team, "team": team})
        add_audit(conn, services, Act(now, actor, "hand_over"), tickets.ref_of(row.id), {"was": row.team, "team": team})

    _change(services, ref, again, note, Act(now, actor, "hand_over"))


def affect(services: Services, ref: str, actor: str, told: ClinicalImpact, now: datetime) -> Priority:
    """Take what the reporter says of those affected; returns the priority, which this can only raise.

    A fix that was offered does not stand once care or a whole unit is affected: a person
    takes over. Raises NotFoundError, or ConflictError when the ticket is closed or not read yet.
    """
    said = {name: value for name, value in asdict(told).items() if value is not None}

    def again(row: Row[Any]) -> Decision:
        if not row.is_open or row.status == Status.NEW:
            raise ConflictError(f"{ref} is {'being read' if row.is_open else 'closed'}")
        decision = _decided(services, row, _standing_verdict(services, row), team=row.team, **said)
        if decision.priority > row.priority:  # "P4" > "P2": what others said before still holds
            kept = {"respond_by": row.respond_by, "resolve_by": row.resolve_by}
            decision = replace(decision, priority=Priority(row.priority), **kept)
        return decision

    def note(conn: Connection, row: Row[Any]) -> None:
        tickets.set_impact(conn, row.id, row.impact | said)
        tickets.add_event(conn, row.id, now, "affected", actor, said)

    return Priority(_change(services, ref, again, note, Act(now, actor, "affect")).priority)


def _verdict_on(services: Services, label: str) -> Verdict:
    if label == OUT_OF_SCOPE:
        return Verdict(Route.HUMAN_REVIEW, (Reason("corrected", "not for IT"),))
    reason = Reason("corrected", services.policy.categories[label].label.en)
    return Verdict(Route.SECURITY if label == SECURITY_CATEGORY else Route.QUEUE, (reason,), label)


def _standing_verdict(services: Services, row: Row[Any]) -> Verdict:
    decided = services.transactions.read(lambda conn: decisions.last_decision(conn, row.id))
    reasons = tuple(Reason(*pair) for pair in decided.reasons) if decided else ()
    return Verdict(Route(row.route or Route.HUMAN_REVIEW), reasons, row.category, row.action or "", row.article or "")


def _decided(services: Services, row: Row[Any], verdict: Verdict, team: str = "", **impact: bool) -> Decision:
    """Ask the model and the policy once more; no transaction is open."""
    ticket = tickets.to_ticket(row)
    ticket = replace(ticket, impact=replace(ticket.impact, **impact))
    prediction = predict_or_abstain(services.classifier, ticket)
    facts = facts_from_text(ticket, prediction, services)
    decision = decide_again(ticket, prediction, facts, services.policy, verdict, team)
    # What the model was sure of stays what it was; a reason is given once.
    return replace(decision, confidence=row.confidence or 0.0, reasons=tuple(dict.fromkeys(decision.reasons)))


def _change(
    services: Services,
    ref: str,
    again: Callable[[Row[Any]], Decision | None],
    note: Callable[[Connection, Row[Any]], None],
    act: Act,
    *,
    joined: bool = True,
) -> Row[Any]:
    """Think a change out, then store it, told to all whom it matters to; once more when another change was quicker.

    Returns the row as it is then. `joined` keeps the ticket in its incident.
    """

    def work(conn: Connection) -> Any:
        note(conn, row)
        if decision:
            _store(conn, services, row, decision, act, joined=joined)
        return existing(conn, ref)

    for _ in range(_TRIES):
        row = services.transactions.read(lambda conn: existing(conn, ref))
        decision = again(row)
        try:
            changed: Row[Any] = services.transactions.write(work)
        except _ChangedError:
            continue
        return changed
    raise ConflictError(f"{ref} is being changed by others, try again")


def _store(conn: Connection, services: Services, row: Row[Any], decision: Decision, act: Act, *, joined: bool) -> None:
    more: dict[str, Any] = {} if joined else {"incident_id": None}
    if row.status == Status.WAITING and decision.route is not Route.AUTO_RESOLVE:
        more |= {"status": Status.OPEN.value}
    moves = decision.team != row.team
    if moves:
        more |= {"assignee": "", "card": "", "escalated": 0}
    if decision.route is Route.SECURITY and row.route != Route.SECURITY:
        more |= {"answered_at": None}  # nobody of security has seen it yet
    if not decisions.record_again(conn, row, decision, act.at, **more):
        raise _ChangedError
    if moves and row.card:
        key, was = f"{row.card}:moved:{row.version}", team_of(services, row)
        old = notices.moved(
            tickets.ref_of(row.id), team=decision.team, was=was, key=key, replaces=row.card, policy=services.policy
        )
        tell(conn, [old], act.at)
    _tell_of(conn, services, row, decision, act)


def _tell_of(conn: Connection, services: Services, row: Row[Any], decision: Decision, act: Act) -> None:
    ticket, now = tickets.to_ticket(row), act.at
    if decision.team != row.team:
        tell(conn, [followups.handed(ticket, decision.team, services.policy, turn=row.version)], now)
    elif act.action == "affect" and decision.priority < row.priority and row.card:
        where = to_team(services, row) | {"priority": decision.priority}
        tell(conn, [followups.raised(ticket.ref, turn=row.version, **where)], now)
    if decision.breach and row.route != Route.SECURITY:
        add_entry(conn, services, row.id, ticket.received_at, Act(now, act.actor, "open_breach"))
        tell(conn, [notices.possible_breach(ticket, decision, services.policy)], now)
    if decision.route is Route.AUTO_RESOLVE:  # the fix still stands: its team need not see it
        show_answer(conn, services, row.id, now)
        show_home(conn, row, now)
    else:
        show(conn, services, row.id, now)
