"""What a reporter adds in the thread is kept masked, told to the team once, and "still broken" is heard."""

import pytest

from builders import NOON, a_message
from parts import audited, deliver_all
from triage import service
from triage.store import tickets

NURSE = "nurse.sample@example.org"


@pytest.fixture
def guided(services):
    """A ticket that waits for its reporter's verdict on a guided fix."""
    return service.receive(services, a_message(), NOON)


def status(services):
    return services.transactions.read(lambda conn: tickets.get(conn, 1)).status


def said(services):
    timeline = services.transactions.read(lambda conn: tickets.events(conn, 1))
    return [event.data["text"] for event in timeline if event.kind == "said"]


def test_a_reply_is_kept_masked_and_told_to_the_team(services, guided, notifier, clock):
    service.hear(services, "IT-1", NURSE, "the band of patient Testina Fauxwicz MRN 0012345", "D1:2", NOON)
    deliver_all(services, clock)
    assert "Fauxwicz" not in said(services)[0]
    (told,) = [notice for notice in notifier.to("channel:") if notice.kind == "reply"]
    assert said(services)[0] in told.text


def test_the_same_reply_again_does_nothing(services, guided, notifier, clock):
    for _ in range(2):
        service.hear(services, "IT-1", NURSE, "it is the one by the desk", "D1:2", NOON)
    deliver_all(services, clock)
    told = [notice for notice in notifier.to("channel:") if notice.kind == "reply"]
    assert len(said(services)) == len(told) == 1


@pytest.mark.parametrize(
    "text",
    [
        "still broken",
        "Still not printing :(",
        "it does n't work",
        "toujours en panne",
        "Ça marche pas",
        "c'est pas réglé",
    ],
)
def test_still_broken_opens_a_ticket_that_waited(services, guided, text):
    assert service.hear(services, "IT-1", NURSE, text, "D1:2", NOON)
    assert status(services) == "open"
    assert audited(services, "IT-1")[-1][1] == "reopen"


@pytest.mark.parametrize("text", ["thanks!", "merci beaucoup", "Ok, d'accord"])
def test_thanks_change_no_state_and_disturb_nobody(services, guided, notifier, clock, text):
    assert not service.hear(services, "IT-1", NURSE, text, "D1:2", NOON)
    deliver_all(services, clock)
    assert status(services) == "waiting"
    assert notifier.to("channel:") == []


@pytest.mark.parametrize("text", ["that fixed it", "It works now, thanks!", "c'est réglé", "oui ça marche merci"])
def test_the_reporters_word_that_it_works_confirms_the_fix(services, guided, text):
    service.hear(services, "IT-1", NURSE, text, "D1:2", NOON)
    assert status(services) == "resolved"


@pytest.mark.parametrize("text", ["it is the one by the desk", "which tray? it works like nothing I know"])
def test_a_question_instead_of_a_verdict_goes_to_a_person(services, guided, notifier, clock, text):
    assert not service.hear(services, "IT-1", NURSE, text, "D1:2", NOON)
    deliver_all(services, clock)
    assert status(services) == "open"
    assert [notice.kind for notice in notifier.to("channel:")] == ["card", "reply"]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("thanks", True),
        ("still broken", True),
        ("no, still not working", True),
        ("toujours en panne", True),
        ("it works now", True),
        ("the printer is still not working", False),
        ("my monitor is not working", False),
        ("l'imprimante ne fonctionne pas", False),
        ("", False),
    ],
)
def test_a_message_that_only_answers_is_told_from_one_that_reports(text, is_one):
    assert service.is_follow_up(text) == is_one


def test_still_broken_opens_a_resolved_ticket_again(services, guided):
    service.settle(services, "IT-1", NURSE, NOON, fixed=True)
    assert service.hear(services, "IT-1", NURSE, "still broken", "D1:2", NOON)
    assert status(services) == "open"


def test_nothing_said_is_refused(services, guided):
    with pytest.raises(service.BadMessageError):
        service.hear(services, "IT-1", NURSE, "  ", "D1:2", NOON)


def test_a_ticket_that_is_still_broken_climbs_the_ladder_again(services, guided):
    service.claim(services, "IT-1", "agent.sample@example.org", NOON)
    service.hear(services, "IT-1", NURSE, "still broken", "D1:2", NOON)
    assert [row.id for row in services.transactions.read(tickets.waiting_for_answer)] == [1]
