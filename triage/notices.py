"""Owns the wording of what people are told, in English and French; refuses to decide or to send."""

from __future__ import annotations

from datetime import datetime

from triage.breach import LAWS, duties
from triage.knowledge import Knowledge
from triage.policy import Policy
from triage.ticket import Decision, Notice, Priority, Reason, Route, Ticket

SUBJECT_LENGTH = 90

REASONS: dict[str, tuple[str, str]] = {
    "security_cue": ("the words “{}” can mean danger", "les mots « {} » peuvent signaler un danger"),
    "privacy_breach": (
        "the words “{}” can mean a breach of privacy",
        "les mots « {} » peuvent signaler une atteinte à la vie privée",
    ),
    "security_model": ("the security detector is {} sure", "le détecteur de sécurité est sûr à {}"),
    "maybe_security": ("this may be about security ({})", "il peut s'agir de sécurité ({})"),
    "incident_known": ("it reports a known outage ({})", "c'est une panne déjà connue ({})"),
    "incident_new": ("it is report number {} of the same trouble", "c'est le signalement no {} du même problème"),
    "withheld": ("masking failed, so the text is withheld", "le masquage a échoué, le texte est retenu"),
    "no_text": ("there is no text", "il n'y a pas de texte"),
    "no_model": ("no model could answer ({})", "aucun modèle n'a pu répondre ({})"),
    "out_of_scope": ("it may not be for IT ({})", "ce n'est peut-être pas pour les TI ({})"),
    "unsure": ("the model is only {} sure", "le modèle n'est sûr qu'à {}"),
    "minor": ("a minor problem with a known fix ({})", "un problème mineur avec une solution connue ({})"),
    "routed": ("the model is {} sure of the category", "le modèle est sûr de la catégorie à {}"),
    "harm_cue": ("the words “{}” can mean harm to a patient", "les mots « {} » peuvent toucher un patient"),
    "harm_model": ("care may be affected ({})", "les soins sont peut-être touchés ({})"),
    "identity_cue": ("identity must be checked by a person (“{}”)", "une personne doit vérifier l'identité (« {} »)"),
    "outage_cue": ("the words “{}” can mean an outage", "les mots « {} » peuvent signaler une panne"),
    "care_affected": ("patient care is affected", "les soins aux patients sont touchés"),
    "whole_unit": ("the whole unit is affected", "toute l'unité est touchée"),
    "automation_off": ("automation is switched off", "l'automatisation est désactivée"),
    "language_unknown": ("the language is not English or French", "la langue n'est ni l'anglais ni le français"),
    "impact_unit": ("more than one person is affected ({})", "plusieurs personnes sont touchées ({})"),
    "urgency_care": ("patient care comes first ({})", "les soins passent en premier ({})"),
    "urgency_workaround": ("another device can be used meanwhile", "un autre appareil peut servir entre-temps"),
}

