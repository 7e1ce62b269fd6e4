"""Owns what people do in Slack's client; refuses what that client would not let them do."""

import re

from slack_server.checks import Refusal
from slack_server.clicking import Clicking
from slack_server.forms import ClientRefusal, apply_answer, check_complete, fill

LONGEST_MESSAGE = 12_000  # characters the client sends as one message


class Person(Clicking):
    """Somebody with Slack open. What they did that reaches the app is in `slack.deliveries`."""

    def __init__(self, slack, user):
        self._slack, self._user = slack, user
        self.id, self.name, self.email, self.locale = user.id, user.name, user.email, user.locale
        self.form_errors = {}  # by label, after a form was sent and came back

    def __repr__(self):
        return f"<{self.name} {self.id}>"

    # --- what they see ---

    @property
    def view(self):
        """The form on top, or None."""
        stack = self._slack.workspace.stacks.get(self.id)
        return stack[-1] if stack else None

    @property
    def home(self):
        """Their Home, or None if none was published."""
        return self._slack.workspace.homes.get(self.id)

    @property
    def chat(self):
        """Their conversation with the bot."""
        return self._slack.workspace.conversation(self.id)

    @property
    def told(self):
        """What Slack itself told them: errors, mostly."""
        return [words for user_id, words in self._slack.workspace.toasts if user_id == self.id]

    # --- writing ---

    def direct(self, text, *, thread=None):
        """Write to the bot."""
        if not self._slack.app.people_may_write:
            raise ClientRefusal("sending messages to this app has been turned off")
        return self.write(self.chat, text, thread=thread)

    def mention(self, channel, text, *, thread=None):
        """Write to the bot where others read along."""
        return self.write(channel, f"@{self._slack.app.name} {text}", thread=thread)

    def write(self, channel, text, *, thread=None, files=()):
        """Write as typed: & and < are escaped, @names and @channel page as the client makes them."""
        self._may_write(channel, text or (files and "a file"))
        parent = self._parent(channel, thread)
        message = self._slack.workspace.post(
            channel, self.id, self._typed(text), thread_ts=parent, files=list(files),
            subtype="file_share" if files else None,
        )  # fmt: skip
        bot = self._slack.app.user_id
        if channel.kind != "im" and f"<@{bot}>" in message.text:
            event = message.as_dict() | {"type": "app_mention", "event_ts": message.ts}
            event.pop("subtype", None)
            self._slack.traffic.announce(event, channel)
        return message

    def upload(self, channel, name, content=b"not a real picture", text=""):
        """Share a file, perhaps with words."""
        workspace = self._slack.workspace
        file = {"id": workspace.new_id("F"), "name": name, "title": name, "mimetype": "image/png", "user": self.id,
                "filetype": name.rpartition(".")[2], "size": len(content)}  # fmt: skip
        file["url_private"] = f"{self._slack.api.base}/files/{file['id']}"
        workspace.files[file["id"]] = file | {"seen_by": channel, "content": content}
        return self.write(channel, text, files=[file])

    def edit(self, message, text):
        """Change something they wrote."""
        self._own(message)
        self._slack.workspace.edit(message, {"text": self._typed(text)})
        return message

    def delete(self, message):
        """Take back something they wrote."""
        self._own(message)
        self._slack.workspace.remove(message)

    def react(self, message, name):
        """Add an emoji."""
        message.reactions.setdefault(name, []).append(self.id)
        item = {"type": "message", "channel": message.channel.id, "ts": message.ts}
        event = {"type": "reaction_added", "user": self.id, "reaction": name, "item": item, "item_user": message.user}
        self._slack.traffic.announce(event | {"event_ts": self._slack.workspace.new_ts()}, message.channel)

    def join(self, channel):
        """Enter a channel."""
        if channel.archived:
            raise ClientRefusal(f"#{channel.name} is archived")
        channel.members.add(self.id)

    def leave(self, channel):
        """Leave a channel."""
        channel.members.discard(self.id)

    def _may_write(self, channel, text):
        if channel.archived:
            raise ClientRefusal(f"#{channel.name} is archived")
        if channel.kind == "channel":
            channel.members.add(self.id)
        if self.id not in channel.members:
            raise ClientRefusal(f"{self.name} is not in {channel.name or channel.id}")
        if not text.strip():
            raise ClientRefusal("there is nothing to send")
        if len(text) > LONGEST_MESSAGE:
            raise ClientRefusal(f"a message takes {LONGEST_MESSAGE} characters, not {len(text)}")

    @staticmethod
    def _parent(channel, thread):
        if thread is None:
            return None
        found = channel.find(getattr(thread, "ts", thread))
        if found is None:
            raise ClientRefusal("this message was deleted")
        return found.thread_ts or found.ts

    def _own(self, message):
        if message.user != self.id or message.deleted:
            raise ClientRefusal(f"this is no message of {self.name}'s")

    def _typed(self, text):
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        text = re.sub(r"(?<!\S)(https?://[^\s<>|]+)", r"<\1>", text)
        text = re.sub(r"(?<!\S)([\w.+-]+@[\w-]+\.[\w.-]*\w)", r"<mailto:\1|\1>", text)
        text = re.sub(r"(?<!\w)@(channel|here|everyone)\b", r"<!\1>", text)
        for user in self._slack.workspace.users.values():
            text = re.sub(rf"(?<!\w)@{re.escape(user.name)}(?!\w)", f"<@{user.id}>", text)
        return text

    # --- commands and shortcuts ---

    def command(self, name, text="", channel=None):
        """Type a slash command; in their chat with the bot if no channel is named. Waits for the answer."""
        if name not in self._slack.app.commands:
            raise ClientRefusal(f"{name} is not a valid command")
        channel = channel or self.chat
        self._may_write(channel, name)
        app, names = self._slack.app, {"im": "directmessage", "dm": "directmessage", "group": "privategroup"}
        delivery = self._slack.traffic.send("slash_commands", {
            "token": app.verification, "team_id": app.team_id, "team_domain": "hospital", "channel_id": channel.id,
            "channel_name": names.get(channel.kind, channel.name), "user_id": self.id, "user_name": self.name.lower(),
            "command": name, "text": self._command_text(name, text), "api_app_id": app.app_id,
            "is_enterprise_install": "false", "response_url": self._slack.urls.issue(channel, self.id),
            "trigger_id": self._slack.triggers.issue(self.id),
        }).wait()  # fmt: skip
        if not delivery.acknowledged:
            why = {"connection_failed": "dispatch_failed", "http_error": "http_service_error"}
            self._hear(f'{name} failed with the error "{why.get(delivery.failed, "operation_timeout")}"')
        elif delivery.answer:
            self._take("answer to a command", delivery.answer, lambda: self._slack.urls.answer(
                channel, self.id, delivery.answer))  # fmt: skip
        return delivery

    def _command_text(self, name, text):
        return self._typed(text) if self._slack.app.commands[name].get("should_escape") else text.strip()

    def shortcut(self, callback_id, message):
        """Use a message's shortcut."""
        self._offered(callback_id, "message")
        return self._interact("message_action", {
            "callback_id": callback_id, "trigger_id": self._slack.triggers.issue(self.id),
            "response_url": self._slack.urls.issue(message.channel, self.id), "message_ts": message.ts,
            "message": message.as_dict(), "channel": self._place(message.channel),
            "action_ts": self._slack.workspace.new_ts(),
        })  # fmt: skip

    def global_shortcut(self, callback_id):
        """Use a shortcut that belongs to no message."""
        self._offered(callback_id, "global")
        more = {"callback_id": callback_id, "action_ts": self._slack.workspace.new_ts()}
        return self._interact("shortcut", more | {"trigger_id": self._slack.triggers.issue(self.id)})

    def _offered(self, callback_id, kind):
        if self._slack.app.shortcuts.get(callback_id, {}).get("type") != kind:
            raise ClientRefusal(f"the app offers no {kind} shortcut {callback_id}")

    # --- forms and Home ---

    def open_home(self):
        """Look at the app's Home; returns the delivery, None if the app does not ask for it."""
        if not self._slack.app.home_tab:
            raise ClientRefusal("this app has no Home")
        event = {"type": "app_home_opened", "user": self.id, "channel": self.chat.id, "tab": "home"}
        event |= {"event_ts": self._slack.workspace.new_ts()} | ({"view": self.home.as_dict()} if self.home else {})
        return self._slack.traffic.announce(event, None)

    def fill(self, by_label):
        """Type and choose in the form on top, e.g. `{"What is wrong?": "...", "Urgent?": "Yes"}`."""
        for label, given in by_label.items():
            fill(self._top(), label, given)

    def submit(self):
        """Send the form on top and see what comes back."""
        view = self._top()
        check_complete(view)
        self.form_errors = {}
        more = {"view": view.as_dict(), "trigger_id": self._slack.triggers.issue(self.id, view), "response_urls": []}
        delivery = self._interact("view_submission", more)
        if delivery.acknowledged:

            def apply():
                self.form_errors = apply_answer(self._slack.workspace, view, delivery.answer)

            self._take("answer to a form", delivery.answer, apply)
        return delivery

    def cancel(self):
        """Close the form on top."""
        view = self._top()
        self._slack.workspace.stacks[self.id].remove(view)
        if view.content.get("notify_on_close"):
            return self._interact("view_closed", {"view": view.as_dict(), "is_cleared": False})
        return None

    def _top(self):
        if self.view is None:
            raise ClientRefusal(f"{self.name} has no form open")
        return self.view

    def _take(self, where, answer, work):
        try:
            with self._slack.workspace.lock:
                self._slack.workspace.written.append((where, answer))
                work()
        except Refusal as refusal:
            self._slack.api.refuse(where, answer, refusal)
            self._hear("We had some trouble connecting. Try again?")

    def _hear(self, words):
        self._slack.workspace.toasts.append((self.id, words))

    def _place(self, channel):
        return {"id": channel.id, "name": channel.name or "directmessage"}

    def _interact(self, kind, more):
        app = self._slack.app
        if not app.interactive:
            raise ClientRefusal("interactivity is off for this app")
        user = {"id": self.id, "username": self.name.lower(), "name": self.name.lower(), "team_id": app.team_id}
        payload = {"type": kind, "token": app.verification, "team": {"id": app.team_id, "domain": "hospital"},
                   "user": user, "api_app_id": app.app_id, "enterprise": None,
                   "is_enterprise_install": False}  # fmt: skip
        delivery = self._slack.traffic.send("interactive", payload | more).wait()
        if not delivery.acknowledged:
            self._hear(f"{app.name} did not answer ({delivery.failed})")
        return delivery
