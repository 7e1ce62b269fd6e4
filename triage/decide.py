"""Owns the decision: what will happen to a ticket and why; pure, refuses clock, network and database.

RULES are tried in order of harm. The first that applies decides the route; priority,
team and promises follow from the policy in one place for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from triage.hours import due
from triage.policy import DOWNTIME_CATEGORY, NEVER_MINOR, SECURITY_CATEGORY, Policy
from triage.ticket import LANGUAGES, Decision, Facts, Level, Prediction, Priority, Reason, Route, Ticket

OUT_OF_SCOPE_LIMIT = 0.5  # more likely than not no IT request
NEVER = 1.01  # the threshold of what was never measured: no confidence reaches it


@dataclass(frozen=True, slots=True)
class Case:
    """All that a rule may look at."""

    ticket: Ticket
    prediction: Prediction
    facts: Facts
    policy: Policy

    @property
    def category(self) -> str | None:
        """Return the model's first guess if the policy knows it."""
        slug = self.prediction.category
        return slug if slug in self.policy.categories else None

    def sure(self, purpose: str) -> bool:
        """Tell whether the first guess reaches the threshold the model measured for `purpose`."""
        return self.prediction.confidence >= self.prediction.thresholds.get(purpose, NEVER)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule says: the route, whose category, and why."""

    route: Route
    reasons: tuple[Reason, ...]
    category: str | None = None
    action: str = ""
    article: str = ""


def security(case: Case) -> Verdict | None:
    """Send to security when the model, the detector or a cue sees danger: nothing can suppress it."""
    reasons = [Reason("security_cue", cue) for cue in case.facts.security_cues]
    if case.prediction.security:
        reasons.append(Reason("security_model", _percent(case.prediction.p_security)))
    elif case.category == SECURITY_CATEGORY and case.sure("route"):
        reasons.append(Reason("security_model", _percent(case.prediction.confidence)))
    if not reasons:
        return None
    reasons += [Reason("privacy_breach", cue) for cue in case.facts.privacy_cues]
    return Verdict(Route.SECURITY, tuple(reasons), SECURITY_CATEGORY)


def maybe_security(case: Case) -> Verdict | None:
    """Let a person look at once when danger is possible but not clear."""
    if case.prediction.maybe_security or case.category == SECURITY_CATEGORY:
        reason = Reason("maybe_security", _percent(case.prediction.p_security))
        return Verdict(Route.HUMAN_REVIEW, (reason,))
    return None


def known_incident(case: Case) -> Verdict | None:
    """Join a known outage, or become one with the Nth similar report."""
    if case.facts.incident:
        return Verdict(Route.INCIDENT, (Reason("incident_known", case.facts.incident),), case.category)
    if case.category and case.facts.similar_reports + 1 >= case.policy.incident.reports:
        count = str(case.facts.similar_reports + 1)
        return Verdict(Route.INCIDENT, (Reason("incident_new", count),), case.category)
    return None


def cannot_judge(case: Case) -> Verdict | None:
    """Ask a person when there is no text, no model or no known language to judge by."""
    if case.ticket.withheld:
        return Verdict(Route.HUMAN_REVIEW, (Reason("withheld"),))
    if not case.ticket.text:
        return Verdict(Route.HUMAN_REVIEW, (Reason("no_text"),))
    if case.prediction.error:
        return Verdict(Route.HUMAN_REVIEW, (Reason("no_model", case.prediction.error),))
    if case.ticket.language not in LANGUAGES:
        return Verdict(Route.HUMAN_REVIEW, (Reason("language_unknown", case.ticket.language),))
    return None


def unsure(case: Case) -> Verdict | None:
    """Ask a person when the model abstains: this may not be IT at all, or it is just not sure."""
    if case.prediction.p_out_of_scope >= OUT_OF_SCOPE_LIMIT or case.prediction.out_of_scope:
        return Verdict(Route.HUMAN_REVIEW, (Reason("out_of_scope", _percent(case.prediction.p_out_of_scope)),))
    if case.category is None or not case.sure("route"):
        return Verdict(Route.HUMAN_REVIEW, (Reason("unsure", _percent(case.prediction.confidence)),))
    return None


def minor(case: Case) -> Verdict | None:
    """Offer a fix for a minor ticket, if nothing at all speaks against acting alone."""
    slug = case.category
    if slug is None or slug in NEVER_MINOR or not case.policy.categories[slug].minor:
        return None
    needed = max(case.policy.categories[slug].threshold, case.prediction.thresholds.get(f"auto:{slug}", NEVER))
    article = case.facts.article
    if case.prediction.confidence < needed or not article or _objections(case):
        return None
    reasons = (Reason("minor", f"{_percent(case.prediction.confidence)} >= {_percent(needed)}"),)
    return Verdict(Route.AUTO_RESOLVE, reasons, slug, case.policy.categories[slug].action, article)


def routed(case: Case) -> Verdict:
    """Send to the category's team, with the reasons why the bot did not act alone."""
    reasons = (Reason("routed", _percent(case.prediction.confidence)), *_objections(case))
    return Verdict(Route.QUEUE, reasons, case.category)


RULES: tuple[Callable[[Case], Verdict | None], ...] = (
    security,
    maybe_security,
    cannot_judge,
    unsure,
    known_incident,
    minor,
    routed,
)


