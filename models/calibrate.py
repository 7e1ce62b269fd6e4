"""Owns the way from scores to trustworthy probabilities and thresholds; refuses to fit experts.

Everything here is measured on rows whose author the scoring model has not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.compiled import Array, softmax

BINS = 15
CONFIDENCE = 0.95  # one-sided, for every lower bound
_BIAS_PENALTY = 1e-3
_SILENT = 1e-9


@dataclass(frozen=True)
class Stack:
    """How much each expert counts, and a bias per label: log-odds = sum of weight x score + bias."""

    weights: Array
    bias: Array

    def log_odds(self, scores: list[Array]) -> Array:
        """Return the combined scores, shape (rows, labels)."""
        return np.asarray(sum(w * s for w, s in zip(self.weights, scores, strict=True)) + self.bias)


def fit_stack(scores: list[Array], truth: NDArray[np.intp], weigh: Array | None = None) -> Stack:
    """Fit one weight per expert and one bias per label by log-loss: a temperature for several experts.

    `scores` are (rows, labels) per expert, out of fold; `truth` the label's position.
    Few parameters on purpose: with 300 rows an isotonic or per-class fit breaks.
    """
    from scipy.optimize import minimize

    rows, labels, experts = len(truth), scores[0].shape[1], len(scores)
    sizes = np.array([max(float(s.std()), _SILENT) for s in scores])
    scaled = [s / size for s, size in zip(scores, sizes, strict=True)]
    weigh = np.full(rows, 1 / rows) if weigh is None else weigh / weigh.sum()

    def loss(parameters: Array) -> tuple[float, Array]:
        bias = parameters[experts:]
        p = softmax(sum(w * s for w, s in zip(parameters, scaled, strict=False)) + bias)
        value = -(weigh * np.log(p[np.arange(rows), truth] + 1e-12)).sum() + _BIAS_PENALTY * (bias**2).sum()
        p[np.arange(rows), truth] -= 1
        p *= weigh[:, None]
        slope = np.concatenate([[(p * s).sum() for s in scaled], p.sum(axis=0) + 2 * _BIAS_PENALTY * bias])
        return float(value), slope

    # An expert may be ignored but never turned round: a negative weight is noise.
    bounds = [(0.0, None)] * experts + [(None, None)] * labels
    start = np.concatenate([np.ones(experts), np.zeros(labels)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    # An expert that said the same of every row has shown nothing: it gets no say later either.
    spoke = np.array([float(s.std()) > _SILENT for s in scores])
    return Stack(np.where(spoke, found[:experts] / sizes, 0.0), found[experts:])


def expected_calibration_error(confidence: Array, right: NDArray[np.bool_], bins: int = BINS) -> float:
    """Return the mean gap between confidence and accuracy over `bins` equal bins (Guo et al. 2017)."""
    if not len(confidence):
        return 0.0
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = 0.0
    for one in np.unique(which):
        inside = which == one
        gap += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    return float(gap)


def lower_bound(right: int, total: int, confidence: float = CONFIDENCE) -> float:
    """Return the one-sided Clopper-Pearson lower bound of a share."""
    from scipy.stats import beta

    return float(beta.ppf(1 - confidence, right, total - right + 1)) if right else 0.0


def precision_threshold(confidence: Array, right: NDArray[np.bool_], target: float) -> float:
    """Return the least confidence at and above which the lower bound of precision reaches `target`.

    1.01, which nothing reaches, when no threshold does: too few rows prove nothing,
    and then nothing acts alone. A point estimate instead of the bound misses its
    target by up to ten points on few rows.
    """
    order = np.argsort(-confidence)
    good = np.cumsum(right[order])
    for count in range(len(order), 0, -1):
        edge = confidence[order[count - 1]]
        tied_with_next = count < len(order) and confidence[order[count]] == edge
        if not tied_with_next and lower_bound(int(good[count - 1]), count) >= target:
            return float(edge)
    return 1.01


def recall_threshold(score: Array, positive: NDArray[np.bool_], recall: float) -> float:
    """Return the highest score that at least the share `recall` of the positives reach."""
    ranked = np.sort(score[positive])[::-1]
    if not len(ranked):
        return 1.01
    return float(ranked[min(int(np.ceil(recall * len(ranked))), len(ranked)) - 1])


def false_alarm_threshold(score: Array, positive: NDArray[np.bool_], share: float) -> float:
    """Return the lowest score that at most `share` of the negatives reach."""
    ranked = np.sort(score[~positive])[::-1]
    allowed = int(share * len(ranked))
    return float(np.nextafter(ranked[allowed], np.inf)) if allowed < len(ranked) else 0.0
