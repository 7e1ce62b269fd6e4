"""Owns the Web API methods about messages and people; refuses by raising Slack's answer."""

import re
from dataclasses import dataclass
from typing import Any

from slack_server.checks import Refusal, check_words, count, flag, need_scope, need_scope_for

POSTED, UPDATED = 40_000, 4_000  # characters of text: more is cut, more is refused


@dataclass
class Call:
    """What a method works with: the workspace, the arguments, and who hands out triggers and lines."""

    workspace: Any
    arguments: dict
    triggers: Any = None
    sockets: Any = None

    def __getitem__(self, name):
        return self.arguments.get(name)

    @property
    def app(self):
        """The app that calls."""
        return self.workspace.app

    def channel(self, name="channel", *, member=False):
        """Return the channel asked for, if the bot may know of it (and, with `member`, is in it)."""
        channel = self.workspace.channels.get(self[name])
        inside = channel is not None and self.app.user_id in channel.members
        if channel is None or (channel.kind != "channel" and not inside):
            raise Refusal("channel_not_found")
        if member and not inside:
            raise Refusal("not_in_channel")
        return channel

    def user(self, name="user", error="user_not_found"):
        """Return the person asked for."""
        found = self.workspace.users.get(self[name])
        if found is None:
            raise Refusal(error)
        return found

    def own_message(self, error):
        """Return the message of the bot's own that is asked for."""
        message = self.channel().find(self["ts"])
        if message is None or message.only_for:
            raise Refusal("message_not_found")
        if message.bot_id != self.app.bot_id:
            raise Refusal(error)
        return message


def auth_test(call):
    app = call.app
    return {"url": "https://hospital.example/", "team": "hospital", "user": app.name, "team_id": app.team_id,
            "user_id": app.user_id, "bot_id": app.bot_id, "is_enterprise_install": False}  # fmt: skip


def open_connection(call):
    return {"url": call.sockets.fresh_url()}


def post_message(call):
    check_words(call.arguments)
    channel = _where_to_post(call)
    if channel.archived:
        raise Refusal("is_archived")
    thread = _parent(call, channel)
    text, cut = call["text"] or "", {}
    if len(text) > POSTED:
        text, cut = text[:POSTED], {"warning": "message_truncated"}
    message = call.workspace.post(
        channel, call.app.user_id, _as_pages(call, text), blocks=call["blocks"], thread_ts=thread,
        bot_id=call.app.bot_id, metadata=call["metadata"], attachments=call["attachments"] or [],
        subtype="thread_broadcast" if thread and flag(call.arguments, "reply_broadcast") else None,
    )  # fmt: skip
    return {"channel": channel.id, "ts": message.ts, "message": message.as_dict(metadata=True)} | cut


def _as_pages(call, text):
    """Return text in which names page people, where the caller asked for that."""
    if call["parse"] == "full" or flag(call.arguments, "link_names"):
        return re.sub(r"(?<!\w)@(channel|here|everyone)\b", r"<!\1>", text)
    return text


def _where_to_post(call):
    if call["channel"] in call.workspace.users:  # a person's id: their conversation with the bot
        if not call.app.messages_tab:
            raise Refusal("messages_tab_disabled")
        return call.workspace.conversation(call["channel"])
    channel = call.channel()
    if channel.kind == "im" and not call.app.messages_tab:
        raise Refusal("messages_tab_disabled")
    if call.app.user_id not in channel.members and "chat:write.public" not in call.app.scopes:
        raise Refusal("not_in_channel")
    return channel


def _parent(call, channel):
    ts = call["thread_ts"]
    if ts is None:
        return None
    if not isinstance(ts, str) or not re.fullmatch(r"\d{9,}\.\d{6}", ts):
        raise Refusal("invalid_thread_ts")
    parent = channel.find(ts)
    if parent is None or parent.is_reply:
        raise Refusal("thread_not_found")
    if parent.subtype in ("channel_join", "channel_leave"):
        raise Refusal("cannot_reply_to_message")
    return ts


def update_message(call):
    message = call.own_message("cant_update_message")
    given = {name: call[name] for name in ("text", "blocks", "attachments", "metadata") if call[name] is not None}
    check_words(given | ({} if given.get("text") or given.get("blocks") else {"text": message.text}), UPDATED)
    call.workspace.edit(message, given)
    return {"channel": message.channel.id, "ts": message.ts, "text": message.text, "message": message.as_dict()}


def delete_message(call):
    message = call.own_message("cant_delete_message")
    call.workspace.remove(message)
    return {"channel": message.channel.id, "ts": message.ts}


