"""Owns the state of a workspace: people, channels, messages, forms, Homes; refuses to check or to deliver anything."""

import itertools
import json
import re
import secrets
import threading
from dataclasses import dataclass, field

from slack_server.screen import labels_of, shown_text

BROADCAST = re.compile(r"<!(channel|here|everyone)(?:\|[^>]*)?>|<!subteam\^(\w+)(?:\|[^>]*)?>")


@dataclass(eq=False)
class User:
    """Somebody with an account; a guest may have no e-mail address."""

    id: str
    name: str
    email: str | None = None
    locale: str = "en-US"
    is_bot: bool = False
    deleted: bool = False


@dataclass(eq=False)
class Message:
    """Something written in a channel, or shown to one person alone (`only_for`)."""

    channel: "Channel"
    ts: str
    user: str
    text: str
    blocks: list = field(default_factory=list)
    thread_ts: str | None = None
    bot_id: str | None = None
    subtype: str | None = None
    metadata: dict | None = None
    attachments: list = field(default_factory=list)
    files: list = field(default_factory=list)
    reactions: dict = field(default_factory=dict)
    edited: str | None = None
    only_for: str | None = None
    deleted: bool = False

    @property
    def shown(self):
        """What a person reads: the blocks' words, else the text."""
        return shown_text(self.blocks) if self.blocks else self.text

    @property
    def buttons(self):
        """The labels of what can be clicked."""
        return labels_of(self.blocks)

    @property
    def is_reply(self):
        """Whether it hangs under another message."""
        return self.thread_ts not in (None, self.ts)

    def as_dict(self, *, metadata=False):
        """Return it as Slack's answers and payloads hold it."""
        found = {"type": "message", "user": self.user, "ts": self.ts, "text": self.text, "team": "T0HOSPITAL"}
        optional = {
            "subtype": self.subtype, "bot_id": self.bot_id, "app_id": self.bot_id and "A0HELPDESK",
            "thread_ts": self.thread_ts, "blocks": self.blocks, "attachments": self.attachments, "files": self.files,
            "edited": self.edited and {"user": self.user, "ts": self.edited},
            "metadata": self.metadata if metadata else None,
            "reactions": [{"name": n, "users": list(u), "count": len(u)} for n, u in self.reactions.items()],
        }  # fmt: skip
        return json.loads(json.dumps(found | {name: value for name, value in optional.items() if value}))


@dataclass(eq=False)
class Channel:
    """A conversation; `kind` is channel (open), group (closed) or im (with the bot)."""

    id: str
    name: str
    kind: str = "channel"
    members: set = field(default_factory=set)
    archived: bool = False
    everything: list = field(default_factory=list)

    @property
    def messages(self):
        """What stands in it now, replies in threads included, oldest first."""
        return [each for each in self.everything if not each.deleted and not each.only_for]

    def find(self, ts):
        """Return the message with this ts, or None."""
        return next((each for each in self.messages if each.ts == ts), None)

    def thread(self, ts):
        """Return a message and its replies."""
        return [each for each in self.messages if ts in (each.ts, each.thread_ts)]

    def as_dict(self):
        """Return it as Slack's answers hold it."""
        if self.kind == "im":
            person = next(iter(self.members - {"U0HELPDESK"}))
            return {"id": self.id, "is_im": True, "user": person, "is_archived": self.archived, "created": 1700000000}
        return {
            "id": self.id, "name": self.name, "name_normalized": self.name, "created": 1700000000,
            "is_channel": self.kind == "channel", "is_group": self.kind == "group", "is_im": False, "is_mpim": False,
            "is_private": self.kind == "group", "is_archived": self.archived,
            "is_member": "U0HELPDESK" in self.members, "num_members": len(self.members),
        }  # fmt: skip


@dataclass(eq=False)
class View:
    """A form or Home that a person sees, and what was typed into it."""

    id: str
    user: str
    content: dict
    hash: str
    root: str
    previous: str | None = None
    values: dict = field(default_factory=dict)

    def as_dict(self):
        """Return it as Slack's answers and payloads hold it."""
        empty = {"title": None, "submit": None, "close": None, "external_id": "", "private_metadata": "",
                 "callback_id": "", "notify_on_close": False, "clear_on_close": False}  # fmt: skip
        ids = {"id": self.id, "team_id": "T0HOSPITAL", "hash": self.hash, "root_view_id": self.root,
               "previous_view_id": self.previous, "app_id": "A0HELPDESK", "bot_id": "B0HELPDESK",
               "app_installed_team_id": "T0HOSPITAL", "state": {"values": self.values}}  # fmt: skip
        return json.loads(json.dumps(empty | self.content | ids))


