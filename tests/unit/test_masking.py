"""Marked tickets are read as their authors meant them, and a masker is measured by what really is gone."""

import pytest

from models.dataset import DatasetError
from models.masking import STAFF, TYPES, load_marked, measure, read_marked
from triage.ticket import Span


def marked(tmp_path, text):
    path = tmp_path / "someone.txt"
    path.write_text(text, encoding="utf-8")
    return list(read_marked(path))


def test_marks_become_spans_of_the_plain_text(tmp_path):
    (one,) = marked(tmp_path, "=== fr\npt ⟦NAME|Zoé Fausse⟧ (⟦MRN|00123⟧) sur ⟦KEEP|ZEB-4W⟧\n")
    assert (one.id, one.author, one.language) == ("someone-1", "someone", "fr")
    assert one.text == "pt Zoé Fausse (00123) sur ZEB-4W"
    assert [(one.text[m.start : m.end], m.type) for m in one.marks] == [
        ("Zoé Fausse", "NAME"),
        ("00123", "MRN"),
        ("ZEB-4W", "KEEP"),
    ]
    assert (len(one.identifiers), one.kept) == (2, ["ZEB-4W"])


def test_a_ticket_may_have_many_lines_and_a_file_many_tickets(tmp_path):
    first, second = marked(tmp_path, "=== en\none\n\ntwo\n\n=== mixed\nthree ⟦STAFF|Dr Sample⟧\n")
    assert (first.text, second.text) == ("one\n\ntwo", "three Dr Sample")
    assert second.identifiers == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hello\n=== en\nx\n", "text before the first"),
        ("=== en\n⟦PLANET|Mars⟧\n", "ticket 1: PLANET is not a kind of mark"),
        ("=== en\n⟦NAME|Jane\n", "ticket 1: a mark is broken"),
    ],
)
def test_a_broken_file_is_refused_by_name_and_ticket(tmp_path, text, reason):
    with pytest.raises(DatasetError, match=f"someone.txt: {reason}"):
        marked(tmp_path, text)


# --- measuring ------------------------------------------------------------------------


@pytest.fixture
def ticket(tmp_path):
    return marked(tmp_path, "=== fr\npt ⟦NAME|Jane Doe⟧ mrn ⟦MRN|12-34⟧ on ⟦KEEP|ZEB-4W⟧, ⟦STAFF|Bob⟧\n")


NAME, RECORD, TAG, COLLEAGUE = Span(3, 11, "NAME"), Span(16, 21, "MRN"), Span(25, 31, "ID"), Span(33, 36, "NAME")


@pytest.mark.parametrize(
    ("spans", "figures"),
    [
        ([NAME, RECORD], {"names": 1, "structured": 1, "all": 1, "kept": 1, "no leak": 1}),
        ([NAME], {"names": 1, "structured": 0, "all": 0.5, "French": 0.5, "no leak": 0}),
        ([Span(3, 10, "NAME"), RECORD], {"names": 0, "no leak": 0}),
        ([NAME, Span(16, 18, "MRN"), Span(19, 21, "MRN")], {"structured": 1, "no leak": 1}),
        ([NAME, RECORD, Span(28, 29, "ID")], {"kept": 0, "no leak": 1}),
        ([NAME, RECORD, COLLEAGUE], {"all": 1, "kept": 1}),
    ],
    ids=["perfect", "a number missed", "a letter left", "only a dash left", "a tag cut", "staff may go or stay"],
)
def test_an_identifier_is_found_only_when_every_letter_and_digit_is_gone(ticket, spans, figures):
    found = measure(ticket, lambda _: spans)
    assert {name: found[name] for name in figures} == figures


def test_a_ticket_without_identifiers_should_stay_as_it_is(tmp_path):
    clean = marked(tmp_path, "=== en\nask ⟦STAFF|Bob⟧\n=== en\nzebra jams\n")
    assert measure(clean, lambda text: [Span(4, 7, "NAME")] if "Bob" in text else [])["unchanged"] == 0.5


# --- what is shipped ------------------------------------------------------------------


@pytest.mark.parametrize("holdout", [False, True])
def test_shipped_marks_are_whole_words_of_known_kinds(holdout):
    tickets = load_marked(holdout=holdout)
    assert len(tickets) >= 300
    for one in tickets:
        for mark in one.marks:
            assert mark.type in TYPES
            words = one.text[mark.start : mark.end]
            assert words == words.strip() != ""


def test_the_frozen_tickets_are_by_other_authors():
    learned, frozen = load_marked(), load_marked(holdout=True)
    assert {one.author for one in learned}.isdisjoint(one.author for one in frozen)
    assert {one.text for one in learned}.isdisjoint(one.text for one in frozen)


@pytest.mark.parametrize("holdout", [False, True])
def test_some_tickets_are_tricky_and_hold_no_identifier(holdout):
    tickets = load_marked(holdout=holdout)
    clean = [one for one in tickets if not one.identifiers]
    assert len(clean) >= 50
    assert any(mark.type == STAFF for one in clean for mark in one.marks)
