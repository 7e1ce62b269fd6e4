"""Owns hiding words that a person found unmasked; refuses to guess what else should go."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Iterable

from triage.redact.words import fold, name_lists
from triage.ticket import Span

TYPES = ("NAME", "MRN", "HEALTH_CARD", "DOB", "PHONE", "EMAIL", "ADDRESS", "SSN", "ROOM_BED", "ID")
_VOWELS, _CONSONANTS = "aeiouy", "bcdfghjklmnpqrstvwxz"
PLACEHOLDER = re.compile(rf"\[({'|'.join(TYPES)})-(\d+)\]")


def places(text: str, hidden: str) -> list[tuple[int, int]]:
    """Return where words stand in a masked text as whole words, whatever their case, accents and spacing.

    Never inside a placeholder.
    """
    parts = [re.escape(part) for part in _folded(hidden).split()]
    if not parts:
        return []
    pattern = r"(?<!\w)" + r"\s+".join(parts) + r"(?!\w)"
    taken = [match.span() for match in PLACEHOLDER.finditer(text)]
    found = [match.span() for match in re.finditer(pattern, _folded(text))]
    return [(start, end) for start, end in found if not any(start < b and a < end for a, b in taken)]


def _folded(text: str) -> str:
    """Return the text in lower case without accents, every character still at its place."""
    return "".join(unicodedata.normalize("NFD", character)[0].lower()[0] for character in text)


def next_placeholder(text: str, kind: str) -> str:
    """Return the first placeholder of a kind that a text does not use yet."""
    used = [int(match[2]) for match in PLACEHOLDER.finditer(text) if match[1] == kind]
    return f"[{kind}-{max(used, default=0) + 1}]"


def hide(text: str, hidden: str, placeholder: str) -> str:
    """Return a masked text with every mention of the words replaced."""
    return _spliced(text, places(text, hidden), placeholder)


def _spliced(text: str, where: Iterable[tuple[int, int]], new: str) -> str:
    for start, end in reversed(list(where)):
        text = text[:start] + new + text[end:]
    return text


def original_spans(text: str, spans: Iterable[Span], where: Iterable[tuple[int, int]], kind: str) -> tuple[Span, ...]:
    """Return the spans of a masked text and of newly hidden places of it, all as offsets of the original, in order."""
    known = sorted(spans, key=lambda span: span.start)
    return tuple(sorted([*known, *(_back(text, known, one, kind) for one in where)], key=lambda span: span.start))


def _back(text: str, spans: Iterable[Span], place: tuple[int, int], kind: str) -> Span:
    """Carry a place of the masked text back to the original, past every placeholder before it."""
    shift = 0  # how much further right a character stands in the original
    for span in spans:
        at = span.start - shift
        match = PLACEHOLDER.match(text, at)
        if at >= place[0] or match is None:
            break
        shift += (span.end - span.start) - (match.end() - at)
    return Span(place[0] + shift, place[1] + shift, kind)


def as_test(text: str, where: Iterable[tuple[int, int]], kind: str, chance: random.Random) -> str:
    """Return the text with made-up words of the same shape, marked, where the missed ones stood.

    The real words must not be kept anywhere; what the next masker is tested on is their shape and surroundings.
    """
    where = list(where)
    made: dict[str, str] = {}
    for start, end in reversed(where):
        word = text[start:end]
        stand_in = made.setdefault(_folded(word), _made_up(word, kind, chance))
        text = f"{text[:start]}⟦{kind}|{stand_in}⟧{text[end:]}"
    return text


def _made_up(word: str, kind: str, chance: random.Random) -> str:
    if kind == "NAME":
        return re.sub(r"[^\W\d_]{2,}", lambda match: _name_like(match[0], chance), word)
    return "".join(_sign_like(character, chance) for character in word)


def _name_like(word: str, chance: random.Random) -> str:
    """Return another word in the same case: a listed name for a listed one, else one that only sounds alike."""
    given, family = name_lists()
    names = given | family
    if fold(word) in names:
        near = sorted(name for name in names if abs(len(name) - len(word)) <= 1 and name.isalpha())
        name = chance.choice(near)
    else:
        name = "".join(chance.choice(_VOWELS if c in _VOWELS else _CONSONANTS) for c in fold(word))
    return name.upper() if word.isupper() else name.title() if word[0].isupper() else name


def _sign_like(character: str, chance: random.Random) -> str:
    if character.isdigit():
        return str(chance.randrange(10))
    if not character.isalpha():
        return character
    letter = chance.choice(_VOWELS + _CONSONANTS)
    return letter.upper() if character.isupper() else letter
