"""Owns masking: what identifies a patient is replaced before a text is stored, logged, learned or sent.

Layers: identifiers with a shape, names that their surroundings give away, and names
that a small learned tagger recognises. It keeps what IT needs (device tags, hosts, IPs,
versions, rooms, error codes). It never claims that a text is de-identified, and it
refuses to guess quietly: when it breaks, the caller withholds the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from triage.redact import learned
from triage.redact.identifiers import Cover, certain, doubtful, first_come
from triage.redact.mend import hide
from triage.redact.names import name_rules
from triage.redact.plain import plain
from triage.redact.protect import protected
from triage.ticket import Masked, Span

LEAST_WORDS = 6
_WORDS = re.compile(r"[^\W\d_]{2,}")
WITHHELD = "[text withheld: masking failed]"


def redact(raw: str, keep: Iterable[str] = ()) -> Masked:
    """Return the text with every identifier replaced by a numbered placeholder such as [NAME-1].

    The same identifier gets the same number within a text. Spans are offsets of the
    original. `keep` holds a site's own words that stay readable, such as buildings
    named after people. Never raises: a failure withholds the whole text.
    """
    try:
        spans = find_spans(raw, keep)
        return Masked(_replace(raw, spans), spans)
    except Exception:  # noqa: BLE001 - whatever broke, an unmasked text must not pass
        return Masked(WITHHELD, failed=True)


def find_spans(raw: str, keep: Iterable[str] = ()) -> tuple[Span, ...]:
    """Return what must be masked, in order, without overlaps.

    `keep` frees names and guesses, never a number or date that a word beside it or a
    checksum proves to be a patient's.
    """
    text, places = plain(raw)
    models = learned.load()
    proved = certain(text)
    guessed = doubtful(text, proved)
    ruled = sorted(proved + guessed, key=lambda span: span.start)
    looked = models.codes.look(text, ruled)
    codes = _codes(text, proved, guessed, models.codes.judge(looked, ruled))
    own = _occurrences(text, keep)
    free = Cover(text, [*protected(text), *own])
    names = _uncovered(text, first_come(text, name_rules(text), taken=codes), Cover(text, own))
    tagged, homes = models.names.spans(text, codes)
    names += _uncovered(text, tagged, free)
    if looked:
        again = models.codes.look_again(text, looked, names)
        codes = _codes(text, proved, guessed, models.codes.judge(again, ruled))
    guesses = [span for span in [*codes, *homes] if not free.holds(span)]
    spans = _merged(_whole_words(text, proved + guesses + names))
    if places is None:
        return tuple(spans)
    return tuple(Span(places[span.start], _end(raw, places[span.end - 1] + 1), span.type) for span in spans)


def _whole_words(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """Yield spans that end where words do: half a postal code is still most of one."""
    for span in spans:
        start, end = span.start, span.end
        while start > 0 and _in_word(text[start - 1]) and _in_word(text[start]):
            start -= 1
        while end < len(text) and _in_word(text[end - 1]) and _in_word(text[end]):
            end += 1
        yield Span(start, end, span.type)


def _in_word(character: str) -> bool:
    # Other scripts put no spaces between words: there a word's end cannot be seen.
    return character < "\u0250" and character.isalnum()


def _codes(text: str, proved: list[Span], guessed: list[Span], judged: tuple[list[Span], list[Span]]) -> list[Span]:
    """Return the numbers, dates and addresses that go: the proved ones, and the others as they are judged.

    With only a few words around them there is nothing to judge by: the detectors' word stands.
    """
    theirs, ours = judged
    if guessed and _few_words(text, guessed):
        ours = []
    sure, not_theirs = Cover(text, proved), Cover(text, ours)
    found = proved + [span for span in theirs if not sure.touches(span)]
    return _merged(found + [span for span in guessed if not not_theirs.touches(span)])


def _few_words(text: str, guessed: list[Span]) -> bool:
    shaped = Cover(text, guessed)
    return sum(not shaped.touches(Span(*word.span(), "")) for word in _WORDS.finditer(text)) < LEAST_WORDS


def _end(raw: str, end: int) -> int:
    """Move the end of a span behind the accents that belong to its last letter."""
    while end < len(raw) and unicodedata.combining(raw[end]):
        end += 1
    return end


def _uncovered(text: str, names: Iterable[Span], free: Cover) -> list[Span]:
    """Return what is left of names outside the words that stay readable."""
    left: list[Span] = []
    for name in names:
        if not free.touches(name):
            left.append(name)
            continue
        for word in re.finditer(r"[^\s,]+", text[name.start : name.end]):
            part = Span(name.start + word.start(), name.start + word.end(), name.type)
            if not free.touches(part):
                left.append(part)
    return left


def _occurrences(text: str, phrases: Iterable[str]) -> list[Span]:
    """Return where whole phrases stand, whatever their case."""
    words = "|".join(re.escape(phrase.strip()) for phrase in phrases if phrase.strip())
    pattern = rf"(?<!\w)(?:{words})(?!\w)"
    return [Span(m.start(), m.end(), "") for m in re.finditer(pattern, text, re.IGNORECASE)] if words else []


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, those that overlap as one: two layers may see parts of the same identifier."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if merged and span.start < merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end), merged[-1].type)
        else:
            merged.append(span)
    return merged


def _replace(raw: str, spans: Sequence[Span]) -> str:
    parts, last = [], 0
    for span, placeholder in zip(spans, _placeholders(raw, spans), strict=True):
        parts += [raw[last : span.start], placeholder]
        last = span.end
    return "".join([*parts, raw[last:]])


def _placeholders(raw: str, spans: Iterable[Span]) -> Iterator[str]:
    """Yield what stands for each span: the same identifier gets the same number."""
    numbers: dict[tuple[str, str], int] = {}
    counts: dict[str, int] = {}
    for span in spans:
        same = (span.type, "".join(raw[span.start : span.end].lower().split()))
        if same not in numbers:
            counts[span.type] = numbers[same] = counts.get(span.type, 0) + 1
        yield f"[{span.type}-{numbers[same]}]"


def redact_beside(field: str, raw: str, masked: Masked, keep: Iterable[str] = ()) -> str:
    """Return a short field of the same ticket masked: by itself, and of everything that the text gave away.

    "bed of Doe" tells nothing of a name; beside "pt Jane Doe ..." it does. `raw` is the
    text before masking.
    """
    for span, placeholder in zip(masked.spans, _placeholders(raw, masked.spans), strict=True):
        words = raw[span.start : span.end]
        parts = re.findall(r"[^\W\d_]{3,}", words) if span.type == "NAME" else []
        for known in (words, *parts):
            field = hide(field, known, placeholder)
    return redact(field, keep).text