class Workspace:
    """All of it, behind one lock; `announce(event, channel)` tells whoever delivers."""

    def __init__(self, clock, app):
        self.clock, self.app = clock, app
        self.lock = threading.RLock()
        self.users = {app.user_id: User(app.user_id, app.name, is_bot=True)}
        self.channels = {}
        self.stacks = {}  # forms that are open, by person, the top one last
        self.homes = {}
        self.files = {}
        self.toasts = []  # (person, what Slack tells them)
        self.written = []  # (where, what) of everything the app ever wrote
        self.paged = []
        self.announce = lambda event, channel: None
        self._count = itertools.count(1)
        self._last_ts = 0.0

    def new_id(self, letter):
        """Return a fresh id, e.g. U0000000A."""
        return f"{letter}0{next(self._count):08X}"

    def new_ts(self):
        """Return a ts that no other message has: a string, in order."""
        with self.lock:
            self._last_ts = max(self.clock.now(), self._last_ts + 0.000002)
            return f"{self._last_ts:.6f}"

    def conversation(self, user_id):
        """Return the direct conversation of a person with the bot, opened if there was none."""
        with self.lock:
            for channel in self.channels.values():
                if channel.kind == "im" and user_id in channel.members:
                    return channel
            made = Channel(self.new_id("D"), "", "im", {user_id, self.app.user_id})
            return self.channels.setdefault(made.id, made)

    def named(self, blocks):
        """Return a copy of blocks in which each has its id, as Slack adds them."""
        made = json.loads(json.dumps(blocks or []))
        for block in made:
            block.setdefault("block_id", secrets.token_urlsafe(4))
            parts = [*(block.get("elements") or []), block.get("accessory"), block.get("element")]
            for part in parts:
                if isinstance(part, dict) and part.get("type") not in ("mrkdwn", "plain_text", "image", None):
                    part.setdefault("action_id", secrets.token_urlsafe(4))
        return made

    def post(self, channel, user, text, **more):
        """Store a message and announce it; the app's own are noted for `anywhere` and `paged`."""
        with self.lock:
            more["blocks"] = self.named(more.get("blocks"))
            message = Message(channel, self.new_ts(), user, text, **more)
            if message.thread_ts and (parent := channel.find(message.thread_ts)):
                parent.thread_ts = parent.ts
            channel.everything.append(message)
            self.note(message)
            if not message.only_for:
                self.announce(message.as_dict() | {"event_ts": message.ts}, channel)
            return message

    def edit(self, message, changes, *, announce=True):
        """Change a message and announce the change."""
        with self.lock:
            before = message.as_dict()
            for name, value in changes.items():
                setattr(message, name, self.named(value) if name == "blocks" else value)
            message.edited = self.new_ts()
            self.note(message)
            if announce and not message.only_for:
                self._changed("message_changed", message.channel, {"message": message.as_dict()}, before)

    def remove(self, message):
        """Delete a message and announce it."""
        with self.lock:
            message.deleted = True
            if not message.only_for:
                self._changed("message_deleted", message.channel, {"deleted_ts": message.ts}, message.as_dict())

    def _changed(self, subtype, channel, what, before):
        ts = self.new_ts()
        event = {"type": "message", "subtype": subtype, "hidden": True, "ts": ts, "event_ts": ts}
        self.announce(event | what | {"previous_message": before}, channel)

    def note(self, message):
        """Remember what the app wrote, and whom any message paged."""
        if message.bot_id:
            place = f"message {message.channel.id}/{message.ts}"
            self.written.append((place, [message.text, message.blocks, message.attachments, message.metadata]))
        source = json.dumps([message.text, message.blocks, message.attachments], ensure_ascii=False)
        for match in BROADCAST.finditer(source):
            who = sorted(message.channel.members - {self.app.user_id})
            self.paged.append((match.group(1) or match.group(2), message, who))

    def show(self, user_id, content, previous=None):
        """Put a form on top of a person's stack."""
        with self.lock:
            view = self._view(user_id, content)
            view.root, view.previous = (previous.root, previous.id) if previous else (view.id, None)
            self.stacks.setdefault(user_id, []).append(view)
            return view

    def publish(self, user_id, content):
        """Set a person's Home; its id stays the same."""
        with self.lock:
            view = self._view(user_id, content)
            if old := self.homes.get(user_id):
                view.id = view.root = old.id
            self.homes[user_id] = view
            return view

    def change(self, view, content):
        """Replace a form's content; what was typed stays where block and action ids stay."""
        with self.lock:
            fresh = self._view(view.user, content)
            view.content, view.hash = fresh.content, fresh.hash
            kept = {b: {a: v for a, v in typed.items() if a in fresh.values.get(b, {}) and _filled(v)}
                    for b, typed in view.values.items()}  # fmt: skip
            view.values = {b: typed | kept.get(b, {}) for b, typed in fresh.values.items()}

    def open_view(self, *, id=None, external_id=None):  # noqa: A002 - Slack's word
        """Return a form that is open, or None."""
        views = [view for stack in self.stacks.values() for view in stack] + list(self.homes.values())
        for view in views:
            if id == view.id or (external_id and view.content.get("external_id") == external_id):
                return view
        return None

    def _view(self, user_id, content):
        from slack_server.forms import first_values  # what stands in a form before anybody types

        content = content | {"blocks": self.named(content.get("blocks"))}
        view = View(self.new_id("V"), user_id, content, f"{self.clock.now():.6f}.{secrets.token_hex(4)}", "")
        view.root = view.id
        view.values = first_values(content["blocks"])
        self.written.append((f"view {content.get('type')} of {self.users[user_id].name}", content))
        return view


def _filled(value):
    return any(each for name, each in value.items() if name != "type")
