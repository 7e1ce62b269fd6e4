"""Owns which numbers, dates, phones and e-mails are a patient's and which are IT's, by learned weights.

A candidate is anything with digits in it, or an e-mail address. What decides is its
shape, the words beside it, and whether a detector of `identifiers` knows it; so a bare
record number goes and an asset tag stays. Weights come from the same file as the tagger's.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from triage.redact.identifiers import luhn
from triage.redact.words import PATIENT_WORDS, STAFF_WORDS, fold, name_lists, tokens_of
from triage.ticket import Span

_MONTH = (
    r"(?:jan(?:v|uary|vier)?|f[eé]v(?:rier)?|feb(?:ruary)?|mar(?:ch|s)?|a[vp]r(?:il)?|ma[iy]|june?|juin|jul(?:y)?"
    r"|juil(?:let)?|ao[uû]t|aug(?:ust)?|sept?(?:ember|embre)?|oct(?:ober|obre)?|nov(?:ember|embre)?|d[eé]c(?:ember|embre)?)"
)
_ORDINAL = r"\d{1,2}(?:er|st|nd|rd|th)?"
_DATE = (
    rf"\b{_ORDINAL}[ -]?{_MONTH}\.?[ ,-]{{1,2}}\d{{2,4}}\b|\b{_MONTH}\.?[ -]{_ORDINAL},?[ -]\d{{2,4}}\b"
    r"|(?<![\w.-])(?:\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2} \d{1,2} (?:19|20)\d\d)"
    r"(?![\w-])"
)
_PHONE = r"(?<![\w-])(?:\+?\d{1,2}[ .-]?)?(?:\(\d{3}\)|\d{3})[ .-]?\d{3}[ .-]?\d{4}(?=x\d|(?![\w-]))"
_LABEL = "MRN|DOB|DDN|PHN|NAM|NHS|SIN|NAS|SSN|RAMQ|OHIP|TEL|EXT|ROOM|BED|NO|PT"  # no letters of a number itself
_GROUPS = (
    r"(?<![\w.-])(?:[A-Za-z]{4}[ -]?\d{4}[ -]?\d{4}|\d{1,5}(?: \d{2,4}){1,3}(?: ?[A-Z]{2})?"
    rf"|(?-i:(?!{_LABEL})[A-Z]{{1,4}}) \d{{2,8}}(?:[ -]\d{{2,8}}){{0,3}})"
    r"(?![\w-])"
)
_CODE = (
    r"(?<![^\W_])[^\W_]{0,60}\d[^\W_]{0,200}(?:[-./:][^\W_]{1,60}){0,8}"
    r"|(?<![^\W_])[^\W\d_]{1,30}(?:[-/][^\W_]{1,30}){0,4}-[^\W_]{0,30}\d[^\W_]{0,60}(?:[-./:][^\W_]{1,60}){0,8}"
)
_CANDIDATE = re.compile(
    r"(?P<email>[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63}){0,4})"
    rf"|(?P<date>{_DATE})|(?P<phone>{_PHONE})|(?P<groups>{_GROUPS})|(?P<code>{_CODE})",
    re.IGNORECASE,
)
_AGE = re.compile(r"(?:9\d|1[01]\d)")
_AGE_AFTER = re.compile(r"[ -]?(?:ans\b|yo\b|y/o|yrs?\b|years?\b|year-old|yr-old|y\.o)", re.IGNORECASE)
_FREE_MAIL = re.compile(
    r"@(?:gmail|hotmail|yahoo|outlook|icloud|live|videotron|sympatico|rogers|shaw|telus|bell|aol|me|proton)",
    re.IGNORECASE,
)
_REPEAT = re.compile(r"(.)\1+")
_YEAR = re.compile(r"(?:19|20)\d\d")
NEAR = 8  # words to each side that are read


@dataclass(frozen=True, slots=True)
class Candidate:
    """A number, date, phone or address that may be a patient's, and what is known about it."""

    start: int
    end: int
    features: list[str]


