"""Owns how good a model is, on rows it has not learned from; refuses to choose thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calibrate import expected_calibration_error
from models.compiled import Array, Compiled
from models.dataset import Example
from models.features import Encoder

COVERAGE_TARGETS = (0.90, 0.95, 0.98)


def evaluate(model: Compiled, examples: Sequence[Example], using: Encoder | None) -> dict[str, Any]:
    """Return the contract's figures of a model on labelled rows; a label it does not know counts as missed."""
    probabilities, _ = model.score_many([example.text for example in examples], using)
    return figures(probabilities, model.labels, [example.label for example in examples])


def figures(probabilities: Array, labels: Sequence[str], truth: Sequence[str]) -> dict[str, Any]:
    """Return accuracy, macro-F1, per-class figures, calibration error and coverage at precision.

    `probabilities` is (rows, labels); macro-F1 is the mean over the labels present in `truth`.
    """
    names = np.array(labels)
    guess = names[probabilities.argmax(axis=1)]
    real = np.array(truth)
    right = guess == real
    confidence = probabilities.max(axis=1)
    per_class = {label: _one_class(guess == label, real == label) for label in sorted(set(truth))}
    return {
        "n": len(truth),
        "accuracy": round(float(right.mean()), 4),
        "macro_f1": round(float(np.mean([row["f1"] for row in per_class.values()])), 4),
        "per_class": per_class,
        "ece": round(expected_calibration_error(confidence, right), 4),
        "coverage_at_precision": {f"{t:.2f}": round(coverage(confidence, right, t), 4) for t in COVERAGE_TARGETS},
    }


def _one_class(guessed: NDArray[np.bool_], real: NDArray[np.bool_]) -> dict[str, float]:
    hits = int((guessed & real).sum())
    precision = hits / max(1, int(guessed.sum()))
    recall = hits / max(1, int(real.sum()))
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    return {
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "f1": round(f1, 4),
        "n": int(real.sum()),
    }


def coverage(confidence: Array, right: NDArray[np.bool_], precision: float) -> float:
    """Return the largest share of rows that, most confident first, are right at least `precision` of the time."""
    if not len(right):
        return 0.0
    order = np.argsort(-confidence)
    reached = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    # No threshold can part rows of the same confidence.
    last_of_ties = np.append(np.diff(confidence[order]) != 0, True)
    enough = np.flatnonzero((reached >= precision) & last_of_ties)
    return float((enough[-1] + 1) / len(order)) if len(enough) else 0.0
