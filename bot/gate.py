"""Owns what may reach Bolt over HTTP: requests of Slack's size and form, each command and click once; refuses words."""

from __future__ import annotations

import io
import json
import threading
import time
from typing import Any
from urllib.parse import parse_qs

LARGEST = 1_000_000  # bytes; Slack's own stay far below
REPLAY = 5 * 60.0  # seconds in which Slack's signature of a request holds
_FORM = "application/x-www-form-urlencoded"


class Gate:
    """A WSGI application around another.

    Slack delivers an event again when it is not sure, so a repeat is let through: its keys make
    it harmless. It never repeats a command or a click: the same one again, with the same
    signature, is a replay. Nothing is remembered of a request that was refused.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer one request."""
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdigit() or int(length) > LARGEST:
            return _refuse(start_response, "413 Content Too Large")
        body = environ["wsgi.input"].read(int(length))
        environ["wsgi.input"] = io.BytesIO(body)
        if not (environ.get("HTTP_X_SLACK_REQUEST_TIMESTAMP") or "0").isdigit():
            return _refuse(start_response, "401 Unauthorized")
        is_form = environ.get("CONTENT_TYPE", "").startswith(_FORM)
        if not _is_readable(body, is_form=is_form):
            return _refuse(start_response, "400 Bad Request")
        signature = environ.get("HTTP_X_SLACK_SIGNATURE", "")
        if is_form and self._is_replay(signature):
            return _refuse(start_response, "401 Unauthorized")

        def remember(status: str, headers: Any, exc_info: Any = None) -> Any:
            if is_form and status.startswith("200"):
                with self._lock:
                    self._seen[signature] = time.monotonic()
            return start_response(status, headers, exc_info) if exc_info else start_response(status, headers)

        return self._app(environ, remember)

    def _is_replay(self, signature: str) -> bool:
        now = time.monotonic()
        with self._lock:
            for old in [one for one, at in self._seen.items() if now - at > REPLAY]:
                del self._seen[old]
            return signature in self._seen


def _is_readable(body: bytes, *, is_form: bool) -> bool:
    try:
        text = body.decode("utf-8")
        if is_form:
            payload = parse_qs(text).get("payload")
            return payload is None or isinstance(json.loads(payload[0]), dict)
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _refuse(start_response: Any, status: str) -> list[bytes]:
    start_response(status, [("Content-Type", "text/plain")])
    return [b""]
