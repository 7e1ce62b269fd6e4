"""Danger words are found however they are written, and no hospital can take one away."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import POLICY
from triage import cues
from triage.cues import Cues, find_cues, words
from triage.policy import ExtraCues, Phrases

KINDS = ("security", "harm", "identity", "outage", "wide", "privacy")
NONE = ExtraCues()
MANY_TEXTS = settings(deadline=None, max_examples=100, derandomize=True)
SOME_TEXTS = settings(deadline=None, max_examples=40, derandomize=True)


def found(text, kind="security", extra=NONE):
    return getattr(find_cues(text, extra), kind)


def own(kind="security", en=(), fr=()):
    return ExtraCues(**{kind: Phrases(en=en, fr=fr)})


def floor():
    """Every phrase of the floor with its kind, as written."""
    for kind, text in cues._FLOOR.items():
        for line in text.splitlines():
            yield from ((kind, phrase.strip()) for phrase in line.split("|") if phrase.strip())


FLOOR = sorted(set(floor()))


def plain(phrase):
    """A phrase of the pattern language as somebody may write it: gaps empty, endings bare."""
    return phrase.replace("~", "").replace("*", "")


# --- the floor ------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "phrase"), FLOOR)
def test_every_phrase_of_the_floor_finds_itself(kind, phrase):
    assert phrase in found(plain(phrase), kind)


def test_every_phrase_of_the_floor_is_found_in_the_middle_of_a_shouted_sentence():
    assert [cue for cue in FLOOR if cue[1] not in found(f"HELLO, {plain(cue[1]).upper()}! thanks", cue[0])] == []


def test_the_floor_has_phrases_of_every_kind():
    assert {kind for kind, _ in FLOOR} == set(KINDS)


@pytest.mark.parametrize(
    ("kind", "text", "cue"),
    [
        ("security", "I clicked on the link and typed my password", "clicked ~ link ~ password"),
        ("security", "the screen says all your files have been encrypted", "files ~ encrypted"),
        ("security", "my laptop was stolen from the car", "laptop ~ stolen"),
        ("security", "he asks me to buy gift cards", "gift card*"),
        ("security", "j'ai donn\u00e9 mon mot de passe au t\u00e9l\u00e9phone", "donne ~ mon mot de passe"),
        ("security", "courriel d'hame\u00e7onnage re\u00e7u ce matin", "hameconnage"),
        ("security", "mon portable a \u00e9t\u00e9 vol\u00e9", "portable ~ vole"),
        ("harm", "the cart froze during a code blue", "code blue"),
        ("harm", "we can't give the patient meds", "can't ~ give ~ med*"),
        ("harm", "infusion pumps show nothing", "infusion pump*"),
        ("harm", "le patient est \u00e0 risque", "patient ~ a risque"),
        ("harm", "les pompes \u00e0 perfusion n'affichent rien", "pompe* a perfusion"),
        ("harm", "la cloche d\u2019appel est muette", "cloche* d appel"),
        ("identity", "please reset my badge", "reset my"),
        ("identity", "I am locked out", "locked out"),
        ("identity", "mot de passe oubli\u00e9", "mot de passe"),
        ("identity", "compte verrouill\u00e9 depuis ce matin", "compte ~ verrouille*"),
        ("outage", "the system is down", "system is down"),
        ("outage", "down here for everyone", "down ~ everyone"),
        ("outage", "panne g\u00e9n\u00e9rale au bloc", "panne generale"),
        ("outage", "tout l'h\u00f4pital est touch\u00e9", "tout l hopital"),
        ("wide", "nobody can print", "nobody can"),
        ("wide", "toute l\u2019\u00e9quipe est bloqu\u00e9e", "toute l equipe"),
    ],
)
def test_what_people_write_holds_the_cue(kind, text, cue):
    assert cue in found(text, kind)


@pytest.mark.parametrize(
    "text",
    [
        "the printer on 4W is jammed",
        "l'imprimante du 4e est bloqu\u00e9e",
        "need a second monitor",
        "",
        " \n",
        "\U0001f5a8\ufe0f",
    ],
    ids=["English", "French", "a request", "nothing", "blank", "an emoji"],
)
def test_a_harmless_text_has_no_cue(text):
    assert find_cues(text, NONE) == Cues()


def test_a_cue_is_named_once_however_often_it_is_written():
    assert found("ransom note, a RANSOM NOTE and another ransom note") == ("ransom note",)


def test_cues_are_named_in_the_order_of_the_text():
    assert found("malware after the phishing email; then a ransom note") == ("malware", "phishing email", "ransom note")


def test_one_text_can_hold_cues_of_every_kind():
    text = "ransom note, code blue, locked out, outage, everyone"
    assert find_cues(text, NONE) == Cues(("ransom note",), ("code blue",), ("locked out",), ("outage",), ("everyone",))


# --- the small pattern language -------------------------------------------------------


@pytest.mark.parametrize("between", range(cues.GAP + 1))
def test_a_gap_stands_for_up_to_three_words(between):
    assert found("laptop " + "was " * between + "stolen") == ("laptop ~ stolen",)


def test_a_gap_stands_for_no_fourth_word():
    assert found("laptop was it not stolen") == ("laptop ~ stolen",)
    assert found("laptop was it perhaps not stolen") == ()


def test_two_gaps_open_independently():
    assert found("cannot quickly and safely give her the missing meds", "harm") == ("cannot ~ give ~ med*",)


def test_words_out_of_order_are_no_cue():
    assert found("stolen was the laptop") == ()


@pytest.mark.parametrize(
    ("text", "hit"),
    [("tailgat", True), ("tailgating", True), ("tailgaters", True), ("tailga", False), ("retailgating", False)],
    ids=["bare", "ending", "another ending", "too short", "a beginning"],
)
def test_a_star_stands_for_any_ending(text, hit):
    assert bool(found(text)) == hit


@pytest.mark.parametrize("text", ["malwares", "malwar", "antimalware"], ids=["longer", "shorter", "inside a word"])
def test_without_a_star_only_the_whole_word_counts(text):
    assert found(text) == ()


def test_a_star_in_the_middle_of_a_phrase_ends_its_word_alone():
    extra = own(en=("print* melted",))
    assert found("printers melted", extra=extra) == ("print* melted",)
    assert found("printers have melted", extra=extra) == ()


@pytest.mark.parametrize(
    "text", ["ransom-note", "ransom, note", "ransom\nnote", "ransom_note", "(ransom)note", "ransom  note"]
)
def test_punctuation_and_line_ends_separate_words_as_spaces_do(text):
    assert found(text) == ("ransom note",)


# --- disguises ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        "malware",
        "MaLwArE",
        "m\u00e0lw\u00e4r\u00e9",
        "ma\u0301lwa\u0308re\u0302",
        "mal\u200bware",
        "m\u200dal\u2060wa\ufeffre",
        "mal\u00adware",
        "\uff4d\uff41\uff4c\uff57\uff41\uff52\uff45",
        "\uff2d\uff21\uff2c\uff37\uff21\uff32\uff25",
        "m\u0430lw\u0430re",
        "M\u0410LW\u0410R\u0415",
        "\u043c\u0430lw\u0430r\u0435",
        "m\u03b1lw\u03b1re",
        "\U0001d426\U0001d41a\U0001d425\U0001d430\U0001d41a\U0001d42b\U0001d41e",
        "m4lw4re",
        "malw4r3",
        "M4LWARE",
        "m4lw\u0430r\u200be",
    ],
    ids=[
        "plain",
        "mixed case",
        "accents",
        "combining accents",
        "zero-width space",
        "other zero-width characters",
        "soft hyphen",
        "full width",
        "full-width capitals",
        "Cyrillic letters",
        "Cyrillic capitals",
        "mostly Cyrillic",
        "Greek letters",
        "mathematical letters",
        "digits for letters",
        "two different digits",
        "a digit among capitals",
        "three disguises at once",
    ],
)
def test_a_disguised_word_is_read_as_what_it_looks_like(written):
    assert found(f"is this {written}?") == ("malware",)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("passw0rd", "password"),
        ("ph1shing", "phishing"),
        ("m3ssage", "message"),
        ("h4cked", "hacked"),
        ("ran5om", "ransom"),
        ("bi7coin", "bitcoin"),
        ("a77empt", "attempt"),
    ],
    ids=["0 is o", "1 is i", "3 is e", "4 is a", "5 is s", "7 is t", "two sevens"],
)
def test_a_digit_inside_a_word_is_read_as_the_letter_it_imitates(written, read):
    assert words(written) == [read]


@pytest.mark.parametrize(
    "kept",
    ["4w", "pc01", "1068", "20261124", "inc0012345", "kb5034441", "a1b2c3d4", "2fa"],
    ids=["a unit", "short", "a number", "a date", "a ticket", "an update", "mostly digits", "two factors"],
)
def test_a_number_or_a_tag_is_not_read_as_a_word(kept):
    assert words(kept) == [kept]


@pytest.mark.parametrize(
    "written", ["can't", "can\u2019t", "CAN'T", "cant"], ids=["straight", "curly", "shouted", "bare"]
)
def test_cannot_is_one_word_with_any_apostrophe(written):
    assert words(written) == ["cant"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("l'\u00e9cran du 4e", ["l", "ecran", "du", "4e"]),
        ("L\u2019\u00c9CRAN", ["l", "ecran"]),
        ("wi-fi_down", ["wi", "fi", "down"]),
        ("", []),
        ("\U0001f5a8\ufe0f !?", []),
        ("[NAME-1]", ["name", "1"]),
    ],
    ids=["French", "curly apostrophe", "hyphen and underscore", "nothing", "no words", "placeholder"],
)
def test_words_are_lower_case_and_bare(text, expected):
    assert words(text) == expected


# --- what a hospital adds -------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_hospital_adds_phrases_of_every_kind_in_both_languages(kind, language):
    extra = own(kind, **{language: ("unit melted*",)})
    assert found("our unit melted", kind) == ()
    assert found("our unit melted", kind, extra) == ("unit melted*",)


@pytest.mark.parametrize("kind", KINDS)
def test_no_addition_takes_a_phrase_of_the_floor_away(kind):
    phrases = [phrase for of, phrase in FLOOR if of == kind]
    added = own(kind, en=(*phrases, "unit melted"), fr=tuple(f"not {plain(phrase)}" for phrase in phrases))
    assert [phrase for phrase in phrases if phrase not in found(plain(phrase), kind, added)] == []


def test_the_built_in_policy_takes_no_phrase_of_the_floor_away():
    assert [cue for cue in FLOOR if cue[1] not in found(plain(cue[1]), cue[0], POLICY.cues)] == []


def test_a_phrase_that_the_floor_has_already_is_named_once():
    assert found("a ransom note", extra=own(en=("ransom  note",), fr=("ransom note",))) == ("ransom note",)


def test_the_same_phrase_can_be_of_two_kinds():
    both = find_cues("malware", own("harm", en=("malware",)))
    assert (both.security, both.harm) == (("malware",), ("malware",))


def test_one_hospitals_phrases_are_not_anothers():
    assert found("it melted", extra=own(en=("it melted",))) == ("it melted",)
    assert found("it melted", extra=own(en=("it burnt",))) == ()


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("It MELTED", "it melted"),
        ("\u00e9cran fondu", "ecran fondu"),
        ("ecran fondu", "\u00e9cran fondu"),
        ("l'\u00e9cran fond*", "l\u2019\u00c9CRAN fondait"),
        ("unit-wide melt", "a unit wide melt"),
        ("pc* melted", "pcs melted"),
        ("x* melted", "xrays melted"),
        ("or* melted", "orthopedics melted"),
    ],
    ids=[
        "case",
        "accents in the phrase",
        "accents in the text",
        "apostrophe",
        "hyphen",
        "a two-letter stem",
        "a one-letter stem",
        "a short stem, a long word",
    ],
)
def test_a_hospitals_phrase_is_read_as_the_text_is(phrase, text):
    assert found(text, extra=own(en=(phrase,))) == (phrase,)


@pytest.mark.parametrize("phrase", ["labour & delivery", "- ransom -", "*", "&", "~", "", "  ", "\u200b", "...", "***"])
def test_a_hospitals_odd_phrase_silences_no_other(phrase):
    assert "ransom note" in found("we found a ransom note", extra=own(en=(phrase,)))


@pytest.mark.parametrize("phrase", ["*", "&", "~", "~ ~", "", "\u200b", "..."])
def test_a_hospitals_phrase_without_a_word_is_found_nowhere(phrase):
    assert found("the printer on 4W is jammed", extra=own(en=(phrase,))) == ()


# --- whatever the text ----------------------------------------------------------------

TEXTS = st.lists(
    st.text(max_size=12)
    | st.text(st.characters(), max_size=4)  # lone surrogates too
    | st.sampled_from(
        ["clicked", "link", "password", "can't", "m4lw4re", "lock", "account", " ", "'t", "\u0130", "\u00df"]
    ),
    max_size=12,
).map(" ".join)


@MANY_TEXTS
@given(TEXTS)
def test_any_text_can_be_split_into_words(text):
    assert all(word == word.lower() and word.isalnum() for word in words(text))


@MANY_TEXTS
@given(TEXTS)
def test_any_text_can_be_searched_and_names_only_known_phrases(text):
    assert {(kind, name) for kind in KINDS for name in found(text, kind)} <= set(FLOOR)


@MANY_TEXTS
@given(TEXTS, st.sampled_from(FLOOR))
def test_no_text_around_a_phrase_hides_it(text, cue):
    kind, phrase = cue
    assert phrase in found(f"{text} {plain(phrase)} {text}", kind)


@SOME_TEXTS
@given(TEXTS, st.text(max_size=12))
def test_any_phrase_of_a_hospital_can_be_read(text, phrase):
    assert set(found(text)) <= set(found(text, extra=own(en=(phrase,))))
