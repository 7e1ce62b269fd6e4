"""A person's word moves a ticket: corrected, handed over, more pressing; what harm demands is never loosened."""

from dataclasses import replace

import pytest

from builders import NOON, NOT_MINOR, a_message, a_prediction, impact
from parts import audited, deliver_all, rows_of
from triage import service
from triage.store import tickets
from triage.store.tables import BreachRow, CorrectionRow, DecisionRow

AGENT, NURSE = "agent.sample@example.org", "nurse.sample@example.org"


@pytest.fixture
def queued(services, classifier):
    """A ticket in a team's queue."""
    classifier.says(a_prediction(NOT_MINOR))
    return service.receive(services, a_message("the chart shows the wrong weight"), NOON)


@pytest.fixture
def guided(services):
    """A ticket that waits for its reporter's verdict on a guided fix."""
    return service.receive(services, a_message(), NOON)


def row_of(services, number=1):
    return services.transactions.read(lambda conn: tickets.get(conn, number))


def test_a_corrected_ticket_goes_to_the_right_team_with_its_promise(services, queued, notifier, clock):
    service.claim(services, "IT-1", AGENT, NOON)
    service.correct(services, "IT-1", "network_connectivity", AGENT, NOON)
    deliver_all(services, clock)
    row = row_of(services)
    assert (row.team, row.category, row.route, row.assignee) == ("network", "network_connectivity", "queue", "")
    assert [notice.kind for notice in notifier.to("channel:it-network")] == ["card"]
    assert notifier.to("channel:it-clinical-apps")[-1].text == "IT-1 was handed to Network and telephony."


def test_a_correction_to_security_is_restricted_pressing_and_waits_for_an_answer(services, queued):
    service.claim(services, "IT-1", AGENT, NOON)
    service.correct(services, "IT-1", "security_incident", AGENT, NOON)
    row = row_of(services)
    assert (row.route, row.priority, row.restricted, row.answered_at) == ("security", "P1", True, None)


def test_a_correction_to_security_enters_a_possible_breach_in_the_register(services, classifier, database):
    classifier.says(a_prediction(NOT_MINOR, security=False))
    service.receive(services, a_message("I emailed the list to the wrong patient by accident"), NOON)
    before = len(rows_of(database, BreachRow))
    if row_of(services).route != "security":
        service.correct(services, "IT-1", "security_incident", AGENT, NOON)
    assert len(rows_of(database, BreachRow)) >= max(before, 1)


@pytest.mark.parametrize("label", ["clinical_application", "out_of_scope"])
def test_a_verdict_on_a_closed_ticket_is_only_a_label(services, queued, label, database):
    service.resolve(services, "IT-1", AGENT, "done", NOON)
    before = row_of(services)
    service.correct(services, "IT-1", label, AGENT, NOON)
    assert row_of(services) == before
    assert [row.label for row in rows_of(database, CorrectionRow)] == [label]


def test_a_correction_that_confirms_moves_nothing(services, queued, database):
    before = row_of(services)
    service.correct(services, "IT-1", before.category, AGENT, NOON)
    assert row_of(services) == before
    assert len(rows_of(database, DecisionRow)) == 1


def test_a_ticket_that_changed_meanwhile_is_thought_over_again(services, queued, classifier, database):
    raced = []

    class Racing:
        """Lets a colleague take the ticket while the model is asked."""

        def predict(self, text):
            if not raced:
                raced.append(1)
                service.claim(services, "IT-1", "other.sample@example.org", NOON)
            return classifier.predict(text)

    service.hand_over(replace(services, classifier=Racing()), "IT-1", "network", AGENT, NOON)
    assert row_of(services).team == "network"
    assert [act for _, act, _ in audited(services, "IT-1")].count("hand_over") == 1
    assert len(rows_of(database, DecisionRow)) == 2


@pytest.mark.parametrize(
    ("team", "error"), [("nobody", service.BadMessageError), ("clinical_apps", service.ConflictError)]
)
def test_a_ticket_is_handed_to_another_existing_team(services, queued, team, error):
    with pytest.raises(error):
        service.hand_over(services, "IT-1", team, AGENT, NOON)


def test_a_security_ticket_is_handed_to_no_open_team(services, classifier):
    classifier.says(a_prediction(NOT_MINOR, security=True))
    service.receive(services, a_message("odd mail"), NOON)
    with pytest.raises(service.ConflictError, match="correct its category first"):
        service.hand_over(services, "IT-1", "network", AGENT, NOON)
    assert row_of(services).restricted


def test_a_closed_ticket_is_not_handed_over_and_gets_no_more_pressing(services, queued):
    service.resolve(services, "IT-1", AGENT, "done", NOON)
    with pytest.raises(service.ConflictError):
        service.hand_over(services, "IT-1", "network", AGENT, NOON)
    with pytest.raises(service.ConflictError):
        service.affect(services, "IT-1", NURSE, impact(affects_care=True), NOON)


