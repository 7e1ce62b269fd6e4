"""Owns what every listener needs: who somebody is, what they may, and a word to them alone; refuses to act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPException
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError

from bot.directory import Directory, Person
from bot.rush import Rush
from bot.text import escape
from bot.words import say
from triage import service
from triage.roles import may
from triage.store import people, tickets

log = structlog.get_logger()

UNREACHABLE = (SlackApiError, OSError, HTTPException)


@dataclass(frozen=True)
class Desk:
    """What the listeners work with. `app_id` is empty where nothing tells it; in a `rush` storing goes first."""

    services: service.Services
    directory: Directory
    clock: Callable[[], datetime]
    app_id: str = ""
    rush: Rush = field(default_factory=Rush)

    def ticket(self, ref: str) -> Any:
        """Return a ticket's row, or None."""
        ticket_id = tickets.id_of(ref)
        if ticket_id is None:
            return None
        return self.services.transactions.read(lambda conn: tickets.get(conn, ticket_id))

    def clicked(self, body: dict[str, Any]) -> Person:
        """Return who clicked, typed a command or sent a form."""
        return self.directory.person(body["user"]["id"])

    def may_work(self, person: Person, row: Any) -> bool:
        """Tell whether somebody may work on a ticket: the same permissions as everywhere."""
        account = self.services.transactions.read(lambda conn: people.user(conn, person.email))
        if account is None or row is None or not may(account.role, "tickets:work"):
            return False
        return not row.restricted or may(account.role, "security:read")

    def language(self, body: dict[str, Any]) -> str:
        """Return the language of who clicked; English while Slack does not tell."""
        try:
            return self.clicked(body).language
        except UNREACHABLE:
            return "en"

    def whisper(self, client: Any, body: dict[str, Any], text: str) -> None:
        """Say something to one person alone where they clicked, else in their messages with the bot.

        It is a courtesy: when Slack does not take it, nothing is lost.
        """
        channel, user = (body.get("channel") or {}).get("id"), body["user"]["id"]
        try:
            client.chat_postEphemeral(channel=channel or self.directory.direct(user), user=user, text=escape(text))
        except UNREACHABLE as error:
            log.warning("not_whispered", error=type(error).__name__)

    def open_form(self, client: Any, body: dict[str, Any], view: dict[str, Any]) -> None:
        """Open a form; who was too slow is asked to try again."""
        try:
            client.views_open(trigger_id=body["trigger_id"], view=view)
        except UNREACHABLE as error:
            log.warning("form_not_opened", error=type(error).__name__)
            self.whisper(client, body, say("too_slow", self.language(body)))
