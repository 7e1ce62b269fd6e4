"""What a person found unmasked is hidden wherever it stands, and kept only as made-up words of the same shape."""

import random
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models import masking
from models.masking import marked_in
from triage.redact import redact
from triage.redact.mend import TYPES, as_test, hide, next_placeholder, original_spans, places
from triage.redact.words import fold, name_lists
from triage.ticket import Span

ANY_TEXT = settings(deadline=None, max_examples=100, derandomize=True)
OPEN, CLOSE = "\u27e6", "\u27e7"  # what a mark begins and ends with


def found(text, hidden):
    """What stands where the words were found."""
    return [text[start:end] for start, end in places(text, hidden)]


# --- places ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "hidden", "there"),
    [
        ("Sampleman waits", "Sampleman", ["Sampleman"]),
        ("band for Sampleman", "Sampleman", ["Sampleman"]),
        ("Sampleman", "Sampleman", ["Sampleman"]),
        ("Sampleman, (Sampleman) Sampleman!", "Sampleman", ["Sampleman"] * 3),
        ("Sampleman's band", "Sampleman", ["Sampleman"]),
        ("Sampleman-Fausse", "Sampleman", ["Sampleman"]),
        ("\U0001f4dfSampleman\U0001f4df", "Sampleman", ["Sampleman"]),
        ("Sampleman\nSampleman", "Sampleman", ["Sampleman"] * 2),
        ("Samplemans band", "Sampleman", []),
        ("McSampleman", "Sampleman", []),
        ("Sampleman2 and 2Sampleman", "Sampleman", []),
        ("user_Sampleman", "Sampleman", ["Sampleman"]),
        ("Sample man", "Sampleman", []),
        ("Sample-man", "Sampleman", []),
        ("Sample\u00e9", "Sample", []),
        ("\u00c9sample", "sample", []),
        ("bed 41", "4", []),
        ("", "Sampleman", []),
    ],
    ids=[
        "at the beginning",
        "at the end",
        "alone",
        "among signs",
        "possessive",
        "half a double name",
        "among emoji",
        "one per line",
        "a longer word",
        "the end of a longer word",
        "with digits",
        "with an underscore",
        "in two",
        "with a hyphen inside",
        "before an accented letter",
        "behind an accented letter",
        "a digit of a number",
        "no text",
    ],
)
def test_words_are_found_as_whole_words(text, hidden, there):
    assert found(text, hidden) == there


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("TESTY SAMPLEMAN", "Testy Sampleman"),
        ("tEsTy sampleMAN", "TESTY Sampleman"),
        ("Zo\u00e9 Fausse", "zoe fausse"),
        ("zoe fausse", "Zo\u00e9 Fausse"),
        ("ZO\u00c9 FAUSSE", "zo\u00e9 fausse"),
        ("Zo\u00eb Fausse", "Zo\u00e9 Fausse"),
        ("\u00c9lo\u00efse C\u00f4t\u00e9-Fausse", "eloise cote-fausse"),
        ("Testy  Sampleman", "Testy Sampleman"),
        ("Testy\tSampleman", "Testy Sampleman"),
        ("Testy \r\n Sampleman", "Testy Sampleman"),
        ("Testy\u00a0Sampleman", "Testy Sampleman"),
        ("Testy Sampleman", "  Testy \n Sampleman "),
        ("\u0130zzet Fausse", "izzet fausse"),
        ("STRA\u1e9eE", "stra\u00dfe"),
    ],
    ids=[
        "capitals",
        "mixed case",
        "accents in the text",
        "accents in the words",
        "both",
        "another accent",
        "several accents",
        "two blanks",
        "tab",
        "line break",
        "no-break space",
        "blanks around the words",
        "dotted capital I",
        "sharp s",
    ],
)
def test_case_accents_and_spacing_do_not_matter(text, hidden):
    assert found(f"band of {text}, blank", hidden) == [text]


@pytest.mark.parametrize(
    "before", ["\u0130\u0130\u0130 ", "\ufb01\ufb01 ", "\u00df\u1e9e ", "e\u0301e\u0301 ", "\U0001f4df "]
)
def test_places_are_code_points_whatever_stands_before(before):
    assert places(f"{before}Sampleman", "sampleman") == [(len(before), len(before) + 9)]


