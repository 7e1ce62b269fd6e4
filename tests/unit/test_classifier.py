"""Every ticket is judged by the model that is live at that moment, or by none."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from models import registry
from models.classifier import LiveClassifier, ServedModel, security_score
from models.compiled import Compiled, Meaning, View
from models.dataset import Example
from models.features import ENCODER_SIZE
from models.registry import TamperedModelError
from triage.ticket import ModelUnavailableError

KEY = b"a key for tests that is long enough"
LABELS = ("account_access", "out_of_scope", "printer", "security_incident")


class FakeShelf:
    """The stored models and which one is live, as the classifier asks for them; counts what it is asked."""

    def __init__(self):
        self.live = None
        self.asked = 0
        self.fetched = []
        self._stored = {}

    def store(self, version, model=None, key=KEY):
        """Keep a signed model."""
        self._stored[version] = registry.pack(model or a_model(), key)

    def promote(self, version, model=None, key=KEY):
        """Keep a signed model and make it live."""
        self.store(version, model, key)
        self.live = version

    def tamper(self, version):
        """Alter one byte of a stored model."""
        blob, digest = self._stored[version]
        self._stored[version] = (blob[:-1] + bytes([blob[-1] ^ 1]), digest)

    def find_version(self):
        self.asked += 1
        return self.live

    def fetch(self, version):
        self.fetched.append(version)
        return self._stored.get(version)


@pytest.fixture
def shelf():
    return FakeShelf()


@pytest.fixture
def live(shelf):
    return LiveClassifier(shelf.find_version, shelf.fetch, KEY)


def a_model(labels=LABELS, detectors=(), words=None, bias=None, thresholds=None, **parts):
    """A model that says what its biases and its words say: log-odds per label, then per detector."""
    words = words or {}
    width = len(labels) + len(detectors)
    weights = np.array(list(words.values()), dtype=np.float32).reshape(len(words), width)
    known = View({word: row for row, word in enumerate(words)}, np.ones(len(words), dtype=np.float32), weights)
    nothing = View({}, np.zeros(0, dtype=np.float32), np.zeros((0, width), dtype=np.float32))
    return Compiled(
        labels=labels,
        detectors=detectors,
        words=known,
        chars=nothing,
        bias=np.zeros(width) if bias is None else np.array(bias, dtype=float),
        meaning=parts.get("meaning"),
        thresholds=thresholds or {"with": {}, "without": {}},
    )


def odds(*probabilities):
    """The biases that give these probabilities."""
    return np.log(probabilities).tolist()


def log_odd(probability):
    """The bias that gives a detector this probability."""
    return float(np.log(probability / (1 - probability)))


def served(model, encoder=None):
    return ServedModel(model, "v1", encoder)


# --- which model answers --------------------------------------------------------------


def test_without_a_model_the_way_to_one_is_named(live):
    with pytest.raises(ModelUnavailableError, match="triage train --promote"):
        live.predict("toner")


def test_the_live_model_answers_with_its_version(live, shelf):
    shelf.promote("v1")
    assert live.predict("toner").model_version == "v1"


def test_a_first_promotion_is_served_from_the_next_ticket_on(live, shelf):
    with pytest.raises(ModelUnavailableError):
        live.predict("toner")
    shelf.promote("v1")
    assert live.predict("toner").model_version == "v1"


def test_a_promotion_is_served_from_the_next_ticket_on(live, shelf):
    shelf.promote("v1", a_model(bias=odds(0.7, 0.1, 0.1, 0.1)))
    assert live.predict("toner").category == "account_access"
    shelf.promote("v2", a_model(bias=odds(0.1, 0.1, 0.7, 0.1)))
    answer = live.predict("toner")
    assert (answer.category, answer.model_version) == ("printer", "v2")


def test_a_rollback_is_served_from_the_next_ticket_on(live, shelf):
    shelf.promote("v1")
    shelf.promote("v2")
    live.predict("toner")
    shelf.live = "v1"
    assert live.predict("toner").model_version == "v1"


def test_a_stored_model_that_was_not_promoted_does_not_answer(live, shelf):
    shelf.promote("v1")
    shelf.store("v2")
    assert live.predict("toner").model_version == "v1"


def test_a_model_is_loaded_once_and_its_version_asked_at_every_ticket(live, shelf):
    shelf.promote("v1")
    for _ in range(5):
        live.predict("toner")
    assert (shelf.asked, shelf.fetched) == (5, ["v1"])


def test_many_threads_at_once_load_a_model_once(shelf):
    threads = 8
    together = threading.Barrier(threads)

    def find_version():
        together.wait(timeout=30)  # nobody goes on before all have seen that there is a new model
        return shelf.find_version()

    shelf.promote("v1")
    classifier = LiveClassifier(find_version, shelf.fetch, KEY)
    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(classifier.predict, ["toner"] * threads))
    assert {answer.model_version for answer in answers} == {"v1"}
    assert shelf.fetched == ["v1"]


def test_threads_that_wait_for_a_broken_model_are_all_refused(shelf):
    threads = 4
    together = threading.Barrier(threads)

    def find_version():
        together.wait(timeout=30)
        return shelf.find_version()

    shelf.promote("v1")
    shelf.tamper("v1")
    classifier = LiveClassifier(find_version, shelf.fetch, KEY)
    with ThreadPoolExecutor(threads) as pool:
        asked = [pool.submit(classifier.predict, "toner") for _ in range(threads)]
    assert [type(one.exception()) for one in asked] == [TamperedModelError] * threads


# --- models that must not answer ------------------------------------------------------


def test_a_tampered_model_does_not_answer(live, shelf):
    shelf.promote("v1")
    shelf.tamper("v1")
    with pytest.raises(TamperedModelError):
        live.predict("toner")


def test_a_model_signed_with_another_key_does_not_answer(live, shelf):
    shelf.promote("v1", key=b"the key of another installation")
    with pytest.raises(TamperedModelError):
        live.predict("toner")


def test_a_tampered_promotion_is_not_covered_up_by_the_model_before(live, shelf):
    shelf.promote("v1")
    live.predict("toner")
    shelf.promote("v2")
    shelf.tamper("v2")
    with pytest.raises(TamperedModelError):
        live.predict("toner")


def test_a_rollback_from_a_tampered_model_serves_again(live, shelf):
    shelf.promote("v1")
    shelf.promote("v2")
    shelf.tamper("v2")
    with pytest.raises(TamperedModelError):
        live.predict("toner")
    shelf.live = "v1"
    assert live.predict("toner").model_version == "v1"


def test_a_live_version_that_is_not_stored_does_not_answer(live, shelf):
    shelf.live = "v7"
    with pytest.raises(ModelUnavailableError, match="v7"):
        live.predict("toner")


def test_a_refusal_never_holds_the_tickets_words(live, shelf):
    shelf.promote("v1")
    shelf.tamper("v1")
    with pytest.raises(ModelUnavailableError) as refusal:
        live.predict("Testy McTestface cannot print")
    assert "Testy" not in str(refusal.value)


def test_any_stored_model_can_be_looked_at_without_going_live(live, shelf):
    shelf.promote("v1")
    shelf.store("v2")
    assert live.load("v2").version == "v2"
    assert live.predict("toner").model_version == "v1"


def test_a_tampered_model_cannot_be_looked_at_either(live, shelf):
    shelf.store("v2")
    shelf.tamper("v2")
    with pytest.raises(TamperedModelError):
        live.load("v2")


# --- from scores to a prediction ------------------------------------------------------


def test_categories_come_in_falling_order_and_out_of_scope_is_told_apart():
    answer = served(a_model(bias=odds(0.2, 0.3, 0.4, 0.1))).predict("toner")
    assert [slug for slug, _ in answer.top] == ["printer", "account_access", "security_incident"]
    assert [p for _, p in answer.top] == pytest.approx([0.4, 0.2, 0.1])
    assert answer.p_out_of_scope == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("bias", "out_of_scope"),
    [(odds(0.1, 0.6, 0.2, 0.1), True), (odds(0.1, 0.2, 0.6, 0.1), False), (odds(0.3, 0.3, 0.3, 0.1), False)],
    ids=["likelier than any category", "less likely", "as likely"],
)
def test_a_text_is_out_of_scope_when_no_category_is_as_likely(bias, out_of_scope):
    assert served(a_model(bias=bias)).predict("toner").out_of_scope is out_of_scope


def test_a_model_that_never_learned_out_of_scope_never_says_it():
    answer = served(a_model(("printer", "plumbing"), bias=[0, 0])).predict("toner")
    assert (answer.p_out_of_scope, answer.out_of_scope) == (0, False)


def test_the_danger_of_a_text_is_the_mean_of_both_views_on_it():
    model = a_model(detectors=("security",), bias=[*odds(0.3, 0.1, 0.4, 0.2), log_odd(0.8)])
    assert served(model).predict("toner").p_security == pytest.approx((0.2 + 0.8) / 2)


def test_without_a_detector_the_danger_is_that_of_the_label():
    assert served(a_model(bias=odds(0.3, 0.1, 0.4, 0.2))).predict("toner").p_security == pytest.approx(0.2)


def test_a_model_that_knows_no_danger_sees_none():
    answer = served(a_model(("printer", "plumbing"), bias=[0, 0])).predict("toner")
    assert (answer.p_security, answer.p_harm) == (0, 0)
    assert {answer.security, answer.maybe_security, answer.maybe_harm} == {False}


def test_harm_is_what_its_detector_says():
    model = a_model(detectors=("security", "harm"), bias=[0, 0, 0, 0, log_odd(0.2), log_odd(0.7)])
    assert served(model).predict("toner").p_harm == pytest.approx(0.7)


@pytest.mark.parametrize("kind", [float, np.array], ids=["one text", "many texts"])
def test_training_and_serving_share_one_view_on_danger(kind):
    assert np.all(security_score(kind(0.2), kind(0.8)) == 0.5)


def dangers(**thresholds):
    """What a text with p_security and p_harm of exactly 0.5 raises at these thresholds."""
    model = a_model(
        ("printer", "security_incident"),
        ("security", "harm"),
        bias=[0, 0, 0, 0],
        thresholds={"without": thresholds},
    )
    answer = served(model).predict("toner")
    return {name for name in ("security", "maybe_security", "maybe_harm") if getattr(answer, name)}


@pytest.mark.parametrize(
    ("thresholds", "raised"),
    [
        ({"security": 0.5, "maybe_security": 0.4, "maybe_harm": 0.5}, {"security", "maybe_security", "maybe_harm"}),
        ({"security": 0.51, "maybe_security": 0.5, "maybe_harm": 0.51}, {"maybe_security"}),
        ({"security": 0.51, "maybe_security": 0.51, "maybe_harm": 0.5}, {"maybe_harm"}),
        ({"security": 1.01, "maybe_security": 1.01, "maybe_harm": 1.01}, set()),
        ({}, set()),
    ],
    ids=["all reached exactly", "only worth a look", "only harm", "none reached", "none measured"],
)
def test_a_danger_is_raised_from_its_measured_threshold_on(thresholds, raised):
    assert dangers(**thresholds) == raised


class OneMeaning:
    """Gives every text the same meaning."""

    def encode(self, texts):
        rows = np.zeros((len(texts), ENCODER_SIZE), dtype=np.float32)
        rows[:, 0] = 1
        return rows


def a_model_with_meaning():
    """Meaning speaks for the printer, the words' bias for the account."""
    weights = np.zeros((ENCODER_SIZE, 2), dtype=np.float32)
    weights[0] = [0, 9]
    return a_model(
        ("account_access", "printer"),
        bias=[1, 0],
        meaning=Meaning(weights, np.ones(2), np.zeros(2)),
        thresholds={"with": {"route": 0.6}, "without": {"route": 0.8}},
    )


