"""The language of a message is guessed from its commonest words, and what is neither English nor French is said so."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.dataset import read_csv, shipped_folder
from triage import language
from triage.language import OTHER, guess
from triage.ticket import LANGUAGES


@pytest.mark.parametrize(
    "text",
    [
        "the printer on 4W is jammed",
        "my password does not work",
        "Can't print",
        "we have no phone since this morning",
        "PLEASE HELP THE SCREEN IS BLACK",
        "who do I call about the r\u00e9sum\u00e9 template",
        "\uff34\uff28\uff25 \uff30\uff32\uff29\uff2e\uff34\uff25\uff32 \uff29\uff33 \uff24\uff2f\uff37\uff2e",
    ],
    ids=["a sentence", "a password", "two words", "no", "shouted", "a French word in it", "full width"],
)
def test_english_is_english(text):
    assert guess(text) == "en"


@pytest.mark.parametrize(
    "text",
    [
        "l'imprimante du 4e ne marche pas",
        "mon mot de passe est bloqu\u00e9",
        "MON \u00c9CRAN EST NOIR",
        "imprimante",
        "merci",
        "j\u2019ai pas d\u2019internet",
        "plus de r\u00e9seau depuis ce matin svp",
        "mon ecran est noir",
        "le lecteur partag\u00e9 a disparu",
        "l'\u00e9cran a gel\u00e9",
        "la cam\u00e9ra a arr\u00eat\u00e9",
    ],
    ids=[
        "a sentence",
        "a password",
        "shouted",
        "one word",
        "thanks",
        "curly apostrophes",
        "short",
        "without accents",
        "has disappeared",
        "has frozen",
        "has stopped",
    ],
)
def test_french_is_french(text):
    assert guess(text) == "fr"


@pytest.mark.parametrize(
    "text",
    [
        "la impresora no funciona y necesito ayuda",
        "der Drucker geht nicht und ich kann nicht drucken",
        "a impressora n\u00e3o funciona, preciso de ajuda",
        "la stampante non funziona, ho bisogno di aiuto",
        "\u043f\u0440\u0438\u043d\u0442\u0435\u0440 \u043d\u0435 \u0440\u0430\u0431\u043e\u0442\u0430\u0435\u0442",
        "\u6253\u5370\u673a\u574f\u4e86",
        "\u0627\u0644\u0637\u0627\u0628\u0639\u0629 \u0644\u0627 \u062a\u0639\u0645\u0644",
        "\u043f\u0440\u0438\u043d\u0442\u0435\u0440 PC01 \u043d\u0435 \u0440\u0430\u0431\u043e\u0442\u0430\u0435\u0442",
    ],
    ids=["Spanish", "German", "Portuguese", "Italian", "Russian", "Chinese", "Arabic", "Russian with a product"],
)
def test_another_language_is_named_other(text):
    assert guess(text) == OTHER


@pytest.mark.parametrize(
    "text",
    ["Zebra 4W offline", "VPN KO", "4W???", "1234 5678", "", "  ", "\U0001f5a8\ufe0f"],
    ids=["product and fault", "two codes", "a unit", "numbers", "nothing", "blank", "an emoji"],
)
def test_a_text_without_a_known_word_counts_as_english(text):
    assert guess(text) == "en"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("printer jammed, el lobby", "en"),
        ("bonjour the printer ne marche pas svp", "fr"),
        ("hello, l'imprimante is down and it does not print", "en"),
    ],
    ids=["one foreign word", "mostly French", "mostly English"],
)
def test_a_mixed_text_is_what_most_of_its_words_are(text, expected):
    assert guess(text) == expected


def test_the_language_does_not_change_with_what_follows_the_sample():
    start = "the printer is down and we need help ".ljust(language.SAMPLE)
    assert guess(start + "mon imprimante ne marche pas et je suis dans la salle " * 100) == "en"


@pytest.mark.parametrize(("spoken", "least"), [("en", 0.99), ("fr", 0.9)])
def test_short_real_tickets_are_nearly_always_guessed_right(spoken, least):
    texts = [row.text for row in read_csv(shipped_folder() / "printer.csv", "printer") if row.language == spoken]
    wrong = [text for text in texts if guess(text) != spoken]
    assert len(wrong) <= (1 - least) * len(texts), wrong


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.text(max_size=200) | st.text(st.characters(), max_size=20))
def test_every_text_gets_one_of_three_answers(text):
    assert guess(text) in {*LANGUAGES, OTHER}
