"""The main story: a clinician writes, the ticket is stored, decided, and people are told."""

from dataclasses import replace

import pytest

from builders import NOON, NOT_MINOR, a_message, a_prediction
from parts import deliver_all
from triage import service
from triage.store import audit, corrections, outbox, tickets
from triage.ticket import Route


def test_a_minor_ticket_is_answered_with_a_guided_fix(services, notifier, clock):
    filed = service.receive(services, a_message(), NOON)
    deliver_all(services, clock)
    assert service.summary(services, filed.id)["route"] == Route.AUTO_RESOLVE
    (answer,) = notifier.sent
    assert answer.to == "requester:nurse.sample@example.org"
    assert "prints blank" in answer.text


def test_a_serious_ticket_reaches_the_team_and_the_requester(services, notifier, classifier, clock):
    classifier.says(a_prediction(NOT_MINOR))
    service.receive(services, a_message("the chart shows the wrong weight"), NOON)
    deliver_all(services, clock)
    assert [notice.to for notice in notifier.sent] == [
        "requester:nurse.sample@example.org",
        "channel:it-clinical-apps",
    ]


def test_a_security_ticket_is_told_to_security_and_nobody_else(services, notifier, classifier, clock):
    classifier.says(a_prediction("printer", security=True, p_security=0.8))
    service.receive(services, a_message("every copier prints the same black page with a countdown"), NOON)
    deliver_all(services, clock)
    assert [notice.to for notice in notifier.to("channel:")] == ["channel:it-security"]


def test_the_same_message_again_is_the_same_ticket_and_is_told_once(services, notifier, clock):
    first = service.receive(services, a_message(), NOON)
    again = service.receive(services, a_message(), NOON)
    deliver_all(services, clock)
    assert (first.created, again.created) == (True, False)
    assert again.ticket.ref == first.ticket.ref
    assert len(notifier.sent) == 1


def test_a_broken_model_sends_the_ticket_to_a_person(services, classifier):
    classifier.breaks()
    filed = service.receive(services, a_message(), NOON)
    found = service.summary(services, filed.id)
    assert found["route"] == Route.HUMAN_REVIEW
    assert "some ticket words" not in " ".join(found["reasons"])


def test_a_crash_between_the_two_commits_is_mended_by_the_sweep(services, clock):
    filed = service.file_ticket(services, a_message(), clock())
    clock.passes(minutes=1)
    assert service.sweep(services, clock()) == 1
    assert service.summary(services, filed.id)["route"] == Route.AUTO_RESOLVE


def test_two_sweeps_at_once_do_the_work_once(services, clock):
    service.file_ticket(services, a_message(), clock())
    clock.passes(minutes=1)
    assert [service.sweep(services, clock()), service.sweep(services, clock())] == [1, 0]


def test_nothing_a_patient_could_be_known_by_is_stored_or_sent(services, notifier, clock, database):
    text = "wristband of Testy McTestface MRN 00123456 prints blank, call 416-555-0199"
    service.receive(services, a_message(text, unit="bed of Mr Sampleman"), NOON)
    deliver_all(services, clock)
    with database.connect() as conn:
        stored = " ".join(
            str(tuple(row))
            for table in tickets.TicketRow.metadata.sorted_tables
            for row in conn.execute(table.select())
        )
    sent = " ".join(notice.text for notice in notifier.sent)
    for secret in ("McTestface", "00123456", "555-0199", "Sampleman"):
        assert secret not in stored + sent


def test_every_decision_is_a_link_of_the_audit_chain(services):
    for number in range(3):
        service.receive(services, a_message(external_id=f"m-{number}"), NOON)
    assert services.transactions.read(lambda conn: audit.faults(conn, services.key)) == []


@pytest.mark.parametrize("fixed", [True, False], ids=["fixed", "still broken"])
def test_the_reporters_verdict_decides_the_end(services, notifier, clock, fixed):
    filed = service.receive(services, a_message(), NOON)
    service.settle(services, filed.ticket.ref, "nurse", NOON, fixed=fixed)
    deliver_all(services, clock)
    assert service.summary(services, filed.id)["status"] == ("resolved" if fixed else "open")
    assert len(notifier.to("channel:it-workplace")) == (0 if fixed else 1)


def test_a_second_verdict_on_the_same_fix_is_refused(services):
    filed = service.receive(services, a_message(), NOON)
    service.settle(services, filed.ticket.ref, "nurse", NOON, fixed=True)
    with pytest.raises(service.ConflictError):
        service.settle(services, filed.ticket.ref, "nurse", NOON, fixed=False)


def test_a_notice_that_could_not_be_sent_is_sent_later(services, notifier, clock):
    service.receive(services, a_message(), clock())
    notifier.fails(2)
    deliver_all(services, clock)
    assert notifier.sent == []
    clock.passes(minutes=1)
    deliver_all(services, clock)
    clock.passes(minutes=1)
    deliver_all(services, clock)
    assert len(notifier.sent) == 1


