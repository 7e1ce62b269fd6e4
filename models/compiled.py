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


@dataclass(frozen=True)
class View:
    """One TF-IDF block: n-gram -> row, the row's idf, and its weight for every output column."""

    index: dict[str, int]
    idf: Floats
    weights: Floats

    def score(self, ngrams: list[tuple[str, int]]) -> tuple[Array, Array, NDArray[np.intp]]:
        """Return column sums, the weighted rows behind them, and the position each row came from.

        `ngrams` are (n-gram, position of its word). Repeats count as 1 + log(times) and
        the whole block has length one, as in scikit-learn with `sublinear_tf`.
        """
        found: dict[int, int] = {}
        times: Counter[int] = Counter()
        for ngram, position in ngrams:
            row = self.index.get(ngram)
            if row is not None:
                times[row] += 1
                found.setdefault(row, position)
        columns = self.weights.shape[1]
        if not times:
            return np.zeros(columns), np.zeros((0, columns)), np.zeros(0, dtype=np.intp)
        rows = np.fromiter(times.keys(), dtype=np.intp, count=len(times))
        counts = np.fromiter(times.values(), dtype=np.float64, count=len(times))
        values = (1.0 + np.log(counts)) * self.idf[rows]
        values /= math.sqrt(float(values @ values))
        weighted = values[:, None] * self.weights[rows]
        return weighted.sum(axis=0), weighted, np.fromiter(found.values(), dtype=np.intp, count=len(found))


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
        word_sum, word_rows, word_at = self.words.score(_word_ngrams(chunks))
        char_sum, char_rows, char_at = self.chars.score(
            [(ngram, at) for at, chunk in enumerate(chunks) for ngram in char_ngrams(f" {chunk} ")]
        )
        z = word_sum + char_sum + self.bias
        if self.meaning is not None and encoder is not None:
            meaning = encode([text], encoder)[0].astype(np.float64) @ self.meaning.weights
            z = self.meaning.lexical_scale * z + meaning + self.meaning.bias
        count = len(self.labels)
        probabilities = softmax(z[:count])
        best = int(probabilities.argmax())
        spoken = _per_word(word_rows, word_at, best, count, len(chunks))
        spoken += _per_word(char_rows, char_at, best, count, len(chunks))
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


def _word_ngrams(chunks: list[str]) -> list[tuple[str, int]]:
    """Return words and pairs of neighbours, each with the position of its (first) word."""
    tokens = [(token, at) for at, chunk in enumerate(chunks) for token in WORD.findall(chunk)]
    return tokens + [(f"{one} {two}", at) for (one, at), (two, _) in itertools.pairwise(tokens)]


def _per_word(rows: Array, positions: NDArray[np.intp], column: int, count: int, length: int) -> Array:
    """Return how much each word raised one label above the average label: exact for the lexical part."""
    if not len(rows):
        return np.zeros(length)
    raised = rows[:, column] - rows[:, :count].mean(axis=1)
    return np.bincount(positions, weights=raised, minlength=length).astype(np.float64)


def _strongest(chunks: list[str], spoken: Array) -> list[tuple[str, float]]:
    total: dict[str, float] = {}
    for chunk, weight in zip(chunks, spoken.tolist(), strict=True):
        total[chunk] = total.get(chunk, 0.0) + weight
    ranked = sorted(total.items(), key=lambda pair: -pair[1])
    return [(word, round(weight, 4)) for word, weight in ranked[:EXPLAINED_WORDS] if weight > 0]