def post_ephemeral(call):
    check_words(call.arguments)
    channel = call.channel(member=True)
    if channel.archived:
        raise Refusal("is_archived")
    if call["user"] not in channel.members:
        raise Refusal("user_not_in_channel")
    message = call.workspace.post(
        channel, call.app.user_id, call["text"] or "", blocks=call["blocks"], thread_ts=_parent(call, channel),
        bot_id=call.app.bot_id, only_for=call["user"],
    )  # fmt: skip
    return {"message_ts": message.ts}


def permalink(call):
    channel = call.channel()
    if channel.find(call["message_ts"]) is None:
        raise Refusal("message_not_found")
    link = f"https://hospital.example/archives/{channel.id}/p{call['message_ts'].replace('.', '')}"
    return {"channel": channel.id, "permalink": link}


def open_conversation(call):
    if call["channel"]:
        return {"channel": call.channel().as_dict()}
    people = [each for each in (call["users"] or "").split(",") if each]
    if not people:
        raise Refusal("users_list_not_supplied")
    if len(people) > 1:
        need_scope(call.app, "mpim:write")
        raise Refusal("not_enough_users")  # conversations of several people are not pretended here
    if people[0] not in call.workspace.users or people[0] == call.app.user_id:
        raise Refusal("user_not_found")
    if not call.app.messages_tab:
        raise Refusal("messages_tab_disabled")
    return {"channel": {"id": call.workspace.conversation(people[0]).id}}


def channel_info(call):
    channel = call.channel()
    need_scope_for(call.app, channel, "read")
    return {"channel": channel.as_dict()}


def list_channels(call):
    names = {"public_channel": "channel", "private_channel": "group", "im": "im", "mpim": "mpim"}
    asked = (call["types"] or "public_channel").split(",")
    if unknown := [each for each in asked if each not in names]:
        raise Refusal("invalid_types", f"unknown {unknown}")
    rights = {"public_channel": "channels:read", "private_channel": "groups:read", "im": "im:read", "mpim": "mpim:read"}
    need_scope(call.app, *(rights[each] for each in asked))
    kinds = {names[each] for each in asked}
    found = [
        channel
        for channel in call.workspace.channels.values()
        if channel.kind in kinds
        and (channel.kind == "channel" or call.app.user_id in channel.members)
        and not (channel.archived and flag(call.arguments, "exclude_archived"))
    ]
    return paged(call, "channels", [channel.as_dict() for channel in found], 100, 1000)


def paged(call, name, found, default, most):
    """Return one page of an answer and the cursor of the next."""
    size = count(call.arguments, "limit", default, most)
    cursor = call["cursor"] or "0"
    if not str(cursor).isdigit() or int(cursor) > len(found):
        raise Refusal("invalid_cursor")
    end = int(cursor) + size
    more = end < len(found)
    return {name: found[int(cursor) : end], "has_more": more,
            "response_metadata": {"next_cursor": str(end) if more else ""}}  # fmt: skip


def _within(call, messages):
    oldest, latest = call["oldest"] or "0", call["latest"] or "9999999999.999999"
    both = flag(call.arguments, "inclusive")

    def inside(ts):
        return float(oldest) < float(ts) < float(latest) or (both and float(ts) in (float(oldest), float(latest)))

    return [message for message in messages if inside(message.ts)]


def history(call):
    channel = call.channel(member=True)
    need_scope_for(call.app, channel, "history")
    shown = [each for each in channel.messages if not each.is_reply or each.subtype == "thread_broadcast"]
    found = _within(call, reversed(shown))
    return paged(call, "messages", _dicts(call, channel, found), 100, 999)


def replies(call):
    channel = call.channel(member=True)
    need_scope_for(call.app, channel, "history")
    parent = channel.find(call["ts"])
    if parent is None:
        raise Refusal("thread_not_found")
    found = _within(call, channel.thread(parent.thread_ts or parent.ts))
    return paged(call, "messages", _dicts(call, channel, found), 1000, 1000)


def _dicts(call, channel, messages):
    whole = flag(call.arguments, "include_all_metadata")
    found = []
    for message in messages:
        number = len(channel.thread(message.ts)) - 1
        found.append(message.as_dict(metadata=whole) | ({"reply_count": number} if number else {}))
    return found


def join(call):
    channel = call.channel()
    if channel.archived:
        raise Refusal("is_archived")
    if channel.kind != "channel":
        raise Refusal("method_not_supported_for_channel_type")
    channel.members.add(call.app.user_id)
    return {"channel": channel.as_dict()}


def members(call):
    channel = call.channel()
    need_scope_for(call.app, channel, "read")
    return paged(call, "members", sorted(channel.members), 100, 1000)