@pytest.mark.parametrize("kind", TYPES)
def test_words_are_never_found_inside_a_placeholder(kind):
    text = f"[{kind}-1] and {kind}, [{kind}-12]"
    assert [found(text, word) for word in (kind, "1", "12")] == [[kind], [], []]


@pytest.mark.parametrize("hidden", ["[NAME-1]", "NAME-1]", "band [NAME-1]", "[NAME-1] is", "] is"])
def test_words_that_reach_into_a_placeholder_are_not_found(hidden):
    assert places("band [NAME-1] is blank", hidden) == []


@pytest.mark.parametrize("text", ["[NAME-]", "[NAME]", "[NAME-x]", "[OTHER-NAME]", "(NAME-1)"])
def test_what_only_looks_like_a_placeholder_hides_no_words(text):
    assert found(text, "name") == ["NAME"]


@pytest.mark.parametrize(
    "hidden",
    [
        ".",
        "Test.",
        "T.st",
        "a+b",
        "(Testy)",
        "[Testy]",
        "Testy?",
        "Testy*",
        "^Testy",
        "Testy$",
        "a|b",
        "\\w+",
        "{2}",
        "(",
    ],
)
def test_signs_are_only_signs(hidden):
    text = f"see {hidden} there, Testy a b aab Tost"
    assert places(text, hidden) == [(4, 4 + len(hidden))]


@pytest.mark.parametrize("hidden", ["", " ", "\n\t"], ids=["empty", "blank", "line break"])
def test_no_words_are_found_nowhere(hidden):
    assert places("Testy Sampleman waits", hidden) == []


# --- placeholders ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("", "NAME", "[NAME-1]"),
        ("nothing hidden", "NAME", "[NAME-1]"),
        ("[NAME-1]", "NAME", "[NAME-2]"),
        ("[NAME-2] [NAME-1] [NAME-2]", "NAME", "[NAME-3]"),
        ("[NAME-7]", "NAME", "[NAME-8]"),
        ("[NAME-9] [NAME-10]", "NAME", "[NAME-11]"),
        ("[MRN-3] [PHONE-1]", "NAME", "[NAME-1]"),
        ("[MRN-3] [PHONE-1]", "MRN", "[MRN-4]"),
        ("NAME-4 [NAME-] [NAME-x]", "NAME", "[NAME-1]"),
        ("[HEALTH_CARD-1]", "HEALTH_CARD", "[HEALTH_CARD-2]"),
    ],
    ids=[
        "no text",
        "none",
        "one",
        "several",
        "with a gap",
        "two digits",
        "only of other kinds",
        "among other kinds",
        "none that is one",
        "with an underscore",
    ],
)
def test_the_next_placeholder_is_one_that_the_text_does_not_use(text, kind, expected):
    assert next_placeholder(text, kind) == expected


# --- hiding ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Zo\u00e9 waits", "[NAME-1] waits"),
        ("ZOE, zoe and Zo\u00e9", "[NAME-1], [NAME-1] and [NAME-1]"),
        ("Zoe Zoe", "[NAME-1] [NAME-1]"),
        ("Zoe's \U0001f4df (zoe)", "[NAME-1]'s \U0001f4df ([NAME-1])"),
        ("Zoetrope and [NAME-2]", "Zoetrope and [NAME-2]"),
        ("", ""),
    ],
    ids=["once", "each time", "side by side", "among signs", "nowhere", "no text"],
)
def test_every_mention_is_hidden_and_nothing_else(text, masked):
    assert hide(text, "zo\u00e9", "[NAME-1]") == masked


def test_the_words_next_to_hidden_ones_keep_their_spacing():
    assert hide("  Testy \n Sampleman  waits\n", "testy sampleman", "[NAME-1]") == "  [NAME-1]  waits\n"


def test_a_placeholder_with_signs_of_a_pattern_is_put_in_as_it_is():
    assert hide("Zoe waits", "zoe", r"\1\g<0>") == r"\1\g<0> waits"


@pytest.mark.parametrize("hidden", ["Zoe", "NAME", "1", "Zoe waits"])
def test_hiding_twice_changes_nothing(hidden):
    once = hide("Zoe waits, NAME 1, [MRN-1]", hidden, "[NAME-1]")
    assert hide(once, hidden, "[NAME-2]") == once


# --- offsets of the original ----------------------------------------------------------


