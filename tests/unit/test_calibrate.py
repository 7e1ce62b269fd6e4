"""Scores become probabilities and thresholds that keep their promise on rows nobody trained on."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from models import calibrate
from models.compiled import softmax

NEVER = 1.01  # the threshold that no probability reaches

some_rows = settings(deadline=None, max_examples=100, derandomize=True)

# Few distinct values, both ends included: ties are the rule here, not the exception.
SCORES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0])
ROWS = st.lists(st.tuples(SCORES, st.booleans()), max_size=60)


def columns(rows):
    """Rows of (score, truth) as the two arrays that the functions take."""
    return np.array([score for score, _ in rows], dtype=float), np.array([truth for _, truth in rows], dtype=bool)


def drawn(log_odds, rng):
    """Draw a true label for every row by its own probabilities."""
    return (softmax(log_odds).cumsum(axis=1) < rng.random((len(log_odds), 1))).sum(axis=1)


def some_scores(rng, rows=6000, labels=4):
    return rng.normal(size=(rows, labels))


# --- one weight per expert, one bias per label ----------------------------------------


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0], ids=["too sure", "just right", "too shy"])
def test_a_stack_finds_the_temperature_that_the_truth_was_drawn_with(temperature):
    rng = np.random.default_rng(1)
    scores = some_scores(rng)
    stack = calibrate.fit_stack([scores], drawn(temperature * scores, rng))
    assert stack.weights[0] == pytest.approx(temperature, rel=0.1)


def test_a_stack_finds_the_bias_of_a_common_label():
    rng = np.random.default_rng(2)
    scores = some_scores(rng, rows=20_000)
    bias = np.array([1.5, 0.0, -0.5, -1.0])
    stack = calibrate.fit_stack([scores], drawn(scores + bias, rng))
    assert stack.bias - stack.bias.mean() == pytest.approx(bias - bias.mean(), abs=0.15)


def test_a_stack_weighs_two_experts_as_the_truth_does():
    rng = np.random.default_rng(3)
    first, second = some_scores(rng), some_scores(rng)
    stack = calibrate.fit_stack([first, second], drawn(2.0 * first + 0.5 * second, rng))
    assert stack.weights == pytest.approx([2.0, 0.5], rel=0.15)


def test_the_size_of_an_experts_numbers_does_not_change_what_it_says():
    rng = np.random.default_rng(4)
    first, second = some_scores(rng), some_scores(rng)
    truth = drawn(first + second, rng)
    plain = calibrate.fit_stack([first, second], truth).log_odds([first, second])
    scaled = calibrate.fit_stack([first * 1000, second], truth).log_odds([first * 1000, second])
    assert softmax(scaled) == pytest.approx(softmax(plain), abs=1e-3)


def test_an_expert_that_is_usually_wrong_is_ignored_and_never_turned_round():
    rng = np.random.default_rng(5)
    good = some_scores(rng)
    useful, misleading = good + some_scores(rng), some_scores(rng) - good
    stack = calibrate.fit_stack([useful, misleading], drawn(2 * good, rng))
    assert stack.weights[0] > 0
    assert stack.weights[1] == 0


def test_an_expert_that_said_the_same_of_everything_does_not_disturb_the_others():
    rng = np.random.default_rng(6)
    good = some_scores(rng)
    stack = calibrate.fit_stack([good, np.zeros_like(good)], drawn(good, rng))
    assert stack.weights[0] == pytest.approx(1.0, rel=0.1)


def test_an_expert_that_said_nothing_on_held_out_rows_has_no_say_later():
    rng = np.random.default_rng(6)
    good = some_scores(rng)
    silent = np.zeros_like(good)
    stack = calibrate.fit_stack([good, silent], drawn(good, rng))
    speaks_up = silent + np.array([1.0, 0.0, 0.0, 0.0])
    assert stack.log_odds([good, speaks_up]).tolist() == stack.log_odds([good, silent]).tolist()


def test_rows_that_weigh_nothing_teach_nothing():
    rng = np.random.default_rng(7)
    scores = some_scores(rng)
    truth = drawn(3 * scores, rng)
    half = len(truth) // 2
    misled = np.concatenate([truth[:half], rng.integers(0, 4, half)])
    weigh = np.repeat([1.0, 0.0], half)
    stack = calibrate.fit_stack([scores], misled, weigh)
    assert stack.weights[0] == pytest.approx(3.0, rel=0.15)


def test_fitting_the_same_rows_twice_gives_the_same_stack():
    rng = np.random.default_rng(8)
    scores = some_scores(rng, rows=300)
    truth = drawn(scores, rng)
    first, again = calibrate.fit_stack([scores], truth), calibrate.fit_stack([scores], truth)
    assert first.weights.tolist() == again.weights.tolist()
    assert first.bias.tolist() == again.bias.tolist()


def test_a_stack_needs_the_scores_of_all_its_experts():
    stack = calibrate.Stack(np.array([1.0, 2.0]), np.zeros(3))
    with pytest.raises(ValueError, match="zip"):
        stack.log_odds([np.zeros((1, 3))])


def test_combined_scores_are_the_weighted_sum_and_the_bias():
    stack = calibrate.Stack(np.array([2.0, 0.5]), np.array([0.0, 1.0]))
    combined = stack.log_odds([np.array([[1.0, 2.0]]), np.array([[4.0, -4.0]])])
    assert combined.tolist() == [[4.0, 3.0]]


# --- how honest probabilities are -----------------------------------------------------


def test_probabilities_that_come_true_have_no_calibration_error():
    right = np.array([True] * 8 + [False] * 2)
    assert calibrate.expected_calibration_error(np.full(10, 0.8), right) == pytest.approx(0, abs=1e-12)


def test_a_boaster_is_off_by_what_it_boasts():
    right = np.array([True, False] * 50)
    assert calibrate.expected_calibration_error(np.full(100, 0.99), right) == pytest.approx(0.49)


def test_doubt_is_as_wrong_as_boasting():
    assert calibrate.expected_calibration_error(np.full(10, 0.3), np.ones(10, dtype=bool)) == pytest.approx(0.7)


def test_errors_of_different_bins_do_not_cancel_out():
    confidence = np.array([0.9] * 10 + [0.3] * 10)
    right = np.array([True] * 5 + [False] * 5 + [True] * 7 + [False] * 3)  # 0.5 for 0.9 and 0.7 for 0.3
    assert calibrate.expected_calibration_error(confidence, right) == pytest.approx(0.4)


def test_full_certainty_has_its_place_in_the_last_bin():
    confidence = np.array([1.0, 0.99])
    assert calibrate.expected_calibration_error(confidence, np.array([True, True])) == pytest.approx(0.005)


def test_no_rows_have_no_calibration_error():
    assert calibrate.expected_calibration_error(np.array([]), np.array([], dtype=bool)) == 0


@given(ROWS.filter(len))
@some_rows
def test_the_calibration_error_is_the_mean_gap_over_equal_bins(rows):
    gap = 0.0
    for one in range(calibrate.BINS):
        inside = [
            (confidence, right)
            for confidence, right in rows
            if min(int(confidence * calibrate.BINS), calibrate.BINS - 1) == one
        ]
        if inside:
            gap += abs(sum(c for c, _ in inside) - sum(r for _, r in inside)) / len(rows)
    assert calibrate.expected_calibration_error(*columns(rows)) == pytest.approx(gap)


# --- what few rows prove --------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "total", "bound"),
    [(0, 10, 0.0), (10, 10, 0.7411), (9, 10, 0.6058), (1, 2, 0.0253), (59, 59, 0.9505), (58, 58, 0.9497)],
    ids=["none of 10", "10 of 10", "9 of 10", "1 of 2", "the rule of 59", "one short of it"],
)
def test_the_lower_bound_has_the_textbook_values(right, total, bound):
    assert calibrate.lower_bound(right, total) == pytest.approx(bound, abs=5e-5)


@given(st.integers(1, 300), st.data())
@some_rows
def test_at_the_lower_bound_so_many_hits_would_be_a_one_in_twenty_chance(total, data):
    right = data.draw(st.integers(1, total))
    bound = calibrate.lower_bound(right, total)
    assert binom.sf(right - 1, total, bound) == pytest.approx(0.05, abs=1e-9)


@given(st.integers(1, 200), st.data())
@some_rows
def test_the_lower_bound_never_promises_more_than_was_seen(total, data):
    right = data.draw(st.integers(0, total))
    assert 0 <= calibrate.lower_bound(right, total) <= right / total


# --- from which score on the product may act ------------------------------------------


def test_a_threshold_is_set_where_enough_rows_prove_the_precision():
    confidence = np.concatenate([np.full(60, 0.9), np.full(40, 0.4)])
    right = np.concatenate([np.ones(60, dtype=bool), np.zeros(40, dtype=bool)])
    assert calibrate.precision_threshold(confidence, right, 0.95) == 0.9


@pytest.mark.parametrize(
    ("rows", "target"),
    [
        ([], 0.9),
        ([(1.0, True)], 0.9),
        ([(1.0, True)] * 58, 0.95),
        ([(1.0, False)] * 500, 0.5),
        ([(1.0, True)] * 500, 1.0),
    ],
    ids=["no rows", "one row", "one row too few", "always wrong", "nothing is ever certain"],
)
def test_nothing_acts_alone_where_too_little_is_proven(rows, target):
    assert calibrate.precision_threshold(*columns(rows), target) == NEVER


def test_one_row_more_is_enough():
    assert calibrate.precision_threshold(*columns([(1.0, True)] * 59), 0.95) == 1.0


@pytest.mark.parametrize("wrong_first", [True, False], ids=["wrong rows first", "right rows first"])
def test_rows_of_the_same_confidence_stand_or_fall_together(wrong_first):
    right = np.array([False] * 60 + [True] * 60 if wrong_first else [True] * 60 + [False] * 60)
    assert calibrate.precision_threshold(np.full(120, 0.8), right, 0.9) == NEVER


def test_a_stretch_of_errors_in_the_middle_can_be_outweighed_below_it():
    rows = [(0.9, True)] * 5 + [(0.8, False)] * 3 + [(0.7, True)] * 200
    assert calibrate.precision_threshold(*columns(rows), 0.9) == 0.7


@given(ROWS, st.sampled_from([0.3, 0.5, 0.8, 0.9]))
@some_rows
def test_the_threshold_is_the_least_at_which_the_bound_holds(rows, target):
    def bound(at):
        above = [right for confidence, right in rows if confidence >= at]
        return calibrate.lower_bound(sum(above), len(above))

    holds = [at for at in {confidence for confidence, _ in rows} if bound(at) >= target]
    assert calibrate.precision_threshold(*columns(rows), target) == min(holds, default=NEVER)


@given(ROWS, st.randoms(use_true_random=False))
@some_rows
def test_the_order_of_the_rows_does_not_move_a_threshold(rows, random):
    shuffled = random.sample(rows, len(rows))
    before = calibrate.precision_threshold(*columns(rows), 0.5)
    assert calibrate.precision_threshold(*columns(shuffled), 0.5) == before


@pytest.mark.parametrize(
    ("recall", "threshold"),
    [(0.5, 0.6), (0.9, 0.2), (0.91, 0.1), (1.0, 0.1), (0.01, 1.0)],
    ids=["half", "nine of ten", "a little more", "all", "any"],
)
def test_a_recall_threshold_lets_just_enough_of_the_dangerous_rows_pass(recall, threshold):
    dangerous = [(place / 10, True) for place in range(1, 11)]
    harmless = [(0.95, False)] * 50
    assert calibrate.recall_threshold(*columns(dangerous + harmless), recall) == threshold


def test_without_a_dangerous_row_nothing_can_be_promised_about_recall():
    assert calibrate.recall_threshold(*columns([(0.5, False)]), 0.9) == NEVER


@given(ROWS, st.sampled_from([0.5, 0.9, 0.97, 0.98, 1.0]))
@some_rows
def test_a_recall_threshold_is_the_highest_that_keeps_its_promise(rows, recall):
    positives = [score for score, positive in rows if positive]

    def kept(at):
        return sum(score >= at for score in positives) >= recall * len(positives)

    holds = [at for at in set(positives) if kept(at)]
    assert calibrate.recall_threshold(*columns(rows), recall) == max(holds, default=NEVER)


def test_a_false_alarm_threshold_lets_just_few_enough_harmless_rows_pass():
    harmless = [(place / 10, False) for place in range(1, 11)]
    threshold = calibrate.false_alarm_threshold(*columns(harmless), 0.2)
    assert 0.8 < threshold <= 0.8 + 1e-9


def test_when_every_harmless_row_may_pass_the_threshold_is_the_lowest():
    assert calibrate.false_alarm_threshold(*columns([(0.3, False), (0.9, True)]), 1.0) == 0


def test_without_a_harmless_row_there_is_no_false_alarm():
    assert calibrate.false_alarm_threshold(*columns([(0.3, True)]), 0.0) == 0


@given(ROWS, st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]))
@some_rows
def test_no_more_harmless_rows_reach_a_false_alarm_threshold_than_were_allowed(rows, share):
    negatives = [score for score, positive in rows if not positive]
    threshold = calibrate.false_alarm_threshold(*columns(rows), share)
    assert sum(score >= threshold for score in negatives) <= share * len(negatives)


@given(ROWS, st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]))
@some_rows
def test_a_lower_false_alarm_threshold_would_let_too_many_pass(rows, share):
    negatives = [score for score, positive in rows if not positive]
    threshold = calibrate.false_alarm_threshold(*columns(rows), share)
    lower = math.nextafter(threshold, -1)
    assert threshold == 0 or sum(score >= lower for score in negatives) > share * len(negatives)
