"""Training takes any label set, keeps authors apart, is repeatable, and remembers no identifier."""

import re
from itertools import pairwise

import numpy as np
import pytest

from models import train
from models.dataset import DatasetError, Example
from models.features import ENCODER_SIZE
from triage.policy import SECURITY_CATEGORY

NEVER = 1.01  # the threshold that no probability reaches
TOPICS = {
    "printer": "toner tray paper label jam duplex",
    "account_access": "password locked reset badge login expired",
    SECURITY_CATEGORY: "link clicked phishing stranger stolen leaked",
    "out_of_scope": "parking lunch thanks heating cafeteria plumber",
    "network_connectivity": "wifi vpn cable drive slow signal",
}
PLACES = ["ward", "lobby", "theatre", "clinic", "desk", "basement", "pharmacy", "lab", "reception", "office"]


class CountingEncoder:
    """A meaning that is plain letter counts, and how many texts were asked for."""

    def __init__(self):
        self.asked = 0

    def encode(self, texts):
        self.asked += len(texts)
        rows = np.zeros((len(texts), ENCODER_SIZE), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for letter in text:
                row[ord(letter) % ENCODER_SIZE] += 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def a_row(label, number, author="", flags=()):
    """One text about its label's topic, different for every number."""
    words = TOPICS.get(label, label).split()
    said = [words[number % len(words)], words[number // 2 % len(words)], PLACES[number % 10], PLACES[number // 7 % 10]]
    return Example(" ".join(said), label, author=author, flags=frozenset(flags))


def some_rows(labels=("printer", "account_access"), each=12, authors=0):
    """`each` rows of every label; with `authors`, by that many hands in turn."""
    return [
        a_row(label, number, f"a{number % authors}" if authors else "") for label in labels for number in range(each)
    ]


def trained(rows, encoder=None):
    return train.train(rows, encoder).model


def guess(model, text):
    return model.labels[int(model.score(text, None).labels.argmax())]


# --- any label set --------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels",
    [
        ("printer", "account_access"),
        ("printer", "account_access", SECURITY_CATEGORY, "out_of_scope"),
        ("plumbing", "catering service", "gardening"),
        ("\u00c9quipement", "\u6253\u5370\u673a", 'a,b"c'),
        ("1", "2"),
    ],
    ids=["two", "four of ours", "a hotel's", "with odd names", "numbers"],
)
def test_any_label_set_can_be_learned(labels):
    model = trained(some_rows(labels))
    assert model.labels == tuple(sorted(labels))
    assert [guess(model, a_row(label, 3).text) for label in labels if label in TOPICS] == [
        label for label in labels if label in TOPICS
    ]


def test_a_label_with_two_rows_is_learned_beside_larger_ones():
    rows = [*some_rows(each=12), Example("drill drill wall", "facilities"), Example("drill hole", "facilities")]
    assert guess(trained(rows), "drill") == "facilities"


def test_two_labels_of_two_rows_are_the_least_that_can_be_learned():
    model = trained(some_rows(each=2))
    assert model.labels == ("account_access", "printer")


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([], "at least two different labels, found none"),
        (some_rows(["printer"]), "at least two different labels, found printer"),
        ([*some_rows(), Example("drill", "facilities")], "'facilities' has a single row"),
    ],
    ids=["no rows", "one label", "a label with one row"],
)
def test_a_set_that_no_model_can_learn_from_is_refused_in_words(rows, complaint):
    with pytest.raises(DatasetError, match=complaint):
        train.train(rows, None)


def test_rows_without_a_single_word_are_refused_in_words():
    rows = [Example(text, label) for label in ("printer", "other") for text in ("?", "!", "\U0001f5a8", "a b")]
    with pytest.raises(DatasetError):
        train.train(rows, None)


def test_rows_without_a_single_word_are_learned_beside_others():
    rows = [*some_rows(), Example("?", "other"), Example("\U0001f5a8", "other")]
    assert "other" in trained(rows).labels


def test_every_row_gets_a_probability_from_folds_it_was_not_in():
    rows = some_rows(("printer", "account_access", "out_of_scope"))
    out_of_fold = train.train(rows, None).out_of_fold
    assert out_of_fold.shape == (len(rows), 3)
    assert out_of_fold.sum(axis=1) == pytest.approx(1.0)


def test_labels_drawn_by_lot_are_never_claimed_to_be_known():
    rng = np.random.default_rng(3)
    rows = [Example(f"coin{n}coin", str(label)) for n, label in enumerate(rng.choice(["heads", "tails"], size=200))]
    result = train.train(rows, None)
    claimed = [result.model.score(row.text, None).labels.max() for row in rows]
    assert max(*claimed, *result.out_of_fold.ravel()) < 0.9
    assert set(result.model.thresholds["without"].values()) == {NEVER}


# --- folds ----------------------------------------------------------------------------


