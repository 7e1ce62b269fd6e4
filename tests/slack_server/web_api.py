"""Owns the HTTP side on loopback: reads calls, runs methods, misbehaves on demand; refuses what `checks` refuses."""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from slack_server.checks import Refusal, Request, check_request
from slack_server.methods import Call
from slack_server.methods_more import METHODS

STORED = "stored_then_"
SERVER_FAULTS = ("500", "502", "503")


@dataclass
class Record:
    """One call and what came of it; `stored` tells whether it was carried out."""

    method: str
    arguments: dict
    answer: dict
    at: float
    stored: bool = True
    fault: str = ""

    @property
    def ok(self):
        """Whether Slack said yes."""
        return bool(self.answer.get("ok"))

    @property
    def error(self):
        """Slack's error code, empty if none."""
        return self.answer.get("error", "")

    def __repr__(self):
        why = (self.answer.get("response_metadata") or {}).get("messages", "") if self.error else ""
        return f"<{self.method} {self.error or 'ok'} {why} {self.fault}>"


@dataclass
class Fault:
    """How often a method goes wrong, and how."""

    method: str
    kind: str
    times: int
    retry_after: int = 1
    seconds: float = 1.0


class Dropped(Exception):  # noqa: N818 - an event on the line, not a mistake
    """The line is closed without an answer."""


@dataclass
class WebApi:
    """Answers the Web API, response URLs and file downloads."""

    workspace: object
    triggers: object
    sockets: object
    responses: object
    calls: list = field(default_factory=list)
    faults: list = field(default_factory=list)

    def start(self):
        """Listen on a free port of 127.0.0.1."""
        self.stopping = threading.Event()
        self._guard = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), type("Bound", (_Handler,), {"api": self}))
        self.base = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, name="slack-web-api", daemon=True
        )
        self._thread.start()

    def stop(self):
        """Close the port; calls that hang are let go."""
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def misbehave(self, fault):
        """Let a method go wrong; `*` is any."""
        with self._guard:
            self.faults.append(fault)

    def serve(self, request):
        """Return (status, headers, body) of a call; may raise Dropped."""
        fault = self._next_fault(request.method)
        kind = fault.kind if fault else ""
        act = kind.removeprefix(STORED)
        if act == "slow":
            self.stopping.wait(fault.seconds)
        carried_out = act in ("", "slow") or kind.startswith(STORED)
        answer = self.run(request) if carried_out else {"ok": False, "error": act}
        if act == "429":
            answer = {"ok": False, "error": "ratelimited"}
        self._note(Record(request.method, request.arguments, answer, self.workspace.clock.now(), carried_out, kind))
        return self._spoiled(act, fault, answer)

    def run(self, request):
        """Check and carry out a call."""
        try:
            with self.workspace.lock:
                check_request(request, self.workspace.app)
                call = Call(self.workspace, request.arguments, self.triggers, self.sockets)
                return {"ok": True} | METHODS[request.method](call)
        except Refusal as refusal:
            return refusal.answer

    def refuse(self, where, content, refusal):
        """Note that Slack refused something that came otherwise than by a call, such as an answer to a form."""
        self._note(Record(where, content, refusal.answer, self.workspace.clock.now(), stored=False))

    def _note(self, record):
        with self._guard:
            self.calls.append(record)

    def _next_fault(self, method):
        with self._guard:
            for fault in self.faults:
                if fault.method in (method, "*") and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def _spoiled(self, act, fault, answer):
        body = json.dumps(answer).encode()
        if act == "timeout":
            self.stopping.wait(fault.seconds)
        if act in ("timeout", "dropped"):
            raise Dropped
        if act in SERVER_FAULTS:
            return int(act), {"Content-Type": "text/html"}, b"<html>Something went wrong</html>"
        if act == "429":
            return 429, {"Content-Type": "application/json", "Retry-After": str(fault.retry_after)}, body
        if act == "broken_json":
            body = body[: len(body) // 2]
        scopes = {"x-oauth-scopes": ",".join(sorted(self.workspace.app.scopes))}
        return 200, {"Content-Type": "application/json; charset=utf-8"} | scopes, body


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for them
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """Say nothing: a client that went away is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    api: WebApi
    timeout = 5

    def do_POST(self):
        """Answer a call or the use of a response URL."""
        place, length = urlsplit(self.path), int(self.headers.get("Content-Length") or 0)
        try:
            body = self._body(length)
            if place.path.startswith("/api/"):
                answer = self.api.serve(self._request(place, body))
            elif place.path.startswith("/response/"):
                answer = self.api.responses.use(place.path.removeprefix("/response/"), body)
            elif place.path.startswith("/files/"):
                answer = self._file(place.path.removeprefix("/files/"))
            else:
                answer = 404, {}, b"no such place"
            self._send(*answer)
        except (Dropped, OSError):
            self.close_connection = True

    do_GET = do_POST  # noqa: N815 - the name that http.server calls

    def _body(self, length):
        body = self.rfile.read(length)
        if len(body) < length:  # the caller died in the middle
            raise Dropped
        return body

    def _request(self, place, body):
        arguments = dict(parse_qsl(place.query, keep_blank_values=True))
        as_json = "json" in (self.headers.get("Content-Type") or "")
        if body and as_json:
            arguments |= json.loads(body)
        elif body:
            arguments |= dict(parse_qsl(body.decode(), keep_blank_values=True))
        bearer = (self.headers.get("Authorization") or "").removeprefix("Bearer ").strip()
        token = bearer or arguments.pop("token", None)
        arguments.pop("token", None)
        return Request(place.path.removeprefix("/api/"), token, arguments, as_json)

    def _file(self, file_id):
        found = self.api.workspace.files.get(file_id)
        app = self.api.workspace.app
        allowed = self.headers.get("Authorization") == f"Bearer {app.bot_token}" and "files:read" in app.scopes
        if not found or not allowed:  # Slack shows its login page instead
            return 200, {"Content-Type": "text/html"}, b"<html>Sign in</html>"
        return 200, {"Content-Type": found["mimetype"]}, found["content"]

    def _send(self, status, headers, body):
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body)), "Connection": "close"}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""
