"""Unmasked words on the web: for few, with a reason, never by a link, audited before they are on the screen."""

from dataclasses import replace

import pytest
from werkzeug.security import generate_password_hash

from builders import NOON, POLICY, a_message, a_prediction
from parts import StandIn
from triage import seal, service, settings
from triage.store import audit, people
from web.app import create_app

PASSWORD = "correct horse battery"
HASH = generate_password_hash(PASSWORD, "pbkdf2:sha256:1")
NAMED = "band for patient Testina Fauxwicz MRN 0012345 is blank"
WHY = "the band must be reprinted"


@pytest.fixture
def keeping(sqlite_services):
    """Services of a site that keeps originals for a week."""
    privacy = POLICY.privacy.model_copy(update={"original_days": 7})
    kept = POLICY.model_copy(update={"privacy": privacy})
    return replace(sqlite_services, policy=kept, keys=seal.data_keys(seal.new_key()))


def browser(services, role):
    """Somebody signed in."""
    email = f"{role}.sample@example.org"
    services.transactions.write(lambda conn: people.put_user(conn, email, role, HASH, NOON))
    app = create_app(StandIn(services, settings.load()))
    app.config["WTF_CSRF_ENABLED"] = False
    client = app.test_client()
    client.post("/sign-in", data={"email": email, "password": PASSWORD})
    return client


def looks(services, ref="IT-1"):
    rows = services.transactions.read(lambda conn: audit.about(conn, ref))
    return [(row.actor, row.data["reason"]) for row in rows if row.action == "view_original"]


@pytest.mark.parametrize(
    ("role", "code"),
    [("requester", 403), ("viewer", 403), ("agent", 403), ("lead", 200), ("security", 200), ("admin", 200)],
)
def test_only_few_roles_see_unmasked_words(keeping, role, code):
    service.receive(keeping, a_message(NAMED), NOON)
    client = browser(keeping, role)
    answer = client.post("/t/IT-1/original", data={"reason": WHY})
    assert answer.status_code == client.get("/t/IT-1/original").status_code == code
    assert ("Testina Fauxwicz" in answer.text) == (code == 200)
    assert looks(keeping) == ([(f"{role}.sample@example.org", WHY)] if code == 200 else [])


def test_a_link_shows_the_form_and_no_word(keeping):
    service.receive(keeping, a_message(NAMED), NOON)
    answer = browser(keeping, "admin").get("/t/IT-1/original")
    assert "Fauxwicz" not in answer.text
    assert "Why do you need to see it?" in answer.text
    assert looks(keeping) == []


def test_without_a_reason_nothing_is_shown(keeping):
    service.receive(keeping, a_message(NAMED), NOON)
    answer = browser(keeping, "admin").post("/t/IT-1/original", data={"reason": "why"})
    assert (answer.status_code, "Fauxwicz" in answer.text, looks(keeping)) == (422, False, [])


def test_what_was_never_kept_is_said_so(sqlite_services):
    service.receive(sqlite_services, a_message(NAMED), NOON)
    answer = browser(sqlite_services, "admin").post("/t/IT-1/original", data={"reason": WHY})
    assert answer.status_code == 422
    assert "no original is kept" in answer.text


def test_a_key_that_does_not_fit_is_said_so(keeping):
    service.receive(keeping, a_message(NAMED), NOON)
    other = replace(keeping, keys=seal.data_keys(seal.new_key()))
    answer = browser(other, "admin").post("/t/IT-1/original", data={"reason": WHY})
    assert (answer.status_code, "no key of this server opens it" in answer.text) == (422, True)


@pytest.mark.parametrize("ref", ["IT-99", "nonsense", "IT-1"])
def test_what_somebody_may_not_know_of_is_not_there(keeping, classifier, ref):
    classifier.says(a_prediction("printer", security=True, p_security=0.9))
    service.receive(keeping, a_message(NAMED), NOON)
    client = browser(keeping, "lead")
    assert client.get(f"/t/{ref}/original").status_code == 404
    assert client.post(f"/t/{ref}/original", data={"reason": WHY}).status_code == 404
    assert looks(keeping) == []


def test_the_page_is_not_kept_by_the_browser_and_shows_words_as_words(keeping):
    service.receive(keeping, a_message(NAMED + " <script>alert(1)</script>"), NOON)
    answer = browser(keeping, "security").post("/t/IT-1/original", data={"reason": WHY})
    assert answer.headers["Cache-Control"] == "no-store"
    assert "&lt;script&gt;" in answer.text
    assert "<script>" not in answer.text
