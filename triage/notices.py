"""Owns the wording of what people are told, in English and French; refuses to decide or to send."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from triage.breach import LAWS, duties
from triage.knowledge import Knowledge
from triage.policy import Policy
from triage.ticket import Decision, Notice, Priority, Reason, Route, Status, Ticket

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
    "corrected": ("a person says that it is {}", "une personne dit que c'est {}"),
    "handed_over": ("a person handed it to {}", "une personne l'a confié à {}"),
    "fix_failed": ("the guided fix did not help", "la solution guidée n'a pas aidé"),
    "more_to_say": ("the reporter has more to say", "la personne a quelque chose à ajouter"),
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
# Cards and whatever else a team reads speak to IT staff, whose shared channels have one language: English.
_TO_TEAM = "{priority} {ref} {category} · {where}\n{subject}\nWhy: {reasons}"
_BREACH = """{ref} may be a breach of patient privacy ({cues}). It is in the breach register, aware since {at}.
Please assess it: who is affected, what the risk is, what stops it. If it was one, these must hear of it: {duties}."""
_WITHOUT_DELAY = "without delay"
_MASKED = (
    """We hid what looks like patient data ({kinds}) in {ref}. Your own message still shows it:
point at it, choose “More actions” (⋮), then “Delete message”. Nothing else is lost.""",
    """Nous avons caché ce qui semble identifier un patient ({kinds}) dans {ref}. Votre message le montre encore :
pointez-le, choisissez « Plus d'actions » (⋮), puis « Supprimer le message ». Rien d'autre n'est perdu.""",
)
_KINDS = {
    "NAME": ("a name", "un nom"),
    "MRN": ("a record number", "un numéro de dossier"),
    "HEALTH_CARD": ("a health card number", "un numéro d'assurance maladie"),
    "DOB": ("a date of birth", "une date de naissance"),
    "PHONE": ("a phone number", "un numéro de téléphone"),
    "EMAIL": ("an e-mail address", "une adresse courriel"),
    "ADDRESS": ("an address", "une adresse"),
    "SSN": ("a social insurance number", "un numéro d'assurance sociale"),
    "ROOM_BED": ("a room or bed", "une chambre ou un lit"),
    "ID": ("an identifier", "un identifiant"),
}
WRITTEN_IN = frozenset({"slack"})  # channels that still show the message a ticket was made of
_HAS_IT = "{who} has it."
_SOLVED = (
    "Glad to hear that it works. {ref} is closed.",
    "Tant mieux si tout fonctionne. {ref} est fermé.",
)
_SOLVED_BY_IT = ("{ref} is solved.", "{ref} est réglé.")
_STATES = {
    Status.WAITING: "Waits for the reporter.",
    Status.RESOLVED: "Solved.",
    Status.CLOSED: "Closed.",
}
_MOVED = "{ref} was handed to {team}."
_MONTHS_FR = ["janv.", "févr.", "mars", "avr.", "mai", "juin", "juill.", "août", "sept.", "oct.", "nov.", "déc."]


def sentence(reason: Reason, language: str = "en") -> str:
    """Return one reason in words."""
    return _pick(REASONS[reason.code], language).format(reason.detail)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a ticket stands: all that its card and its reporter's answer are made of beside the ticket itself.

    `confirmed` says that the reporter confirmed the fix.
    """

    route: Route
    category: str | None
    priority: Priority
    team: str
    restricted: bool = False
    article: str = ""
    incident: str = ""
    reasons: tuple[Reason, ...] = ()
    respond_by: datetime | None = None
    status: Status = Status.OPEN
    assignee: str = ""
    confirmed: bool = False

    @classmethod
    def after(cls, decision: Decision) -> Standing:
        """Return where a ticket stands right after a decision."""
        return cls(
            route=decision.route,
            category=decision.category,
            priority=decision.priority,
            team=decision.team,
            restricted=decision.restricted,
            article=decision.article,
            incident=decision.incident,
            reasons=decision.reasons,
            respond_by=decision.respond_by,
            status=Status.WAITING if decision.route is Route.AUTO_RESOLVE else Status.OPEN,
        )


def notices_for(ticket: Ticket, decision: Decision, policy: Policy, knowledge: Knowledge) -> list[Notice]:
    """Return what the requester and the team are told about a fresh decision.

    Pure; the texts hold masked words only. The keys are the same for the same
    ticket, so telling it again tells nobody twice.
    """
    notices, standing = [], Standing.after(decision)
    if ticket.requester:
        notices.append(answer(ticket, standing, policy, knowledge))
    # A guided fix that works costs the team nothing, not even a glance; but somebody must always be told.
    if decision.route is not Route.AUTO_RESOLVE or not notices:
        notices.append(card(ticket, standing, policy))
    if decision.breach:
        notices.append(possible_breach(ticket, decision, policy))
    if ticket.requester and ticket.hidden and ticket.channel in WRITTEN_IN:
        notices.append(_hidden(ticket))
    return notices


def answer(
    ticket: Ticket, standing: Standing, policy: Policy, knowledge: Knowledge, *, key: str = "", replaces: str = ""
) -> Notice:
    """Return what the reporter is told about where the ticket stands."""
    language = _known(ticket.language)
    text = _answer(ticket, standing, policy, knowledge)
    key, to = key or f"{ticket.ref}:answer", f"requester:{ticket.requester}"
    return Notice(key, "answer", to, ticket.ref, language, text, replaces)


def card(ticket: Ticket, standing: Standing, policy: Policy, *, key: str = "", replaces: str = "") -> Notice:
    """Return what the team's channel shows of a ticket."""
    label = policy.categories[standing.category].label.en if standing.category else "?"
    text = _TO_TEAM.format(
        priority=standing.priority,
        ref=ticket.ref,
        category=label,
        where=" ".join(filter(None, (ticket.unit, ticket.device))) or "-",
        subject=subject(ticket.text),
        reasons="; ".join(map(sentence, standing.reasons)),
    )
    state = [_STATES.get(standing.status, ""), _HAS_IT.format(who=standing.assignee) if standing.assignee else ""]
    if told := " ".join(filter(None, state)):
        text = f"{text}\n{told}"
    to = f"channel:{policy.teams[standing.team].slack_channel}"
    kind = "security" if standing.restricted else "card"
    return Notice(key or f"{ticket.ref}:card", kind, to, ticket.ref, "en", text, replaces)


