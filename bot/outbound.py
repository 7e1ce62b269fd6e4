"""Owns the way from a notice to a Slack message, once; refuses to decide what is said."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot import blocks, inbound
from bot.directory import Directory
from bot.text import cut, escape
from triage.commit import Transactions
from triage.policy import Policy
from triage.store import tickets
from triage.ticket import DeliveryError, Notice, Status

PACE = 1.0  # seconds between two messages to one channel: what Slack allows for long
TEXT = 3000  # characters of the plain words beside the blocks, which phones and screen readers show
HISTORY = 50  # messages looked through for one that may have arrived
EVENT = "triage_notice"
_MAYBE_DONE = {"fatal_error", "internal_error", "service_unavailable"}
_NO_THREAD = {"thread_not_found", "cannot_reply_to_message", "message_not_found"}


class SlackNotifier:
    """Sends notices to people and team channels; the port `Notifier`.

    A message carries the notice's key in its metadata. When an earlier try may have
    arrived, the channel is looked through for that key before anything is sent again.
    """

    def __init__(self, client: WebClient, directory: Directory, transactions: Transactions, policy: Policy) -> None:
        self._client = client
        self._directory = directory
        self._transactions = transactions
        self._policy = policy
        self._lock = threading.Lock()
        self._sent_at: dict[str, float] = {}

    def send(self, notice: Notice, *, again: bool = False) -> str | None:
        """Send one notice; returns "channel:ts" of the message. Raises DeliveryError."""
        try:
            row = self._row(notice)
            channel, thread = self._place(notice, row)
            if again and (ts := self._arrived(channel, thread, notice.key)):
                return inbound.place_of(channel, ts)
            self._wait_for_turn(channel)
            return inbound.place_of(channel, self._post(channel, thread, notice, row))
        except SlackApiError as error:
            raise _as_failure(error) from None
        except KeyError as error:
            raise DeliveryError(f"the bot sees no channel {error}", permanent=True) from None
        except (OSError, HTTPException) as error:
            raise DeliveryError(f"Slack cannot be reached: {type(error).__name__}") from None

    def _row(self, notice: Notice) -> Any:
        ticket_id = tickets.id_of(notice.ref)
        if ticket_id is None:
            return None
        return self._transactions.read(lambda conn: tickets.get(conn, ticket_id))

    def _place(self, notice: Notice, row: Any) -> tuple[str, str | None]:
        """Return channel and thread: a reporter is answered under their own message, where there is one."""
        kind, _, name = notice.to.partition(":")
        if kind == "channel":
            return self._directory.channel(name), None
        if row is not None and row.channel == inbound.CHANNEL:
            channel, _, ts = row.external_id.partition(":")
            if ts and channel[:1] in "CDG":
                return channel, ts
        return self._directory.direct(self._directory.user_of(name)), None

    def _post(self, channel: str, thread: str | None, notice: Notice, row: Any) -> str:
        def post(under: str | None) -> str:
            answer = self._client.chat_postMessage(
                channel=channel,
                thread_ts=under,
                text=cut(escape(notice.text), TEXT),
                blocks=self._blocks(notice, row),
                unfurl_links=False,
                unfurl_media=False,
                metadata={"event_type": EVENT, "event_payload": {"key": _mark(notice.key)}},
            )
            return str(answer["ts"])

        try:
            return post(thread)
        except SlackApiError as error:
            if thread is None or error.response["error"] not in _NO_THREAD:
                raise
            return post(None)  # the message was deleted: the answer stands by itself

    def _blocks(self, notice: Notice, row: Any) -> list[blocks.Block]:
        if notice.kind in ("card", "security"):
            labels = {slug: category.label.en for slug, category in self._policy.categories.items()}
            return blocks.card(notice.text, notice.ref, labels)
        buttons: tuple[str, ...] = ()
        if notice.kind == "answer" and row is not None and row.status == Status.WAITING:
            buttons = ("fixed", "not_fixed")
        if notice.kind == "resolved":
            buttons = ("reopen",)
        return blocks.answer(notice.text, notice.ref, notice.language, buttons)

    def _arrived(self, channel: str, thread: str | None, key: str) -> str | None:
        """Return the time of a message with this key, if an earlier try did arrive."""
        look: dict[str, Any] = {"channel": channel, "limit": HISTORY, "include_all_metadata": True}
        found = (
            self._client.conversations_replies(ts=thread, **look)
            if thread
            else self._client.conversations_history(**look)
        )
        for message in found["messages"]:
            if (message.get("metadata") or {}).get("event_payload", {}).get("key") == _mark(key):
                return str(message["ts"])
        return None

    def _wait_for_turn(self, channel: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Take this channel's next turn, or put the notice off until it comes."""
        with self._lock:
            wait = self._sent_at.get(channel, -PACE) + PACE - clock()
            if wait <= 0:
                self._sent_at[channel] = clock()
        if wait > 0:
            raise DeliveryError("the channel's turn has not come", retry_after=wait, untried=True)


def _mark(key: str) -> str:
    """Return what stands for a key in metadata, which any app of the workspace can read."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _as_failure(error: SlackApiError) -> DeliveryError:
    status, code = error.response.status_code, str(error.response["error"])
    if status == 429:
        return DeliveryError("ratelimited", retry_after=float(error.response.headers.get("Retry-After", "1")))
    maybe = status >= 500 or code in _MAYBE_DONE or code.startswith("Received a response in a non-JSON")
    return DeliveryError(code[:100], permanent=not maybe)