@pytest.mark.parametrize(
    ("encoder", "category", "route"),
    [(OneMeaning(), "printer", 0.6), (None, "account_access", 0.8)],
    ids=["with the encoder", "without it"],
)
def test_the_thresholds_are_those_of_the_way_it_is_served(encoder, category, route):
    answer = served(a_model_with_meaning(), encoder).predict("toner")
    assert (answer.category, answer.thresholds) == (category, {"route": route})


def test_a_model_without_meaning_is_served_by_its_words_even_beside_an_encoder():
    model = a_model(("printer", "plumbing"), thresholds={"without": {"route": 0.8}})
    assert served(model, OneMeaning()).predict("toner").thresholds == {"route": 0.8}


def test_the_words_behind_the_first_guess_are_told():
    answer = served(a_model(words={"toner": [0, 0, 4, 0]})).predict("TONER is low")
    assert answer.category == "printer"
    assert answer.words == (("toner", 3.0),)


@pytest.mark.parametrize(
    "text", ["", " ", "\U0001f5a8", "a", "x" * 20_000], ids=["empty", "blank", "emoji", "a", "long"]
)
def test_a_text_the_model_knows_nothing_about_still_gets_probabilities(text):
    answer = served(a_model(words={"toner": [0, 0, 4, 0]})).predict(text)
    assert answer.p_out_of_scope + sum(p for _, p in answer.top) == pytest.approx(1)
    assert (answer.words, answer.error) == ((), "")


def test_probabilities_are_plain_numbers_that_can_be_stored():
    model = a_model(detectors=("security", "harm"), words={"toner": [0, 0, 4, 0, 1, 1]})
    answer = served(model).predict("toner")
    numbers = [p for _, p in answer.top] + [w for _, w in answer.words]
    assert {type(n) for n in [*numbers, answer.p_security, answer.p_harm, answer.p_out_of_scope]} == {float}
    assert {type(flag) for flag in (answer.security, answer.maybe_harm, answer.out_of_scope)} == {bool}


def test_all_labels_are_told_out_of_scope_included():
    assert served(a_model()).labels == LABELS


def test_a_served_model_is_measured_by_what_it_would_answer():
    rows = [Example("toner low", "printer"), Example("locked out", "account_access")]
    found = served(a_model(words={"toner": [0, 0, 9, 0], "locked": [9, 0, 0, 0]})).evaluate(rows)
    assert (found["n"], found["accuracy"]) == (2, 1.0)
