"""Owns the way from a notice to a Slack message, once; refuses to decide what is said."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot import blocks, home, inbound
from bot.directory import Directory
from bot.text import cut, escape
from bot.words import say
from triage.commit import Transactions
from triage.policy import Policy
from triage.service import RATINGS
from triage.store import outbox, tickets
from triage.ticket import DeliveryError, Notice, Priority, Route

PACE = 1.0  # seconds between two messages to one channel: what Slack allows for long
TEXT = 3000  # characters of the plain words beside the blocks, which phones and screen readers show
RETRY = 60.0  # seconds until we try again to be let in
HISTORY = 50  # messages looked through for one that may have arrived
EVENT = "triage_notice"
_BROADCAST = {"reopened", "raised"}  # under a card, and seen in the channel all the same
_RATINGS = tuple(f"rate_{rating}" for rating in RATINGS)
# The buttons that make a ticket more pressing, and the answer that each one gives.
_IMPACT = {"affects_care": "affects_care", "no_other_device": "other_device", "whole_unit": "whole_unit"}
_MAYBE_DONE = {"fatal_error", "internal_error", "service_unavailable"}
# Nothing is wrong with the notice: somebody has to mend the app, and then everything is sent.
_WITHOUT_US = {"token_revoked", "token_expired", "account_inactive", "invalid_auth", "not_authed", "missing_scope"}
_NO_THREAD = {"thread_not_found", "cannot_reply_to_message", "message_not_found"}
_NOT_THERE = {"message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found", "is_archived"}


class SlackNotifier:
    """Sends notices to people and team channels; the port `Notifier`.

    A message carries the notice's key in its metadata. When an earlier try may have
    arrived, the channel is looked through for that key before anything is sent again.
    What stands on a card is drawn from what is stored at that moment.
    """

    def __init__(
        self, client: WebClient, directory: Directory, transactions: Transactions, policy: Policy, url: str
    ) -> None:
        self._client = client
        self._directory = directory
        self._transactions = transactions
        self._policy = policy
        self._choices = blocks.Choices(
            {slug: category.label.en for slug, category in policy.categories.items()}
            | {"out_of_scope": say("not_for_it")},
            {slug: team.label.en for slug, team in policy.teams.items()},
            url,
        )
        self._lock = threading.Lock()
        self._sent_at: dict[str, float] = {}

    def send(self, notice: Notice, *, again: bool = False) -> str | None:
        """Send one notice; returns "channel:ts" of the message. Raises DeliveryError."""
        try:
            if notice.kind == "home":
                self._publish(notice.to.partition(":")[2])
                return None
            row, place = self._stored(notice)
            if place and (shown := self._replace(place, notice, row)):
                return shown
            channel, thread = self._place(notice, row)
            if notice.kind == "masked" and channel[:1] != "D":
                self._whisper(channel, notice)
                return None
            if again and (ts := self._arrived(channel, thread, notice.key)):
                return inbound.place_of(channel, ts)
            self._wait_for_turn(channel)
            return inbound.place_of(channel, self._post(channel, thread, notice, row))
        except SlackApiError as error:
            raise _as_failure(error) from None
        except KeyError as error:
            raise DeliveryError(f"the bot sees no channel {error}: invite it", permanent=True) from None
        except (OSError, HTTPException) as error:
            raise DeliveryError(f"Slack cannot be reached: {type(error).__name__}") from None

    def _stored(self, notice: Notice) -> tuple[Any, str | None]:
        """Return the ticket's row, and where the notice that this one replaces stands."""
        ticket_id = tickets.id_of(notice.ref)

        def look(conn: Any) -> tuple[Any, str | None]:
            row = tickets.get(conn, ticket_id) if ticket_id is not None else None
            return row, outbox.receipt(conn, notice.replaces) if notice.replaces else None

        return self._transactions.read(look)

    def _publish(self, email: str) -> None:
        user = self._directory.user_of(email)
        language = self._directory.person(user).language
        self._client.views_publish(user_id=user, view=home.draw(self._transactions, self._policy, email, language))

    def _replace(self, place: str, notice: Notice, row: Any) -> str | None:
        """Change a message in place: always with blocks, or the old buttons would stay. None when it is gone."""
        channel, ts = inbound.channel_and_thread(place)
        try:
            self._client.chat_update(
                channel=channel, ts=ts, text=cut(escape(notice.text), TEXT), blocks=self._blocks(notice, row)
            )
        except SlackApiError as error:
            if error.response["error"] not in _NOT_THERE:
                raise
            return None
        return place

    def _whisper(self, channel: str, notice: Notice) -> None:
        user = self._directory.user_of(notice.to.partition(":")[2])
        self._client.chat_postEphemeral(channel=channel, user=user, text=escape(notice.text))

    def _place(self, notice: Notice, row: Any) -> tuple[str, str | None]:
        """Return channel and thread: a reporter is answered under their own message, where there is one."""
        kind, _, name = notice.to.partition(":")
        if kind == "channel":
            channel = self._directory.channel(name)
            card = self._transactions.read(lambda conn: outbox.receipt(conn, notice.under)) if notice.under else None
            at, thread = inbound.channel_and_thread(card) if card else ("", "")
            return channel, thread if at == channel else None  # the card may stand in another team's channel
        if row is not None and row.channel == inbound.CHANNEL and inbound.is_place(row.external_id):
            gone = inbound.deleted(row.external_id)
            if not self._transactions.read(lambda conn: tickets.is_said(conn, row.id, gone)):
                return inbound.channel_and_thread(row.external_id)
        return self._directory.direct(self._directory.user_of(name)), None

    def _post(self, channel: str, thread: str | None, notice: Notice, row: Any) -> str:
        def post(under: str | None) -> str:
            answer = self._client.chat_postMessage(
                channel=channel,
                thread_ts=under,
                reply_broadcast=True if under and notice.kind in _BROADCAST else None,
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
        if notice.kind in ("card", "security") and row is not None:
            handles = blocks.Handles(row.is_open, bool(row.assignee), row.restricted)
            return blocks.card(notice.text, notice.ref, self._choices, handles)
        if notice.kind == "escalation" and row is not None and row.is_open and not row.assignee:
            return blocks.call(notice.text, notice.ref)
        said = blocks.answer(notice.text, notice.ref, notice.language, *self._say(notice, row))
        solved = row is not None and not row.is_open and notice.kind in ("answer", "resolved")
        return [*said, blocks.aside(say("rated", notice.language))] if solved and self._is_rated(row) else said

    def _say(self, notice: Notice, row: Any) -> Iterator[Sequence[str]]:
        """Yield rows of what a reporter can say to a message in one tap."""
        if row is None or notice.kind not in ("answer", "resolved"):
            return
        if not row.is_open:
            confirmed = row.route == Route.AUTO_RESOLVE and not row.assignee
            if notice.kind == "resolved" or confirmed:
                yield "reopen", *(() if self._is_rated(row) else _RATINGS)
            return
        if notice.kind == "answer":
            if tickets.offers_fix(row):
                yield "fixed", "not_fixed"
            if row.priority != Priority.P1:
                yield [name for name, answered in _IMPACT.items() if row.impact.get(answered) is None]

    def _is_rated(self, row: Any) -> bool:
        return self._transactions.read(lambda conn: tickets.is_rated(conn, row.id))

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
    if code in _WITHOUT_US:
        return DeliveryError(f"Slack does not let us in ({code}): see `triage doctor`", retry_after=RETRY)
    maybe = status >= 500 or code in _MAYBE_DONE or code.startswith("Received a response in a non-JSON")
    return DeliveryError(code[:100], permanent=not maybe)
