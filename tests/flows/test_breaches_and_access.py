"""Stories about patient data in wrong hands: the breach register, and who saw what."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
import structlog
from sqlalchemy import event

from builders import NOON, NOT_MINOR, a_message, a_prediction
from parts import audited, deliver_all
from triage import service
from triage.store import breaches, tickets
from triage.ticket import Route

AGENT, OFFICER = "agent@example.org", "privacy@example.org"


# --- the breach register --------------------------------------------------------------


ASTRAY = "faxed the discharge summary of Testy McTestface MRN 00123456 to the wrong number"


@pytest.fixture
def dangerous(classifier):
    """The model sees danger in every text."""
    classifier.says(a_prediction("security_incident", security=True, p_security=0.9))


def entry(services):
    (found,) = service.register(services)
    return found


def an_entry(services):
    service.receive(services, a_message(), NOON)
    service.open_entry(services, "IT-1", OFFICER, NOON)


def note_all(services, now=NOON):
    for duty in entry(services)["duties"]:
        service.note_duty(services, "IT-1", OFFICER, now, duty["duty"], now.date())


@pytest.mark.usefixtures("dangerous")
def test_patient_data_in_wrong_hands_opens_an_entry_and_tells_the_privacy_officer_once(services, notifier, clock):
    for _ in range(2):
        service.receive(services, a_message(ASTRAY, unit="4W"), clock())
    service.sweep(services, clock())
    deliver_all(services, clock)
    found = entry(services)
    assert (found["ref"], found["state"], found["risk"], found["persons"]) == ("IT-1", "assess", "unknown", None)
    (told,) = notifier.to("channel:privacy-officer")
    assert "IT-1" in told.text
    assert [word for word in ("discharge", "fax", "McTestface", "00123456", "[NAME", "4W") if word in told.text] == []
    assert [act for _, act, _ in audited(services, "IT-1")] == ["decide", "open_breach"]


@pytest.mark.usefixtures("dangerous")
def test_a_phishing_ticket_is_no_breach(sqlite_services, notifier, clock):
    text = "opened a strange attachment about an unpaid invoice, now a page asks for my sign-in"
    service.receive(sqlite_services, a_message(text), clock())
    deliver_all(sqlite_services, clock)
    assert service.register(sqlite_services) == []
    assert [notice.to for notice in notifier.to("channel:")] == ["channel:it-security"]


def test_words_of_a_breach_without_danger_open_no_entry(sqlite_services, classifier):
    classifier.says(a_prediction(NOT_MINOR))
    filed = service.receive(sqlite_services, a_message("the patient list is frozen since noon"), NOON)
    assert service.summary(sqlite_services, filed.id)["route"] != Route.SECURITY
    assert service.register(sqlite_services) == []


@pytest.mark.usefixtures("dangerous")
def test_the_hospital_is_aware_since_the_message_came_even_where_a_crash_delayed_the_decision(
    sqlite_services, notifier, clock
):
    service.file_ticket(sqlite_services, a_message(ASTRAY), clock())
    clock.passes(hours=9)
    service.sweep(sqlite_services, clock())
    deliver_all(sqlite_services, clock)
    assert "aware since Nov 24, 12:00" in notifier.to("channel:privacy-officer")[0].text
    assert entry(sqlite_services)["aware_at"] == NOON.isoformat(timespec="seconds")


def test_an_entry_is_added_by_hand_once_and_audited(services):
    an_entry(services)
    with pytest.raises(service.ConflictError):
        service.open_entry(services, "IT-1", OFFICER, NOON)
    with pytest.raises(service.NotFoundError):
        service.open_entry(services, "IT-2", OFFICER, NOON)
    assert audited(services, "IT-1")[-1] == (OFFICER, "open_breach", {})
    assert len(service.register(services)) == 1


def test_an_entry_is_completed_and_its_words_are_masked(services):
    an_entry(services)
    said = "chart of Testy McTestface MRN 00123456 was e-mailed"
    service.change_entry(
        services, "IT-1", OFFICER, NOON, {"state": "breach", "persons": 1, "risk": "serious", "circumstances": said}
    )
    found = entry(services)
    assert (found["state"], found["persons"], found["risk"]) == ("breach", 1, "serious")
    assert found["circumstances"] == "chart of [NAME-1] MRN [MRN-1] was e-mailed"
    who, act, data = audited(services, "IT-1")[-1]
    assert (who, act) == (OFFICER, "change_breach")
    assert data == {"fields": ["circumstances", "persons", "risk", "state"], "state": "breach"}


@pytest.mark.parametrize(
    "changes",
    [{"state": "forgotten"}, {"risk": "none"}, {"persons": -1}, {"persons": "many"}, {"notified": {}}, {"version": 9}],
    ids=lambda changes: "-".join(f"{name}={value}" for name, value in changes.items()),
)
def test_what_is_no_value_of_the_register_is_refused(sqlite_services, changes):
    an_entry(sqlite_services)
    before = entry(sqlite_services)
    with pytest.raises(service.BadMessageError):
        service.change_entry(sqlite_services, "IT-1", OFFICER, NOON, changes)
    assert entry(sqlite_services) == before


def test_a_ticket_outside_the_register_cannot_be_changed_there(sqlite_services):
    service.receive(sqlite_services, a_message(), NOON)
    with pytest.raises(service.NotFoundError):
        service.change_entry(sqlite_services, "IT-1", OFFICER, NOON, {"risk": "low"})
    with pytest.raises(service.NotFoundError):
        service.note_duty(sqlite_services, "IT-1", OFFICER, NOON, "hipaa:persons", NOON.date())


def test_an_entry_is_closed_only_when_every_duty_is_done(sqlite_services):
    an_entry(sqlite_services)
    service.change_entry(sqlite_services, "IT-1", OFFICER, NOON, {"state": "breach", "risk": "serious", "persons": 3})
    asked = [duty["duty"] for duty in entry(sqlite_services)["duties"]]
    assert len(asked) == 7
    for duty in asked:
        with pytest.raises(service.ConflictError, match=asked[-1]):
            service.change_entry(sqlite_services, "IT-1", OFFICER, NOON, {"state": "closed"})
        service.note_duty(sqlite_services, "IT-1", OFFICER, NOON, duty, NOON.date())
    service.change_entry(sqlite_services, "IT-1", OFFICER, NOON, {"state": "closed"})
    assert entry(sqlite_services)["state"] == "closed"
    assert {duty["done"] for duty in entry(sqlite_services)["duties"]} == {"2026-11-24"}
    assert [act for _, act, _ in audited(sqlite_services, "IT-1")].count("note_duty") == 7


def test_a_closed_entry_cannot_grow_a_duty_that_was_not_done(sqlite_services):
    an_entry(sqlite_services)
    service.change_entry(sqlite_services, "IT-1", OFFICER, NOON, {"risk": "serious"})
    note_all(sqlite_services)
    service.change_entry(sqlite_services, "IT-1", OFFICER, NOON, {"state": "closed"})
    with pytest.raises(service.ConflictError, match="hipaa:media"):
        service.change_entry(sqlite_services, "IT-1", OFFICER, NOON, {"persons": 501})


def test_no_breach_needs_reasons_and_asks_for_nothing_then(sqlite_services):
    an_entry(sqlite_services)
    with pytest.raises(service.ConflictError):
        service.change_entry(sqlite_services, "IT-1", OFFICER, NOON, {"state": "not_breach"})
    why = "the fax reached a clinic that treats the patient"
    service.change_entry(sqlite_services, "IT-1", OFFICER, NOON, {"state": "not_breach", "risk_reasons": why})
    assert entry(sqlite_services)["duties"] == []
    with pytest.raises(service.ConflictError):
        service.change_entry(sqlite_services, "IT-1", OFFICER, NOON, {"risk_reasons": ""})


def test_a_blank_is_no_reason_for_no_breach(sqlite_services):
    an_entry(sqlite_services)
    with pytest.raises(service.ConflictError):
        service.change_entry(sqlite_services, "IT-1", OFFICER, NOON, {"state": "not_breach", "risk_reasons": " "})


@pytest.mark.parametrize(
    ("duty", "day"),
    [("hipaa:mayor", NOON.date()), ("hipaa:media", NOON.date()), ("hipaa:persons", date(2026, 11, 25)),
     ("hipaa:persons", date(2026, 11, 23))],
    ids=["unknown", "not asked for", "tomorrow", "before anybody knew"],
)  # fmt: skip
def test_what_cannot_have_been_done_is_not_noted(sqlite_services, duty, day):
    an_entry(sqlite_services)
    with pytest.raises(service.BadMessageError):
        service.note_duty(sqlite_services, "IT-1", OFFICER, NOON, duty, day)
    assert {one["done"] for one in entry(sqlite_services)["duties"]} == {None}


EVENING = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)  # 20:00 on the 24th in Toronto


def test_what_was_done_on_the_evening_of_awareness_can_be_noted_with_the_hospitals_own_day(sqlite_services):
    service.receive(sqlite_services, a_message(), EVENING)
    service.open_entry(sqlite_services, "IT-1", OFFICER, EVENING)
    service.note_duty(sqlite_services, "IT-1", OFFICER, EVENING, "phipa:commissioner", date(2026, 11, 24))
    assert "2026-11-24" in [duty["done"] for duty in entry(sqlite_services)["duties"]]


def test_sixty_days_count_from_the_hospitals_own_day(sqlite_services):
    service.receive(sqlite_services, a_message(), EVENING)
    service.open_entry(sqlite_services, "IT-1", OFFICER, EVENING)
    (persons,) = [duty for duty in entry(sqlite_services)["duties"] if duty["duty"] == "hipaa:persons"]
    assert persons["by"] == (date(2026, 11, 24) + timedelta(days=60)).isoformat()


def test_a_change_over_a_newer_one_is_refused(services):
    an_entry(services)
    stale = services.transactions.read(lambda conn: breaches.get(conn, 1))
    service.change_entry(services, "IT-1", OFFICER, NOON, {"risk": "serious"})
    assert not services.transactions.write(lambda conn: breaches.change(conn, stale, risk="low"))
    assert entry(services)["risk"] == "serious"


def test_of_changes_at_one_moment_each_stands_or_is_refused(services):
    an_entry(services)
    wanted = [("risk", "low"), ("persons", 7), ("measures", "the fax was called back"), ("happened", "on Monday")]

    def change(pair):
        try:
            service.change_entry(services, "IT-1", OFFICER, NOON, dict([pair]))
        except service.ConflictError:
            return None
        return pair

    with ThreadPoolExecutor(4) as pool:
        stood = [pair for pair in pool.map(change, wanted) if pair]
    assert stood
    assert [(name, entry(services)[name]) for name, _ in stood] == stood
    assert [act for _, act, _ in audited(services, "IT-1")].count("change_breach") == len(stood)


def test_of_duties_noted_at_one_moment_none_is_lost_without_a_word(services):
    an_entry(services)

    def note(code):
        try:
            service.note_duty(services, "IT-1", OFFICER, NOON, code, NOON.date())
        except service.ConflictError:
            return None
        return code

    wanted = ["hipaa:persons", "hipaa:HHS", "phipa:persons", "law25:persons"]
    with ThreadPoolExecutor(4) as pool:
        stood = {code for code in pool.map(note, wanted) if code}
    assert stood
    assert {duty["duty"] for duty in entry(services)["duties"] if duty["done"]} == stood


# --- who saw what ---------------------------------------------------------------------


def look(services, refs, actor=AGENT, action="list_tickets", **data):
    service.note_look(services, service.Act(NOON, actor, action), refs, **data)


def test_who_saw_a_ticket_lists_looks_at_lists_and_at_the_ticket_alone(services):
    service.receive(services, a_message(), NOON)
    look(services, ["IT-1", "IT-2"])
    look(services, ["IT-1"], "token:desk", "view_ticket")
    assert [(who, act) for who, act, _ in audited(services, "IT-1")] == [
        ("triage", "decide"),
        (AGENT, "list_tickets"),
        ("token:desk", "view_ticket"),
    ]


def test_a_ticket_is_not_confused_with_one_whose_number_begins_alike(services):
    look(services, ["IT-12"], action="view_ticket")
    look(services, ["IT-12", "IT-21", "IT-112"])
    look(services, ["IT-2"], reason='he said "IT-1" and [IT-1], not "IT-1_"')
    assert audited(services, "IT-1") == []
    assert audited(services, "IT-1_") == []
    assert len(audited(services, "IT-12")) == 2


def test_what_a_person_did_is_listed_and_nobody_elses_acts(sqlite_services):
    service.receive(sqlite_services, a_message(), NOON)
    service.correct(sqlite_services, "IT-1", "equipment_request", AGENT, NOON)
    look(sqlite_services, ["IT-1"])
    look(sqlite_services, ["IT-1"], f"x{AGENT}")
    assert [row.action for row in service.what_did(sqlite_services, AGENT)] == ["correct", "list_tickets"]


def write_protected(database, statement):
    """From now on every connection of this engine begins so."""

    def begin(connection, _record):
        connection.execute(statement)
        connection.commit()

    event.listen(database, "connect", begin)
    database.dispose()


def test_people_can_still_read_when_the_disk_is_full_and_the_log_is_the_record(sqlite_services, sqlite):
    write_protected(sqlite, "PRAGMA max_page_count = 1")  # SQLite takes the size it has now as the limit
    many = [tickets.ref_of(number) for number in range(2000)]
    with structlog.testing.capture_logs() as logs:
        look(sqlite_services, many)
    assert [(line["event"], line["actor"], len(line["refs"])) for line in logs] == [("look_not_audited", AGENT, 2000)]
    assert service.what_did(sqlite_services, AGENT) == []


@pytest.mark.parametrize(
    "database_url",
    [
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgres),
    ],
    indirect=True,
)
def test_people_can_still_read_from_a_database_that_cannot_be_written(services, database):
    on_sqlite = database.dialect.name == "sqlite"
    write_protected(database, "PRAGMA query_only = ON" if on_sqlite else "SET default_transaction_read_only = on")
    look(services, ["IT-1"])
    assert service.what_did(services, AGENT) == []
