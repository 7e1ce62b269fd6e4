"""The shipped texts: enough of every kind in both languages, by many hands, and none that the frozen set has too."""

from collections import Counter

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from builders import POLICY
from models.dataset import OUT_OF_SCOPE, load_holdout, load_shipped, near_duplicates
from triage.policy import SECURITY_CATEGORY
from triage.ticket import LANGUAGES

LABELS = [*POLICY.categories, OUT_OF_SCOPE]
LEAST = {"en": 300, "fr": 100}
LEAST_SECURITY = {"en": 650, "fr": 200}
LEAST_OUT_OF_SCOPE = 450
LEAST_FLAGGED = {"scary": 300, "harm": 200}
LEAST_HELD_OUT = 1000
LEAST_AUTHORS = 25
MOST_NEAR_DUPLICATES = 0.02
NEAR = 0.8


@pytest.fixture(scope="module")
def shipped():
    return load_shipped(POLICY.categories)


@pytest.fixture(scope="module")
def held_out():
    return load_holdout()


def plain(text):
    return " ".join(text.lower().split())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("category", POLICY.categories)
def test_every_category_has_enough_texts_in_each_language(shipped, category, language):
    least = LEAST_SECURITY if category == SECURITY_CATEGORY else LEAST
    count = sum(1 for example in shipped if (example.label, example.language) == (category, language))
    assert count >= least[language]


def test_enough_texts_are_not_for_it(shipped):
    assert sum(1 for example in shipped if example.label == OUT_OF_SCOPE) >= LEAST_OUT_OF_SCOPE


@pytest.mark.parametrize(("flag", "least"), LEAST_FLAGGED.items())
def test_enough_texts_sound_dangerous_or_are(shipped, flag, least):
    assert sum(1 for example in shipped if flag in example.flags) >= least


def test_what_sounds_dangerous_is_mostly_not_a_security_ticket(shipped):
    scary = Counter(example.label for example in shipped if "scary" in example.flags)
    assert scary[SECURITY_CATEGORY] < sum(scary.values()) / 2


def test_the_texts_are_by_many_hands(shipped):
    assert len({example.author for example in shipped}) >= LEAST_AUTHORS


def test_every_text_names_its_author_and_a_language_that_is_served(shipped, held_out):
    for example in [*shipped, *held_out]:
        assert example.author, example.text[:60]
        assert example.language in LANGUAGES, example.text[:60]


def test_no_author_of_the_frozen_set_wrote_for_training(shipped, held_out):
    assert {example.author for example in shipped} & {example.author for example in held_out} == set()


def test_the_frozen_set_is_large_and_has_every_label(held_out):
    assert len(held_out) >= LEAST_HELD_OUT
    assert {example.label for example in held_out} == set(LABELS)


def test_no_text_is_there_twice(shipped, held_out):
    counts = Counter(plain(example.text) for example in [*shipped, *held_out])
    assert [text for text, count in counts.items() if count > 1] == []


def test_hardly_any_texts_of_one_label_are_nearly_the_same(shipped):
    twins = 0
    for label in LABELS:
        texts = [example.text for example in shipped if example.label == label]
        twins += len({row for pair in near_duplicates(texts, NEAR) for row in pair})
    assert twins / len(shipped) < MOST_NEAR_DUPLICATES


def test_no_text_of_the_frozen_set_was_nearly_trained_on(shipped, held_out):
    # The measure of `near_duplicates`, for these pairs alone: comparing all with all would take a minute.
    texts = [example.text for example in [*shipped, *held_out]]
    matrix = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True).fit_transform(texts)
    alike = (matrix[len(shipped) :] @ matrix[: len(shipped)].T).tocoo()
    close = alike.data >= NEAR
    pairs = [(held_out[i].text, shipped[j].text) for i, j in zip(alike.row[close], alike.col[close], strict=True)]
    assert pairs == []
