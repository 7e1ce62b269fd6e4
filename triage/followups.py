"""Owns the wording of what people hear after the first answer, in English and French; refuses to decide or to send."""

from __future__ import annotations

from triage.policy import Policy
from triage.ticket import Notice, Priority, Ticket

# What a team reads is English, as its cards are.
_ESCALATED = (
    "{ref} ({priority}, {team}) has waited {minutes} minutes without an answer. Please take it or hand it over."
)
_ADDED = "{priority} {ref}: the reporter adds: {text}"
_REOPENED = "{priority} {ref}: the reporter says that it is not solved. Please look again."
_RAISED = "{priority} {ref}: the reporter says that more depends on it than it seemed."
_RESOLVED = (
    "{ref} is solved: {note}\nIf it is not, say so here and we look again.",
    "{ref} est réglé : {note}\nSi ce n'est pas le cas, dites-le ici et nous regarderons encore.",
)
_TAKEN = (
    "Somebody of {team} is looking at {ref} now.",
    "Une personne de l'équipe {team} s'occupe de {ref} maintenant.",
)
_HANDED = ("{team} has {ref} now.", "L'équipe {team} a maintenant {ref}.")
_REPLIED = ("{team} writes about {ref}: {text}", "{team} vous écrit au sujet de {ref} : {text}")
_ASKED = (
    "{team} needs to know something about {ref}: {text}\nPlease answer here.",
    "{team} a besoin d'une précision sur {ref} : {text}\nRépondez ici, s'il vous plaît.",
)
_HEARD_AGAIN = (
    "{ref} is open again. A person will look.",
    "{ref} est rouvert. Une personne va regarder.",
)


def escalation(ref: str, *, step: int, channel: str, minutes: int, priority: Priority, team: str) -> Notice:
    """Return the call for help when nobody has answered."""
    text = _ESCALATED.format(ref=ref, priority=priority, team=team, minutes=minutes)
    return Notice(f"{ref}:escalation:{step}", "escalation", f"channel:{channel}", ref, "en", text)


def reopened(ref: str, *, channel: str, priority: Priority, turn: int, under: str) -> Notice:
    """Return what the team hears when a ticket is opened again."""
    text = _REOPENED.format(ref=ref, priority=priority)
    return Notice(f"{ref}:reopened:{turn}", "reopened", f"channel:{channel}", ref, "en", text, under=under)


def raised(ref: str, *, channel: str, priority: Priority, turn: int, under: str) -> Notice:
    """Return what the team hears when a reporter's answer made a ticket more pressing."""
    text = _RAISED.format(ref=ref, priority=priority)
    return Notice(f"{ref}:raised:{turn}", "raised", f"channel:{channel}", ref, "en", text, under=under)


def added(ref: str, text: str, *, channel: str, priority: Priority, said_as: str, under: str) -> Notice:
    """Return what the team hears when a reporter adds masked words to a ticket."""
    words = _ADDED.format(ref=ref, priority=priority, text=text)
    return Notice(f"{ref}:said:{said_as}", "reply", f"channel:{channel}", ref, "en", words, under=under)


def resolved(ticket: Ticket, note: str, *, turn: int) -> Notice:
    """Return what the reporter hears when a person has solved a ticket."""
    return _to_reporter(ticket, "resolved", _RESOLVED, turn, note=note)


def taken(ticket: Ticket, team: str, policy: Policy, *, turn: int) -> Notice:
    """Return what the reporter hears when somebody has taken the ticket."""
    return _to_reporter(ticket, "taken", _TAKEN, turn, team=_label(ticket, team, policy))


def handed(ticket: Ticket, team: str, policy: Policy, *, turn: int) -> Notice:
    """Return what the reporter hears when another team has the ticket."""
    return _to_reporter(ticket, "handed", _HANDED, turn, team=_label(ticket, team, policy))


def opened_again(ticket: Ticket, *, turn: int) -> Notice:
    """Return what the reporter hears when their word has opened the ticket again."""
    return _to_reporter(ticket, "again", _HEARD_AGAIN, turn)


def replied(ticket: Ticket, text: str, team: str, policy: Policy, *, turn: int, asks: bool) -> Notice:
    """Return what the reporter reads of IT's masked words, which may be a question."""
    words = _ASKED if asks else _REPLIED
    return _to_reporter(ticket, "replied", words, turn, team=_label(ticket, team, policy), text=text)


def home(email: str, ref: str, *, turn: int) -> Notice:
    """Return the request to show somebody's Home anew: it holds no words, Home is drawn from what is stored."""
    return Notice(f"home:{email}:{ref}:{turn}", "home", f"home:{email}", ref, "en", "", replaces=f"home:{email}")


def _label(ticket: Ticket, team: str, policy: Policy) -> str:
    return policy.teams[team].label.in_("fr" if ticket.language == "fr" else "en")


def _to_reporter(ticket: Ticket, kind: str, words: tuple[str, str], turn: int, **values: str) -> Notice:
    language = "fr" if ticket.language == "fr" else "en"
    text = words[language == "fr"].format(ref=ticket.ref, **values)
    key, to = f"{ticket.ref}:{kind}:{turn}", f"requester:{ticket.requester}"
    return Notice(key, kind, to, ticket.ref, language, text)