_WORDS = {
    Route.SECURITY: (
        """Thank you, you did the right thing. Information security has your message {ref} and will look at it now.
Please do not click, reply or delete anything until they reach you.""",
        """Merci, vous avez bien fait. La sécurité de l'information a reçu votre message {ref}
et s'en occupe tout de suite. Ne cliquez sur rien, ne répondez pas et n'effacez rien d'ici là.""",
    ),
    Route.INCIDENT: (
        """We know about this one: your report was added to {incident} ({ref}). {team} is working on it.
You will hear from us when it changes.""",
        """Nous connaissons ce problème : votre signalement {ref} a été ajouté à {incident}. {team} y travaille.
Nous vous écrirons dès que cela change.""",
    ),
    Route.AUTO_RESOLVE: (
        """Here is what usually fixes this ({ref}):

{guide}

Tell us “That fixed it” or “Still broken”. If it is still broken, a person takes over.""",
        """Voici ce qui règle habituellement ce problème ({ref}) :

{guide}

Dites-nous « C'est réglé » ou « Toujours en panne ». Sinon, une personne prend la relève.""",
    ),
    Route.QUEUE: (
        "{team} has your ticket {ref} ({priority}). You will get an answer by {by}.",
        "{team} a reçu votre billet {ref} ({priority}). Vous aurez une réponse d'ici {by}.",
    ),
    Route.HUMAN_REVIEW: (
        "A person at {team} will read your message {ref} and answer by {by}.",
        "Une personne de l'équipe {team} lira votre message {ref} et répondra d'ici {by}.",
    ),
}
_TRUNCATED = (
    "Your message was long; we kept the first 20,000 characters.",
    "Votre message était long; nous avons gardé les 20 000 premiers caractères.",
)
# Cards and escalations speak to IT staff, whose shared channels have one language: English.
_TO_TEAM = "{priority} {ref} {category} · {where}\n{subject}\nWhy: {reasons}"
_ESCALATED = (
    "{ref} ({priority}, {team}) has waited {minutes} minutes without an answer. Please take it or hand it over."
)
_BREACH = """{ref} may be a breach of patient privacy ({cues}). It is in the breach register, aware since {at}.
Please assess it: who is affected, what the risk is, what stops it. If it was one, these must hear of it: {duties}."""
_WITHOUT_DELAY = "without delay"
_STILL_BROKEN = "{priority} {ref}: the guided fix did not help. The reporter is waiting for a person."
_ADDED = "{priority} {ref}: the reporter adds: {text}"
_REOPENED = "{priority} {ref}: the reporter says that it is not solved. Please look again."
_RESOLVED = (
    "{ref} is solved: {note}\nIf it is not, say so here and we look again.",
    "{ref} est réglé : {note}\nSi ce n'est pas le cas, dites-le ici et nous regarderons encore.",
)
_MONTHS_FR = ["janv.", "févr.", "mars", "avr.", "mai", "juin", "juill.", "août", "sept.", "oct.", "nov.", "déc."]


def sentence(reason: Reason, language: str = "en") -> str:
    """Return one reason in words."""
    return _pick(REASONS[reason.code], language).format(reason.detail)


def notices_for(ticket: Ticket, decision: Decision, policy: Policy, knowledge: Knowledge) -> list[Notice]:
    """Return what the requester and the team are told about a fresh decision.

    Pure; the texts hold masked words only. The keys are the same for the same
    ticket, so telling it again tells nobody twice.
    """
    notices = []
    if ticket.requester:
        answer = Notice(
            key=f"{ticket.ref}:answer",
            kind="answer",
            to=f"requester:{ticket.requester}",
            ref=ticket.ref,
            language=_known(ticket.language),
            text=_answer(ticket, decision, policy, knowledge),
        )
        notices.append(answer)
    # A guided fix that works costs the team nothing, not even a glance; but somebody must always be told.
    if decision.route is not Route.AUTO_RESOLVE or not notices:
        notices.append(_card(ticket, decision, policy))
    if decision.breach:
        notices.append(_possible_breach(ticket, decision, policy))
    return notices


def escalation(ref: str, *, step: int, channel: str, minutes: int, priority: Priority, team: str) -> Notice:
    """Return the call for help when nobody has answered."""
    text = _ESCALATED.format(ref=ref, priority=priority, team=team, minutes=minutes)
    return Notice(f"{ref}:escalation:{step}", "escalation", f"channel:{channel}", ref, "en", text)


def still_broken(ref: str, *, team: str, priority: Priority, policy: Policy, turn: int) -> Notice:
    """Return the hand-over of a ticket whose guided fix did not help."""
    text = _STILL_BROKEN.format(ref=ref, priority=priority)
    channel = f"channel:{policy.teams[team].slack_channel}"
    return Notice(f"{ref}:still-broken:{turn}", "card", channel, ref, "en", text)


def reopened(ref: str, *, team: str, priority: Priority, policy: Policy, turn: int) -> Notice:
    """Return what the team hears when a ticket is opened again."""
    text = _REOPENED.format(ref=ref, priority=priority)
    channel = f"channel:{policy.teams[team].slack_channel}"
    return Notice(f"{ref}:reopened:{turn}", "card", channel, ref, "en", text)