def candidates(text: str, ruled: Sequence[Span]) -> list[Candidate]:
    """Return every candidate of a text with its features; `ruled` is what the detectors found, in order."""
    matches = [match for match in _CANDIDATE.finditer(text) if _matters(match)]
    if not matches:
        return []
    tokens = tokens_of(text)
    starts = [token.start for token in tokens]
    lows = [token.low for token in tokens]
    ends = [span.end for span in ruled]
    known = not PATIENT_WORDS.isdisjoint(lows)
    found = []
    for match in matches:
        start, end = match.span()
        rule = _overlapped(ruled, ends, start, end)
        first, last = bisect_left(starts, start), bisect_left(starts, end)
        before, after = lows[max(0, first - NEAR) : first][::-1], lows[last : last + NEAR]
        features = ["", *_looks(match.group(), match.lastgroup or ""), *_place(match, rule, known=known)]
        found.append(Candidate(start, end, [*features, *_surroundings(before, after, match.lastgroup or "")]))
    return found


def _overlapped(ruled: Sequence[Span], ends: Sequence[int], start: int, end: int) -> str:
    """Return the type of the first detected span that a stretch of the text touches."""
    place = bisect_right(ends, start)
    return ruled[place].type if place < len(ruled) and ruled[place].start < end else ""


def _matters(match: re.Match[str]) -> bool:
    word = match.group()
    if match.lastgroup != "code":
        return True
    digits = sum(map(str.isdigit, word))
    if digits >= 4 or (digits >= 3 and not word.isdigit()):
        return True
    return bool(_AGE.fullmatch(word) and _AGE_AFTER.match(match.string, match.end()))


def _looks(word: str, kind: str) -> Iterator[str]:
    """Yield what the characters of a candidate say."""
    digits = [int(c) for c in word if c.isdecimal()]
    yield f"kind={kind}"
    yield f"form={_form(word)}"
    yield f"sq={_squeezed(word)}"
    yield f"n={len(digits)} {kind}"
    prefix = re.match(r"[^\W\d_]*", word)
    if prefix and prefix.group():
        yield f"pre={fold(prefix.group())}"
        yield f"prelen={len(prefix.group())} n={len(digits)}"
    if kind == "email":
        yield from _mailbox(word)
    if kind == "date":
        year = _YEAR.search(word)
        yield f"decade={year.group()[:3] if year else ''}"
    if word.isdigit() and len(digits) == 8:
        yield f"ymd={word[:2]} {int(word[4:6]) in range(1, 13)} {int(word[6:]) in range(1, 32)}"
    if len(digits) in (9, 10):
        yield f"luhn={luhn(digits)} {len(digits)}"


def _squeezed(word: str) -> str:
    return _REPEAT.sub(r"\1+", _form(word))


def _form(word: str) -> str:
    return "".join("9" if c.isdigit() else "A" if c.isupper() else "a" if c.isalpha() else c for c in word[:18])


def _mailbox(word: str) -> Iterator[str]:
    given, family = name_lists()
    local, _, domain = fold(word).partition("@")
    yield "free" if _FREE_MAIL.search(word) else "org"
    yield f"dom={domain}"
    parts = [part for part in re.split(r"[._0-9-]", local) if len(part) > 2]
    yield f"localname={any(part in given or part in family for part in parts)}"


def _place(match: re.Match[str], rule: str, *, known: bool) -> Iterator[str]:
    """Yield where a candidate stands: which detector knows it, whether the text speaks of a patient, its edges."""
    text, (start, end) = match.string, match.span()
    yield f"rule={rule} {match.lastgroup}"
    yield f"pat {known} {_squeezed(match.group())}"
    yield f"line={start == text.rfind(chr(10), 0, start) + 1}"
    yield f"edge={text[max(0, start - 1) : start]} {text[end : end + 1]}"


def _surroundings(before: Sequence[str], after: Sequence[str], kind: str) -> Iterator[str]:
    """Yield what the words around say, the nearest first in both."""
    given, family = name_lists()
    words_before = [word for word in before if word[:1].isalpha()][:4]
    words_after = [word for word in after if word[:1].isalpha()][:4]
    yield from (f"b{place}={word}" for place, word in enumerate(before[:3]))
    yield from (f"a{place}={word}" for place, word in enumerate(after[:2]))
    yield from (f"near<{word}" for word in words_before)
    yield from (f"near>{word}" for word in words_after)
    if words_before:
        yield f"bw={words_before[0]}"
        yield f"bw={words_before[0]} {kind}"
        yield f"bb={' '.join(words_before[1::-1])}"
    if words_after:
        yield f"aw={words_after[0]}"
    yield f"named<{''.join('n' if word in given or word in family else '.' for word in words_before[:3])}"
    yield f"named>{''.join('n' if word in given or word in family else '.' for word in words_after[:2])}"
    yield f"pat<{not PATIENT_WORDS.isdisjoint(before)} {kind}"
    yield f"staff<{not STAFF_WORDS.isdisjoint(before)} {kind}"


