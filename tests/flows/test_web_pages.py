"""The web pages: who gets in, who sees what, headers and markup of every page, and pages for machines."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from browsing import HASH, PASSWORD, Browser, Page, TrainedModel, server
from sqlalchemy import update
from werkzeug.security import generate_password_hash

from builders import NOON, NOT_MINOR, a_message, a_prediction
from parts import StandIn, rows_of
from triage import service, settings
from triage.commit import StoreUnavailableError
from triage.redact import redact
from triage.roles import ROLES
from triage.store import engine, people, sessions
from triage.store.tables import SessionRow
from web.app import create_app
from web.auth import IDLE_SECONDS, TRIES

PLAIN, DANGER = "the chart shows the wrong weight", "every copier prints the same black page"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
        "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class ClosedStore:
    """Transactions of a database that is gone."""

    def read(self, *_):
        raise StoreUnavailableError("database is locked, says a test")

    write = write_together = read


@pytest.fixture
def model():
    return TrainedModel()


@pytest.fixture
def app(sqlite_services, model, classifier):
    classifier.says(a_prediction(NOT_MINOR))
    classifier.on("black page", a_prediction("printer", security=True, p_security=0.8))
    return server(sqlite_services, model)


@pytest.fixture
def browser(app):
    return Browser(app)


@pytest.fixture
def file(sqlite_services):
    """File a ticket as any channel does."""

    def filed(text=PLAIN, **changes):
        changes = {"external_id": f"m-{text}-{len(changes)}"} | changes
        return service.receive(sqlite_services, a_message(text, **changes), NOON).ticket.ref

    return filed


# --- signing in and out ---------------------------------------------------------------


def test_the_right_password_opens_the_queue(browser):
    answer = browser.sign_in("viewer@example.org")
    assert (answer.status_code, answer.location) == (302, "/")
    assert "viewer@example.org" in browser.page().text


@pytest.mark.parametrize("email", [" Viewer@Example.ORG ", "VIEWER@EXAMPLE.ORG"])
def test_an_address_is_the_same_in_any_case(browser, email):
    assert browser.sign_in(email).status_code == 302


WRONG = {
    "wrong password": ("viewer@example.org", "wrong horse battery"),
    "unknown person": ("nobody@example.org", PASSWORD),
    "empty password": ("viewer@example.org", ""),
    "nothing": ("", ""),
    "very long": ("x" * 5000 + "@example.org", "y" * 100_000),
    "injection": ("' OR 1=1 --", "' OR 1=1 --"),
    "wildcard": ("%", PASSWORD),
}


@pytest.mark.parametrize(("email", "password"), WRONG.values(), ids=WRONG.keys())
def test_whatever_is_wrong_the_answer_is_the_same(app, email, password):
    said = {}
    for who, (mail, word) in {"known": ("viewer@example.org", "no"), "asked": (email, password)}.items():
        browser = Browser(app)
        answer = browser.sign_in(mail, word)
        said[who] = (answer.status_code, Page(answer.get_data(as_text=True)).text)
        assert not browser.is_in()
    assert said["asked"] == said["known"]
    assert said["asked"][0] == 401


def test_an_odd_address_is_just_wrong_on_either_database(services, model):
    app = server(services, model)
    for email in ("viewer\x00@example.org", "\x00", "\u202eviewer@example.org", "\U0001f5a8"):
        assert Browser(app).sign_in(email).status_code == 401, ascii(email)


def test_a_form_without_fields_is_just_wrong(browser):
    answer = browser.client.post("/sign-in", data={"csrf_token": browser.page("/sign-in").csrf})
    assert answer.status_code == 401


def within_one_minute(action):
    """Run `action` again when the clock's minute, by which tries are counted, changed meanwhile."""
    while True:
        minute = int(time.time() // 60)
        result = action()
        if int(time.time() // 60) == minute:
            return result


def test_the_eleventh_try_within_a_minute_must_wait_even_with_the_right_password(app):
    def eleven():
        app.extensions.pop("sign_in_tries", None)
        wrong = [Browser(app).sign_in("viewer@example.org", "wrong").status_code for _ in range(TRIES)]
        return wrong, Browser(app).sign_in("viewer@example.org")

    wrong, last = within_one_minute(eleven)
    assert wrong == [401] * 10
    assert last.status_code == 429
    assert "wait a minute" in Page(last.get_data(as_text=True)).text


def test_somebody_elses_tries_do_not_lock_a_person_out(app):
    def ten_from_elsewhere():
        for _ in range(TRIES + 1):
            browser = Browser(app)
            browser.client.environ_base["REMOTE_ADDR"] = "192.0.2.7"
            browser.sign_in("viewer@example.org", "wrong")
        return Browser(app).sign_in("viewer@example.org").status_code

    assert within_one_minute(ten_from_elsewhere) == 302


@pytest.mark.parametrize("token", [None, "", "made-up", "of another session"])
def test_signing_in_needs_the_token_of_the_form(app, browser, token):
    form = {"email": "viewer@example.org", "password": PASSWORD}
    browser.page("/sign-in")
    if token is not None:
        form["csrf_token"] = Browser(app).page("/sign-in").csrf if token == "of another session" else token
    assert browser.client.post("/sign-in", data=form).status_code == 400
    assert not browser.is_in()


def test_signing_out_needs_the_token_of_the_form(browser):
    browser.as_("viewer")
    assert browser.client.post("/sign-out").status_code == 400
    assert browser.is_in()


def test_signing_out_ends_the_session(browser):
    browser.as_("viewer")
    answer = browser.client.post("/sign-out", data={"csrf_token": browser.page().csrf})
    assert (answer.status_code, answer.location) == (302, "/sign-in")
    assert not browser.is_in()


def copied(app, browser):
    """Somebody else's browser with a copy of the cookie."""
    thief = Browser(app)
    thief.client.set_cookie("triage", browser.cookie())
    return thief


def test_a_copied_cookie_ends_with_the_session(app, browser):
    thief = copied(app, browser.as_("viewer"))
    assert thief.is_in()
    browser.client.post("/sign-out", data={"csrf_token": browser.page().csrf})
    assert not thief.is_in()


def test_signing_out_here_leaves_the_other_computer_alone_and_everywhere_does_not(app, browser):
    other = Browser(app).as_("viewer")
    browser.as_("viewer").client.post("/sign-out", data={"csrf_token": browser.page().csrf})
    assert other.is_in()
    browser.as_("viewer")
    browser.client.post("/sign-out", data={"csrf_token": browser.page().csrf, "everywhere": "yes"})
    assert not other.is_in()


def test_a_new_password_ends_every_session(app, browser, sqlite_services):
    browser.as_("viewer")
    new = generate_password_hash("another horse", "pbkdf2:sha256:1")
    sqlite_services.transactions.write(lambda conn: people.put_user(conn, "viewer@example.org", "viewer", new, NOON))
    assert not browser.is_in()


def test_a_session_ends_after_a_shift_however_busy(browser, sqlite_services):
    browser.as_("viewer")
    old = datetime.now(UTC) - sessions.LONGEST
    sqlite_services.transactions.write(lambda conn: conn.execute(update(SessionRow).values(created_at=old)))
    assert not browser.is_in()


def test_what_is_kept_of_a_session_opens_nothing(app, browser, sqlite):
    browser.as_("viewer")
    (row,) = rows_of(sqlite, SessionRow)
    with browser.client.session_transaction() as session:
        assert row.digest != session["secret"]
        session["secret"] = row.digest
    assert not browser.is_in()


def test_signing_in_again_changes_the_secret(browser):
    browser.as_("viewer")
    first = browser.cookie()
    browser.as_("viewer")
    assert browser.cookie() != first


def test_following_a_link_cannot_sign_anybody_out(browser):
    browser.as_("viewer")
    assert browser.client.get("/sign-out").status_code == 405
    assert browser.is_in()


def idle(browser, seconds):
    """Let time pass in the session instead of in the test."""
    with browser.client.session_transaction() as session:
        session["seen"] -= seconds


def test_an_idle_session_ends(browser):
    browser.as_("viewer")
    idle(browser, IDLE_SECONDS + 1)
    answer = browser.client.get("/")
    assert (answer.status_code, answer.location) == (302, "/sign-in")


def test_work_keeps_a_session_alive(browser):
    browser.as_("viewer")
    for _ in range(3):
        idle(browser, IDLE_SECONDS - 60)
        assert browser.is_in()


def test_the_session_may_idle_for_no_more_than_fifteen_minutes():
    assert IDLE_SECONDS <= 15 * 60


def test_a_cookie_with_a_changed_letter_is_nobody(app, browser):
    browser.as_("viewer")
    cookie = browser.cookie()
    for place in (0, len(cookie) // 2, len(cookie) - 2):
        forger = Browser(app)
        other = "A" if cookie[place] != "A" else "B"
        forger.client.set_cookie("triage", cookie[:place] + other + cookie[place + 1 :])
        assert not forger.is_in(), place


def test_a_role_that_was_taken_away_is_gone_at_the_next_request(browser, sqlite_services):
    browser.as_("admin")
    sqlite_services.transactions.write(lambda conn: people.put_user(conn, "admin@example.org", "requester", HASH, NOON))
    assert browser.client.get("/").status_code == 403


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(browser):
    sent = browser.sign_in("viewer@example.org").headers["Set-Cookie"]
    assert "HttpOnly" in sent
    assert "SameSite=Lax" in sent


def test_in_production_the_cookie_travels_by_tls_alone(sqlite_services, model, monkeypatch):
    # Not patched but set: the environment is how an operator says so.
    monkeypatch.setenv("TRIAGE_ENV", "production")
    monkeypatch.setenv("TRIAGE_SECRET_KEY", "a made-up key that nobody else would ever use 0123456789")
    answer = server(sqlite_services, model).test_client().get("/sign-in", base_url="https://triage.example.org")
    sent = answer.headers["Set-Cookie"]
    assert sent.startswith("__Host-triage=")
    assert "Secure" in sent
    assert "Path=/" in sent
    assert "max-age" in answer.headers["Strict-Transport-Security"]


# --- who sees what --------------------------------------------------------------------


def test_a_stranger_is_sent_to_sign_in(browser, file):
    file()
    answer = browser.client.get("/")
    assert (answer.status_code, answer.location) == (302, "/sign-in")
    assert PLAIN not in answer.get_data(as_text=True)


def test_an_api_token_is_no_session(browser, sqlite_services):
    scopes = ["tickets:read", "tickets:write", "security:read"]
    sqlite_services.transactions.write(lambda conn: people.put_token(conn, "scanner", "made-up", scopes, NOON))
    assert browser.client.get("/", headers={"Authorization": "Bearer made-up"}).status_code == 302


def test_a_session_is_no_api_token(browser):
    browser.as_("admin")
    assert browser.client.get("/api/v1/tickets").status_code == 401


@pytest.mark.parametrize(
    ("role", "status", "sees_danger"),
    [
        ("requester", 403, False),
        ("viewer", 200, False),
        ("agent", 200, False),
        ("lead", 200, False),
        ("security", 200, True),
        ("admin", 200, True),
    ],
)
def test_the_queue_shows_each_role_what_it_may_see(browser, file, role, status, sees_danger):
    plain, danger = file(PLAIN), file(DANGER)
    answer = browser.as_(role).client.get("/")
    page = Page(answer.get_data(as_text=True))
    assert answer.status_code == status
    assert (PLAIN in page.text, plain in page.text) == (status == 200,) * 2
    assert (DANGER in page.text, danger in page.text) == (sees_danger,) * 2


def test_the_roles_of_these_tests_are_all_roles():
    assert set(ROLES) == {"requester", "viewer", "agent", "lead", "security", "admin"}


# --- what a page is made of -----------------------------------------------------------

MARKUP = {
    "script": "<script>alert(1)</script>",
    "attribute": '" onmouseover="alert(1)',
    "apostrophe": "' autofocus onfocus='alert(1)",
    "image": "<img src=x onerror=alert(1)>",
    "end of cell": "</td></tr></table><h1>gone</h1>",
    "comment": "<!-- no end",
    "entity": "&lt;b&gt; &amp;amp;",
    "template": "{{7*7}} {% raw %} ${7*7}",
}


@pytest.mark.parametrize("markup", MARKUP.values(), ids=MARKUP.keys())
def test_markup_in_any_field_is_shown_as_text(browser, file, markup):
    file(f"printer {markup}", unit=f"unit {markup}", device=f"device {markup}")
    page = browser.as_("admin").page()
    assert page.faults == []
    assert redact(f"printer {markup}").text in page.text
    assert f"{redact(f'unit {markup}').text} {redact(f'device {markup}').text}" in page.text
    assert "49" not in page.text


def test_an_empty_queue_says_how_to_file_a_ticket(browser):
    assert "triage file" in browser.as_("viewer").page().text


def test_a_ticket_without_a_category_is_left_to_the_person(browser, file, classifier):
    classifier.breaks()
    file()
    assert "you decide" in browser.as_("viewer").page().text


def addresses(app):
    """Every address that can be opened without knowing a ticket: new pages are tested without being named here."""
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in rule.methods and not rule.arguments]
    return sorted({rule.rule for rule in rules} | {"/static/plain.css", "/no/such/page"})


def test_every_answer_carries_the_security_headers(browser):
    browser.as_("admin")
    paths = addresses(browser.app)
    assert {"/", "/sign-in", "/healthz", "/metrics"} <= set(paths)
    for path in paths:
        answer = browser.client.get(path)
        assert HEADERS.items() <= dict(answer.headers).items(), path
        answer.close()


REFUSED = {
    "signed out": ("GET", "/", 302),
    "no csrf token": ("POST", "/sign-in", 400),
    "no token": ("GET", "/api/v1/tickets", 401),
    "no such page": ("GET", "/no/such/page", 404),
    "no such method": ("DELETE", "/sign-in", 405),
    "trace": ("TRACE", "/sign-in", 405),
    "no such file": ("GET", "/static/../app.py", 404),
    "git": ("GET", "/.git/config", 404),
    "console": ("GET", "/console", 404),
}


@pytest.mark.parametrize(("method", "path", "status"), REFUSED.values(), ids=REFUSED.keys())
def test_every_refusal_carries_the_security_headers(browser, method, path, status):
    answer = browser.client.open(path, method=method)
    assert answer.status_code == status
    assert HEADERS.items() <= dict(answer.headers).items()
    assert "Server" not in answer.headers


def test_what_a_page_shows_is_not_kept_by_the_browser(browser):
    browser.as_("admin")
    for path in addresses(browser.app):
        answer = browser.client.get(path)
        if not path.startswith("/static/"):
            assert answer.headers["Cache-Control"] == "no-store", path
        answer.close()


def test_every_page_is_whole_has_a_title_and_nothing_inline(browser, file):
    file()
    browser.as_("admin")
    pages = {path: browser.client.get(path) for path in addresses(browser.app)}
    found = {path: Page(a.get_data(as_text=True)) for path, a in pages.items() if a.mimetype == "text/html"}
    assert {"/", "/sign-in", "/no/such/page"} <= found.keys()
    for path, page in found.items():
        assert page.faults == [], path
        assert page.title.partition("\u00b7")[0].strip(), path
        assert len(page.ids) == len(set(page.ids)), path


def test_every_form_that_changes_something_has_an_address_and_a_token(browser, file):
    file()
    browser.as_("admin")
    forms = [form for path in addresses(browser.app) for form in browser.page(path).forms]
    assert {form["action"] for form in forms} >= {"/sign-in", "/sign-out"}
    for form in forms:
        assert form["action"], form
        assert form["method"] != "post" or form["fields"]["csrf_token"], form


NOWHERE = ["/no/such/page", "/%00", "/%ff%fe", "/<script>alert(1)</script>", "/sign-in/", "/tt/'--", "/" + "x" * 5000]


@pytest.mark.parametrize("path", NOWHERE, ids=[path[:30] for path in NOWHERE])
def test_an_unknown_address_is_a_page_that_says_so(browser, path):
    answer = browser.client.get(path)
    page = Page(answer.get_data(as_text=True))
    assert answer.status_code == 404
    assert page.title.startswith("404")
    assert page.faults == []
    assert "alert(1)" not in answer.get_data(as_text=True)


def test_a_form_over_the_limit_is_refused(browser):
    form = {"email": "x" * 3_000_000, "csrf_token": browser.page("/sign-in").csrf}
    assert browser.client.post("/sign-in", data=form).status_code == 413


class BrokenStore:
    """Transactions in which something nobody foresaw happens."""

    def read(self, query):
        raise RuntimeError("MRN 00123456 of Mr Sampleman")

    write = read


def test_a_fault_nobody_foresaw_is_a_page_without_a_word_of_it(sqlite_services, model, capsys):
    broken = replace(sqlite_services, transactions=BrokenStore())
    answer = create_app(StandIn(broken, settings.load(), model)).test_client().get("/metrics")
    printed = capsys.readouterr()
    assert answer.status_code == 500
    assert Page(answer.get_data(as_text=True)).title.startswith("500")
    assert "Sampleman" not in answer.get_data(as_text=True) + printed.out + printed.err


def test_a_database_that_is_gone_asks_to_come_back(sqlite_services, model):
    closed = replace(sqlite_services, transactions=ClosedStore())
    browser = Browser(create_app(StandIn(closed, settings.load(), model)))
    answer = browser.sign_in("viewer@example.org")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "says a test" not in answer.get_data(as_text=True)


# --- pages for machines ---------------------------------------------------------------


def test_alive_needs_neither_database_nor_model(sqlite_services, model):
    model.is_missing()
    closed = replace(sqlite_services, transactions=ClosedStore())
    answer = create_app(StandIn(closed, settings.load(), model)).test_client().get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "alive"})


