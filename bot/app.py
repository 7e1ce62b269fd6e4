"""Owns the Slack application: builds it and runs it in either transport; refuses business."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from slack_bolt import App
from slack_bolt.adapter.socket_mode.websocket_client import SocketModeHandler
from slack_bolt.adapter.wsgi import SlackRequestHandler
from slack_bolt.error import BoltError
from slack_sdk import WebClient

from bot.directory import Directory
from bot.listeners import Desk, register
from bot.outbound import SlackNotifier
from triage.commit import Transactions
from triage.policy import Policy
from triage.settings import Settings

log = structlog.get_logger()

WORKERS = 20  # Bolt's own five starve acknowledgements
PING = 5  # seconds
SILENT = 15.0  # seconds without a pong after which a line counts as dead
PATH = "/slack/events"


class SlackRefusedError(Exception):
    """Slack does not take the bot's token; the text says why."""


def web_client(settings: Settings) -> WebClient:
    """Return a client of Slack's Web API. It never retries by itself: that would double messages."""
    base_url = settings.slack_api_url or WebClient.BASE_URL
    token = settings.slack_bot_token.get_secret_value()
    return WebClient(token=token, base_url=base_url, timeout=10, retry_handlers=[])


def notifier(settings: Settings, transactions: Transactions, policy: Policy) -> SlackNotifier:
    """Return the notifier that sends to Slack."""
    client = web_client(settings)
    return SlackNotifier(client, Directory(client), transactions, policy)


def build(settings: Settings, desk: Desk, executor: ThreadPoolExecutor) -> App:
    """Return the application; asks Slack at once whether the token is good. Raises SlackRefusedError when not."""
    quiet = logging.getLogger("bot.slack")
    for logger in (quiet, logging.getLogger("slack_sdk")):
        logger.setLevel(logging.WARNING)  # below that Bolt prints what people wrote
    try:
        app = App(
            client=web_client(settings),
            signing_secret=settings.slack_signing_secret.get_secret_value() or None,
            listener_executor=executor,
            logger=quiet,
        )
    except BoltError as error:
        raise SlackRefusedError(str(error)) from None
    register(app, desk)
    return app


def wsgi(app: App) -> Any:
    """Return the application for HTTP mode, to be mounted at PATH."""
    return SlackRequestHandler(app, path=PATH)


class Line:
    """A running Socket Mode connection that notices when it is dead."""

    def __init__(self, app: App, app_token: str) -> None:
        self._handler: Any = SocketModeHandler(app, app_token, ping_interval=PING)
        self._stop = threading.Event()
        self._watch = threading.Thread(target=self._watch_pongs, name="slack-line", daemon=True)

    def start(self) -> None:
        """Connect; returns at once."""
        self._handler.connect()
        self._watch.start()

    @property
    def is_up(self) -> bool:
        """Tell whether Slack can reach us now."""
        return bool(self._handler.client.is_connected())

    def stop(self) -> None:
        """Leave, at once: the client's own close() takes ten seconds, and without it its threads would call again."""
        self._stop.set()
        client = self._handler.client
        client.closed = True
        client.auto_reconnect_enabled = client.default_auto_reconnect_enabled = False
        for runner in (client.current_app_monitor, client.current_session_runner, client.message_processor):
            runner.event.set()
        client.disconnect()
        self._watch.join(timeout=5)

    def _watch_pongs(self) -> None:
        """Close a socket whose pongs stopped: the client then connects again by itself."""
        current, since = None, 0.0
        while not self._stop.wait(1):
            line: Any = self._handler.client.current_session
            if line is not current:
                current, since = line, time.time()
            if line is not None and line.sock is not None and time.time() - max(since, line.last_pong_tm) > SILENT:
                log.warning("slack_line_silent", seconds=SILENT)
                line.close()
