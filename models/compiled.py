"""Owns serving: a fitted model as dictionaries and matrices, without scikit-learn; refuses to learn.

The scikit-learn pipeline spends 2 ms per ticket on overhead around 0.1 ms of work.
Every part of it is linear, so all experts fold into one weight matrix per view and
give the same probabilities; a test holds the two against each other.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.features import WORD, Encoder, Floats, char_ngrams, encode, prepare

Array = NDArray[np.float64]
EXPLAINED_WORDS = 6
_PUNCTUATION = ".,;:!?\"'()[]<>«»“”"


@dataclass(frozen=True)
class View:
    """One TF-IDF block: n-gram -> row, the row's idf, and its weight for every output column."""

    index: dict[str, int]
    idf: Floats
    weights: Floats

    def match(self, ngrams: list[str], positions: list[int]) -> Match:
        """Return the rows that a text's n-grams hit, and how much each counts.

        `positions` says which word each n-gram came from. Repeats count as 1 + log(times)
        and the whole block has length one, as in scikit-learn with `sublinear_tf`.
        """
        rows: list[int | None] = list(map(self.index.get, ngrams))
        where = dict(zip(rows, positions, strict=True))
        times = Counter(rows)
        where.pop(None, None)
        times.pop(None, None)
        known = np.fromiter(times.keys(), dtype=np.intp, count=len(times))
        values = np.log(np.fromiter(times.values(), dtype=np.float32, count=len(times)))
        values = (values + np.float32(1)) * self.idf[known]
        values /= max(math.sqrt(float(values @ values)), 1e-12)
        return Match(values, self.weights[known], np.fromiter(where.values(), dtype=np.intp, count=len(where)))


@dataclass(frozen=True)
class Match:
    """What one view saw in a text: values (n), their weights (n x columns), their words' positions (n)."""

    values: Floats
    weights: Floats
    positions: NDArray[np.intp]

    def scores(self) -> Array:
        """Return the sum per column."""
        return (self.values @ self.weights).astype(np.float64)

    def per_word(self, column: int, count: int, length: int) -> Array:
        """Return how much each word raised one label above the average label: exact for the lexical part."""
        raised = self.values * (self.weights[:, column] - self.weights[:, :count].mean(axis=1))
        return np.bincount(self.positions, weights=raised, minlength=length).astype(np.float64)


@dataclass(frozen=True)
class Meaning:
    """The encoder's part: its weights, and how much the lexical scores count beside it."""

    weights: Floats
    lexical_scale: Array
    bias: Array


@dataclass(frozen=True)
class Scores:
    """What one text scored: probabilities of the labels, of each detector, and the words behind them."""

    labels: Array
    detectors: dict[str, float]
    words: list[tuple[str, float]]


@dataclass(frozen=True)
class Compiled:
    """A model ready to serve. Columns are the labels, then one per detector.

    `thresholds` holds what training measured, for serving "with" and "without" the
    encoder: "route", "auto:<label>", "security", "maybe_security", "maybe_harm".
    """

    labels: tuple[str, ...]
    detectors: tuple[str, ...]
    words: View
    chars: View
    bias: Array
    meaning: Meaning | None
    thresholds: dict[str, dict[str, float]]

    def mode(self, encoder: Encoder | None) -> str:
        """Return which thresholds apply."""
        return "with" if self.meaning is not None and encoder is not None else "without"

    def score(self, text: str, encoder: Encoder | None) -> Scores:
        """Judge one masked text; `encoder` None serves without meaning, a little worse."""
        chunks = prepare(text).split()
        words = self.words.match(*_word_ngrams(chunks))
        chars = self.chars.match(*_char_ngrams(chunks))
        z = words.scores() + chars.scores() + self.bias
        if self.meaning is not None and encoder is not None:
            meaning = encode([text], encoder)[0].astype(np.float64) @ self.meaning.weights
            z = self.meaning.lexical_scale * z + meaning + self.meaning.bias
        count = len(self.labels)
        probabilities = softmax(z[:count])
        best = int(probabilities.argmax())
        spoken = words.per_word(best, count, len(chunks)) + chars.per_word(best, count, len(chunks))
        return Scores(
            labels=probabilities,
            detectors={name: sigmoid(z[count + i]) for i, name in enumerate(self.detectors)},
            words=_strongest(chunks, spoken),
        )

    def score_many(self, texts: Sequence[str], encoder: Encoder | None) -> tuple[Array, dict[str, Array]]:
        """Judge many texts: label probabilities (rows x labels), and each detector's (rows)."""
        scored = [self.score(text, encoder) for text in texts]
        labels = np.array([one.labels for one in scored]).reshape(len(scored), len(self.labels))
        return labels, {name: np.array([one.detectors[name] for one in scored]) for name in self.detectors}


def softmax(z: Array) -> Array:
    """Return probabilities of scores along the last axis."""
    shifted = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def sigmoid(z: float) -> float:
    """Return the probability of a log-odd, without overflow."""
    return 1 / (1 + math.exp(-z)) if z > -700 else 0.0


def _word_ngrams(chunks: list[str]) -> tuple[list[str], list[int]]:
    """Return words and pairs of neighbours, and the position of the (first) word of each."""
    tokens: list[str] = []
    at: list[int] = []
    for position, chunk in enumerate(chunks):
        found = WORD.findall(chunk)
        tokens += found
        at += [position] * len(found)
    return tokens + [f"{one} {two}" for one, two in itertools.pairwise(tokens)], at + at[:-1]


def _char_ngrams(chunks: list[str]) -> tuple[list[str], list[int]]:
    """Return the character n-grams of every word, and the position of the word of each."""
    ngrams: list[str] = []
    at: list[int] = []
    for position, chunk in enumerate(chunks):
        found = char_ngrams(f" {chunk} ")
        ngrams += found
        at += [position] * len(found)
    return ngrams, at


def _strongest(chunks: list[str], spoken: Array) -> list[tuple[str, float]]:
    total: dict[str, float] = {}
    for chunk, weight in zip(chunks, spoken.tolist(), strict=True):
        word = chunk.strip(_PUNCTUATION)
        total[word] = total.get(word, 0.0) + weight
    ranked = sorted(total.items(), key=lambda pair: -pair[1])
    return [(word, round(weight, 4)) for word, weight in ranked[:EXPLAINED_WORDS] if word and weight > 0]
