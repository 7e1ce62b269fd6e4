"""A stored model is served only if this installation signed exactly these bytes."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import registry
from models.compiled import Compiled, Meaning, View
from models.dataset import Example
from models.registry import TamperedModelError
from triage.ticket import ModelUnavailableError

KEY = b"a key for tests that is long enough"
NOON = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)


def a_view(words):
    weights = np.arange(2 * len(words), dtype=np.float32).reshape(len(words), 2)
    return View({word: row for row, word in enumerate(words)}, np.ones(len(words), dtype=np.float32), weights)


def a_model():
    """A small model with every part that a real one has."""
    return Compiled(
        labels=("printer", "account_access"),
        detectors=(),
        words=a_view(["toner", "\u00e9cran"]),
        chars=a_view([" to", "ton"]),
        bias=np.array([0.5, -0.5]),
        meaning=Meaning(np.ones((512, 2), dtype=np.float32), np.ones(2), np.zeros(2)),
        thresholds={"with": {"route": 0.6}, "without": {"route": 0.7}},
    )


class Payload:
    """What an attacker would store: unpickling it makes a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def packed(content):
    """Bytes that joblib would load, as `pack` makes them."""
    buffer = io.BytesIO()
    joblib.dump(content, buffer, compress=3)
    return buffer.getvalue()


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "somebody else's code ran"


@pytest.fixture
def attack(marker):
    """Bytes that make `marker` as soon as joblib reads them."""
    return packed({"format": registry.FORMAT, "model": Payload(marker)})


# --- round trip -----------------------------------------------------------------------


@pytest.mark.parametrize("text", ["toner", "\u00c9cran", "", "something else"])
def test_a_model_comes_back_as_it_was_packed(text):
    blob, digest = registry.pack(a_model(), KEY)
    found = registry.unpack(blob, digest, KEY)
    assert found.score(text, None).labels.tolist() == a_model().score(text, None).labels.tolist()
    assert (found.labels, found.thresholds) == (a_model().labels, a_model().thresholds)


def test_meaning_comes_back_as_it_was_packed():
    found = registry.unpack(*registry.pack(a_model(), KEY), KEY)
    assert found.meaning.weights.tolist() == a_model().meaning.weights.tolist()


def test_a_digest_depends_on_every_part_of_model_and_key():
    blob, digest = registry.pack(a_model(), KEY)
    assert digest == registry.digest(blob, KEY)
    assert len({digest, registry.digest(blob, KEY + b"!"), registry.digest(blob + b"!", KEY)}) == 3


# --- altered bytes --------------------------------------------------------------------


def test_the_attack_used_below_works_on_a_program_that_does_not_check(attack, marker):
    joblib.load(io.BytesIO(attack))
    assert marker.exists()


def test_one_altered_byte_anywhere_is_refused_before_any_of_it_runs(attack, marker):
    digest = registry.digest(attack, KEY)
    for place in range(len(attack)):
        altered = bytearray(attack)
        altered[place] ^= 1
        with pytest.raises(TamperedModelError):
            registry.unpack(bytes(altered), digest, KEY)
    assert not marker.exists()


def test_a_model_replaced_by_an_attack_is_refused_before_any_of_it_runs(attack, marker):
    _, digest = registry.pack(a_model(), KEY)
    with pytest.raises(TamperedModelError):
        registry.unpack(attack, digest, KEY)
    assert not marker.exists()


def test_an_attack_signed_with_another_key_is_refused_before_any_of_it_runs(attack, marker):
    with pytest.raises(TamperedModelError):
        registry.unpack(attack, registry.digest(attack, b"the key of somebody else"), KEY)
    assert not marker.exists()


