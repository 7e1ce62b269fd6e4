"""Owns which words of a text name a patient or a home, by weights read from a JSON file; refuses to learn them.

A linear model over each word (`context`), looked at twice: the second time it also knows
the first scores of the word, its neighbours and the whole text, for three classes: a
patient's name, a home address, and a colleague's name, which stays. No code is loaded
and no library is needed, so masking starts at once in every process. `models.tagger`
fits the weights on training_data/masking.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from triage.redact.context import Context
from triage.redact.words import Token
from triage.ticket import Span

# Between two words of one name: "DOE, Jane", "DOE^JANE", "jean_paul", "Ng-Lee", "J. Doe".
_NAME_GLUE = re.compile(r"[ \t\u00a0]*[,.^*_\-'’&]?[ \t\u00a0]*|[ \t]*\n[ \t]*")
# Between two words of one address, which may go over lines or stand between the signs of a table or message.
_HOME_GLUE = re.compile(r"[ \t,.#^/\-'’\"|()ºª°]{0,5}|[ \t,]{0,5}\n[ \t]{0,5}")
NAME, HOME, STAFF = range(3)  # the classes; the second look weighs the first two
COLUMNS = 5  # of the weights: three for the first look, two for the second
AGAIN = 3.0  # log-odds a word may be less likely where it stands again in the text
HOPELESS = -6.0  # log-odds under which the second look is not worth its time

Weights = dict[str, list[float]]
Scores = dict[int, tuple[float, ...]]  # of each word, by its place: log-odds of each class


def weighed(weights: Weights, features: Iterable[str], columns: int) -> tuple[float, ...]:
    """Return the sum of each column over the features that have weights."""
    rows = [row for name in features if (row := weights.get(name)) is not None]
    return tuple(map(sum, zip(*rows, strict=True))) if rows else (0.0,) * columns


class FirstLook:
    """The first scores of a text's words, and what all of them together say."""

    def __init__(self, context: Context, scores: Scores) -> None:
        self.context = context
        self.scores = scores
        self._best: dict[str, list[float]] = {}
        for place, score in scores.items():
            self._best.setdefault(context.tokens[place].low, []).append(score[NAME])
        for same in self._best.values():
            same.sort(reverse=True)
        self._named, self._homes, self._staffed = (sum(score[k] > 0 for score in scores.values()) for k in range(3))

    def names(self) -> list[Span]:
        """Return the words that look like a patient's name at first."""
        tokens = self.context.tokens
        return [
            Span(tokens[place].start, tokens[place].end, "NAME")
            for place, score in self.scores.items()
            if score[NAME] >= 0 and not tokens[place].text[0].isdigit()
        ]

    def features(self, place: int) -> list[str]:
        """Return what the first scores of a word, its neighbours and the whole text say about it."""
        score = self.scores[place]
        own, home, staff = map(_bucket, score)
        same = self._best[self.context.tokens[place].low]
        again = "" if len(same) == 1 else _bucket(same[1] if same[0] == score[NAME] else same[0])
        named = min(4, self._named - (score[NAME] > 0))
        codes, kind = self.context.codes, self.context.kinds[place]
        return [
            f"own={own}",
            f"own={own} {kind}",
            f"named={named}",
            f"named={named} own={own}",
            f"again={again}",
            f"again={again} own={own}",
            f"staff={staff}",
            f"staff={staff} own={own}",
            f"staffed={min(4, self._staffed)} named={named} own={own}",
            f"codes={codes} own={own}",
            f"codes={codes} named={named} {self.context.about}",
            f"codes={codes} staff={staff}",
            f"home={home}",
            f"home={home} own={own}",
            f"home={home} {kind}",
            f"homes={min(6, self._homes)}",
            f"homes={min(6, self._homes)} home={home}",
            *self._beside(place, own, home),
        ]

    def _beside(self, place: int, own: str, home: str) -> list[str]:
        """Return what the first scores of the next words on the same line say."""
        before, after = self._next(place, -1), self._next(place, 1)
        before2 = self._next(before, -1) if before is not None else None
        after2 = self._next(after, 1) if after is not None else None
        name1, home1, staff1 = self._buckets(before)
        name2, home2, staff2 = self._buckets(after)
        return [
            f"before={name1}",
            f"after={name2}",
            f"own={own} before={name1}",
            f"own={own} after={name2}",
            f"sb={staff1}",
            f"sa={staff2}",
            f"hb={home1}",
            f"ha={home2}",
            f"hb={home1} ha={home2}",
            f"hb={home1} hb2={self._buckets(before2)[HOME]}",
            f"ha={home2} ha2={self._buckets(after2)[HOME]}",
            f"home={home} hb={home1}",
            f"home={home} ha={home2}",
        ]

    def _buckets(self, place: int | None) -> Sequence[str]:
        return ("", "", "") if place is None else [_bucket(score) for score in self.scores[place]]

    def _next(self, place: int, step: int) -> int | None:
        """Return the next word with a score on the same line, at most three tokens away."""
        tokens = self.context.tokens
        for other in range(place + step, place + 4 * step, step):
            if not 0 <= other < len(tokens) or tokens[other].text == "\n":
                return None
            if other in self.scores:
                return other
        return None


