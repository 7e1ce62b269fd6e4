"""Owns Socket Mode: one-time URLs, lines, envelopes, their acknowledgements; refuses a URL that was used before."""

import itertools
import json
import secrets
import socket
import struct
import threading
import time
import uuid
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

MOST = 10  # lines of one app
CLOSES_AFTER = {"warning": 10.0, "refresh_requested": 2.0, "too_many_websockets": 0.0, "link_disabled": 0.0}  # seconds


class Line(ServerConnection):
    """One WebSocket; `silent` swallows every byte both ways without closing."""

    silent = False
    leaving = False  # a disconnect was announced: no more work goes here

    def send_data(self):
        """Send, or swallow."""
        if self.silent:
            list(self.protocol.data_to_send())
        else:
            super().send_data()

    def cut(self):
        """Reset the TCP connection, without a goodbye."""
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:  # it is closed already
            return
        self.close_socket()


class Sockets:
    """All lines of the app; each piece of work goes to one of them."""

    def __init__(self, app, errands):
        self._app, self._errands = app, errands
        self._lock = threading.Condition()
        self._tickets, self._lines, self._waiting = set(), [], {}
        self._turn = itertools.count()
        self._stopping, self._arriving = False, set()
        self.opened = 0  # how many lines there ever were

    def start(self):
        """Listen on a free port of 127.0.0.1."""
        self._server = serve(
            self._talk, "127.0.0.1", 0, process_request=self._admit, create_connection=Line,
            ping_interval=None, close_timeout=0.5, open_timeout=5, compression=None,
        )  # fmt: skip
        self._port = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="slack-sockets", daemon=True)
        self._thread.start()

    def stop(self):
        """Cut every line and close the port."""
        self._tickets.clear()
        self._stopping = True
        self.cut()
        with self._lock:
            for arrived in self._arriving:
                arrived.set()
        self._server.shutdown()
        self._thread.join(5)

    def fresh_url(self):
        """Return a URL that opens one line, once."""
        ticket = secrets.token_urlsafe(16)
        with self._lock:
            self._tickets.add(ticket)
        return f"ws://127.0.0.1:{self._port}/link/?ticket={ticket}&app_id={self._app.app_id}"

    @property
    def lines(self):
        """The lines that take work, oldest first."""
        with self._lock:
            return [line for line in self._lines if not line.leaving]

    def wait_for(self, number=1, timeout=8.0, *, opened=0):
        """Wait until so many lines are open (and so many were ever opened)."""
        with self._lock:
            fine = self._lock.wait_for(
                lambda: sum(not line.leaving for line in self._lines) >= number and self.opened >= opened, timeout
            )
        assert fine, f"{len(self.lines)} lines are open, not {number}; {self.opened} were opened in all"

    def cut(self, *lines):
        """Reset lines (all, if none is named)."""
        for line in lines or tuple(self._lines):
            line.cut()

    def silence(self, *lines):
        """Let lines swallow everything from now on."""
        for line in lines or self.lines:
            line.silent = True

    def disconnect(self, reason="refresh_requested", *lines):
        """Announce the end of lines as Slack does, and close them some seconds later."""
        for line in lines or self.lines:
            self._leave(line, reason)

    def _leave(self, line, reason):
        line.leaving = True
        host = {"host": "applink-1"}
        self._say(line, {"type": "disconnect", "reason": reason, "debug_info": host})
        self._errands.run(self._close, line, after=CLOSES_AFTER.get(reason, 0.0))

    @staticmethod
    def _close(line):
        line.close()

    @staticmethod
    def _say(line, message):
        try:
            line.send(json.dumps(message))
        except ConnectionClosed:
            return False
        return True

    def _admit(self, line, request):
        ticket = (parse_qs(urlsplit(request.path).query).get("ticket") or [""])[0]
        with self._lock:
            if ticket not in self._tickets:
                return line.respond(403, "this URL was used before\n")
            self._tickets.remove(ticket)
        return None

    def _talk(self, line):
        with self._lock:
            crowded = len([each for each in self._lines if not each.leaving]) >= MOST
            self._lines.append(line)
            self.opened += 1
            number = len(self._lines)
        debug = {"host": "applink-1", "build_number": 1, "approximate_connection_time": 18060}
        self._say(line, {"type": "hello", "num_connections": number, "debug_info": debug,
                         "connection_info": {"app_id": self._app.app_id}})  # fmt: skip
        if crowded:
            self._leave(line, "too_many_websockets")
        with self._lock:
            self._lock.notify_all()
        try:
            for message in line:
                if not line.silent:
                    self._heard(message)
        except ConnectionClosed:
            pass  # a cut line is part of the tests
        finally:
            with self._lock:
                self._lines.remove(line)
                self._lock.notify_all()

    def _heard(self, message):
        try:
            said = json.loads(message)
        except ValueError:
            return
        with self._lock:
            heard = self._waiting.get(said.get("envelope_id")) if isinstance(said, dict) else None
        if heard:
            heard(said)

    def deliver(self, delivery, attempt, patience):
        """Send one envelope to one line and wait for its acknowledgement."""
        lines = self.lines
        if not lines:
            attempt.failed = "connection_failed"
            return
        line = lines[next(self._turn) % len(lines)]
        envelope, began, arrived = str(uuid.uuid4()), time.monotonic(), threading.Event()

        def heard(said):
            seconds = time.monotonic() - began
            if attempt.over:
                delivery.late.append(seconds)
            elif not arrived.is_set():
                attempt.seconds, attempt.answer = seconds, said.get("payload")
                arrived.set()

        with self._lock:
            self._waiting[envelope] = heard
            self._arriving.add(arrived)
        self._say(line, _envelope(delivery, attempt, envelope))
        if self._stopping or not arrived.wait(patience) or attempt.seconds is None:
            attempt.failed = "timeout"
        attempt.over = True
        with self._lock:
            self._arriving.discard(arrived)


def _envelope(delivery, attempt, envelope_id):
    made = {"envelope_id": envelope_id, "type": delivery.kind, "payload": delivery.payload,
            "accepts_response_payload": delivery.takes_answer}  # fmt: skip
    if delivery.kind == "events_api":
        made |= {"retry_attempt": attempt.number, "retry_reason": attempt.reason}
    return made
