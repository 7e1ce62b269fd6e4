"""The learned part of the masker: patients go, IT's own words stay, and nothing in it runs or grows out of hand."""

import pytest

from models import tagger as learning
from models.masking import load_marked, measure
from triage.redact import find_spans, learned, redact
from triage.redact.learned import WEIGHTS, load, write


@pytest.mark.parametrize(
    "text",
    [
        "pt jane samplewoman in rm 4012 wristband prints blank",
        "wrong chart opened for FAUXWICZ, TESTINA this morning",
        "patient Testy Sample-Faux 0012345 twice on the board",
        "le dossier de zoé faussejoie ne s'ouvre pas",
    ],
    ids=["lower case", "all caps", "a bare record number", "French"],
)
def test_a_patient_without_any_label_is_masked(text):
    masked = redact(text).text.lower()
    assert not any(word in masked for word in ("sample", "testy", "fauxwicz", "testina", "faussejoie", "0012345"))


@pytest.mark.parametrize(
    "kept",
    [
        "KB5044273", "0x80070035", "10.20.30.40", "00:1A:2B:3C:4D:5E", "INC0774902", "https://intranet.example.org/a",
        "\\\\prnsrv3", "ext 4521", "poste 63310", "07:15", "pavillon Marie Clarac", "Hôtel-Dieu", "version 9.2.14",
    ],
)  # fmt: skip
def test_what_it_needs_is_never_taken_by_a_guess(kept):
    assert kept in redact(f"screen frozen, shows {kept} since this morning").text


@pytest.mark.parametrize("digits", ["00\u200b12345", "\uff10\uff10\uff11\uff12\uff13\uff14\uff15", "00\u00ad12345"])
def test_an_identifier_cannot_hide_behind_invisible_or_wide_characters(digits):
    raw = f"MRN {digits} is blank"
    assert redact(raw).text == "MRN [MRN-1] is blank"
    (span,) = redact(raw).spans
    assert raw[span.start : span.end] == digits


def test_no_identifier_is_cut_in_the_middle_of_a_word():
    for ticket in load_marked()[::20]:
        for span in find_spans(ticket.text):
            for edge in (span.start, span.end):
                beside = ticket.text[max(0, edge - 1) : edge + 1]
                assert not (len(beside) == 2 and beside.isascii() and beside.isalnum()), ticket.text[span.start :][:40]


def test_a_number_with_hardly_a_word_beside_it_is_masked_because_nothing_speaks_for_it():
    assert "555-0199" not in redact("call 416-555-0199").text
    assert "555-0199" in redact("Zebra support 800-555-0199 says the case is closed, the label printer on 4W jams").text


# --- a site's own words ---------------------------------------------------------------


def test_a_sites_own_word_is_left_alone_whatever_its_case():
    raw = "printer in the Testy Sample lounge, ask at TESTY SAMPLE"
    assert redact(raw, keep=["testy sample"]).text == raw


def test_a_sites_own_word_frees_no_proven_identifier():
    assert redact("MRN 0012345", keep=["0012345", "MRN 0012345"]).text == "MRN [MRN-1]"


def test_a_sites_own_word_frees_no_longer_name():
    assert "Faux" not in redact("patient Testy Faux MRN 0012345", keep=["Testy"]).text


# --- the file of weights --------------------------------------------------------------


def test_weights_are_read_as_they_were_written(tmp_path, monkeypatch):
    write(load(), tmp_path / "masker.json.gz")
    assert (tmp_path / "masker.json.gz").read_bytes() == WEIGHTS.read_bytes()


def test_the_shipped_weights_are_what_the_shipped_texts_teach(monkeypatch):
    frozen = load_marked(holdout=True)
    shipped = measure(frozen, find_spans)
    made = learning.learn(load_marked(), learning.ticket_texts())
    monkeypatch.setattr(learned, "load", lambda: made)
    again = measure(frozen, find_spans)
    # Rounding differs between processors: a word here and there, never the figure.
    assert {name: again[name] for name in ("all", "kept")} == pytest.approx(
        {name: shipped[name] for name in ("all", "kept")}, abs=0.01
    )
