"""Owns what Slack hands out for a short while: triggers and response URLs; refuses those used up or too old."""

import json
import secrets
import threading
from dataclasses import dataclass

from slack_server.checks import Refusal, check_words

TRIGGER_SECONDS, URL_SECONDS, URL_USES = 3.0, 30 * 60.0, 5


@dataclass
class Trigger:
    """Leave to open one form for one person, now."""

    user: str
    view: object
    until: float
    used: bool = False


class Triggers:
    """All that were handed out."""

    def __init__(self, clock):
        self._clock, self._all = clock, {}

    def issue(self, user_id, view=None):
        """Return a fresh trigger id; `view` is the form it was clicked in."""
        name = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self._all[name] = Trigger(user_id, view, self._clock.now() + TRIGGER_SECONDS)
        return name

    def use(self, name):
        """Take a trigger, or refuse."""
        trigger = self._all.get(name)
        if trigger is None:
            raise Refusal("invalid_trigger_id")
        if trigger.used:
            raise Refusal("exchanged_trigger_id")
        if self._clock.now() > trigger.until:
            raise Refusal("expired_trigger_id")
        trigger.used = True
        return trigger


@dataclass
class _Url:
    channel: object
    user: str
    message: object
    until: float
    left: int = URL_USES


class ResponseUrls:
    """All that were handed out, and what is written through them."""

    def __init__(self, workspace):
        self._workspace, self._all, self._lock = workspace, {}, threading.Lock()
        self.base, self.refuse = "", None

    def issue(self, channel, user_id, message=None):
        """Return a fresh URL for a conversation and the message that was clicked, if any."""
        name = secrets.token_urlsafe(12)
        self._all[name] = _Url(channel, user_id, message, self._workspace.clock.now() + URL_SECONDS)
        return f"{self.base}/response/{name}"

    def use(self, name, body):
        """Carry out a post to a URL; returns (status, headers, body)."""
        content = {}
        try:
            content = json.loads(body)
            with self._lock:
                self._take(name)
            self.say(self._all[name], content)
        except ValueError:
            return 400, {}, b"invalid_payload"
        except Refusal as refusal:
            self.refuse("response_url", content, refusal)
            gone = refusal.answer["error"] in ("used_url", "expired_url")
            return 404 if gone else 400, {"Content-Type": "application/json"}, json.dumps(refusal.answer).encode()
        return 200, {"Content-Type": "application/json"}, b'{"ok":true}'

    def _take(self, name):
        url = self._all.get(name)
        if url is None or url.left <= 0:
            raise Refusal("used_url")
        if self._workspace.clock.now() > url.until:
            raise Refusal("expired_url")
        url.left -= 1

    def say(self, url, content):
        """Write, replace or delete as an answer asks for."""
        with self._workspace.lock:
            if content.get("delete_original"):
                if url.message:
                    self._workspace.remove(url.message)
                return
            check_words(content)
            if content.get("replace_original") and url.message:
                changes = {"text": content.get("text") or "", "blocks": content.get("blocks") or []}
                self._workspace.edit(url.message, changes)
                return
            self._post(url, content)

    def _post(self, url, content):
        app = self._workspace.app
        public = content.get("response_type") == "in_channel"
        self._workspace.post(
            url.channel, app.user_id, content.get("text") or "", blocks=content.get("blocks"), bot_id=app.bot_id,
            attachments=content.get("attachments") or [], thread_ts=content.get("thread_ts"),
            only_for=None if public else url.user,
        )  # fmt: skip

    def answer(self, channel, user_id, content):
        """Write what an acknowledgement says."""
        content = {"text": content} if isinstance(content, str) else content
        self.say(_Url(channel, user_id, None, 0), content)