@pytest.mark.parametrize("told", [{"affects_care": True}, {"whole_unit": True}])
def test_a_guided_fix_does_not_stand_once_care_or_a_unit_is_affected(services, guided, notifier, clock, told):
    before = row_of(services).priority
    assert service.affect(services, "IT-1", NURSE, impact(**told), NOON) < before
    deliver_all(services, clock)
    assert row_of(services).status == "open"
    assert [notice.kind for notice in notifier.to("channel:")] == ["card"]


def test_a_guided_fix_stands_when_there_is_no_other_device(services, guided, notifier, clock):
    service.affect(services, "IT-1", NURSE, impact(other_device=False), NOON)
    deliver_all(services, clock)
    assert row_of(services).status == "waiting"
    assert notifier.to("channel:") == []


def test_an_answer_never_makes_a_ticket_less_pressing(services, queued):
    service.affect(services, "IT-1", NURSE, impact(affects_care=True), NOON)
    raised = row_of(services)
    service.affect(services, "IT-1", NURSE, impact(other_device=True), NOON)
    row = row_of(services)
    assert (row.priority, row.resolve_by) == (raised.priority, raised.resolve_by)
    assert row.impact == {"affects_care": True, "other_device": True, "whole_unit": None}


def test_a_question_makes_the_ticket_wait_and_the_answer_brings_it_back(services, queued, notifier, clock):
    service.reply(services, "IT-1", AGENT, "Which chart of patient Testina Fauxwicz?", NOON, asks=True)
    assert row_of(services).status == "waiting"
    service.hear(services, "IT-1", NURSE, "the growth chart", "D1:2", NOON)
    deliver_all(services, clock)
    assert row_of(services).status == "open"
    assert row_of(services).answered_at == NOON  # the team had answered: nobody is called for help
    (asked,) = [notice for notice in notifier.sent if notice.kind == "replied"]
    assert "Fauxwicz" not in asked.text
    assert "answer here" in asked.text


def test_a_note_is_told_to_nobody(services, queued, notifier, clock):
    deliver_all(services, clock)
    before = len(notifier.sent)
    service.add_note(services, "IT-1", AGENT, "the vendor is at fault", NOON)
    deliver_all(services, clock)
    assert len(notifier.sent) == before


@pytest.mark.parametrize("act", [service.reply, service.add_note])
@pytest.mark.parametrize("words", ["", "  ", "x" * 2001])
def test_nothing_and_too_much_are_refused(services, queued, act, words):
    with pytest.raises(service.BadMessageError):
        act(services, "IT-1", AGENT, words, NOON)


def test_only_a_solved_ticket_is_rated_and_only_with_a_known_word(services, queued):
    with pytest.raises(service.ConflictError):
        service.rate(services, "IT-1", NURSE, "good", NOON)
    service.resolve(services, "IT-1", AGENT, "done", NOON)
    with pytest.raises(service.BadMessageError):
        service.rate(services, "IT-1", NURSE, "stars", NOON)
    service.rate(services, "IT-1", NURSE, "good", NOON)
    assert services.transactions.read(lambda conn: tickets.is_rated(conn, 1))
    service.reopen(services, "IT-1", NURSE, NOON)
    assert not services.transactions.read(lambda conn: tickets.is_rated(conn, 1))


def test_an_unknown_ticket_cannot_be_moved(services):
    for act in (
        lambda: service.correct(services, "IT-9", "printer", AGENT, NOON),
        lambda: service.hand_over(services, "IT-9", "network", AGENT, NOON),
        lambda: service.affect(services, "IT-9", NURSE, impact(affects_care=True), NOON),
        lambda: service.reply(services, "IT-9", AGENT, "hello", NOON),
        lambda: service.add_note(services, "IT-9", AGENT, "hello", NOON),
        lambda: service.rate(services, "IT-9", NURSE, "good", NOON),
    ):
        with pytest.raises(service.NotFoundError):
            act()


def test_a_question_about_a_fix_that_failed_offers_the_fix_no_more(services, guided, notifier, clock):
    service.settle(services, "IT-1", NURSE, NOON, fixed=False)
    service.reply(services, "IT-1", AGENT, "Which tray is it?", NOON, asks=True)
    service.affect(services, "IT-1", NURSE, impact(other_device=False), NOON)
    deliver_all(services, clock)
    assert "Here is what usually fixes this" not in notifier.to("requester:")[-1].text
    assert not tickets.offers_fix(row_of(services))
    service.hear(services, "IT-1", NURSE, "the upper one", "D1:2", NOON)
    assert services.transactions.read(lambda conn: tickets.events(conn, 1))[-1].kind == "answered"
