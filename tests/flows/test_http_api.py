"""The HTTP API: filing and reading tickets by token, each error in one shape, and security tickets unseen by others."""

import json
from dataclasses import replace

import pytest

from builders import NOON, NOT_MINOR, a_message, a_prediction
from parts import StandIn
from triage import service, settings
from triage.commit import StoreUnavailableError
from triage.store import people
from triage.ticket import Route
from web.app import MAX_BODY, create_app

READ, WRITE, SECURITY = "tickets:read", "tickets:write", "security:read"
DANGER = "every copier prints the same black page"
NURSE = "nurse.sample@example.org"
# Numbers no column and no database could hold, and things that only look like numbers.
NO_NUMBERS = ["0", "-1", "1e3", "1.5", " 1", "0x10", "\u0663", "\u00b2", "1;DROP TABLE tickets", "9" * 16, "9" * 5000]


class ClosedStore:
    """Transactions of a database that cannot be written, and read only where `readable`."""

    def __init__(self, real, *, readable):
        self._real = real
        self._readable = readable

    def read(self, query):
        if not self._readable:
            raise StoreUnavailableError("database is locked, says a test")
        return self._real.read(query)

    def write(self, *_):
        raise StoreUnavailableError("database is locked, says a test")

    write_together = write


class Api:
    """A client with a token: `api.get(...)`, `api.file(...)`; `as_(scopes)` is another token of the same server."""

    def __init__(self, services, *scopes, name="scanner"):
        self.services = services
        self.app = create_app(StandIn(services, settings.load()))
        self.client = self.app.test_client()
        self.token = f"a made-up token for {name} with {' '.join(scopes) or 'nothing'}"
        services.transactions.write(lambda conn: people.put_token(conn, name, self.token, scopes, NOON))

    def _ask(self, method, path, **more):
        headers = {"Authorization": f"Bearer {self.token}"} | more.pop("headers", {})
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **more)

    def get(self, path, **query):
        return self._ask("GET", path, query_string=query)

    def post(self, body):
        """Post a body: bytes as they are, anything else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._ask("POST", "/tickets", data=data, content_type="application/json")

    def file(self, text="the chart shows the wrong weight", **fields):
        answer = self.post({"text": text, "requester": NURSE} | fields)
        assert answer.status_code in (200, 201), answer.json
        return answer.json["ref"]

    def listed(self, **query):
        answer = self.get("/tickets", **query)
        assert answer.status_code == 200, answer.json
        return [row["ref"] for row in answer.json["tickets"]]


@pytest.fixture
def calm(classifier):
    """A model that sends everything but DANGER to a team, where no incident gathers the tickets."""
    classifier.says(a_prediction(NOT_MINOR))
    classifier.on("black page", a_prediction("printer", security=True, p_security=0.8))


@pytest.fixture
def api(calm, sqlite_services):
    return Api(sqlite_services, READ, WRITE)


@pytest.fixture
def both(calm, services):
    """The same on each kind of database."""
    return Api(services, READ, WRITE)


def refusal(answer, status, code=None):
    """Return the error of a refused request, after checking that it has the contract's one shape."""
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.json.keys() == {"error"}
    error = answer.json["error"]
    assert {"code", "message"} <= error.keys() <= {"code", "message", "field"}
    assert error["message"]
    assert code is None or error["code"] == code
    return error


# --- filing ---------------------------------------------------------------------------


def test_a_filed_ticket_is_answered_with_what_will_happen(both):
    answer = both.post({"text": "the chart shows the wrong weight", "requester": NURSE, "unit": "4 West"})
    assert answer.status_code == 201
    assert {"ref", "route", "category", "confidence", "priority", "team", "url"} <= answer.json.keys()
    wanted = {"ref": "IT-1", "route": "queue", "category": NOT_MINOR, "team": "clinical_apps", "unit": "4 West"}
    assert wanted.items() <= answer.json.items()


def test_the_url_of_an_answer_opens_the_ticket(api):
    filed = api.post({"text": "paper jam", "requester": NURSE}).json
    found = api.client.get(filed["url"], headers={"Authorization": f"Bearer {api.token}"})
    assert found.json["ref"] == filed["ref"]


