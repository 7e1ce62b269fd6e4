"""IT staff take a ticket, resolve it and open it again: each once, told to whom it matters, and in the audit."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from builders import NOON, NOT_MINOR, a_message, a_prediction
from parts import audited, deliver_all
from triage import escalate, service
from triage.store import tickets

AGENT, OTHER = "agent.sample@example.org", "other.sample@example.org"


@pytest.fixture
def filed(services, classifier):
    """A ticket in a team's queue."""
    classifier.says(a_prediction(NOT_MINOR))
    return service.receive(services, a_message("the chart shows the wrong weight"), NOON)


def row_of(services, number=1):
    return services.transactions.read(lambda conn: tickets.get(conn, number))


def test_who_claims_a_ticket_has_it_and_it_counts_as_answered(services, filed):
    service.claim(services, "IT-1", AGENT, NOON)
    row = row_of(services)
    assert (row.assignee, row.answered_at) == (AGENT, NOON)
    assert audited(services, "IT-1")[-1][:2] == (AGENT, "claim")


def test_a_claimed_ticket_climbs_no_ladder(services, filed, clock):
    service.claim(services, "IT-1", AGENT, NOON)
    clock.passes(hours=5)
    assert services.transactions.read(tickets.waiting_for_answer) == []
    assert not list(escalate.overdue((), clock(), services.policy))


def test_a_second_click_of_the_same_person_does_nothing(services, filed):
    for _ in range(2):
        service.claim(services, "IT-1", AGENT, NOON)
    assert [act for _, act, _ in audited(services, "IT-1")].count("claim") == 1


def test_of_twenty_who_claim_at_once_one_has_it(services, filed):
    def claim(number):
        try:
            service.claim(services, "IT-1", f"agent{number}@example.org", NOON)
        except service.ConflictError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(claim, range(20)))
    assert answers.count("") == 1
    assert all(not answer or "has IT-1 already" in answer for answer in answers)


def test_a_resolved_ticket_is_told_to_its_reporter_with_the_note_masked(services, filed, notifier, clock):
    service.resolve(services, "IT-1", AGENT, "Reloaded the chart of patient Testina Fauxwicz MRN 0012345", NOON)
    deliver_all(services, clock)
    (told,) = [notice for notice in notifier.sent if notice.kind == "resolved"]
    assert told.to == "requester:nurse.sample@example.org"
    assert "Reloaded the chart" in told.text
    assert "Fauxwicz" not in told.text
    assert (row_of(services).status, row_of(services).resolved_at) == ("resolved", NOON)


@pytest.mark.parametrize("note", ["", "   ", "x" * 2001])
def test_a_ticket_is_not_resolved_without_a_fit_note(services, filed, note):
    with pytest.raises(service.BadMessageError, match="note"):
        service.resolve(services, "IT-1", AGENT, note, NOON)
    assert row_of(services).is_open


def test_a_ticket_is_resolved_once(services, filed):
    service.resolve(services, "IT-1", AGENT, "done", NOON)
    with pytest.raises(service.ConflictError):
        service.resolve(services, "IT-1", OTHER, "done too", NOON)
    with pytest.raises(service.ConflictError):
        service.claim(services, "IT-1", OTHER, NOON)


def test_a_reopened_ticket_is_told_to_the_team_and_waits_for_an_answer_again(services, filed, notifier, clock):
    service.claim(services, "IT-1", AGENT, NOON)
    service.resolve(services, "IT-1", AGENT, "done", NOON)
    service.reopen(services, "IT-1", "nurse.sample@example.org", NOON)
    deliver_all(services, clock)
    assert any("not solved" in notice.text for notice in notifier.to("channel:it-clinical-apps"))
    row = row_of(services)
    assert (row.status, row.is_open, row.resolved_at, row.answered_at) == ("open", True, None, None)


def test_only_what_is_resolved_can_be_reopened(services, filed):
    with pytest.raises(service.ConflictError):
        service.reopen(services, "IT-1", AGENT, NOON)


def test_an_unknown_ticket_cannot_be_handled(services):
    for act in (
        lambda: service.claim(services, "IT-9", AGENT, NOON),
        lambda: service.resolve(services, "IT-9", AGENT, "done", NOON),
        lambda: service.reopen(services, "IT-9", AGENT, NOON),
    ):
        with pytest.raises(service.NotFoundError):
            act()
