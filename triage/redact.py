"""Owns masking: what identifies a patient is replaced before a text is stored, logged, learned or sent.

First version: structured identifiers with context or checksums, and names next to
the words that introduce a patient. It keeps what IT needs (device tags, hosts, IPs,
versions, rooms, error codes). It never claims that a text is de-identified, and it
refuses to guess quietly: when it breaks, the caller withholds the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from triage.ticket import Masked, Span

WITHHELD = "[text withheld: masking failed]"

_SEP = r"[\s:#=.°º-]{0,4}"
_ID_WORD = (
    r"(?:mrn|m\.r\.n|medical record(?: (?:number|no))?|chart (?:number|no)|unit (?:number|no)|patient (?:id|number|no)"
    r"|pt (?:id|number)|encounter|visit (?:number|no|id)|acct|account number|csn|har|accession|acc"
    r"|num[ée]ro de dossier|no de dossier|dossier(?: no)?|n[°º] de dossier|nam|patient num[ée]ro)"
)
_NAME_WORD = r"[A-ZÀ-ÖØ-Þ](?:[^\W\d_]|[\u0300-\u036f'’-])++(?!\w)"  # possessive: a long word is read once
_NAMES = rf"{_NAME_WORD}(?:[ ]+(?:(?:de|da|van|von|bin|al|el|la|le|du|des|st\.?|o')[ ]+){{0,2}}{_NAME_WORD}){{0,3}}"
_DATE = (
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/. ]\d{1,2}[-/. ](?:19|20)?\d{2}"
    r"|\d{1,2}(?:er|st|nd|rd|th)?[ -](?:[A-Za-zéûÉÛ]{3,9})\.?[ ,-]{1,2}(?:19|20)\d{2}"
    r"|[A-Z][a-z]{2,8}\.? \d{1,2}(?:st|nd|rd|th)?,? (?:19|20)\d{2})"
)


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed([int(c) for c in digits])):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit())


def _ontario(text: str) -> bool:
    """Tell whether ten digits are an Ontario health number (Luhn, never a leading zero)."""
    digits = _digits(text)
    return len(digits) == 10 and digits[0] != "0" and _luhn(digits)


def _ramq(text: str) -> bool:
    """Tell whether the month (women: +50) and day of a Quebec health number are real."""
    digits = _digits(text)
    return 1 <= int(digits[2:4]) % 50 <= 12 and 1 <= int(digits[4:6]) <= 31


def _nine_digit_id(text: str) -> bool:
    """Tell whether nine grouped digits are a Canadian SIN (Luhn); a US SSN keeps its 3-2-4 shape."""
    if re.fullmatch(r"\d{3}-\d{2}-\d{4}", text):
        return text[:3] not in ("000", "666") and text[0] != "9"
    return _luhn(_digits(text))


def _nhs(text: str) -> bool:
    """Tell whether ten digits are an NHS number (modulus 11)."""
    digits = [int(c) for c in _digits(text)]
    check = 11 - sum(d * w for d, w in zip(digits, range(10, 1, -1), strict=False)) % 11
    return digits[9] == (0 if check == 11 else check) and check != 10


def _no_drive(text: str) -> bool:
    """Tell whether a street called Drive is none of the drives that IT looks after."""
    return not re.search(r"(?i)\b(?:shared|network|mapped|home|hard|disk|usb|flash|group|department) drive\b", text)


def _always(_text: str) -> bool:
    return True


@dataclass(frozen=True)
class Detector:
    """One kind of identifier: a pattern, which group of it is the identifier, and a check."""

    type: str
    pattern: re.Pattern[str]
    check: Callable[[str], bool] = _always

    def spans(self, text: str) -> Iterator[Span]:
        """Yield what this detector would mask."""
        for match in self.pattern.finditer(text):
            group = 1 if self.pattern.groups else 0
            if match.start(group) >= 0 and self.check(match.group(group)):
                yield Span(match.start(group), match.end(group), self.type)


def _detector(kind: str, pattern: str, check: Callable[[str], bool] = _always, flags: int = re.IGNORECASE) -> Detector:
    return Detector(kind, re.compile(pattern, flags), check)


_CARD_WORD = r"(?:ohip|health ?card|hcn|carte sant[ée]|carte soleil|ramq|phn|mbi|medicare)"
_BIRTH_WORD = r"(?:d\.?o\.?b\.?|birth ?date|date of birth|born(?: on)?|b\.?d\.?|ddn|date de naissance|n[ée]e?(?: le)?)"
_STREET_WORD = r"(?i:street|st|avenue|ave|road|rd|drive|dr|lane|ln|crescent|cres|boulevard|blvd|court|place)"
_STREET = rf"(?:(?:[A-Z][\w'’.-]*|\d+(?:st|nd|rd|th)) ){{1,4}}{_STREET_WORD}\b\.?"
_RUE = (
    r"(?i:rue|avenue|av\.|boulevard|boul\.|chemin|ch\.|rang|place|all[ée]e) "
    r"(?:(?:de|du|des|la|le|l'|d') ?)*[A-ZÀ-Þ][\w'’-]*(?:[ -][A-ZÀ-Þ][\w'’-]*){0,3}"
)
_PATIENT_WORD = (
    r"(?:[Pp]atient(?:e)?|PATIENT(?:E)?|[Pp]t|PT|[Uu]sag[eè]re?|[Rr][ée]sidente?|[Rr]esident"
    r"|[Bb]aby|[Bb][ée]b[ée]|[Nn]ewborn)"
)
_TITLE = r"(?:Mr|Mrs|Ms|Miss|Mme|Mlle|Madame|Monsieur|M)(?:\.[ ]?|[ ])"
_IS_CALLED = rf"(?:['’]s)?[ ]{{0,2}}(?:name|nom)?[ ]?(?:is|est|named|nomm[ée]e?)?[ ]?:?[ ]?(?:{_TITLE})?"

# In order of trust: a later detector never takes what an earlier one has.
_DIGIT_DETECTORS = (
    _detector(
        "MRN",
        rf"\b{_ID_WORD}\b{_SEP}(?:(?:is|est|no|number|num[ée]ro){_SEP})?([A-Z]{{0,3}}-?\d[\dA-Z-]{{3,14}})\b",
    ),
    _detector("HEALTH_CARD", r"\b([A-Z]{4}[ -]?\d{4}[ -]?\d{4})\b", _ramq),
    _detector("HEALTH_CARD", rf"\b{_CARD_WORD}\b\D{{0,12}}\b([A-Z]{{4}}[ -]?\d{{4}}[ -]?\d{{4}})\b"),
    _detector("HEALTH_CARD", rf"\b{_CARD_WORD}\b\D{{0,15}}([\dA-Z][\dA-Z -]{{7,14}}[\dA-Z])\b"),
    _detector("HEALTH_CARD", r"(?<![\w.-])(\d{4}[ -]?\d{3}[ -]?\d{3}(?:[ -]?[A-Z]{2})?)(?![\w.-])", _ontario),
    _detector("HEALTH_CARD", r"\bnhs\b\D{0,12}(\d{3}[ -]?\d{3}[ -]?\d{4})\b", _nhs),
    _detector("SSN", r"(?<![\w.-])(\d{3}-\d{2}-\d{4}|\d{3}[ -]\d{3}[ -]\d{3})(?![\w.-])", _nine_digit_id),
    _detector("DOB", rf"\b{_BIRTH_WORD}\b{_SEP}(?:(?:is|was|on|est|le){_SEP}){{0,2}}({_DATE})"),
    _detector("DOB", rf"({_DATE})(?=\s*\(?(?:dob|birth|naissance)\b)"),
    _detector("ADDRESS", rf"(?<![\d:.])\b(\d{{1,5}}[A-Za-z]? {_STREET})", _no_drive, flags=0),
    _detector("ADDRESS", rf"\b(\d{{1,5}},? {_RUE})", flags=0),
)
_EMAIL = _detector("EMAIL", r"(?<![\w.+-])([\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63}){1,4})")
_NAME_DETECTORS = (
    _detector("NAME", r"\b([A-ZÀ-Þ]{2,}(?:[-'’][A-ZÀ-Þ]+)?\^[A-ZÀ-Þ]+(?:\^[A-ZÀ-Þ]*)*)", flags=0),
    _detector("NAME", rf"\b{_PATIENT_WORD}{_IS_CALLED}({_NAMES})", flags=0),
    _detector("NAME", rf"\b{_TITLE}({_NAMES})", flags=0),
    _detector(
        "NAME",
        r"\b(?:chart|file|record|results?|r[ée]sultats?|dossier|labs?|meds?|wristband|bracelet)s? "
        rf"(?:of|for|de|d')[ ]?({_NAMES})",
        flags=0,
    ),
    _detector("NAME", rf"\b({_NAME_WORD},[ ]?{_NAME_WORD})(?=[ ,;(]+(?:MRN|DOB|dob|mrn|DDN|ddn|dossier))", flags=0),
)
_NAME_BEFORE = _detector("NAME", rf"\b({_NAMES})(?=[ ,;(]+(?:MRN|DOB|dob|mrn|DDN|ddn|n[ée]e? le|born)\b)", flags=0)
_TRIGGER = re.compile(
    r"\^|patient|\bpt\b|usag|r[ée]sident|baby|b[ée]b[ée]|newborn|\bm(?:r|rs|s|me|lle|iss|adame|onsieur)?[. ]"
    r"|chart|file|record|r[ée]sult|dossier|lab|med|band|bracelet|mrn|dob|ddn|n[ée]e? le|born",
    re.IGNORECASE,
)
_GAP = r"[ \u00a0\u202f.\u2010-\u2014-]?"
_PHONE = _detector(
    "PHONE",
    rf"(?<![\w-])(?<!\d[.:])((?:\+\d{{1,2}}{_GAP}|1{_GAP})?\(?\d{{3}}\)?{_GAP}\d{{3}}{_GAP}\d{{4}})(?=x\d|(?![\w-]))",
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


def redact(raw: str) -> Masked:
    """Return the text with every identifier replaced by a numbered placeholder such as [NAME-1].

    The same identifier gets the same number within a text. Spans are offsets of the
    original. Never raises: a failure withholds the whole text.
    """
    try:
        spans = find_spans(raw)
        return Masked(_replace(raw, spans), spans)
    except Exception:  # noqa: BLE001 - whatever broke, an unmasked text must not pass
        return Masked(WITHHELD, failed=True)


def find_spans(raw: str) -> tuple[Span, ...]:
    """Return what must be masked, in order, without overlaps."""
    taken: list[Span] = []
    covered = bytearray(len(raw))  # one byte a character: asking it costs the same however much is masked
    for detect in _detectors_for(raw):
        for span in detect(raw):
            if covered.find(1, span.start, span.end) < 0:
                covered[span.start : span.end] = b"\x01" * (span.end - span.start)
                taken.append(span)
    return tuple(sorted(taken, key=lambda span: span.start))


def _detectors_for(raw: str) -> Iterator[Callable[[str], Iterator[Span]]]:
    """Yield only the detectors that can possibly match: most tickets hold no digit run and no name cue."""
    if "@" in raw:
        yield _EMAIL.spans
    if any(c.isdigit() for c in raw):
        yield from (detector.spans for detector in _DIGIT_DETECTORS)
        yield _PHONE.spans
    if _TRIGGER.search(raw):
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


def _replace(raw: str, spans: tuple[Span, ...]) -> str:
    numbers: dict[tuple[str, str], int] = {}
    counts: dict[str, int] = {}
    parts, last = [], 0
    for span in spans:
        same = (span.type, "".join(raw[span.start : span.end].lower().split()))
        if same not in numbers:
            counts[span.type] = numbers[same] = counts.get(span.type, 0) + 1
        parts += [raw[last : span.start], f"[{span.type}-{numbers[same]}]"]
        last = span.end
    return "".join([*parts, raw[last:]])
