"""Owns what is known of every word of a text: its spelling, the lists, its neighbours; refuses to weigh it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from triage.redact.words import (
    CUES,
    HOME_WORDS,
    PATIENT_WORDS,
    REGIONS,
    STAFF_WORDS,
    STREET_WORDS,
    Token,
    name_lists,
    tokens_of,
)
from triage.ticket import Span

COMMONEST = "4"  # the highest level of `Tagger.common`, and on no list of names
LONGEST_NUMBER = 6  # digits of a house number or a postal code; longer numbers are for `codes`


def _shape(word: str) -> str:
    if word.islower():
        return "x"
    if word.isupper():
        return "X" if len(word) == 1 else "XX"
    return "Xx" if word[0].isupper() and word[1:].islower() else "xX"


def _case(text: str) -> str:
    upper = sum(map(str.isupper, text))
    lower = sum(map(str.islower, text))
    return "low" if upper * 60 < lower else "up" if upper > 2 * lower else "mix"


class Context:
    """What the features of every word of one text share."""

    def __init__(self, text: str, found: Sequence[Span], common: dict[str, int]) -> None:
        self.tokens = tokens_of(text)
        self.case = _case(text)
        lows = {token.low for token in self.tokens}
        self.about = f"{'i' if found else ''}{'p' if lows & PATIENT_WORDS else ''}{'s' if lows & STAFF_WORDS else ''}"
        self._last_line = text.rstrip().rfind("\n")
        self._given, self._family = name_lists()
        self._common = common
        self._ways: dict[str, list[int]] = {}
        for name, words, reach in (("street", STREET_WORDS, 5), ("region", REGIONS, 8), ("lives", HOME_WORDS, 10)):
            self._ways[f"{name}<"], self._ways[f"{name}>"] = _distances(self.tokens, words, reach)
        self.codes = min(3, len(found))
        starts = [span.start for span in found]
        self.inside: list[str] = []
        for token in self.tokens:
            place = bisect_right(starts, token.start) - 1
            hit = place >= 0 and token.start < found[place].end
            self.inside.append(found[place].type if hit else "")
        self.kinds = [kind or self._kind(token) for token, kind in zip(self.tokens, self.inside, strict=True)]

    def _kind(self, token: Token) -> str:
        """Return what a word is known as: a listed name, a common word, both, or neither."""
        first = token.text[0]
        if not first.isalpha():
            return f"9{min(len(token.text), LONGEST_NUMBER)}" if first.isdigit() else first
        low = token.low
        parts = re.split(r"['-]", low)
        given = any(part in self._given for part in parts)
        family = any(part in self._family for part in parts)
        return f"{'g' if given else ''}{'f' if family else ''}{self._common.get(low, 0)}"

    def words(self) -> Iterator[int]:
        """Yield the places of words that could be of a name or a home: not the commonest, not the cues, no codes."""
        for place, token in enumerate(self.tokens):
            if self.inside[place]:
                continue
            if token.text[0].isdigit():
                if len(token.text) <= LONGEST_NUMBER:
                    yield place
                continue
            common = self.kinds[place] == COMMONEST and token.text.islower() and token.low not in STREET_WORDS
            cue = len(token.low) > 2 and token.low in CUES
            if token.text[0].isalpha() and not common and not cue:
                yield place

    def features(self, place: int) -> list[str]:
        """Return what is known of one word, as names of weights."""
        token, kind = self.tokens[place], self.kinds[place]
        shape = _shape(token.text)
        look = f"{shape}{self.case}"
        low = token.low
        found = [
            "",
            f"w={low}",
            f"s3={low[-3:]}",
            f"s2={low[-2:]}",
            f"p3={low[:3]}",
            f"k={kind}",
            f"k={kind} {look}",
            f"look={look}",
            f"len={min(len(low), 12)} {shape}",
            f"about={self.about} {kind} {look}",
            f"about={self.about}",
        ]
        if low.startswith(("l'", "d'", "qu'", "n'", "s'")):
            found.append("elided")
        return found + self._beside(place, shape) + self._near(place, f"{kind} {look}")

    def _beside(self, place: int, shape: str) -> list[str]:
        """Return what the two words and signs on each side say."""
        kind = self.kinds[place]
        (low2, kind2, _), (low1, kind1, shape1) = self._at(place - 2), self._at(place - 1)
        (low3, kind3, shape3), (low4, kind4, _) = self._at(place + 1), self._at(place + 2)
        return [
            f"b={low1}",
            f"a={low3}",
            f"b2={low2}",
            f"a2={low4}",
            f"bb={low2} {low1}",
            f"aa={low3} {low4}",
            f"kb={kind1} {kind}",
            f"ka={kind} {kind3}",
            f"kab={kind1} {kind} {kind3}",
            f"kb2={kind2} {kind1} {kind}",
            f"ka2={kind} {kind3} {kind4}",
            f"sh={shape1} {shape} {shape3} {self.case}",
            f"ba={low1} {low3}",
        ]

    def _at(self, place: int) -> tuple[str, str, str]:
        if not 0 <= place < len(self.tokens):
            return "<>", "<>", ""
        token = self.tokens[place]
        return token.low, self.kinds[place], _shape(token.text) if token.text[0].isalpha() else ""

    def _near(self, place: int, kind: str) -> list[str]:
        """Return which cues stand within some words: of a patient, of staff, an identifier, the text's end."""
        tokens = self.tokens
        before = [token.low for token in tokens[max(0, place - 8) : place]]
        near, follows = set(before[-6:]), {token.low for token in tokens[place + 1 : place + 5]}
        cue = next((low for low in reversed(before) if low in PATIENT_WORDS or low in STAFF_WORDS), "")
        left = len(tokens) - place
        signs = {
            "pat": not near.isdisjoint(PATIENT_WORDS),
            "staff": not near.isdisjoint(STAFF_WORDS),
            "pat>": not follows.isdisjoint(PATIENT_WORDS),
            "staff>": not follows.isdisjoint(STAFF_WORDS),
            "id<": any(self.inside[max(0, place - 6) : place]),
            "id>": any(self.inside[place + 1 : place + 7]),
            "end": left <= 4,
            "lastline": tokens[place].start > self._last_line >= 0,
        }
        found = [f"cue={cue}", f"cue={cue} {self.kinds[place]}", f"left={min(left, 5)}"]
        found += self._homeward(place)
        for sign, there in signs.items():
            if there:
                found += [sign, f"{sign} {kind}"]
        return found

    def _homeward(self, place: int) -> list[str]:
        """Return how far the next street word, region and word about living are on each side."""
        found = ["isstreet"] if self.tokens[place].low in STREET_WORDS else []
        kind = self.kinds[place]
        for name, distances in self._ways.items():
            if far := distances[place]:
                found += [f"{name}{far}", f"{name}{far} {kind}"]
        return found


def _distances(tokens: Sequence[Token], words: frozenset[str], reach: int) -> tuple[list[int], list[int]]:
    """Return for every token how far back and ahead the next of some words is, at most 5; 0 beyond `reach`."""
    back, ahead = [0] * len(tokens), [0] * len(tokens)
    for order, distances in ((range(len(tokens)), back), (range(len(tokens) - 1, -1, -1), ahead)):
        last = None
        for place in order:
            if last is not None and abs(place - last) <= reach:
                distances[place] = min(abs(place - last), 5)
            if tokens[place].low in words:
                last = place
    return back, ahead
