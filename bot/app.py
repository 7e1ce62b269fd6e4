"""Owns the Slack application: builds it and runs it in either transport; refuses business."""

from __future__ import annotations

import json
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from slack_bolt import App
from slack_bolt.adapter.socket_mode.websocket_client import SocketModeHandler
from slack_bolt.adapter.wsgi import SlackRequestHandler
from slack_bolt.error import BoltError
from slack_sdk import WebClient

from bot.catchup import CatchUp
from bot.directory import Directory
from bot.gate import Gate
from bot.listeners import Desk, register
from bot.outbound import SlackNotifier
from triage.commit import Transactions
from triage.policy import Policy
from triage.settings import Settings

WORKERS = 20  # Bolt's own five starve acknowledgements
LINES = 2  # connections of one process; Slack allows ten for an app
PING, PONG = 5, 3  # seconds between two pings, and until a missing pong makes a line count as dead
PATH = "/slack/events"
MANIFEST: dict[str, Any] = json.loads(Path(__file__).with_name("manifest.json").read_text(encoding="utf-8"))
ONCE = 60.0  # seconds
_REPEATED = ("on_error invoked", "Failed to check the current session", "Failed to retrieve WSS URL")
_APP_ID = re.compile(r"xapp-\d+-(A[A-Z0-9]+)-")


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
    return SlackNotifier(client, Directory(client), transactions, policy, settings.public_url)


def build(settings: Settings, desk: Desk, executor: ThreadPoolExecutor) -> App:
    """Return the application; asks Slack at once whether the token is good. Raises SlackRefusedError when not."""
    quiet = logging.getLogger("bot.slack")
    quiet.addFilter(_Seldom())
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


def app_id(settings: Settings) -> str:
    """Return the app's own id, which only its Socket Mode token tells; empty without one."""
    found = _APP_ID.match(settings.slack_app_token.get_secret_value())
    return found.group(1) if found else ""


def wsgi(app: App) -> Any:
    """Return the application for HTTP mode, to be mounted at PATH."""
    return Gate(SlackRequestHandler(app, path=PATH))


class _Seldom(logging.Filter):
    """Lets the client say once a minute that it cannot connect: it tries twice a second."""

    def __init__(self) -> None:
        super().__init__()
        self._last = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record may pass."""
        if not record.getMessage().startswith(_REPEATED):
            return True
        if record.created - self._last < ONCE:
            return False
        self._last = record.created
        return True


class _Handler(SocketModeHandler):
    """Socket Mode that looks for pongs, and lets go of a replaced line within seconds instead of ten."""

    def __init__(self, app: App, app_token: str) -> None:
        super().__init__(app, app_token, ping_interval=PING)
        self._connect = self.client.connect
        self.client.connect = self._connect_impatiently  # type: ignore[method-assign]  # it makes each new session

    def _connect_impatiently(self) -> None:
        self._connect()
        session: Any = self.client.current_session
        session.run_forever = partial(session.run_forever, ping_timeout=PONG)


class Line:
    """Several running Socket Mode connections: while Slack renews one, another takes the work."""

    def __init__(self, app: App, app_token: str, desk: Desk | None = None, lines: int = LINES) -> None:
        self._handlers: list[Any] = [_Handler(app, app_token) for _ in range(lines)]
        self._catch_up = CatchUp(desk, app.client, lambda: self.is_up) if desk else None

    def start(self) -> None:
        """Connect; returns at once."""
        for handler in self._handlers:
            handler.connect()
        if self._catch_up:
            self._catch_up.start()

    @property
    def is_up(self) -> bool:
        """Tell whether Slack can reach us now."""
        return any(handler.client.is_connected() for handler in self._handlers)

    def stop(self) -> None:
        """Leave, at once: the client's own close() takes ten seconds, and without it its threads would call again."""
        if self._catch_up:
            self._catch_up.stop()
        for handler in self._handlers:
            client = handler.client
            client.closed = True
            client.auto_reconnect_enabled = client.default_auto_reconnect_enabled = False
            for runner in (client.current_app_monitor, client.current_session_runner, client.message_processor):
                runner.event.set()
            client.disconnect()
