"""Owns the Classifier port: serves the live model of the database; refuses to fall back on an unsigned one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.compiled import Compiled
from models.dataset import OUT_OF_SCOPE, Example
from models.evaluate import evaluate
from models.features import WORD, Encoder, encoder, prepare
from models.registry import unpack
from triage.policy import SECURITY_CATEGORY
from triage.ticket import ModelUnavailableError, Prediction

FindVersion = Callable[[], str | None]
FetchModel = Callable[[str], tuple[bytes, str] | None]


class ServedModel:
    """One loaded model as the service sees it."""

    def __init__(self, model: Compiled, version: str, using: Encoder | None) -> None:
        self.version = version
        self._model = model
        self._encoder = using
        self._thresholds = model.thresholds[model.mode(using)]

    def predict(self, text: str) -> Prediction:
        """Judge one masked text."""
        scores = self._model.score(text, self._encoder)
        by_label = dict(zip(self._model.labels, scores.labels.tolist(), strict=True))
        p_out_of_scope = by_label.pop(OUT_OF_SCOPE, 0.0)
        p_security = by_label.get(SECURITY_CATEGORY, 0.0)
        if "security" in scores.detectors:
            p_security = security_score(p_security, scores.detectors["security"])
        p_harm = scores.detectors.get("harm", 0.0)
        top = sorted(by_label.items(), key=lambda pair: -pair[1])
        return Prediction(
            top=tuple(top),
            p_out_of_scope=p_out_of_scope,
            p_security=p_security,
            p_harm=p_harm,
            security=p_security >= self._thresholds.get("security", 1.01),
            maybe_security=p_security >= self._thresholds.get("maybe_security", 1.01),
            maybe_harm=p_harm >= self._thresholds.get("maybe_harm", 1.01),
            out_of_scope=p_out_of_scope > top[0][1],
            thresholds=self._thresholds,
            words=tuple(scores.words),
            model_version=self.version,
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """Return every label the model can give, out_of_scope included."""
        return self._model.labels

    def knows(self, words: str) -> bool:
        """Tell whether the model learned any of these words, which may be ordinary ones."""
        return any(word in self._model.words.index for word in WORD.findall(prepare(words)))

    def evaluate(self, examples: Sequence[Example]) -> dict[str, Any]:
        """Return the model's figures on labelled rows."""
        return evaluate(self._model, examples, self._encoder)


Score = TypeVar("Score", float, NDArray[np.float64])


def security_score(as_label: Score, detected: Score) -> Score:
    """Return the mean of the two views on danger: among all labels, and against all the rest."""
    return (as_label + detected) / 2


class LiveClassifier:
    """Serves whichever model is live now: asks for its version at every ticket, loads it once.

    So a promotion or rollback takes effect on the next ticket of every process.
    Raises ModelUnavailableError when there is none or it must not be trusted.
    """

    def __init__(self, find_version: FindVersion, fetch: FetchModel, key: bytes) -> None:
        self._find_version = find_version
        self._fetch = fetch
        self._key = key
        self._lock = threading.Lock()
        self._served: ServedModel | None = None

    def predict(self, text: str) -> Prediction:
        """Judge one masked text with the live model."""
        return self.live().predict(text)

    def live(self) -> ServedModel:
        """Return the live model, loaded and verified."""
        version = self._find_version()
        if version is None:
            raise ModelUnavailableError("no model was trained yet: run `triage train --promote`")
        served = self._served
        if served is None or served.version != version:
            with self._lock:
                served = self._served
                if served is None or served.version != version:
                    served = self._served = self.load(version)
        return served

    def load(self, version: str) -> ServedModel:
        """Return any stored model, verified, ready to serve."""
        found = self._fetch(version)
        if found is None:
            raise ModelUnavailableError(f"there is no model {version}")
        blob, digest = found
        model = unpack(blob, digest, self._key)
        # Loading the encoder takes a second: a model that learned without it never asks.
        return ServedModel(model, version, encoder() if model.meaning is not None else None)
