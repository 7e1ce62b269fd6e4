"""Owns training, from folds by author to a compiled model; refuses to store or promote.

Three linear experts look at every text: a support vector machine on words and
characters, complement naive Bayes on words, and logistic regression on the meaning
where the encoder is at hand. Each question (the label, "is it security?", "may it
harm?") gets the experts' weighted sum. Weights, biases and thresholds come from
rows whose author the scoring experts have not seen.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from models.calibrate import (
    Stack,
    false_alarm_threshold,
    fit_stack,
    precision_threshold,
    recall_threshold,
)
from models.classifier import security_score
from models.compiled import Array, Compiled, Meaning, View, softmax
from models.dataset import OUT_OF_SCOPE, DatasetError, Example, check_labels
from models.features import WORD, Encoder, Floats, encode, lexical_features, prepare
from triage.policy import SECURITY_CATEGORY

FOLDS = 5
SEED = 20
SVM_C = 0.3
BAYES_ALPHA = 0.1
MEANING_C = 3.0
# Above this many rows the words alone say as much and the encoder only costs time
# (benchmarks/ablation.py; docs/decisions/0004-classifier.md).
ENCODER_ROWS = 20_000
LEAST_POSITIVES = 20  # a detector needs so many examples of its danger

AUTO_PRECISION = 0.96  # lower bound of being right when the bot acts alone
ROUTE_PRECISION = 0.90  # lower bound when a team gets the ticket without a review
# Share of other tickets that may go straight to security. Measured on texts many of which were written to look
# dangerous, so life should see fewer. What is missed lies in the review band below.
SECURITY_FALSE_ALARMS = 0.05
SECURITY_REVIEW_RECALL = 0.98  # share that at least a person sees at once
HARM_RECALL = 0.97  # share of harm tickets the detector must hold back

Step = Callable[[str, int, int], None]  # name, done, of


@dataclass(frozen=True)
class Trained:
    """A compiled model, what its card needs, and the out-of-fold probabilities it was tuned on."""

    model: Compiled
    out_of_fold: Array
    weights: dict[str, dict[str, list[float]]]
    cpu_seconds: float


@dataclass(frozen=True)
class _Question:
    """Labels of one head for every row, as positions; detectors ask [no, yes]."""

    name: str
    labels: tuple[str, ...]
    truth: NDArray[np.intp]


def _quiet(_name: str, _done: int, _of: int) -> None:
    """Show no progress."""


def train(
    examples: Sequence[Example], using: Encoder | None, progress: Step = _quiet, source: str = "training data"
) -> Trained:
    """Train on labelled, masked texts and return a model ready to serve.

    Any label set with at least two labels of two rows each will do; `out_of_scope` is
    the label of what belongs to none. Raises DatasetError naming `source` otherwise.
    """
    check_labels(examples, source)
    if not any(WORD.search(prepare(example.text)) for example in examples):
        raise DatasetError(f"{source}: text: holds no word of two letters or more")
    began = time.process_time()
    with threadpool_limits(1):
        trained = _train(examples, using if len(examples) <= ENCODER_ROWS else None, progress)
    return Trained(trained.model, trained.out_of_fold, trained.weights, time.process_time() - began)


def _train(examples: Sequence[Example], using: Encoder | None, progress: Step) -> Trained:
    questions = list(_questions(examples))
    texts = [example.text for example in examples]
    steps = FOLDS + 2
    progress("meaning", 0, steps)
    meaning = encode(texts, using) if using else None
    folds = _folds(examples)
    held_out = [_Margins.empty(q, len(texts), meaning is not None) for q in questions]
    for number, (rest, fold) in enumerate(folds):
        progress(f"fold {number + 1}", number + 1, steps)
        experts = _fit(texts, meaning, questions, rest)
        for question, margins in zip(range(len(questions)), held_out, strict=True):
            margins.fill(fold, experts, question, [texts[i] for i in fold], meaning)
    progress("calibration", FOLDS + 1, steps)
    stacks = [_Stacks.fit(margins, question) for margins, question in zip(held_out, questions, strict=True)]
    thresholds = {"without": _thresholds(questions, [s.without(m) for s, m in zip(stacks, held_out, strict=True)])}
    if meaning is not None:
        together = [s.together(m) for s, m in zip(stacks, held_out, strict=True)]
        thresholds["with"] = _thresholds(questions, together)
    progress("final fit", FOLDS + 2, steps)
    experts = _fit(texts, meaning, questions, np.arange(len(texts)))
    best = together[0] if meaning is not None else stacks[0].without(held_out[0])
    return Trained(
        model=_compile(experts, questions, stacks, thresholds),
        out_of_fold=softmax(best),
        weights={q.name: s.card() for q, s in zip(questions, stacks, strict=True)},
        cpu_seconds=0.0,
    )


def _questions(examples: Sequence[Example]) -> Iterator[_Question]:
    labels = tuple(sorted({example.label for example in examples}))
    place = {label: i for i, label in enumerate(labels)}
    yield _Question("label", labels, np.array([place[e.label] for e in examples]))
    dangers = {
        "security": np.array([int(e.label == SECURITY_CATEGORY) for e in examples]),
        "harm": np.array([int("harm" in e.flags) for e in examples]),
    }
    for name, truth in dangers.items():
        if LEAST_POSITIVES <= truth.sum() <= len(examples) - LEAST_POSITIVES:
            yield _Question(name, ("no", "yes"), truth)


def _folds(examples: Sequence[Example]) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Split so that no author is on both sides; without authors, by label alone.

    A split whose fitting side would miss a label falls back to the same: the label's
    only author cannot be held out.
    """
    from sklearn.model_selection import GroupKFold, StratifiedKFold

    questions = list(_questions(examples))
    labels = np.array([example.label for example in examples])
    authors = np.array([example.author for example in examples])
    if len(set(authors)) >= FOLDS:
        grouped = GroupKFold(FOLDS, shuffle=True, random_state=SEED)
        splits = list(grouped.split(labels, labels, authors))
        if all(set(q.truth[rest]) == set(q.truth) for rest, _ in splits for q in questions):
            return splits
    return list(StratifiedKFold(min(FOLDS, _most(labels)), shuffle=True, random_state=SEED).split(labels, labels))


