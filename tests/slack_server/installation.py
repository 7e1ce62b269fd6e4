"""Owns what a workspace knows of the installed app, read from its manifest; refuses a manifest that Slack would."""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path

# What an event needs before Slack sends it; an event with several takes any of them.
EVENT_SCOPES = {
    "message.im": {"im:history"},
    "message.channels": {"channels:history"},
    "message.groups": {"groups:history"},
    "app_mention": {"app_mentions:read"},
    "reaction_added": {"reactions:read"},
    "reaction_removed": {"reactions:read"},
    "file_shared": {"files:read"},
    "member_joined_channel": {"channels:read", "groups:read"},
    "team_join": {"users:read"},
}


def _secret(start):
    return f"{start}-{secrets.token_hex(12)}"


@dataclass
class Installation:
    """One app in one workspace: ids, tokens and what its manifest allows."""

    manifest: dict
    bot_token: str = field(default_factory=lambda: _secret("xoxb"))
    app_token: str = field(default_factory=lambda: _secret("xapp"))
    signing_secret: str = field(default_factory=lambda: secrets.token_hex(16))
    verification: str = field(default_factory=lambda: secrets.token_hex(12))
    app_id: str = "A0HELPDESK"
    bot_id: str = "B0HELPDESK"
    user_id: str = "U0HELPDESK"
    team_id: str = "T0HOSPITAL"
    revoked: bool = False

    @classmethod
    def of(cls, manifest):
        """Read a manifest, given as a mapping or as the path of its JSON file."""
        if not isinstance(manifest, dict):
            manifest = json.loads(Path(manifest).read_text(encoding="utf-8"))
        made = cls(manifest)
        for event in sorted(made.events):
            needed = EVENT_SCOPES.get(event, set())
            if needed and not needed & made.scopes:
                raise ValueError(
                    f"Slack refuses this manifest: event {event} needs scope {' or '.join(sorted(needed))}"
                )
        return made

    def _part(self, *names):
        found = self.manifest
        for name in names:
            found = found.get(name) or {}
        return found

    @property
    def name(self):
        """The bot's name, as people mention it."""
        shown = self._part("features", "bot_user").get("display_name")
        return shown or self._part("display_information").get("name") or "helpdesk"

    @property
    def scopes(self):
        """What the bot token may do."""
        return set(self._part("oauth_config", "scopes").get("bot", []))

    @property
    def events(self):
        """The events subscribed to."""
        return set(self._part("settings", "event_subscriptions").get("bot_events", []))

    @property
    def commands(self):
        """The slash commands, by name."""
        return {each["command"]: each for each in self._part("features").get("slash_commands", [])}

    @property
    def shortcuts(self):
        """The shortcuts, by callback id."""
        return {each["callback_id"]: each for each in self._part("features").get("shortcuts", [])}

    @property
    def interactive(self):
        """Whether clicks, forms and shortcuts are sent at all."""
        return bool(self._part("settings", "interactivity").get("is_enabled", False))

    @property
    def home_tab(self):
        """Whether the app has a Home."""
        return bool(self._part("features", "app_home").get("home_tab_enabled", False))

    @property
    def messages_tab(self):
        """Whether the app has a conversation with each person."""
        return bool(self._part("features", "app_home").get("messages_tab_enabled", False))

    @property
    def people_may_write(self):
        """Whether people may write in that conversation."""
        return self.messages_tab and not self._part("features", "app_home").get("messages_tab_read_only_enabled", True)
