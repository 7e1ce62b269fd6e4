"""Owns masking: what identifies a patient is replaced before a text is stored, logged, learned or sent.

Layers: identifiers with a shape, names that their surroundings give away, and names
that a small learned tagger recognises. It keeps what IT needs (device tags, hosts, IPs,
versions, rooms, error codes). It never claims that a text is de-identified, and it
refuses to guess quietly: when it breaks, the caller withholds the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from triage.redact import learned
from triage.redact.identifiers import Cover, certain, doubtful, first_come
from triage.redact.names import name_rules
from triage.redact.protect import protected
from triage.ticket import Masked, Span

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
    text, places = _plain(raw)
    models = learned.load()
    proved = certain(text)
    guessed = doubtful(text, proved)
    theirs, ours = models.codes.judge(text, sorted(proved + guessed, key=lambda span: span.start))
    sure, not_theirs = Cover(text, proved), Cover(text, ours)
    found = proved + [span for span in theirs if not sure.touches(span)]
    found = _merged(found + [span for span in guessed if not not_theirs.touches(span)])
    own = _occurrences(text, keep)
    free = Cover(text, [*protected(text), *own])
    names = _uncovered(text, first_come(text, name_rules(text), taken=found), Cover(text, own))
    names += _uncovered(text, models.names.names(text, found), free)
    spans = _merged(proved + [span for span in found if not free.holds(span)] + names)
    if places is None:
        return tuple(spans)
    return tuple(Span(places[span.start], _end(raw, places[span.end - 1] + 1), span.type) for span in spans)


def _end(raw: str, end: int) -> int:
    """Move the end of a span behind the accents that belong to its last letter."""
    while end < len(raw) and unicodedata.combining(raw[end]):
        end += 1
    return end


def _plain(raw: str) -> tuple[str, list[int] | None]:
    """Return the text as a reader sees it, and where each of its characters stands in the original.

    Full-width digits and letters become plain ones; invisible characters and accents that
    stand by themselves go: they would tear an identifier apart. None when every character stays where it is.
    """
    if raw.isascii():
        return raw, None
    kept = [(i, plain) for i, c in enumerate(raw) if (plain := _seen(c))]
    return "".join(plain for _, plain in kept), [i for i, _ in kept]


_PLAIN = {"\u00ad": "", "\u00a0": " ", "\u202f": " "} | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")


def _seen(character: str) -> str:
    if (known := _PLAIN.get(character)) is not None:
        return known
    if unicodedata.combining(character):
        return ""
    if character < "\u2000":
        return character
    if unicodedata.category(character) == "Cf":
        return ""
    plain = unicodedata.normalize("NFKC", character)
    return plain if len(plain) == 1 else character


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
