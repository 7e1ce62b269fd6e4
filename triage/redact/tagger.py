"""Owns which words of a text name a patient, by weights read from a JSON file; refuses to learn them.

A linear model over each word: its spelling, the vendored name lists, the words around
it, and what the detectors of identifiers found beside it. No code is loaded and no
library is needed, so masking starts at once in every process. `models.tagger` fits the
weights on training_data/masking.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from triage.redact.words import CUES, PATIENT_WORDS, STAFF_WORDS, Token, name_lists, tokens_of
from triage.ticket import Span

# Between two words of one name: "DOE, Jane", "DOE^JANE", "jean_paul", "Ng-Lee", "J. Doe".
_GLUE = re.compile(r"[ \t\u00a0]*[,.^*_\-'’&]?[ \t\u00a0]*|[ \t]*\n[ \t]*")
COMMONEST = "4"  # the highest level of `Tagger.common`, and on no list of names


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
        self._about = f"{'i' if found else ''}{'p' if lows & PATIENT_WORDS else ''}{'s' if lows & STAFF_WORDS else ''}"
        self._last_line = text.rstrip().rfind("\n")
        self._given, self._family = name_lists()
        self._common = common
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
            return "9" if first.isdigit() else first
        low = token.low
        parts = re.split(r"['-]", low)
        given = any(part in self._given for part in parts)
        family = any(part in self._family for part in parts)
        return f"{'g' if given else ''}{'f' if family else ''}{self._common.get(low, 0)}"

    def words(self) -> Iterator[int]:
        """Yield the places of the words that could be names: not the commonest ones, not the cues."""
        for place, token in enumerate(self.tokens):
            common = self.kinds[place] == COMMONEST and token.text.islower()
            cue = len(token.low) > 2 and token.low in CUES
            if token.text[0].isalpha() and not self.inside[place] and not common and not cue:
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
            f"about={self._about} {kind} {look}",
            f"about={self._about}",
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
        for sign, there in signs.items():
            if there:
                found += [sign, f"{sign} {kind}"]
        return found


AGAIN = 3.0  # log-odds a word may be less likely where it stands again in the text
HOPELESS = -6.0  # log-odds under which the second look is not worth its time


class FirstLook:
    """The first scores of a text's words, and what all of them together say."""

    def __init__(self, context: Context, scores: dict[int, float]) -> None:
        self.context = context
        self.scores = scores
        self._best: dict[str, list[float]] = {}
        for place, score in scores.items():
            same = self._best.setdefault(context.tokens[place].low, [])
            same.append(score)
        for same in self._best.values():
            same.sort(reverse=True)
        self._named = sum(score > 0 for score in scores.values())

    def features(self, place: int) -> list[str]:
        """Return what the first scores of a word, its neighbours and the whole text say about it."""
        tokens, scores = self.context.tokens, self.scores
        score = scores[place]
        own = _bucket(score)
        before, after = (_bucket(_score_beside(tokens, scores, place, step)) for step in (-1, 1))
        same = self._best[tokens[place].low]
        again = None if len(same) == 1 else same[1] if same[0] == score else same[0]
        named = min(4, self._named - (score > 0))
        return [
            f"own={own}",
            f"before={before}",
            f"after={after}",
            f"own={own} before={before}",
            f"own={own} after={after}",
            f"own={own} {self.context.kinds[place]}",
            f"named={named}",
            f"named={named} own={own}",
            f"again={_bucket(again)}",
        ]


def _bucket(score: float | None) -> str:
    return "" if score is None else str(max(-6, min(6, math.floor(score))))


def _score_beside(tokens: Sequence[Token], scores: dict[int, float], place: int, step: int) -> float | None:
    """Return the score of the next word on the same line, at most three tokens away."""
    for other in range(place + step, place + 4 * step, step):
        if not 0 <= other < len(tokens) or tokens[other].text == "\n":
            return None
        if other in scores:
            return scores[other]
    return None


@dataclass(frozen=True, slots=True)
class Tagger:
    """Weights of the first and the second look, the ticket words known as common, and two thresholds (log-odds).

    A word at or above `sure` is a name. Beside a sure name `beside` is enough: the parts
    of a name stand together.
    """

    first: dict[str, float]
    second: dict[str, float]
    common: dict[str, int]
    sure: float
    beside: float

    def names(self, text: str, found: Sequence[Span]) -> list[Span]:
        """Return the spans of patients' names outside the identifiers already `found`, in order."""
        context = Context(text, found, self.common)
        features = {place: context.features(place) for place in context.words()}
        weigh = self.first.get
        scores = {place: sum(weigh(name, 0.0) for name in names) for place, names in features.items()}
        look = FirstLook(context, scores)
        weigh = self.second.get
        final = {
            place: sum(weigh(name, 0.0) for name in (*features[place], *look.features(place)))
            for place, score in scores.items()
            if score >= HOPELESS
        }
        return spans_of(text, context, final, self.sure, self.beside)


def spans_of(text: str, context: Context, scores: dict[int, float], sure: float, beside: float) -> list[Span]:
    """Join words into names: sure ones, their likely neighbours, and the same word wherever it stands again."""
    tokens = context.tokens
    chosen = {place for place, score in scores.items() if score >= sure}
    grown = list(chosen)
    while grown:
        place = grown.pop()
        for step in (-1, 1):
            other = _next_word(text, tokens, place, step)
            if other is not None and other not in chosen and scores.get(other, -math.inf) >= beside:
                chosen.add(other)
                grown.append(other)
    again = {tokens[place].low for place in chosen if len(tokens[place].low) > 2}
    chosen |= {place for place, score in scores.items() if tokens[place].low in again and score >= beside - AGAIN}
    spans: list[Span] = []
    for place in sorted(chosen):
        token = tokens[place]
        if (
            spans
            and _GLUE.fullmatch(text, spans[-1].end, token.start)
            and "\n" not in text[spans[-1].end : token.start]
        ):
            spans[-1] = Span(spans[-1].start, token.end, "NAME")
        else:
            spans.append(Span(token.start, token.end, "NAME"))
    return spans


def _next_word(text: str, tokens: Sequence[Token], place: int, step: int) -> int | None:
    """Return the place of the word beside, when only the glue of a name is between."""
    other = place + step
    while 0 <= other < len(tokens) and not tokens[other].text[0].isalpha() and abs(other - place) < 4:
        other += step
    if not 0 <= other < len(tokens) or not tokens[other].text[0].isalpha():
        return None
    first, second = sorted((tokens[place], tokens[other]), key=lambda token: token.start)
    return other if _GLUE.fullmatch(text, first.end, second.start) else None
