"""Owns the way from Slack to the app: signed or by envelope, once or several times; refuses what the manifest lacks."""

import hashlib
import hmac
import http.client
import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

RETRIES = (0.0, 60.0, 300.0)  # seconds after the failure before
KINDS = {"im": "message.im", "channel": "message.channels", "group": "message.groups"}
TAKES_ANSWER = ("slash_commands", "view_submission", "block_suggestion")


@dataclass
class Attempt:
    """One try to deliver: how long the acknowledgement took, or why there was none."""

    number: int
    reason: str = ""
    seconds: float | None = None
    status: int | None = None
    answer: object = None
    failed: str = ""
    no_retry: bool = False
    over: bool = False


@dataclass(eq=False)
class Delivery:
    """Something that the app should learn of, and every try to tell it."""

    kind: str  # events_api, slash_commands, interactive
    payload: dict
    attempts: list = field(default_factory=list)
    late: list = field(default_factory=list)  # seconds of acknowledgements that came too late
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self):
        """What it is about: message, app_mention, /it, block_actions, view_submission, ..."""
        if self.kind == "events_api":
            return self.payload["event"]["type"]
        return self.payload.get("command") or self.payload["type"]

    @property
    def is_echo(self):
        """Whether it tells the app of its own message: never held, lost or doubled on demand."""
        event = self.payload.get("event") or {}
        parts = (event, event.get("message") or {}, event.get("previous_message") or {})
        return any(part.get("bot_id") for part in parts)

    @property
    def takes_answer(self):
        """Whether its acknowledgement may say something."""
        return self.kind == "slash_commands" or self.name in TAKES_ANSWER

    @property
    def acknowledged(self):
        """Whether some try was acknowledged in time."""
        return any(attempt.over and not attempt.failed for attempt in self.attempts)

    @property
    def answer(self):
        """What the acknowledgement said."""
        return next((each.answer for each in self.attempts if each.over and not each.failed), None)

    @property
    def failed(self):
        """Why the last try failed, empty if it did not."""
        return self.attempts[-1].failed if self.attempts else ""

    def wait(self, timeout=10.0):
        """Wait until it was acknowledged, or given up."""
        assert self.done.wait(timeout), f"{self.name} is still on its way after {timeout} s"
        return self


def signature(secret, body, timestamp):
    """Return the headers that prove a body comes from Slack."""
    base = b"v0:" + str(timestamp).encode() + b":" + body
    proof = hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": str(timestamp), "X-Slack-Signature": f"v0={proof}"}


def encoded(delivery):
    """Return (body, content type) as Slack sends them over HTTP."""
    if delivery.kind == "events_api":
        return json.dumps(delivery.payload).encode(), "application/json"
    form = delivery.payload if delivery.kind == "slash_commands" else {"payload": json.dumps(delivery.payload)}
    return urlencode(form).encode(), "application/x-www-form-urlencoded"


def post(url, body, headers, timeout):
    """Post to a loopback address; returns (status, headers, body)."""
    place = urlsplit(url)
    assert place.hostname in ("127.0.0.1", "localhost"), f"{url} is not on this machine"
    line = http.client.HTTPConnection(place.hostname, place.port, timeout=timeout)
    try:
        line.request("POST", place.path or "/", body, headers | {"User-Agent": "Slackbot 1.0"})
        answer = line.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        line.close()