def moved(ref: str, *, team: str, was: str, key: str, replaces: str, policy: Policy) -> Notice:
    """Return what a ticket's old card says once another team has it: no word of the ticket."""
    text = _MOVED.format(ref=ref, team=policy.teams[team].label.en)
    return Notice(key, "moved", f"channel:{policy.teams[was].slack_channel}", ref, "en", text, replaces)


def _hidden(ticket: Ticket) -> Notice:
    language = _known(ticket.language)
    kinds = ", ".join(_pick(_KINDS[kind], language) for kind in ticket.hidden)
    text = _pick(_MASKED, language).format(ref=ticket.ref, kinds=kinds)
    return Notice(f"{ticket.ref}:masked", "masked", f"requester:{ticket.requester}", ticket.ref, language, text)


def subject(text: str) -> str:
    """Return the first line of a text, short enough for one row."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= SUBJECT_LENGTH else line[: SUBJECT_LENGTH - 1].rstrip() + "…"


def _answer(ticket: Ticket, standing: Standing, policy: Policy, knowledge: Knowledge) -> str:
    language = _known(ticket.language)
    if standing.status in (Status.RESOLVED, Status.CLOSED):
        return _pick(_SOLVED if standing.confirmed else _SOLVED_BY_IT, language).format(ref=ticket.ref)
    # A fix that did not help, or a question of ours: a person has it now.
    guided = standing.route is Route.AUTO_RESOLVE and standing.status is Status.WAITING
    route = Route.QUEUE if standing.route is Route.AUTO_RESOLVE and not guided else standing.route
    article = knowledge.get(standing.article, language) if standing.article else None
    text = _pick(_WORDS[route], language).format(
        ref=ticket.ref,
        incident=standing.incident or ticket.ref,
        team=policy.teams[standing.team].label.in_(language),
        priority=standing.priority,
        by=moment(standing.respond_by, policy, language),
        guide=f"{article.title}\n{article.body}" if article else "",
    )
    return f"{text}\n{_pick(_TRUNCATED, language)}" if ticket.truncated else text


def possible_breach(ticket: Ticket, decision: Decision, policy: Policy) -> Notice:
    """Tell the privacy officer, without a word of the ticket: that channel is not the restricted one."""
    asked = duties(ticket.received_at.astimezone(policy.zone).date(), None, "unknown", policy.privacy.laws)
    text = _BREACH.format(
        ref=ticket.ref,
        cues="; ".join(f"“{reason.detail}”" for reason in decision.reasons if reason.code == "privacy_breach"),
        at=moment(ticket.received_at, policy, "en"),
        duties="; ".join(
            f"{LAWS[duty.law]} {duty.whom} {f'by {duty.by}' if duty.by else _WITHOUT_DELAY}" for duty in asked
        ),
    )
    return Notice(f"{ticket.ref}:breach", "breach", f"channel:{policy.privacy.officer_channel}", ticket.ref, "en", text)


def moment(at: datetime | None, policy: Policy, language: str) -> str:
    """Return a time as people of the hospital read it, "?" for none."""
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
