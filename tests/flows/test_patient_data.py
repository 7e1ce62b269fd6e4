"""Stories about patient data over time: unmasked originals under a key, and words that go when their day has come."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, event, select, update

from builders import NOON, NOT_MINOR, POLICY, a_message, a_prediction
from parts import audited, deliver_all, everything_in, rows_of
from triage import seal, service
from triage.store import audit, corrections, originals, tickets
from triage.store.tables import CorrectionRow, DecisionRow, OriginalRow, OutboxRow, TicketRow

NAMED = "label printer jams, patient Testy McTestface MRN 00123456 waits"
SECRETS = ("McTestface", "00123456")
WHY = "the phone number to call back was masked"
WEEK = timedelta(days=7)
MINUTE = timedelta(minutes=1)
TWO_YEARS = timedelta(days=POLICY.privacy.text_days) + MINUTE


# --- originals: what a ticket said before masking -------------------------------------


@pytest.fixture
def key():
    return seal.new_key()


def with_originals(services, key):
    """The same services at a site that keeps originals for a week."""
    privacy = POLICY.privacy.model_copy(update={"original_days": 7})
    return replace(services, policy=POLICY.model_copy(update={"privacy": privacy}), keys=seal.data_keys(key))


@pytest.fixture
def keeping(services, key):
    return with_originals(services, key)


@pytest.fixture
def sqlite_keeping(sqlite_services, key):
    return with_originals(sqlite_services, key)


def kept(services):
    return services.transactions.read(originals.count)


def test_by_default_no_original_is_kept(services):
    service.receive(services, a_message(NAMED), NOON)
    assert kept(services) == 0
    with pytest.raises(service.NotFoundError):
        service.reveal(services, "IT-1", "agent@example.org", WHY, NOON)


def test_an_original_is_stored_sealed_and_its_words_stand_in_no_column(keeping, database):
    service.receive(keeping, a_message(NAMED), NOON)
    assert kept(keeping) == 1
    assert [secret for secret in SECRETS if secret in everything_in(database)] == []


def test_a_ticket_with_nothing_masked_keeps_no_original(sqlite_keeping):
    service.receive(sqlite_keeping, a_message(), NOON)
    assert kept(sqlite_keeping) == 0


def test_a_message_delivered_again_keeps_one_original(sqlite_keeping):
    for _ in range(3):
        service.receive(sqlite_keeping, a_message(NAMED), NOON)
    assert kept(sqlite_keeping) == 1


def test_a_message_delivered_twice_at_the_same_moment_keeps_one_original(keeping):
    with ThreadPoolExecutor(4) as pool:
        filed = list(pool.map(lambda _: service.receive(keeping, a_message(NAMED), NOON), range(4)))
    assert [one.created for one in filed].count(True) == 1
    assert kept(keeping) == 1


def test_revealing_an_original_returns_it_and_says_in_the_audit_who_and_why(keeping):
    service.receive(keeping, a_message(NAMED), NOON)
    reason = "Mr Sampleman of 4W asks which label it was"
    assert service.reveal(keeping, "IT-1", "agent@example.org", reason, NOON) == NAMED
    who, act, data = audited(keeping, "IT-1")[-1]
    assert (who, act) == ("agent@example.org", "view_original")
    assert "which label" in data["reason"]
    assert "Sampleman" not in data["reason"]


@pytest.mark.parametrize("ref", ["it-1", "1", "IT-01"])
def test_a_look_at_an_original_is_found_however_the_ticket_was_called(sqlite_keeping, ref):
    service.receive(sqlite_keeping, a_message(NAMED), NOON)
    service.reveal(sqlite_keeping, ref, "agent@example.org", WHY, NOON)
    assert "view_original" in [act for _, act, _ in audited(sqlite_keeping, "IT-1")]


@pytest.mark.parametrize("reason", ["", "because", "       a       ", "x" * 501])
def test_an_original_is_not_shown_without_a_reason(sqlite_keeping, reason):
    service.receive(sqlite_keeping, a_message(NAMED), NOON)
    before = audited(sqlite_keeping, "IT-1")
    with pytest.raises(service.BadMessageError):
        service.reveal(sqlite_keeping, "IT-1", "agent@example.org", reason, NOON)
    assert audited(sqlite_keeping, "IT-1") == before


def test_a_name_alone_is_no_reason(sqlite_keeping):
    service.receive(sqlite_keeping, a_message(NAMED), NOON)
    with pytest.raises(service.BadMessageError):
        service.reveal(sqlite_keeping, "IT-1", "agent@example.org", "Mr Faux", NOON)


@pytest.mark.parametrize("ref", ["IT-2", "IT-", "nonsense", ""])
def test_there_is_no_original_of_an_unknown_ticket(sqlite_keeping, ref):
    service.receive(sqlite_keeping, a_message(NAMED), NOON)
    with pytest.raises(service.NotFoundError):
        service.reveal(sqlite_keeping, ref, "agent@example.org", WHY, NOON)


def test_another_key_opens_nothing_and_the_try_is_in_the_audit_all_the_same(sqlite_keeping):
    service.receive(sqlite_keeping, a_message(NAMED), NOON)
    with pytest.raises(seal.SealError):
        service.reveal(with_originals(sqlite_keeping, seal.new_key()), "IT-1", "agent@example.org", WHY, NOON)
    assert audited(sqlite_keeping, "IT-1")[-1] == ("agent@example.org", "view_original", {"reason": WHY})


def test_an_original_moved_under_another_ticket_is_refused(keeping, database):
    for number in (1, 2):
        service.receive(keeping, a_message(NAMED, external_id=f"m-{number}"), NOON)
    with database.begin() as conn:
        conn.execute(delete(OriginalRow).where(OriginalRow.ticket_id == 2))
        conn.execute(update(OriginalRow).values(ticket_id=2))
    with pytest.raises(seal.SealError, match="another ticket"):
        service.reveal(keeping, "IT-2", "agent@example.org", WHY, NOON)


def test_a_new_key_takes_over_and_the_old_one_opens_nothing_more(keeping, key):
    for number in (1, 2):
        service.receive(keeping, a_message(NAMED, external_id=f"m-{number}"), NOON)
    new = seal.new_key()
    both = replace(keeping, keys=seal.data_keys(f"{new} {key}"))
    assert [service.rekey(both, "admin@example.org", NOON) for _ in range(2)] == [(2, 0), (0, 0)]
    assert audited(keeping, "originals")[0] == ("admin@example.org", "rekey", {"changed": 2, "closed": 0})
    only_new = replace(keeping, keys=seal.data_keys(new))
    assert service.reveal(only_new, "IT-2", "agent@example.org", WHY, NOON) == NAMED
    with pytest.raises(seal.SealError):
        service.reveal(keeping, "IT-2", "agent@example.org", WHY, NOON)


def test_an_original_is_deleted_on_its_day_and_the_audit_names_its_ticket(keeping):
    service.receive(keeping, a_message(NAMED), NOON)
    assert service.purge(keeping, NOON + WEEK - MINUTE) == 0
    assert kept(keeping) == 1
    assert service.purge(keeping, NOON + WEEK + timedelta(hours=1)) == 1
    assert kept(keeping) == 0
    assert audited(keeping, "originals") == [("triage", "purge", {"refs": ["IT-1"]})]
    assert audited(keeping, "IT-1")[-1][1] == "purge"


def test_the_sweep_deletes_originals_too(sqlite_keeping):
    service.receive(sqlite_keeping, a_message(NAMED), NOON)
    service.sweep(sqlite_keeping, NOON + WEEK)
    assert kept(sqlite_keeping) == 0


def test_an_original_under_legal_hold_outlives_its_day_until_it_is_released(keeping):
    service.receive(keeping, a_message(NAMED), NOON)
    service.hold(keeping, "IT-1", "legal@example.org", "case 12 of the legal office", NOON, held=True)
    assert service.purge(keeping, NOON + WEEK) == 0
    assert service.reveal(keeping, "IT-1", "legal@example.org", WHY, NOON + WEEK) == NAMED
    service.hold(keeping, "IT-1", "legal@example.org", "case 12 was closed", NOON + WEEK, held=False)
    assert service.purge(keeping, NOON + WEEK + timedelta(hours=1)) == 1
    assert [act for _, act, _ in audited(keeping, "IT-1")][1:] == ["hold", "view_original", "release", "purge"]


@pytest.mark.parametrize("held", [True, False], ids=["held twice", "released while free"])
def test_a_legal_hold_that_changes_nothing_is_refused(sqlite_services, held):
    service.receive(sqlite_services, a_message(), NOON)
    if held:
        service.hold(sqlite_services, "IT-1", "legal@example.org", "a lawsuit", NOON, held=True)
    with pytest.raises(service.ConflictError):
        service.hold(sqlite_services, "IT-1", "legal@example.org", "a lawsuit", NOON, held=held)


def test_a_broken_masker_withholds_the_text_everywhere_but_the_original_can_be_seen(
    sqlite_keeping, notifier, clock, sqlite
):
    broken = replace(sqlite_keeping, policy=sqlite_keeping.policy.model_copy(update={"never_masked": (None,)}))
    filed = service.receive(broken, a_message(NAMED, unit="Quixley wing", device="Quixley cart"), NOON)
    deliver_all(broken, clock)
    seen = everything_in(sqlite) + " ".join(notice.text for notice in notifier.sent)
    assert [word for word in (*SECRETS, "label printer", "Quixley") if word in seen] == []
    assert service.summary(sqlite_keeping, filed.id)["route"] == "human_review"
    assert service.reveal(sqlite_keeping, "IT-1", "agent@example.org", WHY, NOON) == NAMED


# --- retention: words that outlived their day -----------------------------------------


OLD = "the zebra on 4W prints blank since quixotic gremlins moved in"


def an_answered_ticket(services, clock, classifier, text=OLD, **changes):
    """A closed ticket: a guided fix that helped, with everything that a ticket gathers on its way."""
    classifier.says(a_prediction(words=(("quixotic", 0.4),)))
    filed = service.receive(services, a_message(text, **changes), clock())
    deliver_all(services, clock)
    service.settle(services, filed.ticket.ref, "nurse", clock(), fixed=True)
    deliver_all(services, clock)
    return filed


def test_an_old_closed_ticket_loses_its_words_everywhere_and_the_audit_proves_it(services, classifier, clock, database):
    an_answered_ticket(services, clock, classifier, requester="")  # without a requester the card holds the words
    assert "quixotic" in everything_in(database)
    clock.passes(days=POLICY.privacy.text_days, minutes=1)
    assert service.purge(services, clock()) == 1
    assert "quixotic" not in everything_in(database)
    assert rows_of(database, OutboxRow) == []
    assert audited(services, "words") == [("triage", "purge", {"refs": ["IT-1"]})]


def test_an_old_ticket_keeps_its_figures_and_corrections(services, classifier, clock, database):
    filed = an_answered_ticket(services, clock, classifier)
    service.correct(services, "IT-1", "equipment_request", "agent@example.org", clock())
    before = service.summary(services, filed.id)
    clock.passes(days=POLICY.privacy.text_days, minutes=1)
    service.purge(services, clock())
    after = service.summary(services, filed.id)
    gone = {"text": "", "words": []}
    assert after == before | gone
    assert [row.words_gone_at for row in rows_of(database, TicketRow)] == [clock()]
    assert [row.spans for row in rows_of(database, TicketRow)] == [[]]
    assert [row.label for row in rows_of(database, CorrectionRow)] == ["equipment_request"]
    assert [len(row.top) for row in rows_of(database, DecisionRow)] == [3]
    assert services.transactions.read(lambda conn: audit.faults(conn, services.key)) == []


def test_a_closed_ticket_keeps_its_words_until_its_day(sqlite_services, classifier, clock):
    filed = an_answered_ticket(sqlite_services, clock, classifier)
    assert service.purge(sqlite_services, NOON + TWO_YEARS - MINUTE) == 0
    assert service.summary(sqlite_services, filed.id)["text"] == OLD


def test_an_open_ticket_keeps_its_words_however_old_it_is(sqlite_services, classifier):
    classifier.says(a_prediction(NOT_MINOR, words=(("quixotic", 0.4),)))
    filed = service.receive(sqlite_services, a_message(OLD), NOON)
    assert service.purge(sqlite_services, NOON + 2 * TWO_YEARS) == 0
    found = service.summary(sqlite_services, filed.id)
    assert (found["text"], found["words"]) == (OLD, [["quixotic", 0.4]])


def test_a_ticket_under_legal_hold_keeps_its_words_until_it_is_released(sqlite_services, classifier, clock):
    filed = an_answered_ticket(sqlite_services, clock, classifier)
    service.hold(sqlite_services, "IT-1", "legal@example.org", "a lawsuit is near", clock(), held=True)
    clock.passes(days=POLICY.privacy.text_days, minutes=1)
    assert service.purge(sqlite_services, clock()) == 0
    assert service.summary(sqlite_services, filed.id)["text"] == OLD
    service.hold(sqlite_services, "IT-1", "legal@example.org", "it was settled", clock(), held=False)
    clock.passes(hours=1)
    assert service.purge(sqlite_services, clock()) == 1
    assert service.summary(sqlite_services, filed.id)["text"] == ""


def test_nothing_of_a_ticket_under_legal_hold_is_purged_not_even_its_notices(
    sqlite_services, classifier, clock, sqlite
):
    an_answered_ticket(sqlite_services, clock, classifier)
    service.hold(sqlite_services, "IT-1", "legal@example.org", "a lawsuit is near", clock(), held=True)
    clock.passes(days=POLICY.privacy.notice_days, minutes=1)
    service.purge(sqlite_services, clock())
    assert [row.key for row in rows_of(sqlite, OutboxRow)] == ["IT-1:answer", "IT-1:answer:3"]


def test_delivered_notices_go_before_the_words_and_waiting_ones_stay(services, classifier, clock, database):
    an_answered_ticket(services, clock, classifier)
    service.receive(services, a_message(external_id="waits"), clock())
    clock.passes(days=POLICY.privacy.notice_days, minutes=1)
    service.purge(services, clock())
    assert [row.key for row in rows_of(database, OutboxRow)] == ["IT-2:answer"]


def test_the_original_goes_with_the_words_at_the_latest(sqlite_keeping, classifier, clock):
    filed = an_answered_ticket(sqlite_keeping, clock, classifier, NAMED)
    clock.passes(days=POLICY.privacy.text_days, minutes=1)
    service.purge(sqlite_keeping, clock())
    assert kept(sqlite_keeping) == 0
    assert service.summary(sqlite_keeping, filed.id)["text"] == ""


def test_nothing_is_learned_from_a_ticket_without_words(services, classifier, clock):
    an_answered_ticket(services, clock, classifier)
    service.correct(services, "IT-1", "equipment_request", "agent@example.org", clock())
    clock.passes(days=POLICY.privacy.text_days, minutes=1)
    service.purge(services, clock())
    assert [row for row in services.transactions.read(corrections.reviewed_examples) if not row.text] == []


def test_two_workers_purge_once(services, classifier, clock):
    for number in range(3):
        an_answered_ticket(services, clock, classifier, external_id=f"m-{number}")
    clock.passes(days=POLICY.privacy.text_days, minutes=1)
    with ThreadPoolExecutor(2) as pool:
        gone = list(pool.map(lambda _: service.purge(services, clock()), range(2)))
    assert sorted(gone) == [0, 3]
    assert audited(services, "words") == [("triage", "purge", {"refs": ["IT-1", "IT-2", "IT-3"]})]


def test_more_tickets_than_one_portion_are_all_purged_and_each_is_named_once(sqlite_services, sqlite):
    service.receive(sqlite_services, a_message(), NOON)
    service.settle(sqlite_services, "IT-1", "nurse", NOON, fixed=True)
    with sqlite.begin() as conn:
        row = {k: v for k, v in conn.execute(TicketRow.__table__.select()).mappings().one().items() if k != "id"}
        tickets.add_many(conn, [row | {"external_id": f"more-{number}"} for number in range(450)])
    assert service.purge(sqlite_services, NOON + TWO_YEARS) == 451
    named = [ref for _, _, data in audited(sqlite_services, "words") for ref in data["refs"]]
    assert sorted(named) == sorted(tickets.ref_of(n + 1) for n in range(451))


def test_what_nobody_purged_is_named(services, classifier, clock, key):
    keeping = with_originals(services, key)
    an_answered_ticket(keeping, clock, classifier, NAMED)
    assert service.overdue(keeping, NOON + WEEK + timedelta(hours=23)) == []
    assert service.overdue(keeping, NOON + WEEK + timedelta(days=1)) == [
        "retention: 1 originals have outlived their day"
    ]
    late = NOON + TWO_YEARS + timedelta(days=1)
    assert len(service.overdue(keeping, late)) == 2
    assert "1 closed tickets" in service.overdue(keeping, late)[1]
    service.purge(keeping, late)
    assert service.overdue(keeping, late) == []


def bytes_of(database):
    """All that lies on the disk: the file and its write-ahead log."""
    path = Path(database.url.database)
    return b"".join(found.read_bytes() for found in sorted(path.parent.glob(f"{path.name}*")))


def test_purged_words_lie_nowhere_in_the_files_of_sqlite(sqlite_services, classifier, clock, sqlite):
    for number in range(20):
        text = f"{OLD}, {'words without end ' * 300}"  # long texts lie in pages of their own
        an_answered_ticket(sqlite_services, clock, classifier, text, external_id=f"m-{number}", requester="")
    assert b"quixotic" in bytes_of(sqlite)
    clock.passes(days=POLICY.privacy.text_days, minutes=1)
    assert service.purge(sqlite_services, clock()) == 20
    assert b"quixotic" not in bytes_of(sqlite)
    assert b"words without end" not in bytes_of(sqlite)


def test_words_purged_while_somebody_reads_leave_the_files_once_the_reader_is_done(
    sqlite_services, classifier, clock, sqlite
):
    event.listen(sqlite, "connect", lambda connection, _record: connection.execute("PRAGMA busy_timeout = 50"))
    sqlite.dispose()  # so that a purge waits for the reader that long
    an_answered_ticket(sqlite_services, clock, classifier, requester="")
    clock.passes(days=POLICY.privacy.text_days, minutes=1)
    with sqlite.connect() as reader:
        reader.execute(select(TicketRow.id)).all()
        assert service.purge(sqlite_services, clock()) == 1
    clock.passes(hours=1)
    service.purge(sqlite_services, clock())
    assert b"quixotic" not in bytes_of(sqlite)
