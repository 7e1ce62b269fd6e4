"""Owns the identifiers that have a shape: numbers, dates, e-mail and home addresses; refuses names.

Each detector is a pattern, often with a word beside it that says what the number is,
and a checksum where the number has one. Every pattern is linear in the text's length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from triage.ticket import Span

_SEP = r"[\s:#=.°º-]{0,4}"
_ID_WORD = (
    r"(?:mrn|m\.r\.n|medical record(?: (?:number|no))?|chart(?: (?:number|no))?|unit (?:number|no)"
    r"|patient (?:id|number|no)|pt (?:id|number)|encounter|visit (?:number|no|id)|acct|account number"
    r"|csn|har|accession|acc"
    r"|num[ée]ro de dossier|no de dossier|dossier(?: no)?|n[°º] de dossier|nam|patient num[ée]ro)"
)
_DATE = (
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/. ]\d{1,2}[-/. ](?:19|20)?\d{2}"
    r"|\d{1,2}(?:er|st|nd|rd|th)?[ -](?:[A-Za-zéûÉÛ]{3,9})\.?[ ,-]{1,2}(?:19|20)\d{2}"
    r"|[A-Z][a-z]{2,8}\.? \d{1,2}(?:st|nd|rd|th)?,? (?:19|20)\d{2})"
)


def luhn(digits: Sequence[int]) -> bool:
    """Tell whether digits pass the Luhn check (ISO/IEC 7812-1)."""
    return (sum(digits[-1::-2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])) % 10 == 0


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit())


def _ontario(text: str) -> bool:
    """Tell whether ten digits are an Ontario health number (Luhn, never a leading zero)."""
    digits = _digits(text)
    return len(digits) == 10 and digits[0] != "0" and luhn([int(c) for c in digits])


def _ramq(text: str) -> bool:
    """Tell whether the month (women: +50) and day of a Quebec health number are real."""
    digits = _digits(text)
    return 1 <= int(digits[2:4]) % 50 <= 12 and 1 <= int(digits[4:6]) <= 31


def _nine_digit_id(text: str) -> bool:
    """Tell whether nine grouped digits are a Canadian SIN (Luhn); a US SSN keeps its 3-2-4 shape."""
    if re.fullmatch(r"\d{3}-\d{2}-\d{4}", text):
        return text[:3] not in ("000", "666") and text[0] != "9"
    return luhn([int(c) for c in _digits(text)])


def _nhs(text: str) -> bool:
    """Tell whether ten digits are an NHS number (modulus 11)."""
    digits = [int(c) for c in _digits(text)]
    check = 11 - sum(d * w for d, w in zip(digits, range(10, 1, -1), strict=False)) % 11
    return digits[9] == (0 if check == 11 else check) and check != 10


def _no_drive(text: str) -> bool:
    """Tell whether a street called Drive is none of the drives that IT looks after."""
    return not re.search(r"(?i)\b(?:shared|network|mapped|home|hard|disk|usb|flash|group|department) drive\b", text)


def _canadian_postal(text: str) -> bool:
    """Tell whether a postal code uses only the letters that Canada Post does."""
    return text[0].upper() in "ABCEGHJKLMNPRSTVXY" and not set("DFIOQU").intersection(text.upper())


def _long_enough(text: str) -> bool:
    """Tell whether digits in groups are enough for a record number."""
    return len(_digits(text)) >= 5


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


def detector(kind: str, pattern: str, check: Callable[[str], bool] = _always, flags: int = re.IGNORECASE) -> Detector:
    """Return a detector; the first group of the pattern, where there is one, is the identifier."""
    return Detector(kind, re.compile(pattern, flags), check)


_CARD_WORD = r"(?:ohip|health ?card|hcn|carte sant[ée]|carte soleil|ramq|phn|mbi|medicare)"
_BIRTH_WORD = r"(?:d\.?o\.?b\.?|birth ?date|date of birth|born(?: on)?|b\.?d\.?|ddn|date de naissance|n[ée]e?(?: le)?)"
_NUMBER = r"(?<![\d:./-])\b\d{1,6}(?: ?-? ?[A-Za-z]|-\d{1,4})?"
_STREET_WORD = (
    r"(?:street|str|st|avenue|ave|road|rd|drive|dr|lane|ln|crescent|cres|boulevard|blvd|court|ct|place|way|circle"
    r"|terrace|terr|parkway|pkwy|highway|hwy|concession|sideroad|trail|close|gardens|gate)"
)
# Lower case only before a kind of street that is no other word.
_PLAIN_STREET_WORD = r"(?:street|avenue|ave|road|rd|crescent|cres|boulevard|blvd|lane|terrace)"
_STREET = (
    rf"(?:(?:[A-Z][\w'’.-]*|\d+(?:st|nd|rd|th)) ){{1,4}}(?i:{_STREET_WORD})\b\.?"
    rf"|(?:(?:[a-z][\w'’-]*|\d+(?:st|nd|rd|th)) ){{1,3}}{_PLAIN_STREET_WORD}\b\.?"
)
_RUE_WORD = (
    r"(?i:rue|avenue|av\.|av|boulevard|boul\.?|bd|chemin|ch\.|rang|place|all[ée]e|mont[ée]e|impasse|c[oô]te|route)"
)
_RUE = (
    rf"(?:{_RUE_WORD} (?:(?:de|du|des|la|le|l'|d'|à) ?)*[\w'’-]+(?:[ -][A-ZÀ-Þ][\w'’-]*){{0,3}}"
    rf"|\d{{1,3}}(?:e|re|er|ère|ième) {_RUE_WORD}(?: (?i:est|ouest|nord|sud))?)"
)
_POSTAL = r"[A-Za-z]\d[A-Za-z][ -]?\d[A-Za-z]\d"
_REGION = r"(?:ON|QC|BC|AB|MB|SK|NS|NB|NL|PE|NU|NT|YT|Ontario|Qu[ée]bec|[A-Z]{2})"
_QUARTER = r"(?: (?i:nw|ne|sw|se|n|s|e|w|est|ouest|nord|sud|north|south|east|west)\b\.?)"
_FLAT = r"(?:[,^]{0,2} ?(?i:apt|app|appt|apartment|unit|suite|ste|bureau|flat|bsmt|lot|#)\.? ?#?[\w-]{1,6})"
_TOWN_WORD = r"(?:Ste?\.|[A-ZÀ-Þ](?:[^\W\d_]|['’])+)(?![\d])"
_TOWN = rf"(?:, ?{_TOWN_WORD}(?:[ -](?:(?:de|du|des|la|le|sur|the)[ -]){{0,2}}{_TOWN_WORD}){{0,3}})"
# In a message of another system the parts of an address stand between ^.
_SYSTEM_TAIL = rf"(?:\^{{1,2}}[A-Z][A-Z .'-]{{1,40}}\^{_REGION}\^(?:{_POSTAL}|\d{{5}}))"
_LOWER_TOWN = rf"(?:,? [a-zà-ÿ'-]{{3,20}}(?:,? (?i:{_REGION}))?,? (?={_POSTAL}\b))"
_TAIL = (
    rf"{_QUARTER}?{_FLAT}?(?:{_SYSTEM_TAIL}|(?:{_TOWN}|{_LOWER_TOWN})?{_FLAT}?(?:,? ?\(?{_REGION}\)?\b)?"
    rf"(?:,? ?{_POSTAL}\b|,? ?\d{{5}}(?:-\d{{4}})?\b)?)"
)
_GREAT_AGE = r"(?:9\d|1[01]\d)"  # 90 and more: so few are so old that the age tells who it is
# In order of trust: a later detector never takes what an earlier one has. Their word, shape or checksum proves them.
CERTAIN = (
    detector(
        "MRN",
        rf"\b{_ID_WORD}\b{_SEP}(?:(?:is|est|no|number|num[ée]ro){_SEP})?([A-Z]{{0,3}}-?\d[\dA-Z-]{{3,14}})\b",
    ),
    detector("MRN", rf"\b{_ID_WORD}\b{_SEP}(\d{{1,4}}(?:[ -]\d{{1,4}}){{1,4}})(?![\w-])", _long_enough),
    detector("HEALTH_CARD", r"\b([A-Z]{4}[ -]?\d{4}[ -]?\d{4})\b", _ramq),
    detector("HEALTH_CARD", rf"\b{_CARD_WORD}\b\D{{0,12}}\b([A-Z]{{4}}[ -]?\d{{4}}[ -]?\d{{4}})\b"),
    detector("HEALTH_CARD", rf"\b{_CARD_WORD}\b\D{{0,15}}([\dA-Z][\dA-Z -]{{7,14}}[\dA-Z])\b"),
    detector("HEALTH_CARD", r"\bnhs\b\D{0,12}(\d{3}[ -]?\d{3}[ -]?\d{4})\b", _nhs),
    detector("SSN", r"(?<![\w.-])(\d{3}-\d{2}-\d{4})(?![\w.-])", _nine_digit_id),
    detector(
        "SSN",
        r"\b(?:nas|sin|ssn|social (?:insurance|security)|assurance sociale)\b\D{0,15}(\d{3}[ -]?\d{2,3}[ -]?\d{3,4})\b",
    ),
    detector("DOB", rf"\b{_BIRTH_WORD}\b{_SEP}(?:(?:is|was|on|est|le){_SEP}){{0,2}}({_DATE})"),
    detector("DOB", rf"({_DATE})(?=\s*\(?(?:dob|birth|naissance)\b)"),
    detector("ADDRESS", rf"({_NUMBER} (?:{_STREET}){_TAIL})", _no_drive, flags=0),
    detector("ADDRESS", rf"({_NUMBER},? {_RUE}{_TAIL})", flags=0),
    detector("DOB", rf"(?<![\w.,/-])({_GREAT_AGE})(?=[ -]?(?:ans|yo|y/o|y\.o|yrs?|years?|year-old|yr-old|y|m|f)\b)"),
    detector("DOB", rf"\b(?:age|aged|[âa]g[ée]e?(?: de)?)[ :]{{1,2}}({_GREAT_AGE})(?![\w/-]|\.\d)"),
    detector(
        "ADDRESS",
        rf"(?<!\w)((?i:p\.?o\.? ?box|c\.?p\.|r\.?r\.?) ?\d{{1,5}}{_TOWN}?(?:,? {_REGION})?(?:,? {_POSTAL})?)",
        flags=0,
    ),
    detector("ADDRESS", rf"(?<![\w-])({_POSTAL})(?![\w-])", _canadian_postal),
)
_GAP = r"[ \u00a0\u202f.\u2010-\u2014-]?"
# Their shape alone does not tell a patient's from IT's own: `codes` has the last word.
DOUBTFUL = (
    detector("EMAIL", r"(?<![\w.+-])([\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63}){1,4})"),
    detector("HEALTH_CARD", r"(?<![\w.-])(\d{4}[ -]?\d{3}[ -]?\d{3}(?:[ -]?[A-Z]{2})?)(?![\w.-])", _ontario),
    detector("SSN", r"(?<![\w.-])(\d{3}[ -]\d{3}[ -]\d{3})(?![\w.-])", _nine_digit_id),
    detector(
        "PHONE",
        rf"(?<![\w-])(?<!\d[.:])((?:\+\d{{1,2}}{_GAP}|1{_GAP})?\(?\d{{3}}\)?{_GAP}\d{{3}}{_GAP}\d{{4}})(?=x\d|(?![\w-]))",
    ),
)


def certain(text: str) -> list[Span]:
    """Return the identifiers that a word beside them, their shape or a checksum proves, in order, without overlaps."""
    # Most tickets hold no digit: then nothing here can match.
    return first_come(text, (one.spans for one in CERTAIN)) if any(map(str.isdigit, text)) else []


def doubtful(text: str, taken: Iterable[Span]) -> list[Span]:
    """Return what looks like an identifier and may be IT's own, where nothing is `taken`."""
    return (
        first_come(text, (one.spans for one in DOUBTFUL), taken) if "@" in text or any(map(str.isdigit, text)) else []
    )


class Cover:
    """Which characters of a text some spans lie on: asking costs the same however many there are."""

    def __init__(self, text: str, spans: Iterable[Span] = ()) -> None:
        self._bytes = bytearray(len(text))
        for span in spans:
            self.add(span)

    def add(self, span: Span) -> None:
        """Cover one more span."""
        self._bytes[span.start : span.end] = b"\x01" * (span.end - span.start)

    def touches(self, span: Span) -> bool:
        """Tell whether any character of the span is covered."""
        return self._bytes.find(1, span.start, span.end) >= 0

    def holds(self, span: Span) -> bool:
        """Tell whether every character of the span is covered."""
        return self._bytes.find(0, span.start, span.end) < 0


def first_come(
    text: str, detectors: Iterable[Callable[[str], Iterable[Span]]], taken: Iterable[Span] = ()
) -> list[Span]:
    """Return what the detectors find, in order; none takes what `taken` or an earlier one has."""
    cover = Cover(text, taken)
    found: list[Span] = []
    for detect in detectors:
        for span in detect(text):
            if not cover.touches(span):
                cover.add(span)
                found.append(span)
    return sorted(found, key=lambda span: span.start)