Looked = list[tuple[Candidate, list[float]]]  # every candidate of a text with its share per type


@dataclass(frozen=True, slots=True)
class CodeModel:
    """Weights per feature, one for every type of `types` (the first is "", IT's own).

    The second look also knows the first shares of all candidates and where patients are
    named. `least` and `ruled` are the least probabilities of being a patient's, without
    and with a detector's word.
    """

    types: list[str]
    first: dict[str, list[float]]
    second: dict[str, list[float]]
    least: float
    ruled: float

    def look(self, text: str, ruled: Sequence[Span]) -> Looked:
        """Return the candidates of a text at first sight; `ruled` is what the detectors found, in order."""
        return [(one, _shares(self.first, one.features)) for one in candidates(text, ruled)]

    def look_again(self, text: str, looked: Looked, names: Sequence[Span]) -> Looked:
        """Return the same candidates, now that the names of patients are known."""
        more = second_features(text, looked, names)
        return [(one, _shares(self.second, [*one.features, *new])) for (one, _), new in zip(looked, more, strict=True)]

    def judge(self, looked: Looked, ruled: Sequence[Span]) -> tuple[list[Span], list[Span]]:
        """Return what is a patient's, and what is not although it has digits."""
        theirs: list[Span] = []
        ours: list[Span] = []
        ends = [span.end for span in ruled]
        for one, shares in looked:
            known = _overlapped(ruled, ends, one.start, one.end)
            if 1 - shares[0] >= (self.ruled if known else self.least):
                best = max(range(1, len(shares)), key=shares.__getitem__)
                theirs.append(Span(one.start, one.end, known or self.types[best]))
            else:
                ours.append(Span(one.start, one.end, ""))
        return theirs, ours


def _shares(weights: dict[str, list[float]], features: Sequence[str]) -> list[float]:
    """Return the probability of each type."""
    rows = [row for name in set(features) if (row := weights.get(name)) is not None]
    scores = [sum(column) for column in zip(*rows, strict=True)]
    top = max(scores)
    shares = [math.exp(score - top) for score in scores]
    whole = sum(shares)
    return [share / whole for share in shares]


def second_features(text: str, looked: Looked, names: Sequence[Span]) -> list[list[str]]:
    """Return for each candidate what its first share, the other candidates and the names around say."""
    theirs = [1 - shares[0] for _, shares in looked]
    strong = sum(share > 1 / 2 for share in theirs)
    levels = ["", *map(_level, theirs), ""]
    named = min(2, len(names))
    starts, ends = sorted(name.start for name in names), sorted(name.end for name in names)
    found = []
    for number, (one, shares) in enumerate(looked):
        own, best = levels[number + 1], max(range(1, len(shares)), key=shares.__getitem__)
        others = min(3, strong - (theirs[number] > 1 / 2))
        before, after = bisect_right(ends, one.start), bisect_left(starts, one.end)
        gap1 = _gap(text[ends[before - 1] : one.start]) if before else ""
        gap2 = _gap(text[one.end : starts[after]]) if after < len(starts) else ""
        found.append(
            [
                f"own={own}",
                f"own={own} {best}",
                f"named={named}",
                f"named={named} own={own}",
                f"named={named} {best}",
                f"gb={gap1}",
                f"ga={gap2}",
                f"gb={gap1} own={own}",
                f"ga={gap2} own={own}",
                f"others={others} named={named}",
                f"others={others} own={own}",
                f"cb={levels[number]}",
                f"ca={levels[number + 2]}",
                f"inname={before < after}",  # some name begins before its end and ends after its start
            ]
        )
    return found


def _level(share: float) -> str:
    return str(max(-6, min(6, round(math.log((share + 1e-4) / (1 - share + 1e-4))))))


def _gap(between: str) -> str:
    """Return how far apart two things stand, in steps, and whether on one line."""
    size = sum(len(between) > limit for limit in (3, 12, 40, 120))
    return f"{size}{'n' if chr(10) in between else ''}"