def left_open(raw):
    """The text masked, but for the words that these tests miss, whatever the masker learns next."""
    return redact(raw, ["toner", "smudges"])


def carried(raw, hidden, kind="NAME"):
    """What the original says where words of the masked text are newly hidden, and every span of it."""
    masked = left_open(raw)
    where = places(masked.text, hidden)
    assert where
    spans = original_spans(masked.text, masked.spans, where, kind)
    added = [span for span in spans if span not in masked.spans]
    return [raw[span.start : span.end] for span in added], spans


@pytest.mark.parametrize(
    "raw",
    [
        "Toner waits",
        "MRN 11111 Toner waits",
        "MRN 1234567890123, Toner",
        "patient Testy Sampleman MRN 11111 DOB 1961-03-12, Toner, 416-555-0199 t@example.org",
        "Toner, MRN 11111",
        "t@example.org Toner t@example.org",
        f"{', '.join(f'MRN {number}' for number in range(11111, 11123))}, Toner",
        "[NAME-1] typed, patient Testy Sampleman, Toner",
        "patient Testy Sampleman, [NAME-1] typed, Toner",
        "[NAME-1][MRN-1] Toner",
        "MRN 11111[MRN-1] Toner",
        "[MRN-1] MRN 11111 [MRN-1] Toner [MRN-1] MRN 22222",
        "\U0001f4df MRN 11111 \U0001f468\u200d\u2695\ufe0f Toner \U0001f4df",
        "cafe\u0301 MRN 11111 e\u0301 Toner",
        "patiente E\u0301loi\u0308se Fausse, Toner",
        "MRN\u00a011111\n\nToner",
    ],
    ids=[
        "no placeholder",
        "a placeholder longer than what it hides",
        "a placeholder shorter than what it hides",
        "several of different lengths",
        "only one behind",
        "one on each side",
        "two-digit placeholders",
        "a typed placeholder first",
        "a typed placeholder of the same name behind",
        "nothing but typed ones",
        "a typed one against a real one",
        "typed ones all around",
        "emoji",
        "combining accents",
        "combining accents hidden",
        "line breaks",
    ],
)
def test_a_missed_word_is_found_again_in_the_original(raw):
    assert carried(raw, "toner")[0] == ["Toner"]


def test_every_mention_is_carried_back_in_the_order_of_the_text():
    added, spans = carried("Toner MRN 11111 toner 416-555-0199 TONER", "toner")
    assert added == ["Toner", "toner", "TONER"]
    assert [span.type for span in spans] == ["NAME", "MRN", "NAME", "PHONE", "NAME"]


def test_a_span_carried_back_has_the_kind_given():
    assert carried("MRN 11111 at Toner", "toner", "ID")[1] == (Span(4, 9, "MRN"), Span(13, 18, "ID"))


def test_without_new_places_the_spans_stay():
    masked = redact("patient Testy Sampleman MRN 11111")
    assert original_spans(masked.text, masked.spans, [], "NAME") == masked.spans


def test_spans_may_come_in_any_order():
    masked = left_open("MRN 11111 t@example.org Toner")
    where = places(masked.text, "toner")
    backwards = original_spans(masked.text, reversed(masked.spans), iter(where), "NAME")
    assert backwards == original_spans(masked.text, masked.spans, where, "NAME")


def test_a_second_mending_finds_the_original_too():
    raw = "Toner MRN 11111 toner t@example.org Smudges, [NAME-1] typed"
    masked = left_open(raw)
    spans = original_spans(masked.text, masked.spans, places(masked.text, "toner"), "NAME")
    text = hide(masked.text, "toner", next_placeholder(masked.text, "NAME"))
    spans = original_spans(text, spans, places(text, "smudges"), "NAME")
    assert [raw[span.start : span.end] for span in spans] == [
        "Toner",
        "11111",
        "toner",
        "t@example.org",
        "Smudges",
    ]


PIECES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        [
            *("patient Testy Sampleman", "Mr Faux", "MRN 00123456", "MRN 11111", "DOB 1961-03-12", "416-555-0199"),
            *("t@example.org", "12 Fake Street", "Zappo", "ZAPPO", "\u00c9lo\u00efse", "label", "4471-B"),
            *(
                "[NAME-1]",
                "[MRN-1]",
                "[NAME-12]",
                "[DOB-1",
                "\U0001f4df",
                "\U0001f468\u200d\u2695\ufe0f",
                "e\u0301",
                "\n",
            ),
        ]
    ),
)
RAW = st.tuples(st.lists(PIECES, max_size=10), st.sampled_from([" ", ", "])).map(lambda drawn: drawn[1].join(drawn[0]))
PLACEHOLDER = rf"\[(?:{'|'.join(TYPES)})-\d+\]"


