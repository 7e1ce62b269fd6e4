"""A model's figures are the ones that scikit-learn would report, and do not flatter it."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from models import evaluate
from models.calibrate import expected_calibration_error
from models.compiled import Compiled, View
from models.dataset import Example

LABELS = ("account_access", "out_of_scope", "printer", "security_incident")

some_rows = settings(deadline=None, max_examples=100, derandomize=True)
SHARES = st.sampled_from([0.5, 0.9, 0.95, 0.98, 1.0])
ROWS = st.lists(st.tuples(st.sampled_from([0.2, 0.5, 0.9, 1.0]), st.booleans()), min_size=1, max_size=40)


def random_rows(seed, rows=400, unknown=()):
    """Probabilities, and true labels that they often but not always get right."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(len(LABELS), 0.4), size=rows)
    guess = np.array(LABELS)[probabilities.argmax(axis=1)]
    truth = np.where(rng.random(rows) < 0.7, guess, rng.choice([*LABELS, *unknown], size=rows))
    return probabilities, truth.tolist(), guess.tolist()


def certain(labels, guesses):
    """Probabilities of a model that is quite sure of every guess."""
    return np.array([[0.97 if label == guess else 0.01 for label in labels] for guess in guesses])


def columns(rows):
    return np.array([confidence for confidence, _ in rows]), np.array([right for _, right in rows])


def a_word_model(labels, words):
    """A model that knows one word per label."""
    index = {word: row for row, word in enumerate(words)}
    weights = 9 * np.eye(len(words), len(labels), dtype=np.float32)
    nothing = View({}, np.zeros(0, dtype=np.float32), np.zeros((0, len(labels)), dtype=np.float32))
    view = View(index, np.ones(len(words), dtype=np.float32), weights)
    return Compiled(labels, (), view, nothing, np.zeros(len(labels)), None, {"without": {}})


@pytest.mark.parametrize("seed", range(5))
def test_accuracy_and_macro_f1_are_scikit_learns(seed):
    probabilities, truth, guess = random_rows(seed)
    found = evaluate.figures(probabilities, LABELS, truth)
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, guess), abs=5e-5)
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(truth, guess, average="macro"), abs=5e-5)


@pytest.mark.parametrize("seed", range(5))
def test_the_figures_of_each_label_are_scikit_learns(seed):
    probabilities, truth, guess = random_rows(seed)
    found = evaluate.figures(probabilities, LABELS, truth)["per_class"]
    expected = metrics.precision_recall_fscore_support(truth, guess, labels=sorted(found), zero_division=0)
    for label, *numbers in zip(sorted(found), *expected, strict=True):
        assert [found[label][name] for name in ("precision", "recall", "f1", "n")] == pytest.approx(numbers, abs=5e-5)


def test_the_calibration_error_is_that_of_the_first_guess():
    probabilities, truth, guess = random_rows(6)
    right = np.array(truth) == np.array(guess)
    expected = expected_calibration_error(probabilities.max(axis=1), right)
    assert evaluate.figures(probabilities, LABELS, truth)["ece"] == pytest.approx(expected, abs=5e-5)


def test_the_number_of_rows_is_told():
    probabilities, truth, _ = random_rows(7, rows=33)
    assert evaluate.figures(probabilities, LABELS, truth)["n"] == 33


def test_a_label_the_model_does_not_know_counts_as_missed():
    probabilities, truth, guess = random_rows(8, unknown=["plumbing"])
    found = evaluate.figures(probabilities, LABELS, truth)
    assert found["per_class"]["plumbing"] | {"n": 0} == {"precision": 0, "recall": 0, "f1": 0, "n": 0}
    expected = metrics.f1_score(truth, guess, labels=sorted(set(truth)), average="macro", zero_division=0)
    assert found["macro_f1"] == pytest.approx(expected, abs=5e-5)


def test_when_the_model_knows_none_of_the_labels_everything_is_missed():
    found = evaluate.figures(certain(LABELS, ["printer", "printer"]), LABELS, ["plumbing", "catering"])
    assert (found["accuracy"], found["macro_f1"]) == (0, 0)
    assert set(found["coverage_at_precision"].values()) == {0}


def test_a_label_without_rows_does_not_count_for_macro_f1():
    found = evaluate.figures(certain(LABELS, ["printer", "printer"]), LABELS, ["printer", "printer"])
    assert found["macro_f1"] == 1
    assert set(found["per_class"]) == {"printer"}


def test_a_label_that_is_present_but_never_guessed_scores_zero():
    found = evaluate.figures(certain(LABELS, ["printer", "printer"]), LABELS, ["printer", "account_access"])
    assert found["per_class"]["account_access"]["f1"] == 0
    assert found["per_class"]["printer"] == {"precision": 0.5, "recall": 1.0, "f1": 0.6667, "n": 1}


def test_the_contracts_names_are_all_there_and_fit_into_json():
    probabilities, truth, _ = random_rows(9)
    found = json.loads(json.dumps(evaluate.figures(probabilities, LABELS, truth)))
    assert {"n", "accuracy", "macro_f1", "per_class", "ece", "coverage_at_precision"} <= set(found)
    assert "0.95" in found["coverage_at_precision"]


def test_a_model_is_judged_by_what_it_says_of_the_texts():
    model = a_word_model(("account_access", "printer"), ["password", "toner"])
    rows = [("my password", "account_access"), ("toner low", "printer"), ("toner and toner", "account_access")]
    found = evaluate.evaluate(model, [Example(text, label) for text, label in rows], None)
    assert (found["n"], found["accuracy"]) == (3, 0.6667)
    assert found["per_class"]["printer"] == {"precision": 0.5, "recall": 1.0, "f1": 0.6667, "n": 1}


# --- coverage at a precision ----------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "precision", "share"),
    [
        ([(0.9, True), (0.8, True), (0.7, False), (0.6, False)], 0.95, 0.5),
        ([(0.9, True), (0.8, False), (0.7, True), (0.6, True)], 0.75, 1.0),
        ([(0.9, False), (0.8, True)], 0.9, 0.0),
        ([(0.9, True), (0.8, True)], 1.0, 1.0),
        ([(0.6, False), (0.9, True)], 0.95, 0.5),
    ],
    ids=["the sure half", "an early error is outweighed", "the surest is wrong", "all right", "in any order"],
)
def test_coverage_is_the_share_that_can_be_answered_at_a_precision(rows, precision, share):
    assert evaluate.coverage(*columns(rows), precision) == share


def test_no_rows_cover_nothing():
    assert evaluate.coverage(np.array([]), np.array([], dtype=bool), 0.9) == 0


@pytest.mark.parametrize("first", [True, False], ids=["right row first", "wrong row first"])
def test_no_threshold_can_part_rows_of_the_same_confidence(first):
    assert evaluate.coverage(*columns([(0.9, first), (0.9, not first)]), 0.95) == 0


@given(ROWS, SHARES)
@some_rows
def test_coverage_is_what_the_best_threshold_would_give(rows, precision):
    def kept(at):
        return [right for confidence, right in rows if confidence >= at]

    enough = [
        len(kept(at)) for at in {confidence for confidence, _ in rows} if sum(kept(at)) / len(kept(at)) >= precision
    ]
    assert evaluate.coverage(*columns(rows), precision) == pytest.approx(max(enough, default=0) / len(rows))


@given(ROWS)
@some_rows
def test_asking_for_more_precision_never_covers_more(rows):
    covered = [evaluate.coverage(*columns(rows), precision) for precision in (0.5, 0.9, 0.95, 1.0)]
    assert covered == sorted(covered, reverse=True)