def test_a_hopeless_notice_becomes_a_dead_letter_that_can_be_revived(services, notifier, clock):
    service.receive(services, a_message(), clock())
    notifier.fails(permanent=True)
    deliver_all(services, clock)
    assert services.transactions.read(outbox.counts) == {"pending": 0, "dead": 1}
    assert services.transactions.write(lambda conn: outbox.revive(conn, 1, clock()))
    deliver_all(services, clock)
    assert len(notifier.sent) == 1


def test_notices_to_one_channel_stay_in_order_while_the_first_waits(services, notifier, classifier, clock):
    classifier.says(a_prediction(NOT_MINOR))
    for number in range(3):
        service.receive(services, a_message(external_id=f"m-{number}", requester=""), clock())
    notifier.fails()
    for _ in range(6):
        deliver_all(services, clock)
        clock.passes(seconds=30)
    assert [notice.ref for notice in notifier.sent] == ["IT-1", "IT-2", "IT-3"]


def test_a_dead_workers_notice_is_taken_over_when_its_lease_runs_out(services, notifier, clock):
    service.receive(services, a_message(), clock())
    services.transactions.write(lambda conn: outbox.claim(conn, "dead worker", clock()))
    assert not service.deliver(services, "w2", clock)
    clock.passes(minutes=2)
    assert service.deliver(services, "w2", clock)
    assert len(notifier.sent) == 1


def test_a_late_worker_cannot_finish_what_another_took_over(services, clock):
    service.receive(services, a_message(), clock())
    slow = services.transactions.write(lambda conn: outbox.claim(conn, "slow", clock()))
    clock.passes(minutes=2)
    services.transactions.write(lambda conn: outbox.claim(conn, "quick", clock()))
    assert not services.transactions.write(lambda conn: outbox.finish(conn, slow, clock()))


def test_an_unanswered_security_ticket_climbs_the_ladder(services, notifier, classifier, clock):
    classifier.says(a_prediction("security_incident", security=True, p_security=0.9))
    service.receive(services, a_message("odd sign-in", requester=""), clock())
    for _ in range(5):
        service.sweep(services, clock())
        clock.passes(minutes=12)
    deliver_all(services, clock)
    assert [notice.to for notice in notifier.sent] == [
        "channel:it-security",
        "channel:it-security-lead",
        "channel:privacy-officer",
    ]


def test_the_third_report_about_one_unit_opens_an_incident_for_all(services, classifier, database):
    classifier.says(a_prediction("device_downtime"))
    filed = [
        service.receive(
            services, a_message("cart dead", external_id=f"m-{n}", requester=f"p{n}@example.org", unit="ICU"), NOON
        )
        for n in range(4)
    ]
    routes = [service.summary(services, one.id)["route"] for one in filed]
    assert routes == ["queue", "queue", "incident", "incident"]
    with database.connect() as conn:
        assert {tickets.get(conn, one.id).incident_id for one in filed} == {1}


def test_a_correction_becomes_a_labelled_example(services):
    filed = service.receive(services, a_message(), NOON)
    service.correct(services, filed.ticket.ref, "equipment_request", "agent@example.org", NOON)
    service.correct(services, filed.ticket.ref, "device_downtime", "agent@example.org", NOON)
    (example,) = services.transactions.read(corrections.reviewed_examples)
    assert (example.text, example.label) == (filed.ticket.text, "device_downtime")


def test_a_correction_to_an_unknown_category_is_refused(services):
    filed = service.receive(services, a_message(), NOON)
    with pytest.raises(service.BadMessageError):
        service.correct(services, filed.ticket.ref, "plumbing", "agent@example.org", NOON)


def test_a_sites_own_names_stay_readable_and_its_patients_do_not(services):
    words = "the printer we call Mrs Faux jams, patient Jane Samplewoman MRN 0012345 waits"
    assert "Faux" not in service.file_ticket(services, a_message(words), NOON).ticket.text
    own = services.policy.model_copy(update={"never_masked": ("Mrs Faux",)})
    kept = service.file_ticket(replace(services, policy=own), a_message(words, external_id="again"), NOON).ticket.text
    assert "Mrs Faux" in kept
    assert "Samplewoman" not in kept
    assert "0012345" not in kept


def test_the_tag_in_the_device_field_stays_readable_however_much_it_looks_like_a_number(services):
    message = a_message("patient list frozen, tag PC-HDQ-20918", device="PC-HDQ-20918")
    ticket = service.file_ticket(services, message, NOON).ticket
    assert (ticket.device, "PC-HDQ-20918" in ticket.text) == ("PC-HDQ-20918", True)


def test_an_identifier_in_the_device_field_is_masked_all_the_same(services):
    ticket = service.file_ticket(services, a_message(device="tablet of patient Testy Faux MRN 0012345"), NOON).ticket
    assert ("Faux" in ticket.device, "0012345" in ticket.device) == (False, False)
