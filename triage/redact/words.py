"""Owns how the masker reads a text: its words, the vendored lists of names, and the cues of patients and staff."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

DATA = Path(__file__).with_name("data")

_TOKEN = re.compile(r"[^\W\d_]+(?:['’`-][^\W\d_]+)*|\d+|\n|[^\w\s]|_")
_APOSTROPHES = str.maketrans("’`", "''")
PATIENT_WORDS = frozenset(
    """patient patiente patients pt pts usager usagere resident residente mom mother mere maman dad father pere papa
    parent son fils fille daughter wife husband conjoint conjointe epouse mari sister soeur brother frere mr mrs ms
    miss mme madame monsieur m baby bb bebe newborn dob mrn ddn chart dossier wristband bracelet name nom prenom born
    ne nee nam ramq ohip admitted admis admise client cliente family famille enfant kid child grandma caregiver
    guardian proche aidante aidant mom's pt's patient's""".split()  # noqa: SIM905 - a word list reads better as text
)
STAFF_WORDS = frozenset(
    """dr dre doctor docteur rn md nurse infirmiere infirmier np pharmacist pharmacien pharmacienne manager
    gestionnaire thanks thx merci regards cordialement tech technologue clerk commis ext poste pager supervisor charge
    colleague collegue secretary secretaire vendor coworker lpn rph analyst support helpdesk coordinator prof
    technicien technicienne preposee prepose chef sincerely salutations""".split()  # noqa: SIM905 - as above
)


CUES = PATIENT_WORDS | STAFF_WORDS


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a number or a sign, and its place in the text; `low` is folded: lower case, no accents."""

    start: int
    end: int
    text: str
    low: str


def fold(word: str) -> str:
    """Return a word in lower case, without accents and with plain apostrophes."""
    if word.isascii():
        return word.lower().translate(_APOSTROPHES)
    plain = unicodedata.normalize("NFKD", word.lower())
    return "".join(c for c in plain if not unicodedata.combining(c)).translate(_APOSTROPHES)


def tokens_of(text: str) -> list[Token]:
    """Split a text into words, numbers, signs and line breaks."""
    return [Token(m.start(), m.end(), m.group(), fold(m.group())) for m in _TOKEN.finditer(text)]


@lru_cache(maxsize=1)
def name_lists() -> tuple[frozenset[str], frozenset[str]]:
    """Return the vendored given and family names, folded."""
    given, family = (frozenset((DATA / f"{kind}.txt").read_text("utf-8").split()) for kind in ("given", "family"))
    return given, family
