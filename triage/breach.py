"""Owns what privacy laws ask after a breach: whom to tell and by when; pure, refuses to judge whether it was one.

Engineering readings of the laws, not legal advice. Sources: HIPAA 45 CFR 164.404, .406, .408
(persons and media within 60 days of discovery; HHS too from 500 persons, else within 60 days
after the year); PHIPA (Ontario) s. 12 and O. Reg. 329/04 ss. 6.3, 6.4 (persons and commissioner
at the first reasonable opportunity, yearly count by 1 March); Quebec's Law 25 (commission and
persons with diligence where the risk of serious injury is real).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

STATES = ("assess", "breach", "not_breach", "closed")
RISKS = ("unknown", "low", "serious")
LAWS = {"hipaa": "HIPAA", "phipa": "PHIPA", "law25": "Law 25"}
SIXTY_DAYS = timedelta(days=60)
MANY = 500  # persons, from which HIPAA asks for more and sooner


@dataclass(frozen=True, slots=True)
class Duty:
    """Somebody who must be told under a law: by a day, or without delay where `by` is None."""

    law: str
    whom: str
    by: date | None

    @property
    def code(self) -> str:
        """Return the name under which the register notes that it was done."""
        return f"{self.law}:{self.whom}"


def duties(aware: date, persons: int | None, risk: str, laws: Iterable[str]) -> tuple[Duty, ...]:
    """Return who must be told, by the day the hospital became aware, how many are hit and the risk found.

    An unknown number counts as few and an unknown risk as serious: a duty shown in vain costs less than one missed.
    """
    found: list[Duty] = []
    for law in laws:
        if law == "hipaa" and risk != "low":
            found += _hipaa(aware, persons or 0)
        elif law == "phipa":
            march = date(aware.year + 1, 3, 1)
            found += [Duty(law, "persons", None), Duty(law, "commissioner", None), Duty(law, "count", march)]
        elif law == "law25" and risk != "low":
            found += [Duty(law, "commission", None), Duty(law, "persons", None)]
    return tuple(found)


def _hipaa(aware: date, persons: int) -> list[Duty]:
    soon = aware + SIXTY_DAYS
    yearly = date(aware.year, 12, 31) + SIXTY_DAYS
    told = [Duty("hipaa", "persons", soon), Duty("hipaa", "HHS", soon if persons >= MANY else yearly)]
    return [*told, Duty("hipaa", "media", soon)] if persons > MANY else told