def added(ref: str, text: str, *, said_as: str, team: str, priority: Priority, policy: Policy) -> Notice:
    """Return what the team hears when a reporter adds masked words to a ticket."""
    channel = f"channel:{policy.teams[team].slack_channel}"
    words = _ADDED.format(ref=ref, priority=priority, text=text)
    return Notice(f"{ref}:said:{said_as}", "reply", channel, ref, "en", words)


def resolved(ticket: Ticket, note: str, *, turn: int) -> Notice | None:
    """Return what the reporter hears when a person has solved a ticket; None without an address."""
    if not ticket.requester:
        return None
    language = _known(ticket.language)
    text = _pick(_RESOLVED, language).format(ref=ticket.ref, note=note)
    return Notice(
        f"{ticket.ref}:resolved:{turn}", "resolved", f"requester:{ticket.requester}", ticket.ref, language, text
    )


def subject(text: str) -> str:
    """Return the first line of a text, short enough for one row."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= SUBJECT_LENGTH else line[: SUBJECT_LENGTH - 1].rstrip() + "…"


def _answer(ticket: Ticket, decision: Decision, policy: Policy, knowledge: Knowledge) -> str:
    language = _known(ticket.language)
    article = knowledge.get(decision.article, language) if decision.article else None
    text = _pick(_WORDS[decision.route], language).format(
        ref=ticket.ref,
        incident=decision.incident or ticket.ref,
        team=policy.teams[decision.team].label.in_(language),
        priority=decision.priority,
        by=_moment(decision.respond_by, policy, language),
        guide=f"{article.title}\n{article.body}" if article else "",
    )
    return f"{text}\n{_pick(_TRUNCATED, language)}" if ticket.truncated else text


def _card(ticket: Ticket, decision: Decision, policy: Policy) -> Notice:
    label = policy.categories[decision.category].label.en if decision.category else "?"
    text = _TO_TEAM.format(
        priority=decision.priority,
        ref=ticket.ref,
        category=label,
        where=" ".join(filter(None, (ticket.unit, ticket.device))) or "-",
        subject=subject(ticket.text),
        reasons="; ".join(map(sentence, decision.reasons)),
    )
    channel = policy.teams[decision.team].slack_channel
    kind = "security" if decision.restricted else "card"
    return Notice(f"{ticket.ref}:card", kind, f"channel:{channel}", ticket.ref, "en", text)


def _possible_breach(ticket: Ticket, decision: Decision, policy: Policy) -> Notice:
    """Tell the privacy officer, without a word of the ticket: that channel is not the restricted one."""
    asked = duties(ticket.received_at.astimezone(policy.zone).date(), None, "unknown", policy.privacy.laws)
    text = _BREACH.format(
        ref=ticket.ref,
        cues="; ".join(f"“{reason.detail}”" for reason in decision.reasons if reason.code == "privacy_breach"),
        at=_moment(ticket.received_at, policy, "en"),
        duties="; ".join(
            f"{LAWS[duty.law]} {duty.whom} {f'by {duty.by}' if duty.by else _WITHOUT_DELAY}" for duty in asked
        ),
    )
    return Notice(f"{ticket.ref}:breach", "breach", f"channel:{policy.privacy.officer_channel}", ticket.ref, "en", text)


def _moment(at: datetime | None, policy: Policy, language: str) -> str:
    if at is None:
        return "?"
    local = at.astimezone(policy.zone)
    if language == "fr":
        day = "1er" if local.day == 1 else str(local.day)
        return f"le {day} {_MONTHS_FR[local.month - 1]} à {local.hour} h {local.minute:02d}"
    return f"{local:%b} {local.day}, {local:%H:%M}"


def _known(language: str) -> str:
    return "fr" if language == "fr" else "en"


def _pick(pair: tuple[str, str], language: str) -> str:
    return pair[1] if language == "fr" else pair[0]