@pytest.mark.parametrize("authors", [5, 10, 35], ids="{} authors".format)
def test_no_author_is_on_both_sides_of_a_fold(authors):
    rows = some_rows(("printer", "account_access", "out_of_scope"), each=70, authors=authors)
    for rest, fold in train._folds(rows):
        assert {rows[i].author for i in rest} & {rows[i].author for i in fold} == set()


@pytest.mark.parametrize(
    "rows",
    [
        some_rows(each=30, authors=15),
        some_rows(each=30),
        some_rows(each=2),
        [*some_rows(each=30, authors=15), *[a_row("out_of_scope", n, "a1") for n in range(5)]],
    ],
    ids=["by author", "without authors", "few rows", "a label of one author"],
)
def test_every_row_is_held_out_exactly_once_and_every_label_is_always_learned(rows):
    folds = train._folds(rows)
    assert sorted(np.concatenate([fold for _, fold in folds]).tolist()) == list(range(len(rows)))
    for rest, fold in folds:
        assert set(rest.tolist()).isdisjoint(fold.tolist())
        assert {rows[i].label for i in rest} == {row.label for row in rows}


def test_a_label_that_one_author_alone_wrote_is_learned_all_the_same():
    rows = [*some_rows(each=30, authors=15), *[a_row("out_of_scope", n, "a1") for n in range(10)]]
    assert guess(trained(rows), "parking lunch cafeteria") == "out_of_scope"


def test_a_danger_that_one_author_alone_reported_is_learned_all_the_same():
    rows = some_rows(each=60, authors=12)
    rows += [a_row("printer", number, "the one who warns", ["harm"]) for number in range(train.LEAST_POSITIVES)]
    assert trained(rows).detectors == ("harm",)


# --- repeatable -----------------------------------------------------------------------


@pytest.mark.parametrize("encoder", [None, CountingEncoder()], ids=["without meaning", "with meaning"])
def test_training_twice_on_the_same_rows_gives_the_same_model(encoder):
    rows = some_rows(("printer", "account_access", SECURITY_CATEGORY), each=25, authors=12)
    first, again = trained(rows, encoder), trained(rows, encoder)
    assert first.words.index == again.words.index
    assert first.chars.index == again.chars.index
    assert first.thresholds == again.thresholds
    for mine, other in [
        (first.words.weights, again.words.weights),
        (first.chars.weights, again.chars.weights),
        (first.words.idf, again.words.idf),
        (first.bias, again.bias),
    ]:
        assert mine.tolist() == other.tolist()
    assert (first.meaning is None) == (encoder is None)
    if encoder:
        assert first.meaning.weights.tolist() == again.meaning.weights.tolist()
        assert first.meaning.bias.tolist() == again.meaning.bias.tolist()


# --- detectors ------------------------------------------------------------------------


def with_harm(count):
    """Sixty rows of two labels in turn, of which the first `count` say that a patient is at risk."""
    rows = [a_row(label, number) for number in range(30) for label in ("printer", "account_access")]
    harmful = [Example(f"{row.text} patient bleeding", row.label, flags=frozenset(["harm"])) for row in rows[:count]]
    return harmful + rows[count:]


@pytest.mark.parametrize(
    ("rows", "detectors"),
    [
        (some_rows(), ()),
        (some_rows((SECURITY_CATEGORY, "printer"), each=train.LEAST_POSITIVES - 1), ()),
        (some_rows((SECURITY_CATEGORY, "printer"), each=train.LEAST_POSITIVES), ("security",)),
        (with_harm(train.LEAST_POSITIVES - 1), ()),
        (with_harm(train.LEAST_POSITIVES), ("harm",)),
        (with_harm(60 - train.LEAST_POSITIVES), ("harm",)),
        (with_harm(60 - train.LEAST_POSITIVES + 1), ()),
        ([*with_harm(25), *some_rows([SECURITY_CATEGORY], each=25)], ("security", "harm")),
        ([a_row("printer", n, flags=["scary", "two"]) for n in range(40)] + some_rows(), ()),
    ],
    ids=[
        "no danger",
        "too few security rows",
        "just enough security rows",
        "too few harm rows",
        "just enough harm rows",
        "just enough rows without harm",
        "too few rows without harm",
        "both",
        "other flags are no danger",
    ],
)
def test_a_danger_gets_its_detector_once_there_are_enough_examples_of_it(rows, detectors):
    assert trained(rows).detectors == detectors


def test_a_detector_tells_danger_from_the_rest():
    model = trained(with_harm(30))
    dangerous = model.score("toner ward patient bleeding", None).detectors["harm"]
    assert dangerous > 0.5 > model.score("toner ward", None).detectors["harm"]


# --- with and without meaning ---------------------------------------------------------


def test_without_the_encoder_the_words_alone_are_learned():
    model = trained(some_rows(), None)
    assert model.meaning is None
    assert set(model.thresholds) == {"without"}


