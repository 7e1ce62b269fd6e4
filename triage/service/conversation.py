"""What a reporter adds in their own thread: kept, told to the team, and taken for what it says; refuses to guess."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from triage import followups
from triage.cues import words
from triage.service.feedback import confirm, give_to_team
from triage.service.handling import open_again
from triage.service.shared import Act, BadMessageError, Services, add_audit, existing
from triage.service.showing import show_home, tell, to_team
from triage.store import tickets
from triage.ticket import Route, Status

_PLACEHOLDER = re.compile(r"\[[A-Z_]+-\d+\]")
LONGEST = 4000  # characters kept of one reply
# In the words of `cues.words`: lower case, no accents, no apostrophes.
_BROKEN = re.compile(
    r"\b(?:still (?:broken|not|down|dead|the same)|not (?:fixed|solved|working)|(?:did|does) ?nt (?:help|work)"
    r"|toujours (?:en panne|pas|le meme)|pas (?:regle|resolu)|marche pas|fonctionne pas|encore en panne)\b"
)
# Nothing but this: a longer message may say anything beside it.
_COURTESY = (
    r"(?:ok|okay|great|perfect|super|thanks|thank you|thx|ty|cheers|so much|a lot|very much|all good|got it"
    r"|merci|beaucoup|parfait|genial|excellent|d accord|bien recu)"
)
_THANKS = re.compile(rf"{_COURTESY}(?: {_COURTESY})*")
_WORKS = (
    r"(?:yes |oui |ok )?(?:that |this |it |cela |ca |c )?(?:fixed it|worked|works|is working|is fixed|is solved|did it"
    r"|works now|is working now|works again|est regle|a marche|marche|marche maintenant|fonctionne"
    r"|fonctionne maintenant|refonctionne)(?: now| maintenant| again)?"
)
_FIXED = re.compile(rf"(?:{_COURTESY} )*{_WORKS}(?: {_COURTESY})*")


_BEFORE = rf"(?:no |non |sorry |desole |it |its |s |c |est |this |that |{_COURTESY} )*"
_ALONE = re.compile(rf"{_BEFORE}{_BROKEN.pattern}(?: working| printing| fixed)?(?: now| yet| sorry)?")
SHORT = 80  # characters: what is longer says more than "yes" or "no"


def is_follow_up(text: str) -> bool:
    """Tell whether a message only makes sense as the answer to something said before."""
    said = " ".join(words(text[: SHORT + 1]))
    return len(text) <= SHORT and any(pattern.fullmatch(said) for pattern in (_FIXED, _THANKS, _ALONE))


def gist(text: str) -> str:
    """Return what a short answer means: "broken", "fixed", "thanks", or "" for anything else."""
    said = " ".join(words(text))
    if _BROKEN.search(said):
        return "broken"
    if len(text) > SHORT:
        return ""
    return "fixed" if _FIXED.fullmatch(said) else "thanks" if _THANKS.fullmatch(said) else ""


def hear(services: Services, ref: str, actor: str, raw: str, said_as: str, now: datetime) -> bool:
    """Keep what a reporter answered in a ticket's thread; True when it opened the ticket again.

    `said_as` is the sender's own id of the words: the same id again does nothing. The words
    are masked before they are stored or told. Raises NotFoundError, or BadMessageError for nothing said.
    """
    said = services.mask(raw.strip()[:LONGEST])
    if not said.text:
        raise BadMessageError("text", "the message is empty")

    def work(conn: Connection) -> bool:
        row = existing(conn, ref)
        if tickets.is_said(conn, row.id, said_as):
            return False
        tickets.add_event(conn, row.id, now, "said", actor, {"text": said.text, "said_as": said_as})
        again = _take(conn, services, row, actor, gist(said.text), now)
        row = existing(conn, ref)
        if row.card and not is_follow_up(said.text):
            told = followups.added(ref, said.text, said_as=said_as, **to_team(services, row))
            tell(conn, [told], now)
        show_home(conn, row, now)
        return again

    return services.transactions.write(work)


def amend(services: Services, ref: str, actor: str, before: str, after: str, said_as: str, now: datetime) -> bool:
    """Take it that a reporter changed their own message; True when that said anything new to the team.

    A change that only takes patient data away, as they are asked to, tells nobody anything.
    Raises NotFoundError.
    """
    old, new = (_PLACEHOLDER.sub(" ", services.mask(text.strip()[:LONGEST]).text).split() for text in (before, after))
    left = iter(old)
    if all(word in left for word in new):  # nothing but words taken away
        return False
    hear(services, ref, actor, f"[edited] {after}", said_as, now)
    return True


def withdraw(services: Services, ref: str, actor: str, said_as: str, now: datetime) -> None:
    """Note that a reporter deleted their own message; the ticket stays: somebody may be at work.

    Raises NotFoundError.
    """

    def work(conn: Connection) -> None:
        row = existing(conn, ref)
        if not tickets.is_said(conn, row.id, said_as):
            tickets.add_event(conn, row.id, now, "deleted", actor, {"said_as": said_as})

    services.transactions.write(work)


def _take(conn: Connection, services: Services, row: Row[Any], actor: str, meaning: str, now: datetime) -> bool:
    """Take an answer for what it says; True when it opened the ticket again."""
    ref = tickets.ref_of(row.id)
    if meaning == "broken" and row.status == Status.RESOLVED:
        if opened := open_again(conn, services, ref, actor, now):
            tell(conn, [followups.opened_again(tickets.to_ticket(row), turn=row.version)], now)
        return opened
    if meaning == "thanks" or row.status != Status.WAITING:
        return False
    guided = tickets.offers_fix(row)
    if meaning == "fixed" and guided:
        confirm(conn, services, ref, actor, now)
        return False
    # Whatever else is said to an offered fix or a question of ours needs a person's eyes.
    failed = meaning == "broken" and row.route == Route.AUTO_RESOLVE
    kind = "not_fixed" if failed else "continued" if guided else "answered"
    if kind == "not_fixed":
        add_audit(conn, services, Act(now, actor, "reopen"), ref, {})
    return give_to_team(conn, services, ref, actor, now, kind) and kind == "not_fixed"
