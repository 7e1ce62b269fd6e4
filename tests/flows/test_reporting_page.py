"""The plain form and the list of one's own tickets: for everyone who is signed in, and for nobody else's tickets."""

import pytest
from browsing import Browser, TrainedModel, server

from builders import NOON, NOT_MINOR, a_message, a_prediction
from triage import service
from triage.roles import ROLES
from triage.store import tickets

PLAIN = "the chart shows the wrong weight"


@pytest.fixture
def browser(sqlite_services, classifier):
    classifier.says(a_prediction(NOT_MINOR))
    return Browser(server(sqlite_services, TrainedModel()))


def fill(browser, **typed):
    """Fill the form as it stands and send it."""
    (form,) = [one for one in browser.page("/new").forms if one["action"] == "/new"]
    return form["fields"] | typed


def row_of(services, number=1):
    return services.transactions.read(lambda conn: tickets.get(conn, number))


@pytest.mark.parametrize("role", ROLES)
def test_everyone_who_is_signed_in_can_report_and_sees_it_among_their_own(browser, sqlite_services, role):
    browser.as_(role)
    answer = browser.client.post("/new", data=fill(browser, text=PLAIN, unit="4 West", device="WOW-12", care="yes"))
    assert (answer.status_code, answer.location) == (303, "/my?filed=IT-1")
    page = browser.page(answer.location)
    assert page.faults == []
    assert "Got it: IT-1." in page.text
    assert PLAIN in page.text
    row = row_of(sqlite_services)
    assert (row.requester, row.unit, row.device) == (f"{role}@example.org", "4 West", "WOW-12")
    assert row.impact["affects_care"] is True


@pytest.mark.parametrize("path", ["/new", "/my"])
def test_a_stranger_is_sent_to_sign_in(browser, path):
    assert browser.client.get(path).location == "/sign-in"


def test_nobody_sees_the_tickets_of_others_there(browser, sqlite_services):
    service.receive(sqlite_services, a_message(PLAIN, requester="somebody@example.org"), NOON)
    assert PLAIN not in browser.as_("admin").page("/my?filed=IT-1").text


def test_sending_the_form_twice_is_one_ticket(browser, sqlite_services):
    typed = fill(browser.as_("requester"), text=PLAIN)
    answers = [browser.client.post("/new", data=typed).location for _ in range(2)]
    assert answers == ["/my?filed=IT-1"] * 2
    assert row_of(sqlite_services, 2) is None


@pytest.mark.parametrize(
    ("typed", "said"),
    [({"text": "  "}, "the message is empty"), ({"text": PLAIN, "unit": "x" * 101}, "at most 100 characters")],
)
def test_what_does_not_fit_is_said_and_nothing_typed_is_lost(browser, sqlite_services, typed, said):
    browser.as_("requester")
    answer = browser.client.post("/new", data=fill(browser, **({"device": "WOW-12"} | typed)))
    shown = answer.get_data(as_text=True)
    assert answer.status_code == 400
    assert said in shown
    assert "WOW-12" in shown
    assert row_of(sqlite_services) is None


def test_a_reporter_lands_among_their_own_tickets_after_signing_in(browser):
    assert browser.sign_in("requester@example.org").location == "/my"
    assert browser.sign_in("agent@example.org").location == "/"


def test_markup_is_shown_as_text(browser):
    browser.as_("requester")
    browser.client.post("/new", data=fill(browser, text="<script>alert(1)</script> {{7*7}} printer"))
    page = browser.page("/my")
    assert page.faults == []
    assert "<script>alert(1)</script> {{7*7}} printer" in page.text


def test_patient_data_typed_there_is_hidden_before_it_is_stored(browser, sqlite_services):
    browser.as_("requester")
    browser.client.post("/new", data=fill(browser, text="band of patient Testina Fauxwicz MRN 0012345 is blank"))
    assert "Fauxwicz" not in browser.client.get("/my").get_data(as_text=True)
    assert "0012345" not in row_of(sqlite_services).text