def _most(labels: NDArray[np.str_]) -> int:
    return max(2, min(FOLDS, *Counter(labels.tolist()).values()))


@dataclass(frozen=True)
class _Experts:
    """Fitted experts of all questions: per question (matrix, intercept) on its features."""

    features: Any
    word_count: int
    svm: list[tuple[Array, Array]]
    bayes: list[Array]
    meaning: list[tuple[Array, Array]] | None

    def lexical(self, texts: list[str]) -> Any:
        return self.features.transform(texts).tocsr()


def _fit(texts: list[str], meaning: Floats | None, questions: list[_Question], rows: NDArray[np.intp]) -> _Experts:
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import ComplementNB
    from sklearn.svm import LinearSVC

    features = lexical_features(len(rows))
    matrix = features.fit_transform([texts[i] for i in rows]).tocsr()
    word_count = len(features.transformer_list[0][1].vocabulary_)
    words = matrix[:, :word_count]
    svm, bayes, meanings = [], [], []
    for question in questions:
        truth = question.truth[rows]
        machine = LinearSVC(C=SVM_C, class_weight="balanced", random_state=SEED).fit(matrix, truth)
        svm.append(_per_label(machine, len(question.labels)))
        counts = ComplementNB(alpha=BAYES_ALPHA).fit(words, truth)
        bayes.append(_all_labels(counts.feature_log_prob_, counts.classes_, len(question.labels)))
        if meaning is not None:
            logistic = LogisticRegression(C=MEANING_C, class_weight="balanced", max_iter=1000)
            meanings.append(_per_label(logistic.fit(meaning[rows], truth), len(question.labels)))
    return _Experts(features, word_count, svm, bayes, meanings if meaning is not None else None)


def _per_label(fitted: Any, labels: int) -> tuple[Array, Array]:
    """Return (features x labels) weights and intercepts; two labels get one half each of the one margin."""
    weights, intercept = fitted.coef_, fitted.intercept_
    if len(fitted.classes_) == 2:
        weights, intercept = np.vstack([-weights, weights]) / 2, np.concatenate([-intercept, intercept]) / 2
    return _all_labels(weights, fitted.classes_, labels), _all_labels(intercept[:, None], fitted.classes_, labels)[0]


def _all_labels(rows: Array, classes: NDArray[np.intp], labels: int) -> Array:
    """Return (features x labels), with the lowest weight for a label the fold has not seen."""
    full = np.full((rows.shape[1], labels), rows.min(), dtype=np.float64)
    full[:, classes.astype(int)] = rows.T
    return full


@dataclass(frozen=True)
class _Margins:
    """Out-of-fold scores of one question, per expert (rows x labels)."""

    svm: Array
    bayes: Array
    meaning: Array | None

    @classmethod
    def empty(cls, question: _Question, rows: int, with_meaning: bool) -> _Margins:
        shape = (rows, len(question.labels))
        return cls(np.zeros(shape), np.zeros(shape), np.zeros(shape) if with_meaning else None)

    def fill(
        self, fold: NDArray[np.intp], experts: _Experts, question: int, texts: list[str], meaning: Floats | None
    ) -> None:
        matrix = experts.lexical(texts)
        weights, intercept = experts.svm[question]
        self.svm[fold] = matrix @ weights + intercept
        self.bayes[fold] = matrix[:, : experts.word_count] @ experts.bayes[question]
        if self.meaning is not None and experts.meaning is not None and meaning is not None:
            weights, intercept = experts.meaning[question]
            self.meaning[fold] = meaning[fold] @ weights + intercept


