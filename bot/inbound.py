"""Owns the way from Slack's payloads to messages; pure, refuses to look anything up."""

from __future__ import annotations

import re
from typing import Any

from bot.text import plain
from triage.ticket import ClinicalImpact, Message

CHANNEL = "slack"
_NEW = (None, "file_share", "thread_broadcast")  # the subtypes that are somebody's new words
_YES, _NO = "yes", "no"
_EMOJI = re.compile(r":[\w+'-]+:")


def is_request(event: dict[str, Any]) -> bool:
    """Tell whether an event is a person's new request: a direct message, or a mention.

    Bots, edits, deletions and replies in threads are none; a mention in a thread is one,
    unless the thread is a ticket's already.
    """
    if event.get("bot_id") or not event.get("user") or event.get("subtype") not in _NEW:
        return False
    if event.get("type") == "app_mention":
        return True
    direct = event.get("type") == "message" and event.get("channel_type") == "im"
    return direct and event.get("thread_ts") in (None, event.get("ts"))


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
    thread = event.get("thread_ts") or ""
    place = place_of(event["channel"], event["ts"], "" if thread == event["ts"] else thread)
    return Message(text, CHANNEL, place, requester)


def says_nothing(text: str) -> bool:
    """Tell whether a text has no word to go by, such as one emoji."""
    return not any(sign.isalnum() for sign in _EMOJI.sub("", text))


def place_of(channel: str, ts: str, thread: str = "") -> str:
    """Return the id of a message within Slack, under which its ticket is unique; `thread` when it is a reply."""
    return f"{channel}:{ts}:{thread}" if thread else f"{channel}:{ts}"


def deleted(place: str) -> str:
    """Return the id under which it is kept that a message is gone."""
    return f"{place}:deleted"


def is_place(external_id: str) -> bool:
    """Tell whether an id is a message's, not a command's or a form's."""
    return external_id[:1] in ("C", "D", "G") and ":" in external_id


def channel_and_thread(place: str) -> tuple[str, str]:
    """Return where a message stands and the thread that answers to it go to."""
    channel, ts, *thread = place.split(":")
    return channel, thread[0] if thread else ts


def is_change(event: dict[str, Any]) -> bool:
    """Tell whether an event says that a person changed their own words."""
    inner = event.get("message") or {}
    changed = event.get("type") == "message" and event.get("subtype") == "message_changed"
    return bool(changed and inner.get("edited") and inner.get("user") and not inner.get("bot_id"))


def is_deletion(event: dict[str, Any]) -> bool:
    """Tell whether an event says that a person deleted their own words."""
    inner = event.get("previous_message") or {}
    deleted = event.get("type") == "message" and event.get("subtype") == "message_deleted"
    return bool(deleted and inner.get("user") and not inner.get("bot_id"))


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


def is_ticked(values: dict[str, Any], block: str) -> bool:
    """Tell whether a box of a form was ticked."""
    return any(element.get("selected_options") for element in values.get(block, {}).values())


def _chosen(values: dict[str, Any], block: str) -> bool | None:
    for element in values.get(block, {}).values():
        option = str((element.get("selected_option") or {}).get("value"))
        return {_YES: True, _NO: False}.get(option)
    return None