def _bucket(score: float) -> str:
    return str(max(-6, min(6, math.floor(score))))


@dataclass(frozen=True, slots=True)
class Bar:
    """Two log-odds: at or above `sure` a word is taken; beside a taken one `beside` is enough."""

    sure: float
    beside: float


@dataclass(frozen=True, slots=True)
class Tagger:
    """Weights of both looks side by side, the ticket words known as common, and the bars for names and homes."""

    weights: Weights
    common: dict[str, int]
    names: Bar
    homes: Bar

    def spans(self, text: str, found: Sequence[Span]) -> tuple[list[Span], list[Span]]:
        """Return patients' names and homes outside the identifiers already `found`, each in order."""
        context = Context(text, found, self.common)
        both = {place: weighed(self.weights, context.features(place), COLUMNS) for place in context.words()}
        look = FirstLook(context, {place: sums[:3] for place, sums in both.items()})
        final = {
            place: self._second(sums, look.features(place))
            for place, sums in both.items()
            if sums[NAME] >= HOPELESS or sums[HOME] >= HOPELESS
        }
        tokens = context.tokens
        names = {place: score[NAME] for place, score in final.items() if not tokens[place].text[0].isdigit()}
        homes = {place: score[HOME] for place, score in final.items()}
        return names_of(text, tokens, names, self.names), homes_of(text, context, homes, self.homes)

    def _second(self, sums: tuple[float, ...], seen: Iterable[str]) -> tuple[float, float]:
        """Return the log-odds of a name and a home, now that the first look's findings count too."""
        *_, name, home = weighed(self.weights, seen, COLUMNS)
        return sums[3] + name, sums[4] + home


def names_of(text: str, tokens: Sequence[Token], scores: dict[int, float], bar: Bar) -> list[Span]:
    """Join words into names: sure ones, their likely neighbours, and the same word wherever it stands again."""
    chosen = _grown(scores, bar, lambda place: _name_words_beside(text, tokens, place))
    again = {tokens[place].low for place in chosen if len(tokens[place].low) > 2}
    chosen |= {place for place, score in scores.items() if tokens[place].low in again and score >= bar.beside - AGAIN}

    def joins(start: int, end: int) -> bool:
        return bool(_NAME_GLUE.fullmatch(text, start, end)) and "\n" not in text[start:end]

    return _joined(tokens, chosen, "NAME", joins)


def homes_of(text: str, context: Context, scores: dict[int, float], bar: Bar) -> list[Span]:
    """Join words and numbers into addresses: sure ones, their likely neighbours, and a single word between two."""
    tokens = context.tokens
    words = [place for place, token in enumerate(tokens) if token.text[0].isalnum()]
    order = {place: number for number, place in enumerate(words)}

    def glued(left: int, right: int) -> bool:
        return bool(_HOME_GLUE.fullmatch(text, tokens[left].end, tokens[right].start))

    def beside(place: int) -> list[int]:
        number = order[place]
        left, right = words[max(0, number - 1) : number], words[number + 1 : number + 2]
        return [one for one in left if glued(one, place)] + [one for one in right if glued(place, one)]

    chosen = _grown(scores, bar, beside)
    chosen |= {
        middle
        for left, middle, right in zip(words, words[1:], words[2:], strict=False)
        if left in chosen and right in chosen and not context.inside[middle]
        if glued(left, middle) and glued(middle, right)
    }
    return _joined(tokens, chosen, "ADDRESS", lambda start, end: bool(_HOME_GLUE.fullmatch(text, start, end)))


def _grown(scores: dict[int, float], bar: Bar, beside: Callable[[int], Iterable[int]]) -> set[int]:
    """Return the sure places and those that grow from them, one likely neighbour after the other."""
    chosen = {place for place, score in scores.items() if score >= bar.sure}
    waiting = list(chosen)
    while waiting:
        for other in beside(waiting.pop()):
            if other not in chosen and scores.get(other, -math.inf) >= bar.beside:
                chosen.add(other)
                waiting.append(other)
    return chosen


def _joined(tokens: Sequence[Token], chosen: set[int], kind: str, joins: Callable[[int, int], bool]) -> list[Span]:
    spans: list[Span] = []
    for place in sorted(chosen):
        token = tokens[place]
        if spans and joins(spans[-1].end, token.start):
            spans[-1] = Span(spans[-1].start, token.end, kind)
        else:
            spans.append(Span(token.start, token.end, kind))
    return spans


def _name_words_beside(text: str, tokens: Sequence[Token], place: int) -> list[int]:
    return [other for step in (-1, 1) if (other := _next_word(text, tokens, place, step)) is not None]


def _next_word(text: str, tokens: Sequence[Token], place: int, step: int) -> int | None:
    """Return the place of the word beside, when only the glue of a name is between."""
    other = place + step
    while 0 <= other < len(tokens) and not tokens[other].text[0].isalpha() and abs(other - place) < 4:
        other += step
    if not 0 <= other < len(tokens) or not tokens[other].text[0].isalpha():
        return None
    first, second = sorted((tokens[place], tokens[other]), key=lambda token: token.start)
    return other if _NAME_GLUE.fullmatch(text, first.end, second.start) else None