def decide(ticket: Ticket, prediction: Prediction, facts: Facts, policy: Policy) -> Decision:
    """Return what will happen to `ticket` and why.

    The same four values always give the same decision. `received_at` of the ticket
    is the start of its promises.
    """
    case = Case(ticket, prediction, facts, policy)
    return _concluded(case, next(found for rule in RULES if (found := rule(case))))


def decide_again(
    ticket: Ticket, prediction: Prediction, facts: Facts, policy: Policy, verdict: Verdict, team: str = ""
) -> Decision:
    """Return what follows from a verdict that a person gave or that stands: priority, team, promises.

    `team` overrides the category's. A fix offered to the reporter does not stand once
    something speaks against acting alone: a person takes over.
    """
    case = Case(ticket, prediction, facts, policy)
    if verdict.route is Route.AUTO_RESOLVE and (objections := _objections(case)):
        verdict = Verdict(Route.QUEUE, objections, verdict.category)
    return _concluded(case, verdict, team)


def _concluded(case: Case, verdict: Verdict, team: str = "") -> Decision:
    priority, why = _priority(case, verdict)
    team = team or _team(case, verdict)
    ticket, prediction, facts, policy = case.ticket, case.prediction, case.facts, case.policy
    promise, calendar = policy.sla[priority], policy.calendar_of(team)
    return Decision(
        route=verdict.route,
        category=verdict.category,
        confidence=prediction.confidence,
        priority=priority,
        team=team,
        reasons=verdict.reasons + why,
        top=prediction.top[:3],
        words=prediction.words,
        action=verdict.action,
        article=verdict.article,
        incident=facts.incident if verdict.route is Route.INCIDENT else "",
        restricted=policy.teams[team].restricted,
        breach=verdict.route is Route.SECURITY and bool(facts.privacy_cues),
        respond_by=due(ticket.received_at, promise.respond, calendar, policy.zone),
        resolve_by=due(ticket.received_at, promise.resolve, calendar, policy.zone),
        model_version=prediction.model_version,
        policy_hash=policy.hash,
    )


def _objections(case: Case) -> tuple[Reason, ...]:
    """Return everything that speaks against acting without a person (the safety floor)."""
    facts, prediction, impact = case.facts, case.prediction, case.ticket.impact
    objections = [Reason("harm_cue", cue) for cue in facts.harm_cues]
    objections += [Reason("identity_cue", cue) for cue in facts.identity_cues]
    objections += [Reason("outage_cue", cue) for cue in facts.outage_cues]
    if prediction.maybe_harm:
        objections.append(Reason("harm_model", _percent(prediction.p_harm)))
    if impact.affects_care:
        objections.append(Reason("care_affected"))
    if impact.whole_unit:
        objections.append(Reason("whole_unit"))
    if not facts.automation_on:
        objections.append(Reason("automation_off"))
    return tuple(objections)


def _priority(case: Case, verdict: Verdict) -> tuple[Priority, tuple[Reason, ...]]:
    """Return the priority by impact x urgency, and which answers or words raised it."""
    if verdict.route is Route.SECURITY:
        return Priority.P1, ()
    impact, wide = _impact(case, verdict)
    urgency, pressing = _urgency(case, verdict)
    return case.policy.priorities[impact][urgency], (*wide, *pressing)


def _impact(case: Case, verdict: Verdict) -> tuple[Level, tuple[Reason, ...]]:
    if case.facts.outage_cues or verdict.route is Route.INCIDENT:
        level = Level.HIGH if verdict.category == DOWNTIME_CATEGORY else Level.MEDIUM
        return level, tuple(Reason("impact_unit", cue) for cue in case.facts.outage_cues[:1])
    if case.ticket.impact.whole_unit:
        return Level.MEDIUM, (Reason("impact_unit", "answer"),)
    if case.ticket.impact.whole_unit is None and case.facts.wide_cues:
        return Level.MEDIUM, (Reason("impact_unit", case.facts.wide_cues[0]),)
    return Level.LOW, ()


def _urgency(case: Case, verdict: Verdict) -> tuple[Level, tuple[Reason, ...]]:
    answers = case.ticket.impact
    usual = case.policy.categories[verdict.category].urgency if verdict.category else Level.MEDIUM
    if case.facts.harm_cues or case.prediction.maybe_harm:
        seen = case.facts.harm_cues[0] if case.facts.harm_cues else _percent(case.prediction.p_harm)
        return Level.HIGH, (Reason("urgency_care", seen),)
    if answers.affects_care:
        if answers.other_device:
            return _at_least(usual, Level.MEDIUM), (Reason("urgency_workaround"),)
        return Level.HIGH, (Reason("urgency_care", "answer"),)
    if answers.other_device and usual is Level.HIGH:
        return Level.MEDIUM, (Reason("urgency_workaround"),)
    return usual, ()


def _at_least(level: Level, floor: Level) -> Level:
    return floor if level is Level.LOW else level


def _team(case: Case, verdict: Verdict) -> str:
    if verdict.route is Route.SECURITY:
        return case.policy.security_team
    if verdict.route is Route.HUMAN_REVIEW or verdict.category is None:
        return case.policy.review_team
    return case.policy.categories[verdict.category].team


def _percent(value: float) -> str:
    return f"{value:.0%}"
