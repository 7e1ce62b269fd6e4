"""A text becomes the same features in training and in serving, and never an identifier."""

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import features

any_text = settings(deadline=None, max_examples=100, derandomize=True)

# Letters and digits that only normalisation turns into plain ones, next to plain ones and placeholders.
TRICKY = st.text(
    st.sampled_from("aZ0159_-[] \t\n\u0301\u00e9\u00b2\u00b9\u2460\u2474\uff11\u0664\u210c\U0001d40f\U0001f5a8")
    | st.characters(codec="utf-8"),
    max_size=60,
)
DIGITS = st.text("059_ \u0301\u00b2\u2075\u2460\uff11\u0664", max_size=20)


class RecordingEncoder:
    """Gives every text the same meaning and keeps what it was asked."""

    def __init__(self):
        self.asked = []

    def encode(self, texts):
        self.asked += texts
        return np.full((len(texts), features.ENCODER_SIZE), 1 / np.sqrt(features.ENCODER_SIZE), dtype=np.float32)


def asked_for(text):
    """What the encoder gets to read of a text."""
    recording = RecordingEncoder()
    features.encode([text], recording)
    (seen,) = recording.asked
    return seen


# --- what both views of words start from ----------------------------------------------


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("Zebra Printer OFFLINE", "zebra printer offline"),
        ("\u00c9cran g\u00e9l\u00e9 \u00e0 l'\u00e9tage", "ecran gele a l'etage"),
        ("e\u0301cran", "ecran"),
        ("\uff30\uff32\uff29\uff2e\uff34", "print"),
        ("stra\u00dfe", "stra\u00dfe"),
        ("", ""),
        ("?", "?"),
    ],
    ids=["capitals", "accents", "combining accent", "full-width letters", "sharp s", "empty", "one sign"],
)
def test_spelling_variants_of_a_word_become_one(text, prepared):
    assert features.prepare(text) == prepared


def test_letters_in_fancy_mathematical_type_are_read_as_plain_lower_case():
    assert features.prepare("\U0001d400\U0001d402\U0001d413 now") == "act now"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("[NAME-1] called", ["maskedname", "called"]),
        ("[NAME-23] called", ["maskedname", "called"]),
        ("card [HEALTH_CARD-2]", ["card", "maskedhealth", "card"]),
        ("Mr[NAME-1]called", ["mr", "maskedname", "called"]),
        ("[name-1] is no placeholder", ["[name-1]", "is", "no", "placeholder"]),
    ],
    ids=["a name", "its number does not matter", "two words", "without spaces", "lower case"],
)
def test_a_masked_stretch_is_read_as_its_kind_alone(text, tokens):
    assert features.prepare(text).split() == tokens


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("error 0x80070057", "error 0x0000"),
        ("mrn 1234", "mrn 0000"),
        ("mrn 00123456789", "mrn 0000"),
        ("12345_67890", "0000 0000"),
        ("mrn \uff11\uff12\uff13\uff14\uff15\uff16", "mrn 0000"),
        ("\u0661\u0662\u0663\u0664\u0665\u0666", "0000"),
    ],
    ids=["in a word", "four digits", "many digits", "joined by underscore", "full-width", "Arabic-Indic"],
)
def test_a_long_number_is_forgotten(text, prepared):
    assert features.prepare(text) == prepared


@pytest.mark.parametrize("text", ["4w", "room 312", "error 404", "tray 3"])
def test_a_short_number_is_kept(text):
    assert features.prepare(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077",
        "\u2460\u2461\u2462\u2463\u2464\u2465",
        "123\u2074\u2075\u2076",
        "1\u03012\u03013\u03014\u03015\u03016",
        "12\u0301345678",
    ],
    ids=["superscripts", "circled", "plain then superscript", "an accent on every digit", "an accent on one digit"],
)
def test_a_long_number_is_forgotten_however_its_digits_are_written(text):
    assert not re.search(r"\d{5}", features.prepare(text))


@given(DIGITS | TRICKY)
@any_text
def test_no_text_leaves_a_long_number_behind(text):
    assert not re.search(r"\d{5}", features.prepare(text))


@given(TRICKY)
@any_text
def test_no_text_leaves_an_accent_behind(text):
    assert not any(unicodedata.combining(c) for c in features.prepare(text))


@given(TRICKY)
@any_text
def test_no_text_leaves_a_capital_behind(text):
    prepared = features.prepare(text)
    assert prepared == prepared.lower()


# --- character n-grams ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("padded", "ngrams"),
    [
        (" a ", [" a "]),
        (" ab ", [" ab", "ab ", " ab "]),
        (" abc ", [" ab", "abc", "bc ", " abc", "abc ", " abc "]),
        (" abcd ", [" ab", "abc", "bcd", "cd ", " abc", "abcd", "bcd ", " abcd", "abcd "]),
    ],
    ids=["one letter", "two letters", "three letters", "four letters"],
)
def test_a_word_gives_all_its_stretches_of_three_to_five_characters(padded, ngrams):
    assert features.char_ngrams(padded) == ngrams


# --- the unfitted views ---------------------------------------------------------------


def test_few_rows_keep_even_a_word_seen_once():
    fitted = features.lexical_features(1999).fit(["badge reader", "badge dead", "badge tap"])
    assert {"reader", "dead", "tap", "badge", "badge tap"} <= set(fitted.transformer_list[0][1].vocabulary_)


def test_many_rows_drop_a_word_seen_once_and_characters_seen_twice():
    fitted = features.lexical_features(2000).fit(["badge reader", "badge reader", "badge dead"])
    words, chars = (step.vocabulary_ for _, step in fitted.transformer_list)
    assert set(words) == {"badge", "reader", "badge reader"}
    assert "badge" in chars
    assert "reade" not in chars


def test_both_views_read_the_prepared_text():
    fitted = features.lexical_features(2).fit(["\u00c9CRAN 123456", "\u00c9CRAN 654321"])
    assert set(fitted.transformer_list[0][1].vocabulary_) == {"ecran", "0000", "ecran 0000"}


def test_a_text_has_length_one_in_each_view():
    fitted = features.lexical_features(2).fit(["badge reader dead", "printer jammed"])
    for _, view in fitted.transformer_list:
        rows = view.transform(["badge badge printer", "reader"])
        assert rows.multiply(rows).sum(axis=1) == pytest.approx(1.0, abs=1e-6)


# --- meaning --------------------------------------------------------------------------


def test_the_encoder_reads_the_start_of_a_long_text():
    assert asked_for("x" * 5000) == "x" * features.ENCODER_CHARS


def test_the_encoder_reads_a_placeholder_as_plain_words():
    assert asked_for("[HEALTH_CARD-1] of [NAME-12] is wrong") == "health card of name is wrong"


def test_the_encoder_is_never_asked_for_an_empty_text():
    assert asked_for("") == " "


def test_the_encoder_reads_text_as_it_was_written():
    assert asked_for("L'\u00c9cran \U0001f5a8 GEL\u00c9") == "L'\u00c9cran \U0001f5a8 GEL\u00c9"


def test_every_text_gets_its_row_of_meaning():
    assert features.encode(["a", "b", "c"], RecordingEncoder()).shape == (3, features.ENCODER_SIZE)


def test_no_texts_have_no_meaning_and_ask_nobody():
    recording = RecordingEncoder()
    assert features.encode([], recording).shape == (0, features.ENCODER_SIZE)
    assert recording.asked == []


def test_the_installed_encoder_is_loaded_once():
    assert features.encoder() is features.encoder()