def test_ready_when_tickets_can_be_stored_and_judged(services, model):
    answer = create_app(StandIn(services, settings.load(), model)).test_client().get("/readyz")
    assert answer.status_code == 200
    assert answer.json == {"status": "ready", "database": "ok", "migrations": "ok", "model": "ok"}


def test_not_ready_without_a_model_and_says_why(browser, model):
    model.is_missing("no model was trained yet: run `triage train --promote`")
    answer = browser.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["database"] == "ok"
    assert "triage train" in answer.json["model"]


def test_not_ready_without_a_database(sqlite_services, model):
    closed = replace(sqlite_services, transactions=ClosedStore())
    answer = create_app(StandIn(closed, settings.load(), model)).test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json["database"] != "ok"
    assert "says a test" not in answer.get_data(as_text=True)


def test_not_ready_with_tables_of_another_version(sqlite, sqlite_services, model):
    engine.downgrade(sqlite, "base")
    answer = create_app(StandIn(sqlite_services, settings.load(), model)).test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json["migrations"] != "ok"


def figures(browser):
    lines = browser.client.get("/metrics").get_data(as_text=True).splitlines()
    return {name: float(value) for name, value in (line.split() for line in lines if not line.startswith("#"))}


def test_the_figures_count_what_waits(browser, file, sqlite_services):
    assert figures(browser)["triage_outbox_pending"] == 0
    file()
    service.file_ticket(sqlite_services, a_message(external_id="untriaged"), NOON)
    found = figures(browser)
    assert found["triage_outbox_pending"] == 2  # one to the requester, one to the team
    assert found["triage_tickets_untriaged"] == 1


def test_the_figures_say_whether_a_model_answers(browser, model):
    assert figures(browser)["triage_model_ready"] == 1
    model.is_missing()
    assert figures(browser)["triage_model_ready"] == 0


def test_the_figures_hold_no_word_of_any_ticket_or_person(browser, file):
    file("marmalade jam in the printer", requester="marmalade@example.org", unit="marmalade", device="marmalade")
    answer = browser.client.get("/metrics")
    assert answer.mimetype == "text/plain"
    assert "marmalade" not in answer.get_data(as_text=True)
