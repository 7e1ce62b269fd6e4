"""Owns what people wrote while Slack could not reach the bot: reads it back and files it; refuses to file twice.

Slack delivers an event again within about six minutes. After a longer break the conversations
are read back from when a line was last up; each message is taken as if its event came now, and
its key makes it one ticket however often that happens.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.desk import Desk
from bot.listeners import take
from triage import service
from triage.store import marks, schedules

log = structlog.get_logger()

MARK = "slack"  # when Slack could reach some process of ours
EVERY = 10.0  # seconds between two marks
BREAK = timedelta(seconds=60)  # a shorter one is covered by Slack's own retries
MARGIN = timedelta(minutes=10)  # read back from before the break: the last events may have been lost in it
THREADS = timedelta(days=1)  # how far before the break a thread may have begun whose new answers are looked for
LONGEST_WAIT = 60.0  # seconds
_KINDS = "im,public_channel,private_channel"


class CatchUp:
    """Watches how long Slack could not reach us, and reads back what was written meanwhile."""

    def __init__(self, desk: Desk, client: WebClient, is_up: Any) -> None:
        self._desk = desk
        self._client = client
        self._is_up = is_up
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="slack-catch-up", daemon=True)

    def start(self) -> None:
        """Begin to watch; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End, soon."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.is_set():
            wait = 0.5
            if self._is_up():
                try:
                    self._look()
                    wait = EVERY
                except Exception as error:  # noqa: BLE001 - whatever failed is tried again, from the same mark
                    log.error("not_caught_up", error=type(error).__name__)
                    wait = LONGEST_WAIT
            self._stop.wait(wait)

    def _look(self) -> None:
        """Note that a line is up, once what was missed before is filed."""
        desk, now = self._desk, self._desk.clock()
        since = desk.services.transactions.read(lambda conn: marks.last_seen(conn, MARK))
        if since and now - since > BREAK:
            # One process reads back for all; should it die, another does once its turn has run out.
            turn = desk.services.transactions.write(lambda conn: schedules.claim(conn, "slack-catch-up", BREAK, now))
            if not turn:
                return
            found = self.read_back(since)
            log.info("caught_up", since=since.isoformat(timespec="seconds"), messages=found)
        desk.services.transactions.write(lambda conn: marks.seen(conn, MARK, now))

    def read_back(self, since: datetime) -> int:
        """File what was written since a time; returns how many messages were looked at. May raise what Slack does."""
        count = 0
        for event in sorted(self._written(since - MARGIN), key=lambda event: float(event["ts"])):
            filed, _ = take(self._desk, event)
            count += 1
            if filed is not None and not filed.triaged:
                service.triage_ticket(self._desk.services, filed, self._desk.clock())
        return count

    def _written(self, since: datetime) -> Iterator[dict[str, Any]]:
        """Yield the messages and answers since a time, as the events that Slack would have sent."""
        bot = self._ask("auth_test")["user_id"]
        oldest = f"{since.timestamp():.6f}"
        begun = f"{(since - THREADS).timestamp():.6f}"
        for channel in self._pages("conversations_list", "channels", types=_KINDS, exclude_archived=True):
            if not channel.get("is_im") and not channel.get("is_member"):
                continue
            kind = "im" if channel.get("is_im") else "group" if channel.get("is_private") else "channel"
            for message in self._pages("conversations_history", "messages", channel=channel["id"], oldest=begun):
                yield from self._events(message, channel["id"], kind, bot, oldest)

    def _events(
        self, message: dict[str, Any], channel: str, kind: str, bot: str, oldest: str
    ) -> Iterator[dict[str, Any]]:
        said = {"type": "message", "channel": channel, "channel_type": kind}
        if float(message["ts"]) >= float(oldest):
            yield from _as_events(message | said, bot)
        if message.get("reply_count") and float(message.get("latest_reply") or "inf") >= float(oldest):
            asked = {"channel": channel, "ts": message["ts"], "oldest": oldest}
            for answer in self._pages("conversations_replies", "messages", **asked):
                if answer["ts"] != message["ts"]:
                    yield from _as_events(answer | said, bot)

    def _pages(self, method: str, name: str, **asked: Any) -> Iterator[dict[str, Any]]:
        cursor = ""
        while True:
            page = self._ask(method, limit=200, cursor=cursor, **asked)
            yield from page[name]
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return

    def _ask(self, method: str, **asked: Any) -> Any:
        """Call Slack; wait as long as it asks for when we were too fast."""
        while True:
            try:
                return getattr(self._client, method)(**asked)
            except SlackApiError as error:
                if error.response.status_code != 429 or self._stop.is_set():
                    raise
                wait = float(error.response.headers.get("Retry-After", "1"))
                self._stop.wait(min(wait, LONGEST_WAIT))


def _as_events(message: dict[str, Any], bot: str) -> Iterator[dict[str, Any]]:
    """Yield a message as the events it would have been: in a channel, one that names the bot is a mention too."""
    yield message
    if f"<@{bot}>" in (message.get("text") or "") and message["channel_type"] != "im":
        yield message | {"type": "app_mention"}
