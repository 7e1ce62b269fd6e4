"""Owns the look at the Slack set-up: token, scopes, team channels; refuses to change anything."""

from __future__ import annotations

import json
from pathlib import Path

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.directory import Directory
from triage.policy import Policy

MANIFEST = Path(__file__).with_name("manifest.json")


def faults(client: WebClient, policy: Policy) -> list[str]:
    """Return what is missing, one sentence each with what to do. Raises OSError when Slack cannot be reached."""
    try:
        answer = client.auth_test()
    except SlackApiError as error:
        return [f"Slack refuses the bot token ({error.response['error']}): reinstall the app and copy its token"]
    granted = {scope.strip() for scope in answer.headers.get("x-oauth-scopes", "").split(",") if scope.strip()}
    wanted = set(json.loads(MANIFEST.read_text(encoding="utf-8"))["oauth_config"]["scopes"]["bot"])
    found = []
    if granted and (missing := sorted(wanted - granted)):
        found.append(f"the app lacks {', '.join(missing)}: apply bot/manifest.json and reinstall the app")
    return found + _channel_faults(client, policy)


def _channel_faults(client: WebClient, policy: Policy) -> list[str]:
    steps = [step.channel for team in policy.teams.values() for step in team.escalation]
    names = {*(team.slack_channel for team in policy.teams.values()), *steps, policy.privacy.officer_channel}
    directory, unseen = Directory(client), []
    for name in sorted(names):
        try:
            directory.channel(name)
        except KeyError:
            unseen.append(name)
        except SlackApiError as error:
            return [f"the channels cannot be listed ({error.response['error']})"]
    return [f"the bot sees no channel {', '.join(unseen)}: make them and invite the bot"] if unseen else []