@dataclass(frozen=True)
class _Stacks:
    """How one question weighs its experts: the words alone, then words and meaning together."""

    lexical: Stack
    joint: Stack | None

    @classmethod
    def fit(cls, margins: _Margins, question: _Question) -> _Stacks:
        lexical = fit_stack([margins.svm, margins.bayes], question.truth)
        if margins.meaning is None:
            return cls(lexical, None)
        scores = [lexical.log_odds([margins.svm, margins.bayes]), margins.meaning]
        return cls(lexical, fit_stack(scores, question.truth))

    def without(self, margins: _Margins) -> Array:
        return self.lexical.log_odds([margins.svm, margins.bayes])

    def together(self, margins: _Margins) -> Array:
        if self.joint is None or margins.meaning is None:
            raise ValueError("this question was fitted without meaning")
        return self.joint.log_odds([self.without(margins), margins.meaning])

    def card(self) -> dict[str, list[float]]:
        joint = [] if self.joint is None else self.joint.weights.round(4).tolist()
        return {"svm, bayes": self.lexical.weights.round(4).tolist(), "words, meaning": joint}


def _thresholds(questions: list[_Question], log_odds: list[Array]) -> dict[str, float]:
    """Measure on held-out rows from which score on each promise holds."""
    labels, truth = questions[0].labels, questions[0].truth
    p = softmax(log_odds[0])
    detected = {q.name: softmax(z)[:, 1] for q, z in zip(questions[1:], log_odds[1:], strict=True)}
    found: dict[str, float] = {}
    calm = np.ones(len(truth), dtype=bool)  # rows on which no detector speaks: only there the bot may act alone
    if "security" in detected:
        place = labels.index(SECURITY_CATEGORY)
        score, danger = security_score(p[:, place], detected["security"]), truth == place
        found["security"] = false_alarm_threshold(score, danger, SECURITY_FALSE_ALARMS)
        found["maybe_security"] = min(recall_threshold(score, danger, SECURITY_REVIEW_RECALL), found["security"])
        calm &= score < found["maybe_security"]
    if "harm" in detected:
        harmful = next(q.truth for q in questions if q.name == "harm") == 1
        found["maybe_harm"] = recall_threshold(detected["harm"], harmful, HARM_RECALL)
    scope = np.array([label != OUT_OF_SCOPE for label in labels])
    guess, confidence = np.where(scope, p, -1).argmax(axis=1), np.where(scope, p, -1).max(axis=1)
    right = guess == truth
    found["route"] = precision_threshold(confidence[calm], right[calm], ROUTE_PRECISION)
    if "harm" in detected:
        calm &= detected["harm"] < found["maybe_harm"]
    for place, label in enumerate(labels):
        if label != OUT_OF_SCOPE:
            mine = calm & (guess == place)
            found[f"auto:{label}"] = precision_threshold(confidence[mine], right[mine], AUTO_PRECISION)
    return found


def _compile(
    experts: _Experts, questions: list[_Question], stacks: list[_Stacks], thresholds: dict[str, dict[str, float]]
) -> Compiled:
    """Fold all experts and weights into one matrix per view; a detector keeps only its yes-minus-no column."""
    lexical, bias, meaning, scale, joint_bias = [], [], [], [], []
    for number, stack in enumerate(stacks):
        weights, intercept = experts.svm[number]
        a, b = stack.lexical.weights
        columns = a * weights
        columns[: experts.word_count] += b * experts.bayes[number]
        lexical.append(_columns(columns, number))
        bias.append(_columns((a * intercept + stack.lexical.bias)[None, :], number)[0])
        if stack.joint is not None and experts.meaning is not None:
            weights, intercept = experts.meaning[number]
            c, d = stack.joint.weights
            meaning.append(_columns(d * weights, number))
            joint_bias.append(_columns((d * intercept + stack.joint.bias)[None, :], number)[0])
            scale.append(np.full(meaning[-1].shape[1], c))
    words, chars = (step for _, step in experts.features.transformer_list)
    matrix = np.hstack(lexical).astype(np.float32)
    return Compiled(
        labels=questions[0].labels,
        detectors=tuple(question.name for question in questions[1:]),
        words=_view(words, matrix[: experts.word_count]),
        chars=_view(chars, matrix[experts.word_count :]),
        bias=np.concatenate(bias),
        meaning=(
            Meaning(np.hstack(meaning).astype(np.float32), np.concatenate(scale), np.concatenate(joint_bias))
            if meaning
            else None
        ),
        thresholds=thresholds,
    )


def _columns(both: Array, number: int) -> Array:
    """Return a question's columns as served: all labels, or for a detector the one log-odd of "yes"."""
    return both if number == 0 else both[:, 1:] - both[:, :1]


def _view(fitted: Any, weights: Floats) -> View:
    index = {ngram: int(row) for ngram, row in fitted.vocabulary_.items()}
    return View(index, fitted.idf_.astype(np.float32), np.ascontiguousarray(weights))
