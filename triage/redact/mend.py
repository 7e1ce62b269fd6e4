"""Owns hiding words that a person found unmasked; refuses to guess what else should go."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Iterable

from triage.redact.plain import plain
from triage.redact.words import fold, name_lists
from triage.ticket import Span

TYPES = ("NAME", "MRN", "HEALTH_CARD", "DOB", "PHONE", "EMAIL", "ADDRESS", "SSN", "ROOM_BED", "ID")
PLACEHOLDER = re.compile(rf"\[({'|'.join(TYPES)})-(\d{{1,9}})\]")
_VOWELS, _CONSONANTS = "aeiouy", "bcdfghjklmnpqrstvwxz"
_NO_MARKS = str.maketrans("⟦⟧", "[]")


def places(text: str, hidden: str) -> list[tuple[int, int]]:
    """Return where words stand in a masked text as whole words, whatever their case, accents and spacing.

    Never inside a placeholder.
    """
    parts = [re.escape(part) for part in _folded(hidden)[0].split()]
    if not parts:
        return []
    folded, at = _folded(text)
    before = r"(?<![^\W_])" if parts[0][0].isalnum() else ""
    after = r"(?![^\W_])" if parts[-1][-1].isalnum() else ""
    taken = [match.span() for match in PLACEHOLDER.finditer(text)]
    found = []
    for match in re.finditer(before + r"\s+".join(parts) + after, folded):
        start, end = at[match.start()], at[match.end()]
        if not any(start < b and a < end for a, b in taken):
            found.append((start, end))
    return found


def _folded(text: str) -> tuple[str, list[int]]:
    """Return a text in lower case without accents, and where its characters and its end stand in the text."""
    seen, at = plain(text)
    letters = [_base(character) for character in seen]
    places = list(range(len(text))) if at is None else at
    return "".join(letters), [*places, len(text)]


def _base(character: str) -> str:
    if "\uac00" <= character <= "\ud7a3":  # a Korean syllable would fall apart into its letters
        return character
    return unicodedata.normalize("NFD", character)[0].lower()[0].replace("’", "'")


def next_placeholder(text: str, kind: str) -> str:
    """Return the first placeholder of a kind that a text does not use yet."""
    used = [int(match[2]) for match in PLACEHOLDER.finditer(text) if match[1] == kind]
    return f"[{kind}-{max(used, default=0) + 1}]"


def hide(text: str, hidden: str, placeholder: str) -> str:
    """Return a masked text with every mention of the words replaced."""
    for start, end in reversed(places(text, hidden)):
        text = text[:start] + placeholder + text[end:]
    return text


def holds_part(text: str, hidden: str) -> bool:
    """Tell whether a short text, such as a word that a model weighed, holds any word of what must be hidden."""
    return not set(_words(text)).isdisjoint(_words(hidden))


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", _folded(text)[0])


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

    The real words must not be kept anywhere; what the next masker is tested on is their
    shape and surroundings. What a writer typed can not be read as a mark.
    """
    safe = re.sub(r"(?m)^=(?===)", "-", text.translate(_NO_MARKS))  # both keep every place
    seeds: dict[str, float] = {}
    for start, end in sorted(where, reverse=True):
        word = text[start:end]
        seed = seeds.setdefault(" ".join(_folded(word)[0].split()), chance.random())
        safe = f"{safe[:start]}⟦{kind}|{_made_up(word, kind, seed)}⟧{safe[end:]}"
    return safe


def _made_up(word: str, kind: str, seed: float) -> str:
    """Return another word of the same kind and shape, the same one for the same seed, whatever the case."""
    chance = random.Random(seed)  # noqa: S311 - invented words, no secret; the seed is the system's
    made = word
    while made.lower() == word.lower() and any(map(str.isalnum, word)):
        if kind == "NAME":
            made = re.sub(r"[^\W\d_]{2,}|[^\W_]", lambda match: _name_like(match[0], chance), word)
        else:
            made = "".join(_sign_like(character, chance) for character in word)
    return made


def _name_like(word: str, chance: random.Random) -> str:
    """Return another word in the same case: a listed name for a listed one, else one that only sounds alike."""
    given, family = name_lists()
    names = given | family
    if len(word) == 1:
        return _sign_like(word, chance)
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