def left_in(masked):
    """The words that a masked text still shows."""
    return re.findall(r"\w+", re.sub(PLACEHOLDER, " ", masked))


@ANY_TEXT
@given(RAW, st.integers(0, 1000))
@example("MRN 11111 [MRN-1] \U0001f4df t@example.org toner", 1)
def test_whatever_the_text_a_missed_word_is_found_again_in_the_original(raw, choice):
    masked = redact(raw)
    words = left_in(masked.text)
    if not words:
        return
    where = places(masked.text, words[choice % len(words)])
    spans = original_spans(masked.text, masked.spans, where, "ID")
    added = sorted(set(spans) - set(masked.spans), key=lambda span: span.start)
    assert [raw[span.start : span.end] for span in added] == [masked.text[start:end] for start, end in where]
    assert set(masked.spans) <= set(spans)
    edges = [edge for span in spans for edge in (span.start, span.end)]
    assert edges == sorted(edges)


@ANY_TEXT
@given(RAW, st.lists(st.integers(0, 1000), max_size=3))
def test_whatever_is_mended_the_spans_and_the_placeholders_still_fit(raw, choices):
    masked = redact(raw)
    text, spans = masked.text, masked.spans
    for choice in choices:
        if words := left_in(text):
            word = words[choice % len(words)]
            spans = original_spans(text, spans, places(text, word), "ID")
            text = hide(text, word, next_placeholder(text, "ID"))
    expected, last = "", 0
    for span in spans:
        expected += re.escape(raw[last : span.start]) + rf"\[{span.type}-\d+\]"
        last = span.end
    assert re.fullmatch(expected + re.escape(raw[last:]), text)


# --- a test for the next masker -------------------------------------------------------


def made(text, hidden, kind="NAME", seed=7):
    return as_test(text, places(text, hidden), kind, random.Random(seed))


def read(marked):
    """What the reader of marked tickets makes of it: one ticket."""
    (one,) = marked_in(f"=== en\n{marked}\n", "mended", "here")
    return one


def stand_ins(marked):
    one = read(marked)
    return [one.text[mark.start : mark.end] for mark in one.marks]


def shape(word):
    """Digits as 0, letters as a or A, the rest as it is."""
    return "".join("0" if c.isdigit() else "A" if c.isupper() else "a" if c.isalpha() else c for c in word)


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind in masking.TYPES])
def test_the_marks_are_read_as_marks_of_the_kind(kind):
    one = read(made("band of Zappo, and ZAPPO", "zappo", kind))
    assert [mark.type for mark in one.marks] == [kind, kind]


@pytest.mark.parametrize(
    ("text", "hidden", "kind"),
    [
        ("patient Zappo Fizzoli waits", "Zappo Fizzoli", "NAME"),
        ("ZAPPO waits, zappo\u2019s band, (Zappo)", "zappo", "NAME"),
        ("\u00c9lo\u00efse waits for eloise", "\u00c9lo\u00efse", "NAME"),
        ("Zappo\n Fizzoli [NAME-1]", "zappo fizzoli", "NAME"),
        ("chart 0012345678 and 0012345678", "0012345678", "MRN"),
        ("chart AB-123456/C", "ab-123456/c", "MRN"),
        ("write zappo.fizzoli@example.org", "zappo.fizzoli@example.org", "EMAIL"),
        ("at 77 Fizzoli Crescent now", "77 Fizzoli Crescent", "ADDRESS"),
        ("marie waits, MARIE", "Marie", "NAME"),
    ],
    ids=["a name", "each case", "accents", "over a line", "digits", "a sign", "mail", "address", "a listed name"],
)
def test_the_missed_words_are_nowhere_in_the_test(text, hidden, kind):
    for seed in range(5):
        marked = made(text, hidden, kind, seed)
        assert places(marked, hidden) == []
        assert "".join(fold(hidden).split()) not in "".join(fold(marked).split())


