"""The model that serves gives the same probabilities as the scikit-learn objects it was compiled from."""

import re
import zlib
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import ComplementNB
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from builders import POLICY
from models import train
from models.calibrate import Stack
from models.compiled import (
    EXPLAINED_WORDS,
    Compiled,
    View,
    _char_ngrams,
    _word_ngrams,
    sigmoid,
    softmax,
)
from models.dataset import load_shipped
from models.features import CHAR_NGRAMS, ENCODER_SIZE, WORD_NGRAMS, encode, prepare
from triage.ticket import MAX_TEXT

CLOSE = 1e-5  # the largest difference of any probability
ROWS = 600

many_texts = settings(deadline=None, max_examples=60, derandomize=True)
some_texts = settings(deadline=None, max_examples=40, derandomize=True)

# Words that a model knows between characters that it does not: a text of noise alone would match nothing.
KNOWN = st.sampled_from(
    ["printer", "PASSWORD", "\u00e9cran", "badge", "[NAME-1]", "link", "clicked", "12345678", "wi-fi", "OR", "patient"]
)
NOISE = st.text(st.characters(codec="utf-8"), max_size=30)
TEXTS = st.lists(KNOWN | NOISE, max_size=40).map(" ".join) | NOISE

ODD_TEXTS = {
    "empty": "",
    "blank": " \t\r\n\u00a0\u2003",
    "one letter": "a",
    "one sign": "?",
    "emoji": "\U0001f5a8\ufe0f\U0001f525 \U0001f469\u200d\u2695\ufe0f",
    "combining marks alone": "\u0301\u0302\u0303",
    "another script": "\u043f\u0440\u0438\u043d\u0442\u0435\u0440 \u6253\u5370\u673a \u05de\u05d3\u05e4\u05e1\u05ea",
    "control characters": "print\x00er\x1c\x1d\x85jam",
    "fancy letters": "\U0001d400\U0001d402\U0001d413 \uff2e\uff2f\uff37 \ufb01le \u2460\u00bd",
    "placeholders alone": "[NAME-1][MRN-2] [HEALTH_CARD-3]",
    "one word very often": "printer " * 2000,
    "one very long word": "printer" * 2000,
    "as long as a ticket may be": "the badge reader in room 12 says \u00e9chec \U0001f4a5 " * (MAX_TEXT // 40),
    "many single letters": "a b c d e f " * 500,
}


class HashingEncoder:
    """A meaning that is always the same and that anyone can compute: hashed stretches of four characters."""

    def encode(self, texts):
        rows = np.zeros((len(texts), ENCODER_SIZE), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for start in range(len(text)):
                row[zlib.crc32(text[start : start + 4].lower().encode()) % ENCODER_SIZE] += 1
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


@dataclass(frozen=True)
class Reference:
    """scikit-learn's own fitted objects and the stacks: the slow way to the same probabilities."""

    features: object
    word_count: int
    estimators: list[tuple]  # per question: SVM, naive Bayes, logistic regression
    stacks: list

    def probabilities(self, texts, encoder):
        """Per question: (rows, labels)."""
        lexical = self.features.transform(texts)
        meaning = encode(texts, encoder) if encoder else None
        found = []
        for (svm, bayes, logistic), stack in zip(self.estimators, self.stacks, strict=True):
            scores = [
                _both_sides(svm.decision_function(lexical)),
                lexical[:, : self.word_count] @ bayes.feature_log_prob_.T,
            ]
            z = stack.lexical.log_odds(scores)
            if meaning is not None:
                z = stack.joint.log_odds([z, _both_sides(logistic.decision_function(meaning))])
            found.append(softmax(z))
        return found


def _both_sides(margins):
    """Of two labels scikit-learn gives the second one's margin alone: half of it speaks for each."""
    return margins if margins.ndim == 2 else np.stack([-margins, margins], axis=1) / 2


@dataclass(frozen=True)
class Pair:
    """A compiled model, what it was compiled from, and whom both ask for meaning."""

    model: Compiled
    reference: Reference
    encoder: HashingEncoder | None

    def difference(self, texts):
        """The largest difference of any probability of any text."""
        labels, detectors = self.model.score_many(texts, self.encoder)
        wanted = self.reference.probabilities(texts, self.encoder)
        gaps = [np.abs(labels - wanted[0]).max()]
        gaps += [
            np.abs(detectors[name] - p[:, 1]).max() for name, p in zip(self.model.detectors, wanted[1:], strict=True)
        ]
        return max(gaps)


def _fitted(examples):
    """Questions, experts and stacks as `train` makes them, and scikit-learn's own estimators of the same rows."""
    with threadpool_limits(1):
        texts = [row.text for row in examples]
        meaning = encode(texts, HashingEncoder())
        questions = list(train._questions(examples))
        margins = [train._Margins.empty(question, len(texts), with_meaning=True) for question in questions]
        even, odd = np.arange(0, len(texts), 2), np.arange(1, len(texts), 2)
        for rest, fold in ((even, odd), (odd, even)):
            experts = train._fit(texts, meaning, questions, rest)
            for number, held_out in enumerate(margins):
                held_out.fill(fold, experts, number, [texts[i] for i in fold], meaning)
        stacks = [train._Stacks.fit(held_out, q) for held_out, q in zip(margins, questions, strict=True)]
        experts = train._fit(texts, meaning, questions, np.arange(len(texts)))
        matrix = experts.features.transform(texts)
        words = matrix[:, : experts.word_count]
        estimators = [
            (
                LinearSVC(C=train.SVM_C, class_weight="balanced", random_state=train.SEED).fit(matrix, q.truth),
                ComplementNB(alpha=train.BAYES_ALPHA).fit(words, q.truth),
                LogisticRegression(C=train.MEANING_C, class_weight="balanced", max_iter=1000).fit(meaning, q.truth),
            )
            for q in questions
        ]
    return questions, experts, stacks, estimators


@pytest.fixture(scope="module")
def shipped():
    return load_shipped(POLICY.categories)


@pytest.fixture(scope="module")
def learned(shipped):
    """A slice over all labels, both detectors and many authors."""
    return shipped[:: len(shipped) // ROWS][:ROWS]


@pytest.fixture(scope="module")
def fitted(learned):
    return _fitted(learned)


@pytest.fixture(scope="module")
def fitted_to_two_labels(shipped):
    return _fitted([row for row in shipped[::20] if row.label in ("printer", "security_incident")])


@pytest.fixture(scope="module")
def unseen(shipped, learned):
    """Real texts that the fitted experts have not learned from."""
    known = {row.text for row in learned}
    return [row.text for row in shipped[3 :: len(shipped) // 100] if row.text not in known]


def _every_expert_counts(stacks):
    """Stacks in which no weight and no bias is zero, which fitting does not promise."""

    def made_up(number, labels):
        bias = np.linspace(-1, 1, labels)
        return train._Stacks(
            Stack(np.array([6.0 - number, 1.5]), bias), Stack(np.array([0.9, 0.7 + number]), -0.5 * bias)
        )

    return [made_up(number, len(stack.lexical.bias)) for number, stack in enumerate(stacks)]


def _pair(fitted, kind, stacks=None):
    questions, experts, fitted_stacks, estimators = fitted
    stacks = stacks or fitted_stacks
    if kind == "trained without":
        experts = replace(experts, meaning=None)
        stacks = [replace(stack, joint=None) for stack in stacks]
    model = train._compile(experts, questions, stacks, {"with": {}, "without": {}})
    reference = Reference(experts.features, experts.word_count, estimators, stacks)
    return Pair(model, reference, HashingEncoder() if kind == "with" else None)


KINDS = ["with", "served without", "trained without"]


@pytest.fixture(scope="module", params=["with", "trained without"])
def pair(fitted, request):
    """The model trained and served with the encoder, and the one trained and served without it."""
    return _pair(fitted, request.param)


# --- the same probabilities -----------------------------------------------------------


def test_real_texts_score_as_in_scikit_learn(pair, unseen):
    assert pair.difference(unseen) <= CLOSE


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS.keys())
def test_odd_texts_score_as_in_scikit_learn(pair, text):
    assert pair.difference([text]) <= CLOSE


@given(text=TEXTS)
@many_texts
def test_any_text_scores_as_in_scikit_learn(pair, text):
    assert pair.difference([text]) <= CLOSE


@pytest.mark.parametrize("kind", KINDS)
def test_texts_score_as_in_scikit_learn_when_every_expert_counts(fitted, unseen, kind):
    pair = _pair(fitted, kind, _every_expert_counts(fitted[2]))
    assert pair.difference([*unseen, *ODD_TEXTS.values()]) <= CLOSE


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_two_labels_scores_as_in_scikit_learn(fitted_to_two_labels, unseen, kind):
    pair = _pair(fitted_to_two_labels, kind, _every_expert_counts(fitted_to_two_labels[2]))
    assert pair.difference([*unseen[:40], *ODD_TEXTS.values()]) <= CLOSE


def test_the_fitted_model_under_test_has_all_labels_and_both_detectors(fitted):
    model = _pair(fitted, "with").model
    assert set(model.labels) == {*POLICY.categories, "out_of_scope"}
    assert model.detectors == ("security", "harm")


def test_the_encoder_changes_what_the_model_says(fitted, unseen):
    pair = _pair(fitted, "with", _every_expert_counts(fitted[2]))
    with_meaning, detected = pair.model.score_many(unseen, HashingEncoder())
    without, detected_without = pair.model.score_many(unseen, None)
    assert np.abs(with_meaning - without).max() > 0.01
    assert all(np.abs(detected[name] - detected_without[name]).max() > 0.01 for name in pair.model.detectors)


def test_a_model_trained_without_meaning_never_asks_an_encoder(fitted):
    class NobodyAsks:
        def encode(self, texts):
            raise AssertionError("this model knows no meaning")

    model = _pair(fitted, "trained without").model
    assert model.score("printer", NobodyAsks()).labels.tolist() == model.score("printer", None).labels.tolist()


def test_scoring_many_is_scoring_each(pair, unseen):
    labels, detectors = pair.model.score_many(unseen[:5], pair.encoder)
    single = [pair.model.score(text, pair.encoder) for text in unseen[:5]]
    assert labels.tolist() == [one.labels.tolist() for one in single]
    assert {name: column.tolist() for name, column in detectors.items()} == {
        name: [one.detectors[name] for one in single] for name in pair.model.detectors
    }


def test_scoring_no_texts_gives_no_rows_of_the_right_width(pair):
    labels, detectors = pair.model.score_many([], pair.encoder)
    assert labels.shape == (0, len(pair.model.labels))
    assert {name: len(column) for name, column in detectors.items()} == {"security": 0, "harm": 0}


@given(text=TEXTS)
@some_texts
def test_probabilities_are_probabilities(pair, text):
    scores = pair.model.score(text, pair.encoder)
    assert scores.labels.sum() == pytest.approx(1)
    assert all(0 <= p <= 1 for p in [*scores.labels, *scores.detectors.values()])


# --- the same n-grams -----------------------------------------------------------------


def _analyzer(**options):
    return CountVectorizer(preprocessor=prepare, **options).build_analyzer()


CHARACTERS = _analyzer(analyzer="char_wb", ngram_range=CHAR_NGRAMS)
WORDS = _analyzer(ngram_range=WORD_NGRAMS)


@given(TEXTS | st.sampled_from(sorted(ODD_TEXTS.values())))
@example("a")
@example("ab cd\u0301e  \u00a0fgh\x1cijkl")
@many_texts
def test_characters_are_cut_as_in_scikit_learn(text):
    assert _char_ngrams(prepare(text).split())[0] == CHARACTERS(text)


@given(TEXTS | st.sampled_from(sorted(ODD_TEXTS.values())))
@example("a")
@example("don't re-boot the PC/cart, e.g. wi-fi\x1cdown")
@many_texts
def test_words_are_cut_as_in_scikit_learn(text):
    assert Counter(_word_ngrams(prepare(text).split())[0]) == Counter(WORDS(text))


# --- the words behind a guess ---------------------------------------------------------


def _view(table):
    """A block that knows the n-grams of a table, each with its weight per column, all of the same idf."""
    width = len(next(iter(table.values()))) if table else 2
    weights = np.array(list(table.values()), dtype=np.float32).reshape(len(table), width)
    return View({ngram: row for row, ngram in enumerate(table)}, np.ones(len(table), dtype=np.float32), weights)


def a_model(words, labels=("printer", "account_access")):
    """A model of words alone whose every weight is known."""
    nothing = View({}, np.zeros(0, dtype=np.float32), np.zeros((0, len(labels)), dtype=np.float32))
    return Compiled(labels, (), _view(words), nothing, np.zeros(len(labels)), None, {"without": {}})


def test_a_word_is_shown_with_how_much_it_raised_the_first_guess_above_the_average():
    model = a_model({"toner": [4.0, 0.0], "low": [0.0, 1.0]})
    # Two words share length one: each counts 1/sqrt(2). "toner" gives 4 against an average of 2.
    assert model.score("toner low", None).words == [("toner", pytest.approx(2 / 2**0.5, abs=1e-4))]


def test_a_repeated_word_is_shown_once_with_all_that_it_raised():
    model = a_model({"toner low": [4.0, 0.0], "toner jam": [4.0, 0.0]})
    # Two pairs share length one, so each raises 2/sqrt(2); both begin with the same word.
    assert model.score("TONER low, (toner) jam", None).words == [("toner", pytest.approx(2 * 2 / 2**0.5, abs=1e-4))]


def test_a_pair_of_words_counts_for_its_first_word():
    model = a_model({"paper jam": [4.0, 0.0]})
    assert model.score("a paper jam again", None).words == [("paper", pytest.approx(2.0, abs=1e-4))]


def test_the_words_of_an_unknown_text_raised_nothing():
    assert a_model({"toner": [4.0, 0.0]}).score("quantum entanglement", None).words == []


def test_a_text_of_punctuation_alone_shows_no_words():
    model = a_model({"toner": [4.0, 0.0]})
    assert model.score("... !? \u00ab\u00bb", None).words == []


def _bare(word):
    """A word without the signs around it."""
    return re.sub(r"^\W+|\W+$", "", word)


@given(text=TEXTS)
@many_texts
def test_words_that_mattered_are_words_of_the_text(pair, text):
    words = {word for word, _ in pair.model.score(text, pair.encoder).words}
    assert "" not in words
    assert {_bare(word) for word in words} <= {_bare(chunk) for chunk in prepare(text).split()}


def test_real_texts_always_show_words_that_mattered(pair, unseen):
    assert all(pair.model.score(text, pair.encoder).words for text in unseen)


@given(text=TEXTS)
@some_texts
def test_few_words_are_shown_each_once_and_the_strongest_first(pair, text):
    words = pair.model.score(text, pair.encoder).words
    weights = [weight for _, weight in words]
    assert weights == sorted(weights, reverse=True)
    assert all(weight >= 0 for weight in weights)
    assert len(dict(words)) == len(words) <= EXPLAINED_WORDS


@given(text=TEXTS)
@many_texts
def test_what_the_words_raised_adds_up_to_what_the_label_got(pair, text):
    model, chunks = pair.model, prepare(text).split()
    labels = len(model.labels)
    matches = [model.words.match(*_word_ngrams(chunks)), model.chars.match(*_char_ngrams(chunks))]
    total = sum(match.scores() for match in matches)[:labels]
    for column in range(labels):
        raised = sum(match.per_word(column, labels, len(chunks)) for match in matches)
        assert raised.shape == (len(chunks),)
        assert raised.sum() == pytest.approx(total[column] - total.mean(), abs=1e-4)


# --- from log-odds to probabilities ---------------------------------------------------


@pytest.mark.parametrize("z", [-1e9, -800.0, -700.0, -37.0, 0.0, 2.5, 700.0, 1e9])
def test_a_detectors_probability_is_that_of_two_labels(z):
    assert sigmoid(z) == pytest.approx(softmax(np.array([0.0, z]))[1], abs=1e-12)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12))
@many_texts
def test_softmax_sums_to_one_and_keeps_the_order(values):
    z = np.array(values)
    p = softmax(z)
    assert p.sum() == pytest.approx(1)
    assert p[z.argmax()] == p.max()


# --- which thresholds apply -----------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "encoder", "mode"),
    [
        ("with", HashingEncoder(), "with"),
        ("with", None, "without"),
        ("trained without", HashingEncoder(), "without"),
        ("trained without", None, "without"),
    ],
    ids=["both", "no encoder here", "no meaning learned", "neither"],
)
def test_thresholds_with_meaning_apply_only_where_meaning_is_used(fitted, kind, encoder, mode):
    assert _pair(fitted, kind).model.mode(encoder) == mode
