"""Owns the way from Slack's payloads to messages; pure, refuses to look anything up."""

from __future__ import annotations

from typing import Any

from bot.text import plain
from triage.ticket import ClinicalImpact, Message

CHANNEL = "slack"
_NEW = (None, "file_share", "thread_broadcast")  # the subtypes that are somebody's new words
_YES, _NO = "yes", "no"


def is_request(event: dict[str, Any]) -> bool:
    """Tell whether an event is a person's new request: a direct message or a mention that opens no old thread.

    Bots, edits, deletions and replies in threads are none.
    """
    if event.get("bot_id") or not event.get("user") or event.get("subtype") not in _NEW:
        return False
    if event.get("thread_ts") not in (None, event.get("ts")):
        return False
    direct = event.get("type") == "message" and event.get("channel_type") == "im"
    return direct or event.get("type") == "app_mention"


def is_reply(event: dict[str, Any]) -> bool:
    """Tell whether an event is a person's words in the thread of something said before."""
    human = event.get("type") == "message" and not event.get("bot_id") and event.get("user")
    return bool(human and event.get("subtype") in _NEW and event.get("thread_ts") not in (None, event.get("ts")))


def from_event(event: dict[str, Any], requester: str) -> Message:
    """Return the message of a request event; files are named, never fetched."""
    names = [name for file in event.get("files") or [] if (name := file.get("name"))]
    text = plain(event.get("text") or "").strip()
    if names:
        text = f"{text}\n[{', '.join(names)}]".strip()
    return Message(text, CHANNEL, place_of(event["channel"], event["ts"]), requester)


def place_of(channel: str, ts: str) -> str:
    """Return the id of a message within Slack, under which its ticket is unique."""
    return f"{channel}:{ts}"


def from_command(body: dict[str, Any], requester: str) -> Message:
    """Return the message of `/it TEXT`; its text is raw, nothing in it is escaped."""
    return Message((body.get("text") or "").strip(), CHANNEL, f"command:{body['trigger_id']}", requester)


def from_form(view: dict[str, Any], requester: str) -> Message:
    """Return the message of a submitted form."""
    values = view["state"]["values"]
    return Message(
        raw_text=typed(values, "what"),
        channel=CHANNEL,
        external_id=f"view:{view['id']}",
        requester=requester,
        unit=typed(values, "where"),
        device=typed(values, "device"),
        impact=ClinicalImpact(affects_care=_chosen(values, "care")),
    )


def typed(values: dict[str, Any], block: str) -> str:
    """Return what was typed into an input of a form."""
    for element in values.get(block, {}).values():
        return (element.get("value") or "").strip()
    return ""


def _chosen(values: dict[str, Any], block: str) -> bool | None:
    for element in values.get(block, {}).values():
        option = str((element.get("selected_option") or {}).get("value"))
        return {_YES: True, _NO: False}.get(option)
    return None