@ANY_TEXT
@given(
    st.text("abcdefghijklmnopqrstuvwxyzABCDEFGH0123456789", min_size=8, max_size=20),
    st.sampled_from(["MRN", "ID", "HEALTH_CARD"]),
    st.integers(0, 1_000_000),
)
def test_whatever_the_missed_number_it_is_nowhere_in_the_test_and_its_shape_is(number, kind, seed):
    marked = made(f"chart {number}, label {number}.", number, kind, seed)
    assert number.lower() not in marked.lower()
    assert [shape(one) for one in stand_ins(marked)] == [shape(number)] * 2


@pytest.mark.parametrize(
    ("hidden", "kind"),
    [
        ("0012345678", "MRN"),
        ("AB-123456/c", "MRN"),
        ("1961-03-12", "DOB"),
        ("(416) 555-0199", "PHONE"),
        ("Zappo.F+it@example.org", "EMAIL"),
        ("77 Rue de la Fizzole", "ADDRESS"),
        ("\u00c9t\u00e9-99", "ID"),
        ("Zappo Fizzoli", "NAME"),
        ("ZAPPO fizzoli", "NAME"),
        ("ZAPPO^FIZZOLI", "NAME"),
        ("Fizzoli, Zappo", "NAME"),
        ("O'Fizzoli", "NAME"),
        ("Zappo-Fizzoli 3", "NAME"),
        ("Zapp\u00f6 Fizzoli", "NAME"),
    ],
)
def test_the_stand_in_has_the_shape_of_what_was_missed(hidden, kind):
    assert [shape(one) for one in stand_ins(made(f"see {hidden} there", hidden, kind))] == [shape(hidden)]


@pytest.mark.parametrize("hidden", ["marie", "Marie", "MARIE"], ids=["small", "titled", "capitals"])
def test_a_listed_name_becomes_another_listed_one_in_its_case_and_of_about_its_length(hidden):
    listed = {name.upper() for names in name_lists() for name in names}
    for seed in range(5):
        (name,) = stand_ins(made(f"{hidden} waits", hidden, "NAME", seed))
        assert name.upper() in listed
        assert (name.islower(), name.istitle(), name.isupper()) == (
            hidden.islower(),
            hidden.istitle(),
            hidden.isupper(),
        )
        assert abs(len(name) - len(hidden)) <= 1


@pytest.mark.parametrize(
    ("text", "hidden", "kind"),
    [
        ("Zappo waits, Zappo calls, Zappo", "zappo", "NAME"),
        ("Zappo waits, ZAPPO calls, zapp\u00f3", "zappo", "NAME"),
        ("Marie waits, marie", "marie", "NAME"),
        ("chart AB-123456, ab-123456", "AB-123456", "MRN"),
    ],
    ids=["a name", "in another case", "a listed name", "a number"],
)
def test_the_same_word_gets_the_same_stand_in(text, hidden, kind):
    found_ones = stand_ins(made(text, hidden, kind))
    assert len(found_ones) == len(places(text, hidden))
    assert len({fold(one) for one in found_ones}) == 1


def test_different_chance_makes_different_words():
    assert len({made("chart 0012345678", "0012345678", "MRN", seed) for seed in range(20)}) == 20


def test_the_same_chance_makes_the_same_words():
    assert made("Zappo and Marie", "zappo") == made("Zappo and Marie", "zappo")


@pytest.mark.parametrize(
    "text",
    [
        "Zappo waits",
        "[NAME-1] and Zappo, [MRN-1] of [NAME-2]",
        "\U0001f4df Zappo \U0001f468\u200d\u2695\ufe0f zappo cafe\u0301",
        "ext 4521, PRN-4W-02\n\nZappo: 10:30",
    ],
    ids=["plain", "placeholders", "emoji", "what IT needs"],
)
def test_everything_around_the_missed_words_stays(text):
    between = re.sub(f"{OPEN}[^{CLOSE}]*{CLOSE}", "|", made(text, "zappo"))
    assert between == hide(text, "zappo", "|")


def test_without_places_the_text_stays():
    assert as_test("Testy waits", [], "NAME", random.Random(7)) == "Testy waits"


def test_places_may_come_as_any_iterable():
    text = "Zappo and zappo"
    assert as_test(text, iter(places(text, "zappo")), "NAME", random.Random(7)) == made(text, "zappo")