@given(st.data())
@settings(deadline=None, max_examples=100, derandomize=True)
def test_any_altered_bit_of_a_model_is_refused(data):
    blob, digest = registry.pack(a_model(), KEY)
    altered = bytearray(blob)
    altered[data.draw(st.integers(0, len(blob) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(TamperedModelError):
        registry.unpack(bytes(altered), digest, KEY)


@pytest.mark.parametrize(
    "alter",
    [lambda blob: b"", lambda blob: blob[:-1], lambda blob: blob + b"\0", lambda blob: blob[1:], lambda blob: blob * 2],
    ids=["emptied", "cut short", "made longer", "without its start", "doubled"],
)
def test_a_model_of_another_length_is_refused(alter):
    blob, digest = registry.pack(a_model(), KEY)
    with pytest.raises(TamperedModelError):
        registry.unpack(alter(blob), digest, KEY)


@pytest.mark.parametrize(
    "digest",
    ["", "0" * 64, "not a digest", "\u00e9" * 64],
    ids=["empty", "zeros", "words", "not ASCII"],
)
def test_a_digest_that_nobody_computed_is_refused_before_anything_runs(attack, marker, digest):
    with pytest.raises(TamperedModelError):
        registry.unpack(attack, digest, KEY)
    assert not marker.exists()


def test_a_refusal_says_what_an_operator_can_check():
    blob, digest = registry.pack(a_model(), KEY)
    with pytest.raises(ModelUnavailableError, match="TRIAGE_SECRET_KEY"):
        registry.unpack(blob, digest, b"the key of a restored backup")


# --- another format -------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [{"format": registry.FORMAT + 1, "model": "from the future"}, {"format": 0, "model": "from the past"}, {}],
    ids=["newer", "older", "none"],
)
def test_a_signed_model_of_another_format_is_refused_but_not_called_tampered(content):
    blob = packed(content)
    with pytest.raises(ModelUnavailableError, match=f"serves {registry.FORMAT}") as refusal:
        registry.unpack(blob, registry.digest(blob, KEY), KEY)
    assert not isinstance(refusal.value, TamperedModelError)


# --- the card -------------------------------------------------------------------------

ROWS = [
    Example("toner low", "printer", language="en", author="a1"),
    Example("bourrage", "printer", language="fr", author="a2"),
    Example("locked out", "account_access", author="a1"),
    Example("reviewed by a person", "account_access"),
]


def a_card(rows=ROWS, **measured):
    return registry.describe(rows, NOON, with_meaning=False, cpu_seconds=1.26, **measured)


def test_a_card_says_what_the_model_was_trained_on():
    card = a_card()
    assert card["rows"] == 4
    assert card["labels"] == {"account_access": 2, "printer": 2}
    assert card["languages"] == {"en": 1, "fr": 1, "?": 2}
    assert card["authors"] == 2


def test_a_card_says_when_and_with_what_it_was_trained():
    card = a_card()
    assert card["created"] == "2026-11-24T17:00:00+00:00"
    assert card["cpu_seconds"] == 1.3
    assert card["encoder"] is False
    assert set(card["trained_with"]) == {"python", "scikit-learn", "numpy"}
    assert all(card["trained_with"].values())


def test_a_card_holds_what_was_measured():
    assert a_card(thresholds={"with": {}}, out_of_fold={"n": 4})["out_of_fold"] == {"n": 4}


def test_a_card_can_be_stored_as_json():
    card = a_card(thresholds={"with": {"route": 0.6}})
    assert json.loads(json.dumps(card)) == card


def test_a_card_never_holds_the_texts():
    assert not any(row.text in json.dumps(a_card()) for row in ROWS)


@pytest.mark.parametrize(
    "rows",
    [
        ROWS[:-1],
        [*ROWS[:-1], Example("reviewed by two persons", "account_access")],
        [*ROWS[:-1], Example("reviewed by a person", "printer")],
    ],
    ids=["a row less", "another text", "another label"],
)
def test_other_rows_have_another_hash(rows):
    assert a_card(rows)["data_hash"] != a_card()["data_hash"]


def test_the_same_rows_have_the_same_hash():
    assert a_card(list(ROWS))["data_hash"] == a_card()["data_hash"]
