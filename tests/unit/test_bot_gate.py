"""What reaches Bolt over HTTP has Slack's size and form, and a command or a click comes once."""

import io
import json
from urllib.parse import urlencode

import pytest

from bot import gate

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
CLICK = urlencode({"payload": json.dumps({"type": "block_actions"})}).encode()
EVENT = json.dumps({"type": "event_callback"}).encode()


class Inner:
    """Stands for Bolt: counts what it gets and answers as told."""

    def __init__(self, status="200 OK"):
        self.status, self.bodies = status, []

    def __call__(self, environ, start_response):
        self.bodies.append(environ["wsgi.input"].read())
        start_response(self.status, [])
        return [b"done"]


def knock(app, body, kind, signature="v0=abc", **more):
    """Post to the gate; returns the status."""
    told = []
    environ = {
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": kind,
        "HTTP_X_SLACK_SIGNATURE": signature,
        "HTTP_X_SLACK_REQUEST_TIMESTAMP": "1700000000",
        "wsgi.input": io.BytesIO(body),
    }
    app(environ | more, lambda status, headers, *_: told.append(status))
    return told[0][:3]


@pytest.mark.parametrize(("body", "kind"), [(CLICK, FORM), (EVENT, JSON), (b"command=%2Fit&text=x", FORM)])
def test_what_slack_sends_is_let_through_as_it_is(body, kind):
    inner = Inner()
    assert knock(gate.Gate(inner), body, kind) == "200"
    assert inner.bodies == [body]


@pytest.mark.parametrize(("body", "kind"), [(b"{", JSON), (b"[]", JSON), (b"\xff", JSON), (b"payload=%7B", FORM)])
def test_what_has_not_slacks_form_is_refused(body, kind):
    inner = Inner()
    assert knock(gate.Gate(inner), body, kind) == "400"
    assert inner.bodies == []


@pytest.mark.parametrize("length", [str(gate.LARGEST + 1), "-1", "many"])
def test_what_is_larger_than_anything_of_slacks_is_refused_unread(length):
    assert knock(gate.Gate(Inner()), EVENT, JSON, CONTENT_LENGTH=length) == "413"


def test_a_time_that_is_no_number_is_refused():
    assert knock(gate.Gate(Inner()), EVENT, JSON, HTTP_X_SLACK_REQUEST_TIMESTAMP="soon") == "401"


def test_the_same_click_again_is_a_replay_and_the_same_event_is_not():
    inner = Inner()
    app = gate.Gate(inner)
    assert [knock(app, CLICK, FORM) for _ in range(2)] == ["200", "401"]
    assert [knock(app, EVENT, JSON) for _ in range(2)] == ["200", "200"]
    assert knock(app, CLICK, FORM, "v0=another") == "200"


def test_a_click_that_was_refused_may_come_again():
    app = gate.Gate(Inner("500 Oh"))
    assert [knock(app, CLICK, FORM) for _ in range(2)] == ["500", "500"]


def test_a_signature_is_forgotten_once_slack_would_refuse_it_by_its_time(monkeypatch):
    app, now = gate.Gate(Inner()), [1000.0]
    monkeypatch.setattr(gate.time, "monotonic", lambda: now[0])
    assert knock(app, CLICK, FORM) == "200"
    now[0] += gate.REPLAY + 1
    assert knock(app, CLICK, FORM) == "200"
