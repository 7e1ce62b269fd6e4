"""Owns clicks on what the app shows, by label; refuses buttons and options that are not there any more."""

from slack_server.forms import DATES, PICKS, ClientRefusal
from slack_server.screen import interactive_parts, label_of, options_of


class Clicking:
    """The part of a person that clicks."""

    def click(self, label, message=None):
        """Click a button: in a message, else in the form on top, else in Home. Waits for the acknowledgement."""
        block, element = self._find(label, message)
        if element["type"] != "button":
            raise ClientRefusal(f"{label!r} is a menu: choose from it")
        return self._act(message, block, element, {"text": element["text"], "value": element.get("value")})

    def choose(self, label, option, message=None):
        """Choose from a menu, named by its placeholder or action id."""
        block, element = self._find(label, message)
        if name := PICKS.get(element["type"]) or DATES.get(element["type"]):
            return self._act(message, block, element, {f"selected_{name}": getattr(option, "id", option)})
        wanted = option if isinstance(option, list | tuple) else [option]
        offered = {each["text"]["text"]: each for each in options_of(element)}
        if missing := [each for each in wanted if each not in offered]:
            raise ClientRefusal(f"{label!r} does not offer {missing} but {list(offered)}")
        chosen = [offered[each] for each in wanted]
        many = element["type"] in ("checkboxes", "multi_static_select")
        return self._act(message, block, element, {"selected_options": chosen} if many else
                         {"selected_option": chosen[0]})  # fmt: skip

    def _find(self, label, message):
        if message is not None:
            if message.deleted or message.only_for not in (None, self.id):
                raise ClientRefusal("this message is not there")
            if self.id not in message.channel.members:
                raise ClientRefusal(f"{self.name} does not see this channel")
        shown = message.blocks if message is not None else self._surface().content["blocks"]
        found = [
            (block, part) for block, part in interactive_parts(shown) if label in (label_of(part), part["action_id"])
        ]
        if len(found) != 1:
            there = [label_of(part) for _, part in interactive_parts(shown)]
            raise ClientRefusal(f"{len(found)} times {label!r} in {there}")
        return found[0]

    def _surface(self):
        surface = self.view or self.home
        if surface is None:
            raise ClientRefusal(f"{self.name} sees neither a form nor a Home")
        return surface

    def _act(self, message, block, element, what):
        slack = self._slack
        action = {"type": element["type"], "action_id": element["action_id"], "block_id": block["block_id"],
                  "action_ts": slack.workspace.new_ts()}  # fmt: skip
        action |= {name: value for name, value in what.items() if value is not None}
        more = self._from_message(message) if message is not None else self._from_view(self._surface(), action)
        return self._interact("block_actions", more | {"actions": [action]})

    def _from_view(self, view, action):
        typed = view.values.get(action["block_id"], {}).get(action["action_id"])
        if typed is not None:
            typed |= {name: value for name, value in action.items() if name.startswith("selected_")}
        return {"view": view.as_dict(), "container": {"type": "view", "view_id": view.id},
                "trigger_id": self._slack.triggers.issue(self.id, view)}  # fmt: skip

    def _from_message(self, message):
        found = {
            "container": {"type": "message", "message_ts": message.ts, "channel_id": message.channel.id,
                          "is_ephemeral": bool(message.only_for)},
            "channel": self._place(message.channel), "state": {"values": {}},
            "trigger_id": self._slack.triggers.issue(self.id),
            "response_url": self._slack.urls.issue(message.channel, self.id, message),
        }  # fmt: skip
        return found if message.only_for else found | {"message": message.as_dict()}