def test_with_the_encoder_both_ways_of_serving_have_their_thresholds():
    model = trained(some_rows(each=25), CountingEncoder())
    assert model.meaning is not None
    assert set(model.thresholds) == {"with", "without"}
    assert set(model.thresholds["with"]) == set(model.thresholds["without"])


def test_learning_meaning_does_not_change_what_the_words_say():
    rows = some_rows(each=25)
    alone, beside = trained(rows, None), trained(rows, CountingEncoder())
    assert alone.thresholds["without"] == beside.thresholds["without"]
    assert alone.score("toner", None).labels.tolist() == beside.score("toner", None).labels.tolist()


def test_the_encoder_reads_every_row_once():
    encoder = CountingEncoder()
    rows = some_rows(each=15)
    trained(rows, encoder)
    assert encoder.asked == len(rows)


def test_more_rows_than_gain_from_meaning_are_learned_without_it(monkeypatch):
    # Patched because the true limit, 20 000 rows, would take minutes.
    monkeypatch.setattr(train, "ENCODER_ROWS", 23)
    encoder = CountingEncoder()
    assert trained(some_rows(each=12), encoder).meaning is None
    assert encoder.asked == 0


# --- thresholds -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def full_model():
    """Both detectors, out_of_scope and meaning."""
    rows = [*with_harm(25), *some_rows([SECURITY_CATEGORY, "out_of_scope"], each=25)]
    return trained(rows, CountingEncoder())


@pytest.mark.parametrize("mode", ["with", "without"])
def test_every_promise_has_its_threshold_in_both_ways_of_serving(full_model, mode):
    acting_alone = {f"auto:{label}" for label in full_model.labels if label != "out_of_scope"}
    promises = {"route", "security", "maybe_security", "maybe_harm"}
    assert set(full_model.thresholds[mode]) == promises | acting_alone


@pytest.mark.parametrize("mode", ["with", "without"])
def test_a_person_looks_before_the_alarm_is_raised_and_not_after(full_model, mode):
    thresholds = full_model.thresholds[mode]
    assert 0 <= thresholds["maybe_security"] <= thresholds["security"] <= 1


def test_a_model_without_detectors_promises_nothing_about_danger():
    assert set(trained(some_rows()).thresholds["without"]) == {"route", "auto:account_access", "auto:printer"}


def test_too_few_rows_never_let_the_product_act_alone():
    thresholds = trained(some_rows(each=12)).thresholds["without"]
    assert thresholds["auto:printer"] == thresholds["auto:account_access"] == NEVER


def test_enough_easy_rows_let_the_product_act_alone():
    thresholds = trained(some_rows(each=100)).thresholds["without"]
    assert thresholds["auto:printer"] <= 1


def test_rows_that_nobody_could_tell_apart_never_let_the_product_act_alone():
    rows = [Example(f"same words {PLACES[n % 10]}", label) for n in range(100) for label in ("printer", "other")]
    thresholds = trained(rows).thresholds["without"]
    assert {thresholds["route"], thresholds["auto:printer"], thresholds["auto:other"]} == {NEVER}


# --- no identifier is remembered ------------------------------------------------------


@pytest.mark.parametrize(
    "number",
    [
        "00123456",
        "4165550199",
        "AB1234567",
        "1234567890123456789",
        "12_34_567890",
        "\uff10\uff10\uff11\uff12\uff13\uff14\uff15\uff16",
        "\u2070\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076",
        "1\u03012\u03013\u03014\u03015\u03016\u0301",
    ],
    ids=["mrn", "phone", "card", "very long", "underscores", "full-width", "superscript", "accents on the digits"],
)
def test_no_number_of_more_than_five_digits_is_remembered(number):
    rows = [*some_rows(), *[Example(f"mrn {number} waits for a label", "printer") for _ in range(4)]]
    model = trained(rows)
    remembered = [ngram for view in (model.words, model.chars) for ngram in view.index if re.search(r"\d{6}", ngram)]
    assert remembered == []


# --- progress and the card's share ----------------------------------------------------


def test_progress_goes_up_to_its_end():
    steps = []
    train.train(some_rows(), None, lambda name, done, of: steps.append((name, done, of)))
    done = [step[1] for step in steps]
    assert all(before < after for before, after in pairwise(done))
    assert (done[0], done[-1]) == (0, steps[-1][2])
    assert all(name for name, _, _ in steps)


def test_the_weights_of_all_experts_are_told():
    rows = [*with_harm(25), *some_rows([SECURITY_CATEGORY], each=25)]
    told = train.train(rows, CountingEncoder()).weights
    assert set(told) == {"label", "security", "harm"}
    assert all(len(question["svm, bayes"]) == len(question["words, meaning"]) == 2 for question in told.values())
    assert all(weight >= 0 for question in told.values() for weights in question.values() for weight in weights)


def test_the_time_that_training_took_is_told():
    assert train.train(some_rows(), None).cpu_seconds > 0
