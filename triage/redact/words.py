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
STREET_WORDS = frozenset(
    """street str st avenue ave av road rd drive dr lane ln crescent cres boulevard blvd boul bd court ct place pl way
    circle cir terrace terr parkway pkwy highway hwy concession sideroad trail trl close gardens gate rue chemin ch rang
    rte route allee montee impasse cote apt app appt apartment appartement unit suite flat bsmt lot box cp po rr
    house farm cottage grove hill park mews row square sq walk view heights crossing ridge pike
    loop""".split()  # noqa: SIM905 - as above
)
REGIONS = frozenset(
    """on ontario qc quebec bc ab alberta mb manitoba sk saskatchewan ns nb nl pe pei nu nunavut nt yt oh ohio mi ny pa
    il in wi mn ia mo ks ne nd sd tx ok ar la ms al ga fl sc nc va wv ky tn md de nj ct ri ma vt nh me wa or ca nv id
    mt wy ut co az nm ak hi postal postcode zip code""".split()  # noqa: SIM905 - as above
)
HOME_WORDS = frozenset(
    """address addr adresse lives live living moved move home habite demeure reste domicile residence hse mailed mail
    mailing envelope enveloppe poste courrier lettre letter deliver delivery livraison shipped delivered street city
    ville postal zip postcode landlord house maison""".split()  # noqa: SIM905 - as above
)


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
