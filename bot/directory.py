"""Owns who is who in Slack: people, their addresses and channels, looked up once and remembered; refuses to write."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

NO_MAIL = "slack.invalid"  # the domain of people without an e-mail address, such as guests
_NOBODY = {"user_not_found", "users_not_found", "user_not_visible"}
REMEMBERED = 15 * 60.0  # seconds


@dataclass(frozen=True)
class Person:
    """Somebody in Slack; `email` may be a stand-in that only leads back to them."""

    id: str
    email: str
    language: str


class Directory:
    """Looks people and channels up by one Slack client; safe to use from several threads."""

    def __init__(self, client: WebClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], tuple[float, Any]] = {}

    def person(self, user_id: str) -> Person:
        """Return somebody by id; one that Slack does not tell about still is somebody."""
        found: Person = self._remembered("person", user_id, self._ask_person)
        return found

    def _ask_person(self, user_id: str) -> Person:
        try:
            user: dict[str, Any] = self._client.users_info(user=user_id, include_locale=True)["user"]
        except SlackApiError as error:
            if error.response["error"] not in _NOBODY:
                raise  # a busy Slack must not turn somebody into a stranger
            return Person(user_id, f"{user_id}@{NO_MAIL}", "en")
        email = (user.get("profile") or {}).get("email") or f"{user_id}@{NO_MAIL}"
        language = "fr" if str(user.get("locale") or "").startswith("fr") else "en"
        return Person(user_id, email.lower(), language)

    def user_of(self, email: str) -> str:
        """Return the id behind an address. Raises SlackApiError for nobody."""
        local, _, domain = email.rpartition("@")
        if domain == NO_MAIL:
            return local
        return str(self._remembered("user", email, lambda e: self._client.users_lookupByEmail(email=e)["user"]["id"]))

    def direct(self, user_id: str) -> str:
        """Return the channel of the direct messages with somebody."""
        return str(self._remembered("dm", user_id, lambda u: self._client.conversations_open(users=u)["channel"]["id"]))

    def channel(self, name: str) -> str:
        """Return the id of a channel. Raises KeyError when the bot sees none of that name."""
        return str(self._remembered("channel", name, self._ask_channel))

    def _ask_channel(self, name: str) -> str:
        cursor = ""
        while True:
            page = self._client.conversations_list(
                types="public_channel,private_channel", exclude_archived=True, limit=200, cursor=cursor
            )
            for channel in page["channels"]:
                if channel["name"] == name:
                    return str(channel["id"])
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                raise KeyError(name)

    def _remembered(self, kind: str, name: str, ask: Any) -> Any:
        with self._lock:
            when, found = self._known.get((kind, name), (0.0, None))
        if found is not None and time.monotonic() - when < REMEMBERED:
            return found
        found = ask(name)
        with self._lock:
            self._known[kind, name] = (time.monotonic(), found)
        return found
