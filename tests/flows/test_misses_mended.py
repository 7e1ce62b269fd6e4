"""Stories about what the masker missed: hidden everywhere at once, and kept as the next masker's test."""

from dataclasses import replace

import pytest

from builders import NOON, NOT_MINOR, POLICY, a_message, a_prediction
from models.masking import marked_in
from parts import audited, deliver_all, everything_in, rows_of
from triage import seal, service
from triage.store import audit, corrections, tickets
from triage.store.tables import BreachRow, MissRow, OutboxRow, TicketRow

AGENT, OFFICER = "agent@example.org", "privacy@example.org"
UNSEEN = "printer of Testy Faux MRN 00123456 jams since Quixley moved it, QUIXLEY says sorry"


def test_a_missed_name_vanishes_from_every_table(services, classifier, database):
    classifier.says(a_prediction("device_downtime", words=(("jams", 0.5), ("quixley", 0.4))))
    for number in (1, 2, 3):
        one = a_message(
            UNSEEN,
            external_id=f"m-{number}",
            requester=f"p{number}@example.org",
            unit="Quixley wing",
            device="cart Quixley",
        )
        service.receive(services, one, NOON)
    with database.connect() as conn:
        assert tickets.get(conn, 3).incident_id == 1
    service.correct(services, "IT-3", "equipment_request", AGENT, NOON)
    service.open_entry(services, "IT-3", OFFICER, NOON)
    assert "quixley" in everything_in(database).lower()
    for ref in ("IT-1", "IT-2", "IT-3"):
        service.mend(services, ref, "Quixley", "NAME", AGENT, NOON)
    assert "quixley" not in everything_in(database).lower()
    (example,) = services.transactions.read(corrections.reviewed_examples)
    assert example.text == "printer of [NAME-1] MRN [MRN-1] jams since [NAME-2] moved it, [NAME-2] says sorry"
    found = service.summary(services, 3)
    assert (found["unit"], found["device"]) == ("[NAME-2] wing", "cart [NAME-2]")
    assert found["words"] == [["jams", 0.5]]


def test_a_mended_notice_that_waited_is_sent_without_the_words(services, classifier, notifier, clock):
    classifier.says(a_prediction(NOT_MINOR))
    service.receive(services, a_message(UNSEEN), clock())
    service.mend(services, "IT-1", "Quixley", "NAME", AGENT, clock())
    deliver_all(services, clock)
    (card,) = notifier.to("channel:")
    assert "quixley" not in card.text.lower()
    assert "[NAME-2]" in card.text


def test_mending_says_how_often_the_words_stood_there_and_the_audit_holds_no_word(services):
    service.receive(services, a_message(UNSEEN), NOON)
    assert service.mend(services, "IT-1", " quixley\n", "NAME", AGENT, NOON) == service.Mended(2, "[NAME-2]")
    assert audited(services, "IT-1")[-1] == (AGENT, "mend", {"type": "NAME", "places": 2})
    assert services.transactions.read(lambda conn: tickets.events(conn, 1))[-1].kind == "mended"
    assert services.transactions.read(lambda conn: audit.faults(conn, services.key)) == []


def test_every_mended_word_gets_a_number_of_its_own_per_type(sqlite_services):
    service.receive(sqlite_services, a_message("Quixley and Vornholt moved the cart to XZ-114-TT"), NOON)
    done = [
        service.mend(sqlite_services, "IT-1", words, kind, AGENT, NOON).placeholder
        for words, kind in [("Vornholt", "NAME"), ("Quixley", "NAME"), ("XZ-114-TT", "MRN")]
    ]
    assert done == ["[NAME-1]", "[NAME-2]", "[MRN-1]"]
    assert service.summary(sqlite_services, 1)["text"] == "[NAME-2] and [NAME-1] moved the cart to [MRN-1]"


def test_a_word_mended_second_vanishes_too(services, database):
    service.receive(services, a_message("Quixley and Vornholt moved the cart"), NOON)
    for words in ("Quixley", "Vornholt"):
        service.mend(services, "IT-1", words, "NAME", AGENT, NOON)
    assert [word for word in ("quixley", "vornholt") if word in everything_in(database).lower()] == []


def test_a_missed_name_of_several_words_vanishes_from_the_words_that_explain_a_decision(sqlite_services, classifier):
    classifier.says(a_prediction(words=(("jams", 0.5), ("quixley", 0.4), ("vornholt", 0.3))))
    service.receive(sqlite_services, a_message("printer jams since Quixley Vornholt moved it"), NOON)
    service.mend(sqlite_services, "IT-1", "Quixley Vornholt", "NAME", AGENT, NOON)
    words = [word for word, _ in service.summary(sqlite_services, 1)["words"]]
    assert [word for word in words if word in ("quixley", "vornholt")] == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("the zebra in the medication room on the fourth floor prints blank since the move, by Quixley"),
        "the zebra prints blank labels since\nits last move, says Quixley",
        pytest.param("the zebra prints blank labels, says Vornholt\nQuixley"),
    ],
    ids=["cut at the end", "below the first line", "across two lines"],
)
def test_no_part_of_a_mended_name_is_left_in_a_notices_subject(sqlite_services, classifier, sqlite, text):
    classifier.says(a_prediction(NOT_MINOR))
    missed = "Vornholt Quixley" if "Vornholt" in text else "Quixley"
    service.receive(sqlite_services, a_message(text), NOON)
    service.mend(sqlite_services, "IT-1", missed, "NAME", AGENT, NOON)
    told = str([row.payload for row in rows_of(sqlite, OutboxRow)])
    assert [part for part in ("Quix", "Vornholt") if part in told] == []