def test_the_same_external_id_again_is_200_with_the_first_ticket(both):
    body = {"text": "paper jam", "requester": NURSE, "external_id": "HIS-17"}
    first, again = both.post(body), both.post(body | {"text": "paper jam, second try"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json["ref"] == first.json["ref"]
    assert both.listed() == [first.json["ref"]]


def test_two_systems_may_use_the_same_external_id(api):
    other = Api(api.services, READ, WRITE, name="other system")
    assert api.file(external_id="17") != other.file(external_id="17")


def test_without_an_external_id_each_request_is_a_ticket(api):
    assert api.file() != api.file()


@pytest.mark.parametrize("empty", ["", None], ids=["empty", "null"])
def test_optional_fields_may_be_empty(api, empty):
    refs = {api.file(external_id=empty, unit=empty, device=empty, language=empty) for _ in range(2)}
    assert len(refs) == 2


def test_a_broken_model_still_takes_the_ticket(api, classifier):
    classifier.breaks()
    answer = api.post({"text": "anything", "requester": NURSE})
    assert (answer.status_code, answer.json["route"]) == (201, Route.HUMAN_REVIEW)


def test_the_language_that_was_given_is_kept(api):
    assert api.post({"text": "panne", "requester": NURSE, "language": "fr"}).json["language"] == "fr"


def test_no_answer_holds_a_patients_identifiers(api):
    body = {"text": "wristband of Mr Sampleman, MRN 00123456", "requester": NURSE, "unit": "bed of Mr Sampleman"}
    filed = api.post(body)
    for answer in (filed, api.get("/tickets"), api.get("/tickets/IT-1")):
        assert "Sampleman" not in answer.get_data(as_text=True)
        assert "00123456" not in answer.get_data(as_text=True)


MARKUP = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{7*7}} ${7*7}", "</textarea>&lt;b&gt;"]


@pytest.mark.parametrize("text", MARKUP)
def test_markup_in_a_ticket_comes_back_as_the_same_text(api, text):
    ref = api.file(text, unit=text, device=text)
    answer = api.get(f"/tickets/{ref}")
    assert (answer.json["text"], answer.json["unit"], answer.json["device"]) == (text, text, text)
    assert answer.mimetype == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


ODD_TEXTS = {
    "NUL": "paper\x00jam",
    "lone surrogate": "paper \ud800 jam",
    "emoji": "\U0001f5a8 broken",
    "right to left": "paper \u202emaj",
    "sql": "'; DROP TABLE tickets; --",
    "twenty thousand": "paper jam " * 3000,
}


def test_odd_text_is_stored_and_read_on_either_database(both):
    for name, text in ODD_TEXTS.items():
        ref = both.file(text, external_id=text[:100], unit=text[:50], device=text[:50])
        assert both.get(f"/tickets/{ref}").json["text"][:5] in (text[:5], text.strip()[:5]), name
        assert ref in both.listed(), name


# --- what cannot be filed -------------------------------------------------------------

NO_OBJECTS = {
    "nothing": b"",
    "half": b'{"text": "paper jam"',
    "list": b'[{"text": "paper jam", "requester": "nurse.sample@example.org"}]',
    "string": b'"paper jam"',
    "number": b"7",
    "null": b"null",
    "form": b"text=paper+jam&requester=nurse.sample%40example.org",
    "not UTF-8": b'{"text": "\xff\xfe"}',
    "two documents": b"{}{}",
    "endless nesting": b'{"text": ' + b"[" * 100_000,
    "endless objects": b'{"text":' * 100_000,
    "a number too long": b'{"text": ' + b"9" * 10_000 + b"}",
}


@pytest.mark.parametrize("body", NO_OBJECTS.values(), ids=NO_OBJECTS.keys())
def test_a_body_that_is_no_json_object_is_400(api, body):
    refusal(api.post(body), 400, "invalid_json")
    assert api.listed() == []


def test_a_body_that_is_not_declared_as_json_is_400(api):
    headers = {"Authorization": f"Bearer {api.token}"}
    body = json.dumps({"text": "paper jam", "requester": NURSE})
    refusal(api.client.post("/api/v1/tickets", data=body, headers=headers, content_type="text/plain"), 400)


BAD_FIELDS = {
    "no text": ({"text": None}, "text"),
    "empty text": ({"text": ""}, "text"),
    "blank text": ({"text": " \n\t"}, "text"),
    "text of control characters": ({"text": "\x00\x01\x02"}, "text"),
    "text is a number": ({"text": 7}, "text"),
    "text is a list": ({"text": ["paper jam"]}, "text"),
    "text is an object": ({"text": {"$ne": ""}}, "text"),
    "text is true": ({"text": True}, "text"),
    "no requester": ({"requester": None}, "requester"),
    "requester without @": ({"requester": "nurse"}, "requester"),
    "requester with two @": ({"requester": "a@b@example.org"}, "requester"),
    "requester with a blank": ({"requester": "a nurse@example.org"}, "requester"),
    "requester with a line break": ({"requester": "nurse@example.org\nBcc: all@example.org"}, "requester"),
    "requester with NUL": ({"requester": "nurse\x00@example.org"}, "requester"),
    "requester is a list": ({"requester": ["nurse@example.org"]}, "requester"),
    "long requester": ({"requester": "x" * 320 + "@example.org"}, "requester"),
    "external id is a number": ({"external_id": 17}, "external_id"),
    "long external id": ({"external_id": "x" * 201}, "external_id"),
    "long unit": ({"unit": "x" * 101}, "unit"),
    "unit is a number": ({"unit": 4}, "unit"),
    "long device": ({"device": "x" * 101}, "device"),
    "unknown language": ({"language": "tlh"}, "language"),
    "language is a list": ({"language": ["en"]}, "language"),
    "unknown field": ({"priority": "P1"}, "priority"),
    "field of somebody else": ({"restricted": "false"}, "restricted"),
}


@pytest.mark.parametrize(("change", "field"), BAD_FIELDS.values(), ids=BAD_FIELDS.keys())
def test_a_field_that_is_wrong_is_422_and_named(api, change, field):
    body = {"text": "paper jam", "requester": NURSE} | change
    assert refusal(api.post(body), 422)["field"] == field
    assert api.listed() == []


@pytest.mark.parametrize("name", ["text", "requester"])
def test_a_field_that_is_needed_and_missing_is_422_and_named(api, name):
    body = {"text": "paper jam", "requester": NURSE}
    del body[name]
    assert refusal(api.post(body), 422)["field"] == name


def test_a_refusal_never_repeats_the_tickets_words(api):
    answer = api.post({"text": "MRN 00123456 of Mr Sampleman", "requester": "no address"})
    assert "Sampleman" not in answer.get_data(as_text=True)
    assert "00123456" not in answer.get_data(as_text=True)


def test_a_body_over_the_limit_is_413_and_nothing_is_stored(api):
    refusal(api.post({"text": "x" * MAX_BODY, "requester": NURSE}), 413)
    assert api.listed() == []


def test_a_megabyte_is_taken_and_cut_with_a_note(api):
    ref = api.file("paper jam " * 100_000)
    assert api.get(f"/tickets/{ref}").json["truncated"] is True


# --- who may --------------------------------------------------------------------------

REQUESTS = [("POST", "/tickets"), ("GET", "/tickets"), ("GET", "/tickets/IT-1"), ("GET", "/tickets/IT-999")]
NO_TOKENS = {
    "none": {},
    "empty": {"Authorization": ""},
    "scheme alone": {"Authorization": "Bearer"},
    "blank secret": {"Authorization": "Bearer  "},
    "unknown": {"Authorization": "Bearer nobody-knows-this"},
    "not ASCII": {"Authorization": "Bearer na\u00efve"},
    "other scheme": {"Authorization": "Basic bnVyc2U6cGFzc3dvcmQ="},
}


@pytest.mark.parametrize("headers", NO_TOKENS.values(), ids=NO_TOKENS.keys())
def test_without_a_valid_token_everything_is_401(api, headers):
    api.file()
    for method, path in REQUESTS:
        refusal(api._ask(method, path, headers={"Authorization": ""} | headers), 401, "unauthorized")


def test_a_token_in_any_place_but_the_header_is_none(api):
    answer = api.client.get("/api/v1/tickets", query_string={"token": api.token, "access_token": api.token})
    refusal(answer, 401)


def test_the_name_of_the_scheme_may_be_written_in_any_case(api):
    assert api._ask("GET", "/tickets", headers={"Authorization": f"bearer {api.token}"}).status_code == 200


def test_a_token_that_was_replaced_is_dead(api):
    Api(api.services, READ, name="scanner")
    refusal(api.get("/tickets"), 401)


@pytest.mark.parametrize(
    ("scopes", "method", "path", "status"),
    [
        ([READ], "GET", "/tickets", 200),
        ([READ], "GET", "/tickets/IT-1", 200),
        ([READ], "POST", "/tickets", 403),
        ([WRITE], "POST", "/tickets", 201),
        ([WRITE], "GET", "/tickets", 403),
        ([WRITE], "GET", "/tickets/IT-1", 403),
        ([WRITE], "GET", "/tickets/IT-999", 403),
        ([SECURITY], "GET", "/tickets", 403),
        ([SECURITY], "GET", "/tickets/IT-1", 403),
        ([SECURITY], "POST", "/tickets", 403),
        ([], "GET", "/tickets", 403),
        ([], "POST", "/tickets", 403),
    ],
    ids=str,
)
def test_a_token_may_do_what_its_scopes_say_and_no_more(api, scopes, method, path, status):
    api.file()
    limited = Api(api.services, *scopes, name="limited")
    body = json.dumps({"text": "paper jam", "requester": NURSE}) if method == "POST" else None
    answer = limited._ask(method, path, data=body, content_type="application/json")
    if status == 403:
        refusal(answer, 403, "forbidden")
    else:
        assert answer.status_code == status


# --- one ticket -----------------------------------------------------------------------

NO_REFS = ["IT-2", "IT-0", "IT--1", "IT-", "IT-1x", "INC-1", "IT-" + "9" * 15, "IT-" + "9" * 40, "IT-\u0661", "%00"]


def test_a_ticket_that_does_not_exist_is_404(both):
    both.file()
    for ref in NO_REFS:
        refusal(both.get(f"/tickets/{ref}"), 404, "not_found")


def test_a_security_ticket_is_answered_exactly_like_none(both):
    ref = both.file(DANGER)
    assert refusal(both.get(f"/tickets/{ref}"), 404) == refusal(both.get("/tickets/IT-999"), 404)


def test_the_scope_for_security_opens_security_tickets(both):
    ref = both.file(DANGER)
    security = Api(both.services, READ, SECURITY, name="soc")
    assert security.get(f"/tickets/{ref}").json["route"] == Route.SECURITY


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/tickets/IT-1/x", "/api/v2/tickets", "/api/"])
def test_an_unknown_address_is_404_in_json(api, path):
    refusal(api.client.get(path), 404)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
def test_a_method_that_is_not_offered_is_refused_in_json(api, method):
    api.file()
    refusal(api._ask(method, "/tickets/IT-1"), 405)
    assert api.listed() == ["IT-1"]


# --- lists ----------------------------------------------------------------------------


def all_pages(api, after_each_page=lambda: None, **query):
    """Follow the cursors to the end; return the refs in the order they came."""
    refs, cursor = [], None
    while True:
        page = api.get("/tickets", **query, **({"cursor": cursor} if cursor else {})).json
        refs += [row["ref"] for row in page["tickets"]]
        cursor = page["next"]
        if cursor is None:
            return refs
        after_each_page()


@pytest.mark.parametrize("limit", [1, 3, 4, 12, 13, 200])
def test_the_cursor_pages_through_every_ticket_once_newest_first(api, limit):
    filed = [api.file() for _ in range(12)]
    assert all_pages(api, limit=limit) == filed[::-1]


def test_the_cursor_shows_every_ticket_once_while_new_ones_arrive(both):
    filed = [both.file() for _ in range(12)]
    assert all_pages(both, after_each_page=both.file, limit=3) == filed[::-1]


def test_hidden_tickets_leave_neither_gaps_nor_short_pages(both):
    visible = [[both.file(), both.file(DANGER), both.file(DANGER)][0] for _ in range(6)]
    assert both.listed(limit=3) == visible[:2:-1]
    assert all_pages(both, limit=3) == visible[::-1]


def test_a_page_has_25_tickets_unless_asked_otherwise(api):
    for _ in range(27):
        api.file()
    assert len(api.listed()) == 25


def test_security_tickets_are_in_no_list_without_the_scope(both):
    both.file()
    secret = both.file(DANGER)
    security = Api(both.services, READ, SECURITY, name="soc")
    for query in ({}, {"route": "security"}, {"team": "security"}, {"priority": "P1"}, {"requester": NURSE}):
        assert secret not in both.listed(**query), query
        assert DANGER not in both.get("/tickets", **query).get_data(as_text=True), query
        assert secret in security.listed(**query), query


FILTERS = [
    ("status", "open", "closed"),
    ("route", "queue", "incident"),
    ("category", NOT_MINOR, "printer"),
    ("team", "clinical_apps", "network"),
    ("priority", "P3", "P4"),
    ("requester", NURSE, "else@example.org"),
    ("unit", "4 West", "4 West "),
    ("device", "PRN-1", "prn-1"),
]


def test_a_filter_keeps_what_matches_exactly(both):
    ref = both.file(unit="4 West", device="PRN-1")
    for name, value, other in FILTERS:
        assert both.listed(**{name: value}) == [ref], name
        assert both.listed(**{name: other}) == [], name


def test_filters_work_together_with_the_cursor(api):
    mine = [[api.file(unit="ICU"), api.file(unit="Lab")][0] for _ in range(5)]
    assert all_pages(api, unit="ICU", category=NOT_MINOR, limit=2) == mine[::-1]


@pytest.mark.parametrize("name", ["colour", "restricted", "text", "id", "1=1", "status'", "\x00", "see_restricted"])
def test_an_unknown_filter_is_400_and_named(api, name):
    assert refusal(api.get("/tickets", **{name: "x"}), 400)["field"] == name


@pytest.mark.parametrize(
    ("name", "value"),
    [("status", "opened"), ("status", "open\x00"), ("route", ""), ("priority", "P5"), ("priority", "p1")],
)
def test_a_filter_with_an_impossible_value_is_400_and_named(api, name, value):
    assert refusal(api.get("/tickets", **{name: value}), 400)["field"] == name


ODD_VALUES = [
    "\x00", f"{NOT_MINOR}\x00", "%", "_", "' OR 1=1 --", "\ud800", "x" * 10_000, "\u202e", "*", "[]", '{"$ne": 1}',
]  # fmt: skip


def test_an_odd_filter_value_finds_nothing_and_breaks_nothing(both):
    both.file()
    for name in ("category", "unit"):
        for value in ODD_VALUES:
            answer = both._ask("GET", "/tickets", query_string=f"{name}={percent(value)}")
            assert answer.status_code in (200, 400), (name, value)
            assert answer.json.get("tickets", []) == [], (name, value)


def percent(value):
    """Return a value as a hostile client writes it into an address, surrogates and all."""
    return "".join(f"%{byte:02x}" for byte in value.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("name", ["cursor", "limit"])
@pytest.mark.parametrize("value", NO_NUMBERS, ids=[ascii(value)[:20] for value in NO_NUMBERS])
def test_a_cursor_or_limit_that_is_no_number_is_400_and_named(api, name, value):
    assert refusal(api.get("/tickets", **{name: value}), 400)["field"] == name


def test_a_huge_cursor_and_a_huge_limit_are_just_a_list(both):
    ref = both.file()
    assert both.listed(cursor="9" * 15, limit="9" * 15) == [ref]


def test_a_list_gives_at_most_200_tickets(api):
    for number in range(201):
        service.file_ticket(api.services, a_message(external_id=f"m-{number}"), NOON)
    assert len(api.listed(limit=1000)) == 200


# --- when things go wrong -------------------------------------------------------------


@pytest.mark.parametrize("readable", [True, False], ids=["read-only", "gone"])
def test_a_ticket_that_cannot_be_stored_is_503_with_a_time_to_come_back(api, readable):
    closed = replace(api.services, transactions=ClosedStore(api.services.transactions, readable=readable))
    client = create_app(StandIn(closed, settings.load())).test_client()
    body = {"text": "MRN 00123456", "requester": NURSE}
    answer = client.post("/api/v1/tickets", json=body, headers={"Authorization": f"Bearer {api.token}"})
    refusal(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
    assert "says a test" not in answer.get_data(as_text=True)
    assert api.listed() == []


def test_a_list_that_cannot_be_read_is_503_too(api):
    closed = replace(api.services, transactions=ClosedStore(api.services.transactions, readable=False))
    client = create_app(StandIn(closed, settings.load())).test_client()
    answer = client.get("/api/v1/tickets", headers={"Authorization": f"Bearer {api.token}"})
    refusal(answer, 503)
    assert "Retry-After" in answer.headers


class BrokenStore:
    """Transactions in which something nobody foresaw happens."""

    def read(self, query):
        raise RuntimeError("MRN 00123456 of Mr Sampleman")

    write = read


def test_a_fault_nobody_foresaw_is_500_without_a_word_of_it(api):
    broken = replace(api.services, transactions=BrokenStore())
    client = create_app(StandIn(broken, settings.load())).test_client()
    answer = client.get("/api/v1/tickets", headers={"Authorization": f"Bearer {api.token}"})
    refusal(answer, 500)
    assert "Sampleman" not in answer.get_data(as_text=True)


@pytest.mark.parametrize("path", ["/tickets", "/tickets/IT-1", "/tickets/IT-999"])
def test_every_answer_is_marked_as_not_to_be_kept_or_framed(api, path):
    api.file()
    headers = api.get(path).headers
    assert headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Set-Cookie" not in headers
    assert "Access-Control-Allow-Origin" not in headers