class Deliveries:
    """Everything that is on its way to the app."""

    def __init__(self, app, sockets, errands, clock):
        self.app, self.sockets, self.errands, self.clock = app, sockets, errands, clock
        self.url = None  # HTTP mode when set
        self.patience = 3.0  # seconds before an acknowledgement is late
        self.all, self.held, self.untold = [], [], []
        self.holding, self.lose, self.repeat = False, 0, 0
        self._lock = threading.RLock()

    def announce(self, event, channel):
        """Tell the app of an event, if its manifest asks for it and it is where it happened."""
        name = KINDS.get(channel.kind, "") if event["type"] == "message" else event["type"]
        if name not in self.app.events or (channel and self.app.user_id not in channel.members):
            self.untold.append(event)
            return None
        if event["type"] in ("message", "app_mention"):
            event = event | {"channel": channel.id}
        if event["type"] == "message":
            event = event | {"channel_type": channel.kind}
        return self.send("events_api", self._event(event))

    def _event(self, event):
        authorization = {"team_id": self.app.team_id, "user_id": self.app.user_id, "is_bot": True,
                         "enterprise_id": None, "is_enterprise_install": False}  # fmt: skip
        return {
            "token": self.app.verification, "team_id": self.app.team_id, "api_app_id": self.app.app_id,
            "event": event, "type": "event_callback", "event_id": f"Ev{uuid.uuid4().hex[:10].upper()}",
            "event_time": int(self.clock.now()), "authorizations": [authorization],
            "is_ext_shared_channel": False, "event_context": uuid.uuid4().hex,
        }  # fmt: skip

    def send(self, kind, payload):
        """Send something off; returns the delivery, which may be waited for."""
        delivery = Delivery(kind, json.loads(json.dumps(payload)))
        with self._lock:
            self.all.append(delivery)
            from_people = kind == "events_api" and not delivery.is_echo
            if from_people and self.holding:
                self.held.append(delivery)
                return delivery
            again = from_people and self.repeat > 0
            self.repeat -= again
        self.errands.run(self._try, delivery)
        if again:
            self.again(delivery)
        return delivery

    def again(self, delivery):
        """Send a delivery once more, as Slack sometimes does though the first was acknowledged."""
        twin = Delivery(delivery.kind, delivery.payload)
        with self._lock:
            self.all.append(twin)
        self.errands.run(self._try, twin)
        return twin

    def release(self, *order):
        """Let held events go, one after the other, in the order given or as they came."""
        with self._lock:
            self.holding = False
            going = [*order, *(each for each in self.held if each not in order)]
            self.held = []
        for delivery in going:
            self.errands.run(self._try, delivery)
            self._settled(delivery)
        return going

    def _settled(self, delivery):
        until = time.monotonic() + self.patience + 2
        while not (delivery.attempts and delivery.attempts[0].over) and time.monotonic() < until:
            time.sleep(0.005)

    def _try(self, delivery):
        before = delivery.failed
        attempt = Attempt(len(delivery.attempts), before or "")
        delivery.attempts.append(attempt)
        if self.url:
            self._by_http(delivery, attempt)
        else:
            self.sockets.deliver(delivery, attempt, self.patience)
        with self._lock:
            if not attempt.failed and self.lose > 0 and not delivery.is_echo:
                self.lose -= 1
                attempt.failed = "http_timeout" if self.url else "timeout"
        attempt.over = True
        retried = delivery.kind == "events_api" and attempt.failed and not attempt.no_retry
        if retried and attempt.number < len(RETRIES):
            self.errands.run(self._try, delivery, after=RETRIES[attempt.number] or 0.05)
        else:
            delivery.done.set()

    def _by_http(self, delivery, attempt):
        body, kind = encoded(delivery)
        headers = {"Content-Type": kind} | signature(self.app.signing_secret, body, int(time.time()))
        if attempt.number:
            headers |= {"X-Slack-Retry-Num": str(attempt.number), "X-Slack-Retry-Reason": attempt.reason}
        began = time.monotonic()
        try:
            attempt.status, found, said = post(self.url, body, headers, self.patience)
        except TimeoutError:
            attempt.failed = "http_timeout"
        except (OSError, http.client.HTTPException):
            attempt.failed = "connection_failed"
        else:
            attempt.seconds, attempt.answer = time.monotonic() - began, _said(found, said)
            attempt.no_retry = found.get("X-Slack-No-Retry") == "1"
            attempt.failed = "" if attempt.status == 200 else "http_error"
            if attempt.seconds > self.patience:
                delivery.late.append(attempt.seconds)
                attempt.failed = "http_timeout"

    def knock(self, how="genuine", payload=None):
        """Post something over HTTP: genuine, forged, unsigned, stale, or a challenge; returns (status, body)."""
        body = json.dumps(payload or self._event({"type": "app_mention", "text": how, "user": "U0", "ts": "1.000001"}))
        secret = "not the secret" if how == "forged" else self.app.signing_secret
        headers = signature(secret, body.encode(), int(time.time()) - (600 if how == "stale" else 0))
        headers = {"Content-Type": "application/json"} | ({} if how == "unsigned" else headers)
        status, _, said = post(self.url, body.encode(), headers, self.patience)
        return status, said.decode()

    def verify(self):
        """Tell whether the URL answers Slack's challenge."""
        challenge = uuid.uuid4().hex
        payload = {"token": self.app.verification, "challenge": challenge, "type": "url_verification"}
        status, said = self.knock("genuine", payload)
        return status == 200 and challenge in said


def _said(headers, body):
    if not body:
        return None
    if "json" in (headers.get("Content-Type") or ""):
        return json.loads(body)
    return body.decode()
