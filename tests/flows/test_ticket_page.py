"""One ticket's page: who sees it, what can be done on it, and what happens to words when somebody was quicker."""

from datetime import UTC, datetime, timedelta

import pytest
from browsing import Browser, TrainedModel, server

from builders import NOON, NOT_MINOR, a_message, a_prediction
from parts import audited, deliver_all
from triage import service
from triage.roles import ROLES
from triage.store import tickets

PLAIN, DANGER = "the chart shows the wrong weight", "every copier prints the same black page"
ACTS = ("claim", "reply", "note", "resolve", "reopen", "correct", "hand-over")


@pytest.fixture
def browser(sqlite_services, classifier):
    """A browser on a server with a plain ticket IT-1 and a security ticket IT-2."""
    classifier.says(a_prediction(NOT_MINOR))
    classifier.on("black page", a_prediction("printer", security=True, p_security=0.8))
    app = server(sqlite_services, TrainedModel())
    for number, text in enumerate((PLAIN, DANGER)):
        service.receive(sqlite_services, a_message(text, external_id=f"m-{number}"), NOON)
    return Browser(app)


def row_of(services, number=1):
    return services.transactions.read(lambda conn: tickets.get(conn, number))


def send(browser, act, ref="IT-1", **fields):
    """Send one of the page's forms as somebody sees it."""
    page = browser.page(f"/t/{ref}")
    (form,) = [one for one in page.forms if one["action"].endswith(f"/{act}")]
    return browser.client.post(form["action"], data=form["fields"] | fields)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("ref", ["IT-1", "IT-2"])
def test_each_role_sees_the_tickets_it_may_see(browser, role, ref):
    status = browser.as_(role).client.get(f"/t/{ref}").status_code
    hidden = ref == "IT-2" and role not in ("security", "admin")
    assert status == (403 if role == "requester" else 404 if hidden else 200)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("act", ACTS)
def test_nobody_without_the_right_changes_a_ticket(browser, sqlite_services, role, act):
    browser.as_(role)
    token = browser.page("/sign-in").csrf
    before = row_of(sqlite_services, 2)
    answer = browser.client.post(f"/t/IT-2/{act}", data={"csrf_token": token, "version": "0"})
    expected = {"requester": 403, "viewer": 403, "agent": 404, "lead": 404}.get(role, 409)
    assert answer.status_code == expected
    assert row_of(sqlite_services, 2) == before


@pytest.mark.parametrize("ref", ["IT-99", "IT-", "nothing", "IT-99999999999999999999", "it-1%00"])
def test_a_ticket_that_is_not_there_is_a_page_that_says_so(browser, ref):
    assert browser.as_("agent").client.get(f"/t/{ref}").status_code == 404


def test_the_page_says_what_why_and_what_happened_and_the_look_is_audited(browser, sqlite_services):
    page = browser.as_("agent").page("/t/IT-1")
    assert page.faults == []
    for words in (PLAIN, "the model is 99% sure", "wrote to IT", "Clinical applications"):
        assert words in page.text
    assert ("agent@example.org", "view_ticket", {"refs": ["IT-1"]}) in audited(sqlite_services, "IT-1")


def test_the_queue_leads_to_the_page(browser):
    assert 'href="/t/IT-1"' in browser.as_("agent").client.get("/").get_data(as_text=True)


def test_a_viewer_gets_no_form_but_that_to_sign_out(browser):
    page = browser.as_("viewer").page("/t/IT-1")
    assert [form["action"] for form in page.forms] == ["/sign-out"]


def test_a_ticket_is_worked_from_taking_to_opening_again(browser, sqlite_services, notifier, clock):
    browser.as_("agent")
    assert send(browser, "claim").status_code == 303
    send(browser, "reply", text="Which chart is it?", asks="yes")
    assert row_of(sqlite_services).status == "waiting"
    send(browser, "note", note="the vendor knows")
    send(browser, "correct", category="network_connectivity", learn="yes")
    assert row_of(sqlite_services).team == "network"
    send(browser, "hand-over", team="devices")
    assert row_of(sqlite_services).team == "devices"
    send(browser, "resolve", resolution="Reloaded it")
    assert row_of(sqlite_services).status == "resolved"
    send(browser, "reopen")
    assert row_of(sqlite_services).status == "open"
    clock.now = datetime.now(UTC) + timedelta(minutes=1)  # the web has a clock of its own
    deliver_all(sqlite_services, clock)
    told = " ".join(notice.text for notice in notifier.to("requester:"))
    assert "Which chart is it?" in told
    assert "Reloaded it" in told
    assert "vendor" not in " ".join(notice.text for notice in notifier.sent)
    assert "noted, for IT alone" in browser.page("/t/IT-1").text


@pytest.mark.parametrize(("act", "field"), [("reply", "text"), ("note", "note"), ("resolve", "resolution")])
def test_words_typed_on_a_page_that_is_out_of_date_are_kept(browser, sqlite_services, act, field):
    page = browser.as_("agent").page("/t/IT-1")
    (form,) = [one for one in page.forms if one["action"].endswith(f"/{act}")]
    service.claim(sqlite_services, "IT-1", "lead@example.org", NOON)
    answer = browser.client.post(form["action"], data=form["fields"] | {field: "long and careful words"})
    shown = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "lead@example.org changed this ticket meanwhile" in shown
    assert "long and careful words" in shown
    assert "careful" not in str(service.summary(sqlite_services, 1))


@pytest.mark.parametrize(
    ("act", "fields", "status", "said"),
    [
        ("reply", {"text": " "}, 400, "must have 1 to 2000"),
        ("reply", {"text": "x" * 2001}, 400, "must have 1 to 2000"),
        ("correct", {"category": "weather"}, 400, "unknown category"),
        ("hand-over", {"team": "nobody"}, 400, "unknown team"),
        ("hand-over", {"team": "clinical_apps"}, 409, "already"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(browser, act, fields, status, said):
    answer = send(browser.as_("agent"), act, **fields)
    assert answer.status_code == status
    assert said in answer.get_data(as_text=True)


def test_an_act_that_does_not_exist_is_no_page(browser):
    page = browser.as_("agent").page("/t/IT-1")
    form = page.forms[-1]["fields"]
    assert browser.client.post("/t/IT-1/delete", data=form).status_code == 404


def test_markup_in_a_ticket_or_a_note_is_shown_as_text(browser, sqlite_services):
    nasty = "printer <script>alert(1)</script> {{7*7}}"
    service.receive(sqlite_services, a_message(nasty, external_id="m-9", unit="<b>u"), NOON)
    service.add_note(sqlite_services, "IT-3", "agent@example.org", nasty, NOON)
    page = browser.as_("agent").page("/t/IT-3")
    assert page.faults == []
    assert "<script>alert(1)</script> {{7*7}}" in page.text
