"""Owns the command, the shortcuts and the form that file a ticket; refuses to lose what was typed."""

from __future__ import annotations

from functools import partial
from typing import Any

import structlog

from bot import blocks, inbound
from bot.desk import UNREACHABLE, Desk
from bot.text import plain
from bot.words import say
from triage import service
from triage.ticket import Message

log = structlog.get_logger()

_HELP = {"help", "aide", "?"}
_CONTEXT = 10  # messages of a thread that a shortcut brings along


def register(app: Any, desk: Desk) -> None:
    """Connect the command, the shortcuts and the form."""
    app.command("/it")(ack=partial(_command, desk), lazy=[partial(_open_form, desk)])
    app.shortcut("new_ticket")(partial(_shortcut, desk))
    app.shortcut("file_ticket")(partial(_about_message, desk))
    app.view("ticket_form")(partial(_form, desk))


def file(desk: Desk, message: Message) -> str:
    """File a message and return the ticket's reference."""
    return service.receive(desk.services, message, desk.clock()).ticket.ref


def _command(desk: Desk, ack: Any, body: dict[str, Any]) -> None:
    """Acknowledge `/it TEXT` only once the ticket is committed; `/it` alone opens the form."""
    text = (body.get("text") or "").strip()
    if not text:
        ack()
        return
    language = "en"
    try:
        person = desk.directory.person(body["user_id"])
        language = person.language
        if text.lower() in _HELP:
            said = say("help", language, command=body["command"])
        elif inbound.says_nothing(text):
            said = say("say_more", language)
        else:
            said = say("filed", language, ref=file(desk, inbound.from_command(body, person.email)))
    except Exception as error:  # noqa: BLE001 - nobody retries a command: say it in words
        log.error("intake_failed", error=type(error).__name__)
        said = say("not_saved", language)
    ack(said)


def _open_form(desk: Desk, body: dict[str, Any], client: Any) -> None:
    if not (body.get("text") or "").strip():
        clicked = body | {"user": {"id": body["user_id"]}}
        desk.open_form(client, clicked, blocks.form(desk.language(clicked)))


def _shortcut(desk: Desk, ack: Any, body: dict[str, Any], client: Any) -> None:
    """Open the empty form."""
    ack()
    desk.open_form(client, body, blocks.form(desk.language(body)))


def _about_message(desk: Desk, ack: Any, body: dict[str, Any], client: Any) -> None:
    """Open the form with a message's words in it, and those of its thread below."""
    ack()
    message = body["message"]
    words = [plain(message.get("text") or ""), *_thread(client, body["channel"]["id"], message)]
    desk.open_form(client, body, blocks.form(desk.language(body), "\n\n".join(filter(None, words))))


def _thread(client: Any, channel: str, message: dict[str, Any]) -> list[str]:
    """Return what else was said in a message's thread; nothing where the bot may not look."""
    if not message.get("thread_ts"):
        return []
    try:
        found = client.conversations_replies(channel=channel, ts=message["thread_ts"], limit=_CONTEXT)
    except UNREACHABLE:
        return []
    others = [one for one in found["messages"] if one["ts"] != message["ts"] and not one.get("bot_id")]
    return [f"> {plain(one.get('text') or '')}" for one in others if one.get("text")]


def _form(desk: Desk, ack: Any, view: dict[str, Any], body: dict[str, Any]) -> None:
    """File a submitted form; when that fails it stays open and nothing typed is lost."""
    language = "en"
    try:
        person = desk.clicked(body)
        language = person.language
        message = inbound.from_form(view, person.email)
        if inbound.says_nothing(message.raw_text):
            ack(response_action="errors", errors={"what": say("empty", language)})
            return
        file(desk, message)
    except service.BadMessageError as error:
        ack(response_action="errors", errors={_block_of(error.field): error.reason})
        return
    except Exception as error:  # noqa: BLE001 - as above
        log.error("intake_failed", error=type(error).__name__)
        ack(response_action="errors", errors={"what": say("not_saved", language)})
        return
    ack()


def _block_of(field: str) -> str:
    return {"unit": "where", "device": "device"}.get(field, "what")
