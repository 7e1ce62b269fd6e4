"""Owns the names that their surroundings give away: after "patient" or "Mr", before a record number, in HL7.

These patterns need no learning, and only a site's own words are free of them;
`triage.redact.tagger` finds the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from triage.redact.identifiers import detector
from triage.ticket import Span

_NAME_WORD = r"[A-ZÀ-ÖØ-Þ](?:[^\W\d_]|[\u0300-\u036f'’-])++(?!\w)"  # possessive: a long word is read once
_NAMES = rf"{_NAME_WORD}(?:[ ]+(?:(?:de|da|van|von|bin|al|el|la|le|du|des|st\.?|o')[ ]+){{0,2}}{_NAME_WORD}){{0,3}}"
_PATIENT_WORD = (
    r"(?:[Pp]atient(?:e)?|PATIENT(?:E)?|[Pp]t|PT|[Uu]sag[eè]re?|[Rr][ée]sidente?|[Rr]esident"
    r"|[Bb]aby|[Bb][ée]b[ée]|[Nn]ewborn)"
)
_TITLE = r"(?:Mr|Mrs|Ms|Miss|Mme|Mlle|Madame|Monsieur|M)(?:\.[ ]?|[ ])"
_IS_CALLED = rf"(?:['’]s)?[ ]{{0,2}}(?:name|nom)?[ ]?(?:is|est|named|nomm[ée]e?)?[ ]?:?[ ]?(?:{_TITLE})?"

_NAME_DETECTORS = (
    detector("NAME", r"\b([A-ZÀ-Þ]{2,}(?:[-'’][A-ZÀ-Þ]+)?\^[A-ZÀ-Þ]+(?:\^[A-ZÀ-Þ]*)*)", flags=0),
    detector("NAME", rf"\b{_PATIENT_WORD}{_IS_CALLED}({_NAMES})", flags=0),
    detector("NAME", rf"\b{_TITLE}({_NAMES})", flags=0),
    detector(
        "NAME",
        r"\b(?:chart|file|record|results?|r[ée]sultats?|dossier|labs?|meds?|wristband|bracelet)s? "
        rf"(?:of|for|de|d')[ ]?({_NAMES})",
        flags=0,
    ),
    detector("NAME", rf"\b({_NAME_WORD},[ ]?{_NAME_WORD})(?=[ ,;(]+(?:MRN|DOB|dob|mrn|DDN|ddn|dossier))", flags=0),
)
_NAME_BEFORE = detector("NAME", rf"\b({_NAMES})(?=[ ,;(]+(?:MRN|DOB|dob|mrn|DDN|ddn|n[ée]e? le|born)\b)", flags=0)
_TRIGGER = re.compile(
    r"\^|patient|\bpt\b|usag|r[ée]sident|baby|b[ée]b[ée]|newborn|\bm(?:r|rs|s|me|lle|iss|adame|onsieur)?[. ]"
    r"|chart|file|record|r[ée]sult|dossier|lab|med|band|bracelet|mrn|dob|ddn|n[ée]e? le|born",
    re.IGNORECASE,
)
# Not patients: words that follow "patient" or "Mr" in ordinary tickets.
_NOT_NAMES = frozenset(
    """
    portal list lists monitor monitors care chart charts room rooms safety data id record records tracker
    board bed beds information info registration transport access label labels wristband scheduling services
    relations education app viewer search summary header banner flow lift kiosk call the this that these
    those and is was has cannot can in on at with from no not it we i rn md np dr epic cerner meditech citrix
    outlook windows teams zoom excel word mychart pacs emr ehr er ed or icu nicu picu lab pharmacy radiology
    my portail liste dossier dossiers moniteur salle chambre lit en sur dans attend qui ne pas est a au du de
    la le les un une des mrn dob ddn nam
    """.split()  # noqa: SIM905 - a word list reads better as one text
)


_PARTICLES = frozenset({"de", "da", "du", "des", "la", "le", "al", "el", "van", "von", "bin"})


def name_rules(text: str) -> Iterator[Callable[[str], Iterator[Span]]]:
    """Yield the detectors of names that can possibly match a text, in order of trust."""
    if _TRIGGER.search(text):
        yield from (_without_common_words(detector.spans) for detector in _NAME_DETECTORS)
        yield _names_before


def _without_common_words(detect: Callable[[str], Iterator[Span]]) -> Callable[[str], Iterator[Span]]:
    def names(raw: str) -> Iterator[Span]:
        for span in detect(raw):
            end = _name_end(raw, span)
            if end > span.start:
                yield Span(span.start, end, span.type)

    return names


def _names_before(raw: str) -> Iterator[Span]:
    """Yield names that stand before a record number or a birth date, without the ordinary words before them."""
    for span in _NAME_BEFORE.spans(raw):
        start = span.start
        for word in re.finditer(r"[^\s,]+", raw[span.start : span.end]):
            if word.group() not in _PARTICLES and word.group().strip("'’.:-").lower() in _NOT_NAMES:
                start = span.start + word.end()
        start += len(raw[start : span.end]) - len(raw[start : span.end].lstrip(" ,"))
        if start < span.end:
            yield Span(start, span.end, span.type)


def _name_end(raw: str, span: Span) -> int:
    """Cut a candidate name before its first ordinary word; a lone acronym is no name."""
    end = span.start
    for word in re.finditer(r"[^\s,]+", raw[span.start : span.end]):
        if word.group() in _PARTICLES:
            continue  # the pattern lets one stand between two names only
        if word.group().strip("'’.:-").lower() in _NOT_NAMES:
            break
        end = span.start + word.end()
    return end