def test_words_of_the_breach_register_are_mended_too(sqlite_services, sqlite):
    service.receive(sqlite_services, a_message(UNSEEN), NOON)
    service.open_entry(sqlite_services, "IT-1", OFFICER, NOON)
    words = dict.fromkeys(("information", "circumstances", "risk_reasons", "measures"), "Quixley saw it")
    service.change_entry(sqlite_services, "IT-1", OFFICER, NOON, words)
    service.mend(sqlite_services, "IT-1", "Quixley", "NAME", AGENT, NOON)
    assert "Quixley" not in str(rows_of(sqlite, BreachRow))


def test_when_it_happened_is_mended_as_all_words_of_the_register(sqlite_services, sqlite):
    service.receive(sqlite_services, a_message(UNSEEN), NOON)
    service.open_entry(sqlite_services, "IT-1", OFFICER, NOON)
    service.change_entry(sqlite_services, "IT-1", OFFICER, NOON, {"happened": "Tuesday, while Quixley was away"})
    service.mend(sqlite_services, "IT-1", "Quixley", "NAME", AGENT, NOON)
    assert "Quixley" not in str(rows_of(sqlite, BreachRow))


def test_the_spans_of_a_mended_ticket_point_at_the_words_of_its_original(services):
    privacy = POLICY.privacy.model_copy(update={"original_days": 7})
    policy = POLICY.model_copy(update={"privacy": privacy})
    keeping = replace(services, policy=policy, keys=seal.data_keys(seal.new_key()))
    service.receive(keeping, a_message(f"Vornholt writes: {UNSEEN}"), NOON)
    for words in ("Quixley", "Vornholt"):
        service.mend(keeping, "IT-1", words, "NAME", AGENT, NOON)
    original = service.reveal(keeping, "IT-1", AGENT, "to see what was missed", NOON)
    spans = keeping.transactions.read(lambda conn: tickets.get(conn, 1)).spans
    assert [original[start:end] for start, end, _ in spans] == [
        "Vornholt", "Testy Faux", "00123456", "Quixley", "QUIXLEY",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Vornholt", "NAME"),
        ("Quix", "NAME"),
        ("Quixley", "NICKNAME"),
        ("Quixley", ""),
        ("Q", "NAME"),
        ("", "NAME"),
        ("[NAME-1]", "NAME"),
        ("MRN-1", "MRN"),
    ],
    ids=["not there", "half a word", "unknown type", "no type", "one character", "nothing", "a placeholder", "in one"],
)
def test_what_cannot_be_mended_is_refused_and_changes_nothing(sqlite_services, sqlite, words, kind):
    service.receive(sqlite_services, a_message(UNSEEN), NOON)
    before = everything_in(sqlite)
    with pytest.raises(service.BadMessageError):
        service.mend(sqlite_services, "IT-1", words, kind, AGENT, NOON)
    assert everything_in(sqlite) == before


def test_a_ticket_still_being_sorted_is_mended_only_afterwards(services, clock):
    service.file_ticket(services, a_message(UNSEEN), clock())
    with pytest.raises(service.ConflictError):
        service.mend(services, "IT-1", "Quixley", "NAME", AGENT, clock())
    clock.passes(minutes=1)
    service.sweep(services, clock())
    assert service.mend(services, "IT-1", "Quixley", "NAME", AGENT, clock()).places == 2


@pytest.mark.parametrize("ref", ["IT-2", "nonsense"])
def test_an_unknown_ticket_cannot_be_mended(sqlite_services, ref):
    service.receive(sqlite_services, a_message(UNSEEN), NOON)
    with pytest.raises(service.NotFoundError):
        service.mend(sqlite_services, ref, "Quixley", "NAME", AGENT, NOON)


def test_a_miss_becomes_a_marked_ticket_with_made_up_words(sqlite_services):
    service.receive(sqlite_services, a_message(UNSEEN), NOON)
    service.mend(sqlite_services, "IT-1", "Quixley", "NAME", AGENT, NOON)
    (miss,) = service.misses(sqlite_services)
    assert "quixley" not in miss.lower()
    (test,) = marked_in(miss, "misses", "misses")
    first, second = (test.text[mark.start : mark.end] for mark in test.identifiers)
    assert (len(first), second.lower()) == (len("Quixley"), first.lower())


def test_a_made_up_word_keeps_the_case_of_each_mention(sqlite_services):
    service.receive(sqlite_services, a_message(UNSEEN), NOON)
    service.mend(sqlite_services, "IT-1", "Quixley", "NAME", AGENT, NOON)
    (test,) = marked_in(service.misses(sqlite_services)[0], "misses", "misses")
    first, second = (test.text[mark.start : mark.end] for mark in test.identifiers)
    assert (first.istitle(), second.isupper()) == (True, True)


def test_a_word_in_the_unit_alone_is_hidden_and_leaves_no_miss(sqlite_services, sqlite):
    service.receive(sqlite_services, a_message(unit="Quixley wing"), NOON)
    assert service.mend(sqlite_services, "IT-1", "Quixley", "NAME", AGENT, NOON) == service.Mended(0, "[NAME-1]")
    assert [row.unit for row in rows_of(sqlite, TicketRow)] == ["[NAME-1] wing"]
    assert rows_of(sqlite, MissRow) == []


@pytest.mark.parametrize("line", ["=== en", "⟦NAME", "⟧"])
def test_misses_can_be_read_back_whatever_a_ticket_held(sqlite_services, line):
    service.receive(sqlite_services, a_message(f"Quixley pasted this:\n{line}\nand left"), NOON)
    service.mend(sqlite_services, "IT-1", "Quixley", "NAME", AGENT, NOON)
    assert len(list(marked_in("".join(service.misses(sqlite_services)), "misses", "misses"))) == 1
